#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges `kubemote-check yaml` by corpora of YAML texts.

Usage: conformance_yaml.py PATH/TO/kubemote-check PATH/TO/corpora

yaml: the suite's texts are accepted or refused as the index says (what libyaml is known to read differently may be either),
with the suite's JSON where Kubernetes' tools give it too; manifests give the list of documents that the API machinery's
decoder gives, or are refused; single values get the JSON type that Kubernetes' tools give them. JSON values are compared,
not texts. One line "ok ID" or "FAIL ID: why" a case; the last line is "N passed, N failed, N skipped".
"""
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor


def load(*path):
    with open(os.path.join(*path), encoding="utf-8") as text:
        return json.load(text)


def load_many(*path):
    """JSON texts one after another."""
    with open(os.path.join(*path), encoding="utf-8") as file:
        text, values = file.read().strip(), []
    while text:
        value, end = json.JSONDecoder().raw_decode(text)
        values.append(value)
        text = text[end:].lstrip()
    return values


def refuse_constant(word):
    raise ValueError(f"{word} is no JSON")


def same(a, b):
    """Equality of JSON values: true is not 1, but 1.0 is."""
    if isinstance(a, bool) or isinstance(b, bool) or type(a) in (str, type(None)) or type(b) in (str, type(None)):
        return type(a) is type(b) and a == b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def run(program, path):
    done = subprocess.run([program, "yaml", path], capture_output=True, timeout=120)
    if done.returncode not in (0, 1):
        raise ValueError(f"exit {done.returncode}: {done.stderr[:200]}")
    documents = [json.loads(line, parse_constant=refuse_constant) for line in done.stdout.splitlines()]
    if done.returncode == 1 and not done.stderr.startswith(path.encode()):
        raise ValueError(f"refused without the file's name: {done.stderr[:200]}")
    return done.returncode == 0, documents, done.stderr.decode(errors="replace").strip()


def judge_suite(program, folder, entry):
    ok, documents, error = run(program, os.path.join(folder, "suite", entry["id"] + ".yaml"))
    # What libyaml reads may still be no JSON: a map for a key, a number that is infinite, an empty stream.
    if entry["verdict"] == "must-reject" and ok and entry.get("kube") != "ok":
        return f"accepted: {documents}"
    if entry["verdict"] == "must-accept" and entry.get("kube") == "ok" and not ok:
        return f"refused: {error}"
    if entry.get("kube_json_equal") and entry["verdict"] == "must-accept":
        expected = load_many(folder, "suite", entry["id"] + ".json")
        if not same(documents, expected):
            return f"{documents}, expected {expected}"
    return None


def judge_manifest(program, folder, entry):
    path = os.path.join(folder, "manifests", entry["id"])
    ok, documents, error = run(program, path)
    if ok != entry["ok"]:
        return f"accepted, {len(documents)} documents" if ok else f"refused: {error}"
    if ok:
        expected = load(path + ".expected.json")
        if not same(documents, expected):
            return f"{len(documents)} documents, {len(expected)} expected: {str(documents)[:300]}"
    return None


def judge_typing(program, scratch, entry):
    path = os.path.join(scratch, entry["id"] + ".yaml")
    with open(path, "w", encoding="utf-8", newline="") as out:
        out.write(entry["yaml"])
    ok, documents, error = run(program, path)
    kube = entry["kube"]
    # Kubernetes' tools read the first document of a text.
    if not kube["ok"]:
        return f"accepted: {documents}" if ok else None
    if not documents:
        return f"refused: {error}"
    return None if same(documents[0], kube["json"]) else f"{documents[0]!r}, expected {kube['json']!r}"


def judge_safely(judge, program, folder, entry):
    try:
        return judge(program, folder, entry)
    except (ValueError, subprocess.TimeoutExpired) as problem:
        return str(problem)


def judge_all(program, folder, entries, judge):
    with ThreadPoolExecutor(2) as pool:
        reasons = list(pool.map(lambda entry: judge_safely(judge, program, folder, entry), entries))
    for entry, reason in zip(entries, reasons):
        print(f"FAIL yaml {entry['id']}: {reason}" if reason else f"ok yaml {entry['id']}")
    failed = sum(1 for reason in reasons if reason)
    return len(reasons) - failed, failed


def main():
    program, folder = sys.argv[1], os.path.join(sys.argv[2], "yaml")
    if not os.path.isdir(folder):
        print(f"skipped: {folder} is not there\n0 passed, 0 failed, 1 skipped")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        sums = [judge_all(program, folder, load(folder, "suite-index.json"), judge_suite),
                judge_all(program, folder, load(folder, "manifests-index.json"), judge_manifest),
                judge_all(program, scratch, load(folder, "typing-cases.json"), judge_typing)]
    passed, failed = (sum(column) for column in zip(*sums))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
