// SPDX-License-Identifier: MIT OR Apache-2.0
//! Well-known expression models, recognised by their signature where no description lies beside the file.

use crate::image::tensor::Layout;
use crate::model::ModelDescription;
use crate::model::runtime::TensorSpec;

/// The descriptions of `models/presets`.
const PRESETS: [&str; 4] = [
    include_str!("../../models/presets/emotion-ferplus-8.toml"),
    include_str!("../../models/presets/hsemotion-b0-8.toml"),
    include_str!("../../models/presets/mobilefacenet.toml"),
    include_str!("../../models/presets/mini-xception.toml"),
];

/// The description of the model that has just these inputs and outputs, by name and shape; none if it is not known.
pub fn recognise(inputs: &[TensorSpec], outputs: &[TensorSpec]) -> Option<ModelDescription> {
    let ([input], [output]) = (inputs, outputs) else { return None };
    PRESETS.iter().filter_map(|text| toml::from_str::<ModelDescription>(text).ok()).find(|preset| {
        let classes = preset.outputs.first().map_or(0, |described| described.labels.len());
        let names = input.name == preset.input.name && preset.outputs.first().is_some_and(|described| described.name == output.name);
        names && picture_shape(preset).is_some_and(|shape| fits(input, &shape)) && fits(output, &[classes])
    })
}

/// Lengths of the axes of the described input after the batch; none if its size is free.
pub fn picture_shape(description: &ModelDescription) -> Option<[usize; 3]> {
    let (size, channels) = (description.input.size()?, description.input.colour.channels());
    let (width, height) = (size.width as usize, size.height as usize);
    Some(match description.input.layout {
        Layout::Nchw => [channels, height, width],
        Layout::Nhwc => [height, width, channels],
    })
}

/// Whether a tensor is a batch of that shape, as far as its axes are fixed.
pub fn fits(spec: &TensorSpec, shape: &[usize]) -> bool {
    let axes = spec.shape.get(1..).unwrap_or_default();
    axes.len() == shape.len() && axes.iter().zip(shape).all(|(axis, &wanted)| axis.is_none_or(|axis| axis == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, shape: &[usize]) -> TensorSpec {
        TensorSpec { name: name.into(), shape: shape.iter().map(|&axis| (axis > 0).then_some(axis)).collect() }
    }

    #[test]
    fn every_preset_is_a_description() {
        for text in PRESETS {
            let preset: ModelDescription = toml::from_str(text).unwrap();
            assert!(picture_shape(&preset).is_some() && preset.outputs.len() == 1, "{}", preset.name);
        }
    }

    #[test]
    fn known_by_names_and_shapes_together() {
        let known = |input: TensorSpec, output: TensorSpec| recognise(&[input], &[output]).map(|preset| preset.name);
        assert_eq!(known(spec("Input3", &[1, 1, 64, 64]), spec("Plus692_Output_0", &[1, 8])).as_deref(), Some("emotion-ferplus-8"));
        assert_eq!(known(spec("input", &[0, 3, 224, 224]), spec("output", &[0, 8])).as_deref(), Some("hsemotion-b0-8"));
        assert_eq!(known(spec("input", &[0, 3, 224, 224]), spec("output", &[0, 7])), None, "seven classes are another model");
        assert_eq!(known(spec("input", &[0, 1, 64, 64]), spec("logits", &[0, 7])), None);
    }
}
