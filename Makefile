# SPDX-License-Identifier: Apache-2.0
# kubemote's build: GNU make 4.3 or newer, everything out of tree in build/<board>/. `make help` lists the targets.
# How to add a source, a test or a board: tests/tools/README.md.

BOARD ?= linux
# Fetched parts; another folder saves fetching again: make DEPS=/path
DEPS ?= build/deps
TOOLS := tests/tools
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

.PHONY: all
all: ## Build BOARD (default linux): kubemote, kubemote.sym, libkubemote.a, kubemote-check

include $(TOOLS)/versions.mk
include port/mbedtls/sources.mk

VERSION := $(file < VERSION)
BOARDS := $(notdir $(patsubst %/,%,$(dir $(wildcard board/*/board.mk))))
ifeq ($(filter $(BOARD),$(BOARDS)),)
$(error no board "$(BOARD)"; there are: $(BOARDS))
endif

# --- outside parts -----------------------------------------------------------------------------------------------------
# Fetched once by deps.sh; a stamp names the version, so a new pin fetches again. After that nothing needs the network.

VENV := $(DEPS)/venv
PY := $(VENV)/bin/python
ZIG := $(DEPS)/bin/zig
CLANG_FORMAT := $(VENV)/bin/clang-format
VENV_STAMP := $(DEPS)/stamps/venv-$(ZIG_VERSION)-$(KCONFIGLIB_VERSION)-$(CLANG_FORMAT_VERSION)
MBEDTLS_STAMP := $(DEPS)/stamps/mbedtls-$(SOURCE_SUITE)
LIBYAML_STAMP := $(DEPS)/stamps/libyaml-$(SOURCE_SUITE)
JSMN_STAMP := $(DEPS)/stamps/jsmn
CMOCKA_STAMP := $(DEPS)/stamps/cmocka-header
YYJSON_STAMP := $(DEPS)/stamps/yyjson-$(SOURCE_SUITE)

# Another mbedTLS 3.6 tree: make MBEDTLS_DIR=/path
MBEDTLS_DIR ?= $(DEPS)/mbedtls
LIBYAML_DIR := $(DEPS)/libyaml
# For `make bench-sieve` alone; another copy: make YYJSON_DIR=/path
YYJSON_DIR ?= $(DEPS)/yyjson
LIBYAML_SOURCES := api.c reader.c scanner.c parser.c

.PHONY: deps
deps: $(VENV_STAMP) $(MBEDTLS_STAMP) $(LIBYAML_STAMP) $(JSMN_STAMP) ## Fetch what the build needs (once)

# The first of them: it brings the packages that the others are fetched with.
$(VENV_STAMP):
	@$(TOOLS)/need.sh build
	@STAMP=$@ $(TOOLS)/deps.sh venv $(VENV) ziglang==$(ZIG_VERSION) kconfiglib==$(KCONFIGLIB_VERSION) \
		clang-format==$(CLANG_FORMAT_VERSION)

$(MBEDTLS_STAMP): | $(VENV_STAMP)
ifeq ($(MBEDTLS_DIR),$(DEPS)/mbedtls)
	@STAMP=$@ $(TOOLS)/deps.sh source $(MBEDTLS_DIR) $(SOURCE_SUITE) mbedtls '3.6.*'
endif

$(LIBYAML_STAMP): | $(VENV_STAMP)
	@STAMP=$@ $(TOOLS)/deps.sh source $(LIBYAML_DIR) $(SOURCE_SUITE) libyaml '0.2.*'

$(YYJSON_STAMP): | $(VENV_STAMP)
ifeq ($(YYJSON_DIR),$(DEPS)/yyjson)
	@STAMP=$@ $(TOOLS)/deps.sh upstream $(YYJSON_DIR) $(SOURCE_SUITE) yyjson '0.1?.*'
endif

$(JSMN_STAMP): | $(VENV_STAMP)
	@STAMP=$@ $(TOOLS)/deps.sh header $(DEPS)/include libjsmn-dev /usr/include/jsmn.h

# cmocka.h alone, for compilers whose own headers must not mix with /usr/include.
$(CMOCKA_STAMP): | $(VENV_STAMP)
	@STAMP=$@ $(TOOLS)/deps.sh header $(DEPS)/include-cmocka libcmocka-dev /usr/include/cmocka.h

define runtime_rule
$(DEPS)/stamps/zig-$(ZIG_VERSION)-$1: | $(VENV_STAMP)
	@STAMP=$$@ $(TOOLS)/deps.sh runtime $(DEPS)/zig-$(ZIG_VERSION)/$1 $(ZIG) $1
endef

$(addprefix $(MBEDTLS_DIR)/library/,$(MBEDTLS_SOURCES)): | $(MBEDTLS_STAMP) ;
$(addprefix $(LIBYAML_DIR)/src/,$(LIBYAML_SOURCES)): | $(LIBYAML_STAMP) ;

# --- rooms and layers --------------------------------------------------------------------------------------------------
# The order is the order in the binary: what runs all the time first, what runs only at start or by hand last, so that
# cold code does not share pages with hot code.

HOT_ROOMS := base json net kube cache queue watch control node log metrics text
COLD_ROOMS := manifest cli
ROOMS := $(HOT_ROOMS) $(COLD_ROOMS)
LIB_ROOMS := base text json net kube manifest cache queue watch control log metrics

room_sources = $(sort $(wildcard agent/$1/*.c))
port_sources = $(sort $(wildcard port/$1/*.c))

# closure_<room>: the room and all that it may use, from layers.txt, as room names and "port".
$(foreach row,$(shell awk -f $(TOOLS)/closure.awk $(TOOLS)/layers.txt),\
	$(eval closure_$(subst |, ,$(subst =, := ,$(row)))))

# --- flags -------------------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Werror
COMMON_CFLAGS := -std=c11 -ffunction-sections -fdata-sections -fstack-protector-strong \
	-ffile-prefix-map=$(abspath $(DEPS))/=deps/ -ffile-prefix-map=$(CURDIR)/= -D_DEFAULT_SOURCE
# Nothing unwinds, and -fdirect-access-external-data spares the GOT: all of the program is in one file.
ZIG_CFLAGS := -Os -fPIE -g0 -fno-sanitize=undefined -fomit-frame-pointer -fno-asynchronous-unwind-tables \
	-fno-unwind-tables -fno-exceptions -fdirect-access-external-data
# Functions that stand first in the program.
HOT_TEXT := board/hot_text.txt
ZIG_LDFLAGS := -O2 -static -pie --no-dynamic-linker --entry _start --gc-sections --build-id=none --hash-style=gnu \
	--pack-dyn-relocs=relr -z relro -z now -z noseparate-code -z noexecstack \
	--symbol-ordering-file=$(HOT_TEXT) --no-warn-symbol-ordering
GROUP := -Wl,--start-group
GROUP_END := -Wl,--end-group
GCC_LDFLAGS := -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now

# Multi-precision arithmetic takes most of a handshake.
MBEDTLS_FAST := bignum.c bignum_core.c ecp.c ecp_curves.c
# What sees every byte that comes in keeps -Os where a board asks for smaller code (BOARD_SMALL), the JSON part of it gets -O2 where
# the board has room; what runs at start or by hand only may jump about more (BOARD_COLD).
HOT_FILES := scan.c pass.c sieve.c http_parse.c cache.c aes.c gcm.c chacha20.c poly1305.c sha256.c sha512.c constant_time.c
JSON_FAST := agent/json/scan.c agent/json/pass.c agent/json/sieve.c
small_flags = $(if $(filter $($1_FAST),$2),-O2,$(if $(filter $(HOT_FILES) $(MBEDTLS_FAST),$(notdir $2)),,$($1_SMALL))) \
	$(if $(filter $(COLD_ROOMS:%=agent/%/%) $(LIBYAML_DIR)/%,$2),$($1_COLD))

# What a source file may see beyond include/: outside headers are system headers, whose warnings do not count.
MBEDTLS_INCLUDES = -isystem $(MBEDTLS_DIR)/include -DMBEDTLS_CONFIG_FILE='"kubemote_mbedtls_config.h"' -Iport/mbedtls
YAML_INCLUDES := -isystem $(LIBYAML_DIR)/include
source_flags = $(if $(filter port/mbedtls/%,$1),$(MBEDTLS_INCLUDES)) $(if $(filter agent/kube/yaml.c agent/manifest/yaml_json.c,$1),$(YAML_INCLUDES)) \
	$(if $(filter agent/main.c,$1),-Iagent) \
	$(if $(filter tests/%,$1),-I. $(MBEDTLS_INCLUDES) $(YAML_INCLUDES)) $(if $(filter tests/bench/sieve/%,$1),-isystem $(YYJSON_DIR)/src)

# --- boards ------------------------------------------------------------------------------------------------------------

define board_load
BOARD_KIND :=
BOARD_TARGET :=
BOARD_PREFIX :=
BOARD_CFLAGS :=
BOARD_SMALL :=
BOARD_COLD :=
BOARD_LDFLAGS :=
BOARD_EMULATOR :=
include board/$1/board.mk
$1_KIND := $$(BOARD_KIND)
$1_EMULATOR := $$(BOARD_EMULATOR)
$1_LDFLAGS := $$(BOARD_LDFLAGS)
$1_EXTRA_CFLAGS := $$(BOARD_CFLAGS)
$1_SMALL := $$(BOARD_SMALL)
$1_COLD := $$(BOARD_COLD)
$1_TARGET := $$(BOARD_TARGET)
$1_PREFIX := $$(BOARD_PREFIX)
endef
$(foreach b,$(BOARDS),$(eval $(call board_load,$b)))

# Compiler, archiver and flags of each kind of board.
define kind_zig
$1_CC := $(ZIG) cc -target $($1_TARGET)
$1_AR := $(ZIG) ar
$1_CFLAGS := $(ZIG_CFLAGS) $($1_EXTRA_CFLAGS)
# Where a page more does not count.
$1_FAST := $$(if $$(filter thumb-%,$$($1_TARGET)),,$$(JSON_FAST))
$1_RUNTIME := $(DEPS)/zig-$(ZIG_VERSION)/$($1_TARGET)
$1_RUNTIME_STAMP := $(DEPS)/stamps/zig-$(ZIG_VERSION)-$($1_TARGET)
endef
define kind_gcc
$1_CC := $($1_PREFIX)gcc
$1_AR := $($1_PREFIX)ar
$1_CFLAGS := $($1_EXTRA_CFLAGS)
$1_LINK := $(GCC_LDFLAGS) $($1_LDFLAGS)
endef
define kind_clang
$1_CC := clang
$1_AR := ar
$1_CFLAGS := $($1_EXTRA_CFLAGS)
$1_LINK := $(GCC_LDFLAGS) $($1_LDFLAGS)
endef
$(foreach b,$(BOARDS),$(eval $(call kind_$($b_KIND),$b)))

$(foreach t,$(sort $(foreach b,$(BOARDS),$($b_TARGET))),$(eval $(call runtime_rule,$t)))

# $1 board, $2 output, $3 objects, $4 archives, $5 "-s" for a program without symbols, $6 further libraries
link_zig = $(ZIG) ld.lld -m $$(cat $($1_RUNTIME)/emulation) $(ZIG_LDFLAGS) $($1_LDFLAGS) $5 -o $2 $($1_RUNTIME)/rcrt1.o $3 \
	$(if $4,--start-group $4 --end-group) $(addprefix $($1_RUNTIME)/,libc.a libzigc.a libcompiler_rt.a)
link_gcc = $($1_CC) $($1_CFLAGS) -o $2 $3 $(if $4,$(GROUP) $4 $(GROUP_END)) $($1_LINK) $6
link_clang = $(link_gcc)
link = $(call link_$($1_KIND),$1,$2,$3,$4,$5,$6)

objects = $(patsubst %.c,build/$1/obj/%.o,$2)
room_lib = build/$1/lib/libkm_$2.a
tls_libs = build/$1/lib/libkm_port_mbedtls.a build/$1/lib/libmbedtls.a
yaml_lib = build/$1/lib/libyaml.a
# $1 board, $2 list of rooms and "port" -> archives
libs_of = $(foreach r,$(filter-out port,$2),$(call room_lib,$1,$r)) $(if $(filter kube,$2),$(call yaml_lib,$1)) \
	$(if $(filter port,$2),build/$1/lib/libkm_port_posix.a $(call tls_libs,$1))

# make -s says nothing.
say = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),,@echo '  $1')

# Written under another name first: two makes in one tree must not read each other's half-written files.
object = -MMD -MP -MF $(@:.o=.d) -MT $@ -c $< -o $@.$$$$.o && mv -f $@.$$$$.o $@ && \
	{ test ! -e $@.$$$$.ci || mv -f $@.$$$$.ci $(@:.o=.ci); }

define board_rules
build/$1/.kconfig.stamp: Kconfig $$(firstword $$(wildcard build/$1/.config) board/$1/defconfig) $(TOOLS)/kconfig.py | $(VENV_STAMP)
	@$(PY) $(TOOLS)/kconfig.py header $$(firstword $$(wildcard build/$1/.config) board/$1/defconfig) build/$1/include/km_config.h
	@touch $$@
build/$1/include/km_config.h: build/$1/.kconfig.stamp
	@:
build/$1/include/km_version.h: VERSION
	@mkdir -p $$(@D)
	@printf '/* SPDX-License-Identifier: Apache-2.0 */\n#define KM_VERSION "%s"\n' '$(VERSION)' >$$@

# A change of flags builds again; a change of this Makefile alone does not.
build/$1/.flags: FORCE
	@mkdir -p $$(@D)
	@echo '$$(subst ','"'"',$$($1_CC) $$($1_CFLAGS) $$($1_SMALL) $$($1_COLD) $(COMMON_CFLAGS) $(WARNINGS))' | cmp -s - $$@ || \
		echo '$$(subst ','"'"',$$($1_CC) $$($1_CFLAGS) $$($1_SMALL) $$($1_COLD) $(COMMON_CFLAGS) $(WARNINGS))' >$$@

build/$1/ready: build/$1/include/km_config.h build/$1/include/km_version.h | $(JSMN_STAMP) $(VENV_STAMP) $(MBEDTLS_STAMP) $(LIBYAML_STAMP)
	@:

build/$1/obj/%.o: %.c build/$1/.flags | build/$1/include/km_config.h build/$1/include/km_version.h \
		$(JSMN_STAMP) $(VENV_STAMP) $(MBEDTLS_STAMP) $(LIBYAML_STAMP)
	@mkdir -p $$(@D)
	$$(call say,CC      $1 $$<)
	@$$($1_CC) $$($1_CFLAGS) $$(call small_flags,$1,$$<) $(COMMON_CFLAGS) $(WARNINGS) -Iinclude -Ibuild/$1/include \
		-isystem $(DEPS)/include \
		$$(call source_flags,$$<) $$(object)

# Outside code: their warnings are not ours.
build/$1/obj/mbedtls/%.o: $(MBEDTLS_DIR)/library/%.c build/$1/.flags | build/$1/include/km_config.h
	@mkdir -p $$(@D)
	$$(call say,CC      $1 mbedtls/$$(<F))
	@$$($1_CC) $$($1_CFLAGS) $$(if $$(filter $(MBEDTLS_FAST),$$(<F)),-O2) $$(call small_flags,$1,$$<) \
		$(COMMON_CFLAGS) -w -Ibuild/$1/include \
		-Iport/mbedtls -I$(MBEDTLS_DIR)/include -I$(MBEDTLS_DIR)/library \
		-DMBEDTLS_CONFIG_FILE='"kubemote_mbedtls_config.h"' $$(object)
build/$1/obj/libyaml/%.o: $(LIBYAML_DIR)/src/%.c build/$1/.flags | build/$1/include/km_config.h
	@mkdir -p $$(@D)
	$$(call say,CC      $1 libyaml/$$(<F))
	@$$($1_CC) $$($1_CFLAGS) $$(call small_flags,$1,$$<) $(COMMON_CFLAGS) -w -I$(LIBYAML_DIR)/include -DYAML_VERSION_STRING='"0.2.5"' \
		-DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=2 -DYAML_VERSION_PATCH=5 -DYAML_DECLARE_STATIC \
		$(if $(filter zig,$($1_KIND)),$(if $(wildcard port/posix/heap.c),-Dstrdup=km_heap_strdup)) $$(object)

$$(foreach r,$(ROOMS),$$(eval $$(call archive_rule,$1,libkm_$$r,$$(call objects,$1,$$(call room_sources,$$r)),$$(wildcard agent/$$r))))
$$(foreach p,posix mbedtls sim,$$(eval $$(call archive_rule,$1,libkm_port_$$p,$$(call objects,$1,$$(call port_sources,$$p)),$$(wildcard port/$$p))))
$$(eval $$(call archive_rule,$1,libmbedtls,$(MBEDTLS_SOURCES:%.c=build/$1/obj/mbedtls/%.o)))
$$(eval $$(call archive_rule,$1,libyaml,$(LIBYAML_SOURCES:%.c=build/$1/obj/libyaml/%.o)))

# Each cmocka program links the room that its name starts with, and what that room may use: test_json_scan links json and
# base. A name without a room links everything.
build/$1/unit/%: build/$1/obj/tests/unit/%.o $$$$(call unit_libs,$1,$$$$*) | $$($1_RUNTIME_STAMP)
	@mkdir -p $$(@D)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),,$$(if $$($1_PREFIX),,-lcmocka))

build/$1/fault/%: build/$1/obj/tests/fault/%.o $$(call fault_libs,$1) | $$($1_RUNTIME_STAMP)
	@mkdir -p $$(@D)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),,$$(if $$($1_PREFIX),,-lcmocka))

