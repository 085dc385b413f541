// SPDX-License-Identifier: MIT OR Apache-2.0
//! From detected faces to their geometry on one frame: crop, run the network on a batch, map the points back.
//!
//! Input `[N, C, H, W]`: the crop of a face as the description frames it. Outputs:
//!
//! | name | shape | meaning |
//! |---|---|---|
//! | `landmarks` | `[N, 140]` | x, y of the landmarks, in 0..1 of the crop; they may lie outside of it |
//! | `pose` | `[N, 3]` | yaw, pitch, roll of the head in the crop, in degrees |
//! | `blendshapes` | `[N, 52]` | activations, 0..1 |
//! | `trust` | `[N, 1]` | how far to trust the rest, 0..1 |

use std::sync::Arc;

use crate::crops::framing::CropFace;
use crate::crops::network::CropNetwork;
use crate::crops::results::Batch;
use crate::error::{Error, Result};
use crate::face_geometry::{Blendshapes, HeadPose, LANDMARKS, Landmarks70, blendshapes};
use crate::geometry::{Crop, Point};
use crate::image::FrameView;
use crate::image::tensor::sampled_crop;
use crate::model::runtime::{Execution, Network, Outputs};
use crate::model::search_path::SearchPath;
use crate::model::{ModelDescription, ModelFile, Task};
use crate::statistics::StepTimes;

/// The outputs, and the number of their values for each face.
const OUTPUTS: [(&str, usize); 4] = [("landmarks", 2 * LANDMARKS), ("pose", 3), ("blendshapes", blendshapes::COUNT), ("trust", 1)];
/// The outputs, for error messages.
const EXPECTED: &str = "outputs landmarks [N, 140], pose [N, 3], blendshapes [N, 52], trust [N, 1]";

/// The geometry of a face on one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The landmarks in pixels of the frame.
    pub landmarks: Landmarks70,
    /// The pose of the head in the frame.
    pub pose: HeadPose,
    /// The activation of each blendshape.
    pub blendshapes: Blendshapes,
    /// How far the estimate is to be trusted, 0..1.
    pub trust: f32,
}

/// A geometry model that is ready to run.
pub struct Landmarker {
    network: CropNetwork,
    /// The index of each of [`OUTPUTS`] in the graph.
    outputs: [usize; OUTPUTS.len()],
    name: Arc<str>,
    /// Crops of the current frame; kept to reuse the allocation.
    crops: Vec<Crop>,
}

impl Landmarker {
    /// Loads `model` according to its description.
    ///
    /// # Errors
    /// Those of [`Network::load`]; [`Error::Model`] if there is no description, if it describes another kind of model, if the
    /// graph's inputs and outputs are not those of a geometry model, or if a trial run fails.
    pub fn load(model: ModelFile, search: &SearchPath, run: impl Into<Execution>) -> Result<Self> {
        let network = Network::load(&model, search, run)?;
        let error = |expected: String, found: String| Error::Model { path: model.path.clone(), expected, found };
        let Some(description) = model.description.clone() else {
            let expected = "a description, as model.toml beside it or the same name ending in .toml";
            return Err(error(expected.into(), format!("none, for {}", network.signature())));
        };
        if description.task != Task::Geometry {
            return Err(error("a geometry model".into(), format!("{} for the task {:?}", description.name, description.task)));
        }
        let name = description.name.as_str().into();
        let network = CropNetwork::new(network, &model.path, description)?;
        let mut outputs = [0; OUTPUTS.len()];
        for (index, (name, values)) in outputs.iter_mut().zip(OUTPUTS) {
            *index = network.output(name, values).map_err(|expected| error(expected, network.network().signature()))?;
        }
        network.probe(&model.path, EXPECTED, |found| values_of(found, outputs, 1).map(|_| ()))?;
        Ok(Self { network, outputs, name, crops: Vec::new() })
    }

    /// Sets the maximum number of faces in one run of the network; 0 is [`MAX_BATCH`](crate::crops::network::MAX_BATCH).
    pub fn set_batch_size(&mut self, batch_size: usize) {
        self.network.set_batch_size(batch_size);
    }

    /// The description of the model.
    pub fn description(&self) -> &ModelDescription {
        self.network.description()
    }

    /// The model's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The SHA-256 of the model's file, in hex.
    pub fn sha256(&self) -> &str {
        self.network.network().sha256()
    }

