// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two edits of ONNX files that make up for shortcomings of exporters.
//!
//! - [`constant_weights`]: old exporters list the weights among the graph's inputs. ONNX Runtime then treats them as variable
//!   and does not fold them into other operations; CenterFace takes more than twice as long. The edit removes them from the
//!   inputs.
//! - [`free_size`]: a fully convolutional detector runs at any size, but some files declare the size of the picture that was
//!   used for tracing (CenterFace: ten pictures of 32x32), and ONNX Runtime refuses all other sizes. The edit clears the
//!   declared size.
//!
//! An ONNX file is a protocol buffer message. Both edits follow the field numbers of `onnx.proto` and leave all other bytes
//! unchanged.

use std::collections::HashSet;

/// Field numbers of `onnx.proto` that lead to names and shapes.
pub(crate) const MODEL_GRAPH: u64 = 7;
const GRAPH_INITIALIZER: u64 = 5;
const GRAPH_INPUT: u64 = 11;
const GRAPH_OUTPUT: u64 = 12;
const GRAPH_VALUE_INFO: u64 = 13;
const INITIALIZER_NAME: u64 = 8;
const VALUE_INFO_NAME: u64 = 1;
const VALUE_INFO_TYPE: u64 = 2;
const TYPE_TENSOR: u64 = 1;
const TENSOR_SHAPE: u64 = 2;
const SHAPE_DIM: u64 = 1;

/// The axis of a picture input that keeps its declared length: the channels of `[N, C, H, W]`.
const CHANNEL_AXIS: usize = 1;

/// A copy of the model `bytes` without the weights among its inputs. `None` if `bytes` is not a protocol buffer message.
pub fn constant_weights(bytes: &[u8]) -> Option<Vec<u8>> {
    edit_graph(bytes, |graph| {
        let mut weights = HashSet::new();
        edit_fields(graph, &mut |field, value| {
            if field == GRAPH_INITIALIZER {
                weights.extend(name_of(value, INITIALIZER_NAME).map(<[u8]>::to_vec));
            }
            Some(Edit::Keep)
        })?;
        edit_fields(graph, &mut |field, value| {
            let is_weight = field == GRAPH_INPUT && name_of(value, VALUE_INFO_NAME).is_some_and(|name| weights.contains(name));
            Some(if is_weight { Edit::Drop } else { Edit::Keep })
        })
    })
}

/// A copy of the model `bytes` in which batch, height and width of `input`, and all axes of the outputs, have any length.
/// `None` if `bytes` is not a protocol buffer message.
pub fn free_size(bytes: &[u8], input: &str) -> Option<Vec<u8>> {
    edit_graph(bytes, |graph| {
        edit_fields(graph, &mut |field, value| match field {
            GRAPH_INPUT if name_of(value, VALUE_INFO_NAME) == Some(input.as_bytes()) => free_value(value, Some(CHANNEL_AXIS)),
            GRAPH_OUTPUT => free_value(value, None),
            // ONNX Runtime infers the shapes of intermediate results again; the declared ones are now wrong.
            GRAPH_VALUE_INFO => Some(Edit::Drop),
            _ => Some(Edit::Keep),
        })
    })
}

/// Replaces the graph of a model with what `edit` returns.
fn edit_graph(bytes: &[u8], edit: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    edit_fields(bytes, &mut |field, graph| if field == MODEL_GRAPH { edit(graph).map(Edit::Replace) } else { Some(Edit::Keep) })
}

/// Clears the length of every axis of a `ValueInfoProto`, except that of `fixed_axis`.
fn free_value(value: &[u8], fixed_axis: Option<usize>) -> Option<Edit> {
    let mut axis = 0;
    let mut free_dim = |field, _: &[u8]| {
        // An empty `Dimension` message is an axis of any length.
        let edit = if field == SHAPE_DIM && Some(axis) != fixed_axis { Edit::Replace(Vec::new()) } else { Edit::Keep };
        axis += usize::from(field == SHAPE_DIM);
        Some(edit)
    };
    let edited = edit_fields(value, &mut |field, ty| {
        descend(field == VALUE_INFO_TYPE, ty, &mut |field, tensor| {
            descend(field == TYPE_TENSOR, tensor, &mut |field, shape| descend(field == TENSOR_SHAPE, shape, &mut free_dim))
        })
    });
    edited.map(Edit::Replace)
}

/// What happens to one field.
pub(crate) enum Edit {
    Keep,
    Drop,
    Replace(Vec<u8>),
}

/// Decides what happens to a field, given its number and payload. `None` aborts the edit.
pub(crate) type EditField<'a> = dyn FnMut(u64, &[u8]) -> Option<Edit> + 'a;

/// Edits the fields of a nested message if `matches`, else keeps it.
fn descend(matches: bool, payload: &[u8], edit: &mut EditField) -> Option<Edit> {
    if matches { edit_fields(payload, edit).map(Edit::Replace) } else { Some(Edit::Keep) }
}

/// A copy of `message` in which `edit` decides on each length-delimited field. `None` if the message is damaged or `edit`
/// aborts.
pub(crate) fn edit_fields(message: &[u8], edit: &mut EditField) -> Option<Vec<u8>> {
    let mut result = Vec::with_capacity(message.len());
    let mut rest = message;
    while !rest.is_empty() {
        let field = next_field(&mut rest)?;
        match field.payload.map_or(Some(Edit::Keep), |payload| edit(field.number, payload))? {
            Edit::Keep => result.extend_from_slice(field.whole),
            Edit::Drop => {}
            Edit::Replace(payload) => push_bytes(&mut result, field.number, &payload),
        }
    }
    Some(result)
}

/// Wire types of the protocol buffer encoding.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

