# All targets stand in make/*.mk. `make help` lists them.

.DEFAULT_GOAL := help

include make/locations.mk
include make/build.mk
include make/setup.mk
include make/runtime.mk
include make/install.mk
include make/dist.mk
include make/guests.mk
include make/payloads.mk
include make/nsm.mk
include make/svm.mk
include make/test.mk
include make/soak.mk
include make/fuzz.mk
include make/compatibility.mk
include make/images.mk
include make/kubernetes.mk
include make/bench.mk

.PHONY: help
help: ## Print this list
	@awk 'BEGIN { FS = ":.*## "; print "Targets:" } \
		/^[a-zA-Z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
