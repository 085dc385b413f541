// SPDX-License-Identifier: MIT OR Apache-2.0
//! Invalid input causes one clear error and stops the pipeline.

use std::process::Output;

use gst::prelude::*;
use test_support::gstreamer::{Stage, init, run};
use test_support::{data, fetched, runtime_fetched};

fn error_of(line: &str) -> String {
    run(line).expect_err("the pipeline should fail")
}

fn assert_says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

/// The errors on the bus after a launch line failed to start, each as its message and its details for developers.
fn errors_of(line: &str) -> Vec<(String, String)> {
    init();
    let pipeline = gst::parse::launch(line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
    assert!(pipeline.set_state(gst::State::Playing).is_err(), "{line}");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let errors = std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Error])).map(|message| match message.view() {
        gst::MessageView::Error(error) => (error.error().message().to_string(), error.debug().unwrap_or_default().to_string()),
        other => unreachable!("{other:?} is filtered out"),
    });
    let errors = errors.collect();
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    errors
}

#[test]
fn a_failed_start_is_one_error_that_says_what_happened_and_what_to_do() {
    for element in ["facedetect", "emotionfacedetect", "facelandmarks", "emotionclassify"] {
        let errors = errors_of(&format!("videotestsrc ! {element} model-file=/nowhere/face.onnx ! fakesink"));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_says(&errors[0].0, &["Cannot open /nowhere/face.onnx", "No such file", "Check its path"]);
    }
    let errors = errors_of("videotestsrc ! emotionfacedetect profile=/nowhere/cascade.xml ! fakesink");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_says(&errors[0].0, &["the OpenCV cascade was not found. Install Debian's package opencv-data"]);
    assert_says(&errors[0].1, &["searched: /nowhere/cascade.xml"]);
}

#[test]
fn the_cause_that_onnx_runtime_gives_is_in_the_details() {
    if !runtime_fetched() {
        return;
    }
    let stage = Stage::new("one-error");
    let file = stage.path().join("text.onnx");
    std::fs::write(&file, "this is not a model").expect("a file");
    for element in ["emotionfacedetect", "facelandmarks", "emotionclassify"] {
        let errors = errors_of(&format!("videotestsrc ! {element} model-file={} ! fakesink", file.display()));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_says(&errors[0].0, &[&file.display().to_string(), "expected an ONNX model", "Check the file"]);
        assert_says(&errors[0].1, &["found ", "protobuf"]);
    }
}

#[test]
fn the_error_for_a_missing_model_names_its_path() {
    for element in ["emotionfacedetect", "facelandmarks", "emotionclassify"] {
        let error = error_of(&format!("videotestsrc num-buffers=3 ! {element} name=it model-file=/nowhere/face.onnx ! fakesink"));
        assert_says(&error, &["it: ", "/nowhere/face.onnx", "No such file"]);
    }
}

#[test]
fn models_are_found_by_name_and_an_unknown_name_lists_them() {
    if runtime_fetched() {
        for name in ["expression", "expression-int8"] {
            run(&format!("videotestsrc num-buffers=2 ! emotionclassify model-file={name} ! fakesink")).expect("it is compiled in");
        }
    }
    if runtime_fetched() {
        run("videotestsrc num-buffers=2 ! facelandmarks model-file=face-geometry ! fakesink").expect("it is compiled in");
    }
    let error = error_of("videotestsrc num-buffers=2 ! emotionclassify model-file=expression-large ! fakesink");
    assert_says(&error, &["expression-large", "compiled in: expression, expression-int8"]);
}

#[test]
fn a_missing_execution_provider_is_one_error() {
    if !fetched("centerface") {
        return;
    }
    for element in ["emotionfacedetect", "facelandmarks", "emotionclassify"] {
        run(&format!("videotestsrc num-buffers=2 ! {element} execution-provider=cpu ! fakesink")).expect("the processor is always there");
        // `make setup` fetches the library for CPUs.
        let error = error_of(&format!("videotestsrc num-buffers=2 ! {element} execution-provider=migraphx ! fakesink"));
        assert_says(&error, &["execution provider migraphx is not part of", "libonnxruntime", "which offers cpu"]);
    }
}

