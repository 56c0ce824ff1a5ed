# SPDX-License-Identifier: Apache-2.0
"""What clang-format does not see: the licence line on top of every file, tabs, trailing blanks, the last line's end, and the
version standing in one place only."""
import os
import re
import subprocess
import sys

SKIP_FOLDERS = {"build", ".git"}
# Files without room for a comment, or whose text is given from outside.
NO_LICENSE_LINE = {"LICENSE", "VERSION", "go.mod", "go.sum", "Cargo.lock", "defconfig"}
NO_LICENSE_LINE_ENDINGS = (".md", ".json", ".jsonl", ".pem", ".txt.golden", ".seed", ".bin", ".raw", ".csv")
TABS_ALLOWED = ("Makefile", ".mk", "Kconfig", ".go", "go.mod", "go.sum", ".golden", ".editorconfig")


def files():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        return sorted(path for path in listed.stdout.splitlines() if os.path.isfile(path))
    found = []
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name not in SKIP_FOLDERS]
        found += [os.path.relpath(os.path.join(folder, name)) for name in names]
    return sorted(found)


def is_data(path):
    return "/testdata/" in path or "/seeds/" in path or "/recorded/" in path or path.endswith((".png", ".svg"))


def faults(path):
    try:
        text = open(path, encoding="utf-8", newline="").read()
    except UnicodeDecodeError:
        yield "is not UTF-8"
        return
    name = os.path.basename(path)
    needs_license = name not in NO_LICENSE_LINE and not name.endswith(NO_LICENSE_LINE_ENDINGS)
    if needs_license and "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.splitlines()[:5]):
        yield "has no SPDX line on top"
    if text and not text.endswith("\n"):
        yield "does not end with a line end"
    if "\r" in text:
        yield "has carriage returns"
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip() and not path.endswith(".md"):
            yield f"line {number} has trailing blanks"
        if "\t" in line and not path.endswith(TABS_ALLOWED):
            yield f"line {number} has a tab"


def version_faults(paths):
    """VERSION is the only place of the version: C code has km_version.h."""
    version = open("VERSION").read().strip()
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield f"VERSION: {version!r} is no version"
    for path in paths:
        if path.startswith(("agent/", "include/", "port/")) and path.endswith((".c", ".h")):
            code = re.sub(r"/\*.*?\*/", "", open(path).read(), flags=re.S)
            if f'"{version}"' in code:
                yield f"{path}: names the version; use km_version.h"


def main():
    paths = [path for path in files() if not is_data(path)]
    found = [f"{path}: {fault}" for path in paths for fault in faults(path)] + list(version_faults(paths))
    for fault in found[:40]:
        print("FAIL " + fault)
    if not found:
        print(f"ok {len(paths)} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
