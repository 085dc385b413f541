// SPDX-License-Identifier: MIT OR Apache-2.0
//! ONVIF metadata with the elements of gst-plugins-rs. `scripts/test onvif` builds them and runs these tests once with each of
//! two releases.

use emotion_core::geometry::{Rect, Size};
use gst::ClockTime;
use gst::prelude::*;
use gst_app::{AppSink, AppSrc};
use gst_video::VideoFormat;
use gstemotion::meta::read_faces;
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{buffer, init, play};

const SIZE: Size = Size::new(640, 480);
const FRAME: ClockTime = ClockTime::from_mseconds(40);
/// Frames with the face, and frames without it after them.
const FRAMES: (u64, u64) = (20, 10);
/// When the first frame was taken, as a Unix time.
const BEGIN: ClockTime = ClockTime::from_seconds(1_700_000_000);
/// The release of which only the overlay is tested with pictures: it takes y as upwards, as ONVIF does. That of 0.14.0 to 0.15.1
/// takes y as downwards and draws no box. The extractor is newer than this release.
const WITH_OVERLAY: &str = "0.13.";
/// Finds faces in frames that have a capture time.
const FACES: &str = "appsrc name=frames format=time ! emotionfacedetect ! emotionclassify ! tee name=faces ";
const UNBOUNDED: &str = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0";

/// The version of the plugin with the elements.
fn version() -> String {
    init();
    let plugin = gst::Registry::get().find_plugin("rsonvif").expect("GST_PLUGIN_PATH has the plugin rsonvif");
    plugin.version().to_string()
}

/// A face above and left of the centre, then none.
fn frames() -> Vec<gst::Buffer> {
    let still = |center| [0.0, 100.0].map(|at_s| Key::new(at_s, center, 160.0, "happiness")).to_vec();
    let (width, height) = (SIZE.width as usize, SIZE.height as usize);
    let pictures = [Scene::new(width, height).actor(still((200.0, 150.0))), Scene::new(width, height)].map(|scene| scene.render(0.0));
    let frame = |index: u64| {
        let picture = &pictures[usize::from(index >= FRAMES.0)];
        let mut frame = buffer(picture, SIZE.width, SIZE.height, VideoFormat::I420).0;
        let writable = frame.make_mut();
        writable.set_pts(index * FRAME);
        writable.set_duration(FRAME);
        let unix = gst::Caps::new_empty_simple("timestamp/x-unix");
        gst::meta::ReferenceTimestampMeta::add(writable, &unix, BEGIN + index * FRAME, None);
        frame
    };
    (0..FRAMES.0 + FRAMES.1).map(frame).collect()
}

/// Plays `FACES` and `line` with the frames. Returns what each of the named appsinks received.
fn run<const N: usize>(line: &str, sinks: [&str; N]) -> [Vec<gst::Sample>; N] {
    let pipeline = gst::parse::launch(&format!("{FACES} {line}")).unwrap().downcast::<gst::Pipeline>().unwrap();
    let source = pipeline.by_name("frames").unwrap().downcast::<AppSrc>().unwrap();
    let caps = format!("video/x-raw,format=I420,width={},height={},framerate=25/1", SIZE.width, SIZE.height);
    source.set_caps(Some(&caps.parse().unwrap()));
    source.set_max_bytes(0);
    let sinks = sinks.map(|name| pipeline.by_name(name).unwrap().downcast::<AppSink>().unwrap());
    sinks.iter().for_each(|sink| sink.set_wait_on_eos(false));
    pipeline.set_state(gst::State::Playing).unwrap();
    for frame in frames() {
        source.push_buffer(frame).unwrap();
    }
    source.end_of_stream().unwrap();
    play(&pipeline).unwrap();
    let samples = sinks.map(|sink| std::iter::from_fn(|| sink.pull_sample().ok()).collect());
    pipeline.set_state(gst::State::Null).unwrap();
    samples
}

