# /opt/kontain: km and its runtime in their place.

# Where it is put, and a folder in front of that (for packages).
PREFIX ?= /opt/kontain
DESTDIR ?=
# For the recipes here, and not for what is built by makefiles that know these names.
unexport PREFIX DESTDIR
quoted = '$(subst ','\'',$(1))'
INSTALLED = $(call quoted,$(PREFIX)) $(call quoted,$(DESTDIR))

# Licence texts, and the list of what km and its runtime are made of.
NOTICES := $(if $(ARCHIVE),$(KONTAIN),$(BUILD)/notices)

.PHONY: install uninstall install-check notices

install: install-check km krun runtime notices ## build: Put km, krun, its C and C++ library and compilers into /opt/kontain (PREFIX, DESTDIR)
	@make/install-tree install $(INSTALLED) $(KM) $(KONTAIN) $(NOTICES)

# Before anything is built.
install-check:
	@make/install-tree check-install $(INSTALLED)

uninstall: ## build: Remove what make install has put there, and nothing else
	@make/install-tree uninstall $(INSTALLED)

ifeq ($(ARCHIVE),)
notices: runtime
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) cargo run --quiet --locked --package km-notices -- \
		$(NOTICES) $(BUILD)/sources $(RUNTIME_WORK)
endif