/// One field of a message.
pub(crate) struct Field<'a> {
    pub number: u64,
    /// All bytes of the field, including key and length.
    whole: &'a [u8],
    /// The value of a length-delimited field.
    pub payload: Option<&'a [u8]>,
    /// The value of a varint field.
    pub value: Option<u64>,
}

/// The fields of a message, up to the first damaged one.
pub(crate) fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = message;
    std::iter::from_fn(move || if rest.is_empty() { None } else { next_field(&mut rest) })
}

/// Removes one field from the start of `rest`. `None` if it is damaged or of a deprecated group type.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let start = *rest;
    let key = take_varint(rest)?;
    let mut value = None;
    let payload = match key & 7 {
        VARINT => {
            value = Some(take_varint(rest)?);
            None
        }
        FIXED_64 => {
            take(rest, 8)?;
            None
        }
        LENGTH_DELIMITED => {
            let length = take_varint(rest)?;
            Some(take(rest, usize::try_from(length).ok()?)?)
        }
        FIXED_32 => {
            take(rest, 4)?;
            None
        }
        _ => return None,
    };
    Some(Field { number: key >> 3, whole: &start[..start.len() - rest.len()], payload, value })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, remaining) = rest.split_at_checked(length)?;
    *rest = remaining;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    // Seven bits per byte, the least significant first; the top bit is set in all bytes but the last.
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Appends a length-delimited field.
pub(crate) fn push_bytes(out: &mut Vec<u8>, number: u64, payload: &[u8]) {
    push_varint(out, number << 3 | LENGTH_DELIMITED);
    push_varint(out, payload.len() as u64);
    out.extend_from_slice(payload);
}

/// Appends a varint field.
pub(crate) fn push_number(out: &mut Vec<u8>, number: u64, value: u64) {
    push_varint(out, number << 3 | VARINT);
    push_varint(out, value);
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The string in field `number` of a message.
fn name_of(message: &[u8], number: u64) -> Option<&[u8]> {
    fields(message).find(|field| field.number == number)?.payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(fields: &[(u64, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        fields.iter().for_each(|(field, payload)| push_bytes(&mut out, *field, payload));
        out
    }

    /// A `ValueInfoProto` of a tensor with the given axis lengths; `dim_value` is field 1, a varint.
    fn value(name: &str, dims: &[u8]) -> Vec<u8> {
        let dims: Vec<[u8; 2]> = dims.iter().map(|&n| [1 << 3, n]).collect();
        let shape = message(&dims.iter().map(|dim| (SHAPE_DIM, &dim[..])).collect::<Vec<_>>());
        let tensor = message(&[(TENSOR_SHAPE, &shape)]);
        message(&[(VALUE_INFO_NAME, name.as_bytes()), (VALUE_INFO_TYPE, &message(&[(TYPE_TENSOR, &tensor)]))])
    }

    #[test]
    fn free_size_clears_input_size_and_output_shapes_only() {
        let graph = message(&[
            (1, b"a node"),
            (GRAPH_INPUT, &value("input", &[10, 3, 32, 32])),
            (GRAPH_INPUT, &value("weight", &[8, 3])),
            (GRAPH_VALUE_INFO, &value("inner", &[1])),
            (GRAPH_OUTPUT, &value("heat", &[10, 1, 8, 8])),
        ]);
        let freed = free_size(&message(&[(MODEL_GRAPH, &graph)]), "input").unwrap();

        let no_dim: &[u8] = &[];
        let shape = message(&[(SHAPE_DIM, no_dim), (SHAPE_DIM, &[8, 3]), (SHAPE_DIM, no_dim), (SHAPE_DIM, no_dim)]);
        let input_type = message(&[(TYPE_TENSOR, &message(&[(TENSOR_SHAPE, &shape)]))]);
        let shape = message(&[(SHAPE_DIM, no_dim); 4]);
        let output_type = message(&[(TYPE_TENSOR, &message(&[(TENSOR_SHAPE, &shape)]))]);
        let expected = message(&[
            (1, b"a node"),
            (GRAPH_INPUT, &message(&[(VALUE_INFO_NAME, b"input"), (VALUE_INFO_TYPE, &input_type)])),
            (GRAPH_INPUT, &value("weight", &[8, 3])),
            (GRAPH_OUTPUT, &message(&[(VALUE_INFO_NAME, b"heat"), (VALUE_INFO_TYPE, &output_type)])),
        ]);
        assert_eq!(freed, message(&[(MODEL_GRAPH, &expected)]));
    }

    #[test]
    fn weights_are_removed_from_the_inputs() {
        let weight = message(&[(INITIALIZER_NAME, b"weight")]);
        let (input, listed) = (value("input", &[1, 3]), value("weight", &[8, 3]));
        let graph = message(&[(GRAPH_INITIALIZER, &weight), (GRAPH_INPUT, &input), (GRAPH_INPUT, &listed)]);
        let expected = message(&[(GRAPH_INITIALIZER, &weight), (GRAPH_INPUT, &input)]);
        assert_eq!(constant_weights(&message(&[(MODEL_GRAPH, &graph)])).unwrap(), message(&[(MODEL_GRAPH, &expected)]));
        assert_eq!(constant_weights(b"plain text"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_edited_or_refused(bytes: Vec<u8>) {
            let whole = message(&[(MODEL_GRAPH, &bytes)]);
            for model in [&bytes, &whole] {
                let _ = (free_size(model, "input"), constant_weights(model));
            }
        }
    }

    #[test]
    fn bytes_that_are_no_protocol_buffer_are_refused() {
        assert_eq!(free_size(b"plain text, no model", "input"), None);
        assert_eq!(free_size(&[0xff; 40], "input"), None);
    }
}
