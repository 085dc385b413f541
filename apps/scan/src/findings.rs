// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is known about a file, a slice of it, and a face: the values between workers, journal and tables.

use std::path::{Path, PathBuf};

use emotion_core::behaviour::FaceSigns;
use emotion_core::behaviour::face_states::lids;
use emotion_core::face_geometry::{Blendshapes, FaceGeometry, HeadPose};
use emotion_core::record::{EmotionResult, FaceRecord};
use emotion_records::rounding::{angle, coordinate, score};
use serde::{Deserialize, Serialize};

use crate::platform;

/// The name of a file in the tables, and its version. A file with another key is examined again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileKey {
    /// The path as it was given, or found in a folder; the URL without secrets. Bytes that are not UTF-8 are written as `\xFF`.
    pub name: String,
    /// The bytes of a path that is not UTF-8, or on Windows not UTF-16, in hex; `None` for other paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Box<str>>,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// The version that a server gives; `None` for local files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<Box<str>>,
}

impl FileKey {
    /// The key of a local file.
    pub fn local(path: &Path, size: u64, modified_ns: i64) -> Self {
        let name = path.as_os_str().as_encoded_bytes().utf8_chunks().map(|chunk| {
            let other: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")).collect();
            format!("{}{other}", chunk.valid())
        });
        let hex = || -> Box<str> { platform::bytes_of(path).iter().map(|byte| format!("{byte:02x}")).collect() };
        Self { name: name.collect(), bytes: path.to_str().is_none().then(hex), size, modified_ns, etag: None }
    }

    /// The path of a local file.
    pub fn path(&self) -> PathBuf {
        let digits = self.bytes.as_deref().map_or(&[][..], str::as_bytes);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        match digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>() {
            Some(bytes) if !bytes.is_empty() => platform::path_of(bytes),
            _ => self.name.clone().into(),
        }
    }
}

/// What a file contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A picture.
    Photo,
    /// A video.
    Video,
    /// Anything else: sound, text, an archive.
    Other,
}

impl Kind {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::Other => "other",
        }
    }
}

/// What is known about a file before its frames are examined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileFacts {
    /// `None` if the file could not be opened.
    pub kind: Option<Kind>,
    /// Length of a video, if its container has it.
    pub length_ns: Option<u64>,
    /// Position in the stream of time 0, if a video is read from its beginning because seeks would change the times of its frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin_ns: Option<u64>,
    /// Number of videos in the file, of which one is examined; `None` for other files.
    #[serde(default)]
    pub video_tracks: Option<u32>,
    /// Start of each slice, in nanoseconds of the file's time. The first one is 0. Empty if the file is not examined.
    pub slices: Vec<u64>,
    /// Why the file could not be opened.
    pub error: Option<String>,
}

/// The result of one slice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SliceResult {
    /// Number of frames in the slice, those that are missing included.
    pub frames: u64,
    /// Number of frames that were examined.
    pub examined: u64,
    /// Number of frames that were decoded, the run-up included.
    #[serde(default)]
    pub decoded: u64,
    /// Times of the examined frames, if they are not the first ones of their intervals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times_ns: Vec<u64>,
    /// Start and end of the spans that were examined after a first look, in nanoseconds of the file's time; `u64::MAX` is the
    /// end of the file. `None` if there was no first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spans_ns: Option<Vec<(u64, u64)>>,
    /// Frames that are missing between those of the slice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// Where the last frame of the slice of a video ends, in nanoseconds of the file's time; `None` if it was not examined to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ns: Option<u64>,
    /// Width and height of the last upright frame, in pixels.
    pub size: Option<(u32, u32)>,
    /// Degrees by which the frames were turned clockwise before they were searched. Boxes do not include this turn.
    #[serde(default)]
    pub turn: u16,
    /// Classes of the expression model; empty if no face was scored.
    pub labels: Vec<String>,
    /// The faces, in the order of the frames.
    pub faces: Vec<Face>,
    /// Why the slice was not examined to its end.
    pub error: Option<String>,
}

