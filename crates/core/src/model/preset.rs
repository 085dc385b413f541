// SPDX-License-Identifier: MIT OR Apache-2.0
//! Descriptions of well-known expression models. A file without a description is recognised by its signature: the names and
//! shapes of its inputs and outputs.

use crate::image::tensor::Layout;
use crate::model::ModelDescription;
use crate::model::runtime::TensorSpec;
use emotion_models::PRESETS;

/// The description of the known model with exactly these inputs and outputs.
pub fn recognise(inputs: &[TensorSpec], outputs: &[TensorSpec]) -> Option<ModelDescription> {
    let ([input], [output]) = (inputs, outputs) else { return None };
    // A test makes sure that all presets parse.
    PRESETS.iter().filter_map(|text| toml::from_str::<ModelDescription>(text).ok()).find(|preset| {
        let classes = preset.outputs.first().map_or(0, |described| described.labels.len());
        let same_names = input.name == preset.input.name && preset.outputs.first().is_some_and(|described| described.name == output.name);
        same_names && picture_shape(preset).is_some_and(|shape| fits(input, &shape)) && fits(output, &[classes])
    })
}

/// Lengths of the described input's axes, without the batch axis. `None` if the description does not fix the size.
pub fn picture_shape(description: &ModelDescription) -> Option<[usize; 3]> {
    let (size, channels) = (description.input.size()?, description.input.colour.channels());
    let (width, height) = (size.width as usize, size.height as usize);
    Some(match description.input.layout {
        Layout::Nchw => [channels, height, width],
        Layout::Nhwc => [height, width, channels],
    })
}

/// True if `spec` can hold a batch of tensors of `shape`: each axis after the batch axis has this length or any.
pub fn fits(spec: &TensorSpec, shape: &[usize]) -> bool {
    let axes = spec.shape.get(1..).unwrap_or_default();
    axes.len() == shape.len() && axes.iter().zip(shape).all(|(axis, &length)| axis.is_none_or(|axis| axis == length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An axis of length 0 in `shape` stands for any length.
    fn spec(name: &str, shape: &[usize]) -> TensorSpec {
        TensorSpec { name: name.into(), shape: shape.iter().map(|&axis| (axis > 0).then_some(axis)).collect() }
    }

    #[test]
    fn every_preset_is_a_valid_description() {
        for text in PRESETS {
            let preset: ModelDescription = toml::from_str(text).unwrap();
            assert!(picture_shape(&preset).is_some() && preset.outputs.len() == 1, "{}", preset.name);
        }
    }

    #[test]
    fn recognised_by_names_and_shapes_together() {
        let recognised = |input: TensorSpec, output: TensorSpec| recognise(&[input], &[output]).map(|preset| preset.name);
        assert_eq!(recognised(spec("Input3", &[1, 1, 64, 64]), spec("Plus692_Output_0", &[1, 8])).as_deref(), Some("emotion-ferplus-8"));
        assert_eq!(recognised(spec("input", &[0, 3, 224, 224]), spec("output", &[0, 8])).as_deref(), Some("hsemotion-b0-8"));
        assert_eq!(recognised(spec("input", &[0, 3, 224, 224]), spec("output", &[0, 7])), None, "seven classes are another model");
        assert_eq!(recognised(spec("input", &[0, 1, 64, 64]), spec("logits", &[0, 7])), None);
    }
}
