// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frames that a stream plays in a loop.

use emotion_core::geometry::Size;
use emotion_core::scores::FERPLUS_LABELS;
use gst::prelude::*;
use gst_video::VideoFormat;
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer;

use crate::FRAMES_PER_SECOND;
use crate::options::Options;

/// Length of a rendered scene.
const LOOP_FRAMES: u32 = 90;

/// Frames without timestamps, and their caps.
pub struct Footage {
    pub frames: Vec<gst::Buffer>,
    pub caps: gst::Caps,
}

impl Footage {
    /// The footage of `options` in frames of `size` pixels.
    pub fn new(options: &Options, size: Size) -> Self {
        match &options.clip {
            Some(clip) => Self::decoded(clip, size),
            None => Self::rendered(&scene(size, options.faces, options.face_size), size),
        }
    }

    fn rendered(scene: &Scene, size: Size) -> Self {
        let second = |index: u32| index as f32 / FRAMES_PER_SECOND as f32;
        let render = |index: u32| gstreamer::buffer(&scene.render(second(index)), size.width, size.height, VideoFormat::Nv12);
        let (frames, infos): (Vec<_>, Vec<_>) = (0..LOOP_FRAMES).map(render).unzip();
        Self { frames, caps: infos[0].to_caps().expect("caps") }
    }

    /// The first frames of `clip`, forwards and backwards: a cut between two loops would end all tracks.
    fn decoded(clip: &str, size: Size) -> Self {
        let Size { width, height } = size;
        let line = format!(
            "filesrc name=file ! decodebin ! videoconvert ! videoscale add-borders=true ! videorate ! \
             video/x-raw,format=NV12,width={width},height={height},framerate={FRAMES_PER_SECOND}/1 ! appsink name=sink sync=false"
        );
        let pipeline = gst::parse::launch(&line).expect("a pipeline").downcast::<gst::Pipeline>().expect("a pipeline");
        pipeline.by_name("file").expect("a source").set_property("location", clip);
        let sink = pipeline.by_name("sink").and_then(|sink| sink.downcast::<gst_app::AppSink>().ok()).expect("a sink");
        pipeline.set_state(gst::State::Playing).expect("a pipeline plays");
        let samples: Vec<_> = std::iter::from_fn(|| sink.pull_sample().ok()).take(LOOP_FRAMES as usize).collect();
        pipeline.set_state(gst::State::Null).expect("a pipeline stops");
        let caps = samples.first().and_then(|sample| sample.caps_owned()).unwrap_or_else(|| panic!("no video in {clip}"));
        Self { frames: samples.iter().chain(samples.iter().rev()).map(without_timestamps).collect(), caps }
    }
}

/// The frame of a sample without timestamps. The source sets them each time it plays the frame.
fn without_timestamps(sample: &gst::Sample) -> gst::Buffer {
    let mut buffer = sample.buffer_owned().expect("a frame");
    buffer.make_mut().set_pts(gst::ClockTime::NONE);
    buffer.make_mut().set_dts(gst::ClockTime::NONE);
    buffer
}

/// A grid of faces. Each moves back and forth by a sixth of its height and changes its expression.
fn scene(size: Size, faces: usize, height_px: Option<f32>) -> Scene {
    let columns = (1..).find(|columns| columns * columns * 9 >= faces * 16 || *columns == faces).unwrap_or(1);
    let (width, height) = (size.width as f32 / columns as f32, size.height as f32 / faces.div_ceil(columns) as f32);
    let end = LOOP_FRAMES as f32 / FRAMES_PER_SECOND as f32;
    let actor = |index: usize| {
        let (x, y) = ((index % columns) as f32 * width + width / 2.0, (index / columns) as f32 * height + height / 2.0);
        let side = height_px.unwrap_or(0.8 * width.min(height));
        let (here, there) = (FERPLUS_LABELS[index % FERPLUS_LABELS.len()], FERPLUS_LABELS[(index + 1) % FERPLUS_LABELS.len()]);
        let away = (x + side / 6.0, y);
        vec![Key::new(0.0, (x, y), side, here), Key::new(end / 2.0, away, side, there), Key::new(end + 0.1, (x, y), side, here)]
    };
    (0..faces).map(actor).fold(Scene::new(size.width as usize, size.height as usize), Scene::actor)
}
