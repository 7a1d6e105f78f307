# Tests. `make test FILTER=guest::hello` runs the trials whose names contain
# that text, and nothing else; tests/README.md says how they are named.

FILTER ?=
# Programs start with the dispositions of the one that starts the tests, which `nohup`, for one, changes.
DEFAULT_SIGNALS := $(shell env --default-signal true 2>/dev/null && echo env --default-signal)
RUNNER = BUILD='$(abspath $(BUILD))' KM='$(abspath $(KM))' $(DEFAULT_SIGNALS) cargo run --quiet --package km-tests --
# What the runner needs at hand, whatever it is asked for.
RUNNER_NEEDS := km krun runtime notices guests

.PHONY: test test-unit test-kvm test-svm lint

# One after the other, so that the output can be read; the runner's summary is
# the last line.
ifeq ($(FILTER),)
test: ## test: Run every check and test, on this host and on the emulated AMD host
	$(MAKE) --no-print-directory setup lint
	$(MAKE) --no-print-directory test-unit
	$(MAKE) --no-print-directory $(RUNNER_NEEDS) payloads-tested images-tested nsm-clients containers-rootfs svm-kernel
	$(RUNNER)
else
test: $(RUNNER_NEEDS) payloads-tested images-tested nsm-clients containers-rootfs svm-kernel
	$(RUNNER) '$(FILTER)'
endif

lint: ## test: Check formatting, and let clippy look at everything
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings

test-unit: ## test: Run the unit and property tests
	cargo test --workspace

test-kvm: $(RUNNER_NEEDS) payloads-tested images-tested nsm-clients containers-rootfs ## test: Run the tests that use this host's /dev/kvm
	$(RUNNER) '::kvm'

test-svm: $(RUNNER_NEEDS) svm-kernel ## test: Run the tests on the emulated AMD host
	$(RUNNER) '::svm'
