// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where ONNX Runtime's library and model files are looked up. An installation works without environment variables.
//!
//! | order | ONNX Runtime | models |
//! |---|---|---|
//! | 1 | the file `$ORT_DYLIB_PATH` | the element's `model-file` |
//! | 2 | | the folders of `$GST_EMOTION_MODEL_PATH`, separated like those of `PATH` |
//! | 3 | the plugin's folder, then `emotion/` in it, then `../../onnxruntime/capi` | `emotion/models/` in the plugin's folder |
//! | 4 | `lib/` of the data home | `models/` of the data home |
//! | 5 | the system's library folders, except on Windows | compiled into the plugin |
//!
//! OpenCV's cascade is a library of its own, which is looked up like ONNX Runtime, and also beside the program.
//!
//! The third folder of the plugin is that of the Python package `onnxruntime` beside the package with the plugin.
//!
//! For a program that contains the elements, the plugin's folder is that of the installed plugin: in the program's own prefix,
//! or else the user's.
//!
//! The data home is `$XDG_DATA_HOME/gst-emotion`, usually `~/.local/share/gst-emotion`, on Windows usually
//! `%LOCALAPPDATA%\gst-emotion`; `make setup` fills it. A relative `$XDG_DATA_HOME` is ignored, as the XDG Base Directory
//! Specification requires. Empty entries of folder lists are ignored: the working directory is searched only if it is named.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::platform;

/// The files and folders that are searched.
#[derive(Clone, Debug, Default)]
pub struct SearchPath {
    /// `$ORT_DYLIB_PATH`.
    pub runtime_file: Option<PathBuf>,
    /// `$GST_EMOTION_MODEL_PATH`.
    pub model_folders: Vec<PathBuf>,
    /// The folder of the plugin's library, or of the one that was installed with this program.
    pub plugin_folder: Option<PathBuf>,
    /// The folder of this program.
    pub program_folder: Option<PathBuf>,
    /// The folder that `make setup` fills.
    pub data_home: Option<PathBuf>,
    /// Folders of the system's libraries.
    pub system_folders: Vec<PathBuf>,
}

impl SearchPath {
    /// The search path according to the environment of this process. `plugin_folder` is the folder of the plugin's library;
    /// none if the elements are linked into this program.
    pub fn from_env(plugin_folder: Option<PathBuf>) -> Self {
        let mut search = Self::from_variables(plugin_folder, |name| std::env::var_os(name));
        search.program_folder = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
        if search.plugin_folder.is_none() {
            search.plugin_folder = installed_plugin(search.program_folder.as_deref(), search.data_home.as_deref());
        }
        search
    }

    /// [`from_env`](Self::from_env) with a function that looks up environment variables, so that tests need not set any.
    fn from_variables(plugin_folder: Option<PathBuf>, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        Self {
            runtime_file: set("ORT_DYLIB_PATH").map(PathBuf::from),
            model_folders: platform::folders_in(&set, "GST_EMOTION_MODEL_PATH"),
            plugin_folder,
            program_folder: None,
            data_home: platform::user_data(&set).map(|folder| folder.join("gst-emotion")),
            system_folders: platform::library_folders(&set),
        }
    }

    /// ONNX Runtime's library: the newest version in the first folder that contains one. If `$ORT_DYLIB_PATH` is set, no folder
    /// is searched.
    ///
    /// # Errors
    /// [`Error::NotFound`] with all paths that were tried.
    pub fn runtime_library(&self) -> Result<PathBuf> {
        if let Some(file) = &self.runtime_file {
            // A fallback to another version would hide a mistyped path.
            return if file.is_file() { Ok(file.clone()) } else { Err(not_found("ONNX Runtime ($ORT_DYLIB_PATH)", vec![file.clone()])) };
        }
        let folders = self.folders_of_libraries("onnxruntime/capi");
        let found = folders.iter().find_map(|folder| newest_runtime(folder));
        found.ok_or_else(|| {
            let name = format!("{}*", runtime_name());
            not_found("ONNX Runtime", folders.into_iter().map(|folder| folder.join(&name)).collect())
        })
    }

    /// The library of the execution provider `name`, such as `webgpu`: beside the plugin, in the Python package
    /// `onnxruntime-ep-NAME` beside the plugin's package, where `make setup` put it, or in a folder of the system.
    ///
    /// # Errors
    /// [`Error::NotFound`] with all paths that were tried.
    pub fn provider_library(&self, name: &str) -> Result<PathBuf> {
        let folders = self.folders_of_libraries(&format!("onnxruntime_ep_{name}"));
        let file = format!("{DLL_PREFIX}onnxruntime_providers_{name}{DLL_SUFFIX}");
        let looked: Vec<_> = folders.into_iter().map(|folder| folder.join(&file)).collect();
        looked.iter().find(|file| file.is_file()).cloned().ok_or_else(|| Error::NotFound {
            what: format!("the library of the execution provider {name}"),
            looked,
            remedy: format!(
                "Run `make setup GPU={name}`, or install the Python package onnxruntime-ep-{name} and set provider-library to the output of \
                 `python -m emotion provider {name}`"
            ),
        })
    }

