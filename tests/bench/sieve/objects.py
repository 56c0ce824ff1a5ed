# SPDX-License-Identifier: Apache-2.0
"""objects.py POD COUNT: a watch stream of COUNT pods, as an API server writes it.

They are like the one in the file POD, but of many workloads: names, values and how many there are of them differ, always in
the same way.
"""
import copy
import json
import random
import sys

WORKLOADS = 60
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


def word(rng, least, most):
    return "w" + "".join(rng.choices(LETTERS, k=rng.randint(least, most)))


def workload(pod, rng):
    pod = copy.deepcopy(pod)
    metadata, container = pod["metadata"], pod["spec"]["containers"][0]
    for number in range(rng.randint(0, 5)):
        metadata["labels"][f"{word(rng, 4, 12)}/{word(rng, 3, 20)}"] = word(rng, 1, 30)
        metadata["annotations"][word(rng, 5, 40)] = word(rng, 5, 120)
    for number in range(rng.randint(0, 8)):
        variable = {"name": word(rng, 3, 24).upper(), "value": word(rng, 0, 60)}
        container["env"].insert(rng.randint(0, len(container["env"])), variable)
    fields = metadata["managedFields"][0]["fieldsV1"]["f:spec"]["f:containers"]
    fields[json.dumps({"name": word(rng, 3, 20)}, separators=(",", ":"))] = fields.pop('k:{"name":"frontend"}')
    container["image"] = f"registry.example.io/{word(rng, 3, 15)}/{word(rng, 3, 25)}:v{rng.randint(0, 30)}.{rng.randint(0, 30)}"
    container["args"] = [f"--{word(rng, 3, 16)}={word(rng, 0, 25)}" for _ in range(rng.randint(0, 6))]
    for condition in pod["status"]["conditions"]:
        if rng.random() < 0.3:
            condition["message"] = " ".join(word(rng, 2, 9) for _ in range(rng.randint(1, 12)))
    return pod


def main(path, count):
    rng = random.Random(1)
    with open(path, encoding="utf-8") as file:
        pod = json.load(file)
    workloads = [workload(pod, rng) for _ in range(WORKLOADS)]
    sys.stdout.reconfigure(encoding="utf-8")
    for number in range(int(count)):
        pod = rng.choice(workloads)
        pod["metadata"]["name"] = f"{word(rng, 4, 20)}-{number:05}"
        pod["metadata"]["resourceVersion"] = str(184467 + number)
        print(json.dumps({"type": "MODIFIED", "object": pod}, separators=(",", ":"), ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
