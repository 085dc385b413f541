// SPDX-License-Identifier: MIT OR Apache-2.0
//! A frame to faces: `videoconvert ! videoflip ! videoconvert ! emotionfacedetect ! emotionclassify`, with the geometry of faces
//! `facelandmarks` between the last two.
//!
//! Frames are pushed into the elements on the worker's own thread. Those that run networks stay loaded across files, and a
//! flush makes them forget all faces. The others keep more state of a stream, such as its orientation, so a slice gets new ones
//! where that differs.

use std::sync::Arc;

use emotion_core::geometry::Size;
use emotion_core::record::FaceRecord;
use emotion_supervise::chain::Chain;
use gst::prelude::*;
use gstemotion::meta;
use parking_lot::Mutex;

use super::elements;
use crate::error::Error;
use crate::models::Models;
use crate::setting::Setting;
use crate::turn::Direction;

/// Starts GStreamer with the elements linked into this program.
///
/// # Errors
/// If GStreamer does not start.
pub fn start_elements() -> Result<(), Error> {
    gst::init()?;
    Ok(gstemotion::plugin_register_static()?)
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
    settings: Vec<Setting>,
    /// `facedetect`, perhaps `facelandmarks`, and `emotionclassify`.
    networks: Chain,
    preparation: Preparation,
    /// The direction and the orientations of the slices that `preparation` is for; `None` if it can be used no more.
    prepared_for: Option<(Direction, Vec<String>)>,
    /// Frames leave here.
    output: gst::Pad,
    analysed: Arc<Mutex<Option<gst::Buffer>>>,
    /// Set if `facedetect` has to be started again for each slice.
    restarts_detector: bool,
    caps: Option<gst::Caps>,
    tags: Vec<gst::Event>,
    /// How the frames of this slice are turned.
    direction: Direction,
}

