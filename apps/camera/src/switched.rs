// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the switches of a running camera change in the pipeline of its analysis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use emotion_core::choices::BlurFaces;
use emotion_supervise::chain::name_of;
use emotion_supervise::push::Pusher;
use emotion_supervise::recording::Recorder;
use gst::prelude::*;

use crate::pushed;
use crate::settings::Settings;
use crate::switches::Switches;
use crate::value::FilesVideo;

/// The elements.
#[derive(Debug)]
pub struct Switched {
    detector: gst::Element,
    /// Overlays, and whether they draw faces.
    overlays: Vec<(gst::Element, bool)>,
    /// How faces are hidden.
    blur: BlurFaces,
    /// True if overlays draw poses.
    geometry: bool,
    /// True if recordings are always encoded: with faces drawn, or turned.
    encodes: bool,
    /// The same of what is sent to servers.
    encodes_pushed: bool,
    /// True while no individual faces leave.
    totals_only: Arc<AtomicBool>,
}

impl Switched {
    /// Those of `pipeline`. While `totals_only` is set, its exporters let no individual faces through.
    pub fn new(pipeline: &gst::Pipeline, settings: &Settings, detector: &gst::Element, totals_only: Arc<AtomicBool>) -> Self {
        let overlays = [("overlay", settings.draw), ("hidden", false), (pushed::HIDDEN, false)];
        let overlays = overlays.into_iter().filter_map(|(name, draws)| Some((pipeline.by_name(name)?, draws)));
        let blur = if settings.blur == BlurFaces::None { BlurFaces::Solid } else { settings.blur };
        let (geometry, encodes) = (settings.geometry, settings.files.is_drawn() || settings.turn.is_some());
        let encodes_pushed = settings.push_video == FilesVideo::Drawn || settings.turn.is_some();
        let overlays = overlays.inspect(|(overlay, _)| set_up(overlay, settings)).collect();
        Self { detector: detector.clone(), overlays, blur, geometry, encodes, encodes_pushed, totals_only }
    }

    /// Sets what `switches` say from the time `now` on.
    pub fn set(&self, switches: &Switches, recorder: Option<&Recorder>, pusher: Option<&Pusher>, now: gst::ClockTime) {
        self.totals_only.store(switches.totals_only, Ordering::Relaxed);
        let record = |recorder: &Recorder| recorder.set_raw_only(switches.blur || self.encodes, switches.blur, now);
        // A recording that hides faces ends before any is shown.
        recorder.filter(|_| !switches.blur).map(record);
        for (overlay, draws) in &self.overlays {
            overlay.set_property_from_str("blur-faces", &name_of(if switches.blur { &self.blur } else { &BlurFaces::None }));
            let draws = *draws && !switches.totals_only;
            let properties = ["draw-boxes", "draw-labels", "draw-scores", "draw-emoji", "draw-ids"];
            properties.iter().for_each(|property| overlay.set_property(property, draws));
            overlay.set_property("draw-pose", draws && self.geometry);
        }
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
