#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges `kubemote-check kubeconfig` by corpora of kubeconfig files.

Usage: conformance_kubeconfig.py PATH/TO/kubemote-check PATH/TO/corpora

kubeconfig: what client-go made of each file, per context: the same server, credentials and namespace, or an error where it
erred. A field that kubemote does not support (exec, auth-provider, proxy-url, no verification) must be refused by its name.
Several files give what their merged text gives. One line "ok ID" or "FAIL ID: why" a case; the last line is
"N passed, N failed, N skipped".
"""
import base64
import json
import os
import re
import subprocess
import sys
import tempfile

UNSUPPORTED = {"exec": "exec", "authProvider": "auth-provider", "proxy": "proxy-url", "insecure": "insecure-skip-tls-verify"}
COMPARED = ["host", "caFile", "caData", "certFile", "certData", "keyFile", "keyData", "token", "tokenFile", "serverName"]


def run(program, paths, context, folder, flags=()):
    options = (["--context", context] if context else []) + list(flags)
    done = subprocess.run([program, "kubeconfig", paths, *options], capture_output=True, timeout=60, text=True, cwd=folder)
    if done.returncode not in (0, 1) or (done.returncode == 1) != bool(done.stderr):
        raise ValueError(f"exit {done.returncode}: {done.stderr[:200]}")
    return json.loads(done.stdout) if done.returncode == 0 else None, done.stderr.strip()


def normal_host(host):
    return (host if "://" in host else "http://" + host).rstrip("/")


def headers(want):
    """The lines by which client-go says who asks."""
    lines = []
    if want.get("username"):
        both = f"{want['username']}:{want.get('password', '')}"
        lines.append("Authorization: Basic " + base64.b64encode(both.encode()).decode())
    for key, name in (("impersonate", "User"), ("impersonateUID", "Uid")):
        if want.get(key):
            lines.append(f"Impersonate-{name}: {want[key]}")
    lines += [f"Impersonate-Group: {group}" for group in want.get("impersonateGroups", [])]
    for key, values in sorted(want.get("impersonateExtra", {}).items()):
        lines += [f"Impersonate-Extra-{key}: {value}" for value in values]
    return "".join(line + "\r\n" for line in lines)


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
    if answer.get("headers", "") != headers(want):
        return f"headers {answer.get('headers')!r}, expected {headers(want)!r}"
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


FLAGS = {"server": "--server", "tls-server-name": "--tls-server-name", "certificate-authority": "--certificate-authority",
         "token": "--token", "as": "--as"}


def overrides(case):
    """A case's overrides as kubectl's flags, and as what stands in the file when there is no such flag."""
    flags, text = [], case["kubeconfig"]
    given = case.get("overrides", {})
    for key, value in {**given.get("AuthInfo", {}), **given.get("ClusterInfo", {})}.items():
        if key == "insecure-skip-tls-verify":
            text = text.replace("- cluster:\n", "- cluster:\n    insecure-skip-tls-verify: true\n")
        elif value:
            flags += [FLAGS[key], value]
    default = given.get("ClusterDefaults", {}).get("server")
    if default and not re.search(r"server: [^\"\s]", text):
        flags += ["--server", default]
    return flags, text


def judge_client(program, scratch, case):
    flags, text = overrides(case)
    want = dict(case.get("result") or {})
    rename = helper_files(scratch, [case["kubeconfig"]], want.get("token", "x"))
    for key in want:
        want[key] = rename.get(want[key], want[key]) if isinstance(want[key], str) else want[key]
        if isinstance(want[key], str) and want[key].startswith(scratch + "/"):
            want[key] = want[key][len(scratch) + 1:]
    path = write(scratch, "config", text, rename)
    answer, error = run(program, path, case.get("context"), scratch, flags)
    if case["error"]:
        return f"accepted: {answer}" if answer else None
    return judge_result(answer, error, want, scratch) if want else None if answer else f"refused: {error}"


def judge_all_entries(program, scratch, case, path):
    """Every context, and every user beside a server of its own: loading each shows what is wrong with it."""
    text = subprocess.run([program, "yaml", path], capture_output=True, timeout=60, text=True, check=True).stdout
    config = json.loads(text)
    config["clusters"] = (config["clusters"] or []) + [{"name": "own", "cluster": {"server": "https://own"}}]
    config["contexts"] = config["contexts"] or []
    config["contexts"] += [{"name": "user " + user["name"], "context": {"cluster": "own", "user": user["name"]}}
                           for user in config["users"] or []]
    every = write(scratch, "all", json.dumps(config), {})
    answers = [run(program, every, context["name"], scratch) for context in config["contexts"]]
    refused = [error for answer, error in answers if answer is None]
    if case["error"]:
        return None if refused else f"accepted: {answers}"
    return f"refused: {refused}" if refused else None


def judge_usable(program, scratch, case):
    path = write(scratch, "config", case["kubeconfig"], helper_files(scratch, [case["kubeconfig"]], "x"))
    named = re.search(r"^current-context: \"?([^\"\n]+)", case["kubeconfig"], re.MULTILINE)
    if case["op"] == "Validate" and not named:
        return judge_all_entries(program, scratch, case, path)
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
