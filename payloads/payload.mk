# What the recipes of the payloads have in common.
#
# A recipe sets NAME (its folder), SOURCE (the Debian source package), BINARY
# (the file it builds) and NEEDS (commands beyond the usual ones), includes this
# file, and says how $(PAYLOAD) is made from $(RECIPE) and $(SOURCE_READY) with
# $(CC_KM). One that cannot do without an option of km's names it in KM_WANTS; one
# that has no native run says CHECKS := km. `make run ARGS="..."` and `make check` follow; and `make suite` where
# the program's own tests are a suite of tests/src/bin/compatibility.

PAYLOADS := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
TOP      := $(patsubst %/,%,$(dir $(PAYLOADS)))
HERE     := $(PAYLOADS)/$(NAME)

BUILD ?= $(TOP)/build
override BUILD := $(abspath $(BUILD))
KM    ?= $(TOP)/target/x86_64-unknown-linux-gnu/release/km
override KM := $(abspath $(KM))
KM_FLAGS ?=
KM_WANTS ?=
CHECKS   ?= native km
# Takes what `make run` prints, beginning with a pipe.
WATCH    ?=
JOBS     ?= $(shell nproc)
ARGS     ?=

# The C library: `kontain` (km's own) or `musl` (the distribution's). Each has
# its own folder for all that is made.
RUNTIME ?= kontain

OUTPUTS_kontain := $(BUILD)/payloads
OUTPUTS_musl    := $(BUILD)/payloads-musl
OUTPUTS := $(OUTPUTS_$(RUNTIME))
$(if $(OUTPUTS),,$(error RUNTIME is musl or kontain, not "$(RUNTIME)"))

OUT     := $(OUTPUTS)/$(NAME)
SRC     := $(OUT)/src
LOG     := $(OUT)/build.log
PAYLOAD := $(OUT)/$(BINARY)

# musl comes without the kernel's headers. Only these folders are lent to it:
# the rest of /usr/include belongs to glibc.
KERNEL_HEADERS := $(BUILD)/kernel-headers
CC_musl    := musl-gcc -idirafter $(KERNEL_HEADERS)
CC_kontain := $(BUILD)/kontain/bin/kontain-gcc
CC_KM      ?= $(CC_$(RUNTIME))

# C++ on musl is clang with its own library, by zig; see make/guests.mk.
ZIG         := $(BUILD)/zig/ziglang/zig
CXX_musl    := env ZIG_GLOBAL_CACHE_DIR=$(BUILD)/zig-cache ZIG_LOCAL_CACHE_DIR=$(BUILD)/zig-cache \
	$(ZIG) c++ -target x86_64-linux-musl
CXX_kontain := $(BUILD)/kontain/bin/kontain-g++
CXX_KM      ?= $(CXX_$(RUNTIME))

# What is said of a program that is linked with shared libraries, and where its
# dynamic linker is.
DYNAMIC_musl    :=
DYNAMIC_kontain := -dynamic --prefix=$(BUILD)/kontain
DYNAMIC         := $(DYNAMIC_$(RUNTIME))

# Runs a command that speaks only when it fails.
QUIETLY := $(PAYLOADS)/quietly $(LOG)

# An upstream makefile must not see the variables and flags of this one.
UPSTREAM_ENV = env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BUILD -u KM -u KM_FLAGS -u JOBS -u ARGS -u RUNTIME \
	LC_ALL=C GIT_DIR=/nonexistent
UPSTREAM_MAKE = $(UPSTREAM_ENV) SOURCE_DATE_EPOCH=$$(dpkg-parsechangelog -l$(SRC)/debian/changelog -STimestamp) \
	$(MAKE) -C $(SRC)

# What km's own C and C++ library are built to.
LIBC_kontain      := $(BUILD)/kontain/runtime/libc.a
LIBSTDCXX_kontain := $(BUILD)/kontain/lib/libstdc++.a

RECIPE       := Makefile $(PAYLOADS)/payload.mk $(if $(SOURCE),$(LIBC_$(RUNTIME)))
SOURCE_READY := $(SRC)/debian/changelog

.DELETE_ON_ERROR:
.PHONY: all run native check suite clean

all: $(PAYLOAD)
	@:

$(LIBC_kontain):
	@$(MAKE) --no-print-directory -C $(TOP) BUILD=$(BUILD) runtime-c

$(LIBSTDCXX_kontain):
	@$(MAKE) --no-print-directory -C $(TOP) BUILD=$(BUILD) runtime

$(SOURCE_READY): | $(LIBC_$(RUNTIME))
	@for tool in gcc $(firstword $(CC_KM)) $(NEEDS); do \
		command -v $$tool >/dev/null || \
		{ echo "$(NAME): $$tool not found: run 'make setup'" >&2; exit 1; }; done
	@BUILD=$(BUILD) $(PAYLOADS)/fetch-source $(SOURCE) $(SRC)

$(KERNEL_HEADERS):
	@mkdir -p $@.partial.$$$$ && \
	ln -s /usr/include/linux /usr/include/asm-generic /usr/include/mtd $@.partial.$$$$/ && \
	ln -s /usr/include/$$(gcc -print-multiarch)/asm $@.partial.$$$$/asm && \
	{ mv -T $@.partial.$$$$ $@ 2>/dev/null || rm -rf $@.partial.$$$$; }

run: $(PAYLOAD)
	$(KM) $(KM_WANTS) $(KM_FLAGS) $(PAYLOAD) $(ARGS) $(WATCH)

native: $(PAYLOAD)
	$(PAYLOAD) $(ARGS)

check: all
	@CHECKS="$(CHECKS)" $(PAYLOADS)/check-payload $(HERE) $(PAYLOAD) $(OUT)/check $(KM) $(KM_WANTS) $(KM_FLAGS)

# ONLY names some of the suite's items.
suite:
	@$(MAKE) --no-print-directory -C $(TOP) compatibility BUILD=$(BUILD) KM=$(KM) SUITE=payload-$(NAME) ONLY="$(ONLY)"

clean:
	rm -rf $(OUT)
