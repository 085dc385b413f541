// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `emotion-scan` on photos and videos of average faces.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use clap::CommandFactory;
use emotion_scan::CommandLine;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use test_support::command_line;

use crate::support::{Folder, ended, real_clips};

/// A photo, a video, and files of other kinds.
fn mixed(test: &str) -> Option<Folder> {
    let folder = Folder::new(test)?;
    folder.photo("in/photo.jpg");
    folder.video("in/sub/video.mp4", 20, 10);
    folder.write("in/broken.mp4", b"this is not a video, whatever its name says");
    folder.write("in/empty.jpg", b"");
    folder.write("in/notes.txt", b"hello");
    folder.sound("in/sound.wav");
    Some(folder)
}

fn by_file(rows: &[Value]) -> BTreeMap<String, &Value> {
    rows.iter().map(|row| (row["file"].as_str().unwrap().to_owned(), row)).collect()
}

#[test]
fn each_file_has_a_row_and_each_face_of_each_frame_too() {
    let Some(folder) = mixed("mixed") else { return };
    let printed = folder.run("in --output out.ndjson", 3);
    assert!(printed.contains("in/broken.mp4: ") && printed.contains("in/empty.jpg: "), "{printed}");

    let (files, faces) = (folder.rows("out.files.ndjson"), folder.rows("out.ndjson"));
    let names: Vec<&str> = files.iter().map(|row| row["file"].as_str().unwrap()).collect();
    assert_eq!(names, ["in/broken.mp4", "in/empty.jpg", "in/notes.txt", "in/photo.jpg", "in/sound.wav", "in/sub/video.mp4"]);
    let files = by_file(&files);
    for name in ["in/broken.mp4", "in/empty.jpg"] {
        assert!(files[name]["error"].is_string() && files[name]["faces"].is_null(), "{}", files[name]);
    }
    for name in ["in/notes.txt", "in/sound.wav"] {
        let row = files[name];
        assert!(row["kind"] == "other" && row["error"].is_null() && row["examined"] == 0 && row["faces"].is_null(), "{row}");
    }
    let (photo, video) = (files["in/photo.jpg"], files["in/sub/video.mp4"]);
    assert!(photo["kind"] == "photo" && photo["length_s"].is_null() && photo["faces"] == 2, "{photo}");
    assert!(video["kind"] == "video" && video["length_s"] == 2.0 && video["examined"] == 20 && video["faces"] == 40, "{video}");
    assert!(video["width"] == 320 && video["height"] == 240, "{video}");

    assert_eq!(faces.len(), 42);
    let last = &faces[41];
    assert!(last["frame"] == 19 && last["time_s"] == 1.9 && last["time_ns"] == 1_900_000_000_u64, "{last}");
    for face in &faces {
        let (label, expected) = (&face["label"], if face["x"].as_f64().unwrap() < 0.4 { "happiness" } else { "neutral" });
        assert!(label == expected && face["score"] == face[format!("score_{expected}")], "{face}");
        assert!(face["id"].as_u64().is_some_and(|id| id == 1 || id == 2) && face["classifier"] == "expression", "{face}");
        assert!(face["nose_x"].is_number() && face["detector"].is_string() && face["confidence"].as_f64() > Some(0.5), "{face}");
    }
}

#[test]
fn nobody_there_and_not_examined_differ() {
    let Some(folder) = Folder::new("nobody") else { return };
    let mut grey = png::Encoder::new(File::create(folder.path("empty.png")).unwrap(), 64, 64);
    grey.set_color(png::ColorType::Grayscale);
    grey.write_header().unwrap().write_image_data(&[128; 64 * 64]).unwrap();
    folder.run("empty.png --output out.ndjson", 0);
    let row = &folder.rows("out.files.ndjson")[0];
    assert!(row["examined"] == 1 && row["faces"] == 0 && row["error"].is_null(), "{row}");
    assert_eq!(folder.read("out.ndjson"), "");
}

