// SPDX-License-Identifier: MIT OR Apache-2.0
//! `make install` and `make uninstall` with the library that the tests have built and a stand-in for the program, and the
//! configuration of cargo-c.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::gstreamer::{Stage, library};
use test_support::recipes::{clip, encode_clip, json_lines, links, read, run, succeed};
use test_support::repository;

/// Runs `make TARGET` with the files that are already built and fetched.
fn make(stage: &Stage, target: &str, variables: &[String]) {
    let built = stage.path().join("target/release");
    if !built.exists() {
        std::fs::create_dir_all(&built).unwrap();
        std::fs::copy(library(), built.join("libgstemotion.so")).unwrap();
        std::fs::copy("/bin/true", built.join("emotion")).unwrap();
    }
    let mut command = Command::new("make");
    command.current_dir(repository()).env("CARGO_TARGET_DIR", stage.path().join("target")).env("XDG_DATA_HOME", home(stage));
    // `perf record`, for one, sets PREFIX for the commands that it runs.
    command.env_remove("PREFIX").env_remove("DESTDIR");
    // `make uninstall` removes the registry of whoever calls it.
    command.env("HOME", home(stage)).env("GST_REGISTRY", registry(stage)).env_remove("GST_REGISTRY_1_0").env_remove("XDG_CACHE_HOME");
    succeed(run(command.args(["--no-print-directory", "--old-file=build", target]).args(variables)));
}

/// The programs of the workspace: the names of its members that are programs.
fn programs() -> Vec<String> {
    let manifest = |folder: &str| read(&repository().join(folder).join("Cargo.toml")).parse::<toml::Table>().unwrap();
    let top = manifest("");
    let members = top["workspace"]["members"].as_array().unwrap();
    let folders = members.iter().map(|member| member.as_str().unwrap());
    let programs = folders.filter(|folder| repository().join(folder).join("src/bin").is_dir());
    programs.map(|folder| manifest(folder)["package"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The data folder of a user who has run `make setup`.
fn home(stage: &Stage) -> PathBuf {
    stage.path().join("home")
}

/// GStreamer's cache of plugins. [`Stage::command`] names it in the environment.
fn registry(stage: &Stage) -> PathBuf {
    stage.path().join("registry.bin")
}

fn fetched(stage: &Stage) -> PathBuf {
    let theirs = home(stage).join("gst-emotion");
    std::fs::create_dir_all(home(stage)).unwrap();
    let ours = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let ours = ours.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".local/share"));
    std::os::unix::fs::symlink(ours.join("gst-emotion"), &theirs).unwrap();
    theirs
}

/// All files below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).map_or(Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect());
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { [path].into() }).collect()
}

/// Runs a pipeline that loads ONNX Runtime and both models. Only installed files can be found.
fn use_it(stage: &Stage, plugins: Option<&Path>) {
    let mut command = stage.command("gst-launch-1.0");
    command.env("XDG_DATA_HOME", home(stage)).env("HOME", home(stage));
    command.env_remove("ORT_DYLIB_PATH").env_remove("GST_EMOTION_MODEL_PATH");
    if let Some(plugins) = plugins {
        command.env("GST_PLUGIN_PATH", plugins);
    }
    let line = "-q videotestsrc num-buffers=2 ! video/x-raw,width=320,height=240 ! emotionfacedetect detector=centerface ! emotionclassify ! fakesink";
    succeed(run(command.args(line.split(' '))));
}

/// Runs an installed recipe and an installed program. Only the installed plugin can be found.
fn use_them(stage: &Stage, recipes: &Path, folder: &Path) {
    if !clip(stage).exists() {
        encode_clip(stage, 5, 10);
    }
    let recipe = recipes.join("ndjson.sh");
    let mut command = stage.command(recipe.to_str().unwrap());
    command.env("XDG_DATA_HOME", home(stage)).env("HOME", home(stage)).env_remove("PLUGINS").env_remove("CARGO_TARGET_DIR");
    let lines = succeed(run(command.current_dir(stage.path()).arg("clip.mp4")));
    assert_eq!(json_lines(&lines).len(), 10, "two faces in each of five frames");
    for program in programs() {
        assert_eq!(std::fs::read_link(folder.join(&program)).unwrap(), Path::new("emotion"));
        succeed(run(&mut Command::new(folder.join(program))));
    }
}

