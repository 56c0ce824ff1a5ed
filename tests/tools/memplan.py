# SPDX-License-Identifier: Apache-2.0
"""The memory plan, read from the linked programs of the boards that ship, never from a run.

  memplan.py [--check FILE | --write FILE] [--stack BOARD_DIR] BOARD...

Each static table lies in a section .bss.km_pool.<name> (KM_POOL_STORAGE in km_base.h); the link map says how large it is.
agent/mem/memplan.def gives each pool's count, policy and owner. A row covers the section of its name and those that begin
with it and "_": KM_POOL(pod_cache, ...) covers pod_cache_records and pod_cache_keys. KM_COMMAND_POOL is the same for what
single commands of the command line use; agent/cli is theirs as a whole but for its agent pools. Fails when a pool has no row, a
row no pool, a count does not fit, large data lies outside the pools, or board/<name>/budget.mk is passed.
"""
import argparse
import re
import sys

import lldmap
import stack

DEF = "agent/mem/memplan.def"
POOL = ".bss.km_pool."
# Data of ours that is larger must be a pool, so that the plan names it.
LOOSE_LIMIT = 1024


class Row:
    def __init__(self, name, count, each, policy, owner, command=False):
        self.name, self.count_text, self.each_text, self.policy, self.owner = name, count, each, policy, owner
        self.command = command

    def count(self, config):
        text = re.sub(r"\bCONFIG_\w+", lambda m: str(config.get(m[0], 0)), self.count_text)
        text = re.sub(r"(?<=\d)[uUlL]+", "", text)
        # Arithmetic of numbers and Kconfig values only; anything else (sizeof) counts as one piece.
        return int(eval(text)) if re.fullmatch(r"[\d\s+*/()-]+", text) else 1


def split_arguments(text):
    """a, f(b, c), d -> 3 parts"""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]


def read_rows():
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", open(DEF).read(), flags=re.S)
    rows = []
    for match in re.finditer(r"^\s*KM_(COMMAND_)?POOL\s*\((.*?)\)\s*$", text, re.M | re.S):
        parts = split_arguments(" ".join(match[2].split()))
        rows.append(Row(*parts[:5], command=match[1] is not None))
    return rows


def read_config(board):
    pairs = re.findall(r"^#define (CONFIG_\w+) (\S+)", open(f"build/{board}/include/km_config.h").read(), re.M)
    return {name: value for name, value in pairs}


def read_budget(board):
    text = open(f"board/{board}/budget.mk").read()
    return {name: int(value) for name, value in re.findall(r"^BUDGET_(\w+)\s*:?=\s*(\d+)", text, re.M)}


class Plan:
    """One board's pools by row name, and its totals."""

    def __init__(self, board, rows):
        self.board, self.faults = board, []
        self.config = read_config(board)
        self.has_commands = "CONFIG_KM_CLI" in self.config
        if not self.has_commands:
            rows = [row for row in rows if not row.command]
        pieces, symbols = lldmap.read(f"build/{board}/kubemote.map")
        sections = {}
        for piece in pieces:
            if piece.section.startswith(POOL):
                name = piece.section[len(POOL):]
                sections[name] = sections.get(name, 0) + piece.size
        self.pools = self.assign(sections, rows)
        commands = {row.name for row in rows if row.command}
        self.agent_pools = {name: size for name, size in self.pools.items() if name not in commands}
        self.command_pools = {name: size for name, size in self.pools.items() if name in commands}
        self.bss = sum(p.size for p in pieces if p.out in (".bss", ".bss.rel.ro", ".tbss"))
        self.data = sum(p.size for p in pieces if p.out in (".data", ".data.rel.ro", ".tdata", ".got", ".dynamic"))
        self.loose = self.find_loose(pieces)
        self.parts = {}
        for piece in pieces:
            if piece.out == ".bss" and not piece.section.startswith(POOL):
                part = lldmap.part_of(piece.file)
                self.parts[part] = self.parts.get(part, 0) + piece.size
        self.command_bytes = sum(self.command_pools.values()) + self.parts.pop("agent/cli", 0) * self.has_commands

    def assign(self, sections, rows):
        pools = {}
        for section, size in sections.items():
            fitting = [row.name for row in rows if section == row.name or section.startswith(row.name + "_")]
            if not fitting:
                self.faults.append(f"{self.board}: pool {section} ({size} bytes) has no row in {DEF}")
            name = max(fitting, key=len) if fitting else section
            pools[name] = pools.get(name, 0) + size
        for row in rows:
            if row.name not in pools:
                self.faults.append(f"{self.board}: row {row.name} of {DEF} has no storage in the program")
        return pools

    def find_loose(self, pieces):
        loose = [p for p in pieces if p.out == ".bss" and not p.section.startswith(POOL)
                 and lldmap.part_of(p.file).startswith(("agent", "port")) and p.size > LOOSE_LIMIT
                 and lldmap.part_of(p.file) != "agent/cli"]
        for piece in loose:
            self.faults.append(f"{self.board}: {piece.section} of {piece.file.split('obj/')[-1]} has {piece.size} bytes "
                               f"outside the pools: use KM_POOL_STORAGE")
        return loose

    def check_budget(self, stack_bytes):
        budget = read_budget(self.board)
        for name, value in (("RAM_BYTES", self.bss - self.command_bytes + self.data), ("COMMAND_BYTES", self.command_bytes),
                            ("STACK_BYTES", stack_bytes)):
            if name in budget and value is not None and value > budget[name]:
                self.faults.append(f"{self.board}: {value} bytes of {name[:-6]}, budget.mk allows {budget[name]}")


