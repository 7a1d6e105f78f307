# Speed and size: build/bench.json and a table. `make bench ARGS="--only hello"`
# passes options on; see `km-bench --help`.

BENCH_DIR    := build/bench
BENCH_CFLAGS := -std=gnu11 -O2 -static -Wall -Wextra -Werror
BENCH_NAMES  := $(patsubst benches/guests/%.c,%,$(wildcard benches/guests/*.c))
# With the distribution's musl, and with km's own C library.
BENCH_GUESTS := $(BENCH_NAMES:%=$(BENCH_DIR)/%) $(BENCH_NAMES:%=$(BENCH_DIR)/kontain/%)
KM_BENCH     := target/x86_64-unknown-linux-gnu/release/km-bench

$(BENCH_DIR)/%: benches/guests/%.c $(wildcard benches/guests/*.h)
	@mkdir -p $(@D)
	musl-gcc $(BENCH_CFLAGS) -o $@ $<

$(BENCH_DIR)/kontain/%: benches/guests/%.c $(wildcard benches/guests/*.h) $(KONTAIN)/runtime/libc.a $(RUNTIME_TOOLS)
	@mkdir -p $(@D)
	$(KONTAIN)/bin/kontain-gcc $(BENCH_CFLAGS) -o $@ $<

.PHONY: bench bench-quick bench-apps bench-nsm bench-build

bench-build: $(BENCH_GUESTS)
	cargo build --release -p km -p km-bench

bench: bench-build payload-python ## bench: Measure km against native, its floors and other sandboxes
	$(KM_BENCH) $(ARGS)

bench-quick: bench-build ## bench: The same with few repetitions
	$(KM_BENCH) --quick $(ARGS)

bench-apps: ## bench: Measure redis, nginx, PostgreSQL, SQLite, Python and Node natively, under km, under gVisor
	cargo build --release -p km -p km-bench
	$(KM_BENCH)-apps $(ARGS)

bench-nsm: bench-build ## bench: Measure requests to the security module beside a round trip and a signature
	$(KM_BENCH)-nsm $(ARGS)
