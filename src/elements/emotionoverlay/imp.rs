// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `emotionoverlay`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::BaseTransformMode;
use gst_base::subclass::prelude::*;
use gst_video::{CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION, VideoOverlayCompositionMeta};

use super::compose::{Composer, paint};
use super::labels::Labels;
use super::privacy::{self, Privacy, Shown};
use super::{BlurFaces, BlurUnsearched, Palette};
use crate::draw::{CornerFigures, Painter, Placed, Style};
use crate::elements::picture_changes::PictureChanges;
use crate::elements::{error_message, frame, given, propose_allocation};
use crate::record::{FaceRecord, FrameRecord};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("emotionoverlay", gst::DebugColorFlags::empty(), Some("Faces and expressions drawn on video"))
});

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    style: Arc<Style>,
    stats: bool,
    blur: privacy::Settings,
    palette: Palette,
    pub(super) labels: Labels,
}

/// What the stream made of it.
struct State {
    info: gst_video::VideoInfo,
    src_caps: gst::Caps,
    attach: Attach,
    style: Arc<Style>,
    painter: Painter,
    composer: Composer,
    privacy: Privacy,
    rate: Rate,
    /// Whether every key of `labels` was found among a model's labels, or said to be missing.
    labels_checked: bool,
    /// The last frame could not be drawn on.
    failing: bool,
}

/// Whether pictures are attached to buffers, for others to compose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attach {
    /// The caps do not say that there may be compositions, or nobody looks at them.
    No,
    /// The caps do; whether anyone looks at them is asked when the first buffer comes, since elements downstream answer
    /// an ALLOCATION query only once they know the caps. BaseTransform itself makes none for elements that always work in
    /// place.
    Ask,
    Yes,
}

/// Frames per second over the last second or so.
#[derive(Default)]
struct Rate(VecDeque<gst::ClockTime>);

impl Rate {
    fn update(&mut self, time: Option<gst::ClockTime>) -> Option<f64> {
        let time = time?;
        if self.0.back().is_some_and(|last| *last > time) {
            self.0.clear();
        }
        self.0.push_back(time);
        while self.0.len() > 2 && self.0[1] + gst::ClockTime::SECOND < time {
            self.0.pop_front();
        }
        let span = time.checked_sub(self.0[0]).filter(|span| !span.is_zero())?;
        Some((self.0.len() - 1) as f64 / span.seconds_f64())
    }
}

/// The element's private part.
#[derive(Default)]
pub struct EmotionOverlay {
    pub(super) settings: Mutex<Settings>,
    state: Mutex<Option<State>>,
    /// What lies between the picture that faces were marked on and this one.
    picture_changes: Mutex<PictureChanges>,
    /// Downstream accepts caps with compositions but looks at none, so plain caps are better.
    blend_only: AtomicBool,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn has_compositions(features: Option<&gst::CapsFeaturesRef>) -> bool {
    features.is_some_and(|features| features.contains(CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION))
}

impl EmotionOverlay {
    /// Changes the style; the next frame is drawn in it.
    pub(super) fn update_style(&self, change: impl FnOnce(&mut Style)) {
        change(Arc::make_mut(&mut lock(&self.settings).style));
    }

    /// Makes faces unrecognisable where that is asked for. A frame on which it fails must not be seen.
    fn blur(
        &self,
        state: &mut State,
        settings: &Settings,
        buffer: &mut gst::BufferRef,
        record: &FrameRecord,
    ) -> std::result::Result<Shown, gst::FlowError> {
        let warn = |text: &str| gst::element_imp_warning!(self, gst::LibraryError::Settings, ["blur-faces: {text}"]);
        state.privacy.apply(buffer, &state.info, &settings.blur, record, warn).map_err(|error| {
            self.post_error_message(error_message(&error));
            gst::FlowError::Error
        })
    }

    /// The pictures for this frame.
    fn draw(&self, state: &mut State, settings: &Settings, buffer: &gst::BufferRef, faces: &[FaceRecord]) -> Vec<Placed> {
        let style = settings.style.clone();
        if !Arc::ptr_eq(&style, &state.style) {
            state.painter.set_style((*style).clone());
            state.style = style;
            state.labels_checked = false;
        }
        self.check_labels(state, faces);
        let stats = settings.stats.then(|| {
            let time = buffer.pts().or_else(|| self.obj().clock().map(|clock| clock.time()));
            CornerFigures { faces: faces.len(), fps: state.rate.update(time) }
        });
        state.painter.draw(faces, stats, frame::size(&state.info))
    }

