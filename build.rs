// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells the plugin's own version and release date to the code.

fn main() {
    gst_plugin_version_helper::info()
}
