# Kubernetes: the images that its nodes run, docs/kubernetes.md.

NODE_IMAGES := device-plugin installer

.PHONY: images-kubernetes $(NODE_IMAGES:%=image-%) $(NODE_IMAGES:%=image-files-%)

images-kubernetes: $(NODE_IMAGES:%=image-%) ## Build the images of the device plugin and the installer for Kubernetes

$(NODE_IMAGES:%=image-%): image-%: image-files-%
	$(DOCKER) build --tag km/$* $(BUILD)/images/$*

# The program km-NAME, its licences, and for the installer what `make install` puts into /opt/kontain.
$(NODE_IMAGES:%=image-files-%): image-files-%:
	@cargo build --quiet --release --package km-$*
	@rm -rf $(BUILD)/images/$* && mkdir -p $(BUILD)/images/$*
	@cp docker/$*/* $(TARGET)/release/km-$* $(BUILD)/images/$*/
	@cargo run --quiet --locked --package km-notices -- --package km-$* $(BUILD)/images/$*/licences
	@$(IMAGE_TREE_$*)

IMAGE_TREE_installer = make/install-tree install /opt/kontain $(abspath $(BUILD)/images/installer) $(KM) $(KONTAIN) $(NOTICES) >/dev/null
image-files-installer: km runtime notices
