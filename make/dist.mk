# An archive of km, its runtime and compilers, the same to the byte wherever it
# is built with the same packages.

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
DIST ?= dist
DIST_NAME := km-$(VERSION)-x86_64
DIST_KM := $(TARGET)/dist/km

# The time of all that is packed: that of the last commit, or of the newest file.
ifndef SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH = $(eval SOURCE_DATE_EPOCH := $$(shell git log -1 --format=%ct 2>/dev/null || \
	find . \( -path ./target -o -path ./build -o -path ./dist \) -prune -o -type f -printf '%Ts\n' | \
	sort -n | tail -n 1))$(SOURCE_DATE_EPOCH)
endif

.PHONY: dist dist-km

dist: dist-km runtime notices ## dist: Pack km, its runtime and compilers into dist/, with checksum and bill of materials
	@make/dist-archive $(DIST) $(DIST_NAME) $(SOURCE_DATE_EPOCH) $(DIST_KM) $(KONTAIN) $(NOTICES)

# One after the other, as what krun asks of its crates would be in km as well. Where sources lie is not to be seen in them. RUSTFLAGS would take the place of the flags given here.
dist-km:
	@cargo fetch --quiet --locked --target x86_64-unknown-linux-gnu
	@flags="'--remap-path-prefix=$$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc/$$(rustc -vV | sed -n 's/^commit-hash: //p')',"; \
	for dir in "$${CARGO_HOME:-$$HOME/.cargo}"/registry/src/*; do \
		flags="$$flags'--remap-path-prefix=$$dir=/crates',"; done; \
	env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) \
		sh -c 'for package in km krun; do cargo build --quiet --locked --profile dist --package $$package \
		--config "$$1" || exit; done' sh \
		"target.x86_64-unknown-linux-gnu.rustflags=[$$flags'--remap-path-prefix=$(CURDIR)=/km']"

# The same in a Debian that is made for it: `BUILDER=podman` or any other that
# knows docker's commands, or `BUILDER=chroot`, which needs root and no image.
BUILDER ?= $(DOCKER)
BUILDER_FILES := $(BUILD)/images/builder
BUILDER_PACKAGES = gcc g++ libc6-dev linux-libc-dev make patch dpkg-dev git gcc-$(GCC_VERSION)-source

.PHONY: builder-files image-builder dist-in-builder

builder-files: $(MUSL)/.patched
	@BUILD=$(BUILD) SETUP=$(SETUP) make/install-packages mmdebstrap
	@docker/builder/prepare $(BUILDER_FILES) $(BUILD)/sources $(BUILDER_PACKAGES)

image-builder: builder-files
	$(BUILDER) build --tag km/builder $(BUILDER_FILES)

dist-in-builder: $(if $(filter chroot,$(BUILDER)),builder-files,image-builder) ## dist: Do `make dist` of the last commit in an image of its own (BUILDER)
	@docker/builder/run $(BUILDER_FILES) $(DIST) $(BUILDER)
