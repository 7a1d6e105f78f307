# Container images, a folder each under docker/.

# The builder is none of a payload (make/dist.mk), nor are those for nodes (make/kubernetes.mk).
IMAGES := $(filter-out builder device-plugin installer,$(patsubst docker/%/Dockerfile,%,$(wildcard docker/*/Dockerfile)))
DOCKER ?= docker
IMAGE_PAYLOADS = $(BUILD)/payloads$(if $(filter-out kontain,$(RUNTIME)),-$(RUNTIME))

.PHONY: images check-images $(IMAGES:%=image-%) $(IMAGES:%=image-files-%) $(IMAGES:%=check-image-%)

images: $(IMAGES:%=image-%) ## Build the container images; one of them: image-NAME

$(IMAGES:%=image-%): image-%: image-files-%
	$(DOCKER) build --tag km/$* $(BUILD)/images/$*

check-images: $(IMAGES:%=check-image-%) ## Build the container images and run each; one of them: check-image-NAME

$(IMAGES:%=check-image-%): check-image-%: image-%
	@DOCKER='$(DOCKER)' docker/check $*

# The client of the web servers.
check-image-cpp check-image-nginx: image-busybox

# What an image has beside its programs: of Python's library all but its tests, what
# needs a display, and what only builds and installs.
IMAGE_MORE_python = tar -C $(IMAGE_PAYLOADS)/python -c --exclude=test --exclude=tests --exclude=__pycache__ \
	--exclude=idlelib --exclude=tkinter --exclude=turtledemo --exclude=turtle.py --exclude=lib2to3 \
	--exclude=ensurepip --exclude='config-*' lib/python3.11 | tar -C $(BUILD)/images/python -x

# What the image is made of, without a container engine.
$(IMAGES:%=image-files-%): image-files-%: km payload-%
	@rm -rf $(BUILD)/images/$* && mkdir -p $(BUILD)/images/$*
	@cp docker/$*/* $(KM) $(IMAGE_PAYLOADS)/$*/*.km $(BUILD)/images/$*/
	@$(IMAGE_MORE_$*)
