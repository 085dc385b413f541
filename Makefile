# SPDX-License-Identifier: MIT OR Apache-2.0
# The entry point of the repository. `make` lists what people type; the head of scripts/test lists tests that take longer.

# The cargo features of the plugin.
FEATURES = $(shell scripts/build/features)
features = $(if $(FEATURES),--features $(FEATURES))
optional := emotion/heif,emotion/remote

TARGET := $(or $(CARGO_TARGET_DIR),target)
built := $(TARGET)/$(addsuffix /,$(CARGO_BUILD_TARGET))release
# The Python interpreter for models/training: PYTHON=path, or one in the build folder with the packages of a requirements file.
python = $(or $(PYTHON),$(TARGET)/training/bin/python)
packages_of = $(if $(PYTHON),,$(TARGET)/training/$(1).installed)
training = PYTHONPATH=models $(python) -m training.expression

.PHONY: help setup test-packages build plugin demo scan cluster-demo dashboard fleet check test fuzz bench soak evaluate faces train model card \
    chaos licences install uninstall deb wheel windows release clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

setup: ## install missing packages; download ONNX Runtime and CenterFace; GPU=webgpu: also what runs networks on GPUs
	@scripts/setup

test bench: test-packages
test-packages: setup
	@scripts/system/packages packaging/packages-to-test

build: setup ## build the plugin and the programs, optimised
	cargo build --locked --release --package gst-plugin-emotion --package emotion-cascade --package emotion $(features) --features $(optional)
	@for name in $(shell sed '/^\#/d' packaging/programs); do ln -sf emotion $(built)/$$name; done
	@packaging/third-party gst-plugin-emotion emotion-cascade emotion -- $(features) --features $(optional) >$(built)/third-party.txt

plugin: setup
	cargo build --locked --release $(features)

demo: ## annotate a clip: INPUT=file OUTPUT=folder; without INPUT, a rendered clip
	@scripts/demo/run "$(INPUT)" "$(OUTPUT)"

scan: setup ## find the faces in photos and videos: INPUT=folder OUTPUT=folder; writes a table and a page
	scripts/demo/scan "$(INPUT)" "$(OUTPUT)"
cluster-demo: setup $(TARGET)/cluster/python/installed ## the same on three Ray nodes on this machine
	scripts/demo/cluster-demo "$(INPUT)" "$(OUTPUT)"
dashboard: setup ## show faces live on a web page: SOURCES='/dev/video0 rtsp://camera/ clip.mp4', or a rendered clip
	scripts/demo/dashboard $(SOURCES)
fleet: setup ## cameras, a broker and a page that shows them: SOURCES='clip.mp4', or a rendered clip
	@scripts/system/packages mosquitto mosquitto-clients
	scripts/demo/fleet $(SOURCES)

test: setup $(call packages_of,requirements-data) $(TARGET)/scan/readers/installed ## run all checks and tests, or ONLY=tiles:: by name
	FEATURES="$(FEATURES)" PYTHON=$(python) scripts/test $(if $(ONLY),only "$(ONLY)")
check: setup ## run the formatter, the lints and the fast tests
	FEATURES="$(FEATURES)" scripts/test check
test-%:
	FEATURES="$(FEATURES)" PYTHON=$(python) scripts/test $*
fuzz: setup ## feed random input to all targets, MINUTES=10 in total, or to ONLY=one of tests/fuzz
	FEATURES="$(FEATURES)" MINUTES="$(MINUTES)" scripts/test fuzz $(ONLY)
bench: plugin ## measure the figures in docs/performance.md; EARLIER=commit to compare with that commit
	tests/benches/run
