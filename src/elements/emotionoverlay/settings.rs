// SPDX-License-Identifier: MIT OR Apache-2.0
//! The properties of `emotionoverlay` and their values.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use gst::prelude::*;

use super::privacy::BlurSettings;
use crate::draw::{Style, Translations};
use crate::elements::properties::When::Playing;
use crate::elements::properties::{Properties, Property, boolean, choice, extract, field, string, uint, uint64};
use crate::elements::upstream::{keeps_place, names};

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
    pub(super) labels: Labels,
    /// Names of elements that leave pictures in place.
    pub(super) keeps_place: Arc<Vec<String>>,
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

    fn set_labels(&mut self, text: Option<String>) {
        let (translations, malformed) = Translations::parse(text.as_deref().unwrap_or_default());
        self.labels = Labels { text, malformed };
        self.style_mut().translations = translations;
    }
}

/// A property that is a field of the style: `style!(SPEC, FIELD)`.
macro_rules! style {
    ($spec:expr, $field:ident) => {
        Property::<Settings>::new(
            $spec,
            |settings| settings.style.$field.to_value(),
            |settings, value| settings.style_mut().$field = extract(value),
        )
    };
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The properties.
#[rustfmt::skip]
pub(super) static PROPERTIES: LazyLock<Properties<Settings>> = LazyLock::new(|| {
    let default = Settings::default();
    let style = &default.style;
    Properties::new(vec![
        style!(boolean("draw-boxes", "Draw boxes", "Draw a box around each face, in the colour of its expression", style.boxes, Playing), boxes),
        style!(boolean("draw-labels", "Draw labels", "Write the name and score of the expression next to each face", style.labels, Playing), labels),
        style!(boolean("draw-scores", "Draw scores", "Draw a bar for the score of each class, where there is room", style.scores, Playing), scores),
        style!(boolean("draw-emoji", "Draw emoji", "Draw an emoji of the expression next to each face", style.emoji, Playing), emoji),
        style!(boolean("draw-ids", "Draw ids", "Write the track id next to each face", style.ids, Playing), ids),
        style!(boolean("draw-landmarks", "Draw landmarks",
            "Draw contours through the landmarks of each face, which facelandmarks estimates", style.landmarks, Playing), landmarks),
        style!(boolean("draw-pose", "Draw pose",
            "Draw a line from each nose in the direction of the face, which facelandmarks estimates", style.pose, Playing), pose),
        field!(Settings: boolean("draw-stats", "Draw statistics", "Write the number of faces and the frame rate into a corner",
            default.draw_stats, Playing), draw_stats),
        style!(uint("line-width", "Line width", "Width of the box lines, in pixels (0 = chosen from the frame and face size)",
            0..=MAX_LINE_WIDTH, style.line_width_px, Playing), line_width_px),
        style!(uint("font-size", "Font size", "Font size of the labels, in pixels (0 = chosen from the frame and face size)",
            0..=MAX_FONT_SIZE, style.font_size_px, Playing), font_size_px),
        field!(Settings: choice("blur-faces", "Blur faces", "How to make faces unrecognisable", default.blur.faces, Playing), blur.faces),
        field!(Settings: choice("blur-unsearched", "Blur unsearched",
            "What to show of a frame that was not searched for faces within blur-max-age, if blur-faces is set",
            default.blur.unsearched, Playing), blur.unsearched),
        Property::new(
            uint64("blur-max-age", "Blur maximum age", "How long after a search for faces frames count as searched, in nanoseconds",
                nanoseconds(default.blur.max_age), Playing),
            |settings| nanoseconds(settings.blur.max_age).to_value(),
            |settings, value| settings.blur.max_age = Duration::from_nanos(extract(value)),
        ),
        Property::new(
            uint64("blur-delay", "Blur delay",
                "With blur-faces: how long frames are held back, so that a face is hidden from before it was found until after it was lost, \
                 in nanoseconds", nanoseconds(default.blur.delay), Playing),
            |settings| nanoseconds(settings.blur.delay).to_value(),
            |settings, value| settings.blur.delay = Duration::from_nanos(extract(value)),
        ),
        style!(choice("palette", "Palette", "Colours of the expressions", style.palette, Playing), palette),
        Property::new(
            string("labels", "Labels",
                "Words to show instead of class names, such as happiness=glücklich,anger=zornig; or=oder translates the word between two \
                 classes", Playing),
            |settings| settings.labels.text.to_value(),
            |settings, value| settings.set_labels(extract(value)),
        ),
        Property::new(keeps_place(Playing), |settings| Some(settings.keeps_place.join(",")).filter(|text| !text.is_empty()).to_value(),
            |settings, value| settings.keeps_place = Arc::new(names(extract::<Option<String>>(value).as_deref()))),
    ])
});
