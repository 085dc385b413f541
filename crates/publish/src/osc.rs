// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blendshapes and head pose for avatar programs, by the VMC protocol over OSC.
//!
//! | message | arguments | meaning |
//! |---|---|---|
//! | `/VMC/Ext/OK` | 1 | the sender has a face |
//! | `/VMC/Ext/Blend/Val` | name, 0..1 | one of ARKit's 52 blendshapes |
//! | `/VMC/Ext/Blend/Apply` | | all blendshapes of the frame were sent |
//! | `/VMC/Ext/Bone/Pos` | `Head`, position, quaternion | rotation of the head in Unity's axes: x to the avatar's right, y up, z forward |
//!
//! An avatar follows one face: the largest one, until it leaves. Packets are sent at once, and
//! nobody confirms them: a receiver that is not there yet misses them.

use std::net::{ToSocketAddrs, UdpSocket};

use emotion_records::{ByLabel, FaceLine, Geometry, Pose, Text};
use parking_lot::Mutex;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType, encoder};

use crate::counts::Counts;
use crate::error::{Error, Result};
use crate::location::Location;

/// Messages in one packet. With more, a packet would exceed what Ethernet takes in one piece.
const MESSAGES_PER_PACKET: usize = 20;
/// A bundle with this time is for now.
const NOW: OscTime = OscTime { seconds: 0, fractional: 1 };

/// Names and activations.
type Blendshapes<'a> = ByLabel<Text<'a>, f64>;

/// What happened to the records of one frame.
#[derive(Debug)]
pub enum Sent {
    /// The packets are on their way.
    Packets,
    /// No face has blendshapes.
    NoGeometry,
    /// The operating system refused a packet, for example since nobody listens.
    Failed(std::io::Error),
}

/// Sends the records of faces to one receiver.
pub struct OscSender {
    socket: UdpSocket,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Id of the face that the avatar follows.
    followed: Option<u64>,
    counts: Counts,
}

impl OscSender {
    /// A sender to the host and port of `location`.
    ///
    /// # Errors
    /// [`Error::Receiver`] if the host is unknown or the operating system gives no socket.
    pub fn open(location: &Location) -> Result<Self> {
        let error = |source| Error::Receiver { receiver: format!("{}:{}", location.host, location.port), source };
        let unknown = || std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
        let address = (location.host_without_brackets(), location.port).to_socket_addrs().map_err(error)?.next();
        let address = address.ok_or_else(unknown).map_err(error)?;
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).map_err(error)?;
        socket.connect(address).map_err(error)?;
        // A full buffer must not hold up the stream.
        socket.set_nonblocking(true).map_err(error)?;
        Ok(Self { socket, state: Mutex::default() })
    }

    /// Sends one of the faces of a frame, given all records of it, a line each.
    pub fn send(&self, text: &[u8]) -> Sent {
        let mut state = self.state.lock();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let faces: Vec<FaceLine<'_>> = lines.clone().filter_map(|line| serde_json::from_slice(line).ok()).collect();
        state.counts.exported += lines.count() as u64;
        let chosen = choose(&faces, state.followed);
        state.followed = chosen.and_then(|face| face.id);
        let sent = match chosen.and_then(measured) {
            None => Sent::NoGeometry,
            Some((shapes, pose)) => self.send_packets(&messages(shapes, pose)).map_or_else(Sent::Failed, |()| Sent::Packets),
        };
        state.counts.sent += u64::from(matches!(sent, Sent::Packets));
        state.counts.dropped = state.counts.exported - state.counts.sent;
        sent
    }

    /// Counts of records: records of the followed face are sent, all others dropped.
    pub fn counts(&self) -> Counts {
        self.state.lock().counts
    }

    fn send_packets(&self, messages: &[OscPacket]) -> std::io::Result<()> {
        for content in messages.chunks(MESSAGES_PER_PACKET) {
            let bundle = OscPacket::Bundle(OscBundle { timetag: NOW, content: content.to_vec() });
            let packet = encoder::encode(&bundle).map_err(|error| std::io::Error::other(format!("{error:?}")))?;
            self.socket.send(&packet)?;
        }
        Ok(())
    }
}

