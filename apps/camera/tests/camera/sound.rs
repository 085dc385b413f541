// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sound in recordings: a film whose frames say which they are, with a tick in the middle of each second.

use std::path::Path;
use std::process::Command;

use gst::prelude::*;
use test_support::fetched;
use test_support::truth_film::{Path as Way, TruthFilm};
use test_support::zoo::{Camera, Quirk};

use crate::recorded::{H264, SIZE, marks, record_with, serve_line, write_film};
use crate::service::{folder, run, signal};
use crate::support::{has, wait_for_line, wait_until};

/// Frames of the film from one tick to the next.
const RATE: u32 = 10;
/// Samples per second of what is listened to.
const SAMPLES: usize = 8000;
/// How far a tick may be from its frame: a frame of most cameras. In the first seconds, in which times run slower until it is known how late
/// the first frames were, players take sound for a little longer than it is: a frame of this film.
const FAR_S: [f64; 2] = [0.04, 0.1];

/// How a camera encodes its sound: FFmpeg's encoder with its rate, the payloader, and what a recording has.
type Codec = (&'static str, &'static str, &'static str);
const AAC: Codec = ("aac -ar 44100", "aacparse ! rtpmp4gpay", "aac");
const OPUS: Codec = ("libopus -ar 48000", "opusparse ! rtpopuspay", "opus");
const MP3: Codec = ("libmp3lame -ar 44100", "mpegaudioparse ! rtpmpapay", "mp3");
const PCMA: Codec = ("pcm_alaw -ar 8000 -ac 1", "rtppcmapay", "opus");

/// Adds sound to a film. Returns the launch line of a camera that shows and plays it. A live source in it makes it a camera: the server
/// says of anything else how long it is, and rtspsrc guesses from the first packets when that is over, sometimes after half a second
/// (GStreamer 1.22).
fn camera(film: &Path, (encoder, payloader, _): Codec) -> String {
    let sounding = film.with_extension("mkv");
    let tick = "aevalsrc=if(lt(mod(t+.5\\,1)\\,.02)\\,.8*sin(2*PI*1000*t)\\,0):s=48000:d=12";
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-i"]).arg(film).args(["-f", "lavfi", "-i", tick, "-c:v", "copy", "-c:a"]);
    assert!(command.args(encoder.split(' ')).arg(&sounding).status().unwrap().success());
    format!(
        "( filesrc location={} ! matroskademux name=film film. ! queue ! h264parse ! rtph264pay config-interval=-1 name=pay0 pt=96 \
         film. ! queue ! {payloader} name=pay1 pt=97 videotestsrc is-live=true ! video/x-raw,width=16,height=16 ! fakesink )",
        sounding.display()
    )
}

/// The times in seconds at which a video's sound ticks, as GStreamer plays it.
fn ticks(video: &Path) -> Vec<f64> {
    let line = format!(
        "filesrc location={} ! decodebin ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate={SAMPLES},channels=1 \
         ! appsink name=end sync=false",
        video.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let end = pipeline.by_name("end").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut samples = Vec::new();
    while let Ok(sample) = end.pull_sample() {
        let (buffer, segment) = (sample.buffer().unwrap(), sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap());
        let at = segment.to_running_time(buffer.pts()).unwrap().nseconds() as usize * SAMPLES / 1_000_000_000;
        // Where there is a gap, it is silent. Each piece is heard at its own time.
        samples.resize(at, 0);
        samples.extend(buffer.map_readable().unwrap().chunks(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])));
    }
    pipeline.set_state(gst::State::Null).unwrap();
    onsets(&samples)
}

