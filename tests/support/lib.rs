// SPDX-License-Identifier: MIT OR Apache-2.0
//! Code that tests share: those of the plugin, in `tests/`, and those of the programs in `apps/`.

pub mod average_faces;
pub mod broker;
pub mod browser;
pub mod command_line;
pub mod disturbance;
#[cfg(feature = "plugin")]
pub mod gate;
pub mod gestures;
#[cfg(feature = "plugin")]
pub mod gstreamer;
pub mod left_out;
pub mod promises;
#[cfg(feature = "plugin")]
pub mod recipes;
pub mod truth_film;
#[cfg(feature = "plugin")]
pub mod zoo;

use std::path::{Path, PathBuf};

use average_faces::{Key, Scene};
use emotion_core::model::search_path::SearchPath;
/// WebSockets.
pub use tungstenite;

/// True if the plugin finds ONNX Runtime and the detector `name`. Under `make test` it has to; `cargo test` alone reports the
/// number of skipped tests.
pub fn fetched(name: &str) -> bool {
    let search = SearchPath::from_env(None);
    let missing = search.runtime_library().err().or_else(|| search.model(name, &format!("{name}.onnx")).err());
    skip_if(missing)
}

/// True if the plugin finds ONNX Runtime; see [`fetched`].
pub fn runtime_fetched() -> bool {
    skip_if(SearchPath::from_env(None).runtime_library().err())
}

fn skip_if(missing: Option<emotion_core::error::Error>) -> bool {
    if let Some(error) = &missing {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "{error}");
        left_out::note(error.to_string());
    }
    missing.is_none()
}

/// The top folder of the checkout.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this package is two folders below")
}

/// The path of a file in `tests/data`.
pub fn data(name: &str) -> PathBuf {
    repository().join("tests/data").join(name)
}

/// The path of our model `name`.
pub fn our_model(name: &str) -> PathBuf {
    repository().join("models").join(name).join("model.onnx")
}

/// A folder in the build folder, for files that people look at.
pub fn temporary() -> PathBuf {
    let program = std::env::current_exe().expect("a test has a path");
    let build = program.ancestors().nth(3).expect("Cargo puts programs of tests into `PROFILE/deps`");
    build.join("tmp")
}

/// Three faces in 640x480 that do not move: neutral, happiness and surprise from left to right.
pub fn three_faces() -> Scene {
    let still = |x: f32, expression| vec![Key::new(0.0, (x, 220.0), 180.0, expression), Key::new(100.0, (x, 220.0), 180.0, expression)];
    Scene::new(640, 480).actor(still(110.0, "neutral")).actor(still(320.0, "happiness")).actor(still(530.0, "surprise"))
}
