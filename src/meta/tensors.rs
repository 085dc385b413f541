// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tensors on buffers, as GStreamer's `onnxinference` attaches them, with GStreamer 1.28 or newer.
//!
//! The ids are those of the `.modelinfo` files beside this project's networks.

use gst::glib;
use gst_analytics::{Tensor, TensorDataType, TensorDimOrder, TensorMeta};

/// The group of the outputs of the face network.
pub const FACE_GROUP: &str = "gst-plugin-emotion-face-out";
/// The group of the outputs of the expression network, also of the one in 8 bits.
pub const EXPRESSION_GROUP: &str = "gst-plugin-emotion-expression-out";

/// A tensor of floats, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatTensor {
    /// Length of each axis, the outermost first.
    pub dims: Vec<usize>,
    /// The values, as many as the product of `dims`.
    pub values: Vec<f32>,
}

/// The id of the output `name` of `group`.
pub fn id(group: &str, name: &str) -> String {
    format!("{group}-{name}")
}

/// The buffer's tensor with this id; none if there is none, or if it does not hold floats row by row.
pub fn read(buffer: &gst::BufferRef, id: &str) -> Option<FloatTensor> {
    let id = glib::Quark::try_from_str(id)?;
    let of_meta = |meta: gst::MetaRef<'_, TensorMeta>| meta.as_slice().iter().find(|tensor| tensor.id() == id).and_then(floats);
    buffer.iter_meta::<TensorMeta>().find_map(of_meta)
}

fn floats(tensor: &Tensor) -> Option<FloatTensor> {
    if tensor.data_type() != TensorDataType::Float32 || tensor.dims_order() != TensorDimOrder::RowMajor {
        return None;
    }
    let dims = tensor.dims().to_vec();
    let count = dims.iter().try_fold(1_usize, |product, &length| product.checked_mul(length))?;
    let bytes = tensor.data().map_readable().ok()?;
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect();
    (values.len() == count).then_some(FloatTensor { dims, values })
}
