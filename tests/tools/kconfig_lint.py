# SPDX-License-Identifier: Apache-2.0
"""Each capacity in Kconfig: an int with a range that holds its default, a unit in the name, a help text that says what
happens when it is full, which metric shows it and the smallest sane value; and each symbol is used, and each use is known."""
import glob
import os
import re
import sys

import kconfiglib

UNITS = ("_COUNT", "_BYTES", "_MS", "_S", "_SECONDS", "_DEPTH", "_READS", "_PERCENT")
SOURCES = ["include/kubemote/*.h", "agent/*.c", "agent/*/*.[ch]", "agent/mem/*.def", "port/*/*.[ch]"]


def uses():
    """symbol -> first file that uses it"""
    found = {}
    for pattern in SOURCES + ["tests/*/*.[ch]"]:
        for path in sorted(glob.glob(pattern)):
            for name in re.findall(r"\bCONFIG_(KM_[A-Z0-9_]+)", open(path).read()):
                found.setdefault(name, path)
    return found


def capacity_faults(symbol, node):
    if not symbol.ranges:
        yield "has no range"
    if not symbol.name.endswith(UNITS):
        yield f"has no unit in its name ({', '.join(UNITS)})"
    if not symbol.defaults:
        yield "has no default"
    text = node.help or ""
    if not re.search(r"^(When |A .* takes|.* when )", text, re.M):
        yield "help does not say what happens when it is full (a line 'When …:')"
    if not re.search(r"^Metric: ", text, re.M):
        yield "help names no metric (a line 'Metric: …')"
    if "Smallest sane value" not in text:
        yield "help has no 'Smallest sane value'"


def metric_faults():
    """Each kubemote_… metric that a help text, the memory plan or a document names exists in the code."""
    sources = glob.glob("agent/**/*.[ch]", recursive=True)
    code = "".join(open(path).read() for path in sources)
    known = set(re.findall(r'"(kubemote_[a-z0-9_]+)', code))
    # Names that are put together: "kubemote_watch_%s_total".
    patterns = [name.replace("%s", "[a-z]+") for name in re.findall(r'"(kubemote_[a-z0-9_]*%s[a-z0-9_]*)', code)]
    for path in ["Kconfig", "agent/mem/memplan.def"] + sorted(glob.glob("docs/*.md")) + ["README.md"]:
        for number, line in enumerate(open(path) if os.path.exists(path) else [], 1):
            for name in re.findall(r"\bkubemote_[a-z0-9_]+\b(?!\.)", line):
                if name.endswith("_") and any(other.startswith(name) for other in known):
                    continue  # the beginning of several, "kubemote_net_*"
                if name not in known and not any(re.fullmatch(pattern, name) for pattern in patterns):
                    yield f"{path}:{number}: no metric is called {name}"


def faults(kconf, used):
    for warning in kconf.warnings:
        yield warning.strip()
    for symbol in kconf.unique_defined_syms:
        node = symbol.nodes[0]
        problems = list(capacity_faults(symbol, node)) if symbol.orig_type == kconfiglib.INT else []
        if not node.help:
            problems.append("has no help")
        if symbol.name not in used:
            problems.append("is used nowhere")
        for problem in problems:
            yield f"{node.filename}:{node.linenr}: {symbol.name} {problem}"
    yield from metric_faults()
    for name, path in sorted(used.items()):
        if name not in kconf.syms or not kconf.syms[name].nodes:
            yield f"{path}: CONFIG_{name} is not in Kconfig"


def main():
    kconf = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False)
    found = list(faults(kconf, uses()))
    for fault in found:
        print("FAIL " + fault)
    if not found:
        print(f"ok {len(kconf.unique_defined_syms)} symbols")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
