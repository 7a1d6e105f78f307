# Real programs, each a folder of payloads/ with its own Makefile.

PAYLOADS := $(patsubst payloads/%/Makefile,%,$(wildcard payloads/*/Makefile))

# Those that `make test` builds: the others take minutes each, and are tried where they are there.
PAYLOADS_TESTED := $(filter-out python numpy redis nginx,$(PAYLOADS))

# The C library they are built with: kontain or musl; see payloads/payload.mk.
RUNTIME ?= kontain

payload_make = $(MAKE) --no-print-directory -C payloads/$(1) \
	BUILD=$(abspath $(BUILD)) KM=$(abspath $(KM)) RUNTIME=$(RUNTIME)

.PHONY: payloads payloads-tested check-payloads demo \
	$(PAYLOADS:%=payload-%) $(PAYLOADS:%=check-payload-%)

payloads: $(PAYLOADS:%=payload-%) ## payloads: Build the payloads; one of them: payload-NAME

payloads-tested: $(PAYLOADS_TESTED:%=payload-%)

$(PAYLOADS:%=payload-%): payload-%:
	+@$(call payload_make,$*)

# What they take from elsewhere is not to be built twice at a time.
ifeq ($(RUNTIME),kontain)
$(PAYLOADS:%=payload-%): runtime-c
payload-cpp: runtime
endif
payload-python: payload-sqlite
payload-numpy: payload-python

check-payloads: $(PAYLOADS:%=check-payload-%) ## payloads: Run the payloads natively and under km; one: check-payload-NAME

$(PAYLOADS:%=check-payload-%): check-payload-%: km
	+@$(call payload_make,$*) check

# Steps in their order, whatever -j says.
demo: ## payloads: Set up, build km and Lua from its Debian source, run Lua under km
	@$(MAKE) --no-print-directory setup-demo
	@$(MAKE) --no-print-directory km
	@$(MAKE) --no-print-directory payload-lua RUNTIME=musl
	@payloads/demo $(BUILD)/payloads-musl/lua $(KM)
