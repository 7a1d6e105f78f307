# /opt/kontain: km and its runtime in their place, and archives of it.

# Where programs find the runtime, and in front of that where it is put (for packages).
PREFIX ?= /opt/kontain
DESTDIR ?=
INSTALLED := $(DESTDIR)$(PREFIX)
# All that is installed there, and nothing else is touched.
INSTALL_TOOLS := kontain-gcc kontain-g++ kontain-ar kontain-strip
INSTALL_FOLDERS := runtime lib include

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
DIST = dist/km-$(VERSION)-x86_64

.PHONY: install uninstall dist

install: km runtime ## Put km, its C and C++ library and compilers into /opt/kontain (PREFIX, DESTDIR)
	@case "$(PREFIX)" in /*) ;; *) echo "install: PREFIX must be an absolute path" >&2; exit 1 ;; esac
	@mkdir -p $(INSTALLED)/bin
	@install -m 755 $(KM) $(INSTALLED)/bin/km
	@for folder in $(INSTALL_FOLDERS); do \
		rm -rf $(INSTALLED)/$$folder.new && cp -a $(KONTAIN)/$$folder $(INSTALLED)/$$folder.new && \
		rm -rf $(INSTALLED)/$$folder && mv $(INSTALLED)/$$folder.new $(INSTALLED)/$$folder || exit 1; done
	@for tool in $(INSTALL_TOOLS); do \
		rm -f $(INSTALLED)/bin/$$tool && cp -P $(KONTAIN)/bin/$$tool $(INSTALLED)/bin/; done
	@rm -f $(INSTALLED)/bin/kontain-ar $(INSTALLED)/bin/kontain-gcc
	@sed 's|^\(link=.* prefix=\)/opt/kontain|\1$(PREFIX)|' $(KONTAIN)/bin/kontain-gcc > $(INSTALLED)/bin/kontain-gcc
	@cp $(KONTAIN)/bin/kontain-ar $(INSTALLED)/bin/kontain-ar
	@chmod 755 $(INSTALLED)/bin/kontain-gcc $(INSTALLED)/bin/kontain-ar
	@echo "km is in $(INSTALLED)/bin"

uninstall: ## Remove what make install has put there
	@rm -f $(addprefix $(INSTALLED)/bin/,km $(INSTALL_TOOLS))
	@rm -rf $(addprefix $(INSTALLED)/,$(INSTALL_FOLDERS))
	@rmdir $(INSTALLED)/bin $(INSTALLED) 2>/dev/null || true
