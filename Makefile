# SPDX-License-Identifier: MIT OR Apache-2.0
# The entry point of the repository. `make` lists the targets.

# Debian packages for building and the pipelines.
PACKAGES := g++ pkg-config clang libclang-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev \
    libgstrtspserver-1.0-dev libopencv-dev gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
    gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-x opencv-data \
    libgstreamer-plugins-bad1.0-dev gstreamer1.0-plugins-base-apps jq python3-venv python3-gi \
    gir1.2-gstreamer-1.0
# Packages that only tests and benches need. The facedetect of gstreamer1.0-opencv can replace this plugin's, and the
# brokers start as services.
TEST_PACKAGES := gstreamer1.0-opencv mosquitto mosquitto-clients nats-server openssl

# The cargo features besides the default ones: the element for brokers, and the analytics library of the installed GStreamer.
analytics_feature = $(shell pkg-config --atleast-version=1.$(1) gstreamer-analytics-1.0 2>/dev/null && echo v1_$(1))
FEATURES = publish-nats$(addprefix $(comma),$(lastword $(foreach minor,24 26 28,$(call analytics_feature,$(minor)))))
comma := ,
CARGO_DENY := 0.20.2

TARGET := $(or $(CARGO_TARGET_DIR),target)
TOOLS := $(TARGET)/tools
features = $(if $(FEATURES),--features $(FEATURES))

# The Python interpreter for models/training: PYTHON=path, or a virtual environment in the build folder with the
# packages of a requirements file.
python = $(or $(PYTHON),$(TARGET)/training/bin/python)
training = PYTHONPATH=models $(python) -m training
packages_of = $(if $(PYTHON),,$(TARGET)/training/$(1).installed)

programs := $(shell sed '/^\#/d' packaging/programs)

.PHONY: help setup test-packages packages programs build plugin demo moving-picture scan cluster-demo dashboard fleet test fuzz \
    test-cluster test-newer test-onvif test-remote test-validate bench soak evaluate faces licences audit install uninstall clean deb test-deb test-arm64 \
    wheel test-wheel train model card

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: ## install missing packages; download ONNX Runtime and CenterFace
	@rustc --version 2>/dev/null | awk '{ split($$2, v, "."); ok = v[1] > 1 || v[2] >= 92 } END { exit !ok }' || { \
	    version=$$(rustc --version 2>/dev/null || echo none); \
	    echo "setup: Rust 1.92 or newer is required, found: $$version; see https://rustup.rs" >&2; exit 1; }
	@scripts/packages $(PACKAGES)
	@models/fetch

test bench: test-packages
test-packages: setup
	@scripts/packages $(TEST_PACKAGES)

build: setup ## build the plugin and the programs, optimised
	cargo build --locked --release $(addprefix --package ,gst-plugin-emotion $(programs)) $(features) --features emotion-scan/remote

plugin: setup
	cargo build --locked --release $(features)

demo: plugin ## annotate a clip: INPUT=file OUTPUT=folder; without INPUT, a rendered clip
	FEATURES="$(FEATURES)" pipelines/demo.sh "$(INPUT)" "$(OUTPUT)"
	@GST_PLUGIN_PATH="$(TARGET)/plugins$${GST_PLUGIN_PATH:+:$$GST_PLUGIN_PATH}" scripts/facedetect

moving-picture: plugin $(call packages_of,requirements-data) ## render the picture of the README: OUTPUT=file.webp
	cargo build --locked --release $(features) --example average-faces-clip
	bash -c 'source pipelines/env.sh && CLIP=$(TARGET)/release/examples/average-faces-clip exec "$$@"' _ \
	    $(python) examples/moving_picture.py $(or $(OUTPUT),docs/demo.webp)

scan: setup ## find the faces in photos and videos: INPUT=folder OUTPUT=folder; writes a table and a page
	scripts/scan "$(INPUT)" "$(OUTPUT)"

cluster-demo: setup $(TARGET)/cluster/python/installed ## emotion-scan on three Ray nodes on this machine: INPUT=folder OUTPUT=folder
	scripts/cluster-demo "$(INPUT)" "$(OUTPUT)"

dashboard: setup ## show faces live on a web page: SOURCES='/dev/video0 rtsp://camera/ clip.mp4', or a rendered clip
	scripts/dashboard $(SOURCES)

fleet: setup ## four cameras that publish to a broker here, and a page that shows them: SOURCES='clip.mp4', or a rendered clip
	@scripts/packages mosquitto mosquitto-clients
	scripts/fleet $(SOURCES)

