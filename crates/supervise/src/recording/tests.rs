// SPDX-License-Identifier: MIT OR Apache-2.0
//! Recordings of test pictures, with a line of text for each frame in place of the exporter.

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;

use gst::prelude::*;
use gst_app::{AppSink, AppSinkCallbacks};

use super::*;

mod raw;
mod reordered;

const RECORD: &[u8] = b"{\"type\":\"face\"}\n";
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);

fn recordings(folder: &Path, length_ms: u64) -> Recordings {
    Recordings {
        folder: folder.to_owned(),
        length: Duration::from_millis(length_ms),
        name: "door".into(),
        keep: Keep::default(),
        sound: false,
    }
}

/// A recorder to an empty folder, what it reports, and that folder.
fn recorder(test: &str, length_ms: u64) -> (Arc<Recorder>, Arc<Mutex<Vec<String>>>, PathBuf) {
    gst::init().unwrap();
    let folder = std::env::temp_dir().join(format!("emotion-supervise-{test}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let notices: Arc<Mutex<Vec<String>>> = Arc::default();
    let (recordings, seen) = (recordings(&folder, length_ms), notices.clone());
    let observe = move |notice: Notice<'_>| seen.lock().push(format!("{notice:?}"));
    let mut recorder = Recorder::new(recordings, observe).unwrap();
    recorder.retry = Duration::from_millis(100);
    (Arc::new(recorder), notices, folder)
}

/// A pipeline that passes what the launch line `source` makes to `take`.
fn play(source: &str, take: impl Fn(gst::Sample) + Send + 'static) -> gst::Pipeline {
    let pipeline = gst::parse::launch(&format!("{source} ! appsink name=end sync=false")).unwrap().downcast::<gst::Pipeline>().unwrap();
    let end = pipeline.by_name("end").unwrap().downcast::<AppSink>().unwrap();
    let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
        take(sink.pull_sample().map_err(|_| gst::FlowError::Eos)?);
        Ok(gst::FlowSuccess::Ok)
    });
    end.set_callbacks(callbacks.build());
    pipeline
}