/// The README and the manual name the folders where the files are, and links lead to installed files.
fn documented(documents: &Path, manuals: &Path, recipes: &Path) {
    let readme = read(&documents.join("README.md"));
    assert!(readme.contains(&format!("{}/video.sh", recipes.display())), "{readme}");
    for file in [readme, read(&manuals.join("man7/gst-plugin-emotion.7"))] {
        assert!(!file.contains("/usr/share"), "{file}");
    }
    for program in programs() {
        assert!(manuals.join(format!("man1/{program}.1")).is_file(), "{program}");
    }
    for page in files(documents).into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "md")) {
        let text = read(&page);
        // The dashboard's page also explains its source.
        let targets = links(&text).into_iter().map(|target| target.split('#').next().unwrap());
        for target in targets.filter(|target| !target.starts_with("src/") && *target != "page") {
            assert!(page.with_file_name(target).exists(), "{}: {target}", page.display());
        }
    }
}

/// The completions are where each shell looks for them. The tests of the programs assert that each program has them.
fn completed(share: &Path, zsh: &str) {
    for (shell, place) in [("bash", "bash-completion/completions"), ("zsh", zsh), ("fish", "fish/vendor_completions.d")] {
        for file in files(&repository().join("packaging/completions").join(shell)) {
            let installed = share.join(place).join(file.file_name().unwrap());
            assert_eq!(std::fs::read(&installed).ok(), std::fs::read(&file).ok(), "{}", installed.display());
        }
    }
}

#[test]
fn make_installs_and_uninstalls_for_one_user() {
    if !test_support::fetched("centerface") {
        return;
    }
    let stage = Stage::new("install-user");
    let fetched = fetched(&stage);
    make(&stage, "install", &[]);
    std::fs::remove_file(fetched).unwrap();
    let plugins = home(&stage).join("gstreamer-1.0/plugins");
    assert!(plugins.join("libgstemotion.so").is_file());
    use_it(&stage, None);
    let recipes = home(&stage).join("gst-plugin-emotion");
    use_them(&stage, &recipes, &home(&stage).join(".local/bin"));
    documented(&home(&stage).join("doc/gst-plugin-emotion"), &home(&stage).join("man"), &recipes);
    completed(&home(&stage), "zsh/site-functions");
    let cache = home(&stage).join(".cache/gstreamer-1.0/registry.x86_64.bin");
    std::fs::create_dir_all(cache.parent().unwrap()).unwrap();
    std::fs::write(&cache, "").unwrap();

    // Files of others stay.
    let theirs = [plugins.join("other.txt"), plugins.join("emotion/models/mine.onnx"), recipes.join("mine.sh")];
    theirs.iter().for_each(|file| std::fs::write(file, "theirs").unwrap());
    make(&stage, "uninstall", &[]);
    assert!(!registry(&stage).exists() && !cache.exists(), "GStreamer has to look again for elements of other plugins");
    // Nor do the plugin and ONNX Runtime leave files of their own, such as an id of the device.
    assert_eq!(files(&home(&stage)), theirs.into());
    let inspect = run(stage.command("gst-inspect-1.0").arg("emotionclassify").env("XDG_DATA_HOME", home(&stage)));
    assert!(!inspect.status.success(), "the plugin is removed");
}

