// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a detected face to the square that is cropped for a network.
//!
//! Detectors draw their boxes differently: some around the forehead, some around eyes to mouth only. A model's description
//! therefore gives side and offset of the square for each detector, so that the network sees faces framed as in training.

use crate::geometry::{Crop, Landmarks5, Point, Rect, Size};
use crate::model::{BoxFraming, Framing, LandmarkFraming, Prefer};
use crate::record::FaceRecord;

/// A face to crop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropFace<'a> {
    /// Its box in pixels of the frame.
    pub rect: Rect,
    /// Name of the detector that drew the box; each frames faces differently.
    pub detector: Option<&'a str>,
    /// Its landmarks in pixels of the frame, if known.
    pub landmarks: Option<Landmarks5>,
}

impl<'a> CropFace<'a> {
    /// The face of a record on a frame of `size`, with the landmarks of the detector.
    pub fn of(record: &'a FaceRecord, size: Size) -> Self {
        let detection = record.detection.as_ref();
        let landmarks = detection.and_then(|detection| detection.landmarks_norm).map(|landmarks| landmarks.from_norm(size));
        Self { rect: record.rect_norm.from_norm(size), detector: detection.map(|detection| &*detection.model_name), landmarks }
    }

    /// The same with the landmarks of the face's geometry, which are more exact, if there is one that is to be relied on.
    pub fn with_geometry(record: &'a FaceRecord, size: Size) -> Self {
        let face = Self::of(record, size);
        let geometry = record.geometry.as_ref().filter(|geometry| geometry.is_reliable());
        let landmarks = geometry.map(|geometry| geometry.landmarks_norm.from_norm(size).five()).or(face.landmarks);
        Self { landmarks, ..face }
    }
}

impl Framing {
    /// The square to crop for a face that `detector` found in the box `face`. A detector without an entry of its own has
    /// that of `other`; without one, the square is as high as the box and has its centre. All in pixels of the frame.
    pub fn crop(&self, face: Rect, detector: Option<&str>, landmarks: Option<&Landmarks5>) -> Crop {
        let roll = landmarks.filter(|_| self.rotate).map_or(0.0, Landmarks5::roll);
        let by_landmarks = self.landmarks.filter(|_| self.prefer == Prefer::Landmarks);
        if let Some(crop) = by_landmarks.zip(landmarks).and_then(|(framing, landmarks)| framing.crop(landmarks, roll)) {
            return crop;
        }
        let described = detector.and_then(|name| self.boxes.get(name)).or_else(|| self.boxes.get("other"));
        let framing = described.copied().unwrap_or(BoxFraming { side_of_height: 1.0, offset_y_of_height: 0.0 });
        let center = face.center();
        Crop { center: Point::new(center.x, center.y + framing.offset_y_of_height * face.h), side: framing.side_of_height * face.h, roll }
    }
}

impl LandmarkFraming {
    /// The square, rotated by `roll`; none if all landmarks are in one point.
    fn crop(&self, landmarks: &Landmarks5, roll: f32) -> Option<Crop> {
        let (eyes, mouth, [right, left, ..]) = (landmarks.eyes(), landmarks.mouth(), landmarks.0);
        let size = (mouth.x - eyes.x).hypot(mouth.y - eyes.y).hypot((left.x - right.x).hypot(left.y - right.y));
        let (middle, offset, (sin, cos)) = (eyes.midpoint(mouth), self.offset_y_of_size * size, landmarks.roll().sin_cos());
        let center = Point::new(middle.x - sin * offset, middle.y + cos * offset);
        (size > 0.0).then_some(Crop { center, side: self.side_of_size * size, roll })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelDescription;

    const DESCRIPTION: &str = r#"
        name = "tiny"
        task = "expression"
        [input]
        name = "input"
        [framing.box.other]
        side_of_height = 1.5
        offset_y_of_height = 0.1
        [framing.box.haar]
        side_of_height = 1.0
    "#;

    fn framing(description: &str) -> Framing {
        ModelDescription::parse("model.toml".as_ref(), description).unwrap().framing
    }

    #[test]
    fn the_crop_follows_the_detector_and_falls_back_to_other() {
        let framing = framing(DESCRIPTION);
        let face = Rect::new(10.0, 20.0, 80.0, 100.0);
        let crop = |framing: &Framing, detector| framing.crop(face, detector, None).bounds();
        assert_eq!(crop(&framing, Some("haar")), Rect::new(0.0, 20.0, 100.0, 100.0));
        assert_eq!(crop(&framing, Some("unheard of")), Rect::new(-25.0, 5.0, 150.0, 150.0));
        assert_eq!(crop(&Framing::default(), None), Rect::new(0.0, 20.0, 100.0, 100.0));
    }

    #[test]
    fn aligned_landmarks_are_cropped_to_the_template_they_were_aligned_to() {
        // OpenCV Zoo's template at 112x112, drawn twice as large, turned and moved.
        let template = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)];
        let framing = framing(include_str!("../../../../models/presets/mobilefacenet.toml"));
        for angle in [0.0_f32, 0.4] {
            let (sin, cos) = angle.sin_cos();
            let place = |x: f32, y: f32| {
                let (x, y) = (2.0 * (x - 56.0), 2.0 * (y - 56.0));
                Point::new(300.0 + cos * x - sin * y, 200.0 + sin * x + cos * y)
            };
            let landmarks = Landmarks5(template.map(|(x, y)| place(x, y)));
            let crop = framing.crop(Rect::default(), None, Some(&landmarks));
            assert!((crop.side - 224.0).abs() < 0.5 && (crop.roll - angle).abs() < 0.01, "{crop:?}");
            assert!((crop.center.x - 300.0).abs() < 0.5 && (crop.center.y - 200.0).abs() < 0.5, "{crop:?}");
            let boxed = framing.crop(Rect::new(0.0, 0.0, 80.0, 100.0), Some("yunet"), None);
            assert!((boxed.side - 106.5).abs() < 1e-3, "without landmarks the box is all there is");
        }
    }
}
