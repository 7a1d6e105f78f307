# km's C library and compilers: what `make install` puts into /opt/kontain, built in $(RUNTIME).

RUNTIME := $(abspath $(BUILD))/kontain
RUNTIME_WORK := $(abspath $(BUILD))/runtime
MUSL := $(RUNTIME_WORK)/musl
MUSL_PATCHES := $(wildcard runtime/libc/patches/*.patch)
MUSL_OVERLAY := $(shell find runtime/libc/overlay -type f)
# The version that the machine's g++ is of.
GCC_VERSION = $(shell g++ -dumpversion | cut -d. -f1)
GCC := $(RUNTIME_WORK)/gcc
LIBSTDCXX := $(RUNTIME_WORK)/libstdc++
RUNTIME_TOOLS := $(patsubst %,$(RUNTIME)/bin/%,kontain-gcc kontain-g++ kontain-ar kontain-strip)

# Runs a command that speaks only when it fails.
RUNTIME_LOG := $(RUNTIME_WORK)/build.log
RUNTIME_QUIETLY := payloads/quietly $(RUNTIME_LOG)

.PHONY: runtime runtime-c

runtime: runtime-c $(RUNTIME)/lib/libstdc++.a ## Build km's C library, its C++ library, kontain-gcc and kontain-g++

runtime-c: $(RUNTIME)/runtime/libc.a $(RUNTIME)/lib/libkontain.a $(RUNTIME_TOOLS)

$(MUSL)/.patched: $(MUSL_PATCHES) $(MUSL_OVERLAY)
	@rm -rf $(MUSL)
	@BUILD=$(abspath $(BUILD)) payloads/fetch-source musl $(MUSL)
	@cp -r runtime/libc/overlay/. $(MUSL)/
	@for patch in $(abspath $(MUSL_PATCHES)); do \
		patch -d $(MUSL) -p1 -s -f < $$patch || \
		{ echo "runtime: $$patch does not fit musl $$(cat $(MUSL)/VERSION)" >&2; exit 1; }; done
	@touch $@

# The C library, and the kernel's headers beside its own.
$(RUNTIME)/runtime/libc.a: $(MUSL)/.patched
	@echo "  MUSL   $(RUNTIME)/runtime"
	@mkdir -p $(RUNTIME)/include/c++ $(RUNTIME)/lib
	@rm -rf $(RUNTIME)/runtime $(RUNTIME_LOG)
	@find $(RUNTIME)/include -mindepth 1 -maxdepth 1 ! -name 'c++' -exec rm -rf {} +
	@cd $(MUSL) && $(abspath payloads/quietly) $(RUNTIME_LOG) env CFLAGS="-O2 -g0" ./configure \
		--prefix=$(RUNTIME) --libdir=$(RUNTIME)/runtime --includedir=$(RUNTIME)/include \
		--syslibdir=$(RUNTIME)/runtime --disable-wrapper
	@$(RUNTIME_QUIETLY) env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL $(MAKE) -C $(MUSL) -j$(shell nproc) install
	@rm -f $(RUNTIME)/runtime/ld-musl-*
	@ln -sf libc.a $(RUNTIME)/runtime/libruntime.a
	@for dir in linux asm-generic mtd; do cp -r /usr/include/$$dir $(RUNTIME)/include/; done
	@cp -r /usr/include/$$(gcc -print-multiarch)/asm $(RUNTIME)/include/asm
	@touch $@

$(RUNTIME)/bin/kontain-%: runtime/tools/kontain-gcc runtime/tools/kontain-ar runtime/tools/kontain.specs
	@mkdir -p $(RUNTIME)/bin $(RUNTIME)/lib
	@cp runtime/tools/kontain.specs $(RUNTIME)/lib/
	@cp runtime/tools/kontain-gcc $(RUNTIME)/bin/
	@cp runtime/tools/kontain-ar $(RUNTIME)/bin/
	@ln -sf kontain-gcc $(RUNTIME)/bin/kontain-g++
	@ln -sf kontain-ar $(RUNTIME)/bin/kontain-strip

$(RUNTIME)/lib/libkontain.a: $(wildcard runtime/libkontain/*) $(RUNTIME)/runtime/libc.a | $(RUNTIME_TOOLS)
	@mkdir -p $(RUNTIME)/lib/python
	@cp runtime/libkontain/kontain.h $(RUNTIME)/include/
	@cp runtime/libkontain/kontain.py $(RUNTIME)/lib/python/
	@$(RUNTIME)/bin/kontain-gcc -O2 -Wall -Wextra -fPIC -c runtime/libkontain/kontain.c -o $(RUNTIME_WORK)/kontain.o
	@rm -f $@ && ar rcs $@ $(RUNTIME_WORK)/kontain.o
	@$(RUNTIME)/bin/kontain-gcc -shared -Wl,-soname,libkontain.so $(RUNTIME_WORK)/kontain.o -o $(RUNTIME)/lib/libkontain.so

# The C++ library of the machine's own g++, from the source of its package.
$(GCC)/.unpacked:
	@BUILD=$(BUILD) SETUP=$(SETUP) make/install-packages gcc-$(GCC_VERSION)-source
	@rm -rf $(GCC) && mkdir -p $(GCC)
	@tar -xf /usr/src/gcc-$(GCC_VERSION)/gcc-*.tar.xz -C $(GCC) --strip-components=1 \
		--exclude='*/gcc/*/*' --exclude='*/gcc/*.*' --exclude='*/testsuite/*/*' --exclude='*/libgo/*' --exclude='*/libsanitizer/*' \
		--exclude='*/libphobos/*' --exclude='*/libgfortran/*' --exclude='*/libffi/*' --exclude='*/libada/*'
	@ln -sf gthr-posix.h $(GCC)/libgcc/gthr-default.h # what configuring all of gcc would do
	@touch $@

$(RUNTIME)/lib/libstdc++.a: $(GCC)/.unpacked | $(RUNTIME)/runtime/libc.a $(RUNTIME_TOOLS)
	@echo "  C++    $(RUNTIME)/lib/libstdc++.a"
	@rm -rf $(LIBSTDCXX) && mkdir -p $(LIBSTDCXX)
	@cd $(LIBSTDCXX) && $(abspath payloads/quietly) $(RUNTIME_LOG) $(GCC)/libstdc++-v3/configure \
		--build=$$(gcc -dumpmachine) --host=x86_64-linux-musl --prefix=$(RUNTIME) --libdir=$(RUNTIME)/lib \
		--with-gxx-include-dir=$(RUNTIME)/include/c++ --disable-multilib --disable-nls --disable-libstdcxx-pch \
		CC=$(RUNTIME)/bin/kontain-gcc CXX=$(RUNTIME)/bin/kontain-g++ CFLAGS="-O2 -g0" CXXFLAGS="-O2 -g0" \
		AR=ar RANLIB=ranlib NM=nm
	@$(RUNTIME_QUIETLY) env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL $(MAKE) -C $(LIBSTDCXX) -j$(shell nproc) all
	@$(RUNTIME_QUIETLY) env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL $(MAKE) -C $(LIBSTDCXX) install
	@rm -rf $(RUNTIME)/lib/*.la $(RUNTIME)/share
	@touch $@
