// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells the plugin's own version and release date to the code.

use std::path::Path;

/// Git adds a line for every commit and checkout.
const LOG: &str = ".git/logs/HEAD";

fn main() {
    gst_plugin_version_helper::info();
    // Otherwise Cargo runs this again for every changed file, documentation included, and compiles plugin and tests again.
    println!("cargo:rerun-if-changed=Cargo.toml");
    if Path::new(LOG).exists() {
        println!("cargo:rerun-if-changed={LOG}");
    }
}
