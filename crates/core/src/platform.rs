// SPDX-License-Identifier: MIT OR Apache-2.0
//! What depends on the operating system: where it keeps libraries and the data of users.

use std::ffi::OsString;
use std::path::PathBuf;

#[cfg(not(windows))]
pub(crate) use unix::{REMEDY, library_folders, user_data};
#[cfg(windows)]
pub(crate) use windows::{REMEDY, library_folders, user_data};

/// Looks up an environment variable. Empty ones count as unset.
type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The folders in a variable that lists some, such as `PATH`, without empty entries: the working directory is not meant by
/// accident.
pub(crate) fn folders_in(variable: Variable, name: &str) -> Vec<PathBuf> {
    let list = variable(name).unwrap_or_default();
    std::env::split_paths(&list).filter(|folder| !folder.as_os_str().is_empty()).collect()
}

/// The folder that `$XDG_DATA_HOME` names. The XDG Base Directory Specification requires an absolute path.
fn xdg_data_home(variable: Variable) -> Option<PathBuf> {
    variable("XDG_DATA_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute())
}

#[cfg(not(windows))]
mod unix {
    use super::*;

    /// What the user can do if a file is missing.
    pub(crate) const REMEDY: &str =
        "Run `make setup` in the source folder, which fetches it, and `make install`, which puts it beside the plugin";

    /// The folder of the user's data.
    pub(crate) fn user_data(variable: Variable) -> Option<PathBuf> {
        xdg_data_home(variable).or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/share")))
    }

    /// The folders of the system's libraries, in the order of the dynamic loader.
    pub(crate) fn library_folders(variable: Variable) -> Vec<PathBuf> {
        let multiarch = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        let mut folders = folders_in(variable, "LD_LIBRARY_PATH");
        folders.extend(["/usr/local/lib", &multiarch, "/usr/lib64", "/usr/lib"].map(PathBuf::from));
        folders
    }
}

#[cfg(windows)]
mod windows {
    use super::*;

    /// What the user can do if a file is missing.
    pub(crate) const REMEDY: &str = "Install it by `pip install onnxruntime` beside the package of the plugin, or keep the folders of \
        the zip file together";

    /// The folder of the user's data.
    pub(crate) fn user_data(variable: Variable) -> Option<PathBuf> {
        xdg_data_home(variable).or_else(|| variable("LOCALAPPDATA").map(PathBuf::from))
    }

    /// None: the ONNX Runtime in the folder of Windows itself is too old, and other programs put theirs into `PATH`.
    pub(crate) fn library_folders(_: Variable) -> Vec<PathBuf> {
        Vec::new()
    }
}
