# SPDX-License-Identifier: MIT OR Apache-2.0
# The front door. `make` says what there is.

# Debian packages that building, testing and the pipelines need.
PACKAGES := g++ pkg-config clang libclang-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev \
    libgstrtspserver-1.0-dev libopencv-dev gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
    gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-opencv gstreamer1.0-x opencv-data \
    libgstreamer-plugins-bad1.0-dev gstreamer1.0-plugins-base-apps jq python3-venv python3-gi gir1.2-gstreamer-1.0

# Cargo features the installed GStreamer allows beyond the default ones: the newest of its analytics library.
FEATURES = $(lastword $(foreach minor,24 26 28,$(shell pkg-config --atleast-version=1.$(minor) gstreamer-analytics-1.0 2>/dev/null && echo v1_$(minor))))
CARGO_DENY := 0.20.2
CARGO_DEB := 3.6.4

TARGET := $(or $(CARGO_TARGET_DIR),target)
TOOLS := $(TARGET)/tools
# A relative one is ignored, as by the plugin.
DATA_HOME := $(if $(filter /%,$(XDG_DATA_HOME)),$(XDG_DATA_HOME),$(HOME)/.local/share)
# What models/fetch puts into the data home and `make install` beside the plugin.
fetched := $(DATA_HOME)/gst-emotion
runtime := libonnxruntime.so.$(shell sed -n 's/^runtime_version=//p' models/fetch)
model_files := centerface/centerface.onnx centerface/model.toml
licence_files := licenses/onnxruntime/LICENSE licenses/onnxruntime/ThirdPartyNotices.txt licenses/centerface/LICENSE
features = $(if $(FEATURES),--features $(FEATURES))

# Python for models/training: PYTHON=path, or a virtual environment in the build folder with the packages of a list there.
python = $(or $(PYTHON),$(TARGET)/training/bin/python)
training = PYTHONPATH=models $(python) -m training
packages_of = $(if $(PYTHON),,$(TARGET)/training/$(1).installed)

# Where `make install` goes: the user's own plugin folder, or PREFIX's.
ifdef PREFIX
gstreamer_of = $(shell pkg-config --variable=$(1) gstreamer-1.0)
plugins = $(DESTDIR)$(if $(filter $(patsubst %/,%,$(PREFIX)),$(call gstreamer_of,prefix)),$(call gstreamer_of,pluginsdir),$(patsubst %/,%,$(PREFIX))/lib/gstreamer-1.0)
else
plugins = $(DESTDIR)$(DATA_HOME)/gstreamer-1.0/plugins
endif

.PHONY: help setup packages build demo test fuzz test-newer bench soak evaluate faces licences audit install uninstall clean deb test-deb train model card

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

setup: ## install what is missing; fetch ONNX Runtime and CenterFace
	@rustc --version 2>/dev/null | awk '{ split($$2, v, "."); ok = v[1] > 1 || v[2] >= 92 } END { exit !ok }' || { echo "setup: Rust 1.92 or newer is needed, found: $$(rustc --version 2>/dev/null || echo none); see https://rustup.rs" >&2; exit 1; }
	@.ci/packages $(PACKAGES)
	@models/fetch

build: setup ## the plugin, optimised
	cargo build --locked --release $(features)

demo: build ## find and name faces in a clip: INPUT=file OUTPUT=folder, or a rendered one
	pipelines/demo.sh "$(INPUT)" "$(OUTPUT)"

.PHONY: dashboard
dashboard: setup ## watch faces live on a page: SOURCES='/dev/video0 rtsp://camera/ clip.mp4', or a rendered clip
	pipelines/dashboard/run.sh $(SOURCES)