    /// Says once which keys of `labels` are no label of the model, which is known when the first scored face comes.
    fn check_labels(&self, state: &mut State, faces: &[FaceRecord]) {
        let Some(emotion) = faces.iter().find_map(|face| face.emotion.as_ref()).filter(|_| !state.labels_checked) else { return };
        state.labels_checked = true;
        let classes = emotion.labels.as_slice();
        let strangers: Vec<&str> = state.style.translations.strangers(classes).collect();
        if !strangers.is_empty() {
            let (strangers, classes) = (strangers.join(", "), classes.join(", "));
            gst::element_imp_warning!(self, gst::LibraryError::Settings, ["labels: no such label: {strangers}; there are {classes}"]);
        }
    }

    /// Asks downstream, once for each negotiation, whether it looks at compositions.
    fn resolve_attach(&self, state: &mut State) {
        if state.attach != Attach::Ask {
            return;
        }
        let mut query = gst::query::Allocation::new(Some(&state.src_caps), false);
        let answered = self.obj().src_pad().peer_query(&mut query);
        if answered && query.find_allocation_meta::<VideoOverlayCompositionMeta>().is_some() {
            gst::debug!(CAT, imp = self, "attaching overlay compositions");
            state.attach = Attach::Yes;
        } else {
            gst::debug!(CAT, imp = self, "nobody downstream composes overlays, blending");
            state.attach = Attach::No;
            self.blend_only.store(true, Ordering::Relaxed);
            self.obj().reconfigure_src();
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for EmotionOverlay {
    const NAME: &'static str = "GstEmotionOverlay";
    type Type = super::EmotionOverlay;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for EmotionOverlay {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            let style = Style::default();
            let switch = |name: &'static str, nick: &'static str, blurb: &'static str, default: bool| {
                glib::ParamSpecBoolean::builder(name).nick(nick).blurb(blurb).default_value(default).mutable_playing().build()
            };
            let pixels = |name: &'static str, nick: &'static str, blurb: &'static str, default: u32, maximum: u32| {
                let builder = glib::ParamSpecUInt::builder(name).nick(nick).blurb(blurb);
                builder.maximum(maximum).default_value(default).mutable_playing().build()
            };
            vec![
                switch("draw-boxes", "Draw boxes", "Draw a box in the expression's colour around each face", style.boxes),
                switch("draw-labels", "Draw labels", "Write the expression's name and percentage beside each face", style.labels),
                switch("draw-scores", "Draw scores", "Draw a bar for the score of each class where there is room", style.scores),
                switch("draw-emoji", "Draw emoji", "Draw a small face with the expression beside each face", style.emoji),
                switch("draw-ids", "Draw ids", "Write the track id beside each face", style.ids),
                switch("draw-stats", "Draw statistics", "Write the number of faces and frames per second into a corner", false),
                pixels("line-width", "Line width", "Width of box lines in pixels (0 = by frame and face size)", style.line_width_px, 64),
                pixels(
                    "font-size",
                    "Font size",
                    "Size of the labels' font in pixels (0 = by frame and face size)",
                    style.font_size_px,
                    256,
                ),
                glib::ParamSpecEnum::builder_with_default("blur-faces", BlurFaces::default())
                    .nick("Blur faces")
                    .blurb("How faces are made unrecognisable")
                    .mutable_playing()
                    .build(),
                glib::ParamSpecEnum::builder_with_default("blur-unsearched", BlurUnsearched::default())
                    .nick("Blur unsearched")
                    .blurb("What is shown, where faces are blurred, of a frame that was not searched for faces within blur-max-age")
                    .mutable_playing()
                    .build(),
                glib::ParamSpecUInt64::builder("blur-max-age")
                    .nick("Blur maximum age")
                    .blurb("For how long a search for faces covers the frames after it, in nanoseconds")
                    .default_value(privacy::Settings::default().max_age.as_nanos() as u64)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecEnum::builder_with_default("palette", Palette::default())
                    .nick("Palette")
                    .blurb("Colours of the expressions")
                    .mutable_playing()
                    .build(),
                glib::ParamSpecString::builder("labels")
                    .nick("Labels")
                    .blurb("Words to show in place of class names, such as happiness=glücklich,anger=zornig")
                    .mutable_playing()
                    .build(),
            ]
        });
        &PROPERTIES
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        gst::info!(CAT, imp = self, "{} = {value:?}", pspec.name());
        match pspec.name() {
            "draw-boxes" => self.update_style(|style| style.boxes = given(value)),
            "draw-labels" => self.update_style(|style| style.labels = given(value)),
            "draw-scores" => self.update_style(|style| style.scores = given(value)),
            "draw-emoji" => self.update_style(|style| style.emoji = given(value)),
            "draw-ids" => self.update_style(|style| style.ids = given(value)),
            "draw-stats" => lock(&self.settings).stats = given(value),
            "line-width" => self.update_style(|style| style.line_width_px = given(value)),
            "font-size" => self.update_style(|style| style.font_size_px = given(value)),
            "blur-faces" => lock(&self.settings).blur.faces = given(value),
            "blur-unsearched" => lock(&self.settings).blur.unsearched = given(value),
            "blur-max-age" => lock(&self.settings).blur.max_age = Duration::from_nanos(given(value)),
            "palette" => {
                let palette: Palette = given(value);
                lock(&self.settings).palette = palette;
                self.update_style(|style| style.palette = palette.into());
            }
            "labels" => self.set_labels(given(value)),
            name => unreachable!("property {name} is not in the list"),
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let settings = lock(&self.settings);
        match pspec.name() {
            "draw-boxes" => settings.style.boxes.to_value(),
            "draw-labels" => settings.style.labels.to_value(),
            "draw-scores" => settings.style.scores.to_value(),
            "draw-emoji" => settings.style.emoji.to_value(),
            "draw-ids" => settings.style.ids.to_value(),
            "draw-stats" => settings.stats.to_value(),
            "line-width" => settings.style.line_width_px.to_value(),
            "font-size" => settings.style.font_size_px.to_value(),
            "blur-faces" => settings.blur.faces.to_value(),
            "blur-unsearched" => settings.blur.unsearched.to_value(),
            "blur-max-age" => u64::try_from(settings.blur.max_age.as_nanos()).unwrap_or(u64::MAX).to_value(),
            "palette" => settings.palette.to_value(),
            "labels" => settings.labels.given.to_value(),
            name => unreachable!("property {name} is not in the list"),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        // BaseTransform's way with late frames is to drop them.
        self.obj().set_qos(false);
    }
}

impl GstObjectImpl for EmotionOverlay {}

impl ElementImpl for EmotionOverlay {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Expression overlay",
                "Analyzer/Visualization/Video",
                "Draws faces and their apparent expressions on video",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(frame::pad_templates);
        &TEMPLATES
    }
}

impl BaseTransformImpl for EmotionOverlay {
    const MODE: BaseTransformMode = BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> std::result::Result<(), gst::ErrorMessage> {
        self.report_bad_labels();
        Ok(())
    }

