# Public test suites, natively and under km: tests/src/bin/compatibility. It
# takes long, so it is no part of `make test`. What is run is recorded in
# tests/compatibility/results, item by item:
#
#     make compatibility SUITE=python ONLY="test_fcntl test_os"   single items
#     make compatibility SUITE=python SHARE=2/8                   an eighth of them
#     make compatibility SUITE=python REST=1 MINUTES=30           what was not run yet, for a time

SUITE ?=
ONLY ?=
SHARE ?=
REST ?=
MINUTES ?=

COMPATIBILITY = BUILD='$(abspath $(BUILD))' KM='$(abspath $(KM))' \
	cargo run --quiet --package km-tests --bin compatibility -- $(if $(SUITE),--suite $(SUITE))

.PHONY: compatibility compatibility-page
compatibility: km ## test: Run public test suites natively and under km (SUITE=NAME: one of them)
	@packages=$$($(COMPATIBILITY) --packages) && \
		BUILD=$(BUILD) SETUP=$(SETUP) make/install-packages $$packages
	$(COMPATIBILITY) $(if $(SHARE),--share $(SHARE)) $(if $(REST),--rest) \
		$(if $(MINUTES),--minutes $(MINUTES)) $(ONLY)

compatibility-page: ## docs: Write docs/compatibility.md from what is recorded
	$(COMPATIBILITY) --page
