# SPDX-License-Identifier: Apache-2.0
"""`make run`: builds what is missing, joins a cluster as a Node and shows the Node's row each time its status changes.

  run.py [--for SECONDS] [--node NAME] [--config FILE]

The cluster is that of KUBECONFIG or ~/.kube/config; without one a control plane is built and started on loopback, in
build/plane. Ctrl-C or SIGTERM ends all that was started, exit status 0. With --for it ends by itself, with 0 only if the Node
was Ready at some time and is at the end.

A guard, a process of its own, ends what is left when this one is killed, and takes the terminal's Ctrl-C: make, which would
call it an error, does not see it.
"""
import argparse
import fcntl
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time

TOOLS = os.path.dirname(__file__)
AGENT = "build/linux/kubemote"
CLUSTER = "build/cluster/kubemote-cluster"
LOG_DIR = "build/run"
STOP_S = 20
RIGHTS = """  hint: the credentials may not do what a Node does. Give the agent a node's own identity (system:node:{node}, group
  system:nodes), or the rights of docs/manifests/service-account.yaml; docs/CONFIGURATION.md tells how."""


class Failure(Exception):
    """Ends the run with words for a person."""


class Stopped(Exception):
    """Somebody asked for the end."""


def say(text):
    print(text, flush=True)


# ---- the guard ----


def end_groups(groups):
    """SIGTERM, and SIGKILL for those that do not care."""
    for number, wait_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, 2)):
        for group in groups:
            send(group, number)
        until = time.monotonic() + wait_s
        while time.monotonic() < until and any(send(group, 0) for group in groups):
            time.sleep(0.05)


def send(group, number):
    try:
        os.killpg(group, number)
        return True
    except (ProcessLookupError, PermissionError):
        return False


