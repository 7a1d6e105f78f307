# What the recipes of the payloads have in common.
#
# A recipe sets NAME (its folder), SOURCE (the Debian source package), BINARY
# (the file it builds) and NEEDS (commands beyond the usual ones), includes this
# file, and says how $(PAYLOAD) is made from $(RECIPE) and $(SOURCE_READY).
# `make run ARGS="..."` and `make check` follow.

PAYLOADS := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
TOP      := $(patsubst %/,%,$(dir $(PAYLOADS)))
HERE     := $(PAYLOADS)/$(NAME)

BUILD ?= $(TOP)/build
override BUILD := $(abspath $(BUILD))
KM    ?= $(TOP)/target/x86_64-unknown-linux-gnu/release/km
override KM := $(abspath $(KM))
KM_FLAGS ?=
JOBS     ?= $(shell nproc)
ARGS     ?=

OUT     := $(BUILD)/payloads/$(NAME)
SRC     := $(OUT)/src
LOG     := $(OUT)/build.log
PAYLOAD := $(OUT)/$(BINARY)

# musl comes without the kernel's headers. Only these folders are lent to it:
# the rest of /usr/include belongs to glibc.
KERNEL_HEADERS := $(BUILD)/kernel-headers
MUSL_CC := musl-gcc -idirafter $(KERNEL_HEADERS)

# Runs a command that speaks only when it fails.
QUIETLY := $(PAYLOADS)/quietly $(LOG)

# An upstream makefile must not see the variables and flags of this one.
UPSTREAM_MAKE = env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BUILD -u KM -u JOBS -u ARGS \
	LC_ALL=C SOURCE_DATE_EPOCH=$$(dpkg-parsechangelog -l$(SRC)/debian/changelog -STimestamp) \
	$(MAKE) -C $(SRC)

RECIPE       := Makefile $(PAYLOADS)/payload.mk
SOURCE_READY := $(SRC)/debian/changelog

.DELETE_ON_ERROR:
.PHONY: all run native check clean

all: $(PAYLOAD)
	@:

$(SOURCE_READY):
	@for tool in gcc musl-gcc $(NEEDS); do \
		command -v $$tool >/dev/null || \
		{ echo "$(NAME): $$tool not found: run 'make setup'" >&2; exit 1; }; done
	@BUILD=$(BUILD) $(PAYLOADS)/fetch-source $(SOURCE) $(SRC)

$(KERNEL_HEADERS):
	@mkdir -p $@.partial.$$$$ && \
	ln -s /usr/include/linux /usr/include/asm-generic /usr/include/mtd $@.partial.$$$$/ && \
	ln -s /usr/include/$$(gcc -print-multiarch)/asm $@.partial.$$$$/asm && \
	{ mv -T $@.partial.$$$$ $@ 2>/dev/null || rm -rf $@.partial.$$$$; }

run: $(PAYLOAD)
	$(KM) $(KM_FLAGS) $(PAYLOAD) $(ARGS)

native: $(PAYLOAD)
	$(PAYLOAD) $(ARGS)

check: $(PAYLOAD)
	@$(PAYLOADS)/check-payload $(HERE) $(PAYLOAD) $(OUT)/check $(KM) $(KM_FLAGS)

clean:
	rm -rf $(OUT)