/// Likewise, as FFmpeg plays it.
fn ticks_by_ffmpeg(video: &Path) -> Vec<f64> {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-v", "error", "-i"])
        .arg(video)
        .args("-vn -af aresample=8000:async=1:min_hard_comp=.005:first_pts=0 -ac 1 -f s16le -".split(' '));
    let output = command.output().unwrap().stdout;
    onsets(&output.chunks(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect::<Vec<_>>())
}

/// The seconds at which it is loud after half a second that was not.
fn onsets(samples: &[i16]) -> Vec<f64> {
    let loud = samples.iter().enumerate().filter(|(_, sample)| sample.unsigned_abs() > 8000).map(|(at, _)| at);
    let mut last = None;
    let begins = loud.filter(|&at| last.replace(at).is_none_or(|last| at > last + SAMPLES / 2));
    begins.map(|at| at as f64 / SAMPLES as f64).collect()
}

/// What ffprobe says about a video.
fn probe(video: &Path, entries: &str) -> String {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-show_entries", entries, "-of", "csv=p=0"]).arg(video);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// Checks the sound of a recording: the ticks are at their frames, as much later as in the film: encoders need time that a
/// camera does not account for. Returns how many there are.
fn in_step(video: &Path, codec: &str) -> usize {
    let far_s = FAR_S[usize::from(video.ends_with("00000.mp4"))];
    let late = ticks(&video.parent().unwrap().with_file_name("film.mkv"))[0] - 0.5;
    let streams = probe(video, "stream=codec_name,start_time,duration");
    let [picture, sound] = streams.lines().collect::<Vec<_>>()[..] else { panic!("{}: {streams}", video.display()) };
    assert!(picture.starts_with("h264,") && sound.starts_with(&format!("{codec},")), "{streams}");
    let number = |line: &str, field: usize| line.split(',').nth(field).unwrap().parse::<f64>().unwrap();
    let ends = [picture, sound].map(|line| number(line, 1) + number(line, 2));
    assert!((ends[0] - ends[1]).abs() < 0.5, "{}: {streams}", video.display());
    let frames = marks(video);
    let mut seconds: Vec<f64> =
        probe(video, "packet=codec_type,pts_time").lines().filter_map(|line| line.strip_prefix("video,")?.parse().ok()).collect();
    seconds.sort_by(f64::total_cmp);
    assert_eq!(seconds.len(), frames.len());
    let at_tick = |index: &usize| frames[*index].1.is_some_and(|mark| mark.number % RATE == RATE / 2);
    let expected: Vec<usize> = (0..frames.len()).filter(at_tick).collect();
    let mut found = 0;
    for (by, ticks, time) in [
        ("GStreamer", ticks(video), &(|index: usize| frames[index].0 as f64 / 1e9) as &dyn Fn(usize) -> f64),
        ("FFmpeg", ticks_by_ffmpeg(video), &|index| seconds[index]),
    ] {
        let shown: Vec<f64> = expected.iter().map(|index| time(*index)).collect();
        // One that begins where the picture ends is that of the next recording's first frame.
        for tick in ticks.iter().filter(|tick| **tick < ends[0]) {
            let nearest = shown.iter().map(|time| time - tick).map(|far| far + late).min_by(|a, b| a.abs().total_cmp(&b.abs()));
            assert!(nearest.is_some_and(|far| far.abs() < far_s), "{by}, {}: {tick} in {ticks:?} {shown:?}", video.display());
        }
        assert!(ticks.len() + 1 >= shown.len(), "{by}, {}: {ticks:?} {shown:?}", video.display());
        found += ticks.len();
    }
    found
}

#[test]
fn sound_is_in_step_with_the_picture() {
    for (test, codec, options) in [
        ("opus", OPUS, &[][..]),
        ("pcma", PCMA, &[]),
        ("mp3", MP3, &["--files-video", "drawn"]),
        ("blurred", AAC, &["--blur", "solid", "--blur-delay", "300"]),
    ] {
        let source = |film: &Path| serve_line(&camera(film, codec));
        let options = [&["--files-sound", "true"], options].concat();
        let Some(folder) = record_with(&format!("sound-{test}"), H264, source, &options) else { return };
        let found: usize = (0..3).map(|number| in_step(&folder.join(format!("days/{number:05}.mp4")), codec.2)).sum();
        assert!(found > 8, "{test}: {found}");
    }
}

#[test]
fn sound_goes_on_in_step_when_a_camera_comes_back() {
    if !fetched("centerface") || !has("ffmpeg") {
        return;
    }
    let folder = folder("sound-back");
    let (days, film) = (folder.join("days"), write_film(&folder, &TruthFilm::new(SIZE.0, SIZE.1, Way::Smooth), H264));
    let address = serve_line(&camera(&film, AAC));
    let (mut program, lines) =
        run(&["--files-sound", "true", "--files-seconds", "2.5", "--files-folder", days.to_str().unwrap(), &address]);
    wait_for_line(&lines, "reconnecting");
    wait_until("the seventh pair", || days.join("00006.ndjson").exists());
    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success());
    let found: usize = (0..6).map(|number| in_step(&days.join(format!("{number:05}.mp4")), "aac")).sum();
    assert!(found > 24, "{found}");
}

/// The launch line of a live camera with this sound.
fn live(sound: &str) -> String {
    format!(
        "( videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=10/1 ! x264enc tune=zerolatency key-int-max=10 \
         ! rtph264pay config-interval=-1 name=pay0 pt=96 audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! {sound} )"
    )
}

/// Records two pairs with sound, if the source has one. Returns the codecs of the first.
fn codecs(folder: &Path, source: &[&str], line: &str) -> String {
    let common = ["--files-sound", "true", "--files-seconds", "2", "--files-folder", folder.to_str().unwrap()];
    let (mut program, lines) = run(&[&common, source].concat());
    wait_for_line(&lines, line);
    wait_until("the second pair", || folder.join("00001.ndjson").exists());
    signal(&program, "-TERM");
    assert!(program.0.wait().unwrap().success());
    probe(&folder.join("00000.mp4"), "stream=codec_name")
}

#[test]
fn the_sound_is_that_of_the_recorded_profile() {
    if !fetched("centerface") || !has("ffprobe") {
        return;
    }
    let folder = folder("sound-profiles");
    let address = serve_line(&live("alawenc ! rtppcmapay name=pay1 pt=8"));
    assert_eq!(codecs(&folder.join("one"), &[&address], "receiving the camera's stream"), "h264\nopus\n");
    let small = Camera::start(Quirk::None, &folder);
    let source = ["--record-source", &address, &small.address];
    assert_eq!(codecs(&folder.join("two"), &source, "receiving the recorded video"), "h264\nopus\n");
}

#[test]
fn sound_that_cannot_be_recorded_is_named_and_leaves_the_video_alone() {
    if !fetched("centerface") || !has("ffprobe") {
        return;
    }
    let address = serve_line(&live("avenc_g726 ! rtpg726pay name=pay1 pt=97"));
    let refused = "the sound is not recorded: expected AAC, MP3, Opus, PCMU, PCMA or L16, found G726-";
    assert_eq!(codecs(&folder("sound-refused"), &[&address], refused), "h264\n");
}
