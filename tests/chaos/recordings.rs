// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accounts of recordings: each frame that was shown is in one of them, and each record fits its frame.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::SystemTime;

use gst::prelude::*;
use rustix::process::Signal;
use serde_json::Value;
use test_support::truth_film::{Mark, TruthFilm, read};

use crate::account::{Account, CRASH_LOSES, Story, is_calm};
use crate::cameras::{NUMBERS, RATE, SIZE, WITH_FACE, film, has_face, round_of};
use crate::likeness::{VISIBLE, likeness};
use crate::schedule::Kind;
use crate::watched::Watched;

/// A record and its frame have the same time, to within this many nanoseconds: that of a video of 5 frames a second counts 2 ms each.
const SAME: u64 = 5_000_000;
/// Seconds from a frame of the camera to the disk, beside what a crash loses.
const DELAY: f64 = 1.0;
/// Seconds from the moment at which a program says that it hides faces, and before the one at which it is told not to.
const SWITCHES: f64 = 0.5;
/// The places of so many faces are compared with those of the film, at least: single ones may be as near to another place.
pub const ENOUGH: usize = 20;
/// A face may stay in records for so many frames after it has gone, and is found within so many.
const LINGERS: u32 = 6;
/// A face that has moved while frames were skipped is another one, which is confirmed by the second of three frames.
const CONFIRMS: f64 = 2.0;

/// A frame of a video.
#[derive(Clone, Copy)]
struct Frame {
    /// In nanoseconds.
    time: u64,
    /// What it says, if its bars can be read.
    mark: Option<Mark>,
    /// How far its face is that of the film, if it should be hidden.
    likeness: Option<f32>,
}

/// A video, what its frames say, and the records beside it.
struct Pair {
    name: String,
    frames: Vec<Frame>,
    /// Why it cannot be played.
    broken: Option<String>,
    /// True if its first part was complete.
    has_begun: bool,
    lines: Vec<String>,
    /// When it was last written, in seconds from the start.
    written: f64,
}

impl Pair {
    /// True if it ended before its first part was complete, also by its records. Otherwise somebody has emptied it. While its camera was
    /// away it had no frames, so a pause between records counts for a second at most.
    fn is_first_part(&self) -> bool {
        let time = |line: &String| Some(serde_json::from_str::<Value>(line).ok()?["recording_time"].as_u64()? as f64 / 1e9);
        let times: Vec<f64> = std::iter::once(0.0).chain(self.lines.iter().filter_map(time)).collect();
        !self.has_begun && times.windows(2).map(|pair| (pair[1] - pair[0]).min(1.0)).sum::<f64>() <= CRASH_LOSES
    }
}

/// The accounts of all recordings.
pub fn accounts(story: &Story) -> Vec<Account> {
    gst::init().expect("GStreamer starts");
    let mut all = Recordings::new();
    for (index, pairs) in read_all(story).into_iter().enumerate() {
        all.take(story, index, &pairs);
    }
    vec![all.playable, all.once, all.complete, all.crashes, all.fitting, all.analysed, all.hidden]
}

struct Recordings {
    film: TruthFilm,
    playable: Account,
    once: Account,
    complete: Account,
    crashes: Account,
    fitting: Account,
    analysed: Account,
    hidden: Account,
}

impl Recordings {
    fn new() -> Self {
        Self {
            film: film(),
            playable: Account::new("every recording can be played, also after a crash"),
            once: Account::new("a recording has frames of its own camera, each once and in order"),
            complete: Account::new("each frame is recorded while nothing disturbs its camera, program, network and disk"),
            crashes: Account::new("a crash loses at most two distances of key frames, and a power failure a second more"),
            fitting: Account::new("each record is whole, has the time of a frame beside it, the place of its face, and the time of day"),
            analysed: Account::new("each recorded frame with a face has a record while nothing disturbs"),
            hidden: Account::new("no face is visible in recordings while a camera hides faces, or has said so"),
        }
    }

    fn take(&mut self, story: &Story, index: usize, pairs: &[Pair]) {
        let camera = &story.cameras[index];
        // Frames, and whether they have a record.
        let mut found: BTreeMap<u32, bool> = BTreeMap::new();
        let mut distances = (0, [0.0; 3]);
        for (number, pair) in pairs.iter().enumerate() {
            let is_cut = is_cut(story, index, pair, pairs.get(number + 1));
            let name = &camera.name;
            let reason = || format!("{}: {}", pair.name, pair.broken.clone().unwrap_or_default());
            self.playable.check(pair.broken.is_none() || is_cut && pair.is_first_part(), name, pair.written, reason);
            self.take_frames(story, (index, name), pair, &mut found);
            self.take_records(story, (index, name), (pair, is_cut), (&mut found, &mut distances));
        }
        let (compared, [next, own, last]) = distances;
        let text = || format!("faces are nearer to their places on other frames: {last:.4} before, {own:.4}, {next:.4} after");
        self.fitting.check(compared < ENOUGH || own < next && own < last, &camera.name, None, text);
        self.look_for_lost(story, index, camera, &found);
        self.look_at_crashes(story, index, camera, &found);
    }

