#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges `kubemote-check request` by recorded requests and answers.

Usage: conformance_request.py PATH/TO/kubemote-check PATH/TO/corpora

k8s-objects/golden-http: what client-go sends (same method, path and query, Accept, Content-Type, body as JSON) and what it
makes of a server's recorded answers. k8s-objects/kubectl-edit-recordings: each recorded request is made again, sent to a
server that gives the recorded answer, and must arrive and end as recorded. k8s-scalars/raw-rest-request.json: path segments
that are refused before anything is sent. One line "ok ID" or "FAIL ID: why" a case; the last line is
"N passed, N failed, N skipped".
"""
import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

TYPES = {"application/json-patch+json": "json", "application/merge-patch+json": "merge",
         "application/strategic-merge-patch+json": "strategic", "application/apply-patch+yaml": "apply"}


def run(program, *arguments):
    done = subprocess.run([program, "request", *arguments], capture_output=True, timeout=60, text=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.strip()


def load_json(text):
    return json.loads(text) if text.strip() else None


def place(path):
    """["GROUP/VERSION/PLURAL", "--namespace", ...] of a path."""
    parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
    group = parts[1:3] if parts[0] == "apis" else parts[1:2]
    rest = parts[1 + len(group):]
    options = []
    if rest[0] == "namespaces" and len(rest) > 2:
        options += ["--namespace", rest[1]]
        rest = rest[2:]
    for option, value in zip(("--name", "--subresource"), rest[1:]):
        options += [option, value]
    return ["/".join(group + rest[:1]), *options]


def verb(method, path, query, body):
    named = "--name" in place(path)
    if method == "GET":
        return "watch" if "watch" in query else "get" if named else "list"
    if method == "DELETE":
        return "delete" if named else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}[method]


def arguments(scratch, method, target, content_type, body):
    """The words that make the recorded request again."""
    path, _, query_text = target.partition("?")
    query = dict(urllib.parse.parse_qsl(query_text))
    words = [verb(method, path, query, body), *place(path)]
    for key, value in query.items():
        if key != "watch":
            words += ["--" + key, value]
    if method == "DELETE":
        for key, value in (load_json(body) or {}).items():
            if key in ("kind", "apiVersion"):
                continue
            words += ["--" + key, value[0] if isinstance(value, list) else str(value)]
        return words
    if content_type in TYPES:
        words += ["--type", TYPES[content_type]]
    if body:
        file = os.path.join(scratch, "body")
        with open(file, "w", encoding="utf-8") as out:
            out.write(body)
        words += ["--body", file]
    return words


def difference(sent, method, target, headers, body):
    path, _, query = target.partition("?")
    sent_path, _, sent_query = sent["target"].partition("?")
    got = (sent["method"], urllib.parse.unquote(sent_path), dict(urllib.parse.parse_qsl(sent_query)))
    want = (method, urllib.parse.unquote(path), dict(urllib.parse.parse_qsl(query)))
    if got != want:
        return f"{got}, recorded {want}"
    for name, key in (("Accept", "accept"), ("Content-Type", "contentType")):
        if name in headers and headers[name] != sent.get(key):
            return f"{name}: {sent.get(key)}, recorded {headers[name]}"
    if load_json(sent["body"]) != load_json(body):
        return f"body {sent['body']}, recorded {body}"
    return None


def judge_golden_request(program, scratch, path):
    with open(path, encoding="utf-8", newline="") as file:
        head, _, body = file.read().replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.split("\n")
    method, target, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    code, answers, error = run(program, *arguments(scratch, method, target, headers.get("Content-Type"), body))
    return difference(answers[0], method, target, headers, body) if code == 0 else error


class Server:
    """Answers each connection's request by `answer(method, target, headers, body)` -> bytes, and closes it."""

    def __init__(self):
        self.seen, self.answer, outer = [], b"", self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                outer.seen.append({"method": self.command, "target": self.path, "accept": self.headers["Accept"],
                                   "contentType": self.headers.get("Content-Type"), "body": body})
                self.wfile.write(outer.answer)
                self.close_connection = True

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def kubeconfig(self, scratch):
        path = os.path.join(scratch, "config")
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c"}}],
                       "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.http.server_port}"}}]}, out)
        return path


