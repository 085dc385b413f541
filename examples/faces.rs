// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads faces and their apparent expressions in an application: prints a line for each face in each frame of a file.
//!
//! ```text
//! cargo run --example faces clip.mp4
//! ```

use gst::prelude::*;

const LINE: &str =
    "filesrc name=file ! decodebin ! videoconvert ! emotionfacedetect ! emotionclassify ! fakesink name=out signal-handoffs=true";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Prints the faces in the metadata of a frame; `docs/metadata.md` lists the fields.
fn print_faces(frame: &gst::BufferRef) -> Result<()> {
    let Ok(meta) = gst::meta::CustomMeta::from_buffer(frame, "GstEmotionMeta") else { return Ok(()) };
    for face in meta.structure().get::<gst::ArrayRef>("faces")?.iter() {
        let face = face.get::<&gst::StructureRef>()?;
        let side = |name: &str| face.get::<f64>(name); // as a share of the frame's width or height
        let (x, y, w, h) = (side("x")?, side("y")?, side("w")?, side("h")?);
        let label = face.get::<&str>("label").unwrap_or("not classified yet");
        let confidence = face.get::<f64>("confidence").unwrap_or_default();
        println!("face {} at {x:.2},{y:.2} {w:.2}x{h:.2}: {label} {confidence:.2}", face.get::<i32>("id")?);
    }
    Ok(())
}

fn main() -> Result<()> {
    gst::init()?;
    let file = std::env::args().nth(1).ok_or("usage: faces FILE")?;
    let pipeline = gst::parse::launch(LINE)?.downcast::<gst::Pipeline>().map_err(|_| "not a pipeline")?;
    pipeline.by_name("file").ok_or("no source")?.set_property("location", &file);
    let out = pipeline.by_name("out").ok_or("no sink")?;
    out.connect("handoff", false, |arguments| {
        let printed = arguments[1].get::<gst::Buffer>().map_err(Into::into).and_then(|frame| print_faces(&frame));
        printed.unwrap_or_else(|error| eprintln!("{error}"));
        None
    });
    // If the start fails, the reason is on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let bus = pipeline.bus().ok_or("no bus")?;
    let end = bus.timed_pop_filtered(None, &[gst::MessageType::Eos, gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null)?;
    match end.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().to_string().into()),
        _ => Ok(()),
    }
}
