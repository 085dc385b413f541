// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `emotionoverlay` and their values.

use std::sync::Arc;

use gst::glib;
use gst::prelude::*;

use super::privacy::BlurSettings;
use crate::draw::{self, Style, Translations};

/// The values of the property `palette`: the colours of the expressions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstEmotionOverlayPalette")]
#[repr(i32)]
pub enum Palette {
    /// The eight colours of Okabe and Ito.
    #[default]
    #[enum_value(name = "Okabe-Ito: eight colours, safe for colour-blind viewers", nick = "okabe-ito")]
    OkabeIto = 0,
    /// Paul Tol's bright colour scheme.
    #[enum_value(name = "Tol bright: Paul Tol's bright scheme, safe for colour-blind viewers", nick = "tol-bright")]
    TolBright = 1,
    /// White for all expressions.
    #[enum_value(name = "White: only words and emoji distinguish expressions", nick = "white")]
    White = 2,
}

impl From<Palette> for draw::Palette {
    fn from(palette: Palette) -> Self {
        match palette {
            Palette::OkabeIto => Self::OkabeIto,
            Palette::TolBright => Self::TolBright,
            Palette::White => Self::White,
        }
    }
}

/// Maximum `line-width`, in pixels.
const MAX_LINE_WIDTH: u32 = 64;
/// Maximum `font-size`, in pixels.
const MAX_FONT_SIZE: u32 = 256;

/// The values of the properties.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Shared with the painter's state, which compares pointers to notice a change.
    pub(super) style: Arc<Style>,
    pub(super) draw_stats: bool,
    pub(super) blur: BlurSettings,
    pub(super) palette: Palette,
    pub(super) labels: Labels,
}

/// The value of the property `labels`.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    /// The text that was set.
    pub(super) text: Option<String>,
    /// Entries that are not of the form class=word and have not been reported yet.
    pub(super) malformed: Vec<String>,
}

impl Settings {
    /// The style, to be changed. The painter takes it over with the next frame.
    pub(super) fn style_mut(&mut self) -> &mut Style {
        Arc::make_mut(&mut self.style)
    }

    pub(super) fn set_palette(&mut self, palette: Palette) {
        self.palette = palette;
        self.style_mut().palette = palette.into();
    }

    pub(super) fn set_labels(&mut self, text: Option<String>) {
        let (translations, malformed) = Translations::parse(text.as_deref().unwrap_or_default());
        self.labels = Labels { text, malformed };
        self.style_mut().translations = translations;
    }
}

/// The properties.
pub(super) fn param_specs() -> Vec<glib::ParamSpec> {
    let default = Settings::default();
    let style = &default.style;
    vec![
        switch("draw-boxes", "Draw boxes", "Draw a box around each face, in the colour of its expression", style.boxes),
        switch("draw-labels", "Draw labels", "Write the name and score of the expression next to each face", style.labels),
        switch("draw-scores", "Draw scores", "Draw a bar for the score of each class, where there is room", style.scores),
        switch("draw-emoji", "Draw emoji", "Draw an emoji of the expression next to each face", style.emoji),
        switch("draw-ids", "Draw ids", "Write the track id next to each face", style.ids),
        switch(
            "draw-landmarks",
            "Draw landmarks",
            "Draw contours through the landmarks of each face, which facelandmarks estimates",
            style.landmarks,
        ),
        switch(
            "draw-pose",
            "Draw pose",
            "Draw a line from each nose in the direction of the face, which facelandmarks estimates",
            style.pose,
        ),
        switch("draw-stats", "Draw statistics", "Write the number of faces and the frame rate into a corner", default.draw_stats),
        pixels(
            "line-width",
            "Line width",
            "Width of the box lines, in pixels (0 = chosen from the frame and face size)",
            style.line_width_px,
            MAX_LINE_WIDTH,
        ),
        pixels(
            "font-size",
            "Font size",
            "Font size of the labels, in pixels (0 = chosen from the frame and face size)",
            style.font_size_px,
            MAX_FONT_SIZE,
        ),
        glib::ParamSpecEnum::builder_with_default("blur-faces", default.blur.faces)
            .nick("Blur faces")
            .blurb("How to make faces unrecognisable")
            .mutable_playing()
            .build(),
        glib::ParamSpecEnum::builder_with_default("blur-unsearched", default.blur.unsearched)
            .nick("Blur unsearched")
            .blurb("What to show of a frame that was not searched for faces within blur-max-age, if blur-faces is set")
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt64::builder("blur-max-age")
            .nick("Blur maximum age")
            .blurb("How long after a search for faces frames count as searched, in nanoseconds")
            .default_value(default.blur.max_age_ns())
            .mutable_playing()
            .build(),
        glib::ParamSpecEnum::builder_with_default("palette", default.palette)
            .nick("Palette")
            .blurb("Colours of the expressions")
            .mutable_playing()
            .build(),
        glib::ParamSpecString::builder("labels")
            .nick("Labels")
            .blurb("Words to show instead of class names, such as happiness=glücklich,anger=zornig; or=oder translates the word between two classes")
            .mutable_playing()
            .build(),
    ]
}

/// A boolean property.
fn switch(name: &str, nick: &str, blurb: &str, default: bool) -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder(name).nick(nick).blurb(blurb).default_value(default).mutable_playing().build()
}

/// A length in pixels, from 0.
fn pixels(name: &str, nick: &str, blurb: &str, default: u32, maximum: u32) -> glib::ParamSpec {
    let builder = glib::ParamSpecUInt::builder(name).nick(nick).blurb(blurb);
    builder.maximum(maximum).default_value(default).mutable_playing().build()
}
