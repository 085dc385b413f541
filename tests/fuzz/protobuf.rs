// SPDX-License-Identifier: MIT OR Apache-2.0
//! The part of protocol buffers that is needed to write ONNX files and to read them back.

/// Fields of `onnx.proto`.
pub const MODEL_IR_VERSION: u64 = 1;
pub const MODEL_GRAPH: u64 = 7;
pub const MODEL_OPSETS: u64 = 8;
pub const OPSET_VERSION: u64 = 2;
pub const GRAPH_NODE: u64 = 1;
pub const GRAPH_NAME: u64 = 2;
pub const GRAPH_INITIALIZER: u64 = 5;
pub const GRAPH_INPUT: u64 = 11;
pub const GRAPH_OUTPUT: u64 = 12;
pub const GRAPH_VALUE_INFO: u64 = 13;
pub const VALUE_NAME: u64 = 1;
pub const VALUE_TYPE: u64 = 2;
pub const TYPE_TENSOR: u64 = 1;
pub const TENSOR_TYPE_ELEMENT: u64 = 1;
pub const TENSOR_TYPE_SHAPE: u64 = 2;
pub const SHAPE_DIM: u64 = 1;
pub const DIM_VALUE: u64 = 1;
pub const TENSOR_DIMS: u64 = 1;
pub const TENSOR_ELEMENT: u64 = 2;
pub const TENSOR_NAME: u64 = 8;
pub const TENSOR_RAW: u64 = 9;
pub const NODE_INPUT: u64 = 1;
pub const NODE_OUTPUT: u64 = 2;
pub const NODE_OP: u64 = 4;
pub const NODE_ATTRIBUTE: u64 = 5;
pub const ATTRIBUTE_NAME: u64 = 1;
pub const ATTRIBUTE_INTEGER: u64 = 3;
pub const ATTRIBUTE_TYPE: u64 = 20;
/// Values of `TensorProto.DataType` and `AttributeProto.AttributeType`.
pub const FLOAT: u64 = 1;
pub const INT64: u64 = 7;
pub const INTEGER: u64 = 2;

/// A message that is built field by field.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn bytes(mut self, field: u64, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref();
        self.varint(field << 3 | 2);
        self.varint(payload.len() as u64);
        self.0.extend_from_slice(payload);
        self
    }

    pub fn message(self, field: u64, message: Message) -> Self {
        self.bytes(field, message.0)
    }

    pub fn integer(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// A `ValueInfoProto` of a tensor of floats; an axis of any length is none.
pub fn value_info(name: &str, axes: &[Option<u64>]) -> Message {
    let dim = |axis: &Option<u64>| axis.map_or(Message::default(), |length| Message::default().integer(DIM_VALUE, length));
    let shape = axes.iter().fold(Message::default(), |shape, axis| shape.message(SHAPE_DIM, dim(axis)));
    let tensor = Message::default().integer(TENSOR_TYPE_ELEMENT, FLOAT).message(TENSOR_TYPE_SHAPE, shape);
    Message::default().bytes(VALUE_NAME, name).message(VALUE_TYPE, Message::default().message(TYPE_TENSOR, tensor))
}

/// Number and payload of a field; integers have none.
pub type Field<'a> = (u64, Option<&'a [u8]>);

/// The fields of a message; none if it is invalid. This reader is independent of the one that is fuzzed.
pub fn fields(mut message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let length = match key & 7 {
            0 => {
                varint(&mut message)?;
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let payload = message.get(..length)?;
        message = &message[length..];
        found.push((key >> 3, (key & 7 == 2).then_some(payload)));
    }
    Some(found)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let length = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)? + 1;
    let value = bytes[..length].iter().rev().fold(0u64, |value, byte| value << 7 | u64::from(byte & 0x7f));
    *bytes = &bytes[length..];
    Some(value)
}

/// The payloads of all fields with this number.
pub fn all<'a>(fields: &[Field<'a>], number: u64) -> Vec<&'a [u8]> {
    fields.iter().filter(|field| field.0 == number).filter_map(|field| field.1).collect()
}
