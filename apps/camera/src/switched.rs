// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the switches of a running camera change in the pipeline of its analysis.

use std::sync::Arc;

use emotion_core::choices::BlurFaces;
use emotion_supervise::chain::name_of;
use emotion_supervise::hiding::Hiding;
use emotion_supervise::input::pad;
use emotion_supervise::push::Pusher;
use emotion_supervise::recording::Recorder;
use gst::glib;
use gst::prelude::*;
use parking_lot::Mutex;

use crate::graph::AnalysisError;
use crate::pushed;
use crate::settings::Settings;
use crate::switches::Switches;
use crate::value::FilesVideo;

/// What is hidden.
#[derive(Debug, Default)]
pub struct Hidden {
    /// The faces in pictures.
    pub faces: Arc<Hiding>,
    /// What is known of individual faces.
    pub individuals: Arc<Hiding>,
}

/// An overlay.
#[derive(Debug)]
struct Overlay {
    /// Weak, because a probe of it has this.
    element: glib::WeakRef<gst::Element>,
    /// True if it draws faces.
    draws: bool,
    /// True if it draws poses.
    geometry: bool,
    /// How faces are hidden.
    blur: BlurFaces,
    /// Whether it hides faces, and individual ones; `None` before it is set.
    set: Mutex<Option<[bool; 2]>>,
}

impl Overlay {
    /// Sets what the frames at a running time hide.
    fn set(&self, hidden: &Hidden, time: Option<gst::ClockTime>) {
        let (mut set, Some(element)) = (self.set.lock(), self.element.upgrade()) else { return };
        let [faces, individuals] = [hidden.faces.hides(time), hidden.individuals.hides(time)];
        if set.replace([faces, individuals]) == Some([faces, individuals]) {
            return;
        }
        element.set_property_from_str("blur-faces", &name_of(if faces { &self.blur } else { &BlurFaces::None }));
        let draws = self.draws && !individuals;
        let properties = ["draw-boxes", "draw-labels", "draw-scores", "draw-emoji", "draw-ids"];
        properties.iter().for_each(|property| element.set_property(property, draws));
        element.set_property("draw-pose", draws && self.geometry);
    }
}

/// The elements.
#[derive(Debug)]
pub struct Switched {
    detector: gst::Element,
    overlays: Vec<Arc<Overlay>>,
    hidden: Arc<Hidden>,
    /// True if recordings are always encoded: with faces drawn, or turned.
    encodes: bool,
    /// The same of what is sent to servers.
    encodes_pushed: bool,
}

impl Switched {
    /// Those of `pipeline`, whose exporters let the individual faces through that are not `hidden`.
    ///
    /// # Errors
    /// If an overlay has no pad.
    pub fn new(pipeline: &gst::Pipeline, settings: &Settings, detector: &gst::Element, hidden: Hidden) -> Result<Self, AnalysisError> {
        let (hidden, mut overlays) = (Arc::new(hidden), Vec::new());
        for (name, draws) in [("overlay", settings.draw), ("hidden", false), (pushed::HIDDEN, false)] {
            let Some(element) = pipeline.by_name(name) else { continue };
            set_up(&element, settings);
            let (entry, geometry) = (pad(&element, "sink")?, settings.geometry);
            let blur = if settings.blur == BlurFaces::None { BlurFaces::Solid } else { settings.blur };
            let overlay = Arc::new(Overlay { element: element.downgrade(), draws, geometry, blur, set: Mutex::default() });
            overlays.push(overlay.clone());
            let hidden = hidden.clone();
            entry.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                overlay.set(&hidden, info.buffer().and_then(|buffer| buffer.pts()));
                gst::PadProbeReturn::Ok
            });
        }
        let encodes = settings.files.is_drawn() || settings.turn.is_some();
        let encodes_pushed = settings.push_video == FilesVideo::Drawn || settings.turn.is_some();
        Ok(Self { detector: detector.clone(), overlays, hidden, encodes, encodes_pushed })
    }

    /// Sets what `switches` say from the time `now` on.
    pub fn set(&self, switches: &Switches, recorder: Option<&Recorder>, pusher: Option<&Pusher>, now: gst::ClockTime) {
        self.hidden.faces.set(switches.blur, now);
        self.hidden.individuals.set(switches.totals_only, now);
        let record = |recorder: &Recorder| recorder.set_raw_only(switches.blur || self.encodes, switches.blur, now);
        // A recording that hides faces ends before any is shown.
        recorder.filter(|_| !switches.blur).map(record);
        // Frames of before the command may still come, or wait in an overlay.
        self.overlays.iter().for_each(|overlay| overlay.set(&self.hidden, Some(gst::ClockTime::ZERO)));
        recorder.filter(|_| switches.blur).map(record);
        if let Some(pusher) = pusher {
            pusher.set_raw_only(switches.blur || self.encodes_pushed);
        }
        self.detector.set_property("detect-interval", switches.interval);
    }
}