#[test]
fn a_text_file_is_not_a_model() {
    if !runtime_fetched() {
        return;
    }
    let stage = Stage::new("text-model");
    let file = stage.path().join("text.onnx");
    std::fs::write(&file, "this is not a model").expect("a file");
    for element in ["emotionfacedetect", "facelandmarks", "emotionclassify"] {
        let error = error_of(&format!("videotestsrc num-buffers=3 ! {element} model-file={} ! fakesink", file.display()));
        assert_says(&error, &[&file.display().to_string(), "expected an ONNX model", "found "]);
    }
}

#[test]
fn empty_and_truncated_files_are_not_models() {
    if !fetched("centerface") {
        return;
    }
    let stage = Stage::new("cut-model");
    let whole = emotion_core::model::search_path::SearchPath::from_env(None).model("centerface", "centerface.onnx").expect("a model");
    let whole = std::fs::read(whole).expect("a model");
    for (name, bytes) in [("empty.onnx", &whole[..0]), ("cut.onnx", &whole[..whole.len() / 2])] {
        let file = stage.path().join(name);
        std::fs::write(&file, bytes).expect("a file");
        let error = error_of(&format!("videotestsrc num-buffers=3 ! emotionfacedetect model-file={} ! fakesink", file.display()));
        assert_says(&error, &[name, "expected"]);
    }
}

#[test]
fn the_error_for_another_kind_of_model_lists_its_inputs_and_outputs() {
    if !runtime_fetched() {
        return;
    }
    let file = data("identity.onnx");
    let error = error_of(&format!("videotestsrc num-buffers=3 ! emotionfacedetect model-file={} ! fakesink", file.display()));
    assert_says(
        &error,
        &["identity.onnx", "emotion-face, centerface, ultraface, yunet", "inputs input [1, 3, 32, 32]; outputs output [1, 3, 32, 32]"],
    );
    let error = error_of(&format!("videotestsrc num-buffers=3 ! emotionclassify model-file={} ! fakesink", file.display()));
    assert_says(&error, &["identity.onnx", "expected a description", "inputs input [1, 3, 32, 32]"]);
}

#[test]
fn the_error_for_a_wrong_description_contains_both_shapes() {
    if !runtime_fetched() {
        return;
    }
    let stage = Stage::new("wrong-shape");
    let file = stage.path().join("net.onnx");
    std::fs::copy(data("identity.onnx"), &file).expect("a copy");
    let description = "name = 'net'\ntask = 'expression'\n[input]\nname = 'input'\nwidth = 48\nheight = 48\n[[output]]\nname = 'output'\nlabels = ['a', 'b']\n";
    std::fs::write(stage.path().join("net.toml"), description).expect("a description");
    let error = error_of(&format!("videotestsrc num-buffers=3 ! emotionclassify model-file={} ! fakesink", file.display()));
    assert_says(&error, &["net.onnx", "expected an input input [N, 3, 48, 48]", "found inputs input [1, 3, 32, 32]"]);
}

#[test]
fn errors_of_cascades_name_the_file() {
    let error = error_of("videotestsrc num-buffers=3 ! emotionfacedetect profile=/nowhere/cascade.xml ! fakesink");
    assert_says(&error, &["/nowhere/cascade.xml", "opencv-data"]);
    let stage = Stage::new("text-cascade");
    let file = stage.path().join("cascade.xml");
    std::fs::write(&file, "<html>no cascade</html>").expect("a file");
    let error = error_of(&format!("videotestsrc num-buffers=3 ! emotionfacedetect profile={} ! fakesink", file.display()));
    assert_says(&error, &["cascade.xml", "expected an OpenCV cascade"]);
}