    fn take_frames(&mut self, story: &Story, (index, name): (usize, &str), pair: &Pair, found: &mut BTreeMap<u32, bool>) {
        let (damaged, mut last) = (story.damaged(index), None);
        for Frame { time, mark, likeness: alike } in &pair.frames {
            let at = mark.map(|mark| story.shown_at(mark.number));
            // The frames that arrived first in a session may be as close as a nanosecond, which a video does not have.
            self.once.check(last <= Some(*time), name, at, || format!("{}: the time {time} is not after {last:?}", pair.name));
            last = Some(*time);
            let Some((number, at)) = mark.map(|mark| mark.number).zip(at) else { continue };
            let camera = &story.cameras[index];
            let hides = camera.is_blurred || camera.hides.iter().any(|(from, to)| (from + SWITCHES..to - SWITCHES).contains(&at));
            if let Some(alike) = alike.filter(|_| hides && has_face(number)) {
                self.hidden.check(alike < VISIBLE, name, at, || format!("{}: frame {number}, correlation {alike:.2}", pair.name));
            }
            let is_next = number / NUMBERS == index as u32 && found.last_key_value().is_none_or(|(last, _)| *last < number);
            let text = || format!("{}: frame {number} after {:?}", pair.name, found.last_key_value());
            self.once.check(is_next || !is_calm(&damaged, at, at), name, at, text);
            found.entry(number).or_insert(false);
        }
    }

    fn take_records(
        &mut self,
        story: &Story,
        (index, name): (usize, &str),
        (pair, is_cut): (&Pair, bool),
        (found, (compared, distances)): (&mut BTreeMap<u32, bool>, &mut (usize, [f32; 3])),
    ) {
        let (misdated, damaged, halved) = (story.misdated(index), story.damaged(index), story.halved(index));
        let tolerance = story.tolerance(index);
        for (number, line) in (1..).zip(&pair.lines) {
            let parsed = serde_json::from_str::<Value>(line).ok();
            let time = parsed.as_ref().and_then(|record| record["recording_time"].as_u64());
            let Some((record, time)) = parsed.zip(time) else {
                self.fitting.check(false, name, pair.written, || format!("{}, line {number}: {line}", pair.name));
                continue;
            };
            let mut beside = pair.frames.iter().filter(|frame| frame.time.abs_diff(time) < SAME);
            let frame = beside.clone().next();
            // What a crash has taken from the video is still in the records. If the first fragment has one frame alone, GStreamer shows the
            // file from the second on.
            let last = pair.frames.last().map(|last| last.time);
            let is_taken = is_cut && (time < SAME || last.is_none_or(|last| time > last));
            let text = || format!("{}: no frame at {time} ns of its {}, up to {last:?}", pair.name, pair.frames.len());
            // The frame may be one that is decoded in the stream but not in the file.
            let is_damaged = || record["utc"].as_str().and_then(|utc| story.since_start(utc)).is_some_and(|at| !is_calm(&damaged, at, at));
            self.fitting.check(frame.is_some() || is_taken || is_damaged(), name, pair.written, text);
            let Some(mark) = frame.and_then(|frame| frame.mark) else { continue };
            found.extend(beside.by_ref().filter_map(|frame| Some((frame.mark?.number, true))));
            let (shown, utc) = (story.shown_at(mark.number), record["utc"].as_str().and_then(|utc| story.since_start(utc)));
            let lingers = |spans: &[(f64, f64)]| !is_calm(spans, shown, shown);
            let has = round_of(mark.number) < WITH_FACE + LINGERS || lingers(&damaged) || lingers(&halved);
            self.fitting.check(has, name, shown, || format!("{}: a face on frame {} without one", pair.name, mark.number));
            let is_dated = utc.is_some_and(|utc| (utc - shown).abs() < tolerance(shown)) || !is_calm(&misdated, shown, shown);
            self.fitting.check(is_dated, name, shown, || format!("{}: utc {} of frame {}", pair.name, record["utc"], mark.number));
            if has_face(mark.number) {
                let places = [1, 0, -1].map(|off| mark.number.saturating_add_signed(off));
                *compared += 1;
                places.iter().zip(&mut *distances).for_each(|(place, sum)| *sum += distance(&self.film, *place, &record));
            }
        }
    }

