// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames that no other one needs: they are recorded, but not decoded.

use std::time::Duration;

use test_support::broker::free_port;
use test_support::fetched;
use test_support::truth_film::{Path as Way, TruthFilm};

use crate::recorded::{H264, SIZE, marks, records, serve, write_film};
use crate::service::{folder, metrics, run, signal};
use crate::support::{has, wait_until};

/// Two of three frames are needed by no other one.
const UNREFERENCED: &str = "libx264 -qp 12 -preset ultrafast -bf 2 -g 10 -x264-params b-pyramid=none";

/// Records a film that is encoded so. Returns the numbers of recorded frames, the number of frames with records, and the number of
/// frames that were received and not decoded.
fn record(test: &str, encoder: &str) -> Option<(Vec<u32>, usize, [f64; 2])> {
    if !fetched("centerface") || !has("ffmpeg") {
        return None;
    }
    let (folder, port) = (folder(test), free_port());
    let (days, listen) = (folder.join("days"), format!("127.0.0.1:{port}"));
    let address = serve(&write_film(&folder, &TruthFilm::new(SIZE.0, SIZE.1, Way::Smooth), encoder));
    let common = ["--skip-frame", "noref", "--max-delay", "60", "--metrics-listen", &listen, "--files-seconds", "2.5"];
    let (mut program, _lines) = run(&[&common[..], &["--files-folder", days.to_str().unwrap(), &address]].concat());
    wait_until("the third pair", || days.join("00002.ndjson").exists());
    std::thread::sleep(Duration::from_secs(1));
    let metric = metrics(port);
    let [received, analysed, skipped, undecoded] =
        ["received", "analysed", "skipped", "undecoded"].map(|name| metric(&format!("emotion_frames_{name}_total")));
    let waiting = received - analysed - skipped - undecoded;
    assert!(skipped == 0.0 && (0.0..20.0).contains(&waiting), "{received} {analysed} {skipped} {undecoded}");
    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success());
    let numbers = (0..3).flat_map(|pair| marks(&days.join(format!("{pair:05}.mp4")))).map(|(_, mark)| mark.expect("a mark").number);
    let with_records = (0..3).map(|pair| records(&days, pair).len()).sum();
    Some((numbers.collect(), with_records, [received, undecoded]))
}

#[test]
fn frames_that_no_other_one_needs_are_recorded_but_not_decoded() {
    let Some((numbers, with_records, [received, undecoded])) = record("undecoded", UNREFERENCED) else { return };
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    // Two of three, but for key frames and those before them.
    assert!((0.4..0.7).contains(&(undecoded / received)), "{undecoded} of {received}");
    assert!((numbers.len() / 4..numbers.len() * 6 / 10).contains(&with_records), "{with_records} of {}", numbers.len());
}

#[test]
fn all_frames_of_a_camera_that_needs_all_are_decoded() {
    let Some((numbers, with_records, [_, undecoded])) = record("undecoded-none", H264) else { return };
    assert!(undecoded == 0.0 && with_records + 10 > numbers.len(), "{undecoded}, {with_records} of {}", numbers.len());
}
