// SPDX-License-Identifier: MIT OR Apache-2.0
//! The property `labels`: words in place of class names, and what is said about entries that do nothing.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::imp::{EmotionOverlay, lock};
use crate::draw::Translations;

/// What the user gave as `labels`.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    pub(super) given: Option<String>,
    /// Entries that are not of the form class=word and have not been reported.
    unreported: Vec<String>,
}

impl EmotionOverlay {
    /// Takes the property's value; the next frame is drawn with it.
    pub(super) fn set_labels(&self, given: Option<String>) {
        let (translations, unreported) = Translations::parse(given.as_deref().unwrap_or_default());
        lock(&self.settings).labels = Labels { given, unreported };
        self.update_style(|style| style.translations = translations);
        if self.obj().current_state() >= gst::State::Paused {
            self.report_bad_labels();
        }
    }

    /// Reports each entry of `labels` that is left out. A launch line sets properties before the element is in a pipeline,
    /// where nobody would see the message, so this is done when the element starts.
    pub(super) fn report_bad_labels(&self) {
        let unreported = std::mem::take(&mut lock(&self.settings).labels.unreported);
        for entry in unreported {
            gst::element_imp_warning!(
                self,
                gst::LibraryError::Settings,
                ["labels: \"{entry}\" is not of the form class=word, such as happiness=glücklich; it is left out"]
            );
        }
    }
}
