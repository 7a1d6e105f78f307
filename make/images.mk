# Container images, a folder each under docker/.

# The builder is none of a payload: make/dist.mk.
IMAGES := $(filter-out builder,$(patsubst docker/%/Dockerfile,%,$(wildcard docker/*/Dockerfile)))
DOCKER ?= docker

.PHONY: images $(IMAGES:%=image-%) $(IMAGES:%=image-files-%)

images: $(IMAGES:%=image-%) ## Build the container images; one of them: image-NAME

$(IMAGES:%=image-%): image-%: image-files-%
	$(DOCKER) build --tag km/$* $(BUILD)/images/$*

# What the image is made of, without a container engine.
$(IMAGES:%=image-files-%): image-files-%: km payload-%
	@mkdir -p $(BUILD)/images/$*
	@cp docker/$*/Dockerfile $(KM) $(BUILD)/payloads/$*/*.km $(BUILD)/images/$*/