fn text(sample: &gst::Sample) -> String {
    String::from_utf8(sample.buffer().unwrap().map_readable().unwrap().to_vec()).unwrap()
}

fn pts(samples: &[gst::Sample]) -> Vec<ClockTime> {
    samples.iter().map(|sample| sample.buffer().unwrap().pts().unwrap()).collect()
}

#[test]
#[ignore = "scripts/test onvif builds the elements"]
fn the_combiner_gives_each_frame_its_document_and_the_extractor_takes_it_out_again() {
    let version = version();
    println!("gst-plugin-onvif {version}");
    if version.starts_with(WITH_OVERLAY) {
        println!("left out: this release has no extractor");
        return;
    }
    let line = format!(
        "faces. ! {UNBOUNDED} ! combiner.media \
         faces. ! {UNBOUNDED} ! emotionexport format=onvif-metadata ! tee name=documents \
         documents. ! {UNBOUNDED} ! combiner.meta documents. ! {UNBOUNDED} ! appsink name=exported sync=false \
         onvifmetadatacombiner name=combiner ! onvifmetadataextractor name=extractor \
         extractor.meta_src ! {UNBOUNDED} ! appsink name=extracted sync=false \
         extractor.src ! {UNBOUNDED} ! appsink name=pictures sync=false"
    );
    let [exported, extracted, pictures] = run(&line, ["exported", "extracted", "pictures"]);
    assert_eq!(pictures.len() as u64, FRAMES.0 + FRAMES.1);
    assert!(exported.len() as u64 >= FRAMES.0, "{} documents", exported.len());
    assert_eq!(extracted.iter().map(text).collect::<Vec<_>>(), exported.iter().map(text).collect::<Vec<_>>());
    // The combiner also takes the document that begins where a frame ends.
    for (from, to) in pts(&exported).into_iter().zip(pts(&extracted)) {
        assert!(from == to || from == to + FRAME, "the document of {from} is at the frame of {to}");
    }
}

#[test]
#[ignore = "scripts/test onvif builds the elements"]
fn the_parser_finds_the_time_and_keeps_faces_and_expressions() {
    println!("gst-plugin-onvif {}", version());
    let line = format!(
        "faces. ! {UNBOUNDED} ! emotionexport format=onvif-metadata ! tee name=documents \
         documents. ! {UNBOUNDED} ! appsink name=exported sync=false \
         documents. ! {UNBOUNDED} ! onvifmetadataparse ! appsink name=parsed sync=false"
    );
    let [exported, parsed] = run(&line, ["exported", "parsed"]);
    assert_eq!(pts(&parsed), pts(&exported));
    let faces = |samples: &[gst::Sample]| samples.iter().filter(|sample| text(sample).contains("HumanFace</tt:Type>")).count();
    assert_eq!((faces(&parsed), faces(&parsed) > 10), (faces(&exported), true));
    assert!(parsed.iter().any(|sample| text(sample).contains("Expression>Smile</")), "{}", text(&parsed[10]));
    assert!(text(&parsed[10]).contains("label=\"happiness\""), "{}", text(&parsed[10]));
}

#[test]
#[ignore = "scripts/test onvif builds the elements"]
fn documents_pass_their_payloader_and_depayloader() {
    println!("gst-plugin-onvif {}", version());
    let line = format!(
        "faces. ! {UNBOUNDED} ! emotionexport format=onvif-metadata ! tee name=documents \
         documents. ! {UNBOUNDED} ! appsink name=exported sync=false \
         documents. ! {UNBOUNDED} ! rtponvifmetadatapay mtu=1000 ! rtponvifmetadatadepay ! appsink name=received sync=false"
    );
    let [exported, received] = run(&line, ["exported", "received"]);
    assert!(text(&exported[10]).len() > 1000, "several packets");
    // The payloader of 0.15.1 marks every packet of the first document as the first of a stream. Between two programs that mark
    // is not sent.
    let after_first = |samples: &[gst::Sample]| {
        let texts = samples.iter().map(text);
        texts.skip_while(|document| *document == text(&exported[0])).collect::<Vec<_>>()
    };
    assert_eq!(after_first(&received), after_first(&exported));
}

