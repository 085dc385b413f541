// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings of test pictures, with a line of text for each frame in place of the exporter.

use std::fs;
use std::path::Path;

use gst_app::{AppSink, AppSinkCallbacks};

use super::*;

const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);

fn make_exporter() -> Result<gst::Element, glib::BoolError> {
    let exporter = gst::ElementFactory::make("identity").build()?;
    exporter.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, |_, info| {
        let frame = info.buffer_mut().unwrap();
        let mut text = gst::Buffer::from_slice(b"{\"type\":\"face\"}\n");
        text.get_mut().unwrap().set_pts(frame.pts());
        *frame = text;
        gst::PadProbeReturn::Ok
    });
    Ok(exporter)
}

/// A recorder to an empty folder, what it reports, and that folder.
fn recorder(test: &str, length_ms: u64) -> (Arc<Recorder>, Arc<Mutex<Vec<String>>>, PathBuf) {
    gst::init().unwrap();
    let folder = std::env::temp_dir().join(format!("emotion-supervise-{test}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let notices: Arc<Mutex<Vec<String>>> = Arc::default();
    let (recordings, seen) = (Recordings { folder: folder.clone(), length: Duration::from_millis(length_ms) }, notices.clone());
    let observe = move |notice: Notice<'_>| seen.lock().push(format!("{notice:?}"));
    let mut recorder = Recorder::new(recordings, Box::new(make_exporter), observe).unwrap();
    recorder.retry = Duration::from_millis(100);
    (Arc::new(recorder), notices, folder)
}

/// A pipeline that records what the launch line `source` makes.
fn record(recorder: &Arc<Recorder>, source: &str) -> gst::Pipeline {
    let pipeline = gst::parse::launch(&format!("{source} ! appsink name=end sync=false")).unwrap().downcast::<gst::Pipeline>().unwrap();
    let end = pipeline.by_name("end").unwrap().downcast::<AppSink>().unwrap();
    let recorder = recorder.clone();
    let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        recorder.push(&sample, sink.upcast_ref());
        Ok(gst::FlowSuccess::Ok)
    });
    end.set_callbacks(callbacks.build());
    pipeline.set_state(gst::State::Playing).unwrap();
    pipeline
}

/// Waits for the end of a pipeline.
fn wait(pipeline: &gst::Pipeline) {
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(PATIENCE, &types).expect("an end");
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
}

/// The number of frames of a video that can be decoded.
fn frames(video: &Path) -> usize {
    let line = format!("filesrc location={} ! decodebin ! fakesink name=end sync=false", video.display());
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let seen = count.clone();
    pipeline.by_name("end").unwrap().static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        seen.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    wait(&pipeline);
    count.load(Ordering::Relaxed) as usize
}

/// The number of frames of each video in the folder, and the number of lines beside them.
fn recorded(folder: &Path) -> Vec<(usize, usize)> {
    let pair = |number: u32| {
        let records = fs::read_to_string(folder.join(format!("{number:05}.ndjson"))).ok()?;
        Some((frames(&folder.join(format!("{number:05}.mp4"))), records.lines().count()))
    };
    (0..).map_while(pair).collect()
}

#[test]
fn each_pair_has_the_same_frames_and_times_from_its_own_start() {
    let (recorder, _, folder) = recorder("pairs", 1500);
    let source = "videotestsrc num-buffers=40 timestamp-offset=7000000000 ! video/x-raw,format=I420,width=64,height=64,framerate=10/1";
    wait(&record(&recorder, source));
    assert!(recorder.finish(Duration::from_secs(60)));
    assert_eq!(recorded(&folder), [(15, 15), (15, 15), (10, 10)]);
    for number in 0..3 {
        let text = fs::read_to_string(folder.join(format!("{number:05}.ndjson"))).unwrap();
        let expected = (0..text.lines().count()).map(|frame| format!("{{\"type\":\"face\",\"recording_time\":{}}}", frame * 100_000_000));
        assert!(text.lines().eq(expected), "{text}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_camera_that_comes_back_with_another_rate_or_other_colours_can_be_decoded() {
    let (recorder, notices, folder) = recorder("changes", 60_000);
    for (start_s, form) in [(0, "framerate=10/1"), (4, "framerate=25/1"), (6, "framerate=25/1,colorimetry=bt709")] {
        wait(&record(
            &recorder,
            &format!("videotestsrc num-buffers=30 timestamp-offset={start_s}000000000 ! video/x-raw,format=I420,width=64,height=64,{form}"),
        ));
    }
    assert!(recorder.finish(Duration::from_secs(60)));
    assert_eq!(recorded(&folder), [(60, 60), (30, 30)], "a new pair where the codec data changes");
    assert!(notices.lock().is_empty(), "{notices:?}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn two_recorders_of_one_folder_leave_each_others_files() {
    let (door, _, folder) = recorder("shared", 500);
    let gate = Recorder::new(door.shared.recordings.clone(), Box::new(make_exporter), |_| {}).map(Arc::new).unwrap();
    let source = "videotestsrc num-buffers=20 ! video/x-raw,format=I420,width=64,height=64,framerate=10/1";
    let pipelines = [&door, &gate].map(|recorder| record(recorder, source));
    pipelines.iter().for_each(wait);
    assert!([&door, &gate].iter().all(|recorder| recorder.finish(Duration::from_secs(60))));
    assert_eq!(recorded(&folder), [(5, 5); 8]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn recordings_stop_without_a_folder_and_go_on_with_it() {
    let (recorder, notices, folder) = recorder("stops", 500);
    let source = "videotestsrc is-live=true pattern=snow ! video/x-raw,format=I420,width=64,height=64,framerate=20/1";
    let pipeline = record(&recorder, source);
    let wait_for = |what: &str, is_met: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_secs(60);
        while !is_met() {
            assert!(Instant::now() < end, "timed out waiting for {what}: {notices:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for("a recording", &|| recorder.is_up());
    let moved = folder.with_extension("moved");
    fs::rename(&folder, &moved).unwrap();
    fs::write(&folder, "not a folder").unwrap();
    wait_for("a notice", &|| !notices.lock().is_empty());
    assert_eq!((recorder.is_up(), recorder.failures()), (false, 1));
    std::thread::sleep(recorder.retry * 3);
    fs::remove_file(&folder).unwrap();
    wait_for("another notice", &|| notices.lock().len() > 1);
    assert!(notices.lock()[0].starts_with("Stopped(") && notices.lock()[1] == "GoesOn", "{notices:?}");
    assert_eq!((recorder.is_up(), recorder.failures()), (true, 1), "one failure, however often it was tried");
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(recorder.finish(Duration::from_secs(60)));
    let pairs = fs::read_dir(&folder).unwrap().count() / 2;
    assert!(pairs > 1 && fs::read_dir(&folder).unwrap().count() == 2 * pairs);
    for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        assert!(entry.extension().unwrap() == "ndjson" || frames(&entry) > 0, "{}", entry.display());
    }
    fs::remove_dir_all(folder).unwrap();
    fs::remove_dir_all(moved).unwrap();
}
