#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges `kubemote-check klog` by a corpus of klog's own lines.

Usage: conformance_klog.py PATH/TO/kubemote-check PATH/TO/corpora

textlogger: message, values and severity give klog's line byte for byte, header included. output, keyvalues: rows whose values
can be stated in C (keys that are text or integers); others are skipped. json: each line of all these cases is JSON whose members
are the case's message and values.
One line "ok ID" or "FAIL ID: why" a case; the last line is "N passed, N failed, N skipped".
"""
import json
import os
import re
import subprocess
import sys
import tempfile

HEADER = re.compile(r"^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ ([^:]+):\d+\] ", re.M)


def load(*path):
    with open(os.path.join(*path), encoding="utf-8") as text:
        return json.load(text)


def run(program, scratch, case, *flags):
    path = os.path.join(scratch, "case.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"cases": [case]}, out)
    done = subprocess.run([program, "klog", path, *flags], capture_output=True, timeout=60)
    if done.returncode != 0:
        raise ValueError(f"exit {done.returncode}: {done.stderr[:200]}")
    return done.stdout.decode()


def differs(got, wanted):
    return None if got == wanted else f"{got!r}, expected {wanted!r}"


def judge_textlogger(program, scratch, case):
    return differs(run(program, scratch, case), case["header"] + case["after_header"])


def shorten(text):
    return HEADER.sub(r"\1 \2:<LINE>] ", text)


def judge_output(program, scratch, case):
    return differs(shorten(run(program, scratch, case)), case.get("expectedOutput", "\n"))


def judge_keyvalues(program, scratch, case):
    return differs(run(program, scratch, case), case["row"]["want"] + "\n")


def plain(value):
    """A value of a case as the JSON format shows it."""
    if isinstance(value, dict) and "$kref" in value:
        ns, name = value["$kref"]
        return {"name": name, "namespace": ns} if ns else {"name": name}
    return value["$error"] if isinstance(value, dict) and "$error" in value else value


def judge_json(program, scratch, case):
    if len(case["values"]) % 2 == 1:
        return None  # no pair in C lacks its value
    line = run(program, scratch, case, "--json")
    if line.count("\n") != 1:
        return f"not one line: {line!r}"
    pairs = json.loads(line, object_pairs_hook=list)
    values = [(key, plain(value)) for key, value in zip(case["values"][::2], case["values"][1::2])]
    wanted = [("msg", case["message"])] + ([] if case["severity"] == "E" else [("v", 0)]) + values
    wanted += [("err", 'boom: "quoted"')] if case["severity"] == "E" else []
    got = [(key, dict(value) if isinstance(value, list) and value and isinstance(value[0], tuple) else value)
           for key, value in pairs[2:]]
    if [key for key, _ in pairs[:2]] != ["ts", "caller"]:
        return f"begins with {pairs[:2]}"
    return differs(got, wanted)


def stated(values):
    """Keys that are no text or integer, and values of Go that JSON has no form for, can't be stated."""
    keys = values[::2]
    return all(isinstance(key, (str, int)) for key in keys) and not any(is_go(value) for value in values)


def is_go(value):
    if isinstance(value, dict):
        return any(key in ("$call", "$expr") or key.startswith("$key:") or is_go(item) for key, item in value.items())
    return isinstance(value, list) and any(map(is_go, value))


# Marshalers of Go's own: what they print is not what their fields are.
OWN_WORDS = {"TestKvListFormat-00", "TestKvListFormat-01"}
UNSEEN = {"vmodule", "withHelper", "err", "printWithKlog", "printWithInfoLevel"}


def can_judge(case):
    values = [value for name in ("withValues", "moreValues", "evenMoreValues", "values") for value in case.get(name) or []]
    values += case.get("row", {}).get("keysValues", [])
    lists = [case.get(name) or [] for name in ("withValues", "moreValues", "evenMoreValues", "values")]
    lists.append(case.get("row", {}).get("keysValues", []))
    silent = case.get("v", 0) > 10
    return case["id"] not in OWN_WORDS and (silent or not UNSEEN & case.keys()) and all(map(stated, lists)) and \
        case.get("all_literal", True)


def main():
    program, folder = sys.argv[1], os.path.join(sys.argv[2], "klog-format")
    if not os.path.isdir(folder):
        print(f"skipped: {folder} is not there\n0 passed, 0 failed, 1 skipped")
        return 0
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    suites = [("textlogger-cases.json", judge_textlogger), ("textlogger-cases.json", judge_json),
              ("output-cases.json", judge_output), ("keyvalues-cases.json", judge_keyvalues)]
    with tempfile.TemporaryDirectory() as scratch:
        for name, judge in suites:
            for case in load(folder, name)["cases"]:
                title = f"klog {judge.__name__[6:]} {case['id']}"
                if not can_judge(case):
                    counts["skip"] += 1
                    print(f"skip {title}")
                    continue
                try:
                    reason = judge(program, scratch, case)
                except (ValueError, subprocess.TimeoutExpired) as problem:
                    reason = str(problem)
                counts["FAIL" if reason else "ok"] += 1
                print(f"FAIL {title}: {reason}" if reason else f"ok {title}")
        whole = subprocess.run([program, "klog", os.path.join(folder, "textlogger-cases.json")], capture_output=True, timeout=60)
        wanted = "".join(case["header"] + case["after_header"] for case in load(folder, "textlogger-cases.json")["cases"])
        same = whole.stdout == wanted.encode()
        counts["ok" if same else "FAIL"] += 1
        print("ok klog whole file" if same else "FAIL klog whole file: other bytes")
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
