// SPDX-License-Identifier: MIT OR Apache-2.0
//! The faces of one picture in memory, for programs that have pixels and no file.

use emotion_core::behaviour::FaceActivity;
use emotion_core::face_geometry::BLENDSHAPES;
use emotion_photo_reader::{Picture, Timed, frame};
use serde::{Serialize, Serializer};

use crate::analysis::Analyser;
use crate::error::Error;
use crate::findings::{Face, Geometry};
use crate::table::LANDMARKS;
use crate::turn::Direction;

/// A face of a picture, with names for its numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PictureFace {
    /// `x`, `y`, `w` and `h` in 0..1 of the picture.
    #[serde(rename = "box")]
    pub rect: Named<f32>,
    /// The detector's confidence, 0..1.
    pub confidence: Option<f32>,
    /// x and y in 0..1 of each landmark.
    pub landmarks: Option<Named<[f32; 2]>>,
    /// Apparent expression, or `unknown`.
    pub label: Option<String>,
    /// Why the label is `unknown`: `uncertain`, `small` or `turned`.
    pub reason: Option<String>,
    /// Score of the label.
    pub score: Option<f32>,
    /// The most probable class after the label.
    pub second: Option<String>,
    /// Score of each class.
    pub scores: Named<f32>,
    /// The geometry, if it was asked for.
    #[serde(flatten)]
    pub geometry: Option<PictureGeometry>,
}

/// The geometry of a face of a picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PictureGeometry {
    /// `yaw`, `pitch` and `roll` in degrees.
    pub pose: Named<f32>,
    /// How far to rely on the geometry, 0..1.
    pub trust: f32,
    /// True if the face faces the camera; `None` if the pose is not reliable.
    pub facing: Option<bool>,
    /// The blendshapes by their names in ARKit, 0..1.
    pub blendshapes: Named<f32>,
}

/// Values with names, which become an object of JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Joins names and values of the same order.
fn named<T>(names: &[impl ToString], values: impl IntoIterator<Item = T>) -> Named<T> {
    Named(names.iter().map(ToString::to_string).zip(values).collect())
}

/// Finds the faces of a picture. `pixels` are rows without padding, with `channels` bytes for each pixel: 1 is grey, 3 is RGB.
///
/// # Errors
/// If there are too few or too many pixels, or the analysis fails.
pub fn faces(analyser: &mut Analyser, pixels: Vec<u8>, width: u32, height: u32, channels: u32) -> Result<Vec<PictureFace>, Error> {
    let expected = width as usize * height as usize * channels as usize;
    if pixels.len() != expected || !matches!(channels, 1 | 3) || width == 0 || height == 0 {
        return Err(Error::Pixels { width, height, channels, bytes: pixels.len() });
    }
    let picture = Picture { width, height, channels, pixels };
    analyser.restart(&[], Direction::Stored)?;
    let found = analyser.analyse(frame::sample(Timed::photo(picture), None)?)?;
    let labels = found.records.iter().find_map(|record| record.emotion.as_ref()).map(|emotion| emotion.labels.clone());
    let labels = labels.as_ref().map_or(&[][..], |labels| labels.as_slice());
    Ok(found.records.iter().map(|record| picture_face(Face::new(record, 0, 0, None), labels)).collect())
}

fn picture_face(face: Face, labels: &[String]) -> PictureFace {
    let points = |at: [f32; 10]| named(&LANDMARKS, std::array::from_fn::<_, 5, _>(|point| [at[2 * point], at[2 * point + 1]]));
    PictureFace {
        rect: named(&["x", "y", "w", "h"], face.rect),
        confidence: face.confidence,
        landmarks: face.landmarks.map(points),
        label: face.label,
        reason: face.reason,
        score: face.score,
        second: face.second,
        scores: named(labels, face.scores),
        geometry: face.geometry.map(picture_geometry),
    }
}

fn picture_geometry(geometry: Geometry) -> PictureGeometry {
    PictureGeometry {
        facing: FaceActivity::default().see(Some(&geometry.signs()), 0).is_facing,
        pose: named(&["yaw", "pitch", "roll"], geometry.pose),
        trust: geometry.trust,
        blendshapes: named(&BLENDSHAPES, geometry.blendshapes),
    }
}
