# SPDX-License-Identifier: Apache-2.0
"""The tests of `make run`: it gets Ready, ends in order at any moment, leaves no process behind, and says what is wrong.

Everything that a run starts inherits a mark in its environment, by which what was left behind is found.
"""
import glob
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
import uuid

# Generous: a loaded machine must not fail this.
LIMIT_S = 240


class Session:
    """One `make run` on a terminal of its own, as a person starts it."""

    def __init__(self, *words, **variables):
        self.mark = uuid.uuid4().hex
        self.home = tempfile.TemporaryDirectory()
        self.text, self.status = "", None
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("KUBECONFIG", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        environment.update(HOME=self.home.name, KUBEMOTE_TEST_MARK=self.mark, GOCACHE=go_env("GOCACHE"),
                           GOMODCACHE=go_env("GOMODCACHE"), **variables)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvpe("make", ["make", "run", *words], environment)

    def read(self, seconds):
        """False at the end of the output."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, text):
        until = time.monotonic() + LIMIT_S
        while text not in self.text:
            if time.monotonic() > until or not self.read(1):
                raise AssertionError(f"{text!r} never came")

    def end(self):
        """The exit status of make; a negative number is a signal."""
        until = time.monotonic() + LIMIT_S
        while self.read(1):
            if time.monotonic() > until:
                raise AssertionError("it did not end")
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def left(self):
        """[(pid, command)] of the processes that still run."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if self.mark.encode() in open(f"/proc/{pid}/environ", "rb").read():
                    found.append((int(pid), open(f"/proc/{pid}/cmdline").read().replace("\0", " ")[:80]))
            except OSError:
                pass
        return found

    def find(self, text):
        return next(pid for pid, command in self.left() if text in command)

    def clean(self):
        for pid, _ in self.left():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os.close(self.terminal)
        self.home.cleanup()


def go_env(name):
    go = subprocess.run(["tests/tools/go.sh"], capture_output=True, text=True).stdout.strip()
    return subprocess.run([go, "env", name], capture_output=True, text=True).stdout.strip()


def gone(session):
    """What is being stopped gets its time."""
    until = time.monotonic() + 60
    while session.left() and time.monotonic() < until:
        time.sleep(0.2)
    return not session.left()


def check(condition, words):
    if not condition:
        raise AssertionError(words)


def ends_by_itself(session):
    check(session.end() == 0, "exit status")
    check(" Ready " in session.text and "the Node is Ready after 15 s" in session.text, "not Ready")
    check("kubeconfig: " in session.text and "look with: " in session.text, "no kubeconfig shown")
    check(not session.left(), "processes are left")


def interrupted_at(text):
    def test(session):
        session.wait_for(text)
        os.write(session.terminal, b"\x03")
        check(session.end() == 0, "exit status")
        check("Error" not in session.text, "make calls it an error")
        check(not session.left(), "processes are left")
    return test


def manifests_hold(session):
    """The API server takes the manifests that the project ships and those of the documents."""
    session.wait_for(" Ready ")
    kubectl = session.text.split("look with: ")[1].split(" get nodes")[0].split()
    folder = os.path.join(session.home.name, "manifests")
    os.makedirs(folder)
    subprocess.run([sys.executable, "-B", "tests/tools/doc_lint.py", "--manifests", folder], check=True, stdout=subprocess.DEVNULL)
    for path in sorted(glob.glob("docs/manifests/*.yaml")) + sorted(glob.glob(folder + "/*.yaml")):
        done = subprocess.run(kubectl + ["apply", "-f", path], capture_output=True, text=True)
        check(done.returncode == 0, f"{path}: {done.stderr}")
    os.write(session.terminal, b"\x03")
    check(session.end() == 0, "exit status")


def terminated(session):
    session.wait_for(" Ready ")
    os.kill(session.find("run.py"), signal.SIGTERM)
    check(session.end() == 0, "exit status")
    check(not session.left(), "processes are left")


def make_terminated(session):
    session.wait_for("starting the API server")
    os.kill(session.pid, signal.SIGTERM)
    session.end()
    check(gone(session), "processes are left")


def killed(text):
    def test(session):
        session.wait_for(text)
        os.kill(session.find("run.py"), signal.SIGKILL)
        check(gone(session), "processes are left")
        check(session.end() != 0, "exit status")
    return test


def never_ready(session):
    check(session.end() != 0, "exit status")
    check("never Ready within 3 s" in session.text, "no reason given")
    check(not session.left(), "processes are left")


def no_such_kubeconfig(session):
    check(session.end() != 0, "exit status")
    check("KUBECONFIG names no file that exists" in session.text, "no reason given")


def unreachable(folder):
    """A kubeconfig whose server nobody is."""
    path = os.path.join(folder, "kubeconfig")
    with open(path, "w") as out:
        out.write("apiVersion: v1\nkind: Config\ncurrent-context: c\n"
                  "clusters: [{name: k, cluster: {server: \"http://127.0.0.1:9\"}}]\nusers: [{name: u, user: {}}]\n"
                  "contexts: [{name: c, context: {cluster: k, user: u}}]\n")
    return path


def tests(folder):
    yield "make run FOR=15", ["FOR=15"], {}, ends_by_itself
    yield "Ctrl-C while the control plane starts", [], {}, interrupted_at("starting the API server")
    yield "Ctrl-C when Ready", [], {}, interrupted_at(" Ready ")
    yield "manifests of the documents", [], {}, manifests_hold
    yield "SIGTERM when Ready", [], {}, terminated
    yield "SIGTERM to make while the control plane starts", [], {}, make_terminated
    yield "killed while the control plane starts", [], {}, killed("starting the API server")
    yield "killed when Ready", [], {}, killed(" Ready ")
    yield "FOR=3 without a server", ["FOR=3"], {"KUBECONFIG": unreachable(folder)}, never_ready
    yield "KUBECONFIG that does not exist", [], {"KUBECONFIG": "/nonexistent/config"}, no_such_kubeconfig


def main():
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, words, variables, test in tests(folder):
            if len(sys.argv) > 1 and sys.argv[1] not in name:
                continue
            session = Session(*words, **variables)
            try:
                test(session)
                print(f"ok {name}", flush=True)
            except (AssertionError, StopIteration, OSError) as fault:
                failed = True
                print(f"FAIL {name}: {fault}; status {session.status}, left {session.left()}")
                print("".join(f"    | {line}\n" for line in session.text.splitlines()[-25:]), flush=True)
            finally:
                session.clean()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
