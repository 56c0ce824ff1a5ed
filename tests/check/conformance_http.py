#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges `kubemote-check http` by a corpus of recorded server bytes.

Usage: conformance_http.py PATH/TO/kubemote-check PATH/TO/corpora

Each case is fed whole, byte by byte and cut at random points; the outcome must be the same each time and be the one
that the corpus asks for. The last line is "N passed, N failed, N skipped".
"""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

SEEDS = [None, 0, 1, 2, 3, 4]
# Cases that are about sizes may be refused for size: a client of fixed memory has limits.
SIZE_TAGS = {"huge", "limits"}


def run(program, path, method, seed):
    command = [program, "http", path, "--method", method]
    if seed is not None:
        command += ["--cut", str(seed)]
    done = subprocess.run(command, capture_output=True, timeout=120)
    if done.returncode not in (0, 1):
        return done.returncode, f"exit {done.returncode}: {done.stderr.decode(errors='replace')[:300]}"
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        return done.returncode, f"not JSON ({error}): {done.stdout[:200]!r}"
    if ("error" in answer) != (done.returncode == 1):
        return done.returncode, f"exit {done.returncode} with {done.stdout[:200]!r}"
    return done.returncode, answer


def header_pairs(headers, case):
    """Names in any case, in no order; framing headers that the reference drops are left out."""
    return sorted((name.lower(), value) for name, value in headers
                  if name.lower() not in ("connection", "transfer-encoding", "content-length", "trailer"))


def wrong(case, answer):
    """Why the answer is not the one of the case, or None."""
    if "status" not in case:
        return None
    for member in ("status", "interim", "body_len", "body_sha256"):
        if member in case and answer[member] != case[member]:
            return f"{member} is {answer[member]}, not {case[member]}"
    if "left_len" in case and answer["leftover"] != case["left_len"]:
        return f"leftover is {answer['leftover']}, not {case['left_len']}"
    if answer["leftover"] and answer["reusable"]:
        return "reusable with bytes left over"
    if "headers" in case and header_pairs(answer["headers"], case) != header_pairs(case["headers"], case):
        return f"headers are {answer['headers']}, not {case['headers']}"
    return None


def judge(program, folder, entry):
    path = os.path.join(folder, "cases", entry["id"])
    with open(path + ".json") as text:
        case = json.load(text)
    verdict = case["verdict"]
    seeds = [None, 1] if os.path.getsize(path + ".http") > 500_000 else SEEDS
    results = [run(program, path + ".http", case["request_method"], seed) for seed in seeds]
    code, answer = results[0]
    if isinstance(answer, str):
        return answer
    for seed, other in zip(seeds[1:], results[1:]):
        if other != results[0]:
            return f"--cut {seed} gives {other[1]}, whole gives {answer}"
    if verdict == "must-reject":
        return None if code == 1 else f"accepted: {answer}"
    if code == 1:
        if verdict == "either" or SIZE_TAGS & set(case.get("tags", [])):
            return None
        return f"refused: {answer['error']}"
    return wrong(case, answer)


def main():
    program, corpora = sys.argv[1], sys.argv[2]
    folder = os.path.join(corpora, "http1-response")
    if not os.path.isfile(os.path.join(folder, "index.json")):
        print(f"skipped: {folder} is not there")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    with open(os.path.join(folder, "index.json")) as text:
        index = json.load(text)
    with ThreadPoolExecutor(2) as pool:
        reasons = list(pool.map(lambda entry: judge(program, folder, entry), index))
    for entry, reason in zip(index, reasons):
        if reason:
            print(f"FAILED {entry['id']} ({entry['verdict']}): {reason}")
    failed = sum(1 for reason in reasons if reason)
    print(f"{len(index) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
