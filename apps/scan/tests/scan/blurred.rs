// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--blurred`: copies in which every face is hidden and nothing else is left to tell.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use emotion_core::model::search_path::SearchPath;
use serde_json::Value;
use test_support::fetched;

use super::photos::{exif, with_exif};
use super::support::{Folder, HEIGHT, WIDTH, ended};

/// Mean difference of neighbouring pixels in the middle of both faces of a frame.
fn detail(frame: &[u8]) -> f64 {
    let green = |x: usize, y: usize| i32::from(frame[3 * (y * WIDTH + x) + 1]);
    let places = [95, 235].into_iter().flat_map(|x| (80..140).flat_map(move |y| (x - 30..x + 30).map(move |x| (x, y))));
    let steps: Vec<i32> = places.map(|(x, y)| (green(x, y) - green(x + 1, y)).abs()).collect();
    steps.iter().sum::<i32>() as f64 / steps.len() as f64
}

/// Asserts that both faces are hidden on every frame of `copy`, which has as many as `original`.
fn assert_hidden(folder: &Folder, original: &str, copy: &str) {
    let (shown, hidden) = (folder.frames(original), folder.frames(copy));
    assert_eq!(shown.len(), hidden.len(), "{copy}");
    for (number, (before, after)) in shown.iter().zip(&hidden).enumerate() {
        assert_eq!(after.len(), WIDTH * HEIGHT * 3);
        assert!(detail(after) < 0.5 * detail(before), "{copy}, frame {number}: {} of {}", detail(after), detail(before));
        let corner = |frame: &[u8]| i32::from(frame[3 * (WIDTH * (HEIGHT - 4) + 4)]);
        let corners = (corner(before), corner(after));
        assert!((corners.0 - corners.1).abs() < 8, "{copy}, frame {number}: the rest of the picture stays, found {corners:?}");
    }
}

fn finished(folder: &Folder) -> Vec<Value> {
    folder.rows("out/finished.ndjson")
}

#[test]
fn photos_have_no_face_and_no_metadata() {
    let Some(folder) = Folder::new("blurred-photos") else { return };
    folder.photo("plain.jpg");
    folder.write("a/photo.jpg", &with_exif(&fs::read(folder.path("plain.jpg")).unwrap(), true, &exif(1)));
    folder.picture("a/picture.png");
    folder.rotated_photo("a/turned.jpg");
    folder.run("a --blurred out", 0);
    for name in ["a/photo.jpg", "a/picture.png", "a/turned.jpg"] {
        // Upright, all three are the same picture.
        assert_hidden(&folder, "plain.jpg", &format!("out/{name}"));
    }
    let has_exif = |name: &str| fs::read(folder.path(name)).unwrap().windows(6).any(|bytes| bytes == b"Exif\0\0");
    assert!(has_exif("a/photo.jpg") && has_exif("a/turned.jpg"));
    assert!(!has_exif("out/a/photo.jpg") && !has_exif("out/a/turned.jpg"));
    let report = &finished(&folder)[0]["report"];
    assert_eq!((&report["left_out"][0], &report["frames"], &report["faces"]), (&"Exif".into(), &1.into(), &2.into()), "{report}");
    let page = folder.read("out/review.html");
    assert!(page.contains("a/photo.jpg") && page.contains("Exif"), "{page}");
}