build/$1/fuzz/%: build/$1/obj/tests/fuzz/%.o $$$$(call unit_libs,$1,$$$$*)
	@mkdir -p $$(@D)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),,-fsanitize=fuzzer)

build/$1/kubemote.sym: $$(call agent_objects,$1) $(HOT_TEXT) | $$($1_RUNTIME_STAMP)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),,$(if $(filter zig,$($1_KIND)),-Map build/$1/kubemote.map))
# Linked a second time rather than stripped: zig's objcopy cannot strip, and binutils know this machine's kind only.
build/$1/kubemote: $$(call agent_objects,$1) $(HOT_TEXT) | $$($1_RUNTIME_STAMP)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),,-s)
build/$1/kubemote-check: $$(call objects,$1,$$(sort $$(wildcard tests/check/*.c))) \
		$$(call libs_of,$1,manifest kube net json text log base port) | $$($1_RUNTIME_STAMP)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),-s)
build/$1/queue-trace build/$1/queue-bench: $$(call libs_of,$1,queue base) | $$($1_RUNTIME_STAMP)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),-s)
build/$1/informer-trace: $$(call objects,$1,tests/trace/informer_trace.c)
build/$1/informer-trace-large: $$(call objects,$1,tests/trace/informer_trace_large.c)
build/$1/informer-trace build/$1/informer-trace-large: private $1_LDFLAGS += --wrap=km_port_wall_us
build/$1/informer-trace build/$1/informer-trace-large: $$(call libs_of,$1,$(ROOMS) port) | $$($1_RUNTIME_STAMP)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),-s)
build/$1/queue-trace: $$(call objects,$1,tests/trace/queue_trace.c)
build/$1/queue-bench: $$(call objects,$1,tests/bench/queue/queue.c)
build/$1/obs-serve: $$(call objects,$1,tests/obs/serve.c) $$(call libs_of,$1,metrics queue net log base port) | $$($1_RUNTIME_STAMP)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^))
build/$1/cache-bench: $$(call objects,$1,tests/bench/cache/cache.c) $$(call libs_of,$1,cache base) | $$($1_RUNTIME_STAMP)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),-s)
build/$1/sieve-bench: $$(call objects,$1,tests/bench/sieve/sieve.c) build/$1/obj/yyjson.o $$(call libs_of,$1,kube net json text base port) \
		| $$($1_RUNTIME_STAMP)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),-s)
build/$1/obj/tests/bench/sieve/sieve.o: | $(YYJSON_STAMP)
build/$1/obj/yyjson.o: build/$1/.flags | $(YYJSON_STAMP)
	@mkdir -p $$(@D)
	$$(call say,CC      $1 yyjson.c)
	@$$($1_CC) $$($1_CFLAGS) -O3 $(COMMON_CFLAGS) -w -c $(YYJSON_DIR)/src/yyjson.c -o $$@
build/$1/examples/%: build/$1/obj/docs/examples/%.o build/$1/libkubemote.a | $$($1_RUNTIME_STAMP)
	@mkdir -p $$(@D)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),-s)
build/$1/elect-trace build/$1/example-controller: $$(call libs_of,$1,$(LIB_ROOMS) port) | $$($1_RUNTIME_STAMP)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),-s)
build/$1/elect-trace: $$(call objects,$1,tests/elect/elect_trace.c)
build/$1/elect-trace: private $1_LDFLAGS += --wrap=km_port_wall_us
build/$1/example-controller: $$(call objects,$1,docs/examples/controller/controller.c)
build/$1/libkubemote.a: $$(call library_objects,$1)
	$$(call say,AR      $$@)
	@rm -f $$@ && $$($1_AR) rcsD $$@ $$^
endef

# $1 board, $2 name, $3 objects, $4 the folder: a file that came or went makes the archive again
define archive_rule
build/$1/lib/$2.a: $3 $4
	@mkdir -p $$(@D)
	@$$($1_AR) rcsD $$@.$$$$$$$$ $$(filter %.o,$$^) && mv -f $$@.$$$$$$$$ $$@
endef

test_room = $(firstword $(filter $(ROOMS) port,$(word 2,$(subst _, ,$1))))
support_objects = $(call objects,$1,$(sort $(filter-out tests/$2/test_%.c tests/$2/fuzz_%.c,$(wildcard tests/$2/*.c))))
# test_conn_… and fuzz_watch_… stand on port/sim, as the fault tests do.
unit_libs = $(call support_objects,$1,unit) $(if $(filter test_conn_%,$2),$(call libs_of,$1,net base) \
	build/$1/lib/libkm_port_sim.a,$(if $(filter fuzz_watch_%,$2),$(call libs_of,$1,control watch cache queue kube json text net base) \
	build/$1/lib/libkm_port_sim.a,$(call libs_of,$1,$(or $(closure_$(call test_room,$2)),$(ROOMS) port))))
fault_libs = $(call support_objects,$1,fault) $(call libs_of,$1,$(ROOMS)) build/$1/lib/libkm_port_sim.a

agent_sources = agent/main.c $(call room_sources,mem) $(foreach r,$(HOT_ROOMS),$(call room_sources,$r)) $(call port_sources,posix) $(call port_sources,mbedtls)
agent_objects = $(call objects,$1,$(agent_sources)) $(MBEDTLS_SOURCES:%.c=build/$1/obj/mbedtls/%.o) \
	$(call objects,$1,$(foreach r,$(COLD_ROOMS),$(call room_sources,$r))) $(LIBYAML_SOURCES:%.c=build/$1/obj/libyaml/%.o)
library_objects = $(call objects,$1,$(foreach r,$(LIB_ROOMS),$(call room_sources,$r)) $(call port_sources,posix) \
	$(call port_sources,mbedtls)) $(MBEDTLS_SOURCES:%.c=build/$1/obj/mbedtls/%.o) $(LIBYAML_SOURCES:%.c=build/$1/obj/libyaml/%.o)

$(foreach b,$(BOARDS),$(eval $(call board_rules,$b)))

.PHONY: FORCE
FORCE:

.SECONDARY:
-include $(shell find build -name '*.d' -path '*/obj/*' 2>/dev/null)

# What exists so far: a folder without sources is no error.
all: build/$(BOARD)/libkubemote.a $(if $(wildcard agent/main.c),build/$(BOARD)/kubemote build/$(BOARD)/kubemote.sym) \
	$(if $(wildcard tests/check/*.c),build/$(BOARD)/kubemote-check)

.PHONY: examples
examples: $(patsubst docs/examples/%.c,build/$(BOARD)/examples/%,$(wildcard docs/examples/*.c)) ## Build docs/examples with libkubemote.a

# --- configuration -----------------------------------------------------------------------------------------------------

.PHONY: menuconfig savedefconfig defconfig kconfig-lint config-docs
CONFIG_OF_BOARD := build/$(BOARD)/.config

menuconfig: $(VENV_STAMP) ## Edit BOARD's configuration for this tree (kept in build/<board>/.config)
	@mkdir -p build/$(BOARD) && { test -e $(CONFIG_OF_BOARD) || cp board/$(BOARD)/defconfig $(CONFIG_OF_BOARD); }
	@$(PY) $(TOOLS)/kconfig.py menu $(CONFIG_OF_BOARD)

savedefconfig: $(VENV_STAMP) ## Keep BOARD's edited configuration in board/<board>/defconfig
	@test -e $(CONFIG_OF_BOARD) || { echo "nothing to save: no $(CONFIG_OF_BOARD)"; exit 1; }
	@$(PY) $(TOOLS)/kconfig.py save $(CONFIG_OF_BOARD) board/$(BOARD)/defconfig
	@rm $(CONFIG_OF_BOARD)

defconfig: ## Forget BOARD's edited configuration
	@rm -f $(CONFIG_OF_BOARD)

kconfig-lint: $(VENV_STAMP) ## Each capacity has a range, a unit and a full help text, and is used
	@$(PY) $(TOOLS)/kconfig_lint.py

config-docs: $(VENV_STAMP) ## Write docs/CONFIG.md from Kconfig
	@mkdir -p docs && $(PY) $(TOOLS)/kconfig.py docs docs/CONFIG.md

# --- checks of the text ------------------------------------------------------------------------------------------------

C_FILES := $(sort $(wildcard include/kubemote/*.h agent/*.c agent/*/*.[ch] port/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch] docs/examples/*.[ch]))

.PHONY: fmt check-fmt warnings layers
fmt: $(VENV_STAMP) ## Format all C files
	@$(CLANG_FORMAT) -i $(C_FILES)

check-fmt: $(VENV_STAMP) ## Say which C files are not formatted
	@$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)
	@$(PY) $(TOOLS)/text_lint.py

# The whole tree, tests included, by both compilers at the optimisation that ships.
WARN_SOURCES := $(filter %.c,$(C_FILES))
WARN_FLAGS := -Os $(COMMON_CFLAGS) $(WARNINGS) -Iinclude -Ibuild/warnings/include -isystem $(DEPS)/include
WARN_CC_gcc := gcc
WARN_CC_clang := $(ZIG) cc -target x86_64-linux-gnu -fno-sanitize=undefined -isystem $(DEPS)/include-cmocka
define warn_rules
build/warnings/$1/%.o: %.c build/warnings/.flags | build/warnings/include/km_config.h build/warnings/include/km_version.h \
		$(JSMN_STAMP) $(CMOCKA_STAMP) $(VENV_STAMP) $(MBEDTLS_STAMP) $(LIBYAML_STAMP) $(YYJSON_STAMP)
	@mkdir -p $$(@D)
	$$(call say,CC      $1 $$<)
	@$(WARN_CC_$1) $(WARN_FLAGS) $$(call source_flags,$$<) $$(object)
endef
$(foreach c,gcc clang,$(eval $(call warn_rules,$c)))

build/warnings/include/%.h: build/linux/include/%.h
	@mkdir -p $(@D)
	@cmp -s $< $@ || cp $< $@
build/warnings/.flags: FORCE
	@mkdir -p $(@D)
	@echo "$(subst ",,$(WARN_FLAGS))" | cmp -s - $@ || echo "$(subst ",,$(WARN_FLAGS))" >$@

warnings: ## Compile the whole tree with gcc and clang, warnings are errors
	@$(TOOLS)/need.sh unit
	@$(MAKE) -s -k -j2 warnings-gcc warnings-clang
.PHONY: warnings-gcc warnings-clang
warnings-gcc: $(WARN_SOURCES:%.c=build/warnings/gcc/%.o)
	@echo "ok gcc: $(words $^) files without a warning"
warnings-clang: $(WARN_SOURCES:%.c=build/warnings/clang/%.o)
	@echo "ok clang: $(words $^) files without a warning"

layers: $(VENV_STAMP) ## Includes point only downward; each room's undefined symbols are allowed
	@$(TOOLS)/need.sh check
	@$(MAKE) -s $(foreach r,$(ROOMS),$(call room_lib,linux,$r)) $(foreach p,posix mbedtls,build/linux/lib/libkm_port_$p.a)
	@$(PY) $(TOOLS)/layers.py --cc gcc --cflags "$(subst ",\",-Iinclude -Ibuild/linux/include -isystem $(DEPS)/include $(MBEDTLS_INCLUDES) $(YAML_INCLUDES) -Iagent)"

# --- tests -------------------------------------------------------------------------------------------------------------

UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
FAULT_TESTS := $(patsubst tests/fault/%.c,%,$(sort $(wildcard tests/fault/test_*.c)))
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_STREAM := fuzz_json fuzz_watch_frames
FUZZ_SECONDS ?= 20

# $1 board, $2 folder, $3 tests, $4 runner
run_programs = $(MAKE) -s -k -j2 $(addprefix build/$1/$2/,$3) && $(TOOLS)/run_programs.sh "$4" $(addprefix build/$1/$2/,$3)

.PHONY: unit fault asan threads valgrind arm fuzz
unit: ## Unit tests, plain
	@$(TOOLS)/need.sh unit
	@$(call run_programs,linux-debug,unit,$(UNIT_TESTS))
asan: ## Unit tests under ASan and UBSan
	@$(TOOLS)/need.sh unit
	@$(call run_programs,linux-asan,unit,$(UNIT_TESTS))
# The queue alone is made for threads; the test brings them.
THREAD_TEST := build/threads/test_queue_lock
$(THREAD_TEST): tests/unit/test_queue_lock.c $(wildcard agent/queue/*.[ch] agent/base/*.c include/kubemote/km_base.h include/kubemote/km_queue.h) \
		| build/linux-debug/ready
	@mkdir -p $(@D)
	@gcc -O1 -g -fsanitize=thread -std=c11 -D_DEFAULT_SOURCE $(WARNINGS) -I. -Iinclude -Ibuild/linux-debug/include \
		-o $@ $(filter %.c,$(filter-out agent/queue/%,$^)) -lcmocka -lpthread
threads: ## The work queue shared by threads (CONFIG_KM_QUEUE_LOCK) under ThreadSanitizer
	@$(TOOLS)/need.sh unit
	@$(MAKE) -s $(THREAD_TEST)
	@# The sanitizer's shadow memory needs addresses that do not move; a container may forbid to ask for that.
	@TSAN_OPTIONS=halt_on_error=1 $$(setarch -R true 2>/dev/null && echo setarch -R) $(THREAD_TEST)
fault: ## Fault tests on the simulated port, under ASan and UBSan; cuts at every byte without
	@$(TOOLS)/need.sh unit
	@$(call run_programs,linux-asan,fault,$(FAULT_TESTS))
	@$(call run_programs,linux-debug,fault,test_cut test_informer test_retry)
valgrind: ## Unit tests under valgrind
	@$(TOOLS)/need.sh valgrind
	@$(call run_programs,linux-debug,unit,$(UNIT_TESTS),valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite)
arm: ## Unit tests as the ARM code that ships, under qemu-user
	@$(TOOLS)/need.sh arm
	@$(call run_programs,armv7,unit,$(UNIT_TESTS),$(armv7_EMULATOR))
fuzz: ## Each fuzz target for FUZZ_SECONDS (20), what every byte of a watch passes for 60 at least (FUZZ_SEED=0: other inputs each time)
	@$(TOOLS)/need.sh fuzz
	@$(MAKE) -s -j2 $(addprefix build/linux-fuzz/fuzz/,$(FUZZ_TARGETS))
	@$(TOOLS)/run_fuzz.sh $$(($(FUZZ_SECONDS) > 60 ? $(FUZZ_SECONDS) : 60)) $(addprefix build/linux-fuzz/fuzz/,$(FUZZ_STREAM))
	@$(TOOLS)/run_fuzz.sh $(FUZZ_SECONDS) $(addprefix build/linux-fuzz/fuzz/,$(filter-out $(FUZZ_STREAM),$(FUZZ_TARGETS)))

# --- memory, size and the shipped file ---------------------------------------------------------------------------------

SHIPPING := linux arm64 armv7 armv7-agent
build_shipping = $(foreach b,$(SHIPPING),$(MAKE) -s -j2 BOARD=$b all || exit 1;)
.PHONY: boards memplan size hardening reproducible lwip check-docs
boards: ## Build every board that ships, and the one for debugging with all tools
	@$(MAKE) -s -j2 BOARD=linux-debug all
	@$(build_shipping) $(foreach b,$(SHIPPING),echo "ok $b: $$(stat -c %s build/$b/kubemote) bytes";)

memplan: ## Print the memory plan; fails beyond a board's budget (UPDATE=1 writes docs/MEMORY.md)
	@$(TOOLS)/need.sh memplan
	@$(build_shipping) $(MAKE) -s -j2 stack-objects || exit 1
	@python3 $(TOOLS)/memplan.py $(if $(UPDATE),--write,--check) docs/MEMORY.md --stack build/armv7-gcc $(SHIPPING)

.PHONY: stack-objects
stack-objects: $(call agent_objects,armv7-gcc)

size: ## Bytes by part, the largest functions, and the file against the board's budget
	@$(build_shipping) python3 -B $(TOOLS)/size.py $(SHIPPING)

hardening: ## Read the files that ship: static PIE, RELRO, stack protector, no allocator behind the seal
	@$(TOOLS)/need.sh check
	@$(build_shipping) python3 -B $(TOOLS)/hardening.py $(SHIPPING)

reproducible: ## Two builds in two folders give the same bytes
	@$(MAKE) -s -j2 BOARD=linux all && $(MAKE) -s -j2 BOARD=armv7 all
	@$(TOOLS)/reproducible.sh $(DEPS) linux armv7

lwip: build/linux/include/km_config.h build/linux/include/km_version.h ## The socket calls compile against lwIP's own headers
	@$(TOOLS)/need.sh lwip
	@$(TOOLS)/lwip_check.sh -I. -Iinclude -Ibuild/linux/include -Iport/posix

check-docs: $(VENV_STAMP) ## docs/CONFIG.md is up to date; links between documents hold; `make help` is complete
	@$(PY) -B $(TOOLS)/kconfig.py docs build/CONFIG.md
	@cmp build/CONFIG.md docs/CONFIG.md && echo "ok docs/CONFIG.md" || { echo "FAIL docs/CONFIG.md is stale: make config-docs"; exit 1; }
	@$(TOOLS)/need.sh check
	@$(MAKE) -s -j2 BOARD=linux all
	@python3 -B $(TOOLS)/doc_lint.py

# --- tests with other programs -----------------------------------------------------------------------------------------

export GOTOOLCHAIN := auto
# The same everywhere: packages compiled for the control plane serve the tests too.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath
GO = $(shell $(TOOLS)/go.sh)
CLUSTER := build/cluster/kubemote-cluster
CORPORA ?= ../shared/corpora

.PHONY: conformance client obs trace informer cluster cluster-program plane e2e elect soak bench bench-queue bench-trip bench-cli bench-sieve bench-informer run run-test test
conformance: ## Judge kubemote-check by the corpora (CORPORA=../shared/corpora); skipped where they are absent
	@$(MAKE) -s -j2 BOARD=linux all
	@for judge in json http scalars yaml kubeconfig request klog; do python3 -B tests/check/conformance_$$judge.py build/linux/kubemote-check $(CORPORA) || exit 1; done

client: build/linux/kubemote-check ## The client beside client-go's: typed objects, errors, retries, pages, identity, certificates that change
	@$(TOOLS)/need.sh go
	@cd tests/client && $(GO) test -v -count=1 -timeout 10m .

obs: $(foreach b,linux linux-asan,build/$b/obs-serve build/$b/kubemote) ## Metrics and logs beside Prometheus' parsers and client-go; hostile scrapers
	@$(TOOLS)/need.sh go
	@mkdir -p build/obs && cd tests/obs && $(GO) test -c -o $(CURDIR)/build/obs/obs-test . && cd $(CURDIR)/build/obs && rm -f failed && \
	for board in linux linux-asan; do \
		KM_CORPORA=$(abspath $(CORPORA)) KM_AGENT=$(CURDIR)/build/$$board/kubemote KM_OBS_SERVE=$(CURDIR)/build/$$board/obs-serve \
			./obs-test -test.v >$$board.log 2>&1 || touch failed & \
	done; wait; cat linux.log linux-asan.log; test ! -e failed

trace: build/linux/queue-trace ## The work queue against client-go's: 100,000 random operation strings (STRINGS=, SEED=)
	@$(TOOLS)/need.sh go
	@mkdir -p build/trace
	@cd tests/trace/go && CGO_ENABLED=0 $(GO) test -c -trimpath -o $(CURDIR)/build/trace/queue-trace-go .
	@python3 -B tests/trace/differential.py build/linux/queue-trace build/trace/queue-trace-go

informer: cluster-program ## The informer against client-go's: a scripted server with every fault, a real plane under churn
	@$(TOOLS)/need.sh go
	@$(MAKE) -s -j2 build/linux/informer-trace build/linux/informer-trace-large && mkdir -p build/trace
	@cd tests/informer && CGO_ENABLED=0 $(GO) build -trimpath -o $(CURDIR)/build/trace/informer-reference ./reference
	@cd tests/informer && KUBEMOTE_CLUSTER_BIN=$(abspath $(CLUSTER)) CGO_ENABLED=0 $(GO) test -trimpath -v -count=1 -parallel 8 -timeout 15m .

cluster-program:
	@$(TOOLS)/need.sh go
	@GO=$(GO) tests/cluster/build.sh $(CLUSTER)

cluster: cluster-program ## Start a real control plane by hand; prints its kubeconfig; Ctrl-C ends it
	@$(CLUSTER) up --dir build/plane

plane: cluster-program ## Tests of the control plane for tests and of its fault proxy
	@cd tests/cluster && KUBEMOTE_CLUSTER_BIN=$(abspath $(CLUSTER)) $(GO) test -v -count=1 ./...

e2e: examples ## End to end on the real control plane (E2E=pattern for some)
	@$(TOOLS)/need.sh e2e
	@for board in linux armv7 armv7-agent; do $(MAKE) -s -j2 BOARD=$$board all || exit 1; done; $(MAKE) -s cluster-program
	@cd tests/e2e && KUBEMOTE_CLUSTER_BIN=$(abspath $(CLUSTER)) $(GO) test -v -count=1 -timeout 20m $(if $(E2E),-run '$(E2E)') ./...

elect: build/linux/elect-trace build/linux/example-controller ## Leader election and the example controller beside client-go's, on a real control plane (ELECT_SHORT=1)
	@$(TOOLS)/need.sh go
	@$(MAKE) -s cluster-program
	@cd tests/elect/go && KUBEMOTE_CLUSTER_BIN=$(abspath $(CLUSTER)) $(GO) test -v -count=1 -timeout 20m $(if $(ELECT_SHORT),-short) ./...

# The TLS port alone against a Go server: connections cut and resumed in random order; its memory must stay flat.
SOAK_ROUNDS ?= 2000
define soak_rule
build/$1/soak/%: build/$1/obj/tests/soak/%.o build/$1/obj/tests/soak/tls_peer.o $$(call libs_of,$1,base port) | $$($1_RUNTIME_STAMP)
	@mkdir -p $$(@D)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),-s)
endef
$(foreach b,linux linux-asan armv7,$(eval $(call soak_rule,$b)))

soak: build/linux/soak/tls_soak build/linux/soak/tls_cases ## TLS: every kind of server, then SOAK_ROUNDS (2000) of reconnects
	@$(TOOLS)/need.sh go
	@mkdir -p build/soak && cd tests/soak/server && CGO_ENABLED=0 $(GO) build -trimpath -o ../../../build/soak/server .
	@tests/soak/run.sh build/soak/server build/linux/soak $(SOAK_ROUNDS)

# mbedTLS without an agent, for comparison.
define bare_rule
build/$1/bench/bare: build/$1/obj/tests/bench/bare.o $$(call libs_of,$1,base port) | $$($1_RUNTIME_STAMP)
	@mkdir -p $$(@D)
	$$(call say,LINK    $$@)
	@$$(call link,$1,$$@,$$(filter %.o,$$^),$$(filter %.a,$$^),-s)
endef
$(foreach b,$(SHIPPING),$(eval $(call bare_rule,$b)))

bench: ## Figures side by side: kubemote, client-go, a bare TLS client (BENCH_QUICK=1: within three minutes)
	@$(TOOLS)/need.sh go
	@$(build_shipping) $(MAKE) -s -j2 $(SHIPPING:%=build/%/bench/bare) && $(MAKE) -s cluster-program
	@GO=$(GO) tests/bench/run.sh
	@GO=$(GO) tests/bench/queue/run.sh
	@$(MAKE) -s bench-cli
	@$(MAKE) -s bench-informer

bench-queue: ## The work queue's operations per second beside client-go's
	@$(TOOLS)/need.sh go
	@GO=$(GO) tests/bench/queue/run.sh

bench-trip: build/linux/kubemote ## An event on the wire to the status patch that answers it, beside client-go (BENCH_QUICK=1: few)
	@$(TOOLS)/need.sh go
	@$(MAKE) -s cluster-program
	@GO=$(GO) BENCH_TRIP=1 tests/bench/run.sh

# 10,000 pods and 30,000 namespaces on a real control plane: BENCH_PLANE=1. Else a server that answers from memory.
bench-cli: ## Long lists: the command line beside kubectl, time and memory (BENCH_PLANE=1: from a real control plane)
	@$(TOOLS)/need.sh go
	@$(MAKE) -s -j2 BOARD=linux all && $(MAKE) -s cluster-program && mkdir -p build/bench
	@cd tests/bench && $(GO) build -buildvcs=false -o $(CURDIR)/build/bench/bench-cli ./cli
	@build/bench/bench-cli -root . $(if $(BENCH_PLANE),-plane) $(if $(filter-out 0,$(BENCH_QUICK)),-runs 2)

bench-sieve: ## Megabytes a second of the sieve beside yyjson (ROUNDS=40)
	@tests/bench/sieve/run.sh

bench-informer: ## Figures of the informer alone: events and memory, reads from the cache, the sieve beside yyjson
	@$(TOOLS)/need.sh go
	@tests/bench/sieve/run.sh
	@$(MAKE) -s -j2 build/linux/informer-trace build/linux/bench/bare
	@GO=$(GO) tests/bench/events/run.sh
	@GO=$(GO) tests/bench/cache/run.sh

run: ## Join a cluster: KUBECONFIG, ~/.kube/config, or a local plane of its own (FOR=60 ends after 60 s, NODE=name, CONFIG=file)
	@$(TOOLS)/need.sh build
	@python3 -B $(TOOLS)/run.py $(if $(FOR),--for '$(FOR)') $(if $(NODE),--node '$(NODE)') $(if $(CONFIG),--config '$(CONFIG)')

run-test: cluster-program ## Tests of `make run`: it gets Ready, ends in order at any moment, leaves nothing behind
	@$(MAKE) -s -j2 all
	@python3 -B $(TOOLS)/test_run.py

# Which parts; run_tests.py knows all and their order.
TEST_PARTS ?=
test: ## Run every check; ends with "N passed, N failed" (TEST_PARTS="unit e2e" for some)
	@$(TOOLS)/need.sh check
	@python3 -B $(TOOLS)/run_tests.py $(TEST_PARTS)

# --- the rest ----------------------------------------------------------------------------------------------------------

.PHONY: help need clean distclean
help: ## This list
	@awk -F ':.*## ' '/^[a-z][a-z0-9 -]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST) | sort -u

need: ## Install the Debian packages of all groups
	@$(TOOLS)/need.sh build check unit valgrind arm fuzz memplan lwip go e2e

clean: ## Remove what was built; fetched parts and the control plane stay
	@rm -rf $(addprefix build/,$(BOARDS)) build/warnings build/threads build/test-logs build/soak

distclean: ## Remove everything that is not in the repository
	@rm -rf build
