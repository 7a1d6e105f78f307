# The monitor itself.

.PHONY: km docs clean

ifeq ($(ARCHIVE),)
km: ## build: Build km
	@cargo build --quiet --release --package km
endif

docs: km ## docs: Write the pages that km prints itself
	@$(KM) --syscalls=markdown > docs/syscalls.md

clean: ## build: Remove all that was built
	cargo clean
	rm -rf $(BUILD)