# Other options: FACE_SIZE=pixels CLIP=file CHAIN=elements DISTURB=true
soak: setup ## run live streams for a long time: MINUTES=60 STREAMS=1 SIZE=1280x720 FACES=2
	cargo run --locked --release --package emotion-tests $(features) --example soak -- minutes="$(MINUTES)" streams="$(STREAMS)" \
	    size="$(SIZE)" faces="$(FACES)" face-size="$(FACE_SIZE)" clip="$(CLIP)" chain="$(CHAIN)" disturb="$(DISTURB)"
chaos: ## break cameras, brokers and networks, and account for every frame: MINUTES=10 SEED=1 CAMERAS=8 TOGETHER=8
	FEATURES="$(FEATURES)" MINUTES="$(MINUTES)" SEED="$(SEED)" CAMERAS="$(CAMERAS)" TOGETHER="$(TOGETHER)" scripts/test chaos
licences: ## check the licences and sources of the dependencies
	scripts/build/cargo-tool deny --locked check bans licenses sources

evaluate: setup ## measure MODEL=file.onnx on the labelled faces in DATA=folder; EVALUATOR=path of a built emotion-evaluate
	EVALUATOR="$(EVALUATOR)" scripts/models/evaluate expression --model "$(or $(MODEL),models/expression/model.onnx)" --conditions "$(DATA)"
faces: setup $(call packages_of,requirements-data) ## write the test faces of DATA=... as pictures to OUTPUT=folder
	$(training).export_faces --data "$(DATA)" --output "$(OUTPUT)"
train: setup $(call packages_of,requirements) ## train an expression model on DATA=... in RUN=folder; OPTIONS of training.expression.train
	$(training).run --data "$(DATA)" --run "$(RUN)" $(OPTIONS)
# NAME is a folder of models. Also writes the test fixture and the card. OPTIONS are those of the export.
NAME ?= expression
model: setup $(call packages_of,requirements) ## export WEIGHTS=run/final.pt, trained on DATA=..., as models/NAME
	EVALUATOR="$(EVALUATOR)" PYTHON=$(python) scripts/models/model $(NAME) $(WEIGHTS) "$(DATA)" $(OPTIONS)
card: setup $(call packages_of,requirements-data) ## update the figures in the card of models/NAME from DATA=...
	EVALUATOR="$(EVALUATOR)" PYTHON=$(python) scripts/models/card $(NAME) "$(DATA)"

install: build ## install plugin, programs and recipes for you alone, or for all users with PREFIX=/usr; DESTDIR=folder
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" packaging/install
uninstall: ## remove the files that install installed
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" packaging/install --uninstall
deb: $(if $(filter arm64,$(ARCH)),,build) ## build a package for this Debian release, in target/debian; ARCH=arm64 for Debian 12 on ARM
	$(if $(filter arm64,$(ARCH)),packaging/arm64 deb,packaging/build-deb)
wheel: setup $(TARGET)/wheel/python/installed ## build a Python wheel with the plugin, in target/wheel
	packaging/build-wheel
windows: setup $(TARGET)/wheel/python/installed ## build a zip file and a Python wheel for Windows, in target/windows
	packaging/windows/cross build
release: setup $(TARGET)/wheel/python/installed ## build and pack everything for the tag of HEAD, in target/release-VERSION
	packaging/release
clean: ## remove the build results; files that setup downloaded stay
	cargo clean

# Virtual environments with the packages of a requirements file.
$(TARGET)/training/%.installed: models/training/%.txt
	scripts/build/venv $(@D) -r $<
	touch $@

$(TARGET)/cluster/python/installed: apps/scan/cluster/requirements.txt
$(TARGET)/scan/readers/installed: apps/scan/tests/requirements.txt
$(TARGET)/blur/python/installed: scripts/tests/blur.txt
$(TARGET)/homeassistant/python/installed: apps/camera/tests/requirements.txt
$(TARGET)/api/python/installed: apps/dashboard/tests/clients/requirements.txt
$(TARGET)/wheel/python/installed: apps/scan/python/requirements.txt
%/installed:
	scripts/build/venv $(@D) --require-hashes -r $<
	touch $@