/// A pipeline that records what the launch line `source` makes, and a record of each frame.
fn record(recorder: &Arc<Recorder>, source: &str) -> gst::Pipeline {
    let recorder = recorder.clone();
    let pipeline = play(source, move |sample| {
        let (caps, buffer) = (sample.caps_owned().unwrap(), sample.buffer_owned().unwrap());
        let time = buffer.pts().unwrap();
        recorder.push(Frame { caps, buffer, time });
        recorder.write(Some(RECORD), time);
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    pipeline
}

/// Pushes raw frames with these numbers, ten for each second, and a record of each.
fn push(recorder: &Recorder, numbers: std::ops::Range<u64>) {
    push_at(recorder, numbers.map(|number| gst::ClockTime::from_mseconds(100 * number)));
}

/// Pushes raw frames of these times, and a record of each.
fn push_at(recorder: &Recorder, times: impl IntoIterator<Item = gst::ClockTime>) {
    for time in times {
        let caps = "video/x-raw,format=I420,width=64,height=64,framerate=10/1".parse().unwrap();
        recorder.push(Frame { caps, buffer: gst::Buffer::from_mut_slice(vec![90; 64 * 64 * 3 / 2]), time });
        recorder.write(Some(RECORD), time);
    }
}

/// Waits for the end of a pipeline.
fn wait(pipeline: &gst::Pipeline) {
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(PATIENCE, &types).expect("an end");
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
}

/// What a video may round from the time of a frame, in microseconds.
const TICK: u64 = 20;

/// The times of the frames of a video that can be decoded, in microseconds.
fn times(video: &Path) -> Vec<u64> {
    let (send, times) = channel();
    let line = format!("filesrc location={} ! decodebin ! video/x-raw", video.display());
    let pipeline = play(&line, move |sample| send.send(running_time(&sample).useconds()).unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    wait(&pipeline);
    times.try_iter().collect()
}

fn frames(video: &Path) -> usize {
    times(video).len()
}

fn running_time(sample: &gst::Sample) -> gst::ClockTime {
    let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap();
    segment.to_running_time(sample.buffer().unwrap().pts()).unwrap()
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
fn frames_that_come_together_have_their_own_times_in_each_video() {
    let (recorder, _, folder) = recorder("together", 1000);
    push_at(&recorder, (0..40).map(|number| gst::ClockTime::from_useconds(100_000 * (number / 2) + 600 * (number % 2))));
    assert!(recorder.finish(Duration::from_secs(60)));
    assert_eq!(recorded(&folder), [(20, 20), (20, 20)]);
    for number in 0..2 {
        let (video, records) = (times(&folder.join(format!("{number:05}.mp4"))), record_times(&folder, number));
        assert!(video.iter().zip(&records).all(|(frame, record)| frame.abs_diff(*record) < TICK), "{video:?}, {records:?}");
    }
    fs::remove_dir_all(folder).unwrap();
}

/// The folder in which a child process records.
const FOLDER: &str = "EMOTION_TEST_RECORDS";

#[test]
#[ignore = "not a test: the child process of the next one"]
fn records() {
    gst::init().unwrap();
    let recorder = Arc::new(Recorder::new(recordings(Path::new(&std::env::var(FOLDER).unwrap()), 60_000), |_| {}).unwrap());
    let source = "videotestsrc num-buffers=50 ! video/x-raw,format=I420,width=64,height=64,framerate=10/1";
    wait(&record(&recorder, source));
    recorder.finish(Duration::from_secs(60));
}

#[cfg(unix)]
#[test]
fn a_disk_that_is_full_or_a_crash_at_the_end_of_a_recording_takes_its_last_second_at_most() {
    let (_, _, folder) = recorder("ends", 60_000);
    let recorded = |limit: &str| {
        let _ = fs::remove_dir_all(&folder);
        let program = std::env::current_exe().unwrap();
        let line = format!("{limit} exec '{}' --exact recording::tests::records --ignored", program.display());
        let mut bash = std::process::Command::new("bash");
        // Otherwise it writes the code that it makes to a file.
        let status = bash.args(["-c", &line]).env(FOLDER, &folder).env("ORC_CODE", "backup").output().unwrap().status;
        let video = folder.join("00000.mp4");
        (status.success(), frames(&video), fs::read(video).unwrap())
    };
    let (is_ended, count, whole) = recorded("");
    assert_eq!((is_ended, count), (true, 50));
    // At the end of the file is its index, of which there is only room for a part.
    let index = whole.windows(4).rposition(|name| name == b"moov").unwrap() - 4;
    let kib = index / 1024 + 1;
    assert!(kib * 1024 < whole.len(), "an index of {} bytes at {index}", whole.len() - index);
    // With the signal that such a write gives, the system ends the process.
    for (limit, ends) in [(format!("trap '' XFSZ; ulimit -f {kib};"), true), (format!("ulimit -f {kib};"), false)] {
        let (is_ended, count, video) = recorded(&limit);
        assert_eq!((is_ended, video.len()), (ends, kib * 1024), "{limit}");
        assert!((40..=50).contains(&count), "{limit}: {count} frames");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn pairs_are_numbered_in_the_order_of_their_frames() {
    let (recorder, _, folder) = recorder("order", 1000);
    let frame = |form: &str, number: u64| Frame {
        caps: format!("video/x-raw,format=I420,width=64,height=64,framerate=10/1,{form}").parse().unwrap(),
        buffer: gst::Buffer::from_mut_slice(vec![90; 64 * 64 * 3 / 2]),
        time: gst::ClockTime::from_mseconds(100 * number),
    };
    // The colours change just before the last pair of the first run begins, and its disk is slow.
    let frames = [("colorimetry=bt601", 0..20), ("colorimetry=bt709", 20..25)].map(|(form, numbers)| numbers.map(move |n| frame(form, n)));
    let runs = frames.map(|frames| {
        let frames: Vec<Frame> = frames.collect();
        let (mut run, ended) = Run::start(&recorder.shared, 1, recorder.retry, &frames[0], None).unwrap();
        let items: Vec<_> = frames.iter().map(|frame| run.take(frame).unwrap()).collect();
        (run, items, ended)
    });
    let ended = runs.into_iter().rev().map(|(run, items, ended)| {
        items.into_iter().for_each(|items| run::push(&run.entry, items));
        run.end();
        while !fs::read_dir(&folder).unwrap().any(|entry| entry.unwrap().path().extension().is_some_and(|of| of == "mp4")) {
            std::thread::sleep(Duration::from_millis(20));
        }
        ended
    });
    let ended: Vec<_> = ended.collect();
    assert!(recorder.finish(Duration::from_secs(60)));
    let is_over = |ended: &Receiver<()>| ended.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Disconnected);
    assert!(ended.iter().all(is_over));
    assert_eq!(recorded(&folder), [(10, 0), (10, 0), (5, 0)]);
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

/// A pipeline that records the encoded video that the launch line `source` makes, with a record of each decoded frame. Raw frames are
/// offered too.
fn record_encoded(recorder: &Arc<Recorder>, source: &str, start: gst::ClockTime) -> gst::Pipeline {
    let (taps, tapped) = channel::<Arc<Tap>>();
    let (pushed, tap) = (recorder.clone(), std::cell::OnceCell::new());
    let line = format!("{source} ! queue name=last");
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    taps.send(Tap::of_decoders(&pipeline, vec![recorder.clone()], false, Arc::default())).unwrap();
    let decode = gst::ElementFactory::make("decodebin").build().unwrap();
    let end = AppSink::builder().sync(false).build();
    let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let tap = tap.get_or_init(|| tapped.recv().unwrap());
        tap.choose(sink.static_pad("sink").and_then(|pad| pad.stream_id()).as_deref());
        // The analysis may give frames other times than the source.
        let time = running_time(&sample);
        let time = time + gst::ClockTime::from_mseconds(time.mseconds() / 100 % 3 * 7);
        tap.decoded(crate::decoding::encoded_time(sample.buffer().unwrap()).unwrap(), Some(time + start));
        pushed.push(Frame { caps: sample.caps_owned().unwrap(), buffer: sample.buffer_owned().unwrap(), time: time + start });
        pushed.write(Some(RECORD), time + start);
        Ok(gst::FlowSuccess::Ok)
    });
    end.set_callbacks(callbacks.build());
    pipeline.add_many([&decode, end.upcast_ref()]).unwrap();
    pipeline.by_name("last").unwrap().link(&decode).unwrap();
    crate::decoding::link_video_later(&decode, end.upcast_ref());
    pipeline.set_state(gst::State::Playing).unwrap();
    pipeline
}

/// The times of records in a pair, in milliseconds.
fn record_times(folder: &Path, number: u32) -> Vec<u64> {
    let text = fs::read_to_string(folder.join(format!("{number:05}.ndjson"))).unwrap();
    let time = |line: &str| line.split_once("recording_time\":")?.1.strip_suffix('}')?.parse::<u64>().ok();
    text.lines().map(|line| time(line).unwrap() / 1_000).collect()
}

#[test]
fn encoded_video_is_recorded_as_it_is_and_cut_at_its_key_frames() {
    let source = "videotestsrc num-buffers=50 ! video/x-raw,format=I420,width=64,height=64,framerate=10/1";
    for (name, encoder) in [
        ("h264", "x264enc tune=zerolatency key-int-max=10 ! h264parse"),
        ("bframes", "x264enc bframes=2 b-adapt=false key-int-max=10 ! video/x-h264,stream-format=byte-stream ! h264parse"),
        ("h265", "x265enc tune=zerolatency key-int-max=10 option-string=scenecut=0 ! h265parse"),
    ] {
        let (recorder, notices, folder) = recorder(name, 1500);
        wait(&record_encoded(&recorder, &format!("{source} ! {encoder}"), gst::ClockTime::from_seconds(7)));
        assert!(recorder.finish(Duration::from_secs(60)));
        assert_eq!(recorded(&folder), [(20, 20), (10, 10), (20, 20)], "{name}: key frames are at 0, 1, 2 s and so on");
        for number in 0..3 {
            let (video, records) = (times(&folder.join(format!("{number:05}.mp4"))), record_times(&folder, number));
            assert!(video.iter().zip(&records).all(|(frame, record)| frame.abs_diff(*record) < TICK), "{name}: {video:?}, {records:?}");
        }
        assert!(notices.lock().is_empty(), "{notices:?}");
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn encoded_video_of_another_size_begins_a_pair() {
    let (recorder, notices, folder) = recorder("sizes", 60_000);
    for (start_s, form) in [(0, "width=64,height=64"), (4, "width=64,height=64"), (8, "width=96,height=64")] {
        let source = format!("videotestsrc num-buffers=30 ! video/x-raw,format=I420,{form},framerate=10/1");
        let encoder = "x264enc tune=zerolatency key-int-max=10 ! video/x-h264,stream-format=byte-stream ! h264parse";
        wait(&record_encoded(&recorder, &format!("{source} ! {encoder}"), gst::ClockTime::from_seconds(start_s)));
    }
    assert!(recorder.finish(Duration::from_secs(60)));
    assert_eq!(recorded(&folder), [(60, 60), (30, 30)]);
    assert!(notices.lock().is_empty(), "{notices:?}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn sound_may_begin_later_than_the_video_and_stop_before_its_end() {
    let (recorder, notices, folder) = recorder("sound", 3000);
    let caps = gst::Caps::builder("audio/x-alaw").field("rate", 8000).field("channels", 1).build();
    let heard = recorder.clone();
    let source = "videotestsrc num-buffers=100 ! video/x-raw,format=I420,width=64,height=64,framerate=10/1";
    let pipeline = play(source, move |sample| {
        let (frame, buffer) = (sample.caps_owned().unwrap(), sample.buffer_owned().unwrap());
        let time = buffer.pts().unwrap();
        if (2000..5000).contains(&time.mseconds()) {
            let buffer = gst::Buffer::from_mut_slice(vec![0xd5; 800]);
            heard.push_sound(Frame { caps: caps.clone(), buffer, time });
        }
        heard.push(Frame { caps: frame, buffer, time });
        heard.write(Some(RECORD), time);
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    wait(&pipeline);
    assert!(recorder.finish(Duration::from_secs(60)));
    assert_eq!(recorded(&folder), [(20, 20), (30, 30), (30, 30), (20, 20)], "the sound begins a pair");
    let has_track = |number: u32| fs::read(folder.join(format!("{number:05}.mp4"))).unwrap().windows(4).any(|name| name == b"Opus");
    assert_eq!([0, 1, 2].map(has_track), [false, true, true]);
    assert!(notices.lock().is_empty(), "{notices:?}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn two_recorders_of_one_folder_leave_each_others_files() {
    let (door, _, folder) = recorder("shared", 500);
    let gate = Recorder::new(door.shared.recordings.clone(), |_| {}).map(Arc::new).unwrap();
    let source = "videotestsrc num-buffers=20 ! video/x-raw,format=I420,width=64,height=64,framerate=10/1";
    let pipelines = [&door, &gate].map(|recorder| record(recorder, source));
    pipelines.iter().for_each(wait);
    assert!([&door, &gate].iter().all(|recorder| recorder.finish(Duration::from_secs(60))));
    assert_eq!(recorded(&folder), [(5, 5); 8]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_oldest_pairs_are_deleted_while_later_ones_are_recorded() {
    let (_, _, folder) = recorder("kept", 500);
    let kept = Recordings { keep: Keep { age: None, bytes: Some(1) }, ..recordings(&folder, 500) };
    let recorder = Arc::new(Recorder::new(kept, |_| {}).unwrap());
    fs::write(folder.join("clip.mp4"), "of somebody else").unwrap();
    let source = "videotestsrc is-live=true num-buffers=40 ! video/x-raw,format=I420,width=64,height=64,framerate=20/1";
    wait(&record(&recorder, source));
    assert!(recorder.finish(Duration::from_secs(60)));
    let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, [".door.pairs", "clip.mp4"], "each one is larger than a byte");
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
    assert!(!recorder.is_up());
    std::thread::sleep(recorder.retry * 3);
    fs::remove_file(&folder).unwrap();
    wait_for("another notice", &|| notices.lock().len() > 1);
    assert!(notices.lock()[0].starts_with("Stopped(") && notices.lock()[1] == "GoesOn", "{notices:?}");
    assert_eq!((recorder.is_up(), notices.lock().len()), (true, 2), "one failure, however often it was tried");
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(recorder.finish(Duration::from_secs(60)));
    let paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let videos: Vec<_> = paths.iter().filter(|path| path.extension().unwrap() == "mp4").collect();
    assert!(videos.len() > 1 && paths.len() == 2 * videos.len() + 1, "{paths:?}");
    videos.iter().for_each(|video| assert!(frames(video) > 0, "{}", video.display()));
    fs::remove_dir_all(folder).unwrap();
    fs::remove_dir_all(moved).unwrap();
}

#[test]
fn a_pair_that_cannot_begin_leaves_the_video_before_it() {
    let (recorder, notices, folder) = recorder("no-next", 3000);
    push(&recorder, 0..25);
    let list = folder.join(".door.pairs");
    while fs::read(&list).map_or(0, |known| known.len()) < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    // As on a full disk, nothing can be added to it.
    fs::remove_file(&list).unwrap();
    fs::create_dir(&list).unwrap();
    push(&recorder, 25..40);
    assert!(recorder.finish(Duration::from_secs(60)));
    assert_eq!(recorded(&folder), [(30, 30)]);
    assert!(notices.lock()[0].starts_with("Stopped("), "{notices:?}");
    fs::remove_dir_all(folder).unwrap();
}