def judge_golden_answer(program, scratch, server, folder, name, answer, words):
    with open(os.path.join(folder, "responses", answer), "rb") as file:
        server.answer = file.read()
    code, lines, error = run(program, *words, "--send", server.kubeconfig(scratch))
    if code != 0:
        return f"{lines} {error}"
    with open(os.path.join(folder, "expected", name + ".json"), encoding="utf-8") as file:
        want = json.load(file)
    got = [json.loads(line) for line in lines[0]["body"].splitlines() if line]
    got = got if name == "watch" else got[0]
    # client-go's list gives each item the kind that the list's name tells.
    for item in want.get("items", []) if isinstance(want, dict) else []:
        item.pop("apiVersion", None), item.pop("kind", None)
    for item in got.get("items", []) if isinstance(got, dict) else []:
        item.pop("apiVersion", None), item.pop("kind", None)
    return None if got == want else f"{got}, expected {want}"


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def judge_recording(program, scratch, server, folder, step):
    body = read(folder, step["expectedInput"]) if step.get("expectedInput") else ""
    answer = read(folder, step["resultingOutput"]).encode()
    status = step["resultingStatusCode"]
    server.seen.clear()
    server.answer = (f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n").encode() + answer
    method, path, kind = step["expectedMethod"], step["expectedPath"], step.get("expectedContentType")
    _, lines, error = run(program, *arguments(scratch, method, path, kind, body), "--send", server.kubeconfig(scratch))
    if not server.seen:
        return f"nothing was sent: {error}"
    reason = difference(server.seen[0], method, path, {"Content-Type": kind} if kind else {}, body)
    if reason:
        return reason
    result = lines[0]
    if status < 300:
        return None if not result["error"] and load_json(result["body"]) == json.loads(answer) else str(result)
    want = json.loads(answer)
    return None if (result.get("code"), result.get("reason")) == (want["code"], want["reason"]) else f"{result}, expected {want}"


def judge_segment(program, segment):
    for words in (["get", "v1/" + segment.replace("/", "%2f"), "--name", "a"], ["get", "v1/pods", "--name", segment],
                  ["get", "v1/pods", "--name", "a", "--subresource", segment], ["get", "v1/pods", "--namespace", segment, "--name", "a"]):
        code, lines, _ = run(program, *words)
        if code != 1 or lines:
            return f"{words} is sent"
    return None


def documents(program, path):
    done = subprocess.run([program, "yaml", path], capture_output=True, timeout=60, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def cases(program, corpora, scratch, server):
    golden = os.path.join(corpora, "k8s-objects", "golden-http")
    for name in sorted(os.listdir(os.path.join(golden, "requests"))):
        yield "golden " + name, lambda name=name: judge_golden_request(program, scratch, os.path.join(golden, "requests", name))
    words = {"get": ["get"], "create": ["create"], "update": ["update"], "updatestatus": ["update", "status"]}
    for name in sorted(words):
        made = [words[name][0], "flops/v1alpha1/flips", "--namespace", "mops"]
        made += ["--name", "mips"] if name != "create" else []
        made += ["--subresource", "status"] if len(words[name]) > 1 else []
        yield "golden answer " + name, lambda name=name, made=made: judge_golden_answer(program, scratch, server, golden, name, "nonlist", made)
    for name, answer in (("list", "list"), ("watch", "events")):
        made = [name, "flops/v1alpha1/flips", "--namespace", "mops"]
        yield "golden answer " + name, lambda name=name, answer=answer, made=made: judge_golden_answer(program, scratch, server, golden, name, answer, made)
    recordings = os.path.join(corpora, "k8s-objects", "kubectl-edit-recordings")
    for name in sorted(os.listdir(recordings)):
        folder = os.path.join(recordings, name)
        for number, step in enumerate(documents(program, os.path.join(folder, "test.yaml"))[0]["steps"]):
            if step["type"] == "request":
                yield f"{name} {number}", lambda folder=folder, step=step: judge_recording(program, scratch, server, folder, step)
    with open(os.path.join(corpora, "k8s-scalars", "raw-rest-request.json"), encoding="utf-8") as file:
        tables = {table["table"]: table["rows"] for table in json.load(file)["cases"]}
    for segment in tables["func TestInvalidSegments #0 L208"] + [".", "..", ""]:
        yield f"segment {segment!r}", lambda segment=segment: judge_segment(program, segment)


def main():
    program, corpora = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    if not os.path.isdir(os.path.join(corpora, "k8s-objects", "golden-http")):
        print(f"skipped: {corpora}/k8s-objects is not there\n0 passed, 0 failed, 1 skipped")
        return 0
    passed = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, judge in cases(program, corpora, scratch, Server()):
            try:
                reason = judge()
            except (ValueError, KeyError, subprocess.TimeoutExpired) as problem:
                reason = repr(problem)
            print(f"FAIL request {name}: {reason}" if reason else f"ok request {name}")
            passed, failed = passed + (not reason), failed + bool(reason)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
