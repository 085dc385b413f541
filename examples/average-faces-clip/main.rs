// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes the demo clip to standard output: ten seconds of RGB frames, 640x480 pixels, 30 frames per second.
//!
//! ```text
//! cargo run --release --package average-faces-clip |
//!     gst-launch-1.0 fdsrc fd=0 ! rawvideoparse format=rgb width=640 height=480 framerate=30/1 ! videoconvert ! autovideosink
//! ```
//! `average-faces-clip FRAMES FACES WIDTHxHEIGHT` writes frames with a number of faces that do not move.

#[path = "../../tests/support/average_faces.rs"]
#[allow(dead_code)]
mod average_faces;

use std::io::{BufWriter, Write};

use average_faces::{Key, Scene};
use emotion_core::scores::FERPLUS_LABELS;

const FRAMES_PER_SECOND: f32 = 30.0;

/// One face goes through four expressions. Two more enter, and one of them leaves again.
fn demo() -> Scene {
    Scene::new(640, 480)
        .actor(vec![
            Key::new(5.0, (720.0, 190.0), 150.0, "neutral"),
            Key::new(6.0, (540.0, 170.0), 150.0, "neutral"),
            Key::new(6.7, (535.0, 170.0), 150.0, "happiness"),
            Key::new(8.0, (530.0, 168.0), 150.0, "happiness"),
            Key::new(9.2, (730.0, 180.0), 150.0, "happiness"),
        ])
        .actor(vec![
            Key::new(5.6, (-80.0, 210.0), 136.0, "neutral"),
            Key::new(6.8, (104.0, 200.0), 136.0, "neutral"),
            Key::new(7.6, (108.0, 200.0), 138.0, "surprise"),
            Key::new(8.8, (110.0, 202.0), 138.0, "surprise"),
            Key::new(9.4, (112.0, 202.0), 140.0, "anger"),
            Key::new(10.0, (112.0, 202.0), 140.0, "anger"),
        ])
        .actor(vec![
            Key::new(0.0, (320.0, 236.0), 250.0, "neutral"),
            Key::new(1.2, (322.0, 232.0), 252.0, "neutral"),
            Key::new(1.8, (326.0, 230.0), 254.0, "happiness"),
            Key::new(3.0, (330.0, 232.0), 258.0, "happiness"),
            Key::new(3.5, (328.0, 230.0), 260.0, "surprise"),
            Key::new(4.6, (322.0, 232.0), 256.0, "surprise"),
            Key::new(5.4, (318.0, 238.0), 250.0, "sadness"),
            Key::new(7.4, (316.0, 244.0), 246.0, "sadness"),
            Key::new(8.2, (318.0, 240.0), 248.0, "neutral"),
            Key::new(10.0, (320.0, 238.0), 250.0, "happiness"),
        ])
}

/// Faces that do not move, in rows that fill the frame.
fn still_faces(faces: u32, width: u32, height: u32) -> Scene {
    let columns = (faces as f32 * width as f32 / height as f32).sqrt().ceil().max(1.0) as u32;
    let step = (width as f32 / columns as f32, height as f32 / faces.div_ceil(columns).max(1) as f32);
    (0..faces).fold(Scene::new(width as usize, height as usize), |scene, face| {
        let center = (((face % columns) as f32 + 0.5) * step.0, ((face / columns) as f32 + 0.5) * step.1);
        let expression = FERPLUS_LABELS[face as usize % FERPLUS_LABELS.len()];
        scene.actor([0.0, 600.0].map(|time| Key::new(time, center, 0.8 * step.0.min(step.1), expression)).into())
    })
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &String| text.parse::<u32>().expect("a number");
    let frames = arguments.first().map(|frames| number(frames) as usize);
    let scene = match &arguments[arguments.len().min(1)..] {
        [] => demo(),
        [faces, size] => {
            let (width, height) = size.split_once('x').expect("WIDTHxHEIGHT");
            still_faces(number(faces), number(&width.into()), number(&height.into()))
        }
        _ => panic!("usage: average-faces-clip [FRAMES [FACES WIDTHxHEIGHT]]"),
    };
    let frames = frames.unwrap_or((scene.duration_s() * FRAMES_PER_SECOND) as usize);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for frame in 0..frames {
        out.write_all(&scene.render(frame as f32 / FRAMES_PER_SECOND))?;
    }
    out.flush()
}
