#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges `kubemote-check json` and `json-project` by corpora of JSON texts.

Usage: conformance_json.py PATH/TO/kubemote-check PATH/TO/corpora

json-parsing: each file whole, byte by byte and cut at random gives one verdict, the one of its index. k8s-objects: the
pointers of projections.json are found with exactly their values, or not found, however the document is cut. The last
line is "N passed, N failed, N skipped".
"""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

SEEDS = [None, 0, 1, 2, 3]
LARGE = 500_000


class Number(str):
    """A number's text: 1, 1.0 and 1e0 are not the same here."""


def load(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def run(program, command, path, seed, *arguments):
    cut = [] if seed is None else ["--cut", str(seed)]
    return subprocess.run([program, command, path, *cut, *arguments], capture_output=True, timeout=120)


def judge_parsing(program, folder, entry):
    path = os.path.join(folder, entry["id"])
    first = run(program, "json", path, None)
    for seed in SEEDS[1:]:
        other = run(program, "json", path, seed)
        if (other.returncode, other.stdout) != (first.returncode, first.stdout):
            return f"--cut {seed} gives {other.stdout}, whole gives {first.stdout}"
    if first.returncode not in (0, 1):
        return f"exit {first.returncode}: {first.stderr[:300]}"
    answer = json.loads(first.stdout)
    accept = answer["verdict"] == "accept"
    if accept != (first.returncode == 0):
        return f"exit {first.returncode} with {answer}"
    if not accept and not (answer["offset"] <= os.path.getsize(path) and answer["error"]):
        return f"no reason: {answer}"
    if entry["verdict"] == ("must-reject" if accept else "must-accept"):
        return f"{entry['verdict']}: {answer}"
    return None


def judge_projection(program, folder, entry):
    path = os.path.join(folder, entry["id"])
    # From both lists by turns, so that pointers into the same place meet.
    pointers = list(entry["found"])
    for place, pointer in enumerate(entry["absent"]):
        pointers.insert(2 * place, pointer)
    for seed in [None, 1] if os.path.getsize(path) > LARGE else SEEDS:
        done = run(program, "json-project", path, seed, *pointers)
        if done.returncode != 0:
            return f"--cut {seed}: exit {done.returncode}: {done.stderr[:300]}"
        answer = load(done.stdout)
        if answer != entry["found"]:
            wrong = [p for p in pointers if answer.get(p, "absent") != entry["found"].get(p, "absent")]
            return f"--cut {seed}: {wrong[0]}: {answer.get(wrong[0], 'absent')!r}"
        if list(answer) != [p for p in pointers if p in answer]:
            return f"--cut {seed}: pointers in another order"
    return None


def judge_all(program, folder, index, parse, judge):
    if not os.path.isfile(os.path.join(folder, index)):
        print(f"skipped: {os.path.join(folder, index)} is not there")
        return 0, 0, 1
    with open(os.path.join(folder, index), encoding="utf-8") as text:
        entries = parse(text.read())
    with ThreadPoolExecutor(2) as pool:
        reasons = list(pool.map(lambda entry: judge(program, folder, entry), entries))
    for entry, reason in zip(entries, reasons):
        if reason:
            print(f"FAILED {entry['id']}: {reason}")
    failed = sum(1 for reason in reasons if reason)
    return len(entries) - failed, failed, 0


def main():
    program, corpora = sys.argv[1], sys.argv[2]
    sums = [judge_all(program, os.path.join(corpora, "json-parsing"), "index.json", json.loads, judge_parsing),
            judge_all(program, os.path.join(corpora, "k8s-objects"), "projections.json", load, judge_projection)]
    passed, failed, skipped = (sum(column) for column in zip(*sums))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
