// SPDX-License-Identifier: MIT OR Apache-2.0
//! `emotionpublish` to a receiver of the VMC protocol: PyPI's python-osc, if it is installed in `target/osc`, as
//! `python3 -m venv target/osc && target/osc/bin/pip install python-osc` does.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use emotion_core::face_geometry::BLENDSHAPES;
use gst::prelude::*;
use gst_check::Harness;
use test_support::broker::free_port;
use test_support::gstreamer::init;
use test_support::{left_out, repository};

/// Prints each message as a line: address and arguments. Ends after the third `/VMC/Ext/Blend/Apply`.
const RECEIVER: &str = r#"
import sys
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer
applied = 0
def show(address, *arguments):
    global applied
    print(address, *arguments, flush=True)
    applied += address == "/VMC/Ext/Blend/Apply"
dispatcher = Dispatcher()
dispatcher.set_default_handler(show)
server = BlockingOSCUDPServer(("127.0.0.1", int(sys.argv[1])), dispatcher)
print("ready", flush=True)
while applied < 3:
    server.handle_request()
"#;

fn record(jaw_open: f32, yaw: f32) -> String {
    let shapes: Vec<String> =
        BLENDSHAPES.iter().map(|name| format!("\"{name}\":{}", if *name == "jawOpen" { jaw_open } else { 0.25 })).collect();
    let shapes = shapes.join(",");
    format!(
        r#"{{"type":"face","id":1,"box":{{"x":0,"y":0,"w":0.5,"h":0.5}},"pose":{{"yaw":{yaw},"pitch":0,"roll":0}},"blendshapes":{{{shapes}}}}}"#
    ) + "\n"
}

fn harness(port: u16, schema: &str) -> Harness {
    init();
    let location = format!("osc://127.0.0.1:{port}");
    let element = gst::ElementFactory::make("emotionpublish").property("location", location).build().expect("an element");
    let mut harness = Harness::with_element(&element, Some("sink"), None);
    harness.play();
    harness.set_src_caps_str(&format!("application/x-ndjson,schema={schema}"));
    harness
}

#[test]
fn an_avatar_program_receives_every_blendshape_of_every_frame() {
    let python = repository().join("target/osc/bin/python");
    if !python.exists() {
        return left_out::note("python-osc is not installed in target/osc");
    }
    let port = free_port();
    let mut receiver = Command::new(python);
    let mut receiver = receiver.args(["-c", RECEIVER, &port.to_string()]).stdout(Stdio::piped()).spawn().expect("python starts");
    let mut lines = BufReader::new(receiver.stdout.take().expect("its output")).lines().map(|line| line.expect("text"));
    assert_eq!(lines.next().as_deref(), Some("ready"));
    let mut harness = harness(port, "faces");
    for frame in 0..3_u8 {
        let text = record(f32::from(frame) / 4.0, 30.0);
        harness.push(gst::Buffer::from_slice(text.into_bytes())).expect("it never blocks");
    }
    let lines: Vec<String> = lines.collect();
    assert!(receiver.wait().expect("it ends").success());
    let values = |name: &str| {
        let prefix = format!("/VMC/Ext/Blend/Val {name} ");
        lines.iter().filter_map(|line| line.strip_prefix(&prefix)?.parse::<f32>().ok()).collect::<Vec<_>>()
    };
    assert_eq!(values("jawOpen"), [0.0, 0.25, 0.5]);
    assert!(BLENDSHAPES.iter().all(|name| values(name).len() == 3), "{lines:?}");
    let head = lines.iter().find_map(|line| line.strip_prefix("/VMC/Ext/Bone/Pos Head ")).expect("the head");
    let head: Vec<f32> = head.split(' ').map(|number| number.parse().expect("a number")).collect();
    assert!(head.len() == 7 && (head[4] + 15_f32.to_radians().sin()).abs() < 1e-3, "{head:?}");
    let stats = harness.element().expect("an element").property::<gst::Structure>("stats");
    assert_eq!((stats.get::<u64>("sent"), stats.get::<u64>("dropped")), (Ok(3), Ok(0)));
}

#[test]
fn records_of_another_kind_are_refused() {
    let mut harness = harness(free_port(), "events");
    assert_eq!(harness.push(gst::Buffer::from_slice(b"{}\n".to_vec())), Err(gst::FlowError::NotNegotiated));
}
