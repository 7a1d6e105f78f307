# The emulated AMD host: the kernel and the KVM modules of a distribution's
# kernel package, unpacked under $(SVM) and never installed. The test runner
# packs them, with km and the guest programs, into an initramfs and boots it in
# QEMU's own processor emulation (TCG), so it needs no /dev/kvm.

SVM := $(BUILD)/svm

# Set it to take another kernel package than the newest one of the series the
# host was chosen for.
SVM_KERNEL ?=

.PHONY: svm-kernel
svm-kernel: $(SVM)/vmlinuz ## test: Fetch the kernel of the emulated AMD host

$(SVM)/vmlinuz: tests/svm/fetch-kernel
	tests/svm/fetch-kernel $(SVM) $(SVM_KERNEL)
