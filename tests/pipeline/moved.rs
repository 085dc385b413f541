// SPDX-License-Identifier: MIT OR Apache-2.0
//! Elements between the detector and its readers: a face's place is right, or it is said to be unknown, and a face that is to be hidden
//! is never visible.
//!
//! The film shows squares with a fine pattern on grey, at places that follow from the number of the frame. They are the faces: only they
//! have detail, so what is left of it after blurring was visible.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emotion_core::geometry::{Rect, Size};
use emotion_core::record::{DetectionInfo, FaceRecord, FrameRecord, SearchAge};
use gst::prelude::*;
use gstemotion::elements::upstream::picture_changes::PictureChanges;
use gstemotion::meta::write_search;
use test_support::gstreamer::{init, play};
use test_support::repository;

/// Frames of the film.
const FRAMES: usize = 6;
/// Grey of the background, and the pattern's two greys.
const GREYS: [u8; 3] = [128, 16, 235];
/// Sides of a square of the pattern in pixels.
const GRAIN: u32 = 4;
/// Differences between pixels below this are no detail.
const DETAIL: i32 = 24;

/// The boxes of frame `number`, in pixels of 320x240.
fn boxes(number: usize) -> [Rect; 2] {
    let shift = 4.0 * number as f32;
    [Rect::new(40.0 + shift, 28.0, 48.0, 48.0), Rect::new(200.0 - shift, 132.0, 64.0, 64.0)]
}

/// The faces of frame `number`. With `ids`, they are tracked.
fn faces(number: usize, ids: bool) -> Vec<FaceRecord> {
    let face = |(at, rect): (usize, Rect)| FaceRecord {
        id: if ids { at as u32 + 1 } else { 0 },
        rect_norm: rect.to_norm(Size::new(320, 240)),
        detection: Some(DetectionInfo { confidence: 0.9, landmarks_norm: None, model_name: "film".into(), age: Duration::ZERO }),
        emotion: None,
        geometry: None,
        confirmed: true,
    };
    boxes(number).into_iter().enumerate().map(face).collect()
}

/// Draws frame `number` into the GRAY8 `pixels` of a picture of `size`.
fn draw(pixels: &mut [u8], stride: usize, size: Size, number: usize) {
    for (y, row) in pixels.chunks_mut(stride).take(size.height as usize).enumerate() {
        row.fill(GREYS[0]);
        for rect in boxes(number) {
            let rect = rect.to_norm(Size::new(320, 240)).from_norm(size);
            if (rect.y..rect.bottom()).contains(&(y as f32)) {
                for x in rect.x as usize..rect.right() as usize {
                    row[x] = GREYS[1 + (x as u32 / GRAIN + y as u32 / GRAIN) as usize % 2];
                }
            }
        }
    }
}

/// One way from the detector to a reader.
#[derive(Clone)]
struct Way {
    /// The source of the film: elements named `source…` make its frames.
    film: String,
    line: String,
    ids: bool,
    /// True if the film is empty, to see what detail the elements add.
    blank: bool,
    /// A property of the element `changed` before and after half of the film, as `name=value`.
    changed: Option<(&'static str, &'static str)>,
}

impl Way {
    fn new(line: impl Into<String>) -> Self {
        Self { film: film("source", "width=320,height=240"), line: line.into(), ids: true, blank: false, changed: None }
    }

    /// The pipeline with `end` at its end; none if its elements cannot be linked.
    fn launch(&self, end: &str) -> Option<gst::Pipeline> {
        init();
        let line = format!("{} ! emotionfacedetect name=detector track=false detect-interval=1000 ! {} ! {end}", self.film, self.line);
        let pipeline = gst::parse::launch(&line).ok()?.downcast::<gst::Pipeline>().ok()?;
        show(&pipeline, self);
        Some(pipeline)
    }
}

/// A source of the film with this name, whose frames have this size.
fn film(name: &str, caps: &str) -> String {
    format!("videotestsrc name={name} num-buffers={FRAMES} pattern=black ! video/x-raw,format=GRAY8,framerate=30/1,{caps}")
}

/// A frame at the end of a way.
struct Arrived {
    record: FrameRecord,
    size: Size,
    pixels: Vec<u8>,
    stride: usize,
}

