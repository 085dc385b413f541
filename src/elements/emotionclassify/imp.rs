// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `emotionclassify`: its class.

use super::scoring::FaceScoring;
use super::settings::PROPERTIES;
use crate::elements::face_network::face_element;

face_element! {
    /// The instance of `emotionclassify`.
    pub struct EmotionClassify(FaceScoring);
    type_name: "GstEmotionClassify",
    factory: "emotionclassify",
    time: "classify",
    long_name: "Expression classifier",
    description: "Scores the apparent expression of every face found by an element upstream",
}
