# SPDX-License-Identifier: Apache-2.0
"""Documents that hold: links, `make` targets, and code blocks that are run. The rules stand in tests/tools/README.md.

  doc_lint.py                     all checks that need no cluster
  doc_lint.py --manifests FOLDER  writes the documents' manifests to FOLDER, for an API server to judge
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

AGENT = os.path.abspath("build/linux/kubemote")
CHECK = os.path.abspath("build/linux/kubemote-check")
C_FLAGS = ["-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror", "-Iinclude", "-Ibuild/linux/include", "-isystem",
           "build/deps/include", "-fsyntax-only", "-x", "c", "-"]
LIMIT_S = 120
# Words of a document before a block: why it is not run, and what runs it instead; or the file that it stands in.
NOT_RUN = re.compile(r"^<!-- not run here: .+; covered by make ([a-z0-9-]+) -->$")
FROM_FILE = re.compile(r"^<!-- from (\S+) -->$")


def documents():
    patterns = ["*.md", "docs/*.md", "agent/*/README.md", "board/*/README.md", "port/*/README.md", "tests/**/README.md"]
    return sorted({path for pattern in patterns for path in glob.glob(pattern, recursive=True)})


class Block:
    def __init__(self, path, line, language, note):
        self.path, self.line, self.language, self.note, self.lines = path, line, language, note, []

    def text(self):
        return "\n".join(self.lines) + "\n"

    def where(self):
        return f"{self.path}:{self.line}"


def blocks_of(path):
    """The fenced blocks, and the document's lines without them."""
    blocks, rest, block, previous = [], [], None, ""
    for number, line in enumerate(open(path).read().splitlines(), 1):
        fence = re.match(r"^\s*```(\S*)\s*$", line)
        if fence and block is None:
            block = Block(path, number, fence[1], previous.strip())
        elif fence:
            blocks.append(block)
            block = None
        elif block is not None:
            block.lines.append(line)
        else:
            rest.append((number, line))
        if line.strip():
            previous = line
    if block is not None:
        rest.append((block.line, "[never closed](never-closed-block)"))
    return blocks, rest


# ---- links and targets ----


def anchors(path):
    """The names that headings get, as the usual viewers make them."""
    names = set()
    for _, line in blocks_of(path)[1]:
        if re.match(r"#+ ", line):
            text = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            names.add(text.replace(" ", "-"))
    return names


def link_faults(path, rest):
    for number, line in rest:
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            file = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            if not os.path.exists(file):
                yield f"{path}:{number}: link to {target}: no such file"
            elif anchor and file.endswith(".md") and anchor not in anchors(file):
                yield f"{path}:{number}: link to {target}: no such heading"


def make_targets():
    """(all, those with a help text)"""
    text = open("Makefile").read()
    phony = set(re.sub(r"\$\S+", "", " ".join(re.findall(r"^\.PHONY:(.*)$", text, re.M))).split())
    helped = {name for names in re.findall(r"^([a-z][a-z0-9 -]*):.*## ", text, re.M) for name in names.split()}
    return phony, helped


def target_faults(path, rest, phony):
    for number, line in rest:
        for words in re.findall(r"`make ([^`]*)`", line) + re.findall(r"^    make ([^#]*)", line):
            for word in words.split():
                if re.fullmatch(r"[a-z][a-z0-9-]*", word) and word not in phony:
                    yield f"{path}:{number}: make has no target {word}"


def makefile_faults(phony, helped):
    listed = subprocess.run(["make", "-s", "help"], capture_output=True, text=True).stdout
    for name in sorted(helped):
        if name not in phony:
            yield f"Makefile: {name} has a help text and is not .PHONY"
        if not re.search(rf"^  {name} ", listed, re.M):
            yield f"Makefile: make help does not list {name}"
    for name in re.findall(r"\$\(TOOLS\)/([\w.]+)", open("Makefile").read()):
        if not os.path.exists("tests/tools/" + name):
            yield f"Makefile: tests/tools/{name} does not exist"


# ---- blocks ----


def run(command, text=None, **more):
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=LIMIT_S, **more)
        return done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        return 1, f"did not end within {LIMIT_S} s"


def judge_sh(block):
    with tempfile.TemporaryDirectory() as home:
        environment = dict(os.environ, HOME=home)
        environment.pop("KUBECONFIG", None)
        return run(["bash", "-euo", "pipefail", "-s"], block.text(), env=environment)


def judge_c(block):
    return run(["gcc"] + C_FLAGS, block.text())


def is_agent_config(text):
    return re.search(r"^kind: AgentConfig$", text, re.M)


def judge_yaml(block):
    """The agent reads its configuration before the kubeconfig, so a missing kubeconfig is what it must come to."""
    if not is_agent_config(block.text()):
        return 0, ""  # a manifest: see --manifests
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "config.yaml")
        with open(path, "w") as out:
            out.write(block.text())
        _, words = run([AGENT, "run", "--node-name", "n", "--kubeconfig", "/nonexistent/kubeconfig", "--config", path])
        return (0, "") if "/nonexistent/kubeconfig" in words and path not in words else (1, words)


def judge_json(block):
    with tempfile.NamedTemporaryFile("w") as out:
        out.write(block.text())
        out.flush()
        return run([CHECK, "json", out.name])


JUDGES = {"sh": judge_sh, "c": judge_c, "yaml": judge_yaml, "json": judge_json, "text": lambda block: (0, "")}


def block_faults(block, phony):
    not_run, from_file = NOT_RUN.match(block.note), FROM_FILE.match(block.note)
    if block.language not in JUDGES:
        yield f"{block.where()}: a block in {block.language or 'no language'}; there are: {', '.join(JUDGES)}"
    elif not_run:
        if not_run[1] not in phony:
            yield f"{block.where()}: covered by make {not_run[1]}, which does not exist"
    elif from_file:
        if not os.path.exists(from_file[1]) or block.text() not in open(from_file[1]).read():
            yield f"{block.where()}: does not stand in {from_file[1]}"
    else:
        status, words = JUDGES[block.language](block)
        if status != 0:
            yield f"{block.where()}: {block.language}: {words.strip()[-600:]}"


def write_manifests(folder):
    for path in documents():
        for block in blocks_of(path)[0]:
            if block.language == "yaml" and not is_agent_config(block.text()) and not FROM_FILE.match(block.note):
                name = re.sub(r"\W", "-", f"{path}-{block.line}") + ".yaml"
                with open(os.path.join(folder, name), "w") as out:
                    out.write(block.text())
                print(os.path.join(folder, name))


def main():
    if sys.argv[1:2] == ["--manifests"]:
        write_manifests(sys.argv[2])
        return 0
    phony, helped = make_targets()
    faults = list(makefile_faults(phony, helped))
    judged = 0
    for path in documents():
        blocks, rest = blocks_of(path)
        faults += list(link_faults(path, rest)) + list(target_faults(path, rest, phony))
        for block in blocks:
            faults += list(block_faults(block, phony))
            judged += 1
    for fault in faults:
        print("FAIL " + fault)
    if not faults:
        print(f"ok {len(documents())} documents, {judged} blocks, {len(helped)} targets")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
