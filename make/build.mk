# The monitor itself.

.PHONY: km docs clean

km: ## Build km
	@cargo build --quiet --release --package km

docs: km ## Write the pages that km prints itself
	@$(KM) --syscalls=markdown > docs/syscalls.md

clean: ## Remove all that was built
	cargo clean
	rm -rf $(BUILD)