    fn stop(&self) -> std::result::Result<(), gst::ErrorMessage> {
        *lock(&self.state) = None;
        *lock(&self.picture_changes) = PictureChanges::default();
        self.blend_only.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Compositions may come to be attached on the way, but what came in with them goes out with them.
    fn transform_caps(&self, direction: gst::PadDirection, caps: &gst::Caps, filter: Option<&gst::Caps>) -> Option<gst::Caps> {
        let may_attach = !self.blend_only.load(Ordering::Relaxed);
        let mut transformed = gst::Caps::new_empty();
        {
            let transformed = transformed.make_mut();
            for (structure, features) in caps.iter_with_features() {
                let composed = has_compositions(Some(features));
                let mut other = features.to_owned();
                if direction == gst::PadDirection::Sink && !composed && may_attach {
                    other.add(CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION);
                    transformed.append_structure_full(structure.to_owned(), Some(other));
                    transformed.append_structure_full(structure.to_owned(), Some(features.to_owned()));
                } else {
                    transformed.append_structure_full(structure.to_owned(), Some(features.to_owned()));
                    if direction == gst::PadDirection::Src && composed && may_attach {
                        other.remove(CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION);
                        transformed.append_structure_full(structure.to_owned(), Some(other));
                    }
                }
            }
        }
        Some(match filter {
            Some(filter) => filter.intersect_with_mode(&transformed, gst::CapsIntersectMode::First),
            None => transformed,
        })
    }

    fn set_caps(&self, incaps: &gst::Caps, outcaps: &gst::Caps) -> std::result::Result<(), gst::LoggableError> {
        let info =
            gst_video::VideoInfo::from_caps(incaps).map_err(|_| gst::loggable_error!(CAT, "caps {incaps} do not describe raw video"))?;
        let attach = match (has_compositions(incaps.features(0)), has_compositions(outcaps.features(0))) {
            (true, true) => Attach::Yes,
            (false, true) => Attach::Ask,
            _ => Attach::No,
        };
        gst::debug!(CAT, imp = self, "{incaps} to {outcaps}: {attach:?}");
        let style = lock(&self.settings).style.clone();
        let painter = Painter::new((*style).clone());
        let (composer, privacy, rate) = (Composer::default(), Privacy::default(), Rate::default());
        let src_caps = outcaps.clone();
        *lock(&self.state) =
            Some(State { info, src_caps, attach, style, painter, composer, privacy, rate, labels_checked: false, failing: false });
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Caps {
            self.blend_only.store(false, Ordering::Relaxed);
            *lock(&self.picture_changes) = PictureChanges::upstream_of(self.obj().sink_pad());
        }
        if event.type_() == gst::EventType::FlushStop
            && let Some(state) = lock(&self.state).as_mut()
        {
            state.privacy.reset();
        }
        self.parent_sink_event(event)
    }

    fn src_event(&self, event: gst::Event) -> bool {
        if event.type_() == gst::EventType::Reconfigure {
            self.blend_only.store(false, Ordering::Relaxed);
        }
        self.parent_src_event(event)
    }

    fn propose_allocation(
        &self,
        _decide_query: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> std::result::Result<(), gst::LoggableError> {
        propose_allocation(self.obj().src_pad(), query);
        Ok(())
    }

    /// Here, since BaseTransform goes on with negotiating anew before it takes the buffer.
    fn submit_input_buffer(&self, is_discont: bool, buffer: gst::Buffer) -> std::result::Result<gst::FlowSuccess, gst::FlowError> {
        if let Some(state) = lock(&self.state).as_mut() {
            self.resolve_attach(state);
        }
        self.parent_submit_input_buffer(is_discont, buffer)
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> std::result::Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = lock(&self.state);
        let state = state.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        let settings = lock(&self.settings).clone();
        let record = lock(&self.picture_changes).read(buffer, frame::size(&state.info));
        let faces = match self.blur(state, &settings, buffer, &record)? {
            Shown::Own => record.faces.as_slice(),
            Shown::Repeated => &[],
        };
        let placed = self.draw(state, &settings, buffer, faces);
        if placed.is_empty() {
            return Ok(gst::FlowSuccess::Ok);
        }
        let drawn = match state.attach {
            Attach::Yes => state.composer.attach(buffer, placed),
            _ => paint(buffer, &state.info, |canvas| placed.iter().for_each(|placed| canvas.blend(placed))),
        };
        match &drawn {
            Err(error) if !state.failing => gst::warning!(CAT, imp = self, "passing frames on as they are: {error}"),
            _ => {}
        }
        state.failing = drawn.is_err();
        Ok(gst::FlowSuccess::Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_last_second() {
        let mut rate = Rate::default();
        let times = (0..100).map(|frame| gst::ClockTime::from_mseconds(frame * 40));
        assert_eq!(rate.update(None), None);
        let fps = times.map(|time| rate.update(Some(time))).last().flatten();
        assert_eq!(fps, Some(25.0));
        assert!(rate.0.len() <= 28, "a second's frames are kept");
        assert_eq!(rate.update(Some(gst::ClockTime::ZERO)), None, "after a seek it starts anew");
        assert_eq!(rate.update(Some(gst::ClockTime::ZERO)), None, "two frames at one time have no rate");
    }
}
