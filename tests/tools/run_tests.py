# SPDX-License-Identifier: Apache-2.0
"""Runs the parts of `make test`, goes on after a failure, and ends with "N passed, N failed".

  run_tests.py [PART...]

Each part is a make target. What it prints goes to build/test-logs/<part>.log; what tells of a failure is printed here too.
Single results are counted from the lines of cmocka, of `go test -v`, and of our own tools ("ok ...", "FAIL ...", "skip ...");
a part without such lines counts as one.

Parts run in two lanes beside each other: one that computes, at low priority, and one that mostly waits for a cluster's clocks.
"""
import os
import re
import signal
import subprocess
import sys
import time

LOGS = "build/test-logs"
# Alone and first: everything that others build upon.
FIRST = ["check-fmt", "kconfig-lint", "boards"]
# Cheap ones first; each is a target of the Makefile and can be run alone.
COMPUTING = ["layers", "check-docs", "warnings", "unit", "asan", "threads", "fault", "arm", "conformance", "client", "obs", "trace", "hardening", "memplan", "size", "lwip",
             "valgrind", "reproducible", "fuzz"]
WAITING = ["cluster-program", "plane", "informer", "elect", "run-test", "e2e", "soak"]
PARTS = FIRST + COMPUTING + WAITING
ARGUMENTS = {"soak": ["SOAK_ROUNDS=100"], "fuzz": ["FUZZ_SECONDS=10"], "elect": ["ELECT_SHORT=1"]}
LIMIT_S = 1800
TELL_S = 30