    /// The library for OpenCV's cascade: beside the plugin, where `make install` puts it, beside this program, or in a folder of the system.
    ///
    /// # Errors
    /// [`Error::NotFound`] with all paths that were tried.
    pub fn cascade_library(&self) -> Result<PathBuf> {
        let file = format!("{DLL_PREFIX}emotion_cascade{DLL_SUFFIX}");
        let folders = self.folders_of_libraries("emotion").into_iter().chain(self.program_folder.clone());
        let looked: Vec<_> = folders.map(|folder| folder.join(&file)).collect();
        looked.iter().find(|file| file.is_file()).cloned().ok_or_else(|| Error::NotFound {
            what: "the library for OpenCV's cascade, which detector=haar and profile need,".into(),
            looked,
            remedy: "`make install` puts it beside the plugin, and the Debian package has it. Without both properties, a network finds \
                     the faces"
                .into(),
        })
    }

    /// The folders that may have libraries, with that of the Python package `package`.
    fn folders_of_libraries(&self, package: &str) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        if let Some(folder) = &self.plugin_folder {
            folders.extend([folder.clone(), folder.join("emotion")]);
            folders.extend(folder.ancestors().nth(2).map(|packages| packages.join(package)));
        }
        folders.extend(self.data_home.as_ref().map(|folder| folder.join("lib")));
        folders.extend(self.system_folders.iter().cloned());
        folders
    }

    /// The file `name/file` in the first model folder that contains it.
    ///
    /// # Errors
    /// [`Error::NotFound`] with all paths that were tried; [`Error::ModelName`] if `name` is a path.
    pub fn model(&self, name: &str, file: &str) -> Result<PathBuf> {
        if !is_plain_name(name) {
            return Err(Error::ModelName { name: name.into() });
        }
        let mut folders = self.model_folders.clone();
        folders.extend(self.plugin_folder.as_ref().map(|folder| folder.join("emotion/models")));
        folders.extend(self.data_home.as_ref().map(|folder| folder.join("models")));
        let candidates: Vec<_> = folders.iter().map(|folder| folder.join(name).join(file)).collect();
        match candidates.iter().find(|path| path.is_file()) {
            Some(path) => Ok(path.clone()),
            None => Err(not_found(&format!("model {name}"), candidates)),
        }
    }
}

/// True if `name` is the name of a single file or folder, so that it cannot lead out of the folder that is searched.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    // The comparison rejects what `components` normalises, such as a trailing slash.
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == OsStr::new(name))
}

/// The first folder of plugins that has files of this plugin: in the prefix of a program `PREFIX/bin/NAME` or, in the Debian package,
/// `PREFIX/libexec/NAME`, or beside the data home.
fn installed_plugin(programs: Option<&Path>, data_home: Option<&Path>) -> Option<PathBuf> {
    let programs = programs.filter(|folder| folder.ends_with("bin") || folder.ends_with("libexec"));
    let multiarch = format!("../lib/{}-linux-gnu", std::env::consts::ARCH);
    let of_prefix = programs.map(|folder| [&multiarch, "../lib64", "../lib"].map(|lib| folder.join(lib).join("gstreamer-1.0")));
    let of_user = data_home.map(|folder| folder.with_file_name("gstreamer-1.0").join("plugins"));
    of_prefix.into_iter().flatten().chain(of_user).find(|folder| folder.join("emotion").is_dir())
}

fn not_found(what: &str, looked: Vec<PathBuf>) -> Error {
    Error::NotFound { what: what.into(), looked, remedy: platform::REMEDY.into() }
}

/// `libonnxruntime` on Linux.
fn runtime_name() -> String {
    format!("{DLL_PREFIX}onnxruntime")
}