#[test]
fn the_table_does_not_depend_on_jobs_format_or_order_of_work() {
    let Some(folder) = mixed("jobs") else { return };
    folder.video("in/long.mp4", 100, 1);
    folder.run("in --output one.ndjson --jobs 1", 3);
    folder.run("in --output two.ndjson --jobs 2", 3);
    folder.run("in --output three.ndjson --jobs 3 --set *.threads=1", 3);
    for table in ["two", "three"] {
        for suffix in ["ndjson", "files.ndjson"] {
            assert!(folder.read(&format!("one.{suffix}")) == folder.read(&format!("{table}.{suffix}")), "{table}.{suffix}");
        }
    }
}

#[test]
fn a_long_video_is_cut_at_keyframes_without_a_gap() {
    let Some(folder) = Folder::new("long") else { return };
    folder.video("long.mp4", 100, 1);
    folder.run("long.mp4 --output out.ndjson", 0);
    let faces = folder.rows("out.ndjson");
    let frames: Vec<u64> = faces.iter().map(|face| face["frame"].as_u64().unwrap()).collect();
    assert_eq!(frames, (0..100).flat_map(|frame| [frame, frame]).collect::<Vec<u64>>());
    for face in &faces {
        let (frame, id) = (face["frame"].as_u64().unwrap(), face["id"].as_u64().unwrap());
        assert_eq!(face["time_s"], frame as f64);
        assert_eq!(id / 1_000_000, frame / 60, "the slice of frame {frame}");
    }
    // The run-up gives smoothed scores on the first frame of a slice.
    let scores = |frame: u64| faces.iter().find(|face| face["frame"] == frame).map(|face| face["score"].as_f64().unwrap()).unwrap();
    assert!((scores(60) - scores(59)).abs() < 0.02, "{} and {}", scores(59), scores(60));
}

#[test]
fn a_baseline_goes_on_to_the_end_of_a_long_video() {
    let Some(folder) = Folder::new("long-baseline") else { return };
    folder.video("long.mp4", 100, 1);
    folder.run("long.mp4 --output out.ndjson --baseline track", 0);
    let faces = folder.rows("out.ndjson");
    let ids: std::collections::HashSet<_> = faces.iter().map(|face| face["id"].as_u64().unwrap()).collect();
    assert_eq!((faces.len(), ids.len()), (200, 2));
    let seconds: Vec<f64> = faces.iter().map(|face| face["baseline"].as_f64().unwrap()).collect();
    assert!(seconds.windows(3).all(|pair| pair[2] >= pair[0]) && seconds.last() > Some(&1.9), "{seconds:?}");
}