#[test]
fn make_installs_and_uninstalls_system_wide() {
    if !test_support::fetched("centerface") {
        return;
    }
    let stage = Stage::new("install-system");
    let fetched = fetched(&stage);
    let root = stage.path().join("root");
    let plugins_of = |name: &str| {
        let said = succeed(run(Command::new("pkg-config").args([&format!("--variable={name}"), "gstreamer-1.0"])));
        PathBuf::from(said.trim())
    };
    let prefix = plugins_of("prefix");
    for (prefix, plugins) in
        [(prefix.as_path(), plugins_of("pluginsdir")), (Path::new("/opt/emotion"), "/opt/emotion/lib/gstreamer-1.0".into())]
    {
        let variables = [format!("PREFIX={}", prefix.display()), format!("DESTDIR={}", root.display())];
        make(&stage, "install", &variables);
        let plugins = root.join(plugins.strip_prefix("/").unwrap());
        assert!(plugins.join("libgstemotion.so").is_file(), "{}", plugins.display());
        let unit = root.join(prefix.strip_prefix("/").unwrap()).join("lib/systemd/system/emotion-camera@.service");
        assert!(read(&unit).contains(&format!("\nExecStart={}/bin/emotion-camera ", prefix.display())), "{}", read(&unit));
        let debian = prefix == Path::new("/usr") && Path::new("/etc/debian_version").exists();
        let share = root.join(prefix.strip_prefix("/").unwrap()).join("share");
        completed(&share, if debian { "zsh/vendor-completions" } else { "zsh/site-functions" });
        std::fs::rename(&fetched, stage.path().join("away")).unwrap();
        use_it(&stage, Some(&plugins));
        if prefix.starts_with("/opt") {
            let installed = root.join("opt/emotion");
            use_them(&stage, &installed.join("share/gst-plugin-emotion"), &installed.join("bin"));
        }
        std::fs::rename(stage.path().join("away"), &fetched).unwrap();
        make(&stage, "uninstall", &variables);
        assert_eq!(files(&root), BTreeSet::new());
        assert!(registry(&stage).exists(), "a staged installation changes nothing outside DESTDIR");
    }
}

#[test]
fn make_installs_every_program_of_the_workspace() {
    let list = read(&repository().join("packaging/programs"));
    let listed: BTreeSet<_> = list.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(listed, programs().iter().map(String::as_str).collect());
}

#[test]
fn the_debian_package_has_the_version_and_the_authors_of_the_plugin() {
    let file = |name: &str| read(&repository().join("packaging/debian").join(name));
    let heading = format!("gst-plugin-emotion ({}) ", env!("CARGO_PKG_VERSION"));
    assert!(file("changelog").starts_with(&heading), "{heading}");
    assert!(file("control").contains(&format!("Maintainer: {} <", env!("CARGO_PKG_AUTHORS"))));
}

#[test]
fn cargo_c_installs_a_plugin() {
    let text = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let capi = &manifest["package"]["metadata"]["capi"];
    let folder = succeed(run(Command::new("pkg-config").args(["--variable=pluginsdir", "gstreamer-1.0"])));
    assert!(folder.trim().ends_with(capi["library"]["install_subdir"].as_str().unwrap()), "{folder}");
    assert_eq!(capi["library"]["versioning"].as_bool(), Some(false), "GStreamer loads what ends in .so");
    assert_eq!(capi["header"]["enabled"].as_bool(), Some(false), "there is no header");

    // The libraries that it links, apart from those of the platform, are what users of the static library have to link.
    let packages = capi["pkg_config"]["requires_private"].as_str().unwrap().split(", ");
    let libraries = succeed(run(Command::new("pkg-config").arg("--libs-only-l").args(packages)));
    let libraries: BTreeSet<_> = libraries.split_whitespace().map(|option| option.trim_start_matches("-l")).collect();
    let needed = succeed(run(Command::new("readelf").args(["--dynamic", "--wide"]).arg(library())));
    let needed = needed.lines().filter_map(|line| line.split_once("Shared library: [lib")?.1.split_once(".so")).map(|(name, _)| name);
    // Relation metadata, for newer GStreamer, and OpenCV's cascade are features, which the manifest cannot express.
    let features = ["gstanalytics-1.0", "opencv_core", "opencv_objdetect"];
    let of_all = |name: &str| ["c", "m", "gcc_s", "stdc++"].contains(&name) || features.contains(&name) || name.starts_with("ld-linux");
    let missing: Vec<_> = needed.filter(|name| !of_all(name) && !libraries.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
