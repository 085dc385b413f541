// SPDX-License-Identifier: MIT OR Apache-2.0
//! The folder of the plugin's library, beside which models and ONNX Runtime may be.

use std::path::PathBuf;
use std::sync::OnceLock;

static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Keeps the folder of `plugin`, which registers its elements.
pub(super) fn keep(plugin: &gst::Plugin) {
    FOLDER.get_or_init(|| plugin.filename()?.parent().map(PathBuf::from));
}

/// The folder of the plugin's library; none if the elements are linked into the program.
pub(super) fn plugin_folder() -> Option<PathBuf> {
    FOLDER.get().cloned().flatten()
}
