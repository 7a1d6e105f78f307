# Random mixes of threads, processes and signals under km, for long, and a count of what is left: tests/src/bin/soak.
# `make soak MINUTES=5 SEED=7 LINK=dynamic-glibc ARGS=without=killed`; `HOST=--native` leaves km out.

MINUTES ?=
SEED ?= 1
LINK ?= static-musl
HOST ?=
SOAK_LINKS := static-musl dynamic-glibc
SOAK_OUT := $(BUILD)/soak

.PHONY: soak
soak: km $(SOAK_LINKS:%=$(SOAK_OUT)/%/soak) ## test: Mix threads, processes and signals for 30 minutes, and look for leaks
	KM='$(abspath $(KM))' cargo run --quiet --package km-tests --bin soak -- \
		$(HOST) --minutes $(or $(MINUTES),30) --seed $(SEED) $(SOAK_OUT)/$(LINK)/soak $(ARGS)

SOAK_SRC := $(wildcard tests/soak/*.c)
SOAK_HEADERS := tests/soak/soak.h $(GUEST_HEADERS) make/soak.mk
# The short version is a guest program with a main of its own.
GUEST_SOURCES_soak_short := $(filter-out tests/soak/main.c,$(SOAK_SRC))

define soak_rule
$(SOAK_OUT)/$(1)/soak: $(SOAK_SRC) $(SOAK_HEADERS) | $(GUEST_KERNEL_HEADERS)/.made
	@mkdir -p $$(@D)
	@echo "  SOAK   $(1)"
	@$(GUEST_CC_$(1)) $(GUEST_FLAGS) -o $$@ $(SOAK_SRC)

$(GUESTS_OUT)/$(1)/soak_short: $(GUEST_SOURCES_soak_short) $(SOAK_HEADERS)
endef
$(foreach link,$(SOAK_LINKS),$(eval $(call soak_rule,$(link))))
