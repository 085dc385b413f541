// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests share.
#![allow(dead_code)] // no test needs all of it

pub mod average_faces;
#[cfg(feature = "plugin")]
pub mod stage;

/// Makes GStreamer ready, with the elements in this process and not from a library.
#[cfg(feature = "plugin")]
pub fn init() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        gst::init().expect("GStreamer starts");
        gstemotion::plugin_register_static().expect("the elements register");
    });
}

/// Whether ONNX Runtime and CenterFace are there, as `make setup` fetches them. If not, a test that needs them says so
/// and ends; under `make test`, which sets `GST_EMOTION_REQUIRE_MODELS`, it fails.
#[cfg(feature = "onnx")]
pub fn fetched() -> bool {
    let search = gstemotion::locate::SearchPath::from_env(None);
    let found = search.runtime_library().and_then(|_| search.model("centerface", "centerface.onnx"));
    match found {
        Ok(_) => true,
        Err(missing) if std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_some() => panic!("{missing}"),
        Err(missing) => {
            eprintln!("skipped: {missing}");
            false
        }
    }
}
