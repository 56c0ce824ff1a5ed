# SPDX-License-Identifier: Apache-2.0
"""The deepest call path, from the call graphs that gcc writes (-fcallgraph-info=su, *.ci): frame by frame, from main().

  stack.py BOARD_DIR

Calls through pointers are not in the compiler's graph: calls.txt names their targets, and a caller that is not listed is a
fault. Functions of libc have no frame size here and count as LIBC each. Recursion is cut, and named.
"""
import fnmatch
import glob
import os
import re
import sys

TOOLS = os.path.dirname(__file__)
LIBC = 64
# musl's and glibc's printf keep their work area on the stack.
LIBC_FRAMES = {"snprintf": 640, "vsnprintf": 640, "printf": 900, "dprintf": 900, "strtod": 400, "gmtime_r": 64}
NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "(.*)"')
EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


def plain(title):
    """One name for a function, wherever the outside sources lie, whatever gcc made of it."""
    title = re.sub(r"^.*/(?:mbedtls/library|libyaml/src)/", "", title)
    return re.sub(r"(\.(isra|part|constprop|cold)(\.\d+)?)+$", "", title)


class Graph:
    def __init__(self, folder):
        self.frames, self.calls, self.faults = {}, {}, []
        self.indirect, self.dynamic = set(), set()
        parts = ["agent", "port/posix", "port/mbedtls", "mbedtls", "libyaml"]
        for part in parts:
            for path in glob.glob(f"{folder}/obj/{part}/**/*.ci", recursive=True):
                self.read(path)
        self.resolve()

    def read(self, path):
        for line in open(path):
            node, edge = NODE.match(line), EDGE.match(line)
            if node:
                size = re.search(r"\\n(\d+) bytes \((\w+)", node[2])
                if size:
                    name = plain(node[1])
                    self.frames[name] = max(self.frames.get(name, 0), int(size[1]))
                    if size[2] == "dynamic":
                        self.dynamic.add(name)
            elif edge and edge[2] == "__indirect_call":
                self.indirect.add(plain(edge[1]))
            elif edge:
                self.calls.setdefault(plain(edge[1]), set()).add(plain(edge[2]))

    def resolve(self):
        rows = []
        for line in open(os.path.join(TOOLS, "calls.txt")):
            line = line.split("#")[0].strip()
            match = re.match(r"(\S+?):(?:\s+(.*))?$", line)
            if match:
                rows.append((match[1], (match[2] or "").split()))
        self.faults_of = {}
        for caller in sorted(self.indirect):
            faults = self.faults_of.setdefault(caller, [])
            targets = [pattern for name, patterns in rows if fnmatch.fnmatchcase(caller, name) for pattern in patterns]
            if not any(fnmatch.fnmatchcase(caller, name) for name, _ in rows):
                faults.append(f"stack: {caller} calls through a pointer and is not in calls.txt")
            for pattern in targets:
                found = fnmatch.filter(self.frames, pattern)
                if not found:
                    faults.append(f"stack: calls.txt: nothing is called {pattern} (of {caller})")
                self.calls.setdefault(caller, set()).update(found)

    def judge(self, root):
        """What is wrong with the table, of those callers that the program reaches: rooms hold more than it uses."""
        reached, todo = set(), [root]
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo += self.calls.get(name, ())
        self.faults = [fault for caller in sorted(reached & set(self.faults_of)) for fault in self.faults_of[caller]]

    def frame(self, name):
        return self.frames.get(name, LIBC_FRAMES.get(name.split(":")[-1], LIBC))

    def worst(self, root):
        """(bytes, path) of the deepest path; what leads back into the path is cut and kept in self.cycles."""
        self.cycles, memo, active = set(), {}, []
        sys.setrecursionlimit(20000)

        def walk(name):
            if name in memo:
                return memo[name]
            active.append(name)
            best = (0, [])
            for callee in sorted(self.calls.get(name, ())):
                if callee in active:
                    self.cycles.add((name, callee))
                    continue
                below = walk(callee)
                if below[0] > best[0]:
                    best = below
            active.pop()
            memo[name] = (self.frame(name) + best[0], [name] + best[1])
            return memo[name]

        return walk(root)


def report(folder):
    """Prints the deepest path; returns its bytes and what is wrong with the table of calls."""
    graph = Graph(folder)
    graph.judge("main")
    size, path = graph.worst("main")
    print(f"Stack (armv7, gcc -Os, thumb): the deepest path has {size:,} bytes:")
    for name in path:
        print(f"  {graph.frame(name):6} {name}")
    for name, callee in sorted(graph.cycles):
        print(f"  recursion cut: {name} -> {callee}")
    print()
    return size, sorted(set(graph.faults))


if __name__ == "__main__":
    print("\n".join("FAIL " + fault for fault in report(sys.argv[1])[1]))
