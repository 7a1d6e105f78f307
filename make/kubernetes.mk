# Kubernetes: the images that its nodes run, docs/kubernetes.md.

NODE_IMAGES := device-plugin installer

.PHONY: images-kubernetes $(NODE_IMAGES:%=image-%) $(NODE_IMAGES:%=image-files-%)

images-kubernetes: $(NODE_IMAGES:%=image-%) ## images: Build the images of the device plugin and the installer for Kubernetes

$(NODE_IMAGES:%=image-%): image-%: image-files-%
	$(DOCKER) build --tag km/$* $(IMAGE_FILES)/$*

# The program km-NAME, its licences, and for the installer what `make install` puts into /opt/kontain.
$(NODE_IMAGES:%=image-files-%): image-files-%:
	@cargo build --quiet --release --package km-$*
	@rm -rf $(IMAGE_FILES)/$* && mkdir -p $(IMAGE_FILES)/$*
	@cp docker/$*/* $(TARGET)/release/km-$* $(IMAGE_FILES)/$*/
	@cargo run --quiet --locked --package km-notices -- --package km-$* $(IMAGE_FILES)/$*/licences
	@$(IMAGE_TREE_$*)

IMAGE_TREE_installer = make/install-tree install /opt/kontain $(abspath $(IMAGE_FILES)/installer) $(KM) $(KONTAIN) $(NOTICES) >/dev/null
image-files-installer: km krun runtime notices
