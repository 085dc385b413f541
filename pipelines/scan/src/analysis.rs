// SPDX-License-Identifier: MIT OR Apache-2.0
//! A frame to faces: `videoflip ! videoconvert ! emotionfacedetect ! emotionclassify`.
//!
//! Frames are pushed into the elements on the worker's own thread. The elements stay loaded from file to file.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gst::glib;
use gst::prelude::*;
use gstemotion::geometry::Size;
use gstemotion::meta;
use gstemotion::record::FaceRecord;

use crate::error::Error;
use crate::options::Setting;

/// The elements and the names by which `--set` calls them.
const ELEMENTS: [(&str, &str); 4] = [
    ("videoflip", "videoflip"),
    ("videoconvert", "videoconvert"),
    ("facedetect", "emotionfacedetect"),
    ("emotionclassify", "emotionclassify"),
];
/// Every face is scored, since no stream is waiting: `facedetect` reports at most this many.
const MAX_FACES: u32 = 1_000;

/// Starts GStreamer with the elements linked into this program.
///
/// # Errors
/// If GStreamer does not start.
pub fn start_elements() -> Result<(), Error> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let start = || {
        gst::init().map_err(|error| error.to_string())?;
        gstemotion::plugin_register_static().map_err(|error| error.to_string())
    };
    STARTED.get_or_init(start).clone().map_err(Error::Elements)
}

/// The faces of a frame.
#[derive(Debug)]
pub struct Faces {
    /// Width and height of the upright frame.
    pub size: Size,
    /// The faces.
    pub records: Vec<FaceRecord>,
}

/// The elements of one worker.
#[derive(Debug)]
pub struct Analyser {
    pipeline: gst::Pipeline,
    /// Frames enter here.
    input: gst::Pad,
    /// Frames leave here.
    output: gst::Pad,
    analysed: Arc<Mutex<Option<gst::Buffer>>>,
    /// Set if `facedetect` has to be started again for each slice.
    restarts_detector: bool,
    caps: Option<gst::Caps>,
    tags: Vec<gst::Event>,
}

impl Analyser {
    /// Loads the models. Each network uses `threads` threads unless `settings` say otherwise.
    ///
    /// # Errors
    /// If an element is missing or does not start, or a setting names no property.
    pub fn new(settings: &[Setting], threads: u32) -> Result<Self, Error> {
        let pipeline = gst::Pipeline::new();
        let elements = elements(settings, threads)?;
        pipeline
            .add_many(&elements)
            .and_then(|()| gst::Element::link_many(&elements))
            .map_err(|error| Error::Elements(error.to_string()))?;
        let analysed = Arc::new(Mutex::new(None));
        let (input, output) = (pad(gst::PadDirection::Src)?.build(), output_pad(&analysed)?);
        link(&input, &elements[0], &elements[3], &output)?;
        let restarts_detector = elements[2].property::<u32>("tile-size") > 0;
        let analyser = Self { pipeline, input, output, analysed, restarts_detector, caps: None, tags: Vec::new() };
        match analyser.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(analyser),
            Err(error) => Err(Error::Elements(analyser.error().unwrap_or_else(|| error.to_string()))),
        }
    }

    /// Forgets all faces. The next frame belongs to another slice, whose stream has these tags.
    ///
    /// # Errors
    /// If an element does not start again.
    pub fn restart(&mut self, tags: &[gst::Event]) -> Result<(), String> {
        self.input.push_event(gst::event::FlushStart::new());
        if self.restarts_detector {
            self.restart_detector()?;
        }
        self.input.push_event(gst::event::FlushStop::new(true));
        self.input.push_event(gst::event::StreamStart::new("slice"));
        (self.caps, self.tags) = (None, tags.to_vec());
        Ok(())
    }

    /// A flush leaves the detector at the tile that is next.
    fn restart_detector(&self) -> Result<(), String> {
        let detector = self.pipeline.by_name("facedetect").expect("the pipeline has this element");
        let restarted =
            detector.set_state(gst::State::Ready).and_then(|_| detector.sync_state_with_parent().map_err(|_| gst::StateChangeError));
        restarted.map(drop).map_err(|error| self.error().unwrap_or_else(|| error.to_string()))
    }

    /// Finds the faces of the next frame and scores them.
    ///
    /// # Errors
    /// The error of the element that failed.
    pub fn analyse(&mut self, sample: gst::Sample) -> Result<Faces, String> {
        self.announce(&sample);
        let mut buffer = sample.buffer_owned().ok_or("a sample without a frame")?;
        // With a second owner, the elements would copy the buffer.
        drop(sample);
        if buffer.pts().is_none() {
            buffer.make_mut().set_pts(gst::ClockTime::ZERO);
        }
        let pushed = self.input.push(buffer);
        let analysed = self.analysed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let caps = self.output.current_caps().and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        match (pushed, analysed, caps) {
            (Ok(_), Some(buffer), Some(caps)) => {
                let size = Size::new(caps.width(), caps.height());
                Ok(Faces { size, records: meta::read_faces(&buffer, size) })
            }
            (Err(error), ..) => Err(self.error().unwrap_or_else(|| format!("the analysis failed: {error}"))),
            _ => Err("the analysis returned no frame".into()),
        }
    }

    /// Sends the events that belong before a frame, where they have changed. An event that is refused fails the next frame.
    fn announce(&mut self, sample: &gst::Sample) {
        let is_first = self.caps.is_none();
        let caps = sample.caps_owned();
        if caps != self.caps {
            if let Some(caps) = &caps {
                self.input.push_event(gst::event::Caps::new(caps));
            }
            self.caps = caps;
        }
        if is_first {
            for tags in self.tags.drain(..) {
                self.input.push_event(tags);
            }
            let open = || gst::FormattedSegment::<gst::ClockTime>::new().upcast();
            let segment = sample.segment().cloned().unwrap_or_else(open);
            self.input.push_event(gst::event::Segment::new(&segment));
        }
    }

    /// The first error that an element has posted, with its details.
    fn error(&self) -> Option<String> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => {
                let details = error.debug();
                // The element's own text is behind its place in the source and in the pipeline.
                let text = details.as_ref().and_then(|details| details.split_once(":\n")).map(|(_, text)| text.trim().to_owned());
                Some(text.filter(|text| !text.is_empty()).unwrap_or_else(|| error.error().to_string()))
            }
            _ => None,
        }
    }
}

