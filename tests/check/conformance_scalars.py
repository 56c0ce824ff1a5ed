#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges `kubemote-check quantity`, `duration`, `time`, `labelselector`, `fieldselector` and `name` by a corpus of strings.

Usage: conformance_scalars.py PATH/TO/kubemote-check PATH/TO/corpora

k8s-scalars: a string is accepted or refused as its index says, and what is accepted is written in the index's canonical form;
values, comparisons and what a selector matches are equal too. One line "ok ID" or "FAIL ID: why" a case; the last line is
"N passed, N failed, N skipped".
"""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

INT64_MAX = 2**63 - 1


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, timeout=60, text=True)
    if done.returncode not in (0, 1):
        raise ValueError(f"exit {done.returncode}: {done.stderr[:200]}")
    if (done.returncode == 0) == bool(done.stderr):
        raise ValueError(f"exit {done.returncode} with {done.stderr!r} on standard error")
    return done.returncode == 0, done.stdout.removesuffix("\n")


def judge_string(program, command, text, want, *options):
    """None when the string is accepted or refused as wanted, with the canonical form that is wanted."""
    ok, answer = run(program, command, text, *options)
    if ok != want["ok"]:
        return f"{text!r}: {'accepted' if ok else 'refused'}"
    if ok and answer != want.get("canonical", answer):
        return f"{text!r}: {answer!r}, expected {want['canonical']!r}"
    return None


def judge_quantity(program, case):
    reason = judge_string(program, "quantity", case["input"], case)
    if reason or not case["ok"]:
        return reason
    for scale, key in (("1", "value_ceil"), ("1000", "milli_ceil")):
        done = subprocess.run([program, "quantity", case["input"], "--scale", scale], capture_output=True, text=True)
        # What fits no int64 is 0 or cut off in apimachinery; here it is the nearest, with exit 1.
        if done.returncode == 0 and int(done.stdout) != case[key]:
            return f"{case['input']!r}: {key} is {done.stdout.strip()}, expected {case[key]}"
        if done.returncode == 1 and abs(int(done.stdout)) < INT64_MAX:
            return f"{case['input']!r}: {key} refused"
    return None


def judge_compare(program, case):
    _, answer = run(program, "quantity", case["x"], "--compare", case["y"])
    return None if int(answer) == case["cmp"] else f"{case['x']} against {case['y']}: {answer}"


def judge_duration(program, case):
    return judge_string(program, "duration", case["input"], case)


def judge_human(program, case):
    for option, key in (("--human", "human"), ("--short", "short")):
        _, answer = run(program, "duration", f"{case['ns']}ns", option)
        if answer != case[key]:
            return f"{case['ns']} ns: {key} is {answer!r}, expected {case[key]!r}"
    return None


def judge_time(program, case):
    return (judge_string(program, "time", case["input"], case["time"])
            or judge_string(program, "time", case["input"], case["microtime"], "--micro"))


def judge_selector(command, sets):
    def judge(program, case):
        reason = judge_string(program, command, case["input"], case)
        if reason or not case["ok"]:
            return reason
        for number, (labels, matches) in enumerate(zip(sets, case["matches"], strict=True)):
            pairs = [f"{key}={value}" for key, value in labels.items()]
            _, answer = run(program, command, case["input"], "--match", *pairs)
            if answer != ("true" if matches else "false"):
                return f"{case['input']!r} on set {number} {labels}: {answer}"
        return None
    return judge


def judge_name(program, case):
    return judge_string(program, "name", case["input"], {"ok": case["ok"], "canonical": case["input"]},
                        "--check", case["check"])


def load(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as text:
        content = json.load(text)
    return content["cases"] if isinstance(content, dict) else content


def judges(folder):
    return [("quantity.json", judge_quantity), ("quantity-compare.json", judge_compare),
            ("duration.json", judge_duration), ("human-duration.json", judge_human), ("rfc3339.json", judge_time),
            ("labelselector.json", judge_selector("labelselector", load(folder, "labelselector-sets.json"))),
            ("fieldselector.json", judge_selector("fieldselector", load(folder, "fieldselector-sets.json"))),
            ("names.json", judge_name)]


def judge_safely(judge, program, case):
    try:
        return judge(program, case)
    except (ValueError, subprocess.TimeoutExpired) as problem:
        return str(problem)


def main():
    program, folder = sys.argv[1], os.path.join(sys.argv[2], "k8s-scalars")
    if not os.path.isdir(folder):
        print(f"skipped: {folder} is not there\n0 passed, 0 failed, 1 skipped")
        return 0
    passed = failed = 0
    for name, judge in judges(folder):
        cases = load(folder, name)
        with ThreadPoolExecutor(2) as pool:
            reasons = list(pool.map(lambda case: judge_safely(judge, program, case), cases))
        for case, reason in zip(cases, reasons):
            print(f"FAIL {name} {case['id']}: {reason}" if reason else f"ok {name} {case['id']}")
        failed += sum(1 for reason in reasons if reason)
        passed += sum(1 for reason in reasons if not reason)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