#[test]
fn a_scan_that_is_killed_again_and_again_gives_the_same_table() {
    let Some(folder) = mixed("killed") else { return };
    folder.video("in/long.mp4", 100, 1);
    // So many that no run comes to an end.
    (0..20).for_each(|number| std::fs::hard_link(folder.path("in/photo.jpg"), folder.path(&format!("in/{number}.jpg"))).unwrap());
    folder.run("in --output whole.ndjson --geometry", 3);
    let line = "in --output parts.ndjson --geometry --jobs 2 --quiet";
    let mut kept = 0;
    for results in [1, 2, 3, 1, 2] {
        let mut child = folder.command(line).stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while finished_results(&folder) < kept + results {
            assert!(child.try_wait().unwrap().is_none(), "the scan has ended before it was killed");
            assert!(start.elapsed() < Duration::from_secs(90));
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kept = finished_results(&folder);
    }
    folder.run(line, 3);
    for suffix in ["ndjson", "files.ndjson"] {
        assert!(folder.read(&format!("whole.{suffix}")) == folder.read(&format!("parts.{suffix}")), "{suffix}");
    }
    assert!(!folder.path("parts.ndjson.parts").exists());
}

/// Number of results on disk, each a line of a log.
fn finished_results(folder: &Folder) -> usize {
    let entries = std::fs::read_dir(folder.path("parts.ndjson.parts")).into_iter().flatten().flatten();
    let logs = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"));
    logs.map(|log| std::fs::read(log.path()).unwrap().iter().filter(|byte| **byte == b'\n').count()).sum()
}

#[test]
fn a_full_disk_stops_the_scan_and_the_same_command_continues() {
    let Some(folder) = Folder::new("full") else { return };
    folder.video("long.mp4", 100, 1);
    let line = "long.mp4 --output out.ndjson --quiet --jobs 1";
    let limited = format!("trap '' XFSZ; ulimit -f 24; exec \"$0\" {line}");
    let mut command = Command::new("bash");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_emotion-scan")]).current_dir(folder.path(""));
    let printed = ended(command.output().unwrap(), 1);
    assert!(printed.contains("out.ndjson.parts") && printed.contains("File too large"), "{printed}");
    folder.run(line, 0);
    folder.run("long.mp4 --output whole.ndjson --quiet", 0);
    assert!(folder.read("out.ndjson") == folder.read("whole.ndjson"));
}

#[test]
fn a_changed_file_is_examined_again() {
    let Some(folder) = Folder::new("changed") else { return };
    folder.photo("a.jpg");
    folder.write("b.jpg", b"not yet a photo");
    // The scan stops after its work, since its output is a folder.
    std::fs::create_dir_all(folder.path("out.ndjson/x")).unwrap();
    folder.run("a.jpg b.jpg --output out.ndjson --quiet", 1);
    std::fs::remove_dir_all(folder.path("out.ndjson")).unwrap();
    folder.photo("b.jpg");
    folder.run("a.jpg b.jpg --output out.ndjson --quiet", 0);
    assert_eq!(folder.rows("out.ndjson").len(), 4);
}

#[test]
fn an_unfinished_scan_with_other_settings_is_refused() {
    let Some(folder) = Folder::new("settings") else { return };
    folder.photo("a.jpg");
    std::fs::create_dir_all(folder.path("out.ndjson/x")).unwrap();
    folder.run("a.jpg --output out.ndjson", 1);
    let printed = folder.run("a.jpg --output out.ndjson --every 2", 1);
    assert!(printed.contains("out.ndjson.parts: expected the unfinished scan of {\"every\":2.0"), "{printed}");
}

#[test]
fn an_unfinished_scan_with_other_models_is_refused() {
    let Some(folder) = Folder::new("models") else { return };
    folder.photo("a.jpg");
    folder.other_model();
    std::fs::create_dir_all(folder.path("out.ndjson/x")).unwrap();
    folder.run("a.jpg --output out.ndjson", 1);
    let with_others = |arguments: &str| {
        let mut command = folder.command(arguments);
        command.env("GST_EMOTION_MODEL_PATH", folder.path("models")).output().unwrap()
    };
    let printed = ended(with_others("a.jpg --output out.ndjson"), 1);
    let expected = format!("{{\"every\":null,\"models\":{{\"classifier\":\"{}\"", sha256("expression-int8"));
    assert!(printed.contains(&format!("expected the unfinished scan of {expected}")), "{printed}");
    assert!(printed.contains(&format!("\"classifier\":\"{}\"", sha256("expression"))), "{printed}");

    std::fs::remove_dir_all(folder.path("out.ndjson")).unwrap();
    folder.run("a.jpg --output out.ndjson", 0);
    ended(with_others("a.jpg --output others.ndjson"), 0);
    let detectors = format!("{} {}", sha256("face"), sha256("face-refiner"));
    for (table, classifier) in [("out.ndjson", "expression"), ("others.ndjson", "expression-int8")] {
        for row in folder.rows(table) {
            assert_eq!(row["classifier"], "expression", "the name is the same");
            assert!(row["classifier_sha256"] == sha256(classifier) && row["detector_sha256"] == detectors, "{row}");
        }
    }
}

#[test]
fn an_unfinished_scan_with_another_description_of_the_same_model_is_refused() {
    let Some(folder) = Folder::new("descriptions") else { return };
    folder.photo("a.jpg");
    folder.other_description("mean = [128.0]", "mean = [100.0]");
    std::fs::create_dir_all(folder.path("out.ndjson/x")).unwrap();
    folder.run("a.jpg --output out.ndjson", 1);
    let mut described = folder.command("a.jpg --output out.ndjson");
    let printed = ended(described.env("GST_EMOTION_MODEL_PATH", folder.path("described")).output().unwrap(), 1);
    assert!(printed.contains("expected the unfinished scan of {"), "{printed}");
    let classifiers = format!("\"classifier\":\"{}\",\"classifier_description\":\"", sha256("expression"));
    let descriptions: Vec<&str> = printed.split(&classifiers).skip(1).map(|rest| &rest[..64]).collect();
    assert!(descriptions.len() == 2 && descriptions[0] != descriptions[1], "{printed}");
}

/// The SHA-256 of a model, as its description says.
fn sha256(model: &str) -> String {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models").join(model).join("model.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.starts_with("sha256")).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn photos_are_turned_upright_by_their_tag_and_only_those_with_one() {
    let Some(folder) = Folder::new("rotated") else { return };
    folder.rotated_photo("1.jpg");
    folder.photo("2.jpg");
    folder.rotated_photo("3.jpg");
    folder.run("1.jpg 2.jpg 3.jpg --output out.ndjson --jobs 1", 0);
    for row in folder.rows("out.files.ndjson") {
        assert!(row["width"] == 320 && row["height"] == 240 && row["faces"] == 2, "{row}");
    }
    folder.run("1.jpg --output stored.ndjson --set videoflip.video-direction=identity", 0);
    let stored = &folder.rows("stored.files.ndjson")[0];
    assert!(stored["width"] == 240 && stored["height"] == 320, "the photo lies on its side: {stored}");
    let (rows, near) = (folder.rows("out.ndjson"), |a: &Value, b: &Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 0.02);
    for photo in rows.chunks(2) {
        assert!(near(&photo[0]["x"], &rows[2]["x"]) && near(&photo[0]["y"], &rows[2]["y"]), "{} {}", photo[0], rows[2]);
        assert_eq!(photo[0]["id"], 1, "tracks do not continue from file to file");
    }
}

#[test]
fn every_examines_one_frame_of_each_interval() {
    let Some(folder) = Folder::new("every") else { return };
    folder.video("clip.mp4", 20, 10);
    folder.run("clip.mp4 --output out.ndjson --every 0.5", 0);
    let row = &folder.rows("out.files.ndjson")[0];
    assert!(row["frames"] == 20 && row["examined"] == 4 && row["faces"] == 8, "{row}");
    let times: Vec<f64> = folder.rows("out.ndjson").iter().step_by(2).map(|face| face["time_s"].as_f64().unwrap()).collect();
    assert_eq!(times, [0.0, 0.5, 1.0, 1.5]);
}

#[test]
fn lists_come_from_a_file_or_standard_input() {
    let Some(folder) = Folder::new("lists") else { return };
    folder.photo("a.jpg");
    folder.photo("b.jpg");
    folder.write("list.txt", b"b.jpg\n");
    let mut child = folder.command("--list list.txt --list - --output out.csv").stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"a.jpg\nnone.jpg\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let files: Vec<String> = folder.read("out.files.csv").lines().skip(1).map(|line| line.split(',').next().unwrap().into()).collect();
    assert_eq!(files, ["b.jpg", "a.jpg", "none.jpg"]);
}

#[test]
fn names_that_are_not_utf_8_are_different_files() {
    let Some(folder) = Folder::new("bytes") else { return };
    let name = |byte| std::ffi::OsString::from_vec([b"in/", &[byte][..], b".jpg"].concat());
    folder.photo("in/face.jpg");
    std::fs::rename(folder.path("in/face.jpg"), folder.path("").join(name(0xfe))).unwrap();
    folder.write("in/face.jpg", b"no photo");
    std::fs::rename(folder.path("in/face.jpg"), folder.path("").join(name(0xff))).unwrap();
    folder.run("in --output out.ndjson", 3);
    let files = folder.rows("out.files.ndjson");
    assert!(files[0]["file"] == "in/\\xFE.jpg" && files[0]["faces"] == 2 && files[0]["error"].is_null(), "{}", files[0]);
    assert!(files[1]["file"] == "in/\\xFF.jpg" && files[1]["faces"].is_null() && files[1]["error"].is_string(), "{}", files[1]);
    // As an argument, too.
    ended(folder.command("--output named.ndjson").arg(name(0xfe)).output().unwrap(), 0);
    assert_eq!(folder.rows("named.files.ndjson")[0]["faces"], 2);
}

#[test]
fn wrong_options_name_what_is_expected() {
    let Some(folder) = Folder::new("wrong") else { return };
    folder.photo("a.jpg");
    for (options, expected) in [
        ("--output out.xls", "expected a .parquet, .csv or .ndjson file, found out.xls"),
        ("--output out.csv --set facedetect.tile=3", "facedetect has no property tile"),
        (
            "--output out.csv --set nothing.threads=3",
            "expected an element of videoflip, videoconvert, facedetect, facelandmarks, emotionclassify",
        ),
        ("--output out.csv --set facedetect.tile-size=big", "expected a value of type guint, found big"),
        ("--output out.csv --set facedetect.score-threshold=7", "7 is outside of the range"),
    ] {
        let printed = folder.run(&format!("a.jpg {options}"), 2);
        assert!(printed.contains(expected), "{printed}");
    }
    let printed = folder.run("a.jpg --output out.csv --set emotionclassify.model-file=none.onnx", 1);
    assert!(printed.contains("none.onnx"), "{printed}");
}

#[test]
fn properties_of_elements_can_be_set() {
    let Some(folder) = Folder::new("set") else { return };
    folder.photo("a.jpg");
    folder.run("a.jpg --output out.ndjson --set facedetect.max-faces=1 --set emotionclassify.model-file=expression-int8", 0);
    let rows = folder.rows("out.ndjson");
    assert!(rows.len() == 1 && rows[0]["classifier"] == "expression-int8", "{rows:?}");
}

#[test]
fn tiles_do_not_depend_on_the_files_before() {
    let Some(folder) = Folder::new("tiles") else { return };
    folder.video("1.mp4", 5, 10);
    folder.video("2.mp4", 20, 10);
    let set = "--set facedetect.detect-size=128 --set facedetect.tile-size=160 --jobs 1";
    folder.run(&format!("1.mp4 2.mp4 --output both.ndjson {set}"), 0);
    folder.run(&format!("2.mp4 --output second.ndjson {set}"), 0);
    let both = folder.read("both.ndjson");
    let second: Vec<&str> = both.lines().filter(|line| line.contains("\"2.mp4\"")).collect();
    assert_eq!(second, folder.read("second.ndjson").lines().collect::<Vec<_>>());
}

#[test]
fn parquet_has_typed_columns_and_the_values_of_the_other_formats() {
    let Some(folder) = mixed("parquet") else { return };
    folder.run("in --output out.parquet", 3);
    folder.run("in --output out.ndjson", 3);
    let (faces, rows) = (parquet(&folder, "out.parquet"), folder.rows("out.ndjson"));
    assert_eq!(faces.num_rows(), rows.len());
    let names = faces.column_by_name("file").unwrap().as_dictionary::<Int32Type>().downcast_dict::<arrow_array::StringArray>().unwrap();
    let floats = |name: &str| faces.column_by_name(name).unwrap().as_primitive::<Float32Type>().clone();
    let (ids, x, score) = (faces.column_by_name("id").unwrap().as_primitive::<Int64Type>(), floats("x"), floats("score_happiness"));
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(arrow_array::ArrayAccessor::value(&names, index), row["file"]);
        assert_eq!(ids.value(index), row["id"].as_i64().unwrap());
        assert_eq!(x.value(index), row["x"].as_f64().unwrap() as f32);
        assert_eq!(score.value(index), row["score_happiness"].as_f64().unwrap() as f32);
    }
    let files = parquet(&folder, "out.files.parquet");
    let (count, error) = (files.column_by_name("faces").unwrap(), files.column_by_name("error").unwrap());
    let nulls = |column: &dyn Array| (0..column.len()).map(|row| column.is_null(row)).collect::<Vec<_>>();
    assert_eq!(nulls(count), [true, true, true, false, true, false]);
    assert_eq!(nulls(error), [false, false, true, true, true, true]);
}

