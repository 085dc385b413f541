# SPDX-License-Identifier: MIT OR Apache-2.0
# The entry point of the repository. `make` lists the targets.

# The cargo features of the plugin besides the default ones.
FEATURES = $(shell scripts/features)
features = $(if $(FEATURES),--features $(FEATURES))
programs := $(shell sed '/^\#/d' packaging/programs)
optional := emotion-scan/remote,emotion-photo/heif

TARGET := $(or $(CARGO_TARGET_DIR),target)
# The Python interpreter for models/training: PYTHON=path, or one in the build folder with the packages of a requirements file.
python = $(or $(PYTHON),$(TARGET)/training/bin/python)
packages_of = $(if $(PYTHON),,$(TARGET)/training/$(1).installed)
training = PYTHONPATH=models $(python) -m training.expression

.PHONY: help setup test-packages build plugin demo moving-picture scan cluster-demo dashboard fleet test fuzz \
    test-cluster test-newer test-onvif test-remote test-validate bench soak evaluate faces licences audit semver install uninstall clean deb test-deb test-image \
    test-unit test-arm64 wheel test-wheel windows test-windows release test-reproducible train model card

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 26

setup: ## install missing packages; download ONNX Runtime and CenterFace
	@scripts/setup

test bench: test-packages
test-packages: setup
	@scripts/packages packaging/packages-to-test

build: setup ## build the plugin and the programs, optimised
	cargo build --locked --release $(addprefix --package ,gst-plugin-emotion $(programs)) $(features) --features $(optional)
	@packaging/third-party -- $(features) --features $(optional) >$(TARGET)/$(addsuffix /,$(CARGO_BUILD_TARGET))release/third-party.txt

plugin: setup
	cargo build --locked --release $(features)

# One build: in separate ones, dependencies would have different features and be compiled again.
demo: setup ## annotate a clip: INPUT=file OUTPUT=folder; without INPUT, a rendered clip
	cargo build --locked --release --package gst-plugin-emotion --package emotion-report --lib --bins --example average-faces-clip $(features)
	RENDERER="$(abspath $(TARGET))/release/examples/average-faces-clip" pipelines/demo.sh "$(INPUT)" "$(OUTPUT)"
	@GST_PLUGIN_PATH="$(TARGET)/plugins$${GST_PLUGIN_PATH:+:$$GST_PLUGIN_PATH}" scripts/facedetect

moving-picture: plugin $(call packages_of,requirements-data) ## render the picture of the README: OUTPUT=file.webp
	FEATURES="$(FEATURES)" PYTHON=$(python) scripts/moving-picture $(or $(OUTPUT),docs/demo.webp)

scan: setup ## find the faces in photos and videos: INPUT=folder OUTPUT=folder; writes a table and a page
	scripts/scan "$(INPUT)" "$(OUTPUT)"

cluster-demo: setup $(TARGET)/cluster/python/installed ## emotion-scan on three Ray nodes on this machine: INPUT=folder OUTPUT=folder
	scripts/cluster-demo "$(INPUT)" "$(OUTPUT)"

dashboard: setup ## show faces live on a web page: SOURCES='/dev/video0 rtsp://camera/ clip.mp4', or a rendered clip
	scripts/dashboard $(SOURCES)

fleet: setup ## four cameras that publish to a broker here, and a page that shows them: SOURCES='clip.mp4', or a rendered clip
	@scripts/packages mosquitto mosquitto-clients
	scripts/fleet $(SOURCES)

test: setup $(call packages_of,requirements-data) $(TARGET)/scan/readers/installed ## run all checks and tests
	FEATURES="$(FEATURES)" PYTHON=$(python) scripts/test
fuzz: setup ## feed random input to all targets, MINUTES=10 in total, or to ONLY=one of tests/fuzz
	FEATURES="$(FEATURES)" MINUTES="$(MINUTES)" scripts/test fuzz $(ONLY)
test-cluster: setup $(TARGET)/cluster/python/installed ## kill nodes, workers and the driver of scans on Ray
	scripts/test cluster
test-newer: setup ## build and test with the GStreamer of Debian 13, or of ROOT=sid, in a cached root folder (needs root, network)
	scripts/newer $(or $(ROOT),trixie)
test-validate: plugin ## run the tests of tests/validate with gst-validate, where it is installed
	tests/validate/run $(TARGET)/release/libgstemotion.so
test-onvif: setup ## build the ONVIF elements of gst-plugins-rs and run them on our documents (needs root, network)
	FEATURES="$(FEATURES)" scripts/test onvif
test-remote: test-packages ## test URLs as inputs of emotion-scan, with an S3 server and a web server of the test
	scripts/test remote
bench: plugin ## measure the figures in docs/performance.md; EARLIER=commit to compare with that commit
	tests/benches/run