    /// The SHA-256 of the model's description, in hex.
    pub fn description_sha256(&self) -> &str {
        self.network.network().description_sha256()
    }

    /// Duration of each step of the last [`estimate`](Self::estimate), summed over its batches.
    pub fn step_times(&self) -> StepTimes {
        self.network.step_times()
    }

    /// The geometry of each face, in order.
    ///
    /// # Errors
    /// [`Error::Inference`] with ONNX Runtime's message.
    pub fn estimate(&mut self, view: &FrameView, faces: &[CropFace]) -> Result<Vec<Estimate>> {
        let (outputs, mut found) = (self.outputs, Vec::with_capacity(faces.len()));
        self.network.frame(faces, &mut self.crops);
        self.network.run(view, &self.crops, |values, crops| {
            let values = values_of(values, outputs, crops.len())?;
            found.extend(crops.iter().enumerate().map(|(face, &crop)| estimate(values, face, sampled_crop(crop))));
            Ok(())
        })?;
        Ok(found)
    }

    /// The geometry of each face of `batch`; `view` is its frame.
    ///
    /// # Errors
    /// Those of [`estimate`](Self::estimate).
    pub fn estimate_batch(&mut self, view: &FrameView, batch: &Batch) -> Result<Vec<Estimate>> {
        let faces: Vec<CropFace> = batch.faces.iter().map(|face| CropFace::of(face, view.size())).collect();
        self.estimate(view, &faces)
    }
}

/// The values of the four outputs for `count` faces.
fn values_of<'a>(outputs: &'a Outputs<'_>, indices: [usize; OUTPUTS.len()], count: usize) -> Result<[&'a [f32]; OUTPUTS.len()]> {
    let values = |output: usize| outputs.get_exactly(indices[output], count * OUTPUTS[output].1);
    Ok([values(0)?, values(1)?, values(2)?, values(3)?])
}

/// The geometry of one face of a batch, which was cropped by `crop`. Numbers that are not finite become 0.
fn estimate(values: [&[f32]; OUTPUTS.len()], face: usize, crop: Crop) -> Estimate {
    let value = |output: usize, index: usize| {
        let value = values[output][face * OUTPUTS[output].1 + index];
        if value.is_finite() { value } else { 0.0 }
    };
    let (sin, cos) = crop.roll.sin_cos();
    let point = |index: usize| {
        let (u, v) = (crop.side * (value(0, 2 * index) - 0.5), crop.side * (value(0, 2 * index + 1) - 0.5));
        Point::new(crop.center.x + cos * u - sin * v, crop.center.y + sin * u + cos * v)
    };
    let pose = HeadPose { yaw: value(1, 0), pitch: value(1, 1), roll: value(1, 2) };
    Estimate {
        landmarks: Landmarks70(std::array::from_fn(point)),
        // The picture is the crop turned back by its roll.
        pose: if crop.roll == 0.0 { pose } else { pose.turned(crop.roll) },
        blendshapes: Blendshapes(std::array::from_fn(|index| value(2, index).clamp(0.0, 1.0))),
        trust: value(3, 0).clamp(0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_and_pose_of_a_turned_crop_are_those_of_the_frame() {
        let mut landmarks = [0.5; 2 * LANDMARKS];
        (landmarks[0], landmarks[1]) = (1.0, 0.5);
        let mut shapes = [0.0; blendshapes::COUNT];
        (shapes[0], shapes[1]) = (1.5, f32::NAN);
        let values: [&[f32]; 4] = [&landmarks, &[0.0, 0.0, 5.0], &shapes, &[0.75]];
        let crop = Crop { center: Point::new(100.0, 50.0), side: 40.0, roll: 30_f32.to_radians() };
        let found = estimate(values, 0, crop);
        let Point { x, y } = found.landmarks.0[0];
        assert!((x - (100.0 + 20.0 * 0.866_03)).abs() < 1e-3 && (y - 60.0).abs() < 1e-3, "{x} {y}");
        assert_eq!(found.landmarks.0[1], crop.center);
        assert!((found.pose.roll - 35.0).abs() < 1e-3 && found.pose.yaw.abs() < 1e-3, "{:?}", found.pose);
        assert_eq!((found.blendshapes.0[0], found.blendshapes.0[1], found.trust), (1.0, 0.0, 0.75));
    }
}