impl Arrived {
    /// Sum of the detail inside `rect`, in pixels: how far a pixel differs from both of those a grain away. The edge of a blurred block
    /// differs from one.
    fn detail(&self, rect: Rect) -> f64 {
        let grain = GRAIN as usize;
        let inner = Rect::from_corners(grain as f32, grain as f32, (self.size.width - GRAIN) as f32, (self.size.height - GRAIN) as f32);
        let rect = rect.intersection(inner);
        let at = |x: usize, y: usize| i32::from(self.pixels[y * self.stride + x]);
        let step = |pixel: i32, before: i32, after: i32| {
            if (pixel > before) == (pixel > after) { (pixel - before).abs().min((pixel - after).abs()) } else { 0 }
        };
        let mut sum = 0.0;
        for y in rect.y as usize..rect.bottom() as usize {
            for x in rect.x as usize..rect.right() as usize {
                let pixel = at(x, y);
                let (across, down) = (step(pixel, at(x - grain, y), at(x + grain, y)), step(pixel, at(x, y - grain), at(x, y + grain)));
                sum += f64::from(Some(across.max(down)).filter(|step| *step >= DETAIL).unwrap_or(0));
            }
        }
        sum
    }

    fn all_detail(&self) -> f64 {
        self.detail(self.size.rect())
    }
}

/// Draws the frames of the sources, and writes their faces behind the detector.
fn show(pipeline: &gst::Pipeline, way: &Way) {
    let size_of = |pad: &gst::Pad| {
        let info = gst_video::VideoInfo::from_caps(&pad.current_caps().expect("caps")).expect("video");
        (Size::new(info.width(), info.height()), info.stride()[0] as usize)
    };
    let (blank, ids) = (way.blank, way.ids);
    let number = |buffer: &gst::BufferRef| buffer.offset() as usize % FRAMES;
    let elements = pipeline.iterate_elements().into_iter().flatten();
    for source in elements.filter(|element| element.name().starts_with("source")) {
        source.static_pad("src").expect("a pad").add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let buffer = info.buffer_mut().expect("a buffer").make_mut();
            let ((size, stride), number) = (size_of(pad), number(buffer));
            let mut map = buffer.map_writable().expect("a writable frame");
            if blank {
                map.fill(GREYS[0])
            } else {
                draw(&mut map, stride, size, number)
            }
            gst::PadProbeReturn::Ok
        });
    }
    let found = pipeline.by_name("detector").and_then(|detector| detector.static_pad("src")).expect("a pad");
    found.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let buffer = info.buffer_mut().expect("a buffer").make_mut();
        let faces = faces(number(buffer), ids);
        write_search(buffer, size_of(pad).0, &faces, SearchAge::Ago(Duration::ZERO));
        gst::PadProbeReturn::Ok
    });
}

/// Changes a property in the middle of the film, but not before a frame `has_arrived`: until then, nobody looks at properties. The result
/// is true from then on.
fn change(element: &gst::Element, (before, after): (&'static str, &'static str), has_arrived: Arc<AtomicBool>) -> Arc<AtomicBool> {
    let (weak, changed) = (element.downgrade(), Arc::new(AtomicBool::new(false)));
    let told = changed.clone();
    element.static_pad("sink").expect("a pad").add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if info.buffer().is_some_and(|buffer| buffer.offset() as usize % FRAMES == FRAMES / 2) {
            wait_for(&has_arrived);
            let element = weak.upgrade().expect("an element");
            let (name, value) = after.split_once('=').expect("a property");
            if let Some((before, _)) = before.split_once('=').filter(|(before, _)| *before != name) {
                element.set_property_from_str(before, "0");
            }
            element.set_property_from_str(name, value);
            told.store(true, Ordering::Release);
        }
        gst::PadProbeReturn::Ok
    });
    changed
}

fn wait_for(event: &AtomicBool) {
    while !event.load(Ordering::Acquire) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The frames at the end of `way`; none if it can't play.
fn travel(way: &Way) -> Option<Vec<Arrived>> {
    let pipeline = way.launch("videoconvert ! video/x-raw,format=GRAY8 ! fakesink name=end")?;
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let seen = arrived.clone();
    let changes = Mutex::new(None);
    let has_arrived = Arc::new(AtomicBool::new(false));
    let element = |name| pipeline.by_name(name).expect("an element that changes");
    let changed = way.changed.map(|values| change(&element("changed"), values, has_arrived.clone()));
    let end = pipeline.by_name("end").and_then(|end| end.static_pad("sink")).expect("a pad");
    end.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let video = gst_video::VideoInfo::from_caps(&pad.current_caps().expect("caps")).expect("video");
        let size = Size::new(video.width(), video.height());
        let buffer = info.buffer().expect("a buffer");
        let mut changes = changes.lock().expect("a walk");
        let (record, _) = changes.get_or_insert_with(|| PictureChanges::upstream_of(pad)).read(buffer, size);
        let pixels = buffer.map_readable().expect("a readable frame").to_vec();
        has_arrived.store(true, Ordering::Release);
        changed.iter().for_each(|changed| wait_for(changed));
        seen.lock().expect("frames").push(Arrived { record, size, pixels, stride: video.stride()[0] as usize });
        gst::PadProbeReturn::Ok
    });
    // Some elements wait for more than there is.
    pipeline.set_state(gst::State::Playing).ok()?;
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().expect("a bus").timed_pop_filtered(gst::ClockTime::from_seconds(20), &ends);
    pipeline.set_state(gst::State::Null).ok()?;
    end.filter(|end| end.type_() == gst::MessageType::Eos)?;
    let arrived = std::mem::take(&mut *arrived.lock().expect("frames"));
    (!arrived.is_empty()).then_some(arrived)
}

