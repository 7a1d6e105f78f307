# The guest test programs: tests/guests/*.c and *.cpp, each in seven link types, into build/guests/<link>/<name>.

BUILD ?= build
GUESTS_SRC := tests/guests
GUESTS_OUT := $(BUILD)/guests
GUEST_LINKS := static-musl static-pie-musl dynamic-musl static-glibc dynamic-glibc static-kontain dynamic-kontain

# A program is built for the link types its `// km-test: links=` line names, and without one for all.
guest_list = $(if $(1),$(shell awk -v all="$(GUEST_LINKS)" ' \
	function flush(   n, i, l) { n = split(links, l, /[ ,]+/); for (i = 1; i <= n; i++) print l[i] "/" name } \
	FNR == 1 { if (name) flush(); links = all; name = FILENAME; sub(/.*\//, "", name); sub(/\.[^.]*$$/, "", name) } \
	/^\/\/ km-test: links=/ { links = $$0; sub(/.*links=/, "", links) } \
	END { flush() }' $(1)))

GUESTS_C := $(call guest_list,$(wildcard $(GUESTS_SRC)/*.c))
GUESTS_CPP := $(call guest_list,$(wildcard $(GUESTS_SRC)/*.cpp))
GUEST_HEADERS := $(wildcard $(GUESTS_SRC)/*.h) make/guests.mk

GUEST_FLAGS := -O2 -Wall -Wextra -D_GNU_SOURCE -I$(GUESTS_SRC)
# musl-gcc looks nowhere for the kernel's headers; the whole of /usr/include would mix in glibc's.
GUEST_KERNEL_HEADERS := $(GUESTS_OUT)/kernel-headers
GUEST_MUSL_FLAGS := -idirafter $(GUEST_KERNEL_HEADERS)

GUEST_CC_static-musl := musl-gcc -static -fno-pie -no-pie $(GUEST_MUSL_FLAGS)
GUEST_CC_static-pie-musl := gcc -specs $(GUESTS_SRC)/static-pie-musl.specs -fPIE $(GUEST_MUSL_FLAGS)
GUEST_CC_dynamic-musl := musl-gcc $(GUEST_MUSL_FLAGS)
GUEST_CC_static-glibc := gcc -static -fno-pie -no-pie
GUEST_CC_dynamic-glibc := gcc
# km's own C library, found where it was built.
GUEST_CC_static-kontain = $(KONTAIN)/bin/kontain-gcc
GUEST_CC_dynamic-kontain = $(KONTAIN)/bin/kontain-gcc -dynamic --prefix=$(KONTAIN)

# zig brings clang, libc++ and its own musl, built at the first use (a minute or two); its -static with -pie is a true
# static PIE. Position-independent code in all three lets them share one build of the libraries.
ZIG_VERSION := 0.17.0
ZIG_DIR := $(BUILD)/zig
ZIG := $(ZIG_DIR)/ziglang/zig
GUEST_ZIG := ZIG_GLOBAL_CACHE_DIR=$(abspath $(BUILD))/zig-cache ZIG_LOCAL_CACHE_DIR=$(abspath $(BUILD))/zig-cache \
	$(ZIG) c++ -target x86_64-linux-musl -s
# What they are built with.
GUEST_NEEDS_static-kontain = $(KONTAIN)/runtime/libc.a $(RUNTIME_TOOLS)
GUEST_NEEDS_dynamic-kontain = $(GUEST_NEEDS_static-kontain)
GUEST_CXX_NEEDS_static-kontain = $(GUEST_NEEDS_static-kontain) $(KONTAIN)/lib/libstdc++.a
GUEST_CXX_NEEDS_dynamic-kontain = $(GUEST_CXX_NEEDS_static-kontain)
GUEST_CXX_static-musl := $(GUEST_ZIG) -static -fPIC -no-pie
GUEST_CXX_static-pie-musl := $(GUEST_ZIG) -static -fPIE -pie
GUEST_CXX_dynamic-musl := $(GUEST_ZIG) -dynamic
GUEST_CXX_static-glibc := g++ -static -fno-pie -no-pie
GUEST_CXX_dynamic-glibc := g++
GUEST_CXX_static-kontain = $(KONTAIN)/bin/kontain-g++
GUEST_CXX_dynamic-kontain = $(KONTAIN)/bin/kontain-g++ -dynamic --prefix=$(KONTAIN)

# What single programs need at their link.
GUEST_LDFLAGS_dlopen := -ldl
GUEST_LDFLAGS_libc_dlfcn := -rdynamic
GUEST_LDFLAGS_exec_stack := -Wl,-z,execstack
GUEST_LDFLAGS_elf_align := -Wl,-z,max-page-size=0x200000
GUEST_LDFLAGS_elf_low := -no-pie -Wl,-Ttext-segment=0x200000
GUEST_CFLAGS_elf_low := -fno-pie
GUEST_LDFLAGS_elf_high := -no-pie -Wl,-Ttext-segment=0x20000000
GUEST_CFLAGS_elf_high := -fno-pie
GUEST_LDFLAGS_elf_exec_dynamic := -no-pie
GUEST_CFLAGS_elf_exec_dynamic := -fno-pie

# Each link type is what its name says, or the build fails.
guest_headers = LC_ALL=C readelf -hlW $@
guest_fail = { echo "$@: not $(1)" >&2; rm -f $@; exit 1; }
guest_is_type = $(guest_headers) | grep -q 'Type: *$(1) ' || $(call guest_fail,$(1))
guest_no_interp = ! $(guest_headers) | grep -q INTERP || $(call guest_fail,static)
guest_interp = $(guest_headers) | grep -q 'interpreter: $(1)' || $(call guest_fail,linked with $(1))
GUEST_VERIFY_static-musl = $(call guest_is_type,EXEC) && $(guest_no_interp)
GUEST_VERIFY_static-pie-musl = $(call guest_is_type,DYN) && $(guest_no_interp)
GUEST_VERIFY_dynamic-musl = $(call guest_interp,/lib/ld-musl-x86_64.so.1)
GUEST_VERIFY_static-glibc = $(call guest_is_type,EXEC) && $(guest_no_interp)
GUEST_VERIFY_static-kontain = $(call guest_is_type,EXEC) && $(guest_no_interp)
GUEST_VERIFY_dynamic-kontain = $(call guest_interp,$(KONTAIN)/runtime/libc.so)
GUEST_VERIFY_dynamic-glibc = $(call guest_interp,/lib64/ld-linux-x86-64.so.2)

.PHONY: guests guests-c guests-cpp
guests: guests-c guests-cpp ## test: Build the guest test programs
guests-c: $(addprefix $(GUESTS_OUT)/,$(GUESTS_C))
guests-cpp: $(addprefix $(GUESTS_OUT)/,$(GUESTS_CPP))

define guest_rules
$(GUESTS_OUT)/$(1)/%: $(GUESTS_SRC)/%.c $(GUEST_HEADERS) $(GUESTS_SRC)/static-pie-musl.specs \
		$(GUEST_NEEDS_$(1)) | $(GUESTS_OUT)/$(1) $(GUEST_KERNEL_HEADERS)/.made
	@echo "  GUEST  $(1)/$$*"
	@$$(GUEST_CC_$(1)) $$(GUEST_FLAGS) $$(GUEST_CFLAGS_$$*) -o $$@ $$< $$(GUEST_SOURCES_$$*) $$(GUEST_LDFLAGS_$$*) -lm
	@$$(GUEST_VERIFY_$(1))

$(GUESTS_OUT)/$(1):
	@mkdir -p $$@
endef
$(foreach link,$(GUEST_LINKS),$(eval $(call guest_rules,$(link))))

define guest_cpp_rule
$(GUESTS_OUT)/$(1)/%: $(GUESTS_SRC)/%.cpp $(GUEST_HEADERS) $(GUEST_CXX_NEEDS_$(1)) | $(GUESTS_OUT)/$(1) $(2)
	@echo "  GUEST  $(1)/$$*"
	@$(if $(2),test -x $(ZIG) || { echo "  no zig: without $$@"; exit 0; };) \
		$$(GUEST_CXX_$(1)) $$(GUEST_FLAGS) -o $$@ $$< && $$(GUEST_VERIFY_$(1))
endef
$(foreach link,static-glibc dynamic-glibc,$(eval $(call guest_cpp_rule,$(link),)))
$(foreach link,static-kontain dynamic-kontain,$(eval $(call guest_cpp_rule,$(link),)))
$(foreach link,static-musl static-pie-musl dynamic-musl,$(eval $(call guest_cpp_rule,$(link),$(ZIG_DIR)/.tried)))

# The stamp says "tried": without network the musl C++ programs are left out, and the rest goes on.
$(ZIG_DIR)/.tried:
	@mkdir -p $(ZIG_DIR)
	@echo "  FETCH  ziglang $(ZIG_VERSION)"
	@python3 -m pip install --quiet --disable-pip-version-check --retries 1 --root-user-action=ignore --no-deps \
		--target $(ZIG_DIR) ziglang==$(ZIG_VERSION) && touch $@ || echo "  ziglang cannot be had: no C++ on musl" >&2

$(GUEST_KERNEL_HEADERS)/.made:
	@mkdir -p $(@D)
	@for dir in linux asm-generic mtd; do ln -sfn /usr/include/$$dir $(@D)/$$dir; done
	@for dir in /usr/include/x86_64-linux-gnu/asm /usr/include/asm; do \
		if [ -d $$dir ]; then ln -sfn $$dir $(@D)/asm; break; fi; done
	@touch $@
