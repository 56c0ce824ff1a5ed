#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges `kubemote-check kubeconfig` by corpora of kubeconfig files.

Usage: conformance_kubeconfig.py PATH/TO/kubemote-check PATH/TO/corpora

kubeconfig: what client-go made of each file, per context: the same server, credentials and namespace, or an error where it
erred. A field that kubemote does not support (exec, auth-provider, proxy-url, impersonation, basic auth, no verification) must
be refused by its name. Several files give what their merged text gives. Rows that need overrides, or that validate more than
one context, are skipped. One line "ok ID", "FAIL ID: why" or "skipped ID: why" a case; the last line is
"N passed, N failed, N skipped".
"""
import json
import os
import re
import subprocess
import sys
import tempfile

UNSUPPORTED = {"exec": "exec", "authProvider": "auth-provider", "proxy": "proxy-url", "username": "username", "password": "password",
               "impersonate": "as", "impersonateUID": "as-uid", "impersonateGroups": "as-groups",
               "impersonateExtra": "as-user-extra", "insecure": "insecure-skip-tls-verify"}
COMPARED = ["host", "caFile", "caData", "certFile", "certData", "keyFile", "keyData", "token", "tokenFile", "serverName"]


class Skip(Exception):
    pass


def run(program, paths, context, folder):
    options = ["--context", context] if context else []
    done = subprocess.run([program, "kubeconfig", paths, *options], capture_output=True, timeout=60, text=True, cwd=folder)
    if done.returncode not in (0, 1) or (done.returncode == 1) != bool(done.stderr):
        raise ValueError(f"exit {done.returncode}: {done.stderr[:200]}")
    return json.loads(done.stdout) if done.returncode == 0 else None, done.stderr.strip()


def normal_host(host):
    return (host if "://" in host else "http://" + host).rstrip("/")


def judge_result(answer, error, want, folder):
    refused = [word for key, word in UNSUPPORTED.items() if want.get(key)]
    if refused:
        return None if answer is None and "not supported" in error and any(w in error for w in refused) else f"{answer}: {error}"
    # client-go refuses a path without a scheme when it makes its client of the configuration.
    if "://" not in want.get("host", "") and "/" in want.get("host", ""):
        return f"accepted: {answer}" if answer else None
    if answer is None:
        return f"refused: {error}"
    for key in COMPARED:
        expected, got = want.get(key, ""), answer.get(key, "")
        if key == "host":
            expected, got = normal_host(expected), normal_host(got)
        # client-go gives paths below the kubeconfig's folder.
        if key.endswith("File") and got.startswith(folder + "/"):
            got = got[len(folder) + 1:]
        if expected != got:
            return f"{key}: {got!r}, expected {expected!r}"
    if "namespace" in want and answer["namespace"] != want["namespace"]:
        return f"namespace {answer['namespace']}"
    return None


def judge_file(program, folder, entry):
    expected = entry["client_go"]
    if not expected["ok"]:
        answer, _ = run(program, entry["id"], None, folder)
        return None if answer is None else f"accepted: {answer}"
    for context, want in expected["contexts"].items():
        answer, error = run(program, entry["id"], None if context == "(current)" else context, folder)
        reason = (answer and f"accepted: {answer}") if "error" in want else judge_result(answer, error, want, folder)
        if reason:
            return f"{context}: {reason}"
    return None


def write(folder, name, text, rename):
    for old, new in rename.items():
        text = text.replace(old, new)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
        out.write(text)
    return os.path.join(folder, name)


def helper_files(folder, texts, content):
    """Files for the names that stand in the texts, with something in them: an empty credential is an error."""
    names = sorted(set(re.findall(r"/tmp/kcfile\d+", " ".join(texts))))
    for name in names:
        write(folder, os.path.basename(name), content, {})
    return {name: os.path.join(folder, os.path.basename(name)) for name in names}


def overridden(case):
    plain = {"AuthInfo": {}, "ClusterDefaults": {"server": ""}, "ClusterInfo": {"server": ""},
             "Context": {"cluster": "", "user": ""}, "CurrentContext": "", "Timeout": ""}
    return any(value != plain.get(key, "") for key, value in case.get("overrides", {}).items() if key != "ClusterDefaults")


def judge_client(program, scratch, case):
    if overridden(case):
        raise Skip("needs overrides")
    want = dict(case.get("result") or {})
    rename = helper_files(scratch, [case["kubeconfig"]], want.get("token", "x"))
    for key in want:
        want[key] = rename.get(want[key], want[key]) if isinstance(want[key], str) else want[key]
        if isinstance(want[key], str) and want[key].startswith(scratch + "/"):
            want[key] = want[key][len(scratch) + 1:]
    if want.get("host") == case.get("overrides", {}).get("ClusterDefaults", {}).get("server", ""):
        raise Skip("the server comes from a default of the program")
    path = write(scratch, "config", case["kubeconfig"], rename)
    answer, error = run(program, path, case.get("context"), scratch)
    if case["error"]:
        return f"accepted: {answer}" if answer else None
    return judge_result(answer, error, want, scratch) if want else None if answer else f"refused: {error}"


def judge_usable(program, scratch, case):
    path = write(scratch, "config", case["kubeconfig"], helper_files(scratch, [case["kubeconfig"]], "x"))
    named = re.search(r"^current-context: \"?([^\"\n]+)", case["kubeconfig"], re.MULTILINE)
    if case["op"] == "Validate" and not named:
        raise Skip("validates all entries")
    answer, error = run(program, path, case.get("context"), scratch)
    if case["error"]:
        return f"accepted: {answer}" if answer else None
    return None if answer or "not supported" in error else f"refused: {error}"


def contexts(text):
    block = re.search(r"^contexts:\n((?:[ -].*\n)*)", text, re.MULTILINE)
    return re.findall(r"^  name: \"?([^\"\n]+)", block.group(1), re.MULTILINE) if block else []


def judge_merge(program, scratch, case, files, merged):
    if case["error"]:
        answer, _ = run(program, ":".join(files) if len(files) > 1 else files[0], None, scratch)
        return f"accepted: {answer}" if answer else None
    whole = write(scratch, "merged", merged, {})
    for context in [None, *contexts(merged)]:
        one, one_error = run(program, ":".join([*files, os.path.join(scratch, "none")]), context, scratch)
        other, other_error = run(program, whole, context, scratch)
        if one != other:
            return f"{context}: {one or one_error}, of the merged text {other or other_error}"
    return None


def judge_rules(program, scratch, case):
    paths = []
    for name in case["precedence"] or [case["explicit"]]:
        if name in case["files"]:
            paths.append(write(scratch, os.path.basename(name), case["files"][name], {}))
    if case["explicit"] and not case["precedence"] and not paths:
        paths = [case["explicit"]]
    return judge_merge(program, scratch, case, paths, case.get("merged", "")) if paths else None


def judge_load(program, scratch, case):
    return judge_merge(program, scratch, case, [write(scratch, "config", case["data"], {})], case.get("loaded", ""))


JUDGES = {"ClientConfig": judge_client, "ConfirmUsable": judge_usable, "Validate": judge_usable, "RulesLoad": judge_rules,
          "Load": judge_load}


def judge_recorded(program, _folder, case):
    with tempfile.TemporaryDirectory() as scratch:
        return JUDGES[case["op"]](program, scratch, case)


def judge_all(program, folder, name, judge):
    counts = [0, 0, 0]
    with open(os.path.join(os.path.dirname(folder) if judge is judge_file else folder, name), encoding="utf-8") as text:
        cases = json.load(text)
    for case in cases:
        try:
            reason = judge(program, folder, case)
        except Skip as why:
            print(f"skipped kubeconfig {case['id']}: {why}")
            counts[2] += 1
            continue
        except ValueError as problem:
            reason = str(problem)
        print(f"FAIL kubeconfig {case['id']}: {reason}" if reason else f"ok kubeconfig {case['id']}")
        counts[1 if reason else 0] += 1
    return counts


def main():
    program, folder = os.path.abspath(sys.argv[1]), os.path.join(os.path.abspath(sys.argv[2]), "kubeconfig")
    if not os.path.isdir(folder):
        print(f"skipped: {folder} is not there\n0 passed, 0 failed, 1 skipped")
        return 0
    sums = [judge_all(program, os.path.join(folder, "files"), "files-expected.json", judge_file),
            judge_all(program, folder, "recorded-cases.json", judge_recorded)]
    passed, failed, skipped = (sum(column) for column in zip(*sums))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