/// What a reader behind `way` says of the places.
#[derive(Debug, PartialEq)]
enum Places {
    /// They are known, and this share of the film's detail is in the boxes.
    Known(f64),
    /// They are unknown because of this element.
    Unknown(String),
}

/// What a reader behind `way` says of the places; none if it can't play.
fn places(way: &Way) -> Option<Places> {
    let (shown, blank) = (travel(way)?, travel(&Way { blank: true, ..way.clone() })?);
    if let Some(name) = shown.iter().find_map(|frame| frame.record.misplaced.first()) {
        return Some(Places::Unknown(name.clone()));
    }
    let (mut inside, mut all) = (0.0, 0.0);
    for (number, (frame, blank)) in shown.iter().zip(&blank).enumerate() {
        if way.changed.is_some() && number == FRAMES / 2 && gst::version() >= (1, 27, 0, 0) {
            continue; // videocrop itself moves the regions of this frame by the properties before.
        }
        for face in &frame.record.faces {
            let rect = face.rect_norm.from_norm(frame.size);
            let grown = Rect::from_corners(rect.x - 3.0, rect.y - 3.0, rect.right() + 3.0, rect.bottom() + 3.0);
            inside += (frame.detail(grown) - blank.detail(grown)).max(0.0);
        }
        all += (frame.all_detail() - blank.all_detail()).max(0.0);
    }
    Some(Places::Known(if all > 1000.0 { inside / all } else { 1.0 }))
}

/// The share of the film's detail that is visible behind `way` and the overlay.
fn visible(way: &Way, overlay: &str) -> Option<f64> {
    let blurred = |blank| Way { line: format!("{} ! {overlay}", way.line), blank, ..way.clone() };
    let sum = |way: &Way| Some(travel(way)?.iter().map(Arrived::all_detail).sum::<f64>());
    let all = sum(way)? - sum(&Way { blank: true, ..way.clone() })?;
    let left = sum(&blurred(false))? - sum(&blurred(true))?;
    Some(if all > 1000.0 { left.max(0.0) / all } else { 0.0 })
}

/// Share of the detail that may be left: the edges of what is hidden.
const VISIBLE: f64 = 0.05;
/// The same of a frame that is hidden as a whole: effects that draw lines give them to the blocks of its mosaic.
const VISIBLE_BLOCKS: f64 = 0.25;
const OVERLAY: &str = "emotionoverlay blur-faces=pixelate draw-boxes=false draw-labels=false";

/// The ways of which somebody was wrong without a word, and their like.
const MOVES: [&str; 16] = [
    "identity",
    "videoscale ! video/x-raw,width=320,height=320,pixel-aspect-ratio=1/1",
    "videoscale ! video/x-raw,width=320,height=320,pixel-aspect-ratio=1/1 ! emotionclassify",
    "videoscale ! video/x-raw,width=640,height=240,pixel-aspect-ratio=1/1 ! facelandmarks",
    "taginject tags=image-orientation=rotate-180 ! videoflip video-direction=auto",
    "taginject tags=image-orientation=rotate-180 ! videoflip video-direction=auto ! facelandmarks",
    "videoconvert ! rotate angle=3.14159 ! videoconvert",
    "videoconvert ! rotate angle=3.14159 ! videoconvert ! emotionclassify",
    "videocrop left=96 top=72",
    "videocrop left=96 top=72 ! emotionclassify",
    "videocrop left=100 ! videoflip video-direction=90r ! emotionclassify ! videobox top=-32 ! facelandmarks",
    "videoflip video-direction=horiz ! emotionclassify ! videoflip video-direction=horiz",
    "videobox autocrop=true ! video/x-raw,width=240,height=160 ! emotionclassify",
    "videoconvert ! queue ! deinterlace mode=interlaced ! emotionclassify",
    "input-selector ! videocrop left=64",
    "compositor",
];

