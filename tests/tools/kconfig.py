# SPDX-License-Identifier: Apache-2.0
"""Kconfig for the Makefile. Any warning of kconfiglib is an error: an out-of-range value would otherwise become the
default, and an unknown symbol would vanish, both in silence.

  kconfig.py header CONFIG OUTPUT     CONFIG (a defconfig or .config) -> C header
  kconfig.py menu CONFIG              edit CONFIG in the terminal
  kconfig.py save CONFIG DEFCONFIG    CONFIG -> the smallest DEFCONFIG with the same meaning
  kconfig.py docs OUTPUT              docs/CONFIG.md
"""
import os
import sys

import kconfiglib

LICENSE_C = "/* SPDX-License-Identifier: Apache-2.0 */\n/* Made from Kconfig and the board's defconfig: do not edit. */\n"


def load(config=None):
    os.environ["CONFIG_"] = "CONFIG_"
    kconf = kconfiglib.Kconfig("Kconfig", warn=True, warn_to_stderr=False)
    kconf.warn_assign_undef = True
    if config and os.path.exists(config):
        kconf.load_config(config)
    return kconf


def die_on_warnings(kconf):
    if not kconf.warnings:
        return
    for warning in kconf.warnings:
        print("kconfig: " + warning.strip(), file=sys.stderr)
    sys.exit(1)


def header(config, output):
    kconf = load(config)
    os.makedirs(os.path.dirname(output), exist_ok=True)
    # Ranges are judged when values are read, so the check stands after the write; a bad file must not stay behind.
    kconf.write_autoconf(output + ".new", header=LICENSE_C)
    try:
        die_on_warnings(kconf)
    except SystemExit:
        os.unlink(output + ".new")
        raise
    text = open(output + ".new").read()
    if os.path.exists(output) and open(output).read() == text:
        os.unlink(output + ".new")
        return
    os.rename(output + ".new", output)


def menu(config):
    import menuconfig

    os.environ["KCONFIG_CONFIG"] = config
    menuconfig.menuconfig(load(config))


def save(config, defconfig):
    kconf = load(config)
    kconf.write_min_config(defconfig)
    die_on_warnings(kconf)


def symbol_rows(kconf):
    """Each symbol with a prompt, in the order of the Kconfig file, with its menu."""
    for node in kconf.node_iter(unique_syms=True):
        if isinstance(node.item, kconfiglib.Symbol) and node.prompt:
            menu_node = node.parent
            yield menu_node.prompt[0] if menu_node.prompt else "", node


def value_range(symbol):
    for low, high, _ in symbol.ranges:
        return f"{low.str_value} to {high.str_value}"
    return "y or n" if symbol.orig_type == kconfiglib.BOOL else ""


def docs(output):
    kconf = load()
    lines = ["<!-- SPDX-License-Identifier: Apache-2.0 -->",
             "<!-- Made by `make config-docs` from Kconfig: do not edit. -->",
             "# Configuration at build time", "",
             "Every table of kubemote has a fixed size, chosen here. `make menuconfig BOARD=name` changes them for one",
             "build, `make savedefconfig BOARD=name` keeps them in `board/name/defconfig`. The header that the code reads",
             "is `build/<board>/include/km_config.h`. A value out of range or an unknown name stops the build.", ""]
    menu_title = None
    for title, node in symbol_rows(kconf):
        if title != menu_title:
            menu_title = title
            lines += [f"## {title}", ""]
        symbol = node.item
        lines += [f"### CONFIG_{symbol.name}", "",
                  f"{node.prompt[0]}. Default {symbol.str_value}, {value_range(symbol)}.", "",
                  " ".join((node.help or "").split()), ""]
    die_on_warnings(kconf)
    with open(output, "w") as out:
        out.write("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    {"header": header, "menu": menu, "save": save, "docs": docs}[command](*arguments)
