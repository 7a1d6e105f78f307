# Where things are.

# Everything that is built and is not cargo's.
BUILD := build
# Where cargo builds, a folder for each profile.
TARGET := $(or $(CARGO_TARGET_DIR),target)/x86_64-unknown-linux-gnu
# The monitor.
KM := $(TARGET)/release/km