/// Why `way` is not as it must be: a place is wrong, or a face that is to be hidden is visible. None if it can't play.
fn fault(way: &Way) -> Option<Option<String>> {
    // edgetv leaves memory of its own in the first rows, which differs from run to run.
    let is_noisy = way.line.contains("edgetv");
    let (places, visible) = (places(way)?, if is_noisy { 0.0 } else { visible(way, OVERLAY)? });
    let is_wrong = matches!(places, Places::Known(share) if share < 0.9);
    println!("{}, ids {}: {places:?}, visible {visible:.3}", way.line, way.ids);
    let limit = if matches!(places, Places::Unknown(_)) { VISIBLE_BLOCKS } else { VISIBLE };
    Some((is_wrong || visible > limit).then(|| format!("{}, ids {}: {places:?}, {visible:.3} is visible", way.line, way.ids)))
}

#[test]
fn a_place_is_right_or_unknown_and_a_hidden_face_is_hidden() {
    let (mut faults, mut table) = (Vec::new(), String::from("| between detector and reader | box |\n|---|---|\n"));
    for (at, line) in MOVES.into_iter().enumerate() {
        let way = Way { ids: at % 2 == 0, ..Way::new(line) };
        let (Some(places), Some(visible)) = (places(&way), visible(&way, OVERLAY)) else { panic!("{line}: does not play") };
        let said = match places {
            Places::Known(share) if share > 0.9 => "right",
            Places::Known(_) => "**wrong**",
            Places::Unknown(_) => "said to be unknown",
        };
        let _ = writeln!(table, "| `{line}` | {said} |");
        if said == "**wrong**" || visible > VISIBLE {
            faults.push(format!("{line}: {places:?}, {visible:.3} is visible"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    compare(&table);
}

/// Compares the table with that of docs/metadata.md for this version of GStreamer, or writes it there.
fn compare(table: &str) {
    let (major, minor, ..) = gst::version();
    let file = repository().join("docs/metadata.md");
    let page = std::fs::read_to_string(&file).expect("the page on metadata");
    let mark = format!("<!-- moved {major}.{minor} -->\n");
    let Some(start) = page.find(&mark).map(|at| at + mark.len()) else {
        println!("skipped: the page has no table of {major}.{minor}");
        return;
    };
    let end = start + page[start..].find("<!-- end of moved -->").expect("the end of the table");
    if std::env::var_os("UPDATE_SURVIVAL").is_some() {
        std::fs::write(&file, [&page[..start], table, &page[end..]].concat()).expect("the page can be written");
    } else {
        assert_eq!(&page[start..end], table, "the table differs; UPDATE_SURVIVAL=1 rewrites it");
    }
}

/// All that is installed, and not only what is known to move pictures.
#[test]
#[ignore = "takes minutes: scripts/test truth"]
fn truth_behind_every_filter() {
    init();
    let raw = gst::Caps::builder("video/x-raw").build();
    let is_filter = |factory: &gst::ElementFactory| {
        let pads = factory.static_pad_templates();
        let has = |direction| {
            pads.iter()
                .any(|pad| pad.direction() == direction && pad.presence() == gst::PadPresence::Always && pad.caps().can_intersect(&raw))
        };
        let is_ours = factory.plugin_name().is_some_and(|plugin| plugin == "emotion");
        let class = factory.metadata("klass").unwrap_or_default();
        let is_effect = ["Filter/", "Effect", "Converter/", "Overlay", "Analyzer", "Scaler"].iter().any(|part| class.contains(part));
        // They wait for what does not come, and do not stop.
        let waits = ["Codec", "Bin", "Mixer", "Muxer", "Demuxer", "Debug"].iter().any(|part| class.contains(part));
        !is_ours && is_effect && !waits && pads.len() == 2 && has(gst::PadDirection::Sink) && has(gst::PadDirection::Src)
    };
    let factories = gst::Registry::get().features(gst::ElementFactory::static_type());
    let factories = factories.into_iter().filter_map(|feature| feature.downcast::<gst::ElementFactory>().ok()).filter(is_filter);
    let (mut faults, mut played, mut unplayed) = (Vec::new(), 0, Vec::new());
    for (at, name) in factories.map(|factory| factory.name()).enumerate() {
        println!("{name}:");
        let analysers = [("", at % 2 == 0), ("! emotionclassify", at % 2 == 1), ("! facelandmarks", at % 2 == 0)];
        let ways = analysers
            .map(|(analyser, ids)| Way { ids, ..Way::new(format!("videoconvert ! {name} name=tested ! videoconvert {analyser}")) });
        let Some(found) = ways.iter().map(fault).collect::<Option<Vec<_>>>() else {
            unplayed.push(name);
            continue;
        };
        played += 1;
        faults.extend(found.into_iter().flatten());
    }
    println!("{played} elements; not played: {unplayed:?}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(played > 90, "only {played} elements play");
}

/// The caps behind the scaler stay the same where those before it change.
#[test]
fn every_frame_has_the_change_of_its_own_size() {
    let parts = [film("source1", "width=320,height=240"), film("source2", "width=240,height=240")];
    let film = format!("concat name=both {} ! both. {} ! both. both.", parts[0], parts[1]);
    for line in ["", "! queue ! emotionclassify", "! emotionclassify"] {
        let way =
            Way { film: film.clone(), ..Way::new(format!("videoscale ! video/x-raw,width=320,height=320,pixel-aspect-ratio=1/1 {line}")) };
        let Some(Places::Known(share)) = places(&way) else { panic!("{line}: places are known") };
        assert!(share > 0.9, "{line}: {share} of the detail is in the boxes");
    }
}

/// Properties change while frames from before are still in a queue.
#[test]
fn every_frame_has_the_change_of_its_own_time() {
    for (element, before, after) in [("videocrop", "left=48", "right=48"), ("videoflip", "video-direction=horiz", "video-direction=180")] {
        for reader in ["", "! emotionclassify", "! facelandmarks"] {
            let line = format!("{element} name=changed {before} ! queue {reader}");
            let way = Way { changed: Some((before, after)), ..Way::new(line) };
            let Some(Places::Known(share)) = places(&way) else { panic!("{element} {reader}: places are known") };
            assert!(share > 0.9, "{element} {reader}: {share} of the detail is in the boxes");
        }
    }
}

/// The warnings and the text of `way` with an exporter or an overlay at its end.
fn told(way: &Way, end: &str) -> (String, String) {
    let pipeline = way.launch(end).expect("a launch line");
    let text = Arc::new(Mutex::new(Vec::new()));
    let seen = text.clone();
    let sink = pipeline.by_name("end").and_then(|end| end.static_pad("sink")).expect("a pad");
    sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let map = info.buffer().expect("a buffer").map_readable().expect("readable text");
        seen.lock().expect("text").extend_from_slice(&map);
        gst::PadProbeReturn::Ok
    });
    let warnings = Arc::new(Mutex::new(String::new()));
    let heard = warnings.clone();
    pipeline.bus().expect("a bus").set_sync_handler(move |_, message| {
        if let gst::MessageView::Warning(warning) = message.view() {
            heard.lock().expect("warnings").push_str(&warning.error().to_string());
        }
        gst::BusSyncReply::Pass
    });
    play(&pipeline).expect("the line plays");
    pipeline.set_state(gst::State::Null).expect("a pipeline stops");
    let text = String::from_utf8_lossy(&text.lock().expect("text")).into_owned();
    (std::mem::take(&mut *warnings.lock().expect("warnings")), text)
}

#[test]
fn an_unknown_element_is_named_and_can_be_declared_harmless() {
    for analyser in ["", "! emotionclassify"] {
        let way = Way::new(format!("videoconvert ! rotate name=mine angle=0 ! videoconvert {analyser}"));
        let (warnings, text) = told(&way, "emotionexport ! fakesink name=end");
        assert!(warnings.contains("mine may have moved the picture") && warnings.contains("keeps-place"), "{analyser}: {warnings}");
        assert!(text.lines().count() == 2 * FRAMES && text.lines().all(|line| line.contains(r#""misplaced":true"#)), "{analyser}: {text}");
        let (warnings, text) = told(&way, "emotionexport keeps-place=other,mine ! fakesink name=end");
        assert!(warnings.is_empty() && text.lines().count() == 2 * FRAMES && !text.contains("misplaced"), "{analyser}: {warnings} {text}");

        let (warnings, hidden) = told(&way, &format!("{OVERLAY} ! fakesink name=end"));
        assert!(warnings.contains("mine may have moved the picture") && warnings.contains("keeps-place"), "{analyser}: {warnings}");
        let (warnings, shown) = told(&way, &format!("{OVERLAY} keeps-place=mine ! fakesink name=end"));
        assert!(warnings.is_empty() && shown != hidden, "{analyser}: {warnings}");
    }
}