    fn look_for_lost(&mut self, story: &Story, index: usize, camera: &Watched, found: &BTreeMap<u32, bool>) {
        let spans = story.unrecorded(index);
        let (mut lost, mut bare) = (Vec::new(), Vec::new());
        for number in (0..story.shown.len() as u32).map(|number| number + NUMBERS * index as u32) {
            let at = story.shown_at(number);
            if !is_calm(&spans, at, at + DELAY) || at + 5.0 > story.length {
                continue;
            }
            self.complete.checked += 1;
            let has_record = found.get(&number);
            if has_record.is_none() {
                lost.push(number);
            } else if (LINGERS..WITH_FACE).contains(&round_of(number)) {
                self.analysed.checked += 1;
                bare.extend((has_record == Some(&false)).then_some(number));
            }
        }
        let skipped_between = story.skipped(index);
        let accounts = [(&mut self.complete, lost, "is in no recording", false), (&mut self.analysed, bare, "has no record", true)];
        for (account, numbers, what, is_of_records) in accounts {
            let first_of = numbers.iter().filter(|number| !numbers.contains(&number.wrapping_sub(1)));
            for first in first_of {
                let length = (*first..).take_while(|number| numbers.contains(number)).count();
                let (at, to) = (story.shown_at(*first), story.shown_at(*first + length as u32));
                // Those that a busy machine skips are counted. The camera's own picture, without hidden faces, has them.
                let skipped = skipped_between(at, to);
                let follow = if is_of_records && skipped > 0.0 { CONFIRMS } else { 0.0 };
                let is_skipped = (is_of_records || story.may_hide(index, to)) && skipped + follow >= length as f64;
                account.checked -= 1;
                let text = || format!("frame {first} {what}, nor {} after it, and {skipped} were skipped then", length - 1);
                account.check_unless(is_skipped, false, &camera.name, at, text);
            }
        }
    }

    fn look_at_crashes(&mut self, story: &Story, index: usize, camera: &Watched, found: &BTreeMap<u32, bool>) {
        let spans: Vec<_> = story.disturbed(index).into_iter().chain(story.slow(index)).chain(story.full(index)).collect();
        for end in story.ends(index).filter(|end| end.asked == Some(Signal::KILL)) {
            if is_calm(&spans, end.at - 12.0, end.at - 1.2) {
                let times = found.keys().map(|number| story.shown_at(*number));
                let last = times.filter(|at| *at < end.at).fold(0.0, f64::max);
                self.crashes
                    .check(end.at - last <= story.loses(index, end.at), &camera.name, end.at, || format!("it lost {:.1} s", end.at - last));
            }
        }
    }
}

/// True if the program or its disk failed while a pair was written, or after its last frame and before the `next` one.
fn is_cut(story: &Story, index: usize, pair: &Pair, next: Option<&Pair>) -> bool {
    let at = pair.written;
    let full = story.faults_of(index).filter(|fault| fault.kind == Kind::DiskFull);
    story
        .crashes(index)
        .map(|crash| (if next.is_none_or(|next| next.written > crash) { crash.min(at) } else { crash }, crash))
        .chain(full.map(|fault| (fault.at.as_secs_f64(), fault.end().as_secs_f64())))
        .chain(story.slow(index).filter(|(from, to)| story.crashes(index).any(|at| (*from..*to).contains(&at))))
        .any(|(from, to)| at > from - 6.0 && at < to + 12.0)
}

/// How far the face of a record is from its place on a frame, squared.
pub fn distance(film: &TruthFilm, number: u32, record: &Value) -> f32 {
    let (place, side) = (film.face(number), |name: &str| record["box"][name].as_f64().unwrap_or(0.0) as f32);
    let (x, y) = (side("x") + side("w") / 2.0 - place.x - place.w / 2.0, side("y") + side("h") / 2.0 - place.y - place.h / 2.0);
    x * x + y * y
}

/// The pairs of all cameras, read by as many threads as this machine has cores.
fn read_all(story: &Story) -> Vec<Vec<Pair>> {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let read = || {
        let film = film();
        while let Some((index, camera)) = Some(next.fetch_add(1, SeqCst)).and_then(|index| Some((index, story.cameras.get(index)?))) {
            let pairs = read_pairs(story.start, camera, &film);
            all.lock().expect("no panic").insert(index, pairs);
        }
    };
    std::thread::scope(|scope| {
        (0..std::thread::available_parallelism().map_or(1, usize::from)).for_each(|_| drop(scope.spawn(read)));
    });
    all.into_inner().expect("no panic").into_values().collect()
}

