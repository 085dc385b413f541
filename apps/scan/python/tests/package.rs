// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs `test_package.py` with the package as it would be installed: the Python files and the module beside them. Uses the plugin
//! that a wheel has beside them; `scripts/test wheel` builds and installs such a wheel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use emotion_core::model::search_path::SearchPath;
use test_support::average_faces::{Key, Scene};
use test_support::promises;

#[test]
fn the_package_finds_faces_in_files_and_arrays() {
    let Some(python) = python() else { return };
    let folder = Folder::new("package");
    install(&folder.0.join("site/emotion"));
    let pictures = folder.0.join("pictures");
    fs::create_dir_all(&pictures).unwrap();
    fs::write(pictures.join("photo.ppm"), [b"P6\n320 240\n255\n".to_vec(), scene().render(0.0)].concat()).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/test_package.py");
    let run = Command::new(python).arg(tests).arg("--verbose").arg(&pictures).env("PYTHONPATH", folder.0.join("site")).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// Prints a line for each parameter of each function of the package, and for each field of each type.
const API: &str = "\
import emotion, inspect
for name in emotion.__all__:
    value = getattr(emotion, name)
    if inspect.isfunction(value):
        signature = inspect.signature(value)
        print(f'{name} returns {signature.return_annotation}')
        for parameter in signature.parameters.values():
            print(f'{name}({parameter}), {parameter.kind.description}')
    else:
        for field, kind in value.__annotations__.items():
            print(f'{name}.{field}: {getattr(kind, \"__forward_arg__\", kind)}')
";

#[test]
fn the_promised_functions_and_types_are_kept() {
    let Some(python) = python() else { return };
    let folder = Folder::new("promised");
    install(&folder.0.join("site/emotion"));
    let lines = printed(Command::new(python).args(["-c", API]).env("PYTHONPATH", folder.0.join("site")).current_dir(&folder.0));
    promises::assert_kept("python", lines.lines().map(str::to_owned));
}

/// What the command prints, without the line break.
fn printed(command: &mut Command) -> String {
    let run = command.output().unwrap();
    assert!(run.status.success(), "{command:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn the_plugin_of_the_package_runs_with_the_runtime_of_its_requirement() {
    let Some(python) = python() else { return };
    let folder = Folder::new("plugin");
    let site = folder.0.join("site");
    install(&site.join("emotion"));
    fs::create_dir_all(site.join("emotion/gstreamer-1.0")).unwrap();
    let plugin = std::env::current_exe().unwrap().with_file_name("libgstemotion.so");
    fs::copy(plugin, site.join("emotion/gstreamer-1.0/libgstemotion.so")).unwrap();
    // As the package onnxruntime has it.
    let runtime = SearchPath::from_env(None).runtime_library().unwrap();
    fs::create_dir_all(site.join("onnxruntime/capi")).unwrap();
    std::os::unix::fs::symlink(&runtime, site.join("onnxruntime/capi").join(runtime.file_name().unwrap())).unwrap();

    let module = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        // Python also searches the working directory.
        command.args(["-m", "emotion"]).args(arguments).env("PYTHONPATH", &site).current_dir(&folder.0);
        command
    };
    let plugins = printed(&mut module(&["plugin-path"]));
    assert_eq!(Path::new(&plugins), site.join("emotion/gstreamer-1.0"));
    assert!(!module(&[]).output().unwrap().status.success(), "no command");
    let picture = folder.0.join("picture.rgb");
    fs::write(&picture, scene().render(0.0)).unwrap();
    let line = format!(
        "filesrc location={} blocksize=230400 ! rawvideoparse format=rgb width=320 height=240 ! emotionfacedetect ! emotionclassify \
         ! emotionexport ! fdsink",
        picture.display()
    );
    let records = printed(
        Command::new("gst-launch-1.0")
            .arg("-q")
            .args(line.split_whitespace())
            .env("GST_PLUGIN_PATH", &plugins)
            .env("GST_REGISTRY", folder.0.join("registry.bin"))
            .env("XDG_DATA_HOME", folder.0.join("none"))
            .env_remove("ORT_DYLIB_PATH"),
    );
    assert!(records.contains(r#""label":"happiness""#) && records.contains(r#""label":"neutral""#), "{records}");

    let mut inspect = module(&["shell", "gst-inspect-1.0", "emotionexport"]);
    inspect.env("GST_REGISTRY", folder.0.join("shell.bin")).env("GST_PLUGIN_PATH", "/nowhere");
    assert!(printed(&mut inspect).contains(&plugins), "the shell finds the plugin");
    let unknown = module(&["shell", "no-such-program"]).output().unwrap();
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("found no-such-program"), "{unknown:?}");

    let missing = module(&["provider", "webgpu"]).output().unwrap();
    assert!(String::from_utf8_lossy(&missing.stderr).contains("pip install onnxruntime-ep-webgpu"), "{missing:?}");
    fs::create_dir(site.join("onnxruntime_ep_webgpu")).unwrap();
    fs::write(site.join("onnxruntime_ep_webgpu/__init__.py"), "def get_library_path(): return '/lib/provider.so'").unwrap();
    assert_eq!(printed(&mut module(&["provider", "webgpu"])), "/lib/provider.so");

    fs::remove_dir_all(&plugins).unwrap();
    let missing = module(&["plugin-path"]).output().unwrap();
    assert!(String::from_utf8_lossy(&missing.stderr).contains("has no plugin"), "{missing:?}");
}

#[test]
fn the_plugin_is_registered_where_gstreamers_packages_are() {
    let Some(python) = python() else { return };
    let folder = Folder::new("startup");
    let startup = Path::new(env!("CARGO_MANIFEST_DIR")).join("startup/purelib");
    for file in ["gst_plugin_emotion.pth", "_gst_plugin_emotion.py"] {
        fs::copy(startup.join(file), folder.0.join(file)).unwrap();
    }
    let plugins = folder.0.join("emotion/gstreamer-1.0");
    let registered = |known: &str| {
        let code = "import os, site, sys; site.addsitedir(sys.argv[1]); print(os.environ.get('GST_PLUGIN_PATH_1_0'))";
        printed(Command::new(&python).args(["-S", "-c", code]).arg(&folder.0).env("GST_PLUGIN_PATH_1_0", known))
    };
    assert_eq!(registered("/own"), "/own", "no plugin");
    fs::create_dir_all(&plugins).unwrap();
    assert_eq!(registered("/own"), "/own", "the system's GStreamer");
    fs::create_dir_all(folder.0.join("gstreamer_libs")).unwrap();
    assert_eq!(registered(""), plugins.display().to_string());
    let both = format!("{}:/own", plugins.display());
    assert_eq!([registered("/own"), registered(&both)], [both.clone(), both]);
}

/// The Python of `make test`, with pyarrow and numpy.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let python = target.join("scan/readers/bin/python");
    if Command::new(&python).args(["-c", "import numpy, pyarrow"]).output().is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "no pyarrow for {}; make test installs it", python.display());
    eprintln!("left out: no pyarrow; make test installs it");
    None
}

/// Copies the package and the module that cargo has built for this test.
fn install(site: &Path) {
    fs::create_dir_all(site).unwrap();
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("emotion");
    for entry in fs::read_dir(package).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), site.join(entry.file_name())).unwrap();
    }
    let module = std::env::current_exe().unwrap().with_file_name("libemotion_python.so");
    fs::copy(module, site.join("_emotion.abi3.so")).unwrap();
}

/// A smiling face on the left and a neutral one on the right.
fn scene() -> Scene {
    let still = |x, expression| vec![Key::new(0.0, (x, 110.0), 120.0, expression), Key::new(100.0, (x, 110.0), 120.0, expression)];
    Scene::new(320, 240).actor(still(95.0, "happiness")).actor(still(235.0, "neutral"))
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = Self(std::env::temp_dir().join(format!("emotion-python-{test}-{}", std::process::id())));
        fs::create_dir_all(&folder.0).unwrap();
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