# GST_EMOTION_REQUIRE_MODELS makes tests fail if downloaded files are missing. The registry and the plugin path keep an
# installed copy of the plugin out of the tests.
test test-onvif test-remote fuzz: export GST_EMOTION_REQUIRE_MODELS := 1
test test-onvif test-remote fuzz: export GST_REGISTRY = $(abspath $(TARGET))/test-registry.bin
test test-onvif test-remote fuzz: export GST_PLUGIN_SYSTEM_PATH_1_0 = $(shell pkg-config --variable=pluginsdir gstreamer-1.0 2>/dev/null)
test: export RUSTC_WORKSPACE_WRAPPER := $(CURDIR)/scripts/compiler
test: export CLIPPY_ARGS := -Dwarnings
test: export RUSTDOC := $(CURDIR)/scripts/rustdoc
heading = @printf '\n== %s\n' '$(1)'
test: setup $(call packages_of,requirements-data) $(TARGET)/scan/readers/installed ## run all checks and tests
	@{ cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 || rustup component add rustfmt clippy
	$(call heading,formatting)
	cargo fmt --all --check
	$(call heading,lints and compilation of the tests)
	cargo test --locked --workspace --all-targets $(features) --no-run
	$(call heading,tests and documentation)
	cargo test --locked --workspace $(features)
	$(call heading,lints of the core and its tests without GStreamer)
	cargo clippy --locked --no-default-features --features onnx -- -D warnings
	cargo clippy --locked --package gst-plugin-emotion --package emotion-tests --package emotion-evaluate --no-default-features \
	    --features draw,onnx --all-targets -- -D warnings
	$(call heading,tests of the training tools on synthetic data)
	PYTHONPATH=models $(python) -m unittest discover --start-directory models/training --top-level-directory models
	@$(python) -c 'import onnxruntime, torch' 2>/dev/null || \
	    echo "skipped: tests that need models/training/requirements.txt"
	$(call heading,gst-inspect-1.0 on the plugin)
	scripts/inspect $(TARGET)/debug/deps/libgstemotion.so
	$(call heading,all passed)

fuzz: setup ## feed random input to all targets, MINUTES=10 in total, or to ONLY=one of tests/fuzz
	FUZZ_SECONDS=$$(( $(or $(MINUTES),10) * 60 / $(if $(ONLY),1,$$(grep -c '^#\[test\]' tests/fuzz/main.rs)) )) \
	    cargo test --locked --package emotion-tests $(features) --test fuzz -- --test-threads 1 $(ONLY)

test-cluster: setup $(TARGET)/cluster/python/installed ## kill nodes, workers and the driver of scans on Ray
	cargo build --locked --release --package gst-plugin-emotion --package emotion-scan --lib --bins
	scripts/cluster-clips $(TARGET)/cluster/clips
	SCAN=$(abspath $(TARGET))/release/emotion-scan CLIPS=$(abspath $(TARGET))/cluster/clips \
	    $(TARGET)/cluster/python/bin/python -m unittest discover --start-directory apps/scan/cluster/tests

test-newer: setup ## build and test with the GStreamer of Debian 13, or of ROOT=sid, in a cached root folder (needs root, network)
	scripts/newer $(or $(ROOT),trixie)

test-validate: plugin ## run the tests of tests/validate with gst-validate, where it is installed
	tests/validate/run $(TARGET)/release/libgstemotion.so

test-onvif: setup ## build the ONVIF elements of gst-plugins-rs and run them on our documents (needs root, network)
	FEATURES="$(FEATURES)" scripts/onvif

test-remote: test-packages ## test URLs as inputs of emotion-scan, with an S3 server and a web server of the test
	cargo clippy --locked --package emotion-scan --all-targets --features test-remote -- -D warnings
	cargo test --locked --package emotion-scan --features test-remote --lib --test remote

packages:
	@echo $(PACKAGES) $(TEST_PACKAGES)

programs:
	@echo $(programs)

bench: plugin ## measure the figures in docs/performance.md; EARLIER=commit to compare with that commit
	@if [ -x tests/benches/run ]; then tests/benches/run; else cargo bench --locked --package emotion-benches; fi

MODEL ?= models/expression/model.onnx
# EVALUATOR=path uses an emotion-evaluate that is already built.
run_evaluator = cargo run --locked --release --package emotion-evaluate --
evaluator = $(or $(EVALUATOR),$(run_evaluator))
evaluate: setup ## measure MODEL=file.onnx on the labelled faces in DATA=folder
	$(evaluator) expression --model "$(MODEL)" --conditions "$(DATA)"

$(TARGET)/training/%.installed: models/training/%.txt
	[ -x $(TARGET)/training/bin/python ] || python3 -m venv $(TARGET)/training
	$(TARGET)/training/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Ray, for apps/scan/cluster.
$(TARGET)/cluster/python/installed: apps/scan/cluster/requirements.txt
	[ -x $(@D)/bin/python ] || python3 -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

# DuckDB and pyarrow, with which tests read the tables of emotion-scan.
$(TARGET)/scan/readers/installed: apps/scan/tests/requirements.txt
	[ -x $(@D)/bin/python ] || python3 -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

faces: setup $(call packages_of,requirements-data) ## write the test faces of DATA=... as pictures to OUTPUT=folder
	$(training).expression.export_faces --data "$(DATA)" --output "$(OUTPUT)"

# Other options: FACE_SIZE=pixels CLIP=file CHAIN=elements DISTURB=true
soak: setup ## run live streams for a long time: MINUTES=60 STREAMS=1 SIZE=1280x720 FACES=2
	cargo run --locked --release --package emotion-tests $(features) --example soak -- minutes="$(MINUTES)" streams="$(STREAMS)" \
	    size="$(SIZE)" faces="$(FACES)" face-size="$(FACE_SIZE)" clip="$(CLIP)" chain="$(CHAIN)" disturb="$(DISTURB)"

# OPTIONS are those of training.expression.train.
train: setup $(call packages_of,requirements) ## train an expression model on DATA=... in RUN=folder; OPTIONS=
	$(training).expression.run --data "$(DATA)" --run "$(RUN)" $(OPTIONS)

NAME ?= expression
# NAME is expression or expression-tiny. Also writes the test fixture and the card.
model: setup $(call packages_of,requirements) ## export WEIGHTS=run/final.pt, trained on DATA=..., as models/NAME
	$(training).expression.export --data "$(DATA)" --weights $(WEIGHTS) \
	    --output models/$(NAME)/model.onnx $(OPTIONS)
	$(training).expression.golden tests/data/$(NAME).json --model models/$(NAME)/model.onnx
	$(MAKE) card DATA="$(DATA)" NAME=$(NAME)

# The report and the diagrams are those of emotion-evaluate on the test faces of DATA.
card: setup $(call packages_of,requirements-data) ## update the figures in the card of models/NAME from DATA=...
	$(training).expression.export_faces --data "$(DATA)" --output $(TARGET)/faces
	$(evaluator) expression --conditions --model models/$(NAME)/model.onnx \
	    --json $(TARGET)/card.json --svg $(TARGET)/card $(TARGET)/faces
	$(training).expression.card --report $(TARGET)/card.json \
	    --card models/$(NAME)/CARD.md --description models/$(NAME)/model.toml
	cp $(TARGET)/card/reliability-scores-votes.svg $(TARGET)/card/confusion-scores-votes.svg models/$(NAME)

licences: $(TOOLS)/bin/cargo-deny ## check the licences and sources of the dependencies
	$(TOOLS)/bin/cargo-deny --locked check bans licenses sources

audit: $(TOOLS)/bin/cargo-deny ## check the dependencies for known vulnerabilities (needs a network)
	$(TOOLS)/bin/cargo-deny --locked check advisories

$(TOOLS)/bin/cargo-deny: Makefile
	@$@ --version 2>/dev/null | grep -qFx 'cargo-deny $(CARGO_DENY)' || $(call install_tool,cargo-deny,$(CARGO_DENY))
	@rm -rf $(TOOLS)/build && touch $@

install_tool = CARGO_TARGET_DIR=$(TOOLS)/build cargo install --locked --force $(1) --version $(2) --root $(TOOLS)

install: build ## install plugin, programs and recipes for you alone, or for all users with PREFIX=/usr; DESTDIR=folder
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" packaging/install

uninstall: ## remove the files that install installed
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" packaging/install --uninstall

deb: $(if $(filter arm64,$(ARCH)),,build) ## build a package for this Debian release, in target/debian; ARCH=arm64 for Debian 12 on ARM, in target/arm64
	$(if $(filter arm64,$(ARCH)),scripts/arm64 deb,packaging/build-deb)

test-deb: ## build, install and use the packages for Debian 12 and 13 (needs root, network)
	scripts/deb bookworm
	scripts/deb trixie

test-arm64: setup ## build for 64-bit ARM, test the core and use the package under emulation (needs root, network)
	scripts/arm64 test

# In a build folder of its own: the libraries have other features than those of `make build`.
wheel_build := $(TARGET)/wheel/build
wheel: setup ## build a Python wheel with the plugin, for the GStreamer of Debian 12 and newer, in target/wheel
	cargo build --locked --release --target-dir $(wheel_build) --no-default-features --package emotion-python \
	    --package gst-plugin-emotion --features emotion-python/remote,gst-plugin-emotion/plugin,gst-plugin-emotion/publish-nats
	python3 apps/scan/python/wheel.py --module $(wheel_build)/release/libemotion_python.so \
	    --plugin $(wheel_build)/release/libgstemotion.so --output $(TARGET)/wheel

test-wheel: wheel ## install and use the wheel on this machine and on Debian 13 (needs network, root for Debian 13)
	scripts/wheel $(TARGET)/wheel

clean: ## remove the build results; files that setup downloaded stay
	cargo clean
