# km's C library and compilers: what `make install` puts into /opt/kontain, built in $(KONTAIN).

RUNTIME_WORK := $(abspath $(BUILD))/runtime
MUSL := $(RUNTIME_WORK)/musl
MUSL_PATCHES := $(wildcard runtime/libc/patches/*.patch)
MUSL_OVERLAY := $(shell find runtime/libc/overlay -type f)
# The version that the machine's g++ is of.
GCC_VERSION = $(shell g++ -dumpversion | cut -d. -f1)
GCC := $(RUNTIME_WORK)/gcc
LIBSTDCXX := $(RUNTIME_WORK)/libstdc++
RUNTIME_TOOLS := $(patsubst %,$(KONTAIN)/bin/%,kontain-gcc kontain-g++ kontain-ar kontain-strip)

# Runs a command that speaks only when it fails.
RUNTIME_LOG := $(RUNTIME_WORK)/build.log
RUNTIME_QUIETLY := payloads/quietly $(RUNTIME_LOG)
# A make of its own. Under another name than MAKE, as `make -n` would run it.
RUNTIME_MAKE := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL $(MAKE)
# Nothing of what is built tells where it was built, and libraries look in the pinned place.
RUNTIME_CFLAGS := -O2 -g0 -ffile-prefix-map=$(RUNTIME_WORK)=/kontain
RUNTIME_PLACE := --prefix=/opt/kontain

# What the machine's packages are: where they have changed, it is built anew, as the bill of materials names them.
RUNTIME_COMPILER := $(RUNTIME_WORK)/compiler.packages
RUNTIME_HEADERS := $(RUNTIME_WORK)/headers.packages

ifeq ($(ARCHIVE),)
.PHONY: runtime runtime-c runtime-look

runtime: runtime-c $(KONTAIN)/lib/libstdc++.a ## build: Build km's C library, its C++ library, kontain-gcc and kontain-g++

runtime-c: $(KONTAIN)/runtime/libc.a $(KONTAIN)/lib/libkontain.a $(RUNTIME_TOOLS)

$(RUNTIME_COMPILER): PACKAGES = binutils gcc-$(GCC_VERSION) g++-$(GCC_VERSION)
$(RUNTIME_HEADERS): PACKAGES = linux-libc-dev
$(RUNTIME_COMPILER) $(RUNTIME_HEADERS): runtime-look
	@mkdir -p $(@D)
	@dpkg-query -W $(PACKAGES) >$@.new 2>/dev/null || true
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(MUSL)/.patched: $(MUSL_PATCHES) $(MUSL_OVERLAY)
	@rm -rf $(MUSL)
	@BUILD=$(abspath $(BUILD)) payloads/fetch-source musl $(MUSL)
	@cp -r runtime/libc/overlay/. $(MUSL)/
	@for patch in $(abspath $(MUSL_PATCHES)); do \
		patch -d $(MUSL) -p1 -s -f < $$patch || \
		{ echo "runtime: $$patch does not fit musl $$(cat $(MUSL)/VERSION)" >&2; exit 1; }; done
	@touch $@

# The C library, and the kernel's headers beside its own.
$(KONTAIN)/runtime/libc.a: $(MUSL)/.patched $(RUNTIME_COMPILER) $(RUNTIME_HEADERS) make/runtime.mk
	@echo "  MUSL   $(KONTAIN)/runtime"
	@mkdir -p $(KONTAIN)/include/c++ $(KONTAIN)/lib
	@rm -rf $(KONTAIN)/runtime $(MUSL)/obj $(MUSL)/lib $(RUNTIME_LOG)
	@find $(KONTAIN)/include -mindepth 1 -maxdepth 1 ! -name 'c++' -exec rm -rf {} +
	@cd $(MUSL) && $(abspath payloads/quietly) $(RUNTIME_LOG) env CFLAGS="$(RUNTIME_CFLAGS)" ./configure \
		--prefix=$(KONTAIN) --libdir=$(KONTAIN)/runtime --includedir=$(KONTAIN)/include \
		--syslibdir=$(KONTAIN)/runtime --disable-wrapper
	@$(RUNTIME_QUIETLY) $(RUNTIME_MAKE) -C $(MUSL) -j$(shell nproc) install
	@rm -f $(KONTAIN)/runtime/ld-musl-*
	@ln -sf libc.a $(KONTAIN)/runtime/libruntime.a
	@for dir in linux asm-generic mtd; do cp -r /usr/include/$$dir $(KONTAIN)/include/; done
	@cp -r /usr/include/$$(gcc -print-multiarch)/asm $(KONTAIN)/include/asm
	@touch $@

$(KONTAIN)/bin/kontain-%: runtime/tools/kontain-gcc runtime/tools/kontain-ar runtime/tools/kontain.specs
	@mkdir -p $(KONTAIN)/bin $(KONTAIN)/lib
	@cp runtime/tools/kontain.specs $(KONTAIN)/lib/
	@cp runtime/tools/kontain-gcc $(KONTAIN)/bin/
	@cp runtime/tools/kontain-ar $(KONTAIN)/bin/
	@ln -sf kontain-gcc $(KONTAIN)/bin/kontain-g++
	@ln -sf kontain-ar $(KONTAIN)/bin/kontain-strip

$(KONTAIN)/lib/libkontain.a: $(wildcard runtime/libkontain/*) $(KONTAIN)/runtime/libc.a | $(RUNTIME_TOOLS)
	@mkdir -p $(KONTAIN)/lib/python
	@cp runtime/libkontain/kontain.h $(KONTAIN)/include/
	@cp runtime/libkontain/kontain.py $(KONTAIN)/lib/python/
	@$(KONTAIN)/bin/kontain-gcc -O2 -Wall -Wextra -fPIC -c runtime/libkontain/kontain.c -o $(RUNTIME_WORK)/kontain.o
	@rm -f $@ && ar rcsD $@ $(RUNTIME_WORK)/kontain.o
	@$(KONTAIN)/bin/kontain-gcc -shared $(RUNTIME_PLACE) -Wl,-soname,libkontain.so $(RUNTIME_WORK)/kontain.o -o $(KONTAIN)/lib/libkontain.so

# The C++ library of the machine's own g++, from the source of its package.
$(GCC)/.unpacked: $(RUNTIME_COMPILER)
	@BUILD=$(BUILD) SETUP=$(SETUP) make/install-packages gcc-$(GCC_VERSION)-source
	@rm -rf $(GCC) && mkdir -p $(GCC)
	@tar -xf /usr/src/gcc-$(GCC_VERSION)/gcc-*.tar.xz -C $(GCC) --strip-components=1 \
		--exclude='*/gcc/*/*' --exclude='*/gcc/*.*' --exclude='*/testsuite/*/*' --exclude='*/libgo/*' --exclude='*/libsanitizer/*' \
		--exclude='*/libphobos/*' --exclude='*/libgfortran/*' --exclude='*/libffi/*' --exclude='*/libada/*'
	@ln -sf gthr-posix.h $(GCC)/libgcc/gthr-default.h # what configuring all of gcc would do
	@touch $@

$(KONTAIN)/lib/libstdc++.a: $(GCC)/.unpacked make/runtime.mk | $(KONTAIN)/runtime/libc.a $(RUNTIME_TOOLS)
	@echo "  C++    $(KONTAIN)/lib/libstdc++.a"
	@rm -rf $(LIBSTDCXX) && mkdir -p $(LIBSTDCXX)
	@cd $(LIBSTDCXX) && $(abspath payloads/quietly) $(RUNTIME_LOG) $(GCC)/libstdc++-v3/configure \
		--build=$$(gcc -dumpmachine) --host=x86_64-linux-musl --prefix=$(KONTAIN) --libdir=$(KONTAIN)/lib \
		--with-gxx-include-dir=$(KONTAIN)/include/c++ --disable-multilib --disable-nls --disable-libstdcxx-pch \
		CC="$(KONTAIN)/bin/kontain-gcc $(RUNTIME_PLACE)" CXX="$(KONTAIN)/bin/kontain-g++ $(RUNTIME_PLACE)" \
		CFLAGS="$(RUNTIME_CFLAGS)" CXXFLAGS="$(RUNTIME_CFLAGS)" AR_FLAGS=crD \
		AR=ar RANLIB=ranlib NM=nm
	@$(RUNTIME_QUIETLY) $(RUNTIME_MAKE) -C $(LIBSTDCXX) -j$(shell nproc) all
	@$(RUNTIME_QUIETLY) $(RUNTIME_MAKE) -C $(LIBSTDCXX) install
	@rm -rf $(KONTAIN)/lib/*.la $(KONTAIN)/lib/*-gdb.py $(KONTAIN)/share
	@touch $@
endif