impl Drop for Analyser {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The elements with their properties, not started.
///
/// # Errors
/// If an element is missing, or a setting names no property.
pub fn elements(settings: &[Setting], threads: u32) -> Result<Vec<gst::Element>, Error> {
    let elements: Vec<gst::Element> = ELEMENTS.iter().map(|(name, factory)| make(name, factory)).collect::<Result<_, _>>()?;
    elements[0].set_property_from_str("video-direction", "auto");
    elements[2].set_property("threads", threads);
    elements[3].set_property("threads", threads);
    elements[3].set_property("max-faces-per-frame", MAX_FACES);
    // The default model depends on the processor, and the machines of a cluster may differ.
    elements[3].set_property("model-file", "expression");
    settings.iter().try_for_each(|setting| apply(setting, &elements))?;
    Ok(elements)
}

fn make(name: &str, factory: &str) -> Result<gst::Element, Error> {
    let element = gst::ElementFactory::make(factory).name(name).build();
    element.map_err(|error| Error::Elements(format!("{factory}: {error}; install GStreamer's base and good plugins")))
}

/// A pad for any caps. Without a template it would only accept its first ones.
fn pad(direction: gst::PadDirection) -> Result<gst::PadBuilder<gst::Pad>, Error> {
    let template = gst::PadTemplate::new("frames", direction, gst::PadPresence::Always, &gst::Caps::new_any());
    Ok(gst::Pad::builder_from_template(&template.map_err(|error| Error::Elements(error.to_string()))?))
}

/// A pad that keeps the last frame.
fn output_pad(analysed: &Arc<Mutex<Option<gst::Buffer>>>) -> Result<gst::Pad, Error> {
    let newest = analysed.clone();
    let pad = pad(gst::PadDirection::Sink)?.chain_function(move |_, _, buffer| {
        *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(buffer);
        Ok(gst::FlowSuccess::Ok)
    });
    Ok(pad.build())
}

/// Links `input` to the first element and the last one to `output`.
fn link(input: &gst::Pad, first: &gst::Element, last: &gst::Element, output: &gst::Pad) -> Result<(), Error> {
    let (entry, exit) = (first.static_pad("sink"), last.static_pad("src"));
    let (entry, exit) = entry.zip(exit).expect("filters have these pads");
    let linked = input.link(&entry).and_then(|_| exit.link(output));
    linked.map_err(|error| Error::Elements(error.to_string()))?;
    let activated = input.set_active(true).and_then(|()| output.set_active(true));
    activated.map_err(|error| Error::Elements(error.to_string()))
}

/// Sets a property of the element that `setting` names, or of all elements that have it.
fn apply(setting: &Setting, elements: &[gst::Element]) -> Result<(), Error> {
    let wrong = |reason: String| Error::Option(format!("--set {setting}: {reason}"));
    let names = || ELEMENTS.map(|(name, _)| name).join(", ");
    let is_meant =
        |element: &&gst::Element| setting.element == "*" || ELEMENTS.iter().any(|names| is_called(element, names, &setting.element));
    let meant: Vec<&gst::Element> = elements.iter().filter(is_meant).collect();
    if meant.is_empty() {
        return Err(wrong(format!("expected an element of {}, found {}", names(), setting.element)));
    }
    let with_property = meant.into_iter().filter_map(|element| Some((element, element.find_property(&setting.property)?)));
    let with_property: Vec<_> = with_property.filter(|(_, spec)| spec.flags().contains(glib::ParamFlags::WRITABLE)).collect();
    if with_property.is_empty() {
        return Err(wrong(format!("{} has no property {}", setting.element, setting.property)));
    }
    for (element, spec) in with_property {
        let value = glib::Value::deserialize(&setting.value, spec.value_type());
        let value = value.map_err(|_| wrong(format!("expected a value of type {}, found {}", spec.value_type(), setting.value)))?;
        if !is_in_range(&spec, &value) {
            return Err(wrong(format!("{} is outside of the range of {}", setting.value, setting.property)));
        }
        element.set_property_from_value(&setting.property, &value);
    }
    Ok(())
}

/// True if the number is in the range of the property. GObject would ignore any other.
fn is_in_range(spec: &glib::ParamSpec, value: &glib::Value) -> bool {
    macro_rules! in_range {
        ($($kind:ty: $number:ty),*) => {
            true $(&& match (spec.downcast_ref::<$kind>(), value.get::<$number>()) {
                (Some(spec), Ok(number)) => (spec.minimum()..=spec.maximum()).contains(&number),
                _ => true,
            })*
        };
    }
    in_range!(
        glib::ParamSpecInt: i32, glib::ParamSpecUInt: u32, glib::ParamSpecInt64: i64, glib::ParamSpecUInt64: u64,
        glib::ParamSpecFloat: f32, glib::ParamSpecDouble: f64
    )
}

fn is_called(element: &gst::Element, (name, factory): &(&str, &str), wanted: &str) -> bool {
    element.name() == *name && (wanted == *name || wanted == *factory)
}
