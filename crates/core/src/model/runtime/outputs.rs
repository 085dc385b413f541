// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a run gives: the outputs for some of its pictures.

use std::ops::Range;

use ort::value::DynValue;

use crate::error::{Error, Result};

/// Name and shape of one input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name in the graph.
    pub name: String,
    /// Length of each axis; `None` for an axis of any length.
    pub shape: Vec<Option<usize>>,
}

impl std::fmt::Display for TensorSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let axes: Vec<_> = self.shape.iter().map(|axis| axis.map_or("?".to_string(), |length| length.to_string())).collect();
        write!(f, "{} [{}]", self.name, axes.join(", "))
    }
}

/// The outputs for some pictures.
pub struct Outputs<'a> {
    pub(super) values: Values<'a>,
    pub(super) part: Part,
    pub(super) specs: &'a [TensorSpec],
    pub(super) model: &'a str,
}

/// The outputs of a run.
pub(super) enum Values<'a> {
    Tensors(&'a [DynValue]),
    Copied(&'a [Output]),
}

/// Some pictures of a run.
pub(super) struct Part {
    pub(super) pictures: Range<usize>,
    /// Number of pictures in the run.
    pub(super) of: usize,
}

impl Outputs<'_> {
    /// Number of outputs.
    pub fn count(&self) -> usize {
        match self.values {
            Values::Tensors(values) => values.len(),
            Values::Copied(values) => values.len(),
        }
    }

    /// The length of each axis of output `index`, and its values, row-major. The first axis may be longer than the values: the run may
    /// have had other pictures, too.
    ///
    /// # Errors
    /// [`Error::Inference`] if there is no such output or its element type is not `f32`.
    pub fn get(&self, index: usize) -> Result<(&[i64], &[f32])> {
        let error = |message: String| Error::Inference { model: self.model.into(), message };
        if index >= self.count() {
            return Err(error(format!("no output {index}: the network has {}", self.count())));
        }
        let (shape, values) = match self.values {
            Values::Copied(outputs) => (&outputs[index].shape[..], &outputs[index].values[..]),
            Values::Tensors(tensors) => {
                let (shape, values) = tensors[index].try_extract_tensor::<f32>().map_err(|failed| error(failed.to_string()))?;
                (&shape[..], values)
            }
        };
        let Part { pictures, of } = &self.part;
        if pictures.len() == *of {
            return Ok((shape, values));
        }
        let each = values.len() / of;
        Ok((shape, &values[pictures.start * each..pictures.end * each]))
    }

    /// The values of output `index`, which must be `count` in number.
    ///
    /// # Errors
    /// Those of [`get`](Self::get), and [`Error::Inference`] if the number of values differs.
    pub fn get_exactly(&self, index: usize, count: usize) -> Result<&[f32]> {
        let (_, values) = self.get(index)?;
        if values.len() == count {
            return Ok(values);
        }
        let message = format!("{} values of {} instead of {count}", values.len(), self.specs[index].name);
        Err(Error::Inference { model: self.model.into(), message })
    }
}

/// An output for all pictures of a batch.
pub(super) struct Output {
    pub(super) shape: Vec<i64>,
    pub(super) values: Vec<f32>,
}

impl Output {
    pub(super) fn copy(value: &DynValue, pictures: usize) -> std::result::Result<Self, String> {
        let (shape, values) = value.try_extract_tensor::<f32>().map_err(|error| error.to_string())?;
        if shape.first() != Some(&(pictures as i64)) {
            return Err(format!("an output of shape {shape:?} for {pictures} pictures"));
        }
        Ok(Self { shape: shape.to_vec(), values: values.to_vec() })
    }
}