/// The numbers of the version in the name of ONNX Runtime's library: `libonnxruntime.so.1.9.0`, `libonnxruntime.1.9.0.dylib`,
/// `onnxruntime.dll`. `None` for other files.
fn runtime_version(file: &OsStr) -> Option<Vec<u32>> {
    let rest = file.to_str()?.strip_prefix(&runtime_name())?;
    let version = rest.strip_prefix(DLL_SUFFIX).or_else(|| rest.strip_suffix(DLL_SUFFIX))?;
    version.split('.').filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

/// The file of the highest version in `folder`; a name without a version counts as the lowest.
fn newest_runtime(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.file_name()));
    let newest = files.filter_map(|file| Some((runtime_version(&file)?, file))).max()?.1;
    Some(folder.join(newest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary_folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("gst-emotion-search-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn the_library_of_the_cascade_is_found_beside_the_plugin_and_its_absence_is_explained() {
        let folder = temporary_folder("cascade");
        let search = SearchPath { plugin_folder: Some(folder.clone()), ..Default::default() };
        let message = search.cascade_library().unwrap_err().message();
        for part in ["detector=haar", "profile", "`make install`", "Debian package", "a network finds the faces"] {
            assert!(message.contains(part), "{part} in {message}");
        }
        let file = folder.join("emotion").join(format!("{DLL_PREFIX}emotion_cascade{DLL_SUFFIX}"));
        std::fs::create_dir(folder.join("emotion")).unwrap();
        std::fs::write(&file, "").unwrap();
        assert_eq!(search.cascade_library().unwrap(), file);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn runtime_versions_are_compared_as_numbers() {
        let folder = temporary_folder("newest");
        let name = runtime_name();
        for file in ["{}.1.9.0", "{}.1.22.0", "{}", "{}.backup"].map(|file| file.replace("{}", DLL_SUFFIX)) {
            std::fs::write(folder.join(format!("{name}{file}")), "").unwrap();
        }
        let search = SearchPath { system_folders: vec![folder.clone()], ..Default::default() };
        assert_eq!(search.runtime_library().unwrap(), folder.join(format!("{name}{DLL_SUFFIX}.1.22.0")));
        let with_version_first = OsString::from(format!("{name}.1.31.1{DLL_SUFFIX}"));
        assert_eq!(runtime_version(&with_version_first), Some(vec![1, 31, 1]));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_missing_runtime_is_an_error_with_all_paths_and_the_remedy() {
        let search = SearchPath {
            plugin_folder: Some("/nowhere/plugins".into()),
            data_home: Some("/nowhere/data".into()),
            system_folders: vec!["/nowhere/lib".into()],
            ..Default::default()
        };
        let error = search.runtime_library().unwrap_err();
        let message = error.to_string();
        assert!(message.contains("nowhere") && message.contains(platform::REMEDY), "{message}");
        let Error::NotFound { looked, .. } = error else { panic!("{message}") };
        let looked: Vec<_> = looked.iter().map(|file| file.parent().unwrap()).collect();
        let folders = ["/nowhere/plugins", "/nowhere/plugins/emotion", "/onnxruntime/capi", "/nowhere/data/lib", "/nowhere/lib"];
        assert_eq!(looked, folders.map(Path::new));
    }

    #[test]
    fn the_runtime_of_a_python_package_beside_the_plugins_is_found() {
        let packages = temporary_folder("packages");
        let runtime = packages.join(format!("onnxruntime/capi/{}{DLL_SUFFIX}", runtime_name()));
        std::fs::create_dir_all(runtime.parent().unwrap()).unwrap();
        std::fs::write(&runtime, "").unwrap();
        let search = SearchPath { plugin_folder: Some(packages.join("emotion/gstreamer-1.0")), ..Default::default() };
        assert_eq!(search.runtime_library().unwrap(), runtime);
        std::fs::remove_dir_all(packages).unwrap();
    }

    #[test]
    fn the_library_of_a_provider_is_found_in_its_python_package() {
        let packages = temporary_folder("provider");
        let search = SearchPath { plugin_folder: Some(packages.join("emotion/gstreamer-1.0")), ..Default::default() };
        let missing = search.provider_library("webgpu").unwrap_err().to_string();
        for part in ["execution provider webgpu was not found", "onnxruntime_ep_webgpu", "make setup GPU=webgpu", "provider webgpu"] {
            assert!(missing.contains(part), "{missing}");
        }
        let library = packages.join(format!("onnxruntime_ep_webgpu/{DLL_PREFIX}onnxruntime_providers_webgpu{DLL_SUFFIX}"));
        std::fs::create_dir_all(library.parent().unwrap()).unwrap();
        std::fs::write(&library, "").unwrap();
        assert_eq!(search.provider_library("webgpu").unwrap(), library);
        std::fs::remove_dir_all(packages).unwrap();
    }

    #[test]
    fn an_explicit_runtime_file_has_no_fallback() {
        let search =
            SearchPath { runtime_file: Some("/nowhere/ort.so".into()), system_folders: vec!["/usr/lib".into()], ..Default::default() };
        assert!(search.runtime_library().unwrap_err().to_string().contains("/nowhere/ort.so"));
    }

    #[test]
    fn a_program_finds_the_plugin_of_its_prefix_and_then_the_users() {
        let top = temporary_folder("prefix");
        let (program, data_home) = (top.join("bin/emotion-dashboard"), top.join("share/gst-emotion"));
        let multiarch = top.join(format!("lib/{}-linux-gnu/gstreamer-1.0", std::env::consts::ARCH));
        let (of_prefix, of_user) = (top.join("lib/gstreamer-1.0"), top.join("share/gstreamer-1.0/plugins"));
        std::fs::create_dir_all(top.join("bin")).unwrap();
        let found = || installed_plugin(program.parent(), Some(&data_home)).map(|folder| folder.canonicalize().unwrap());
        assert_eq!(found(), None, "other plugins alone do not count");
        for folder in [&of_user, &of_prefix, &multiarch] {
            std::fs::create_dir_all(folder.join("emotion")).unwrap();
            assert_eq!(found(), Some(folder.canonicalize().unwrap()));
        }
        std::fs::create_dir(top.join("libexec")).unwrap();
        let packed = installed_plugin(Some(&top.join("libexec")), Some(&data_home)).map(|folder| folder.canonicalize().unwrap());
        assert_eq!(packed, found(), "the program of the Debian package");
        let built = top.join("target/release/emotion-dashboard");
        assert_eq!(installed_plugin(built.parent(), Some(&data_home)), Some(of_user), "a program that is not installed");
        std::fs::remove_dir_all(top).unwrap();
    }

    fn with_variables(variables: &[(&str, &str)]) -> SearchPath {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        SearchPath::from_variables(None, value)
    }

    /// An absolute path on this operating system.
    fn absolute(path: &str) -> String {
        format!("{}{path}", if cfg!(windows) { "C:" } else { "" })
    }

    #[test]
    fn a_relative_data_home_is_ignored() {
        // The variable that has the home, and the folder of data in it.
        let (variable, data) = if cfg!(windows) { ("LOCALAPPDATA", "gst-emotion") } else { ("HOME", ".local/share/gst-emotion") };
        let me = absolute("/home/me");
        let home = |variables: &[(&str, &str)]| with_variables(variables).data_home;
        let expected = Some(Path::new(&absolute("/data")).join("gst-emotion"));
        assert_eq!(home(&[("XDG_DATA_HOME", &absolute("/data")), (variable, &me)]), expected);
        for relative in ["", ".", "data", "../data"] {
            let found = home(&[("XDG_DATA_HOME", relative), (variable, &me)]);
            assert_eq!(found, Some(Path::new(&me).join(data)), "{relative:?}");
        }
        assert_eq!(home(&[("XDG_DATA_HOME", "data")]), None);
    }

    #[test]
    fn empty_entries_of_folder_lists_are_ignored() {
        let separator = if cfg!(windows) { ";" } else { ":" };
        let (models, more) = (absolute("/models"), absolute("/more"));
        let list = ["", &models, "", &more, ""].join(separator);
        let search = with_variables(&[("GST_EMOTION_MODEL_PATH", &list), ("LD_LIBRARY_PATH", &list)]);
        assert_eq!(search.model_folders, [PathBuf::from(models), PathBuf::from(more)]);
        assert!(!search.system_folders.contains(&PathBuf::new()));
        assert_eq!(search.system_folders.starts_with(&search.model_folders), cfg!(unix), "{:?}", search.system_folders);
        assert!(with_variables(&[("GST_EMOTION_MODEL_PATH", separator)]).model_folders.is_empty());
    }

    #[test]
    fn a_path_is_refused_as_a_model_name() {
        let search = SearchPath { model_folders: vec!["/models".into()], ..Default::default() };
        for path in ["..", ".", "", "/", "/etc", "../face", "face/../..", "./face", "face/"] {
            assert!(matches!(search.model(path, "model.onnx"), Err(Error::ModelName { .. })), "{path}");
        }
        assert!(matches!(search.model("face", "model.onnx"), Err(Error::NotFound { .. })));
    }

    #[test]
    fn the_first_folder_that_contains_a_model_wins() {
        let (first, second) = (temporary_folder("first"), temporary_folder("second"));
        std::fs::create_dir_all(second.join("face")).unwrap();
        std::fs::write(second.join("face/model.onnx"), "").unwrap();
        let search = SearchPath { model_folders: vec![first.clone(), second.clone()], ..Default::default() };
        assert_eq!(search.model("face", "model.onnx").unwrap(), second.join("face/model.onnx"));
        assert!(matches!(search.model("face", "other.onnx"), Err(Error::NotFound { looked, .. }) if looked.len() == 2));
        std::fs::remove_dir_all(first).unwrap();
        std::fs::remove_dir_all(second).unwrap();
    }
}
