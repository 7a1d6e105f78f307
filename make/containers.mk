# krun, the OCI runtime, and the containers it is tried with: tests/containers.

# Beside km. Built by itself, as what it asks of its crates would be in km as well.
KRUN := $(dir $(KM))krun
CONTAINER_ROOTFS := $(BUILD)/containers/rootfs.tar
CONTAINER_PACKAGES := python3 redis-server redis-tools procps

.PHONY: krun containers-rootfs oci-table bench-containers

ifeq ($(ARCHIVE),)
krun: ## build: Build krun, the OCI runtime, and km-docker-config
	@cargo build --quiet --release --package krun
endif

containers-rootfs: $(CONTAINER_ROOTFS)

# Without it the trials of containers are skipped.
$(CONTAINER_ROOTFS):
	@mkdir -p $(@D)
	@echo "  ROOT   $@"
	@make/debian-root $@.new $(CONTAINER_PACKAGES) >$(@D)/rootfs.log 2>&1 && mv $@.new $@ || \
		echo "containers: cannot make $@ (log: $(@D)/rootfs.log)"

oci-table: km krun $(CONTAINER_ROOTFS) ## docs: Write the table of OCI features into docs/containers.md: krun, crun, runsc
	@BUILD='$(abspath $(BUILD))' KM='$(abspath $(KM))' KRUN='$(abspath $(KRUN))' tests/containers/oci-table docs/containers.md

bench-containers: km krun $(CONTAINER_ROOTFS) ## bench: Measure containers of krun beside those of crun and runsc
	@BUILD='$(abspath $(BUILD))' KM='$(abspath $(KM))' KRUN='$(abspath $(KRUN))' tests/containers/bench
