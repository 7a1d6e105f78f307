# All targets stand in make/*.mk. `make help` lists them.

.DEFAULT_GOAL := help

include make/locations.mk
include make/archive.mk
include make/build.mk
include make/containers.mk
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
# What stands behind a target as `## AREA: TEXT`.
help: ## docs: Print this list
	@awk -v order='build test payloads images dist bench docs' ' \
		/^[a-zA-Z-]+:.* ## [a-z]+: / { \
			target = $$1; sub(/:.*/, "", target); sub(/^.* ## /, ""); \
			area = $$1; sub(/:/, "", area); sub(/^[a-z]+: /, ""); \
			lines[area] = lines[area] sprintf("  make %-18s %s\n", target, $$0) \
		} \
		END { count = split(order, areas, " "); \
			for (i = 1; i <= count; i++) printf "%s%s:\n%s", (i > 1 ? "\n" : ""), areas[i], lines[areas[i]] }' $(MAKEFILE_LIST)
	@echo; echo 'platform=$(SUPPORTED): the only one there is. Variables stand in the documents: README.md names them.'