def guard(pipe, parent):
    """Keeps a set of process groups, told through the pipe, and ends them when the pipe closes."""
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(parent, signal.SIGTERM) if os.getppid() == parent else None)
    for number in (signal.SIGTERM, signal.SIGTSTP, signal.SIGTTOU, signal.SIGTTIN, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    groups = set()
    for line in pipe:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    end_groups(groups)


class Guard:
    def __init__(self):
        reading, writing = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(writing)
            guard(os.fdopen(reading), parent)
            os._exit(0)
        os.close(reading)
        self.pipe = os.fdopen(writing, "w", buffering=1)
        self.terminal = None

    def take_terminal(self):
        """From now on Ctrl-C goes to the guard alone. Not done for a job in the background."""
        try:
            terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
            self.group = os.tcgetpgrp(terminal)
            if self.group == os.getpgrp():
                os.setpgid(self.pid, self.pid)
                os.tcsetpgrp(terminal, self.pid)
                self.terminal = terminal
        except OSError:
            pass

    def close(self):
        if self.terminal is not None:
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            try:
                os.tcsetpgrp(self.terminal, self.group)
            except OSError:
                pass
        self.pipe.close()
        os.waitpid(self.pid, 0)


# ---- children and their lines ----


class Child:
    """A program in a process group of its own; what it prints is handed on line by line."""

    def __init__(self, run, command, on_out, on_err=None, env=None):
        self.run, self.rest = run, {}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, process_group=0,
            stderr=subprocess.PIPE if on_err else subprocess.STDOUT)
        run.guard.pipe.write(f"+{self.process.pid}\n")
        self.streams = {}
        for stream, handler in ((self.process.stdout, on_out), (self.process.stderr, on_err)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                self.streams[stream] = handler
                run.selector.register(stream, selectors.EVENT_READ, self)
        run.children.append(self)

    def read(self, stream):
        data = stream.read(65536)
        if data is None:
            return
        lines = (self.rest.pop(stream, b"") + data).split(b"\n")
        self.rest[stream] = lines.pop()
        if not data:
            self.run.selector.unregister(stream)
            lines += [self.rest.pop(stream)] if self.rest[stream] else []
            handler = self.streams.pop(stream)
        else:
            handler = self.streams[stream]
        for line in lines:
            handler(line.decode(errors="replace"))

    def ended(self):
        return not self.streams and self.process.poll() is not None

    def stop(self):
        send(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            send(self.process.pid, signal.SIGKILL)
            self.process.wait()
        # Its own children, when it left some.
        end_groups([self.process.pid])
        self.forget()

    def forget(self):
        for stream in list(self.streams):
            self.run.selector.unregister(stream)
        self.streams = {}
        if self in self.run.children:
            self.run.children.remove(self)
            self.run.guard.pipe.write(f"-{self.process.pid}\n")


class Run:
    def __init__(self, arguments):
        self.arguments = arguments
        self.guard = Guard()
        self.selector = selectors.DefaultSelector()
        self.children = []
        self.asked_to_stop = False
        self.state, self.was_ready, self.hinted = "", False, False
        self.last_error = ""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)

    def on_signal(self, *_):
        self.asked_to_stop = True

    def pump(self, done, seconds=None):
        """Hands on lines until done() or the time is over."""
        until = None if seconds is None else time.monotonic() + seconds
        while not done() and (until is None or time.monotonic() < until):
            if self.asked_to_stop:
                raise Stopped()
            for key, _ in self.selector.select(0.2):
                key.data.read(key.fileobj)

    def finish(self, child):
        """Waits for a child; its exit status."""
        self.pump(child.ended)
        status = child.process.wait()
        child.forget()
        return status

    # ---- building ----

    def need(self, group):
        """In the terminal's own group, since sudo may ask for a password there."""
        status = subprocess.call([os.path.join(TOOLS, "need.sh"), group])
        if self.asked_to_stop:
            raise Stopped()
        if status != 0:
            raise Failure("a package is missing that could not be installed; see above")

    def build_agent(self):
        seen = {"files": 0, "told": time.monotonic(), "start": time.monotonic()}

        def on_line(line):
            if not line.startswith(("  CC ", "  LINK ", "  AR ")):
                say(line)
                return
            seen["files"] += 1
            if time.monotonic() - seen["told"] >= 5:
                seen["told"] = time.monotonic()
                say(f"  built {seen['files']} files, {seen['told'] - seen['start']:.0f} s")

        child = Child(self, ["make", "-j2", "BOARD=linux", "build/linux/kubemote"], on_line, env=clean_environment())
        if self.finish(child) != 0:
            raise Failure("the agent could not be built; see above")

    def build_cluster(self):
        child = Child(self, ["make", "-s", "cluster-program"], say, env=clean_environment())
        if self.finish(child) != 0:
            raise Failure("the control plane could not be built; see above")

    # ---- the local control plane ----

    def start_plane(self, node):
        """(kubeconfig of the node, kubeconfig of the administrator)"""
        self.folder, self.lock = free_folder("build/plane")
        found = {}

        def on_line(line):
            name, _, value = line.partition(": ")
            found[name] = value

        say("Starting a control plane on loopback")
        self.plane = Child(self, [os.path.abspath(CLUSTER), "up", "--die-with-parent", "--dir", self.folder, "--node", node],
                           on_line, lambda line: say("  " + line))
        self.pump(lambda: "node kubeconfig" in found or self.plane.ended())
        if "node kubeconfig" not in found:
            raise Failure("the control plane did not start; see above")
        return os.path.relpath(found["node kubeconfig"]), os.path.relpath(found["kubeconfig"])

    # ---- the agent ----

    def on_row(self, row):
        say(row)
        columns = row.split()
        if len(columns) > 1 and columns[0] != "NAME":
            self.state = columns[1]
            self.was_ready = self.was_ready or self.is_ready()

    def is_ready(self):
        return self.state.split(",")[0] == "Ready"

    def on_log(self, line):
        self.log.write(line + "\n")
        if line.startswith("error: "):
            self.last_error = line
        if not re.match(r"[WE]\d{4} ", line):
            return
        say("  " + line)
        if not self.hinted and re.search(r"forbidden|Unauthorized", line):
            self.hinted = True
            say(RIGHTS.format(node=self.node))

    def start_agent(self, kubeconfig):
        os.makedirs(LOG_DIR, exist_ok=True)
        self.log = open(os.path.join(LOG_DIR, "kubemote.log"), "w", buffering=1)
        command = [AGENT, "run", "--kubeconfig", kubeconfig, "--node-name", self.node, "--print-node"]
        if self.arguments.config:
            command += ["--config", self.arguments.config]
        return Child(self, command, self.on_row, self.on_log)

    def ready_on_server(self, admin):
        if admin is None:
            return self.is_ready()
        command = [CLUSTER, "ready", "--kubeconfig", admin, "--node", self.node]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    # ---- all of it ----

    def main(self):
        self.node = node_name(self.arguments)
        kubeconfig, admin = outer_kubeconfig(), None
        if kubeconfig is None:
            self.need("go")
        self.guard.take_terminal()
        self.build_agent()
        if kubeconfig is None:
            self.build_cluster()
            kubeconfig, admin = self.start_plane(self.node)
        say(f"kubeconfig: {kubeconfig}")
        say(f"look with:  {kubectl()} --kubeconfig {admin or kubeconfig} get nodes")
        agent = self.start_agent(kubeconfig)
        plane = getattr(self, "plane", None)
        self.pump(lambda: agent.ended() or (plane is not None and plane.ended()), self.arguments.seconds)
        if agent.ended():
            raise Failure(self.last_error or f"the agent ended with status {agent.process.returncode}; see {self.log.name}")
        if plane is not None and plane.ended():
            raise Failure("the control plane ended; see above")
        ready = self.is_ready() and self.ready_on_server(admin)
        seconds = f"{self.arguments.seconds:g} s"
        if not ready:
            raise Failure(f"the Node was {'Ready, but is not now' if self.was_ready else 'never Ready'} within {seconds}; "
                          f"see {self.log.name}")
        say(f"the Node is Ready after {seconds}")

    def end(self):
        """The agent first, while there is a server to tell."""
        for child in reversed(list(self.children)):
            child.stop()
        self.guard.close()


def clean_environment():
    """Without the outer make's own, whose job server is not ours; its variables (DEPS=…) stand in the environment too."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def outer_kubeconfig():
    """The file that kubectl would read first, or None when a local plane is to be used."""
    listed = [path for path in os.environ.get("KUBECONFIG", "").split(":") if path]
    for path in listed:
        if os.path.exists(path):
            return path
    if listed:
        raise Failure(f"KUBECONFIG names no file that exists: {':'.join(listed)}")
    path = os.path.expanduser("~/.kube/config")
    return path if os.path.exists(path) else None


def node_name(arguments):
    if arguments.node:
        return arguments.node
    if arguments.config and os.path.exists(arguments.config):
        match = re.search(r"^nodeName:\s*[\"']?([^\s\"'#]+)", open(arguments.config, errors="replace").read(), re.M)
        if match:
            return match[1]
    label = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower())[:63].strip("-")
    return label or "kubemote"


def kubectl():
    return "kubectl" if shutil.which("kubectl") and not os.path.exists(CLUSTER) else CLUSTER + " kubectl"


def free_folder(base):
    """A folder that no other run uses, and the lock that says so."""
    os.makedirs("build", exist_ok=True)
    for number in range(1, 100):
        folder = base if number == 1 else f"{base}-{number}"
        lock = open(folder + ".lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder, lock
        except OSError:
            lock.close()
    raise Failure(f"too many runs at once use {base}-…")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--for", dest="seconds", type=float)
    parser.add_argument("--node")
    parser.add_argument("--config")
    run = Run(parser.parse_args())
    status = 0
    try:
        run.main()
    except Stopped:
        say("stopping")
    except Failure as failure:
        status = 1
        text = str(failure)
        print(text if text.startswith("error: ") else f"error: {text}", file=sys.stderr, flush=True)
    finally:
        run.end()
    return status


if __name__ == "__main__":
    sys.exit(main())
