# Where things are.

# Everything that is built and is not cargo's.
BUILD := build
# Where cargo builds, a folder for each profile.
TARGET := $(or $(CARGO_TARGET_DIR),target)/x86_64-unknown-linux-gnu
# km's own C library and compilers, and, where an archive is used, all that is in it.
KONTAIN := $(abspath $(BUILD))/kontain
# The monitor.
KM := $(if $(ARCHIVE),$(KONTAIN)/bin/km,$(TARGET)/release/km)

# What payloads, images and archives are for. The emulated AMD host is of the same kind.
SUPPORTED := linux/amd64
platform ?= $(SUPPORTED)
ifneq ($(platform),$(SUPPORTED))
$(error platform=$(platform): only $(SUPPORTED) is supported; km is made for x86-64)
endif
