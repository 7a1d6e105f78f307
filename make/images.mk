# Container images, a folder each under docker/.

DOCKER ?= docker
IMAGE_FILES := $(BUILD)/images
IMAGE_PAYLOADS = $(BUILD)/payloads$(if $(filter-out kontain,$(RUNTIME)),-$(RUNTIME))

# Those of payloads, which begin with `base`. The builder is for `make dist-in-builder` (make/dist.mk), the device plugin and
# the installer are for nodes (make/kubernetes.mk).
IMAGES_PAYLOADS := $(filter-out base builder device-plugin installer,$(patsubst docker/%/Dockerfile,%,$(wildcard docker/*/Dockerfile)))
IMAGES := base $(IMAGES_PAYLOADS)
IMAGES_NAME = km-images-$(VERSION)-x86_64

.PHONY: images images-check images-dist images-clean images-tested $(IMAGES:%=image-%) $(IMAGES:%=image-files-%) $(IMAGES:%=image-check-%)

images: $(IMAGES:%=image-%) ## images: Build the container images; one of them: image-NAME

$(IMAGES:%=image-%): image-%: image-files-%
	$(DOCKER) build --tag km/$* $(IMAGE_FILES)/$*

$(IMAGES_PAYLOADS:%=image-%): image-base

images-check: $(IMAGES:%=image-check-%) ## images: Build the container images and run each; one of them: image-check-NAME

$(IMAGES:%=image-check-%): image-check-%: image-%
	@DOCKER='$(DOCKER)' KONTAIN='$(KONTAIN)' docker/check $*

# The client of the web servers.
image-check-cpp image-check-nginx: image-busybox
# What a runtime mounted from the host serves.
image-check-base: image-busybox runtime-c

# Layers that images share are in it once.
images-dist: images images-kubernetes ## images: Pack them into dist/, for `docker load`, with checksum
	@mkdir -p $(DIST)
	@$(DOCKER) save $(IMAGES:%=km/%) $(NODE_IMAGES:%=km/%) | gzip -n > $(DIST)/$(IMAGES_NAME).tar.gz.partial
	@cd $(DIST) && mv $(IMAGES_NAME).tar.gz.partial $(IMAGES_NAME).tar.gz && \
		sha256sum $(IMAGES_NAME).tar.gz > $(IMAGES_NAME).tar.gz.sha256 && echo $(DIST)/$(IMAGES_NAME).tar.gz

images-clean: ## images: Remove the container images, and what they were made of
	@for image in $(IMAGES:%=km/%) $(NODE_IMAGES:%=km/%) km/builder; do \
		! $(DOCKER) image inspect $$image >/dev/null 2>&1 || $(DOCKER) image rm $$image || exit; done
	rm -rf $(IMAGE_FILES)

# What the base is made of: km without its symbols, all licences in one file.
image-files-base: km notices
	@rm -rf $(IMAGE_FILES)/base && mkdir -p $(IMAGE_FILES)/base/root/opt/kontain/bin $(IMAGE_FILES)/base/root/opt/kontain/share/km
	@mkdir -m 1777 $(IMAGE_FILES)/base/root/tmp
	@cp docker/base/Dockerfile $(IMAGE_FILES)/base/
	@strip -o $(IMAGE_FILES)/base/root/opt/kontain/bin/km $(KM)
	@tar -C $(NOTICES)/share/km -cf - --sort=name --owner=0 --group=0 --mtime=@0 licences km.spdx.json | gzip -n -9 \
		> $(IMAGE_FILES)/base/root/opt/kontain/share/km/licences.tar.gz

# For tests/containers/images.sh.
IMAGES_TESTED := base $(filter $(PAYLOADS_TESTED),$(IMAGES_PAYLOADS))
images-tested: $(IMAGES_TESTED:%=image-files-%)

# What an image has beside its programs: of Python's library all but its tests, what
# needs a display, and what only builds and installs.
IMAGE_MORE_python = tar -C $(IMAGE_PAYLOADS)/python -c --exclude=test --exclude=tests --exclude=__pycache__ \
	--exclude=idlelib --exclude=tkinter --exclude=turtledemo --exclude=turtle.py --exclude=lib2to3 \
	--exclude=ensurepip --exclude='config-*' lib/python3.11 | tar -C $(IMAGE_FILES)/python -x

# What the image of a payload is made of, without a container engine.
$(IMAGES_PAYLOADS:%=image-files-%): image-files-%: payload-%
	@rm -rf $(IMAGE_FILES)/$* && mkdir -p $(IMAGE_FILES)/$*
	@cp docker/$*/* $(IMAGE_PAYLOADS)/$*/*.km $(IMAGE_FILES)/$*/
	@$(IMAGE_MORE_$*)
