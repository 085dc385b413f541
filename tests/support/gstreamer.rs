// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames, pipelines and child processes for tests of the elements.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_video::prelude::*;
use gst_video::{VideoConverter, VideoFormat, VideoFrame, VideoFrameRef, VideoInfo};

/// Starts GStreamer with the elements linked into this program.
pub fn init() {
    gst::init().expect("GStreamer starts");
    gstemotion::plugin_register_static().expect("the elements register");
}

/// Packed RGB of `width` x `height` as a buffer of `format`.
pub fn buffer(rgb: &[u8], width: u32, height: u32, format: VideoFormat) -> (gst::Buffer, VideoInfo) {
    init();
    let source = VideoInfo::builder(VideoFormat::Rgb, width, height).fps(gst::Fraction::new(30, 1)).build().expect("an RGB format");
    let mut filled = gst::Buffer::with_size(source.size()).expect("memory");
    {
        let mut frame = VideoFrameRef::from_buffer_ref_writable(filled.make_mut(), &source).expect("a writable frame");
        let stride = frame.plane_stride()[0] as usize;
        let rows = frame.plane_data_mut(0).expect("a plane").chunks_mut(stride);
        rows.zip(rgb.chunks(width as usize * 3)).for_each(|(to, from)| to[..from.len()].copy_from_slice(from));
    }
    let target = VideoInfo::builder(format, width, height).fps(gst::Fraction::new(30, 1)).build().expect("a format");
    if format == VideoFormat::Rgb {
        return (filled, target);
    }
    let converted = gst::Buffer::with_size(target.size()).expect("memory");
    let from = VideoFrame::from_buffer_readable(filled, &source).expect("a readable frame");
    let mut to = VideoFrame::from_buffer_writable(converted, &target).expect("a writable frame");
    VideoConverter::new(&source, &target, None).expect("a conversion").frame(&from, &mut to);
    (to.into_buffer(), target)
}

/// Flushes the stream of a harness and starts a new segment, as a seek does.
pub fn flush(harness: &mut gst_check::Harness) {
    assert!(harness.push_event(gst::event::FlushStart::new()));
    assert!(harness.push_event(gst::event::FlushStop::new(true)));
    assert!(harness.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())));
}

/// The counter `name` of the property `stats` of `element`.
pub fn count(element: &gst::Element, name: &str) -> u64 {
    element.property::<gst::Structure>("stats").get(name).expect(name)
}

/// Waits until `element` has run its network this many times.
pub fn wait_for(element: &gst::Element, inferences: u64) {
    let start = Instant::now();
    while count(element, "inferred") < inferences {
        assert!(start.elapsed() < Duration::from_secs(60), "timed out waiting for {inferences} inferences");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A copy of `frame` with the timestamp of frame number `index` in a stream of 30 frames per second.
pub fn frame_at(frame: &gst::Buffer, index: u64) -> gst::Buffer {
    let mut copy = frame.copy();
    copy.make_mut().set_pts(index * gst::ClockTime::SECOND / 30);
    copy
}

/// Runs a launch line until EOS. An error is returned as `element: error (details)`.
pub fn run(line: &str) -> Result<(), String> {
    init();
    let pipeline = gst::parse::launch(line).map_err(|error| error.to_string())?.downcast::<gst::Pipeline>().expect("a pipeline");
    let result = play(&pipeline);
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    result
}

/// Plays `pipeline` until it ends or fails.
pub fn play(pipeline: &gst::Pipeline) -> Result<(), String> {
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let started = pipeline.set_state(gst::State::Playing);
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    // After a failed start, the error is already on the bus.
    let wait = gst::ClockTime::from_seconds(if started.is_ok() { 120 } else { 5 });
    match bus.timed_pop_filtered(wait, &types) {
        Some(message) => match message.view() {
            gst::MessageView::Error(error) => {
                let source = error.src().map(|source| source.name().to_string()).unwrap_or_default();
                Err(format!("{source}: {} ({})", error.error(), error.debug().unwrap_or_default()))
            }
            _ => Ok(()),
        },
        None => Err(format!("neither EOS nor an error; start: {started:?}")),
    }
}

/// The plugin's library as built for this test run, beside the test's executable. The one in the parent folder is from the
/// last `cargo build`.
pub fn library() -> PathBuf {
    std::env::current_exe().expect("a test has a path").with_file_name("libgstemotion.so")
}

/// A temporary folder for a child process, which is removed at the end.
pub struct Stage(PathBuf);

impl Stage {
    /// A folder named after `test`, with a registry that has GStreamer's own plugins: to scan them takes half a second.
    pub fn new(test: &str) -> Self {
        static SCANNED: OnceLock<Vec<u8>> = OnceLock::new();
        let stage = Self::unscanned(test);
        let registry = stage.0.join("registry.bin");
        let scanned = SCANNED.get_or_init(|| {
            let status = stage.command("gst-inspect-1.0").args(["--exists", "fakesink"]).status();
            assert!(status.expect("gst-inspect-1.0 runs").success(), "GStreamer has no fakesink");
            std::fs::read(&registry).expect("GStreamer writes its registry")
        });
        std::fs::write(&registry, scanned).expect("a file in a temporary folder");
        stage
    }

    /// A folder without a registry, as on the first run.
    pub fn unscanned(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gst-emotion-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("plugins")).expect("a temporary folder");
        Self(folder)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Copies the plugin's library to the folder in which child processes search for plugins.
    pub fn with_plugin(self) -> Self {
        std::fs::copy(library(), self.0.join("plugins/libgstemotion.so")).expect("the plugin's library was built");
        self
    }

    /// A command that finds GStreamer's own plugins and those of this stage, with a separate registry.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("GST_PLUGIN_PATH", self.0.join("plugins"))
            .env("GST_REGISTRY", self.0.join("registry.bin"))
            .env_remove("GST_PLUGIN_SYSTEM_PATH_1_0")
            .env("GST_DEBUG_NO_COLOR", "1");
        command
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
