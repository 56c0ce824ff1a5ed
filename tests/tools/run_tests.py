# SPDX-License-Identifier: Apache-2.0
"""Runs the parts of `make test` one after another, goes on after a failure, and ends with "N passed, N failed".

  run_tests.py [PART...]

Each part is a make target. What it prints goes to build/test-logs/<part>.log. Single results are counted from the lines of
cmocka, of `go test -v`, and of our own tools ("ok ...", "FAIL ...", "skip ..."); a part without such lines counts as one.
"""
import os
import re
import subprocess
import sys
import time

LOGS = "build/test-logs"
# Cheap ones first; each is a target of the Makefile and can be run alone.
PARTS = ["check-fmt", "kconfig-lint", "check-docs", "boards", "layers", "warnings", "unit", "asan", "fault", "valgrind", "arm",
         "conformance", "hardening", "memplan", "size", "lwip", "reproducible", "fuzz", "plane", "e2e"]

PASSED = re.compile(r"^(\[ +OK \] |ok |\s*--- PASS: )")
FAILED = re.compile(r"^(\[ +FAILED +\] (?!\d+ test)|FAIL |\s*--- FAIL: )")
SKIPPED = re.compile(r"^(\[ +SKIPPED +\] (?!\d+ test)|skip |\s*--- SKIP: )")
# go test closes each package with a line of its own that is no single result.
PACKAGE_LINE = re.compile(r"^(ok|FAIL)\s+\S+(/\S+)+\s+(\(cached\)|[\d.]+s|\[)")
# What a program with a count of its own ends with.
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
# cmocka lists its failures again at the end.
CMOCKA_LIST = re.compile(r"^\[ +(FAILED|SKIPPED) +\] \d+ test")


def count(log, status):
    """(passed, failed, skipped) of one part's log and exit status."""
    numbers = {"passed": 0, "failed": 0, "skipped": 0}
    in_list = False
    for line in open(log, errors="replace"):
        if line.startswith("[==========] Running") or line.startswith("== "):
            in_list = False
        if CMOCKA_LIST.match(line):
            in_list = True
        summary = SUMMARY.match(line)
        if summary:
            for name, value in zip(numbers, summary.groups()):
                numbers[name] += int(value or 0)
        if in_list or summary or PACKAGE_LINE.match(line):
            continue
        for name, pattern in (("passed", PASSED), ("failed", FAILED), ("skipped", SKIPPED)):
            numbers[name] += bool(pattern.match(line))
    if status != 0 and numbers["failed"] == 0:
        numbers["failed"] = 1
    if status == 0 and not any(numbers.values()):
        numbers["passed"] = 1
    return numbers["passed"], numbers["failed"], numbers["skipped"]


def run(part):
    log = os.path.join(LOGS, part + ".log")
    start = time.monotonic()
    with open(log, "w") as out:
        status = subprocess.call(["make", "-s", part], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    return log, status, time.monotonic() - start


def show_failure(log):
    lines = open(log, errors="replace").read().splitlines()
    telling = [line for line in lines if FAILED.match(line) or re.search(r"\berror:|: Error|\*\*\*", line)]
    for line in telling[:15] or lines[-15:]:
        print("    | " + line[:200])
    print(f"    the whole of it: {log}")


def main(parts):
    os.makedirs(LOGS, exist_ok=True)
    total = [0, 0, 0]
    for part in parts:
        print(f"{part:14} ", end="", flush=True)
        log, status, seconds = run(part)
        numbers = count(log, status)
        total = [a + b for a, b in zip(total, numbers)]
        word = "ok" if numbers[1] == 0 and status == 0 else "FAILED"
        skipped = f", {numbers[2]} skipped" if numbers[2] else ""
        print(f"{word:7} {seconds:6.1f} s   {numbers[0]} passed, {numbers[1]} failed{skipped}", flush=True)
        if word == "FAILED":
            show_failure(log)
    skipped = f", {total[2]} skipped" if total[2] else ""
    print(f"{total[0]} passed, {total[1]} failed{skipped}", flush=True)
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PARTS))
