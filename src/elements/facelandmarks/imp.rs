// SPDX-License-Identifier: MIT OR Apache-2.0
//! The implementation of `facelandmarks`: its class.

use super::settings::PROPERTIES;
use super::tracking::FaceTracking;
use crate::elements::face_network::face_element;

face_element! {
    /// The instance of `facelandmarks`.
    pub struct FaceLandmarks(FaceTracking);
    type_name: "GstEmotionFaceLandmarks",
    factory: "facelandmarks",
    time: "estimate",
    long_name: "Face landmarks",
    description: "Estimates landmarks, head pose and blendshapes of every face found by an element upstream",
}
