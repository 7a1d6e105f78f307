# CPython's regression suite, natively and under km: tests/src/bin/compatibility.
# It takes a good while, so it is no part of `make test`. `make compatibility
# ONLY="test_fcntl test_os"` runs single modules and does not write the page.
# So it is with stress-ng's stressors, a quarter of an hour: tests/src/bin/stress,
# `make stress`, `make stress ONLY="futex pipe"`.

ONLY ?=

# The suite is packaged for each version of Python.
PYTHON_SUITE = libpython$$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')-testsuite

.PHONY: compatibility stress
compatibility: km ## Run CPython's own tests natively and under km
	@BUILD=$(BUILD) SETUP=$(SETUP) make/install-packages python3
	@BUILD=$(BUILD) SETUP=$(SETUP) make/install-packages $(PYTHON_SUITE)
	KM='$(abspath $(KM))' cargo run --quiet --package km-tests --bin compatibility -- \
		$(or $(ONLY),--write docs/compatibility.md)

stress: km ## Run stress-ng's stressors natively and under km
	@BUILD=$(BUILD) SETUP=$(SETUP) make/install-packages stress-ng
	KM='$(abspath $(KM))' cargo run --quiet --package km-tests --bin stress -- \
		$(or $(ONLY),--write docs/stress.md)
