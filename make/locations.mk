# Where things are.

# Everything that is built and is not cargo's.
BUILD := build
# The monitor.
KM := target/x86_64-unknown-linux-gnu/release/km