/// The part of the picture that differs from the plain one.
fn drawn(picture: &gst::BufferRef, plain: &gst::BufferRef) -> Option<Rect> {
    let (picture, plain) = (picture.map_readable().unwrap(), plain.map_readable().unwrap());
    let pixels = picture.chunks_exact(3).zip(plain.chunks_exact(3)).enumerate();
    let changed = pixels.filter(|(_, (drawn, plain))| drawn.iter().zip(*plain).any(|(a, b)| a.abs_diff(*b) > 30));
    let width = SIZE.width as usize;
    let places = changed.map(|(index, _)| ((index % width) as f32, (index / width) as f32));
    let bounds = places.map(|(x, y)| (x, y, x + 1.0, y + 1.0)).reduce(|a, b| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3)));
    bounds.map(|(left, top, right, bottom)| Rect::new(left, top, right - left, bottom - top))
}

/// Writes the picture for a look at it, where `ONVIF_PICTURE` names a file.
fn save(picture: &gst::BufferRef) {
    let Some(file) = std::env::var_os("ONVIF_PICTURE") else { return };
    let mut encoder = png::Encoder::new(std::fs::File::create(file).unwrap(), SIZE.width, SIZE.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&picture.map_readable().unwrap()).unwrap();
}

#[test]
#[ignore = "scripts/test onvif builds the elements"]
fn the_overlay_draws_its_box_around_the_face() {
    let version = version();
    println!("gst-plugin-onvif {version}");
    let line = format!(
        "faces. ! {UNBOUNDED} ! combiner.media \
         faces. ! {UNBOUNDED} ! emotionexport format=onvif-metadata ! {UNBOUNDED} ! combiner.meta \
         onvifmetadatacombiner name=combiner ! videoconvert ! video/x-raw,format=RGB ! tee name=combined \
         combined. ! {UNBOUNDED} ! appsink name=plain sync=false \
         combined. ! {UNBOUNDED} ! onvifmetadataoverlay ! appsink name=pictures sync=false"
    );
    let [plain, pictures] = run(&line, ["plain", "pictures"]);
    assert_eq!(pictures.len() as u64, FRAMES.0 + FRAMES.1, "every frame arrives");
    let buffers = |samples: &[gst::Sample]| samples.iter().map(|sample| sample.buffer_owned().unwrap()).collect::<Vec<_>>();
    let (pictures, plain) = (buffers(&pictures), buffers(&plain));
    save(&pictures[10]);
    let drawn: Vec<_> = pictures.iter().zip(&plain).map(|(picture, plain)| drawn(picture, plain)).collect();
    if !version.starts_with(WITH_OVERLAY) {
        assert!(drawn.iter().all(Option::is_none), "as docs/metadata.md says of this release");
        return;
    }
    let (width, height) = (SIZE.width as f32, SIZE.height as f32);
    for (picture, drawn) in pictures.iter().zip(&drawn).take(FRAMES.0 as usize - 1).skip(10) {
        let face = read_faces(picture, SIZE)[0].rect_norm;
        let expected = [face.x * width, face.y * height, face.right() * width, face.bottom() * height];
        let drawn = drawn.expect("a box");
        let found = [drawn.x, drawn.y, drawn.right(), drawn.bottom()];
        let off = expected.iter().zip(found).map(|(expected, found)| (expected - found).abs()).fold(0.0, f32::max);
        assert!(off <= 4.0, "left, top, right, bottom: the face is at {expected:?}, the box at {found:?}");
    }
    assert_eq!(drawn.last(), Some(&None), "the face has gone");
}