#[test]
fn videos_keep_frames_and_sound_and_nothing_else() {
    let Some(folder) = Folder::new("blurred-video") else { return };
    folder.write("words.srt", b"1\n00:00:00,100 --> 00:00:01,000\nthe secret words\n");
    let words = format!("filesrc location={} ! subparse ! mux.", folder.path("words.srt").display());
    let second = "videotestsrc num-buffers=20 ! video/x-raw,width=320,height=240,framerate=10/1 ! x264enc speed-preset=ultrafast ! mux.";
    let sound = "audiotestsrc num-buffers=20 samplesperbuffer=4800 ! audio/x-raw,rate=48000 ! opusenc ! mux.";
    let tags = "taginject tags=title=thesecrettitle,comment=thesecretplace";
    folder.encoded_faces(
        "film.mkv",
        20,
        10,
        &format!("{tags} ! x264enc speed-preset=ultrafast ! matroskamux name=mux {words} {second} {sound} mux."),
    );
    let bytes = |name: &str| fs::read(folder.path(name)).unwrap();
    let contains = |name: &str, text: &str| bytes(name).windows(text.len()).any(|window| window == text.as_bytes());
    let secrets = ["the secret words", "thesecrettitle", "thesecretplace"];
    assert!(secrets.iter().all(|secret| contains("film.mkv", secret)));
    folder.run("film.mkv --blurred out --style solid", 0);
    assert_hidden(&folder, "film.mkv", "out/film.mkv");
    assert!(folder.has_sound("out/film.mkv") && !secrets.iter().any(|secret| contains("out/film.mkv", secret)));
    let left_out = finished(&folder)[0]["report"]["left_out"].to_string();
    for expected in ["stream text/", "stream video/", "tag title", "tag comment"] {
        assert!(left_out.contains(expected), "{expected}: {left_out}");
    }
    folder.run("film.mkv --blurred out --style blur --sound drop", 0);
    assert_hidden(&folder, "film.mkv", "out/film.mkv");
    assert!(contains("film.mkv", "A_OPUS") && !contains("out/film.mkv", "A_OPUS"));
}

#[test]
fn a_frame_that_one_part_of_a_face_fills_is_hidden_as_a_whole() {
    let Some(folder) = Folder::new("blurred-close-up").filter(|_| fetched("centerface")) else { return };
    folder.encoded_close_up("photo.png", 1, "videoconvert ! pngenc");
    folder.encoded_close_up("video.mp4", 30, "x264enc speed-preset=ultrafast ! mp4mux");
    folder.picture("both_faces.png");
    folder.run("photo.png video.mp4 both_faces.png --blurred out", 0);
    for (name, frames, whole) in [("photo.png", 1, 1), ("video.mp4", 30, 30), ("both_faces.png", 1, 0)] {
        let rows = finished(&folder);
        let report = &rows.iter().find(|row| row["copy"] == name).unwrap()["report"];
        assert_eq!((&report["frames"], &report["whole_frames"]), (&frames.into(), &whole.into()), "{name}: {report}");
    }
}

#[test]
fn videos_of_other_containers_are_written_as_what_can_be_written() {
    let Some(folder) = Folder::new("blurred-containers") else { return };
    folder.video("plain.mp4", 8, 10);
    fs::copy(folder.path("plain.mp4"), folder.path("film.mov")).unwrap();
    folder.web_video("web.webm", 8);
    folder.rotated_video("turned.mp4", 8);
    folder.encoded_faces("old.avi", 8, 10, "x264enc speed-preset=ultrafast ! h264parse ! avimux");
    folder.run("film.mov web.webm turned.mp4 old.avi --blurred out", 0);
    for (name, copy) in [("film.mov", "film.mov"), ("web.webm", "web.webm"), ("turned.mp4", "turned.mp4"), ("old.avi", "old.avi.mp4")] {
        assert_hidden(&folder, name, &format!("out/{copy}"));
    }
}

#[test]
fn a_call_that_is_killed_leaves_no_half_of_a_copy_and_the_next_one_finishes() {
    let Some(folder) = Folder::new("blurred-killed") else { return };
    folder.photo("a.jpg");
    // Without the ending of its name, GStreamer takes the copy for an MPEG transport stream.
    folder.video("b.mp4", 200, 10);
    let mut child = folder.command("a.jpg b.mp4 --blurred out").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !folder.path("out/b.mp4.unfinished.mp4").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(folder.path("out/a.jpg").exists() && !folder.path("out/b.mp4").exists());
    assert_eq!(finished(&folder).len(), 1);
    folder.run("a.jpg b.mp4 --blurred out", 0);
    assert_hidden(&folder, "b.mp4", "out/b.mp4");
    assert!(!folder.path("out/b.mp4.unfinished.mp4").exists());
    assert_eq!(finished(&folder).len(), 2, "the photo is not copied again");
}

