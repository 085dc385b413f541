// SPDX-License-Identifier: MIT OR Apache-2.0
//! The segments of `hls.sh`, also after a crash, and their playback in a browser.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use test_support::browser::{Browser, chromium};
use test_support::gstreamer::Stage;
use test_support::recipes::*;
use test_support::repository;

/// A running script, and the signals that end it.
struct Recorder(Running);

impl Recorder {
    fn start(command: &mut Command) -> Self {
        Self(Running::start(command))
    }

    /// Kills the script, like a loss of power. The script has replaced itself by the program that writes, so that one gets the signal.
    fn kill(mut self) {
        self.0.0.kill().expect("the script runs");
        assert!(!self.0.succeeds(), "it had already ended");
    }

    /// Interrupts the script like Ctrl-C, and waits for its end.
    fn interrupt(self) {
        assert!(Command::new("kill").args(["-INT", &self.0.0.id().to_string()]).status().unwrap().success());
        assert!(self.0.succeeds());
    }
}

/// A folder that `hls.sh` writes to.
struct Live(PathBuf);

impl Live {
    /// The lines of a playlist that begin with `tag`, without the tag.
    fn lines(&self, playlist: &str, tag: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.0.join(playlist)).unwrap_or_default();
        text.lines().filter_map(|line| line.strip_prefix(tag)).map(str::to_owned).collect()
    }

    fn number(&self, tag: &str) -> u64 {
        self.lines("video.m3u8", tag).first().map_or(0, |value| value.parse().unwrap())
    }

    fn files(&self, playlist: &str) -> Vec<String> {
        self.lines(playlist, "").into_iter().filter(|line| !line.starts_with('#')).collect()
    }

    fn seconds(&self) -> f64 {
        self.lines("video.m3u8", "#EXTINF:").iter().map(|value| value.trim_end_matches(',').parse::<f64>().unwrap()).sum()
    }

    /// Number of frames in a segment, decoded after the initialisation segment of its run.
    fn frames(&self, stage: &Stage, init: &str, file: &str) -> usize {
        let bytes = [init, file].map(|name| std::fs::read(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")));
        let whole = stage.path().join("whole.mp4");
        std::fs::write(&whole, bytes.concat()).unwrap();
        decode(stage, &whole).len()
    }
}

/// Cuts a stream in which three frames have no time.
const TIMELESS: &str = r#"
from cuts import Cuts, Gst, launch, run
line = "videotestsrc num-buffers=20 ! identity name=source ! tee name=faces ! x264enc tune=zerolatency ! h264parse ! mp4mux ! fakesink"
pipeline, frames = launch(line.split()), iter(range(20))
def strip(_pad, info):
    if next(frames) in (5, 6, 7):
        info.get_buffer().pts = Gst.CLOCK_TIME_NONE
    return Gst.PadProbeReturn.OK
pipeline.get_by_name("source").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, strip)
Cuts(pipeline.get_by_name("faces").get_static_pad("sink"), Gst.SECOND)
raise SystemExit(run(pipeline))
"#;

#[test]
fn a_frame_without_a_time_does_not_end_the_stream() {
    if bindings() {
        let mut python = Command::new("/usr/bin/python3");
        succeed(run(python.args(["-Bc", TIMELESS]).current_dir(repository().join("pipelines"))));
    }
}

#[test]
fn a_browser_plays_segments_with_their_captions() {
    let Some(stage) = stage("hls").filter(|_| bindings()) else { return };
    succeed(run(script(&stage, "hls.sh").args(["clip.mp4", "site", "0.5"])));
    let live = Live(stage.path().join("site"));
    assert_eq!(live.files("video.m3u8"), ["00000.m4s", "00001.m4s", "00002.m4s"]);
    assert_eq!(live.files("captions.m3u8"), ["00000.vtt", "00001.vtt", "00002.vtt"]);
    assert_eq!(live.lines("video.m3u8", "#EXT-X-ENDLIST").len(), 1);
    assert!((live.seconds() - FRAMES as f64 / 30.0).abs() < 0.01, "{}", live.seconds());
    let frames: Vec<_> = live.files("video.m3u8").iter().map(|file| live.frames(&stage, "init-00000.mp4", file)).collect();
    assert_eq!(frames, [15, 15, 10]);
    for index in 0..3 {
        let text = read(&live.0.join(format!("0000{index}.vtt")));
        assert!(text.starts_with("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n"), "{text}");
        assert_eq!(text.matches(" --> ").count(), 1, "{text}");
        assert!(text.contains("happiness "), "{text}");
    }
    // GStreamer as a player.
    let (uri, to) = (format!("uri=file://{}", live.0.join("stream.m3u8").display()), stage.path().join("played.rgb"));
    let sink = format!("location={}", to.display());
    launch(&stage, &["uridecodebin", &uri, "caps=video/x-raw", "!", "videoconvert", "!", "video/x-raw,format=RGB", "!", "filesink", &sink]);
    assert_eq!(self::frames(&to).len(), FRAMES);

    let Some(program) = chromium() else { return };
    let mut page = Browser::start(&program, &stage.path().join("profile"), &[], "hls");
    page.resize(800, 700, 1.0);
    page.command("Page.navigate", json!({"url": serve(live.0.clone())}));
    page.wait("the end", "document.querySelector('video')?.ended === true");
    let cues = page.run("[...document.querySelector('video').textTracks[0].cues].map((cue) => cue.startTime)");
    assert_eq!(cues, json!([0, 0.5, 1]));
    page.run("document.querySelector('video').currentTime = 0.7");
    page.wait("a caption", "document.querySelector('video').textTracks[0].activeCues[0]?.text.includes('happiness')");
    page.wait("its picture", "document.querySelector('video').readyState >= 2 && !document.querySelector('video').seeking");
    page.take("captions");
    assert_eq!(page.run("document.querySelector('#notice').textContent"), "");
}

