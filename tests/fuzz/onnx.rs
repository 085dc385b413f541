// SPDX-License-Identifier: MIT OR Apache-2.0
//! The edits of ONNX files, on valid models, broken models and other files.

use emotion_core::model::onnx::{constant_weights, free_size};

use crate::input::Input;
use crate::protobuf::{
    self, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_NAME, GRAPH_NODE, GRAPH_OUTPUT, GRAPH_VALUE_INFO, MODEL_GRAPH, MODEL_IR_VERSION, Message,
    SHAPE_DIM, TENSOR_NAME, TENSOR_TYPE_SHAPE, TYPE_TENSOR, VALUE_NAME, VALUE_TYPE, all, fields, value_info,
};

/// Names of inputs and weights, few enough that some are equal.
const NAMES: [&str; 4] = ["input", "weight", "", "Glück"];

/// Cases whose first byte is at least this are models; the committed files begin with less.
const BUILT: u8 = 0x80;

/// An edited file is still a valid message, not longer than before, and a second edit does not change it.
pub fn check(input: &mut Input) {
    let first = input.byte();
    let rest = input;
    let model = if first >= BUILT { built(rest).0 } else { [&[first], rest.bytes(usize::MAX)].concat() };
    for edited in [constant_weights(&model), free_size(&model, "input"), free_size(&model, "")] {
        let Some(edited) = edited else { continue };
        assert!(edited.len() <= model.len(), "{} bytes became {}", model.len(), edited.len());
        let (before, after) = (fields(&model).expect("only a message is edited"), fields(&edited).expect("a message"));
        let others = |fields: &[protobuf::Field<'_>]| fields.iter().filter(|field| field.0 != MODEL_GRAPH || field.1.is_none()).count();
        assert_eq!(others(&before), others(&after));
        let same = |(before, after): (&protobuf::Field<'_>, &protobuf::Field<'_>)| {
            before.0 == after.0 && (before.0 == MODEL_GRAPH || before.1 == after.1)
        };
        assert!(before.len() == after.len() && before.iter().zip(&after).all(same), "a field outside of the graph was changed");
    }
    if let Some(edited) = constant_weights(&model) {
        for graph in graphs(&edited) {
            let weights: Vec<_> = all(&graph, GRAPH_INITIALIZER).into_iter().filter_map(|weight| name(weight, TENSOR_NAME)).collect();
            let weight = |value: &&[u8]| name(value, VALUE_NAME).is_some_and(|name| weights.contains(&name));
            assert!(!all(&graph, GRAPH_INPUT).iter().any(weight), "a weight is still an input");
        }
        assert_eq!(constant_weights(&edited).as_ref(), Some(&edited), "a second time changes nothing");
    }
    if let Some(edited) = free_size(&model, "input") {
        for graph in graphs(&edited) {
            assert!(all(&graph, GRAPH_VALUE_INFO).is_empty());
            let free = |dims: Vec<&[u8]>| dims.iter().all(|dim| dim.is_empty());
            assert!(all(&graph, GRAPH_OUTPUT).into_iter().all(|output| free(dims(output))), "an output has a fixed axis");
        }
        assert_eq!(free_size(&edited, "input").as_ref(), Some(&edited), "a second time changes nothing");
    }
}

/// The graphs of a model.
fn graphs(model: &[u8]) -> Vec<Vec<protobuf::Field<'_>>> {
    let graphs = all(&fields(model).expect("a message"), MODEL_GRAPH);
    graphs.into_iter().map(|graph| fields(graph).expect("an edited graph is a message")).collect()
}

/// The first field with this number, if it is a name.
fn name(message: &[u8], number: u64) -> Option<&[u8]> {
    fields(message)?.into_iter().find(|field| field.0 == number)?.1
}

/// All dimensions of a `ValueInfoProto`.
fn dims(value: &[u8]) -> Vec<&[u8]> {
    [VALUE_TYPE, TYPE_TENSOR, TENSOR_TYPE_SHAPE, SHAPE_DIM].into_iter().fold(vec![value], |messages, number| {
        messages.into_iter().flat_map(|message| all(&fields(message).expect("a message"), number)).collect()
    })
}

/// A model of inputs, weights, outputs and other fields, in any order.
fn built(input: &mut Input) -> Message {
    let value = |input: &mut Input| {
        let axes = input.many(5, |input| (!input.one_in(3)).then(|| input.integer()));
        value_info(input.pick(&NAMES), &axes)
    };
    let graph = |input: &mut Input| {
        input.many(8, |input| input.byte()).into_iter().fold(Message::default(), |graph, kind| match kind % 7 {
            0 => graph.message(GRAPH_INPUT, value(input)),
            1 => graph.message(GRAPH_OUTPUT, value(input)),
            2 => graph.message(GRAPH_VALUE_INFO, value(input)),
            3 => graph.message(GRAPH_INITIALIZER, Message::default().bytes(TENSOR_NAME, input.pick(&NAMES))),
            4 => graph.bytes(GRAPH_NAME, input.bytes(6)),
            5 => graph.bytes(input.pick(&[GRAPH_NODE, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_INITIALIZER, 100]), input.bytes(12)),
            _ => graph.integer(input.integer() >> 4, input.integer()),
        })
    };
    let model = Message::default().integer(MODEL_IR_VERSION, input.integer());
    let model = (0..1 + input.below(2)).fold(model, |model, _| model.message(MODEL_GRAPH, graph(input)));
    if input.flag() { model.bytes(input.integer() >> 4, input.bytes(8)) } else { model }
}