#[test]
fn options_of_copies_need_a_folder_for_them() {
    let Some(folder) = Folder::new("blurred-options") else { return };
    folder.photo("a.jpg");
    for option in ["--style solid", "--sound drop"] {
        let printed = folder.run(&format!("a.jpg {option}"), 2);
        assert!(printed.contains("--blurred <FOLDER>"), "{option}: {printed}");
    }
}

#[test]
fn no_file_of_others_is_replaced_and_finished_copies_are_kept() {
    let Some(folder) = Folder::new("blurred-others") else { return };
    folder.photo("a.jpg");
    folder.photo("b.jpg");
    let input = fs::read(folder.path("a.jpg")).unwrap();
    // The folder of the inputs.
    let printed = folder.run("a.jpg --blurred .", 3);
    assert!(
        printed.contains("expected no file or one of an earlier call") && fs::read(folder.path("a.jpg")).unwrap() == input,
        "{printed}"
    );
    folder.write("out/a.jpg", b"mine");
    let printed = folder.run("a.jpg b.jpg --blurred out", 3);
    assert!(printed.contains("a.jpg: expected no file") && printed.contains("1 copies"), "{printed}");
    assert_eq!(fs::read(folder.path("out/a.jpg")).unwrap(), b"mine");
    let changed = || fs::metadata(folder.path("out/b.jpg")).unwrap().modified().unwrap();
    let first = changed();
    folder.run("b.jpg --blurred out", 0);
    assert_eq!(first, changed(), "a finished copy is not made again");
    folder.run("b.jpg --blurred out --style blur", 0);
    assert_ne!(first, changed());
    folder.write("other/review.csv", b"name,value\n");
    assert!(folder.run("b.jpg --blurred other", 2).contains("review.csv is none of an earlier call"));
    assert_eq!(folder.read("other/review.csv"), "name,value\n");
}

#[test]
fn two_networks_look_for_faces_where_both_are_installed() {
    let Some(folder) = Folder::new("blurred-networks").filter(|_| fetched("centerface")) else { return };
    folder.photo("a.jpg");
    let printed = folder.run("a.jpg --blurred out", 0);
    assert!(printed.contains("found by emotion-face and centerface;"), "{printed}");
    let mut alone = folder.command("a.jpg --blurred out");
    alone.env("ORT_DYLIB_PATH", SearchPath::from_env(None).runtime_library().unwrap()).env("XDG_DATA_HOME", folder.path("none"));
    let printed = ended(alone.output().unwrap(), 0);
    assert!(printed.contains("found by emotion-face;"), "{printed}");
    let networks: Vec<_> = finished(&folder).iter().map(|one| one["made"]["networks"].as_array().unwrap().len()).collect();
    assert_eq!(networks, [2, 1], "what was found by others is copied again");
}

#[test]
fn a_full_disk_names_what_is_finished_and_leaves_no_half_of_a_copy() {
    let Some(folder) = Folder::new("blurred-full") else { return };
    folder.photo("a.jpg");
    folder.video("b.mp4", 300, 10);
    let limited = "trap '' XFSZ; ulimit -f 32; exec \"$0\" a.jpg b.mp4 --blurred out --style blur";
    let mut command = Command::new("bash");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_emotion-scan")]).current_dir(folder.path(""));
    let printed = ended(command.output().unwrap(), 1);
    assert!(printed.contains("b.mp4") && printed.contains("finished: a.jpg"), "{printed}");
    assert!(!folder.path("out/b.mp4").exists() && folder.path("out/a.jpg").exists());
    assert!(!folder.path("out/b.mp4.unfinished.mp4").exists());
}

#[test]
fn a_file_that_cannot_be_read_has_no_copy_and_the_others_have_one() {
    let Some(folder) = Folder::new("blurred-damaged") else { return };
    folder.photo("a.jpg");
    folder.write("damaged.png", b"\x89PNG\r\n\x1a\nno picture");
    folder.write("text.txt", b"no picture");
    let printed = folder.run(". --blurred out", 3);
    assert!(printed.contains("damaged.png") && printed.contains("1 copies"), "{printed}");
    assert!(folder.path("out/a.jpg").exists() && !folder.path("out/damaged.png").exists() && !folder.path("out/text.txt").exists());
}