/// The blendshapes of a face and the pose of its head, if the record has both.
fn measured<'a>(face: &'a FaceLine<'_>) -> Option<(&'a Blendshapes<'a>, Pose)> {
    let Geometry { blendshapes, pose, .. } = face.geometry.as_ref()?;
    Some((blendshapes.as_ref()?, (*pose)?))
}

/// The face that is followed, or else the largest one, of those with blendshapes.
fn choose<'a, 'b>(faces: &'a [FaceLine<'b>], followed: Option<u64>) -> Option<&'a FaceLine<'b>> {
    let candidates = || faces.iter().filter(|face| measured(face).is_some());
    let area = |face: &FaceLine<'_>| face.r#box.w * face.r#box.h;
    let known = candidates().find(|face| face.id.is_some() && face.id == followed);
    known.or_else(|| candidates().max_by(|a, b| area(a).total_cmp(&area(b))))
}

fn message(address: &str, args: Vec<OscType>) -> OscPacket {
    OscPacket::Message(OscMessage { addr: address.to_owned(), args })
}

fn messages(shapes: &Blendshapes<'_>, pose: Pose) -> Vec<OscPacket> {
    let shape =
        |(name, value): (&str, f64)| message("/VMC/Ext/Blend/Val", vec![OscType::String(name.into()), OscType::Float(value as f32)]);
    let head = [0.0; 3].into_iter().chain(quaternion(pose)).map(OscType::Float);
    let head = [OscType::String("Head".into())].into_iter().chain(head).collect();
    let mut messages = vec![message("/VMC/Ext/OK", vec![OscType::Int(1)]), message("/VMC/Ext/Bone/Pos", head)];
    messages.extend(shapes.iter().map(shape));
    messages.push(message("/VMC/Ext/Blend/Apply", Vec::new()));
    messages
}

/// The rotation of the head as x, y, z, w in Unity's left-handed axes.
///
/// In the camera's axes (x to the right of the picture, which is the person's left) it is `Ry(yaw) Rx(-pitch) Rz(-roll)`. Unity's x
/// points the other way, so y and z of the quaternion change their signs.
fn quaternion(Pose { yaw, pitch, roll }: Pose) -> [f32; 4] {
    let [(sy, cy), (sx, cx), (sz, cz)] = [yaw, -pitch, -roll].map(|degrees| ((degrees as f32).to_radians() / 2.0).sin_cos());
    let x = cy * sx * cz + sy * cx * sz;
    let y = sy * cx * cz - cy * sx * sz;
    let z = cy * cx * sz - sy * sx * cz;
    let w = cy * cx * cz + sy * sx * sz;
    [x, -y, -z, w]
}

#[cfg(test)]
mod tests {
    use emotion_records::FaceBox;

    use super::*;

    /// A face, with or without blendshapes.
    fn record(id: u64, side: f64, has_shapes: bool) -> FaceLine<'static> {
        let blendshapes = has_shapes.then(ByLabel::default);
        let geometry = Some(Geometry { pose: Some(Pose::default()), blendshapes, ..Geometry::default() });
        FaceLine { id: Some(id), r#box: FaceBox { w: side, h: side, ..FaceBox::default() }, geometry, ..FaceLine::default() }
    }

