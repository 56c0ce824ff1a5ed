#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random operation strings through queue-trace and through client-go's queue: the output must be the same.

Usage: differential.py PATH/TO/queue-trace PATH/TO/queue-trace-go

STRINGS (100000) strings in batches, one process each with a `reset` between them; SEED chooses them. The first
string that differs is made as short as it goes and printed with both outputs.
"""
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

BATCHES = 20
KEYS = ["a", "b", "c", "ns/name", "kube-system/a-longer-name.example", "7"]
# Few different times, so that many keys are due at the same one.
TIMES = ["1", "1", "5", "5", "10", "20", "40", "0", "-3", "160", "1000", "9999", "10000", "10001", "400000", "1000000"]
OPERATIONS = ["add"] * 10 + ["get"] * 16 + ["done"] * 12 + ["after"] * 14 + ["ratelimited"] * 8 + ["advance"] * 12 + \
    ["len"] * 5 + ["requeues"] * 3 + ["forget"] * 2
RARE = ["shutdown", "drain", "drain", "done"]
# done without get doubles a key in client-go; half of the strings use it freely, as no program should.
TAKES_KEY = {"add", "done", "ratelimited", "forget", "requeues"}


def one_string(rng):
    taken = [] if rng.random() < 0.5 else None
    keys = KEYS[:rng.randint(1, len(KEYS))]
    length = rng.choice((8, 20, 30, 45, 90))
    stop = rng.randrange(length * 3)
    lines = []
    for i in range(length):
        what = rng.choice(RARE if i == stop else OPERATIONS)
        if i > stop and rng.random() < 0.05:
            what = rng.choice(RARE)
        if what in TAKES_KEY:
            lines.append(what + " " + rng.choice(keys))
        elif what == "after":
            lines.append("after " + rng.choice(keys) + " " + rng.choice(TIMES))
        elif what == "advance":
            lines.append("advance " + rng.choice(TIMES).lstrip("-"))
        else:
            lines.append(what)
    return order(lines) if taken is not None else lines


def order(lines):
    """Moves each done behind a get, so that most of them finish what was taken."""
    result = []
    for line in lines:
        if line.startswith("done") and "get" not in result[-8:]:
            result.append("get")
        result.append(line)
    return result


def command(program):
    return [program, "-test.run=^TestTrace$", "-test.timeout=0"] if program.endswith("-go") else [program]


def run(program, strings):
    """The output lines of each string, without the reset's."""
    text = "".join("reset\n" + "".join(line + "\n" for line in lines) for lines in strings)
    done = subprocess.run(command(program), input=text, capture_output=True, text=True, timeout=600,
                          env={**os.environ, "QUEUE_TRACE": "1"})
    if done.returncode != 0:
        raise SystemExit(f"FAIL {program}: exit {done.returncode}: {done.stderr[-2000:]}")
    out = iter(done.stdout.splitlines())
    return [[next(out, "") for _ in range(len(lines) + 1)][1:] for lines in strings]


def run_both(programs, strings):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, programs, [strings, strings]))


def differ(programs, lines):
    first, second = run_both(programs, [lines])
    return first != second


def shorten(programs, lines):
    i = 0
    while i < len(lines):
        without = lines[:i] + lines[i + 1:]
        if differ(programs, without):
            lines = without
        else:
            i += 1
    return lines


def show(programs, lines):
    lines = shorten(programs, lines)
    ours, theirs = (outputs[0] for outputs in run_both(programs, [lines]))
    print(f"{'operation':40} {'kubemote':20} client-go")
    for line, a, b in zip(lines, ours, theirs):
        print(f"{line:40} {a:20} {b}{'   <-- differs' if a != b else ''}")


def main(programs):
    count, seed = int(os.environ.get("STRINGS") or 100000), int(os.environ.get("SEED") or 1)
    rng, operations = random.Random(seed), 0
    for batch in range(BATCHES):
        strings = [one_string(rng) for _ in range((count + batch) // BATCHES)]
        operations += sum(len(lines) for lines in strings)
        ours, theirs = run_both(programs, strings)
        for lines, a, b in zip(strings, ours, theirs):
            if a != b:
                show(programs, lines)
                print(f"FAIL trace: a string differs (SEED={seed})")
                return 1
    print(f"ok trace: {count} operation strings, {operations} operations, same output as client-go (SEED={seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
