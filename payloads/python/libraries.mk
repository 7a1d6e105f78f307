# The libraries that modules of Python's standard library need, from their
# distribution sources: archives of position-independent code below $(LIBRARIES),
# which both interpreters are linked with.

LIBRARIES := $(OUT)/libraries
ARCHIVES  := $(addprefix $(LIBRARIES)/lib/,libz.a libbz2.a liblzma.a libffi.a libncursesw.a libreadline.a \
	libsqlite3.a libssl.a)
LIBRARY_CFLAGS := -O2 -fPIC
LIBRARY_NAMES  := zlib bzip2 xz-utils libffi ncurses readline openssl

# A library's source is unpacked into a folder of its own.
$(LIBRARY_NAMES:%=$(OUT)/%/debian/changelog): $(OUT)/%/debian/changelog:
	@BUILD=$(BUILD) $(PAYLOADS)/fetch-source $* $(OUT)/$*

# The archive of the library LIBRARY, made in its source by autotools.
CONFIGURE = $(QUIETLY) $(UPSTREAM_ENV) ./configure CC="$(CC_KM)" CFLAGS="$(LIBRARY_CFLAGS)" \
	--build=x86_64-linux-musl --prefix=$(LIBRARIES)
LIBRARY_MAKE = $(QUIETLY) $(UPSTREAM_ENV) $(MAKE) -j$(JOBS)
LIBRARY_RECIPE := libraries.mk $(PAYLOADS)/payload.mk

$(LIBRARIES)/lib $(LIBRARIES)/include:
	@mkdir -p $@

$(ARCHIVES): | $(LIBRARIES)/lib $(LIBRARIES)/include $(KERNEL_HEADERS)

$(LIBRARIES)/lib/libz.a: $(LIBRARY_RECIPE) $(OUT)/zlib/debian/changelog
	@echo "python: building zlib"
	@cd $(OUT)/zlib && $(QUIETLY) $(CC_KM) $(LIBRARY_CFLAGS) -DHAVE_UNISTD_H -c *.c && \
		rm -f $@ && $(QUIETLY) ar rc $@ *.o && cp zlib.h zconf.h $(LIBRARIES)/include/

$(LIBRARIES)/lib/libbz2.a: $(LIBRARY_RECIPE) $(OUT)/bzip2/debian/changelog
	@echo "python: building bzip2"
	@cd $(OUT)/bzip2 && \
		$(QUIETLY) $(CC_KM) $(LIBRARY_CFLAGS) -D_FILE_OFFSET_BITS=64 -c \
			blocksort.c huffman.c crctable.c randtable.c compress.c decompress.c bzlib.c && \
		rm -f $@ && $(QUIETLY) ar rc $@ *.o && cp bzlib.h $(LIBRARIES)/include/

$(LIBRARIES)/lib/liblzma.a: $(LIBRARY_RECIPE) $(OUT)/xz-utils/debian/changelog
	@echo "python: building liblzma"
	@cd $(OUT)/xz-utils && $(CONFIGURE) --disable-shared --disable-nls --disable-doc --disable-scripts \
		--disable-xz --disable-xzdec --disable-lzmadec --disable-lzmainfo --disable-lzma-links
	@$(LIBRARY_MAKE) -C $(OUT)/xz-utils/src/liblzma install

$(LIBRARIES)/lib/libffi.a: $(LIBRARY_RECIPE) $(OUT)/libffi/debian/changelog
	@echo "python: building libffi"
	@cd $(OUT)/libffi && $(CONFIGURE) --disable-shared --disable-docs --disable-multi-os-directory
	@$(LIBRARY_MAKE) -C $(OUT)/libffi install

# Descriptions of terminals are the machine's.
$(LIBRARIES)/lib/libncursesw.a: $(LIBRARY_RECIPE) $(OUT)/ncurses/debian/changelog
	@echo "python: building ncurses"
	@cd $(OUT)/ncurses && $(CONFIGURE) --enable-widec --disable-overwrite --without-shared --without-debug \
		--without-cxx --without-cxx-binding --without-ada --without-progs --without-tests --without-manpages \
		--disable-db-install --with-build-cc=gcc --with-terminfo-dirs=/etc/terminfo:/lib/terminfo:/usr/share/terminfo
	@$(LIBRARY_MAKE) -C $(OUT)/ncurses libs
	@$(LIBRARY_MAKE) -C $(OUT)/ncurses install.libs install.includes

$(LIBRARIES)/lib/libreadline.a: $(LIBRARY_RECIPE) $(OUT)/readline/debian/changelog
	@echo "python: building readline"
	@cd $(OUT)/readline && $(CONFIGURE) --disable-shared --disable-install-examples --with-curses
	@$(LIBRARY_MAKE) -C $(OUT)/readline static
	@$(LIBRARY_MAKE) -C $(OUT)/readline install-static install-headers

# One file of all sources, which the sqlite payload has put together, and what its configure has found.
SQLITE_SOURCE := $(OUTPUTS)/sqlite/src/sqlite3.c

$(SQLITE_SOURCE):
	@$(MAKE) --no-print-directory -C ../sqlite

$(LIBRARIES)/lib/libsqlite3.a: $(LIBRARY_RECIPE) $(SQLITE_SOURCE)
	@echo "python: building sqlite"
	@cd $(dir $(SQLITE_SOURCE)) && $(QUIETLY) $(CC_KM) $(LIBRARY_CFLAGS) -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_RTREE \
		-DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_ENABLE_COLUMN_METADATA -D_HAVE_SQLITE_CONFIG_H -c -o $(LIBRARIES)/sqlite3.o sqlite3.c && \
		rm -f $@ && $(QUIETLY) ar rc $@ $(LIBRARIES)/sqlite3.o && cp sqlite3.h sqlite3ext.h $(LIBRARIES)/include/

# Ciphers that nobody asks Python for are left out, and what musl has no
# functions for (contexts of makecontext).
OPENSSL_WITHOUT := shared tests async engine afalgeng dso legacy \
	aria bf camellia cast cmp cms gost idea mdc2 rc2 rc4 rc5 rmd160 seed sm2 sm3 sm4 srp ts whirlpool

$(LIBRARIES)/lib/libssl.a: $(LIBRARY_RECIPE) $(OUT)/openssl/debian/changelog
	@echo "python: building openssl"
	@cd $(OUT)/openssl && $(QUIETLY) $(UPSTREAM_ENV) env CC="$(CC_KM)" ./Configure linux-x86_64 \
		$(OPENSSL_WITHOUT:%=no-%) --prefix=$(LIBRARIES) --libdir=lib --openssldir=/etc/ssl $(LIBRARY_CFLAGS)
	@$(LIBRARY_MAKE) -C $(OUT)/openssl build_generated
	@$(LIBRARY_MAKE) -C $(OUT)/openssl libcrypto.a libssl.a
	@cp -r $(OUT)/openssl/include/openssl $(LIBRARIES)/include/
	@cp $(OUT)/openssl/libcrypto.a $(OUT)/openssl/libssl.a $(LIBRARIES)/lib/
