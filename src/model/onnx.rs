// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two edits of ONNX files that their exporters left undone.
//!
//! Old exporters list the weights among the graph's inputs, where ONNX Runtime has to take them for variable and folds
//! nothing into them (CenterFace then takes more than twice as long); [`constant_weights`] takes them off that list.
//! And fully convolutional detectors run at any size, but some files declare the size of the tracing picture
//! (CenterFace: ten pictures of 32x32), and ONNX Runtime refuses all others; [`free_size`] empties the declaration.
//!
//! An ONNX file is a protocol buffer. Both walk to their places by field number (`onnx.proto`) and leave every other
//! byte as it is.

use std::collections::HashSet;

/// Field numbers of `onnx.proto` on the way to names and shapes.
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

/// The axis of a picture input whose declared length stays: channels of `[N, C, H, W]`.
const CHANNELS: usize = 1;

/// A copy of the model `bytes` in which no weight is an input. None if the bytes are not a protocol buffer.
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
            let weight = field == GRAPH_INPUT && name_of(value, VALUE_INFO_NAME).is_some_and(|name| weights.contains(name));
            Some(if weight { Edit::Drop } else { Edit::Keep })
        })
    })
}

/// A copy of the model `bytes` in which batch, height and width of `input`, and all axes of the outputs, may be
/// anything. None if the bytes are not a protocol buffer.
pub fn free_size(bytes: &[u8], input: &str) -> Option<Vec<u8>> {
    edit_graph(bytes, |graph| {
        edit_fields(graph, &mut |field, value| match field {
            GRAPH_INPUT if name_of(value, VALUE_INFO_NAME) == Some(input.as_bytes()) => free_value(value, Some(CHANNELS)),
            GRAPH_OUTPUT => free_value(value, None),
            // Sizes of intermediate results follow from the input's; the runtime infers them again.
            GRAPH_VALUE_INFO => Some(Edit::Drop),
            _ => Some(Edit::Keep),
        })
    })
}

fn edit_graph(bytes: &[u8], edit: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    edit_fields(bytes, &mut |field, graph| if field == MODEL_GRAPH { edit(graph).map(Edit::Replace) } else { Some(Edit::Keep) })
}

/// Empties every dimension of a `ValueInfoProto` but the one with index `kept`.
fn free_value(value: &[u8], kept: Option<usize>) -> Option<Edit> {
    let mut axis = 0;
    let mut free_dim = |field, _: &[u8]| {
        let edit = if field == SHAPE_DIM && Some(axis) != kept { Edit::Replace(Vec::new()) } else { Edit::Keep };
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

/// What becomes of one field.
pub(crate) enum Edit {
    Keep,
    Drop,
    Replace(Vec<u8>),
}

/// Decides on a field from its number and its bytes; none stops the walk.
pub(crate) type EditField<'a> = dyn FnMut(u64, &[u8]) -> Option<Edit> + 'a;

fn descend(matches: bool, payload: &[u8], edit: &mut EditField) -> Option<Edit> {
    if matches { edit_fields(payload, edit).map(Edit::Replace) } else { Some(Edit::Keep) }
}

/// Copies a message field by field, asking `edit` about each length-delimited one.
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

const LENGTH_DELIMITED: u64 = 2;

/// One field of a message.
pub(crate) struct Field<'a> {
    pub number: u64,
    /// All of its bytes, key and length included.
    whole: &'a [u8],
    /// Its value, if it is length-delimited.
    pub payload: Option<&'a [u8]>,
    /// Its value, if it is a number of variable length.
    pub value: Option<u64>,
}

/// The fields of a message, up to the first that is damaged.
pub(crate) fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = message;
    std::iter::from_fn(move || if rest.is_empty() { None } else { next_field(&mut rest) })
}

/// Takes one field off `rest`.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let start = *rest;
    let key = take_varint(rest)?;
    let mut value = None;
    let payload = match key & 7 {
        0 => {
            value = Some(take_varint(rest)?);
            None
        }
        1 => {
            take(rest, 8)?;
            None
        }
        LENGTH_DELIMITED => {
            let length = take_varint(rest)?;
            Some(take(rest, usize::try_from(length).ok()?)?)
        }
        5 => {
            take(rest, 4)?;
            None
        }
        _ => return None,
    };
    Some(Field { number: key >> 3, whole: &start[..start.len() - rest.len()], payload, value })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
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

/// Appends a field that is a number of variable length.
pub(crate) fn push_number(out: &mut Vec<u8>, number: u64, value: u64) {
    push_varint(out, number << 3);
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

    /// A `ValueInfoProto` of a tensor with the given fixed dimensions; `{dim_value: n}` is field 1 as a varint.
    fn value(name: &str, dims: &[u8]) -> Vec<u8> {
        let dims: Vec<[u8; 2]> = dims.iter().map(|&n| [1 << 3, n]).collect();
        let shape = message(&dims.iter().map(|dim| (SHAPE_DIM, &dim[..])).collect::<Vec<_>>());
        let tensor = message(&[(TENSOR_SHAPE, &shape)]);
        message(&[(VALUE_INFO_NAME, name.as_bytes()), (VALUE_INFO_TYPE, &message(&[(TYPE_TENSOR, &tensor)]))])
    }

    #[test]
    fn only_the_pictures_size_and_the_outputs_are_freed() {
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
    fn weights_are_taken_off_the_inputs() {
        let weight = message(&[(INITIALIZER_NAME, b"weight")]);
        let (input, listed) = (value("input", &[1, 3]), value("weight", &[8, 3]));
        let graph = message(&[(GRAPH_INITIALIZER, &weight), (GRAPH_INPUT, &input), (GRAPH_INPUT, &listed)]);
        let expected = message(&[(GRAPH_INITIALIZER, &weight), (GRAPH_INPUT, &input)]);
        assert_eq!(constant_weights(&message(&[(MODEL_GRAPH, &graph)])).unwrap(), message(&[(MODEL_GRAPH, &expected)]));
        assert_eq!(constant_weights(b"plain text"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_edited_or_refused(bytes: Vec<u8>) {
            let whole = message(&[(MODEL_GRAPH, &bytes)]);
            for model in [&bytes, &whole] {
                let _ = (free_size(model, "input"), constant_weights(model));
            }
        }
    }

    #[test]
    fn what_is_not_a_protocol_buffer_is_refused() {
        assert_eq!(free_size(b"plain text, no model", "input"), None);
        assert_eq!(free_size(&[0xff; 40], "input"), None);
    }
}