/// Frames that are missing at the constant rate of a video, in nanoseconds of the file's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Time of the first of them.
    pub start_ns: u64,
    /// Time of the frame behind them.
    pub end_ns: u64,
    /// Their number.
    pub frames: u64,
}

/// A face on an examined frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// Number of frames of the slice before this one, those that are missing included.
    pub frame: u64,
    /// Position of the frame in the file, in nanoseconds.
    pub time_ns: u64,
    /// Track within the slice, from 1 in the order of appearance; `None` if faces are not tracked.
    pub track: Option<u32>,
    /// Left, top, width and height in 0..1 of the upright frame.
    pub rect: [f32; 4],
    /// The detector's confidence, 0..1.
    pub confidence: Option<f32>,
    /// Name of the detector's model.
    pub detector: Option<String>,
    /// x and y of the right eye, left eye, nose, right and left corner of the mouth, in 0..1 of the frame.
    pub landmarks: Option<[f32; 10]>,
    /// Apparent expression, or `unknown`.
    pub label: Option<String>,
    /// Why the label is `unknown`: `uncertain`, `small` or `turned`.
    #[serde(default)]
    pub reason: Option<String>,
    /// Score of the label; of `unknown`, the highest score. `None` if the face is too small to be scored.
    pub score: Option<f32>,
    /// The most probable class after the label.
    #[serde(default)]
    pub second: Option<String>,
    /// Score of each class; empty if the face was not scored.
    pub scores: Vec<f32>,
    /// Seconds that the face's own baseline rests on, to which the scores are relative; `None` if they are relative to all people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f32>,
    /// Its geometry, if that was asked for and the face is large enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<Geometry>,
}

/// The geometry of a face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// Yaw, pitch and roll in degrees, in the picture as it was searched.
    pub pose: [f32; 3],
    /// How far the geometry is to be trusted, 0..1.
    pub trust: f32,
    /// The blendshapes in the order of their names, 0..1.
    pub blendshapes: Vec<f32>,
    /// x and y of each landmark, in 0..1 of the frame.
    pub landmarks: Vec<f32>,
}

impl Geometry {
    /// The numbers of `geometry`, rounded as `emotionexport` does.
    fn new(geometry: &FaceGeometry) -> Self {
        Self {
            pose: geometry.pose.to_array().map(stored(angle)),
            trust: score(geometry.trust) as f32,
            blendshapes: geometry.blendshapes.0.map(stored(score)).into(),
            landmarks: geometry.landmarks_norm.0.iter().flat_map(|point| [point.x, point.y]).map(stored(coordinate)).collect(),
        }
    }

    /// What facing the camera and blinking depend on.
    pub fn signs(&self) -> FaceSigns {
        let [yaw, pitch, roll] = self.pose;
        let mut shapes = Blendshapes::default();
        shapes.0.iter_mut().zip(&self.blendshapes).for_each(|(shape, value)| *shape = *value);
        FaceSigns { pose: HeadPose { yaw, pitch, roll }, lids: lids(&shapes), trust: self.trust }
    }
}

impl Face {
    /// The face of `record` on frame `frame` at `time_ns`. Numbers are rounded as `emotionexport` does.
    pub fn new(record: &FaceRecord, frame: u64, time_ns: u64, track: Option<u32>) -> Self {
        let (rect, detection, emotion) = (record.rect_norm, record.detection.as_ref(), record.expression());
        let scored = emotion.filter(|emotion| emotion.is_scored());
        let landmarks = detection.and_then(|detection| detection.landmarks_norm);
        Self {
            frame,
            time_ns,
            track,
            rect: [rect.x, rect.y, rect.w, rect.h].map(stored(coordinate)),
            confidence: detection.map(|detection| score(detection.confidence) as f32),
            detector: detection.map(|detection| detection.model_name.to_string()).filter(|name| !name.is_empty()),
            landmarks: landmarks.map(|landmarks| {
                let numbers: Vec<f32> = landmarks.0.iter().flat_map(|point| [point.x, point.y]).map(stored(coordinate)).collect();
                std::array::from_fn(|index| numbers[index])
            }),
            label: emotion.map(|emotion| emotion.label().to_owned()),
            reason: emotion.and_then(|emotion| emotion.reason).map(|reason| reason.as_str().to_owned()),
            score: scored.map(|emotion| score(emotion.confidence()) as f32),
            second: scored.and_then(EmotionResult::second).map(str::to_owned),
            scores: scored.map_or_else(Vec::new, |emotion| emotion.scores.as_slice().iter().copied().map(stored(score)).collect()),
            baseline: scored.and_then(|emotion| emotion.scores.baseline()).map(|rests_on| score(rests_on.as_secs_f32()) as f32),
            geometry: record.geometry.as_deref().map(Geometry::new),
        }
    }
}