#[test]
fn unsupported_caps_fail_the_negotiation() {
    for caps in
        ["video/x-raw,format=RGB16", "video/x-raw(memory:DMABuf),format=NV12", "video/x-raw(memory:GLMemory),format=RGBA", "video/x-bayer"]
    {
        for element in ["emotionfacedetect", "facelandmarks", "emotionclassify"] {
            let error = error_of(&format!("identity name=before ! {caps} ! {element} name=it ! fakesink"));
            assert_says(&error, &["could not link before to it", caps.split(['(', ',']).next().unwrap_or_default()]);
        }
    }
    // Caps that are only known while the stream runs.
    let error = error_of(
        "videotestsrc num-buffers=3 name=source ! identity ! tee ! queue ! emotionfacedetect ! video/x-raw,format=GRAY16_LE ! fakesink",
    );
    assert!(error.contains("could not link") || error.contains("not-negotiated"), "{error}");
}

/// The output of a child process without a runtime and models.
fn bare(stage: &Stage, line: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = stage.command("gst-launch-1.0");
    command.args(line.split_whitespace()).env("HOME", stage.path()).env_remove("XDG_DATA_HOME").env_remove("LD_LIBRARY_PATH");
    command.env_remove("ORT_DYLIB_PATH").env_remove("GST_EMOTION_MODEL_PATH").envs(environment.iter().copied());
    command.output().expect("gst-launch-1.0 runs")
}

#[test]
fn the_error_for_a_missing_runtime_lists_paths_and_the_fix() {
    let stage = Stage::new("no-runtime").with_plugin();
    let output =
        bare(&stage, "videotestsrc num-buffers=3 ! emotionclassify ! fakesink", &[("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert_says(&said, &["ONNX Runtime", "/nowhere/libonnxruntime.so", "make setup"]);
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn an_invalid_runtime_library_is_an_error_not_a_crash() {
    let stage = Stage::new("text-runtime").with_plugin();
    let file = stage.path().join("libonnxruntime.so");
    std::fs::write(&file, "no library").expect("a file");
    let path = file.display().to_string();
    let output = bare(&stage, "videotestsrc num-buffers=3 ! emotionclassify ! fakesink", &[("ORT_DYLIB_PATH", &path)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert_says(&said, &["ONNX Runtime library", &path]);
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn the_error_for_a_missing_detector_lists_the_paths() {
    let stage = Stage::new("no-detector").with_plugin();
    let output = bare(
        &stage,
        "videotestsrc num-buffers=3 ! emotionfacedetect detector=centerface ! fakesink",
        &[("GST_EMOTION_MODEL_PATH", "/nowhere/models")],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    let home = stage.path().join(".local/share/gst-emotion/models/centerface/centerface.onnx").display().to_string();
    assert_says(&said, &["/nowhere/models/centerface/centerface.onnx", "plugins/emotion/models/centerface", &home, "make setup"]);
}

/// With only ONNX Runtime, the chain runs on the compiled-in models and logs the name of the detector.
#[test]
fn without_model_files_the_compiled_in_models_are_used() {
    if !test_support::runtime_fetched() {
        return;
    }
    let stage = Stage::new("no-models").with_plugin();
    let runtime = emotion_core::model::search_path::SearchPath::from_env(None).runtime_library().expect("a runtime").display().to_string();
    let line = "videotestsrc num-buffers=3 ! emotionfacedetect ! facelandmarks ! emotionclassify ! fakesink";
    let output = bare(&stage, line, &[("ORT_DYLIB_PATH", &runtime), ("GST_DEBUG", "emotionfacedetect:4"), ("GST_DEBUG_NO_COLOR", "1")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_says(&said, &["detecting with emotion-face"]);
}

#[test]
fn runtime_and_models_beside_the_plugin_are_found_without_environment_variables() {
    if !fetched("centerface") {
        return;
    }
    let stage = Stage::new("beside").with_plugin();
    let search = emotion_core::model::search_path::SearchPath::from_env(None);
    let beside = stage.path().join("plugins/emotion");
    std::fs::create_dir_all(beside.join("models/centerface")).expect("a folder");
    let runtime = search.runtime_library().expect("a runtime");
    std::fs::copy(&runtime, beside.join(runtime.file_name().expect("a name"))).expect("a copy");
    std::fs::copy(search.model("centerface", "centerface.onnx").expect("a model"), beside.join("models/centerface/centerface.onnx"))
        .expect("a copy");
    let output = bare(&stage, "videotestsrc num-buffers=3 ! emotionfacedetect ! emotionclassify ! fakesink", &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