impl Analyser {
    /// Loads the models, with `has_geometry` also that of the geometry. Each network uses `threads` threads unless `settings` say
    /// otherwise.
    ///
    /// # Errors
    /// If an element is missing or does not start, or a setting names no property.
    pub fn new(settings: &[Setting], has_geometry: bool, threads: u32) -> Result<Self, Error> {
        elements::check(settings, has_geometry)?;
        let (pipeline, networks) = (gst::Pipeline::new(), elements::networks(settings, has_geometry, threads)?);
        pipeline.add_many(networks.elements())?;
        gst::Element::link_many(networks.elements())?;
        let analysed = Arc::new(Mutex::new(None));
        let output = output_pad(&analysed)?;
        let exit = networks.classifier().static_pad("src").expect("a filter has this pad");
        exit.link(&output)?;
        output.set_active(true)?;
        let direction = Direction::Stored;
        let preparation = Preparation::new(settings, &pipeline, networks.detector(), direction)?;
        let restarts_detector = networks.detector().property::<u32>("tile-size") > 0;
        let settings = settings.to_vec();
        let analyser = Self {
            pipeline,
            settings,
            networks,
            preparation,
            prepared_for: None,
            output,
            analysed,
            restarts_detector,
            caps: None,
            tags: Vec::new(),
            direction,
        };
        match analyser.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(analyser),
            Err(error) => Err(analyser.posted_or(error.into())),
        }
    }

    /// The models that are loaded.
    pub fn models(&self) -> Models {
        let sums = |network: &gst::Element| {
            ["model-sha256", "model-description-sha256"].map(|name| network.property::<Option<String>>(name).unwrap_or_default())
        };
        let ([detector, detector_description], [classifier, classifier_description]) =
            (sums(self.networks.detector()), sums(self.networks.classifier()));
        let [geometry, geometry_description] = self.networks.geometry().map(sums).unwrap_or_default();
        Models { detector, classifier, detector_description, classifier_description, geometry, geometry_description }
    }

    /// Forgets everything about the last slice. The next frame belongs to another slice, whose stream has these tags, and is turned
    /// in `direction` after them.
    ///
    /// # Errors
    /// If an element does not start.
    pub fn restart(&mut self, tags: &[gst::Event], direction: Direction) -> Result<(), Error> {
        let stream = (direction, orientations(tags));
        let is_another = self.prepared_for.as_ref() != Some(&stream);
        if is_another {
            self.preparation.remove_from(&self.pipeline);
            self.prepared_for = None;
        }
        self.forget_messages();
        if self.restarts_detector {
            self.restart_detector()?;
        }
        if is_another {
            let prepared = Preparation::new(&self.settings, &self.pipeline, self.networks.detector(), direction);
            self.preparation = prepared.map_err(|error| self.posted_or(error))?;
            self.prepared_for = Some(stream);
        }
        let input = &self.preparation.input;
        input.push_event(gst::event::FlushStart::new());
        input.push_event(gst::event::FlushStop::new(true));
        input.push_event(gst::event::StreamStart::new("slice"));
        (self.caps, self.tags, self.direction) = (None, tags.to_vec(), direction);
        Ok(())
    }

    /// Discards the messages of the last slice: its errors do not concern the next one, and the others would accumulate.
    fn forget_messages(&self) {
        if let Some(bus) = self.pipeline.bus() {
            bus.set_flushing(true);
            bus.set_flushing(false);
        }
    }

    /// A flush does not return the detector to its first tile.
    fn restart_detector(&self) -> Result<(), Error> {
        let detector = self.networks.detector();
        let stopped = detector.set_state(gst::State::Ready);
        let restarted = stopped.map_err(Error::from).and_then(|_| Ok(detector.sync_state_with_parent()?));
        restarted.map_err(|error| self.posted_or(error))
    }

    /// Finds the faces of the next frame and scores them. Their places are those in the frame before it was turned.
    ///
    /// # Errors
    /// The error of the element that failed.
    pub fn analyse(&mut self, sample: gst::Sample) -> Result<Faces, Error> {
        self.announce(&sample);
        let mut buffer = sample.buffer_owned().ok_or(Error::NoFrame)?;
        // With a second owner, the elements would copy the buffer.
        drop(sample);
        if buffer.pts().is_none() {
            buffer.make_mut().set_pts(gst::ClockTime::ZERO);
        }
        let pushed = self.preparation.input.push(buffer);
        let analysed = self.analysed.lock().take();
        let caps = self.output.current_caps().and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        match (pushed, analysed, caps) {
            (Ok(_), Some(buffer), Some(caps)) => {
                let size = Size::new(caps.width(), caps.height());
                let mut records = meta::read_faces(&buffer, size);
                records.iter_mut().for_each(|record| self.direction.move_to_stored(record));
                Ok(Faces { size: self.direction.stored_size(size), records })
            }
            (pushed, ..) => {
                self.prepared_for = None;
                Err(pushed.err().map_or(Error::NoFrame, |error| self.posted_or(Error::Flow(error))))
            }
        }
    }

    /// Sends the events that belong before a frame, where they have changed. An event that is refused fails the next frame.
    fn announce(&mut self, sample: &gst::Sample) {
        let is_first = self.caps.is_none();
        let caps = sample.caps_owned();
        if caps != self.caps {
            if let Some(caps) = &caps {
                self.preparation.input.push_event(gst::event::Caps::new(caps));
            }
            self.caps = caps;
        }
        if is_first {
            for tags in self.tags.drain(..) {
                self.preparation.input.push_event(tags);
            }
            let open = || gst::FormattedSegment::<gst::ClockTime>::new().upcast();
            let segment = sample.segment().cloned().unwrap_or_else(open);
            self.preparation.input.push_event(gst::event::Segment::new(&segment));
        }
    }

    /// The first error that an element has posted; without one, `error`, which says less.
    fn posted_or(&self, error: Error) -> Error {
        self.posted().map_or(error, Error::Element)
    }

    /// The first error that an element has posted, with its details.
    fn posted(&self) -> Option<String> {
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

/// The elements that bring the frames of one slice into shape: `videoconvert ! videoflip ! videoconvert`, and another `videoflip` if
/// they are turned.
#[derive(Debug)]
struct Preparation {
    /// Frames enter here.
    input: gst::Pad,
    elements: Vec<gst::Element>,
}

impl Preparation {
    /// Adds the elements to `pipeline`, before `next`.
    fn new(settings: &[Setting], pipeline: &gst::Pipeline, next: &gst::Element, direction: Direction) -> Result<Self, Error> {
        let (mut elements, input) = (elements::preparation(settings)?, pad(gst::PadDirection::Src)?.build());
        elements.extend(elements::turn(direction)?);
        pipeline.add_many(&elements)?;
        gst::Element::link_many(elements.iter().chain([next]))?;
        let entry = elements[0].static_pad("sink").expect("a filter has this pad");
        input.link(&entry)?;
        input.set_active(true)?;
        elements.iter().try_for_each(gst::Element::sync_state_with_parent)?;
        Ok(Self { input, elements })
    }

    /// Stops the elements and takes them out of `pipeline`. A second call does nothing.
    fn remove_from(&mut self, pipeline: &gst::Pipeline) {
        for element in self.elements.drain(..) {
            // Filters without a thread of their own always stop, and they are in the pipeline since `new`.
            let _ = element.set_state(gst::State::Null);
            let _ = pipeline.remove(&element);
        }
    }
}

/// The orientations in the tags of a stream.
fn orientations(tags: &[gst::Event]) -> Vec<String> {
    let orientation = |event: &gst::Event| match event.view() {
        gst::EventView::Tag(tag) => tag.tag().get::<gst::tags::ImageOrientation>().map(|orientation| orientation.get().to_owned()),
        _ => None,
    };
    tags.iter().filter_map(orientation).collect()
}

/// A pad for any caps. Without a template it would only accept its first ones.
fn pad(direction: gst::PadDirection) -> Result<gst::PadBuilder<gst::Pad>, Error> {
    let template = gst::PadTemplate::new("frames", direction, gst::PadPresence::Always, &gst::Caps::new_any())?;
    Ok(gst::Pad::builder_from_template(&template))
}

/// A pad that keeps the last frame.
fn output_pad(analysed: &Arc<Mutex<Option<gst::Buffer>>>) -> Result<gst::Pad, Error> {
    let newest = analysed.clone();
    let pad = pad(gst::PadDirection::Sink)?.chain_function(move |_, _, buffer| {
        *newest.lock() = Some(buffer);
        Ok(gst::FlowSuccess::Ok)
    });
    Ok(pad.build())
}
