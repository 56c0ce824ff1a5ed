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
ARMHF_STAMP := $(DEPS)/stamps/armhf

# Another mbedTLS 3.6 tree: make MBEDTLS_DIR=/path
MBEDTLS_DIR ?= $(DEPS)/mbedtls
LIBYAML_DIR := $(DEPS)/libyaml
LIBYAML_SOURCES := api.c reader.c scanner.c parser.c

.PHONY: deps
deps: $(VENV_STAMP) $(MBEDTLS_STAMP) $(LIBYAML_STAMP) $(JSMN_STAMP) ## Fetch what the build needs (once)

$(VENV_STAMP):
	@STAMP=$@ $(TOOLS)/deps.sh venv $(VENV) ziglang==$(ZIG_VERSION) kconfiglib==$(KCONFIGLIB_VERSION) \
		clang-format==$(CLANG_FORMAT_VERSION)

$(MBEDTLS_STAMP):
ifeq ($(MBEDTLS_DIR),$(DEPS)/mbedtls)
	@STAMP=$@ $(TOOLS)/deps.sh source $(MBEDTLS_DIR) $(SOURCE_SUITE) mbedtls '3.6.*'
endif

$(LIBYAML_STAMP):
	@STAMP=$@ $(TOOLS)/deps.sh source $(LIBYAML_DIR) $(SOURCE_SUITE) libyaml '0.2.*'

$(JSMN_STAMP):
	@STAMP=$@ $(TOOLS)/deps.sh header $(DEPS)/include libjsmn-dev /usr/include/jsmn.h

# cmocka.h alone, for compilers whose own headers must not mix with /usr/include.
$(CMOCKA_STAMP):
	@STAMP=$@ $(TOOLS)/deps.sh header $(DEPS)/include-cmocka libcmocka-dev /usr/include/cmocka.h

$(ARMHF_STAMP):
	@STAMP=$@ $(TOOLS)/deps.sh armhf $(DEPS)/armhf libcmocka0 libcmocka-dev

$(addprefix $(MBEDTLS_DIR)/library/,$(MBEDTLS_SOURCES)): | $(MBEDTLS_STAMP) ;
$(addprefix $(LIBYAML_DIR)/src/,$(LIBYAML_SOURCES)): | $(LIBYAML_STAMP) ;

# --- rooms and layers --------------------------------------------------------------------------------------------------
# The order is the order in the binary: what runs all the time first, what runs only at start or by hand last, so that
# cold code does not share pages with hot code.

HOT_ROOMS := base json net kube cache queue watch control node log metrics
COLD_ROOMS := cli
ROOMS := $(HOT_ROOMS) $(COLD_ROOMS)
LIB_ROOMS := base json net kube cache queue watch control log metrics

