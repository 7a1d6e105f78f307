# The Debian and Ubuntu packages that building and testing need. When all are
# there this costs one look and says nothing; SETUP=skip leaves the machine as
# it is (other distributions, no right to install).

# Building km and a C payload.
SETUP_PACKAGES_DEMO := gcc libc6-dev make musl-tools linux-libc-dev dpkg-dev

# All payloads (tcl puts sqlite's source together, perl that of OpenSSL, busybox
# comes as bzip2; curl and ab ask the web servers), C++ guest programs, the
# emulated AMD host (zstd: Ubuntu's modules), the distribution's own programs
# that are run under km, and the languages that bring a runtime of their own.
# (python3-venv: the Python clients of the security module are installed.)
# kubectl looks at the manifests, where it is not there in another way.
SETUP_PACKAGES_TEST := $(SETUP_PACKAGES_DEMO) \
	bzip2 tcl curl apache2-utils \
	g++ python3-pip python3-venv \
	qemu-system-x86 zstd \
	coreutils grep gzip jq lua5.4 perl python3 xz-utils \
	bash bubblewrap dash diffutils findutils git hostname iproute2 mawk tar \
	golang-go default-jre-headless ecj nodejs \
	$(if $(shell command -v kubectl),,kubernetes-client)

# The servers that are run under km, and their clients (wrk is that of
# `make bench-apps`). Their services are not started by it; with
# SETUP_PACKAGES_SERVERS= on make's command line none is installed.
SETUP_PACKAGES_SERVERS := \
	redis-server redis-tools nginx-light memcached postgresql haproxy \
	openssh-server openssh-client sqlite3 libjetty9-java puma wrk

# Container engines, and what makes the images they are tried with. Their services are not started either.
SETUP_PACKAGES_CONTAINERS := docker.io containerd crun podman mmdebstrap

SETUP ?= install

.PHONY: setup setup-demo

setup: ## build: Install what building and testing need (apt-get)
	@BUILD=$(BUILD) SETUP=$(SETUP) make/install-packages $(SETUP_PACKAGES_TEST) $(SETUP_PACKAGES_SERVERS) $(SETUP_PACKAGES_CONTAINERS)

setup-demo:
	@BUILD=$(BUILD) SETUP=$(SETUP) make/install-packages $(SETUP_PACKAGES_DEMO)
