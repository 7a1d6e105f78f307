# ARCHIVE=dist/NAME.tar.gz: km, krun, its runtime and its licences are those of an archive that `make dist` has made, and
# nothing of them is built again.

ARCHIVE ?=

ifneq ($(ARCHIVE),)
.PHONY: km krun runtime runtime-c notices
km krun runtime runtime-c notices: $(KONTAIN)/.archive

$(KONTAIN)/.archive: $(ARCHIVE)
	@cd $(dir $(ARCHIVE)) && sha256sum --check --quiet $(notdir $(ARCHIVE)).sha256
	@rm -rf $(KONTAIN) && mkdir -p $(KONTAIN)
	@tar -xzf $(ARCHIVE) --strip-components=1 -C $(KONTAIN)
	@touch $@
endif
