// SPDX-License-Identifier: MIT OR Apache-2.0
//! Coexistence with GStreamer's OpenCV plugin, which has a `facedetect` of its own.

use std::process::Output;

use test_support::gstreamer::{Stage, run};
use test_support::{repository, runtime_fetched};

const OPENCV: &str = "gstreamer-1.0/libgstopencv.so";

/// True if the OpenCV plugin is installed; `make test` installs it.
fn opencv_installed() -> bool {
    let output = std::process::Command::new("pkg-config").args(["--variable=libdir", "gstreamer-1.0"]).output();
    let folder = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string()).unwrap_or_default();
    let found = std::path::Path::new(&folder).join(OPENCV).is_file();
    if !found {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "{folder}/{OPENCV} is missing");
        test_support::left_out::note(format!("no {folder}/{OPENCV}"));
    }
    found
}

fn launch(stage: &Stage, line: &str) -> Output {
    stage
        .command("gst-launch-1.0")
        .args(["-q"])
        .args(line.split_whitespace())
        .env("GST_DEBUG", "emotion*:4")
        .output()
        .expect("gst-launch-1.0 runs")
}

fn plugin_of(stage: &Stage, element: &str) -> String {
    let output = stage.command("gst-inspect-1.0").arg(element).output().expect("gst-inspect-1.0 runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines().skip_while(|line| !line.starts_with("Plugin Details"));
    lines.find_map(|line| line.trim().strip_prefix("Name")).map(|name| name.trim().to_string()).unwrap_or_default()
}

/// The first line of the documentation works with either `facedetect`: faces are detected and scored.
fn first_line_works(stage: &Stage) {
    let line = "videotestsrc num-buffers=5 ! videoconvert ! facedetect ! emotionclassify ! videoconvert ! fakesink";
    let output = launch(stage, line);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    if plugin_of(stage, "facedetect") == "emotion" {
        assert!(said.contains("this facedetect is the emotion plugin's"), "{said}");
    }
}

#[test]
fn both_plugins_coexist_with_a_new_and_an_old_registry() {
    if !opencv_installed() || !runtime_fetched() {
        return;
    }
    let stage = Stage::unscanned("fresh").with_plugin();
    first_line_works(&stage);
    assert_eq!(plugin_of(&stage, "emotionfacedetect"), "emotion", "no other plugin has our name");
    assert_eq!(plugin_of(&stage, "emotionclassify"), "emotion");
    // Again, with the registry of the first run.
    first_line_works(&stage);

    let stage = Stage::new("old");
    assert_eq!(plugin_of(&stage, "facedetect"), "opencv", "a registry from before our plugin was installed");
    let stage = stage.with_plugin();
    first_line_works(&stage);
    assert_eq!(plugin_of(&stage, "emotionfacedetect"), "emotion");
}

#[test]
fn both_detectors_run_in_one_process() {
    if !opencv_installed() || !runtime_fetched() {
        return;
    }
    let stage = Stage::unscanned("both").with_plugin();
    let line = "videotestsrc num-buffers=5 ! videoconvert ! facedetect display=false ! videoconvert ! emotionfacedetect ! emotionclassify ! fakesink";
    let output = launch(&stage, line);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The first line is from OpenCV's documentation; the others use each of its properties.
#[test]
fn launch_lines_of_opencvs_element_run() {
    if !runtime_fetched() {
        return;
    }
    let cascade = emotion_core::detector::DEFAULT_CASCADE;
    for properties in [
        "".to_string(),
        format!("profile={cascade}"),
        "min-size-width=60 min-size-height=60".into(),
        format!("profile={cascade} scale-factor=1.1 min-neighbors=5 min-size-width=60 min-size-height=60"),
        "updates=every_frame".into(),
        "updates=on_change display=false".into(),
        "updates=on_face flags=do-canny-pruning min-stddev=10".into(),
        "updates=none eyes-profile=/a.xml nose-profile=/b.xml mouth-profile=/c.xml".into(),
    ] {
        let line =
            format!("videotestsrc num-buffers=3 ! decodebin ! videoconvert ! emotionfacedetect {properties} ! videoconvert ! fakesink");
        run(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn properties_have_the_types_and_ranges_of_opencvs_element() {
    test_support::gstreamer::init();
    use gst::prelude::*;
    let element = gst::ElementFactory::make("emotionfacedetect").build().expect("an element");
    let int = |name: &str| {
        let spec = element.find_property(name).unwrap_or_else(|| panic!("{name}"));
        let spec = spec.downcast::<gst::glib::ParamSpecInt>().unwrap_or_else(|_| panic!("{name} is an int"));
        (spec.minimum(), spec.maximum(), spec.default_value())
    };
    assert_eq!(int("min-neighbors"), (0, i32::MAX, 3));
    assert_eq!(int("min-size-width"), (0, i32::MAX, 30));
    assert_eq!(int("min-size-height"), (0, i32::MAX, 30));
    assert_eq!(int("min-stddev"), (0, 255, 0));
    let scale = element.find_property("scale-factor").expect("scale-factor").downcast::<gst::glib::ParamSpecDouble>().expect("a double");
    assert_eq!((scale.minimum(), scale.maximum(), scale.default_value()), (1.1, 10.0, 1.25));
    assert_eq!(element.property::<String>("profile"), emotion_core::detector::DEFAULT_CASCADE);
    assert!(element.property::<bool>("display"));
}

#[test]
fn one_line_says_which_facedetect_answers() {
    if !opencv_installed() {
        return;
    }
    let script = repository().join("scripts/demo/facedetect");
    let script = script.to_str().expect("a path in UTF-8");
    let says = |stage: &Stage| {
        let output = stage.command(script).output().expect("the script runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let stage = Stage::unscanned("says");
    assert!(says(&stage).contains("GStreamer now uses the OpenCV plugin's; emotionfacedetect"), "only the other plugin is installed");
    // A plugin that the registry of before did not have is scanned last.
    let stage = stage.with_plugin();
    let said = says(&stage);
    assert!(said.contains("GStreamer now uses this plugin's; emotionfacedetect is always this plugin's"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    let mut alone = stage.command(script);
    alone.env("GST_PLUGIN_SYSTEM_PATH_1_0", stage.path().join("none")).env("GST_REGISTRY", stage.path().join("alone.bin"));
    assert_eq!(alone.output().expect("the script runs").stdout, b"", "nothing to choose without the other plugin");
}