evaluate: setup ## measure MODEL=file.onnx on the labelled faces in DATA=folder; EVALUATOR=path of a built emotion-evaluate
	EVALUATOR="$(EVALUATOR)" scripts/evaluate expression --model "$(or $(MODEL),models/expression/model.onnx)" --conditions "$(DATA)"

faces: setup $(call packages_of,requirements-data) ## write the test faces of DATA=... as pictures to OUTPUT=folder
	$(training).export_faces --data "$(DATA)" --output "$(OUTPUT)"

# Other options: FACE_SIZE=pixels CLIP=file CHAIN=elements DISTURB=true
soak: setup ## run live streams for a long time: MINUTES=60 STREAMS=1 SIZE=1280x720 FACES=2
	cargo run --locked --release --package emotion-tests $(features) --example soak -- minutes="$(MINUTES)" streams="$(STREAMS)" \
	    size="$(SIZE)" faces="$(FACES)" face-size="$(FACE_SIZE)" clip="$(CLIP)" chain="$(CHAIN)" disturb="$(DISTURB)"

train: setup $(call packages_of,requirements) ## train an expression model on DATA=... in RUN=folder; OPTIONS of training.expression.train
	$(training).run --data "$(DATA)" --run "$(RUN)" $(OPTIONS)

# NAME is a folder of models. Also writes the test fixture and the card. OPTIONS are those of the export.
NAME ?= expression
model: setup $(call packages_of,requirements) ## export WEIGHTS=run/final.pt, trained on DATA=..., as models/NAME
	EVALUATOR="$(EVALUATOR)" PYTHON=$(python) scripts/model $(NAME) $(WEIGHTS) "$(DATA)" $(OPTIONS)

card: setup $(call packages_of,requirements-data) ## update the figures in the card of models/NAME from DATA=...
	EVALUATOR="$(EVALUATOR)" PYTHON=$(python) scripts/card $(NAME) "$(DATA)"

licences: ## check the licences and sources of the dependencies
	scripts/cargo-tool deny --locked check bans licenses sources
audit: ## check the dependencies for known vulnerabilities (needs a network)
	scripts/cargo-tool deny --locked check advisories
semver: setup ## compare the Rust API with that of the last release, or of SINCE=commit
	scripts/semver $(SINCE)

install: build ## install plugin, programs and recipes for you alone, or for all users with PREFIX=/usr; DESTDIR=folder
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" packaging/install
uninstall: ## remove the files that install installed
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" packaging/install --uninstall

deb: $(if $(filter arm64,$(ARCH)),,build) ## build a package for this Debian release, in target/debian; ARCH=arm64 for Debian 12 on ARM, in target/arm64
	$(if $(filter arm64,$(ARCH)),scripts/arm64 deb,packaging/build-deb)
test-deb: ## build, install and use the packages for Debian 12 and 13 (needs root, network)
	scripts/deb bookworm
	scripts/deb trixie
test-image: deb ## make a container image of this Debian release's package, target/image.tar.xz, and use it (needs root, network)
	scripts/image $(TARGET)/image.tar.xz && scripts/test-image $(TARGET)/image.tar.xz
test-unit: deb ## run emotion-camera as a service under systemd, in a container (needs root, network)
	scripts/test-unit
test-arm64: setup ## build for 64-bit ARM, test the core and use the package under emulation (needs root, network)
	scripts/arm64 test

wheel: setup $(TARGET)/wheel/python/installed ## build a Python wheel with the plugin, for the GStreamer of Debian 12 and newer, in target/wheel
	packaging/build-wheel
test-wheel: wheel ## install and use the wheel on this machine and on Debian 13 (needs network, root for Debian 13)
	scripts/wheel $(TARGET)/wheel

windows: setup $(TARGET)/wheel/python/installed ## build a zip file and a Python wheel for Windows, in target/windows (needs network)
	scripts/windows build
test-windows: windows ## use both under Wine, and run tests there (needs network)
	scripts/windows test

release: setup $(TARGET)/wheel/python/installed ## build and pack everything for the tag of HEAD, in target/release-VERSION (needs root, network)
	scripts/release
test-reproducible: setup ## build the plugin in two folders and compare: both libraries are the same
	OPTIONS="$(features)" scripts/test-reproducible

clean: ## remove the build results; files that setup downloaded stay
	cargo clean

# Virtual environments with the packages of a requirements file.
$(TARGET)/training/%.installed: models/training/%.txt
	scripts/venv $(@D) -r $<
	touch $@

$(TARGET)/cluster/python/installed: apps/scan/cluster/requirements.txt
$(TARGET)/scan/readers/installed: apps/scan/tests/requirements.txt
$(TARGET)/wheel/python/installed: apps/scan/python/requirements.txt
%/installed:
	scripts/venv $(@D) --require-hashes -r $<
	touch $@