fn parquet(folder: &Folder, name: &str) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(folder.path(name)).unwrap()).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    assert_eq!(batches.len(), 1);
    batches.into_iter().next().unwrap()
}

#[test]
fn the_faces_of_real_people_are_found() {
    let (Some(folder), Some(clips)) = (Folder::new("real"), real_clips()) else { return };
    folder.run(&format!("{} --output out.ndjson --quiet", clips.display()), 0);
    let files = folder.rows("out.files.ndjson");
    let found: BTreeMap<&str, u64> =
        files.iter().map(|row| (row["file"].as_str().unwrap().rsplit('/').next().unwrap(), row["faces"].as_u64().unwrap())).collect();
    // One person throughout, except in no-face and several-faces.
    let frames = |name: &str| files.iter().find(|row| row["file"].as_str().unwrap().ends_with(name)).unwrap()["examined"].as_u64().unwrap();
    assert_eq!(found["no-face.mp4"], 0);
    for one in ["crying-to-laughing.mp4", "neutral-to-smile.mp4"] {
        assert_eq!(found[one], frames(one), "{one}");
    }
    assert!(found["several-faces.mp4"] > 2 * frames("several-faces.mp4"), "{found:?}");
    assert!(found["face-leaves.mov"] < frames("face-leaves.mov"), "{found:?}");
}

