// SPDX-License-Identifier: MIT OR Apache-2.0
//! `packaging/version` and the steps of `packaging/release` that build nothing, in a repository of their own.

use std::process::{Command, Output};

use serde_json::json;
use test_support::gstreamer::Stage;
use test_support::recipes::{read, run, succeed};
use test_support::{left_out, repository};

/// A repository with the scripts, the manifests and the pages of this one.
struct Copy(Stage);

impl Copy {
    fn new(test: &str) -> Option<Self> {
        let mut list = Command::new("git");
        list.args(["ls-files", "-z", "--", "*.toml", "*.md", "Cargo.lock", "models/fetch", "scripts", "packaging"])
            .current_dir(repository());
        let Some(tracked) = list.output().ok().filter(|output| output.status.success()) else {
            left_out::note("the source is no git repository");
            return None;
        };
        let copy = Self(Stage::new(test));
        for file in String::from_utf8(tracked.stdout).expect("paths in UTF-8").split_terminator('\0') {
            let (from, to) = (repository().join(file), copy.0.path().join(file));
            std::fs::create_dir_all(to.parent().expect("a folder")).expect("the stage can be written");
            std::fs::copy(&from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        }
        std::fs::write(copy.0.path().join(".gitignore"), "/target\n").expect("a file");
        for command in ["git init --quiet", "git add --all", "git commit --quiet --message=all"] {
            succeed(copy.run(command));
        }
        Some(copy)
    }

    fn run(&self, command: &str) -> Output {
        let mut shell = Command::new("bash");
        shell.args(["-c", command]).current_dir(self.0.path()).env_remove("CARGO_TARGET_DIR").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for role in ["AUTHOR", "COMMITTER"] {
            shell.env(format!("GIT_{role}_NAME"), "test").env(format!("GIT_{role}_EMAIL"), "test@localhost");
        }
        run(&mut shell)
    }

    /// What a command that fails says.
    fn refused(&self, command: &str) -> String {
        let output = self.run(command);
        assert!(!output.status.success(), "{command}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

#[test]
fn a_version_is_set_everywhere_and_released_from_its_tag_alone() {
    let Some(copy) = Copy::new("release") else { return };
    assert!(copy.refused("packaging/version 0.0.9").contains("expected a version that is newer than"));
    assert!(copy.refused("packaging/version 99").contains("expected X.Y.Z, found 99"));
    succeed(copy.run("sed -i 's/^## .Unreleased.$/&\\n\\n- a change/' CHANGELOG.md && packaging/version 99.1.0"));
    let lock: toml::Table = read(&copy.0.path().join("Cargo.lock")).parse().expect("TOML");
    let packages = lock["package"].as_array().expect("packages");
    let own: Vec<_> = packages.iter().filter(|package| package.get("source").is_none()).collect();
    assert!(own.len() > 8 && own.iter().all(|package| package["version"].as_str() == Some("99.1.0")), "{own:?}");
    for line in succeed(copy.run("grep -rhE '^version = |path = \"' --include=Cargo.toml . | grep version")).lines() {
        assert!(line.contains("\"99.1.0\""), "{line}");
    }

    assert!(copy.refused("packaging/release notes").contains("expected the tag v99.1.0 at HEAD"));
    succeed(copy.run("git commit --quiet --all --message=version && git tag v99.1.0"));
    assert!(copy.refused("touch stray && packaging/release notes").contains("expected no changes in the tree, found: ?? stray"));
    succeed(copy.run("rm stray && packaging/release notes source sums && cd target/release-99.1.0 && sha256sum --check SHA256SUMS"));
    assert!(copy.refused("packaging/release signature").contains("expected the public key packaging/minisign.pub"));
    let folder = copy.0.path().join("target/release-99.1.0");
    let changes = read(&copy.0.path().join("CHANGELOG.md"));
    let section = changes.split("## [99.1.0]").nth(1).and_then(|rest| rest.split_once('\n')).expect("a section").1;
    assert_eq!(read(&folder.join("RELEASE-NOTES.md")).trim(), section.split("\n## [").next().expect("text").trim());
    let listed = succeed(copy.run("tar -tzf target/release-99.1.0/gst-plugin-emotion-99.1.0-source.tar.gz"));
    assert!(listed.lines().any(|file| file == "gst-plugin-emotion-99.1.0/Cargo.toml") && !listed.contains("target/"), "{listed}");
}

#[test]
fn only_a_commit_that_has_survived_two_hours_of_faults_is_released() {
    let Some(copy) = Copy::new("chaos") else { return };
    let version = succeed(copy.run("sed -n '/^.package.$/,/^version/ s/^version = \"\\(.*\\)\"/\\1/p' Cargo.toml")).trim().to_owned();
    succeed(copy.run(&format!("git tag v{version}")));
    let commit = succeed(copy.run("git rev-parse HEAD")).trim().to_owned();
    let missing = format!("result.json of two hours of faults at {commit} without findings, found none; `make chaos MINUTES=120 SEED=1`");
    let refused = copy.refused("packaging/release");
    assert!(refused.contains(&missing), "{refused}");
    let folder = copy.0.path().join("target/chaos/1");
    std::fs::create_dir_all(&folder).expect("a folder");
    let result = json!({ "commit": commit, "seconds": 7200.0, "only": "", "findings": 0, "faults": [{ "kind": "Kill" }] });
    for (field, value) in
        [("commit", json!("another")), ("seconds", json!(7140.0)), ("only", json!("Kill")), ("findings", json!(1)), ("faults", json!([]))]
    {
        let mut other = result.clone();
        other[field] = value;
        std::fs::write(folder.join("result.json"), other.to_string()).expect("a file");
        assert!(copy.refused("packaging/release chaos").contains(&missing), "{other}");
    }
    std::fs::write(folder.join("result.json"), result.to_string()).expect("a file");
    succeed(copy.run("packaging/release chaos notes"));
}

#[test]
fn a_release_is_signed_and_says_what_it_was_built_from() {
    if Command::new("minisign").arg("-v").output().is_err() {
        return left_out::note("no minisign");
    }
    let Some(copy) = Copy::new("signed") else { return };
    let key = Stage::new("key");
    let secret = key.path().join("release.key");
    let version = succeed(copy.run("sed -n '/^.package.$/,/^version/ s/^version = \"\\(.*\\)\"/\\1/p' Cargo.toml")).trim().to_owned();
    succeed(copy.run(&format!("minisign -G -W -p packaging/minisign.pub -s {}", secret.display())));
    succeed(copy.run(&format!("git add --all && git commit --quiet --message=key && git tag v{version}")));
    let sign = format!("RELEASE_KEY={} packaging/release notes source provenance sums signature", secret.display());
    succeed(copy.run(&sign));

    let check =
        format!("cd target/release-{version} && minisign -Vm SHA256SUMS -p ../../packaging/minisign.pub && sha256sum --check SHA256SUMS");
    succeed(copy.run(&check));
    let folder = copy.0.path().join(format!("target/release-{version}"));
    let statement: serde_json::Value =
        serde_json::from_str(&read(&folder.join(format!("gst-plugin-emotion-{version}.intoto.json")))).expect("JSON");
    let subjects = statement["subject"].as_array().expect("subjects");
    let sums = read(&folder.join("SHA256SUMS"));
    assert_eq!(subjects.len(), 2, "{statement}");
    for subject in subjects {
        let line = format!("{}  {}", subject["digest"]["sha256"].as_str().expect("a sum"), subject["name"].as_str().expect("a name"));
        assert!(sums.contains(&line), "{line} is not in {sums}");
    }
    let commit = succeed(copy.run("git rev-parse HEAD"));
    let dependencies = &statement["predicate"]["buildDefinition"]["resolvedDependencies"];
    assert_eq!(dependencies[0]["digest"]["gitCommit"], commit.trim());
    assert!(dependencies.as_array().expect("dependencies").iter().any(|found| found["name"] == "onnxruntime"), "{dependencies}");

    succeed(copy.run(&format!("sed -i 's/^./x/' target/release-{version}/SHA256SUMS")));
    assert!(!copy.run(&check).status.success(), "a changed list");
    let other = Stage::new("other-key");
    let other = other.path().join("other.key");
    succeed(copy.run(&format!("minisign -G -W -p {0}.pub -s {0}", other.display())));
    let refused = copy.refused(&format!("RELEASE_KEY={} packaging/release sums signature", other.display()));
    assert!(refused.contains("is not the secret key of packaging/minisign.pub"), "{refused}");
}

#[test]
fn a_release_is_tried_only_if_its_sums_are_right() {
    let stage = Stage::new("try");
    let package = "gstreamer1.0-emotion_9.0.0_bookworm_amd64.deb";
    let attempt = |release: &str| {
        let output = run(Command::new(repository().join("scripts/try")).arg(release).current_dir(stage.path()));
        assert!(!output.status.success() && !stage.path().join("emotion").exists());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(attempt("nowhere").contains("expected a folder with a release, found nowhere"));
    let folder = stage.path().join("release");
    std::fs::create_dir(&folder).expect("a folder");
    assert!(attempt("release").contains("expected gstreamer1.0-emotion_VERSION_bookworm_amd64.deb in release, found none"));
    std::fs::write(folder.join(package), "a package").expect("a file");
    assert!(attempt("release").contains("expected SHA256SUMS in release, found none"));
    std::fs::write(folder.join("SHA256SUMS"), format!("{}  {package}\n", "0".repeat(64))).expect("a file");
    assert!(attempt("release").contains(&format!("{package} is not what SHA256SUMS says")));
}