room_sources = $(sort $(wildcard agent/$1/*.c))
port_sources = $(sort $(wildcard port/$1/*.c))

# closure_<room>: the room and all that it may use, from layers.txt, as room names and "port".
$(foreach row,$(shell awk -f $(TOOLS)/closure.awk $(TOOLS)/layers.txt),\
	$(eval closure_$(subst |, ,$(subst =, := ,$(row)))))

# --- flags -------------------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Werror
COMMON_CFLAGS := -std=c11 -ffunction-sections -fdata-sections -fstack-protector-strong \
	-ffile-prefix-map=$(abspath $(DEPS))/=deps/ -ffile-prefix-map=$(CURDIR)/= -D_DEFAULT_SOURCE
ZIG_CFLAGS := -Os -fPIE -g0 -fno-sanitize=undefined -fomit-frame-pointer
ZIG_LDFLAGS := -static -pie -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now
GCC_LDFLAGS := -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now

# Multi-precision arithmetic takes most of a handshake: see docs/DESIGN.md for the measure.
MBEDTLS_FAST := bignum.c bignum_core.c ecp.c ecp_curves.c

# What a source file may see beyond include/: outside headers are system headers, whose warnings do not count.
MBEDTLS_INCLUDES = -isystem $(MBEDTLS_DIR)/include -DMBEDTLS_CONFIG_FILE='"kubemote_mbedtls_config.h"' -Iport/mbedtls
YAML_INCLUDES := -isystem $(LIBYAML_DIR)/include
source_flags = $(if $(filter port/mbedtls/%,$1),$(MBEDTLS_INCLUDES)) $(if $(filter agent/kube/yaml.c,$1),$(YAML_INCLUDES)) \
	$(if $(filter agent/main.c,$1),-Iagent) \
	$(if $(filter tests/%,$1),-I. $(MBEDTLS_INCLUDES) $(YAML_INCLUDES))

# --- boards ------------------------------------------------------------------------------------------------------------

define board_load
BOARD_KIND :=
BOARD_TARGET :=
BOARD_PREFIX :=
BOARD_CFLAGS :=
BOARD_LDFLAGS :=
BOARD_EMULATOR :=
BOARD_INCLUDES :=
BOARD_NEEDS :=
include board/$1/board.mk
$1_KIND := $$(BOARD_KIND)
$1_EMULATOR := $$(BOARD_EMULATOR)
$1_LDFLAGS := $$(BOARD_LDFLAGS)
$1_EXTRA_CFLAGS := $$(BOARD_CFLAGS)
$1_TARGET := $$(BOARD_TARGET)
$1_PREFIX := $$(BOARD_PREFIX)
$1_INCLUDES := $$(BOARD_INCLUDES)
$1_NEEDS := $$(BOARD_NEEDS)
endef
$(foreach b,$(BOARDS),$(eval $(call board_load,$b)))

# Compiler, archiver and flags of each kind of board.
define kind_zig
$1_CC := $(ZIG) cc -target $($1_TARGET)
$1_AR := $(ZIG) ar
$1_CFLAGS := $(ZIG_CFLAGS) $($1_EXTRA_CFLAGS)
$1_LINK := $(ZIG_LDFLAGS) $($1_LDFLAGS)
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
	@echo '$$(subst ','"'"',$$($1_CC) $$($1_CFLAGS) $(COMMON_CFLAGS) $(WARNINGS))' | cmp -s - $$@ || \
		echo '$$(subst ','"'"',$$($1_CC) $$($1_CFLAGS) $(COMMON_CFLAGS) $(WARNINGS))' >$$@

build/$1/ready: build/$1/include/km_config.h build/$1/include/km_version.h | $(JSMN_STAMP) $(VENV_STAMP) $(MBEDTLS_STAMP) $(LIBYAML_STAMP)
	@:

build/$1/obj/%.o: %.c build/$1/.flags | build/$1/include/km_config.h build/$1/include/km_version.h \
		$(JSMN_STAMP) $(VENV_STAMP) $(MBEDTLS_STAMP) $(LIBYAML_STAMP) $(if $($1_NEEDS),$(DEPS)/stamps/$($1_NEEDS))
	@mkdir -p $$(@D)
	$$(call say,CC      $1 $$<)
	@$$($1_CC) $$($1_CFLAGS) $(COMMON_CFLAGS) $(WARNINGS) -Iinclude -Ibuild/$1/include \
		-isystem $(DEPS)/include $($1_INCLUDES) \
		$$(call source_flags,$$<) $$(object)

# Outside code: their warnings are not ours.
build/$1/obj/mbedtls/%.o: $(MBEDTLS_DIR)/library/%.c build/$1/.flags | build/$1/include/km_config.h
	@mkdir -p $$(@D)
	$$(call say,CC      $1 mbedtls/$$(<F))
	@$$($1_CC) $$($1_CFLAGS) $$(if $$(filter $(MBEDTLS_FAST),$$(<F)),-O2) $(COMMON_CFLAGS) -w -Ibuild/$1/include \
		-Iport/mbedtls -I$(MBEDTLS_DIR)/include -I$(MBEDTLS_DIR)/library \
		-DMBEDTLS_CONFIG_FILE='"kubemote_mbedtls_config.h"' $$(object)
build/$1/obj/libyaml/%.o: $(LIBYAML_DIR)/src/%.c build/$1/.flags | build/$1/include/km_config.h
	@mkdir -p $$(@D)
	$$(call say,CC      $1 libyaml/$$(<F))
	@$$($1_CC) $$($1_CFLAGS) $(COMMON_CFLAGS) -w -I$(LIBYAML_DIR)/include -DYAML_VERSION_STRING='"0.2.5"' \
		-DYAML_VERSION_MAJOR=0 -DYAML_VERSION_MINOR=2 -DYAML_VERSION_PATCH=5 -DYAML_DECLARE_STATIC \
		$(if $(filter zig,$($1_KIND)),$(if $(wildcard port/posix/heap.c),-Dstrdup=km_heap_strdup)) $$(object)

$$(foreach r,$(ROOMS),$$(eval $$(call archive_rule,$1,libkm_$$r,$$(call objects,$1,$$(call room_sources,$$r)),$$(wildcard agent/$$r))))
$$(foreach p,posix mbedtls sim,$$(eval $$(call archive_rule,$1,libkm_port_$$p,$$(call objects,$1,$$(call port_sources,$$p)),$$(wildcard port/$$p))))
$$(eval $$(call archive_rule,$1,libmbedtls,$(MBEDTLS_SOURCES:%.c=build/$1/obj/mbedtls/%.o)))
$$(eval $$(call archive_rule,$1,libyaml,$(LIBYAML_SOURCES:%.c=build/$1/obj/libyaml/%.o)))

# Each cmocka program links the room that its name starts with, and what that room may use: test_json_scan links json and
# base. A name without a room links everything.
build/$1/unit/%: build/$1/obj/tests/unit/%.o $$$$(call unit_libs,$1,$$$$*)
	@mkdir -p $$(@D)
	$$(call say,LINK    $$@)
	@$$($1_CC) $$($1_CFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$($1_LINK) -lcmocka

build/$1/fault/%: build/$1/obj/tests/fault/%.o $$(call fault_libs,$1)
	@mkdir -p $$(@D)
	$$(call say,LINK    $$@)
	@$$($1_CC) $$($1_CFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$($1_LINK) -lcmocka

build/$1/fuzz/%: build/$1/obj/tests/fuzz/%.o $$$$(call unit_libs,$1,$$$$*)
	@mkdir -p $$(@D)
	$$(call say,LINK    $$@)
	@$$($1_CC) $$($1_CFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$($1_LINK)

build/$1/kubemote.sym: $$(call agent_objects,$1)
	$$(call say,LINK    $$@)
	@$$($1_CC) $$($1_CFLAGS) -g -o $$@ $$^ $$($1_LINK)
# Linked a second time rather than stripped: zig's objcopy cannot strip, and only -s gives the same bytes everywhere.
build/$1/kubemote: $$(call agent_objects,$1)
	$$(call say,LINK    $$@)
	@$$($1_CC) $$($1_CFLAGS) $(if $(filter zig,$($1_KIND)),-s) -o $$@ $$^ $$($1_LINK)
build/$1/kubemote-check: $$(call objects,$1,$$(sort $$(wildcard tests/check/*.c))) \
		$$(call libs_of,$1,net json base) build/$1/lib/libkm_port_posix.a
	$$(call say,LINK    $$@)
	@$$($1_CC) $$($1_CFLAGS) $(if $(filter zig,$($1_KIND)),-s) -o $$@ $$(filter %.o,$$^) -Wl,--start-group \
		$$(filter %.a,$$^) -Wl,--end-group $$($1_LINK)
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
unit_libs = $(call support_objects,$1,unit) $(call libs_of,$1,$(or $(closure_$(call test_room,$2)),$(ROOMS) port))
fault_libs = $(call support_objects,$1,fault) $(call libs_of,$1,$(ROOMS)) build/$1/lib/libkm_port_sim.a

agent_sources = agent/main.c $(foreach r,$(HOT_ROOMS),$(call room_sources,$r)) $(call port_sources,posix) $(call port_sources,mbedtls)
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