fn set_up(overlay: &gst::Element, settings: &Settings) {
    overlay.set_property("labels", settings.labels.as_deref().unwrap_or_default());
    overlay.set_property("blur-delay", gst::ClockTime::from_mseconds(settings.blur_delay.into()).nseconds());
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWING: Switches = Switches { analysis: true, blur: false, totals_only: false, interval: 1 };

    #[test]
    fn frames_of_before_a_command_that_shows_faces_hide_them_however_late_they_come() {
        gst::init().unwrap();
        gstemotion::plugin_register_static().unwrap();
        let line = "appsrc name=in format=time caps=video/x-raw,format=I420,width=16,height=16,framerate=25/1 \
                    ! emotionoverlay name=overlay ! appsink name=out sync=false emotionfacedetect name=facedetect";
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        let element = |name| pipeline.by_name(name).unwrap();
        let settings = Settings::read_one(["emotion-camera", "/dev/video0"].map(Into::into)).unwrap();
        let switched = Switched::new(&pipeline, &settings, &element("facedetect"), Hidden::default()).unwrap();
        let entry = element("in").downcast::<gst_app::AppSrc>().unwrap();
        let (out, overlay) = (element("out").downcast::<gst_app::AppSink>().unwrap(), element("overlay"));
        element("facedetect").set_locked_state(true);
        pipeline.set_state(gst::State::Playing).unwrap();
        // What the overlay does to a frame: how it hides faces, and whether it draws them.
        let shown = |ms| {
            let mut buffer = gst::Buffer::with_size(16 * 16 * 3 / 2).unwrap();
            buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(ms));
            entry.push_buffer(buffer).unwrap();
            out.pull_sample().unwrap();
            let blur = overlay.property_value("blur-faces").serialize().unwrap();
            (blur.to_string(), overlay.property::<bool>("draw-boxes"))
        };
        let set = |switches, ms| switched.set(&switches, None, None, gst::ClockTime::from_mseconds(ms));
        let [hidden, open] = [("solid".to_owned(), false), ("none".to_owned(), true)];
        set(SHOWING, 0);
        assert_eq!(shown(1000), open);
        set(Switches { blur: true, totals_only: true, ..SHOWING }, 2000);
        assert_eq!(shown(1500), hidden, "at once, also on frames that wait");
        // Once more, as with another command.
        [3000, 4000].into_iter().for_each(|now| set(SHOWING, now));
        assert_eq!([2500, 2999, 3000].map(shown), [hidden.clone(), hidden.clone(), open.clone()]);
        set(Switches { blur: true, totals_only: true, ..SHOWING }, 4500);
        set(SHOWING, 5000);
        set(Switches { blur: true, totals_only: true, ..SHOWING }, 5500);
        assert_eq!([4999, 5000, 6000].map(shown), [(); 3].map(|()| hidden.clone()), "the last command counts");
        assert!(switched.hidden.individuals.hides(None), "a time that is not known is now");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}