def kib(size):
    return f"{size:,}"


def pool_lines(rows, plans, pools_of, owner):
    """Markdown lines: the pools in order of size on the first board."""
    by_name = {row.name: row for row in rows}
    lines = ["| pool | count | " + " | ".join(f"{p.board}: bytes | each" for p in plans) + f" | when full | {owner} |",
             "|---|---|" + "---|---|" * len(plans) + "---|---|"]
    pools = pools_of(plans[0])
    for name in sorted(pools, key=lambda name: -pools[name]):
        row = by_name.get(name, Row(name, "1", "", "?", "?"))
        count = max(row.count(plans[0].config), 1)
        cells = []
        for plan in plans:
            size = pools_of(plan).get(name, 0)
            cells += [kib(size), kib(round(size / count))]
        lines.append(f"| {name} | {count} | " + " | ".join(cells) + f" | {row.policy} | {row.owner} |")
    return lines


def total_lines(plans, totals):
    return [f"| {label} | | " + " | ".join(f"{kib(value(plan))} | " for plan in plans) + " | | |" for label, value in totals]


def parts_of_ours(plan, ours):
    return sum(size for part, size in plan.parts.items() if part.startswith(("agent", "port")) == ours)


AGENT_TOTALS = (("all pools", lambda p: sum(p.agent_pools.values())),
                ("other static data of ours", lambda p: parts_of_ours(p, True)),
                ("mbedTLS, libyaml, libc", lambda p: parts_of_ours(p, False)),
                ("**.bss of the agent**", lambda p: p.bss - p.command_bytes),
                ("**.data and constants with addresses**", lambda p: p.data))
COMMAND_TOTALS = (("smaller static data", lambda p: p.command_bytes - sum(p.command_pools.values())),
                  ("**.bss of the commands**", lambda p: p.command_bytes))


def budget_lines(plans):
    lines = ["| board | agent: static memory allowed | TLS arena and record slots, the most that TLS can ever take | commands: static memory allowed "
             "| agent: stack allowed |", "|---|---|---|---|---|"]
    for plan in plans:
        budget = read_budget(plan.board)
        tls = sum(plan.pools.get(name, 0) for name in ("tls_arena", "tls_in_slots", "tls_out_slots"))
        commands = kib(budget["COMMAND_BYTES"]) if plan.has_commands else "none there"
        lines.append(f"| {plan.board} | {kib(budget['RAM_BYTES'])} | {kib(tls)} | {commands} | {kib(budget['STACK_BYTES'])} |")
    return lines


def document(rows, plans):
    whole = [plan for plan in plans if plan.has_commands]
    lines = ["<!-- SPDX-License-Identifier: Apache-2.0 -->",
             "<!-- Made by `make memplan UPDATE=1` from the linked programs: do not edit. -->",
             "# Memory plan", "",
             "All memory of the agent that is not its code: static tables whose sizes stand in Kconfig (docs/CONFIG.md), read",
             "here from the link maps of the boards that ship. `count` is the Kconfig value, `each` the cost of one more.",
             "After start-up nothing else is ever allocated. Memory that was never touched is not resident: the start-up heap goes",
             "back to the system at the seal, and of the TLS arena only what handshakes reach is used.", ""]
    lines += pool_lines(rows, whole, lambda plan: plan.agent_pools, "owner") + total_lines(whole, AGENT_TOTALS)
    lines += ["", "## Commands", "",
              "What kubectl's commands have beside it. `kubemote run` touches none of it, and a command only its own tables as far as it",
              "fills them: resident are some hundreds of kilobytes (`make bench-cli`). Without KM_CLI (board armv7-agent) it is not there.", ""]
    lines += pool_lines(rows, whole, lambda plan: plan.command_pools, "command") + total_lines(whole, COMMAND_TOTALS)
    lines += ["", "## Limits", ""] + budget_lines(plans)
    lines += ["", "The highest use of the arena is `kubemote_tls_arena_max_bytes` of a running agent; `make soak` prints it for each kind of",
              "certificate and fails when it grows. The deepest stack path, frame by frame, is printed by `make memplan`; it is",
              "read from the call graph that gcc writes for the ARM code, so it moves a little with the compiler.", ""]
    return "\n".join(lines).replace(" |  |", " | |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("boards", nargs="+")
    parser.add_argument("--check")
    parser.add_argument("--write")
    parser.add_argument("--stack")
    arguments = parser.parse_args()
    rows = read_rows()
    plans = [Plan(board, rows) for board in arguments.boards]
    text = document(rows, plans)
    print(text)
    worst, faults = stack.report(arguments.stack) if arguments.stack else (None, [])
    for plan in plans:
        plan.check_budget(worst)
        faults += plan.faults
    if arguments.write:
        open(arguments.write, "w").write(text)
    elif arguments.check:
        try:
            current = open(arguments.check).read()
        except FileNotFoundError:
            current = ""
        if current != text:
            faults.append(f"{arguments.check} is stale: make memplan UPDATE=1")
    for fault in faults:
        print("FAIL " + fault)
    if not faults:
        print(f"ok memory plan of {', '.join(arguments.boards)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