#[test]
fn the_report_is_one_page_of_all_files() {
    let Some(folder) = mixed("report") else { return };
    folder.run("in --output out.csv --report page.html", 3);
    let page = folder.read("page.html");
    for part in [
        "<title>Apparent expressions: out.csv<",
        "happiness",
        "neutral",
        "\"streams\":[\"in/photo.jpg\",",
        "\"in/sub/video.mp4\"",
        "{\"stream\":0,\"id\":1,\"rows\":1}",
        "42 records",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // Of a single video, the page has pictures, and plays it.
    folder.run("in/sub/video.mp4 --output video.csv --report video.html", 0);
    let page = folder.read("video.html");
    assert_eq!(page.matches("\"jpeg\":\"").count(), 2, "one of each face");
    assert!(page.contains("\"player\":\"in/sub/video.mp4\""), "{page}");
}

#[test]
fn annotated_files_show_the_faces_of_the_table_and_keep_their_sound() {
    let Some(folder) = Folder::new("annotated") else { return };
    folder.rotated_photo("in/photo.jpg");
    folder.video_with_sound("in/video.mkv", 20, 10);
    folder.run("in --output out.ndjson --every 1 --annotated drawn", 0);
    folder.photo("upright.jpg");
    for (drawn, plain) in [("drawn/in/photo.jpg", "upright.jpg"), ("drawn/in/video.mkv.mp4", "in/video.mkv")] {
        let (drawn, plain) = (folder.frames(drawn), folder.frames(plain));
        assert_eq!(drawn.len(), plain.len());
        for (frame, (drawn, plain)) in drawn.iter().zip(&plain).enumerate() {
            let different = drawn.iter().zip(plain).filter(|(a, b)| a.abs_diff(**b) > 40).count();
            assert!((1_000..drawn.len() / 4).contains(&different), "frame {frame}: {different} bytes differ");
        }
    }
    assert!(folder.has_sound("drawn/in/video.mkv.mp4"));
    let printed = folder.run("in/photo.jpg --output again.ndjson --annotated .", 2);
    assert!(printed.contains("would be replaced"), "{printed}");
}

#[cfg(not(feature = "remote"))]
#[test]
fn a_program_without_remote_inputs_says_how_to_build_one_with_them() {
    let Some(folder) = Folder::new("without-remote") else { return };
    let printed = folder.run("s3://clips/in/ --output out.ndjson", 2);
    assert!(printed.contains("found a URL; this program was built without") && printed.contains("--features remote"), "{printed}");
}

#[test]
fn the_manual_page_and_the_completions_have_the_options_of_the_program() {
    command_line::assert_committed(CommandLine::command(), "emotion-scan");
}
