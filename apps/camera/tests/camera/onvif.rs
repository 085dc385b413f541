// SPDX-License-Identifier: MIT OR Apache-2.0
//! ONVIF metadata by RTSP, as a client receives it in RTP packets.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use test_support::broker::free_port;
use test_support::fetched;

use crate::service::{clip, folder};
use crate::support::{link_streams, start, wait_for_line, wait_until};

/// Width of the first box of a document as a share of its height. Both are of a picture that reaches from -1 to 1.
fn proportion(document: &str) -> Option<f64> {
    let (_, shape) = document.split_once("<tt:BoundingBox")?;
    let side = |name: &str| shape.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0.parse::<f64>().ok();
    Some((side("right")? - side("left")?) / (side("top")? - side("bottom")?))
}

#[test]
fn a_client_receives_the_faces_as_onvif_documents() {
    if !fetched("centerface") {
        return;
    }
    let folder = folder("onvif");
    let clip = clip(&folder);
    let listen = format!("127.0.0.1:{}", free_port());
    let options = ["--rtsp-listen", &listen, "--rtsp-onvif", "true", "--loop", "--name", "door"];
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_emotion-camera"));
    let (_camera, lines) = start(program, &[&options[..], &[clip.to_str().unwrap()]].concat());
    wait_for_line(&lines, "serving");

    let line = format!("rtspsrc name=camera location=rtsp://{listen}/faces protocols=tcp latency=0 fakesink name=packets sync=false");
    let client = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    link_streams(&client, "camera", &[("VND.ONVIF.METADATA", "packets")]);
    let pad = client.by_name("packets").and_then(|sink| sink.static_pad("sink")).unwrap();
    let received: Arc<Mutex<Vec<String>>> = Arc::new(Mutex::new(vec![String::new()]));
    let documents = received.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let packet = info.buffer().unwrap();
        let rtp = gst_rtp::RTPBuffer::from_buffer_readable(packet).unwrap();
        let mut documents = documents.lock().unwrap();
        documents.last_mut().unwrap().push_str(std::str::from_utf8(rtp.payload().unwrap()).unwrap());
        if rtp.is_marker() {
            documents.push(String::new());
        }
        gst::PadProbeReturn::Ok
    });
    client.set_state(gst::State::Playing).unwrap();
    wait_until("documents with a face", || {
        let documents = received.lock().unwrap();
        documents.iter().filter(|document| document.contains("<fc:Expression>Smile</fc:Expression>")).count() > 3
    });
    let caps = pad.current_caps().unwrap();
    client.set_state(gst::State::Null).unwrap();
    assert_eq!(caps.structure(0).unwrap().get::<i32>("clock-rate"), Ok(90_000), "{caps}");
    let mut documents = std::mem::take(&mut *received.lock().unwrap());
    // The last one may be cut off.
    documents.pop();
    // The face is about four fifths as wide as high. With borders at the sides of the picture, the box would be narrower in it.
    let proportions: Vec<f64> = documents.iter().filter_map(|document| proportion(document)).collect();
    assert!(!proportions.is_empty() && proportions.iter().all(|share| (0.56..0.72).contains(share)), "{proportions:?}");
    for document in documents {
        assert!(document.starts_with("<?xml ") && document.ends_with("</tt:MetadataStream>\n"), "{document}");
        assert!(document.contains(r#"UtcTime="20"#), "the time of day: {document}");
    }
}