/// A number as it is stored.
fn stored<N>(rounded: impl Fn(N) -> f64) -> impl Fn(N) -> f32 {
    move |number| rounded(number) as f32
}

#[cfg(test)]
pub(crate) mod tests {
    use emotion_core::face_geometry::blendshapes;

    use super::*;

    /// A face of a video with one frame a second.
    pub(crate) fn face(frame: u64, label: &str, scores: &[f32]) -> Face {
        Face {
            frame,
            time_ns: frame * 1_000_000_000,
            track: Some(1),
            rect: [0.5, 0.5, 0.25, 0.25],
            confidence: Some(0.9),
            detector: Some("face".into()),
            landmarks: None,
            label: Some(label.into()),
            reason: None,
            score: scores.iter().copied().reduce(f32::max),
            second: None,
            scores: scores.to_vec(),
            baseline: None,
            geometry: None,
        }
    }

    /// The face with a yaw and with both lids closed this far.
    pub(crate) fn posed(face: Face, yaw: f32, lids: f32) -> Face {
        let mut shapes = Blendshapes::default();
        ["eyeBlinkLeft", "eyeBlinkRight"].iter().for_each(|name| shapes.0[blendshapes::index(name).unwrap()] = lids);
        Face {
            geometry: Some(Geometry { pose: [yaw, 0.0, 0.0], trust: 0.9, blendshapes: shapes.0.into(), landmarks: vec![0.5, 0.25] }),
            ..face
        }
    }

    #[test]
    fn numbers_are_rounded_as_in_exports() {
        assert_eq!(coordinate(1.0 / 3.0).to_string(), "0.33333");
        assert_eq!(score(0.93456).to_string(), "0.9346");
        assert_eq!(coordinate(-0.000_001).to_string(), "0");
    }

    #[cfg(unix)]
    #[test]
    fn each_path_has_a_key_of_its_own() {
        let paths = [&b"a/\xff.jpg"[..], b"a/\xfe.jpg", b"a/\\xFF.jpg", "a/\u{fffd}.jpg".as_bytes(), b"a/b.jpg"];
        let paths = paths.map(|bytes| platform::path_of(bytes.to_vec()));
        let keys = paths.each_ref().map(|path| FileKey::local(path, 1, 2));
        for (number, key) in keys.iter().enumerate() {
            let read: FileKey = serde_json::from_str(&serde_json::to_string(key).unwrap()).unwrap();
            assert_eq!((&read, read.path()), (key, paths[number].clone()));
            assert!(keys[..number].iter().all(|other| other != key), "{key:?}");
        }
        assert!(keys[0].name == "a/\\xFF.jpg" && keys[1].name == "a/\\xFE.jpg" && keys[4].bytes.is_none());
    }

    #[test]
    fn numbers_survive_the_journal() {
        let numbers = [0.1_f32, 0.33333, 0.9346, 1e-5];
        let text = serde_json::to_string(&numbers).unwrap();
        assert_eq!(text, "[0.1,0.33333,0.9346,0.00001]");
        assert_eq!(serde_json::from_str::<[f32; 4]>(&text).unwrap(), numbers);
    }
}
