// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hands the GStreamer plugin that the environment variable `GST_EMOTION_PLUGIN` names, and the licences beside it, to maturin,
//! which puts them into the wheel from the output folder. Without the variable, the wheel has no plugin.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=GST_EMOTION_PLUGIN");
    let folder = Path::new(&env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("gstreamer-1.0");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    if let Some(plugin) = env::var_os("GST_EMOTION_PLUGIN").map(PathBuf::from) {
        fs::create_dir_all(&folder)?;
        for file in [plugin.with_file_name("third-party.txt"), plugin] {
            println!("cargo::rerun-if-changed={}", file.display());
            fs::copy(&file, folder.join(file.file_name().unwrap_or_default()))?;
        }
    }
    Ok(())
}