    /// Where a vector in Unity's axes points after the rotation of the head.
    fn rotated([x, y, z, w]: [f32; 4], v: [f32; 3]) -> [f32; 3] {
        let cross = |a: [f32; 3], b: [f32; 3]| [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
        let axis = [x, y, z];
        let (t, mut out) = (cross(axis, v).map(|c| 2.0 * c), v);
        let u = cross(axis, t);
        (0..3).for_each(|n| out[n] += w * t[n] + u[n]);
        out
    }

    #[test]
    fn the_avatar_turns_as_the_person_does() {
        let (forward, up) = ([0.0, 0.0, 1.0], [0.0, 1.0, 0.0]);
        let of = |yaw, pitch, roll| quaternion(Pose { yaw, pitch, roll });
        assert!(rotated(of(30.0, 0.0, 0.0), forward)[0] < -0.49, "to the own left, which is negative x");
        assert!(rotated(of(0.0, 30.0, 0.0), forward)[1] > 0.49, "up");
        assert!(rotated(of(0.0, 0.0, 30.0), up)[0] < -0.49, "clockwise for a viewer is towards the own left");
        let nose = rotated(of(40.0, 20.0, 10.0), forward);
        let (yaw, pitch) = (40_f32.to_radians(), 20_f32.to_radians());
        let expected = [-yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()];
        assert!(nose.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{nose:?} instead of {expected:?}");
    }

    #[test]
    fn the_largest_face_is_followed_for_as_long_as_it_is_there() {
        let id = |faces: &[FaceLine<'_>], followed| choose(faces, followed).and_then(|face| face.id);
        let faces = [record(1, 0.2, true), record(2, 0.3, true), record(3, 0.9, false)];
        assert_eq!(id(&faces, None), Some(2), "the largest with blendshapes");
        assert_eq!(id(&faces, Some(1)), Some(1));
        assert_eq!(id(&faces, Some(7)), Some(2));
        assert_eq!(id(&faces[2..], Some(3)), None);
    }

    #[test]
    fn a_receiver_gets_every_blendshape_and_then_apply() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let location = Location::parse(&format!("osc://127.0.0.1:{}", receiver.local_addr().unwrap().port())).unwrap();
        let sender = OscSender::open(&location).unwrap();
        let shapes: Vec<String> = (0..52).map(|n| format!("\"shape{n:02}\":{}", f64::from(n) / 64.0)).collect();
        let face = format!(
            r#"{{"type":"face","frame":9,"id":4,"box":{{"x":0,"y":0,"w":0.5,"h":0.5}},"pose":{{"yaw":10,"pitch":0,"roll":0}},"blendshapes":{{{}}}}}"#,
            shapes.join(",")
        );
        assert!(matches!(sender.send(format!("{face}\n{{\"type\":\"frame\",\"faces\":0}}\n").as_bytes()), Sent::Packets));
        let mut received = Vec::new();
        let is_complete = |received: &[OscMessage]| received.last().is_some_and(|last| last.addr == "/VMC/Ext/Blend/Apply");
        while !is_complete(&received) {
            let mut packet = [0; 2048];
            let length = receiver.recv(&mut packet).unwrap();
            assert!(length <= 1472, "{length} bytes do not fit into an Ethernet frame");
            let (_, OscPacket::Bundle(bundle)) = rosc::decoder::decode_udp(&packet[..length]).unwrap() else { panic!("no bundle") };
            received.extend(bundle.content.into_iter().map(|packet| match packet {
                OscPacket::Message(message) => message,
                OscPacket::Bundle(_) => panic!("a bundle in a bundle"),
            }));
        }
        let values: Vec<_> = received.iter().filter(|message| message.addr == "/VMC/Ext/Blend/Val").collect();
        assert_eq!(values.len(), 52);
        assert_eq!(values[33].args, [OscType::String("shape33".into()), OscType::Float(33.0 / 64.0)]);
        assert!(received.iter().any(|message| message.addr == "/VMC/Ext/Bone/Pos" && message.args.len() == 8));
        let Counts { exported, sent, dropped, .. } = sender.counts();
        assert_eq!((exported, sent, dropped), (2, 1, 1));
        assert!(matches!(
            sender.send(b"{\"type\":\"face\",\"frame\":9,\"id\":4,\"box\":{\"x\":0,\"y\":0,\"w\":1,\"h\":1}}\n"),
            Sent::NoGeometry
        ));
    }
}
