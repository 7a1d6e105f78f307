# Clients of the security module that are not programs of payloads/: the Python
# package kontain-nsm, and what others have written.

NSM := $(abspath $(BUILD))/nsm
NSM_PACKAGE := $(shell find runtime/kontain-nsm -type f ! -name '*.pyc')
# Of PyPI, unchanged.
NSM_OTHERS := aws-nsm-interface==1.0.0

.PHONY: verify nsm-clients

verify: km ## test: Build the Python package kontain-nsm, look into it, install it, test it natively and under km
	@runtime/kontain-nsm/verify all $(NSM)/kontain-nsm $(abspath $(KM))

nsm-clients: $(NSM)/kontain-nsm/.ready $(NSM)/others/.ready

# The stamps are left out where PyPI cannot be reached; then the trials are skipped.
$(NSM)/kontain-nsm/.ready: $(NSM_PACKAGE)
	@mkdir -p $(@D) && rm -f $@
	@{ runtime/kontain-nsm/verify build $(@D) && runtime/kontain-nsm/verify install $(@D) && touch $@; } || \
		echo "kontain-nsm: cannot be built here: left out" >&2

$(NSM)/others/.ready: make/nsm.mk
	@rm -rf $(@D) && mkdir -p $(@D)
	@{ python3 -m venv $(@D)/venv && $(@D)/venv/bin/python -m pip --disable-pip-version-check install --quiet --retries 1 \
		--only-binary :all: $(NSM_OTHERS) && touch $@; } || echo "nsm: $(NSM_OTHERS) cannot be had: left out" >&2