# The core is tested in a folder of its own: the library has one name in a build folder, whatever its features are.
# Tests that need fetched files fail without them here; an installed copy of the plugin stays out of the way.
test fuzz: export GST_EMOTION_REQUIRE_MODELS := 1
test fuzz: export GST_REGISTRY = $(abspath $(TARGET))/test-registry.bin
test fuzz: export GST_PLUGIN_SYSTEM_PATH_1_0 = $(shell pkg-config --variable=pluginsdir gstreamer-1.0 2>/dev/null)
test: export RUSTDOCFLAGS := -Dwarnings
heading = @printf '\n== %s\n' '$(1)'
test: setup $(call packages_of,requirements-data) ## everything that is checked, one after the other
	@{ cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1 || rustup component add rustfmt clippy
	$(call heading,formatting)
	cargo fmt --all --check
	$(call heading,lints)
	cargo clippy --locked --workspace --all-targets --features evaluate $(features) -- -D warnings
	cargo clippy --locked --no-default-features --features onnx -- -D warnings
	$(call heading,tests of the core alone: no GStreamer in it)
	cargo test --locked --no-default-features --features evaluate,draw --target-dir $(TARGET)/core
	$(call heading,tests)
	cargo test --locked --workspace $(features)
	$(call heading,training tools on synthetic data)
	PYTHONPATH=models $(python) -m unittest discover --start-directory models/training --top-level-directory models
	@$(python) -c 'import onnxruntime, torch' 2>/dev/null || echo "skipped: tests that need models/training/requirements.txt"
	$(call heading,documentation)
	cargo doc --locked --no-deps $(features)
	$(call heading,the plugin as gst-inspect-1.0 sees it)
	.ci/inspect $(TARGET)/debug/deps/libgstemotion.so
	$(call heading,all passed)

fuzz: setup ## what may come from outside, at random: MINUTES=10 for all targets together, or for ONLY=one of tests/fuzz
	FUZZ_SECONDS=$$(( $(or $(MINUTES),10) * 60 / $(if $(ONLY),1,$$(grep -c '^#\[test\]' tests/fuzz/main.rs)) )) \
	    cargo test --locked $(features) --test fuzz -- --test-threads 1 $(ONLY)

test-newer: setup ## build and test with the GStreamer of Debian 13, in a folder of the cache (root, network)
	.ci/newer trixie

packages:
	@echo $(PACKAGES)

bench: build ## the figures in the README
	@if [ -x tests/benches/run ]; then tests/benches/run; else cargo bench --locked $(features); fi

MODEL ?= models/expression/model.onnx
# EVALUATOR=path takes one that is built already.
evaluator = $(or $(EVALUATOR),cargo run --locked --release --no-default-features --features evaluate --bin emotion-evaluate --)
evaluate: setup ## how good MODEL=file.onnx is on the labelled faces in DATA=folder, by emotion-evaluate
	$(evaluator) expression --model "$(MODEL)" --conditions "$(DATA)"

$(TARGET)/training/%.installed: models/training/%.txt
	[ -x $(TARGET)/training/bin/python ] || python3 -m venv $(TARGET)/training
	$(TARGET)/training/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

faces: setup $(call packages_of,requirements-data) ## the test faces of the data set DATA=... as pictures, to OUTPUT=folder outside of here
	$(training).expression.export_faces --data "$(DATA)" --output "$(OUTPUT)"

soak: setup ## live streams for a long time: MINUTES=60 STREAMS=1 SIZE=1280x720 FACES=2 FACE_SIZE=pixels CLIP=file CHAIN=elements DISTURB=true
	cargo run --locked --release $(features) --example soak -- minutes="$(MINUTES)" streams="$(STREAMS)" size="$(SIZE)" faces="$(FACES)" \
	    face-size="$(FACE_SIZE)" clip="$(CLIP)" chain="$(CHAIN)" disturb="$(DISTURB)"

train: setup $(call packages_of,requirements) ## an expression model from DATA=..., to its card, in RUN=folder; OPTIONS= of train.py
	$(training).expression.run --data "$(DATA)" --run "$(RUN)" $(OPTIONS)

NAME ?= expression
model: setup $(call packages_of,requirements) ## WEIGHTS=run/final.pt, trained on DATA=..., as models/NAME (expression or expression-tiny), with test fixture and card
	$(training).expression.export --data "$(DATA)" --weights $(WEIGHTS) --output models/$(NAME)/model.onnx $(OPTIONS)
	$(training).expression.golden tests/data/$(NAME).json --model models/$(NAME)/model.onnx
	$(MAKE) card DATA="$(DATA)" NAME=$(NAME)

# A committed model's figures: report and diagrams of emotion-evaluate on the test faces of DATA, put into its card.
card: setup $(call packages_of,requirements-data) ## the figures in the card of models/NAME (expression), from the data set DATA=...
	$(training).expression.export_faces --data "$(DATA)" --output $(TARGET)/faces
	$(evaluator) expression --conditions --model models/$(NAME)/model.onnx \
	    --json $(TARGET)/card.json --svg $(TARGET)/card $(TARGET)/faces
	$(training).expression.card --report $(TARGET)/card.json --card models/$(NAME)/CARD.md --description models/$(NAME)/model.toml
	cp $(TARGET)/card/reliability-scores-votes.svg $(TARGET)/card/confusion-scores-votes.svg models/$(NAME)

licences: $(TOOLS)/bin/cargo-deny ## licences and sources of what we depend on
	$(TOOLS)/bin/cargo-deny --locked check bans licenses sources

audit: $(TOOLS)/bin/cargo-deny ## known vulnerabilities of what we depend on (network)
	$(TOOLS)/bin/cargo-deny --locked check advisories

$(TOOLS)/bin/cargo-deny: Makefile
	@$@ --version 2>/dev/null | grep -qFx 'cargo-deny $(CARGO_DENY)' || $(call install_tool,cargo-deny,$(CARGO_DENY))
	@rm -rf $(TOOLS)/build && touch $@

$(TOOLS)/bin/cargo-deb: Makefile
	@$@ --version 2>/dev/null | grep -qFx 'cargo-deb $(CARGO_DEB)' || $(call install_tool,cargo-deb,$(CARGO_DEB) --no-default-features)
	@rm -rf $(TOOLS)/build && touch $@

install_tool = CARGO_TARGET_DIR=$(TOOLS)/build cargo install --locked --force $(1) --version $(2) --root $(TOOLS)

install: build ## for you alone, or PREFIX=/usr for all, DESTDIR=folder
	install -D -m 644 $(TARGET)/release/libgstemotion.so "$(plugins)/libgstemotion.so"
	install -d "$(plugins)/emotion/models/centerface"
	rm -f "$(plugins)"/emotion/libonnxruntime.so.*
	[ ! -f "$(fetched)/lib/$(runtime)" ] || install -m 644 "$(fetched)/lib/$(runtime)" "$(plugins)/emotion"
	install -m 644 $(addprefix "$(fetched)"/models/,$(model_files)) "$(plugins)/emotion/models/centerface"
	for text in $(licence_files); do [ ! -f "$(fetched)/$$text" ] || install -D -m 644 "$(fetched)/$$text" "$(plugins)/emotion/$$text"; done

uninstall: ## what install put there, and nothing else
	rm -f "$(plugins)/libgstemotion.so" "$(plugins)"/emotion/libonnxruntime.so.* $(addprefix "$(plugins)"/emotion/models/,$(model_files)) $(addprefix "$(plugins)"/emotion/,$(licence_files))
	for folder in emotion/models/centerface emotion/models emotion/licenses/onnxruntime emotion/licenses/centerface emotion/licenses emotion; do [ ! -d "$(plugins)/$$folder" ] || rmdir --ignore-fail-on-non-empty "$(plugins)/$$folder"; done

deb: build $(TOOLS)/bin/cargo-deb ## a package for this Debian, in target/debian
	@.ci/packages dpkg-dev xz-utils
	rm -rf target/deb
	$(MAKE) --no-print-directory install plugins=target/deb
	$(TOOLS)/bin/cargo-deb deb --no-build --multiarch=same $(if $(FEATURES),--features $(FEATURES))

test-deb: ## build, install and use the packages for Debian 12 and 13 (root, network)
	.ci/deb bookworm
	.ci/deb trixie

clean: ## all that was built here; what setup fetched stays
	cargo clean