/// All pairs of a camera, in order.
fn read_pairs(start: SystemTime, camera: &Watched, film: &TruthFilm) -> Vec<Pair> {
    let entries = fs::read_dir(&camera.recordings).into_iter().flatten().map_while(Result::ok).map(|entry| entry.path());
    let hidden = (camera.is_blurred || !camera.hides.is_empty()).then_some(film);
    let mut videos: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|extension| extension == "mp4")).collect();
    videos.sort();
    let pair = |video: PathBuf| {
        let mut ffprobe = Command::new("ffprobe");
        ffprobe.args(["-v", "error", "-count_packets", "-show_entries", "stream=nb_read_packets"]).arg(&video);
        let probed = ffprobe.output().expect("ffprobe runs");
        let probed =
            if probed.status.success() { Ok(()) } else { Err(format!("ffprobe: {}", String::from_utf8_lossy(&probed.stderr).trim())) };
        // With GStreamer 1.22, a file without a video ends neither in an error nor in an end, now and then.
        let played = probed.and_then(|()| pictures(&video, hidden));
        let written = fs::metadata(&video).and_then(|metadata| metadata.modified()).expect("a time");
        let has_begun = played.is_ok() || fs::read(&video).is_ok_and(|bytes| bytes.windows(4).any(|name| name == b"moov"));
        Pair {
            has_begun,
            name: video.file_name().expect("a name").to_string_lossy().into_owned(),
            broken: played.as_ref().err().cloned(),
            frames: played.unwrap_or_default(),
            lines: fs::read_to_string(video.with_extension("ndjson")).unwrap_or_default().lines().map(str::to_owned).collect(),
            written: written.duration_since(start).map_or(0.0, |since| since.as_secs_f64()),
        }
    };
    videos.into_iter().map(pair).collect()
}

/// The frames of a video. If they should have no face of `hidden`, they are compared with it.
fn pictures(video: &Path, hidden: Option<&TruthFilm>) -> Result<Vec<Frame>, String> {
    let line =
        format!("filesrc location={} ! decodebin ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=end sync=false", video.display());
    let pipeline = gst::parse::launch(&line).map_err(|error| error.to_string())?.downcast::<gst::Pipeline>().expect("a pipeline");
    let end = pipeline.by_name("end").expect("a sink").downcast::<gst_app::AppSink>().expect("an appsink");
    let _ = pipeline.set_state(gst::State::Playing);
    let (bus, mut found) = (pipeline.bus().expect("a bus"), Vec::new());
    let failed = loop {
        if let Some(sample) = end.try_pull_sample(gst::ClockTime::from_mseconds(100)) {
            found.push(picture(&sample, hidden));
        } else if let Some(gst::MessageView::Error(error)) = bus.pop_filtered(&[gst::MessageType::Error]).as_ref().map(|m| m.view()) {
            break Err(error.error().to_string());
        } else if end.is_eos() {
            break Ok(found);
        }
    };
    let _ = pipeline.set_state(gst::State::Null);
    failed
}

fn picture(sample: &gst::Sample, hidden: Option<&TruthFilm>) -> Frame {
    let info = gst_video::VideoInfo::from_caps(sample.caps().expect("caps")).expect("raw video");
    let segment = sample.segment().and_then(|segment| segment.downcast_ref::<gst::ClockTime>()).expect("a segment of time");
    let time = segment.to_stream_time(sample.buffer().and_then(|buffer| buffer.pts())).map_or(0, gst::ClockTime::nseconds);
    let frame = gst_video::VideoFrame::from_buffer_readable(sample.buffer_owned().expect("a buffer"), &info).expect("a frame");
    let (luma, stride) = (frame.plane_data(0).expect("a plane"), info.stride()[0] as usize);
    let size = (info.width() as usize, info.height() as usize);
    // Bars that are damaged may have the checksum of others.
    let is_of_film = |mark: &Mark| mark.time_us == u64::from(mark.number % NUMBERS) * 1_000_000 / u64::from(RATE);
    let mark = read(luma, stride, size).filter(is_of_film);
    let compared = mark.zip(hidden).filter(|_| size == SIZE);
    Frame { time, mark, likeness: compared.map(|(mark, film)| likeness(film, mark.number, luma, stride)) }
}