#[test]
fn a_playlist_continues_after_a_crash() {
    let Some(stage) = stage("hls-live").filter(|_| bindings()) else { return };
    let camera = Camera::endless(&stage);
    let live = Live(stage.path().join("site"));
    let start = || Recorder::start(script(&stage, "hls.sh").args([camera.address.as_str(), "site", "2", "3"]));
    let recorder = start();
    until("two segments", || (live.files("video.m3u8").len() == 2).then_some(()));
    let mut page = chromium().map(|program| Browser::start(&program, &stage.path().join("profile"), &[], "hls-live"));
    if let Some(page) = &mut page {
        page.command("Page.navigate", json!({"url": serve(live.0.clone())}));
        page.wait("a caption", "document.querySelector('video')?.textTracks[0]?.activeCues?.[0]?.text.includes('happiness')");
        page.take("playing");
    }
    until("a playlist that rolls", || (live.number("#EXT-X-MEDIA-SEQUENCE:") >= 2).then_some(()));
    assert_eq!(live.files("video.m3u8").len(), 3);
    assert!(!live.0.join("00000.m4s").exists() && !live.0.join("00000.vtt").exists(), "files that have left the playlist are removed");

    let next = |live: &Live| live.number("#EXT-X-MEDIA-SEQUENCE:") + 3;
    let open = |live: &Live| live.0.join(format!("{:05}.m4s", next(live)));
    until("an open segment", || open(&live).metadata().is_ok_and(|file| file.len() > 0).then_some(()));
    recorder.kill();
    let (known, told) = (next(&live), live.files("video.m3u8"));
    assert_eq!(live.lines("video.m3u8", "#EXT-X-ENDLIST").len(), 0);
    for (file, seconds) in told.iter().zip(live.lines("video.m3u8", "#EXTINF:")) {
        let frames = live.frames(&stage, "init-00000.mp4", file) as f64;
        let seconds: f64 = seconds.trim_end_matches(',').parse().unwrap();
        // A busy machine loses frames of a live source, and never has too many.
        assert!(frames >= 1.0 && frames <= seconds * 10.0 + 10.0, "{file}: {frames} frames in {seconds} s");
        assert!(live.0.join(file.replace("m4s", "vtt")).exists());
    }

    // As after a power failure in the middle of a fragment, before its captions are written.
    let bytes = std::fs::read(live.0.join(format!("{known:05}.m4s"))).unwrap();
    std::fs::write(live.0.join(format!("{known:05}.m4s")), [&bytes[..], &bytes[..100]].concat()).unwrap();
    std::fs::remove_file(live.0.join(format!("{known:05}.vtt"))).unwrap();

    // The open file is a segment now, and the next segments have another initialisation segment.
    let recorder = start();
    let told = until("a segment of the second run", || {
        let told = live.files("video.m3u8");
        (live.lines("video.m3u8", "#EXT-X-MAP:").len() == 2).then_some(told)
    });
    assert!(told.contains(&format!("{known:05}.m4s")), "{told:?}");
    assert_eq!(live.lines("video.m3u8", "#EXT-X-DISCONTINUITY").iter().filter(|rest| rest.is_empty()).count(), 1);
    assert!(live.frames(&stage, "init-00000.mp4", &format!("{known:05}.m4s")) > 0);
    recorder.interrupt();
    assert_eq!(live.lines("video.m3u8", "#EXT-X-ENDLIST").len(), 1);
    if let Some(mut page) = page {
        page.wait("the end of both", "document.querySelector('video').ended");
        let last = "[...document.querySelector('video').textTracks[0].cues].at(-1)";
        page.wait("captions to the end", &format!("{last}.endTime > document.querySelector('video').duration - 1"));
        assert_eq!(page.run("document.querySelector('#notice').textContent"), "");
    }
}
