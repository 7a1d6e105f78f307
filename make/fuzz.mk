# Random bytes for what reads requests to the security module, and for what verifies its documents: nsm/fuzz.
# `make fuzz FUZZ=verify MINUTES=3`. What was found of interest stays in build/fuzz, what fails in build/fuzz/*/failures.

FUZZ ?= request verify
FUZZ_OUT := $(BUILD)/fuzz
FUZZ_TARGET := $(or $(CARGO_TARGET_DIR),target)/fuzz
FUZZ_BIN := $(FUZZ_TARGET)/x86_64-unknown-linux-gnu/release
# libFuzzer's counters, with a stable compiler.
FUZZ_FLAGS := --cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
	-Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares

.PHONY: fuzz fuzz-build fuzz-seeds

fuzz: fuzz-build fuzz-seeds ## test: Feed random bytes to the security module and the verifier, 10 minutes each
	@for target in $(FUZZ); do \
		echo "  FUZZ   $$target"; \
		mkdir -p $(FUZZ_OUT)/$$target/corpus $(FUZZ_OUT)/$$target/failures; \
		$(FUZZ_BIN)/$$target -max_total_time=$$(( $(or $(MINUTES),10) * 60 )) \
			-max_len=16384 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
			-artifact_prefix=$(FUZZ_OUT)/$$target/failures/ \
			$(FUZZ_OUT)/$$target/corpus $(FUZZ_OUT)/seeds/$$target || exit 1; \
	done

# Built without the counters, which need a fuzzer.
fuzz-seeds: nsm/fuzz/Cargo.lock
	@rm -rf $(FUZZ_OUT)/seeds
	@cargo run --quiet --manifest-path nsm/fuzz/Cargo.toml --target-dir $(FUZZ_TARGET)/plain \
		--bin seeds -- ../shared/nsm $(FUZZ_OUT)/seeds

fuzz-build: nsm/fuzz/Cargo.lock
	@cd nsm/fuzz && RUSTFLAGS='$(FUZZ_FLAGS)' cargo build --quiet --release \
		--target-dir $(abspath $(FUZZ_TARGET)) --bin request --bin verify

# Of everything the version that km has; cargo adds what is for fuzzing only.
nsm/fuzz/Cargo.lock: Cargo.lock nsm/Cargo.toml nsm/fuzz/Cargo.toml
	@cp Cargo.lock $@