PASSED = re.compile(r"^(\[ +OK \] |ok |\s*--- PASS: )| rounds=\d+ .* ok$")
FAILED = re.compile(r"^(\[ +FAILED +\] (?!\d+ test)|FAIL |\s*--- FAIL: )| rounds=\d+ .* FAIL$")
SKIPPED = re.compile(r"^(\[ +SKIPPED +\] (?!\d+ test)|skip |\s*--- SKIP: )")
# go test closes each package with a line of its own that is no single result.
PACKAGE_LINE = re.compile(r"^(ok|FAIL)\s+\S+(/\S+)+\s+(\(cached\)|[\d.]+s|\[)")
# What a program with a count of its own ends with.
SUMMARY = re.compile(r"^(?:[\w-]+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
# cmocka lists its failures again at the end.
CMOCKA_LIST = re.compile(r"^\[ +(FAILED|SKIPPED) +\] \d+ test")
TELLING = re.compile(r"\berror:|: Error|\*\*\*|^ERROR:|==\d+==|_test\.go:\d+:|panic:")
GO_WORDS = re.compile(r"^\s+\w+_test\.go:\d+: ")
RESULT = re.compile(r"^\s*--- [A-Z]+: ")


def count(log, status):
    """[passed, failed, skipped] of one part's log and exit status."""
    numbers = {"passed": 0, "failed": 0, "skipped": 0}
    counted = dict(numbers)  # up to the last summary
    in_list = False
    for line in open(log, errors="replace"):
        line = line.rstrip("\n")
        if line.startswith("[==========] Running") or line.startswith("== "):
            in_list = False
        if CMOCKA_LIST.match(line):
            in_list = True
        summary = SUMMARY.match(line)
        if summary:
            # It sums up the lines before it, where there are any.
            for name, value in zip(numbers, summary.groups()):
                counted[name] = numbers[name] = max(numbers[name], counted[name] + int(value or 0))
        if in_list or summary or PACKAGE_LINE.match(line):
            continue
        for name, pattern in (("passed", PASSED), ("failed", FAILED), ("skipped", SKIPPED)):
            numbers[name] += bool(pattern.search(line))
    if status != 0 and numbers["failed"] == 0:
        numbers["failed"] = 1
    if status == 0 and not any(numbers.values()):
        numbers["passed"] = 1
    return list(numbers.values())


def around(lines, index):
    """What went wrong stands before the name of the test; a Go test's own words maybe far before, and its programs' between."""
    near = set(range(max(0, index - 5), index + 1))
    for at in range(index - 1, max(-1, index - 200), -1):
        if RESULT.match(lines[at]):
            break
        if GO_WORDS.match(lines[at]):
            near.add(at)
    return near


class Part:
    def __init__(self, name, low_priority):
        self.name, self.log = name, os.path.join(LOGS, name + ".log")
        self.start = time.monotonic()
        command = ["make", "-s", name] + ARGUMENTS.get(name, [])
        if low_priority:
            command = ["nice", "-n", "10"] + command
        environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        self.process = subprocess.Popen(command, stdout=open(self.log, "w"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                        process_group=0, env=environment)

    def seconds(self):
        return time.monotonic() - self.start

    def ended(self):
        if self.process.poll() is None and self.seconds() > LIMIT_S:
            self.kill()
            with open(self.log, "a") as log:
                log.write(f"\nFAIL {self.name}: stopped after {LIMIT_S} s\n")
        return self.process.poll() is not None

    def kill(self):
        for number, wait_s in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(wait_s)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass

    def report(self):
        """Prints the part's line; returns its numbers."""
        numbers = count(self.log, self.process.returncode)
        good = numbers[1] == 0 and self.process.returncode == 0
        skipped = f", {numbers[2]} skipped" if numbers[2] else ""
        print(f"{self.name:16} {'ok' if good else 'FAILED':7} {self.seconds():6.1f} s   "
              f"{numbers[0]} passed, {numbers[1]} failed{skipped}", flush=True)
        self.good = good
        if not good:
            self.show_failure(30)
        return numbers

    def show_failure(self, most):
        lines = open(self.log, errors="replace").read().splitlines()
        telling = [index for index, line in enumerate(lines) if FAILED.search(line)] or \
            [index for index, line in enumerate(lines) if TELLING.search(line)]
        shown = sorted({near for index in telling for near in around(lines, index)})[:most]
        for line in [lines[index] for index in shown] + ["..."] + lines[-8:]:
            print("    | " + line[:300])
        print(f"    the whole of it: {self.log}", flush=True)


class Runner:
    def __init__(self):
        self.running, self.total, self.told = [], [0, 0, 0], time.monotonic()
        self.failed = []

    def run(self, lanes):
        """Each lane's parts one after another, the lanes beside each other."""
        lanes = [list(lane) for lane in lanes if lane]
        active = {}
        while lanes or active:
            for lane in list(lanes):
                if id(lane) not in active and lane:
                    active[id(lane)] = Part(lane.pop(0), len(lanes) > 1 and lane is lanes[0])
            self.running = list(active.values())
            time.sleep(0.1)
            self.tell()
            for key, part in list(active.items()):
                if part.ended():
                    self.total = [a + b for a, b in zip(self.total, part.report())]
                    self.failed += [] if part.good else [part]
                    del active[key]
            lanes = [lane for lane in lanes if lane or id(lane) in active]

    def tell(self):
        if time.monotonic() - self.told < TELL_S:
            return
        self.told = time.monotonic()
        long = [f"{part.name} {part.seconds():.0f} s" for part in self.running if part.seconds() >= TELL_S / 2]
        if long:
            print(f"  ... running: {', '.join(long)}", flush=True)

    def stop(self):
        for part in self.running:
            part.kill()


def main(parts):
    os.makedirs(LOGS, exist_ok=True)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        print(f"unknown parts: {' '.join(unknown)}; there are: {' '.join(PARTS)}", file=sys.stderr)
        return 2
    runner = Runner()

    def on_signal(*_):
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    try:
        for lanes in ([FIRST], [COMPUTING, WAITING]):
            runner.run([[part for part in lane if part in parts] for lane in lanes])
    except KeyboardInterrupt:
        runner.stop()
        print("interrupted", flush=True)
        return 130
    # Again where the eye is at the end: a long run has scrolled the first report away.
    for part in runner.failed:
        print(f"FAILED: {part.name}")
        part.show_failure(20)
    if runner.total[2]:
        print(f"{runner.total[2]} skipped")
    print(f"{runner.total[0]} passed, {runner.total[1]} failed", flush=True)
    return 1 if runner.total[1] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PARTS))
