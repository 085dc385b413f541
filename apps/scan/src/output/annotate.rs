// SPDX-License-Identifier: MIT OR Apache-2.0
//! Photos and videos with the faces of the tables drawn on them. Videos keep their sound.
//!
//! ```text
//! filesrc ! decodebin ! videoflip ! videoconvert ! emotionoverlay ! videoconvert ! encoder ! mp4mux ! filesink
//!                     ! audioconvert ! audioresample ! encoder ! mp4mux
//! ```
//!
//! Nothing is analysed again: a pad probe before the overlay attaches the faces of the journal to the frames.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use emotion_supervise::decoding::forbid_direct_rendering;
use emotion_supervise::encoding;
use gst::prelude::*;
use gstemotion::geometry::{Landmarks5, Point, Rect, Size};
use gstemotion::ids::track_id;
use gstemotion::meta;
use gstemotion::record::{DetectionInfo, EmotionResult, FaceRecord, SearchAge, UnknownReason};
use gstemotion::scores::{LabelSet, Scores};

use crate::decode::orientation;
use crate::error::Error;
use crate::findings::{Face, FileFacts, Kind, SliceResult};
use crate::inputs::{Copies, Input};
use crate::journal::Journal;
use crate::options::Options;
use crate::slices::plan::interval;
use crate::table::face_id;

/// Frames are at the times of the table up to this rounding.
const TIME_STEP_NS: u64 = 1_000_000;
/// Encoders of sound in the order of preference.
const SOUND_ENCODERS: [(&str, &str); 3] = [("fdkaacenc", "fdkaacenc"), ("avenc_aac", "avenc_aac"), ("voaacenc", "voaacenc")];

/// Draws the faces of all files into `folder`, under the names of the files. Finished files are not drawn again. Returns name
/// and error of each file that could not be drawn.
///
/// # Errors
/// If an encoder is missing, a file cannot be written, or a name would replace an input.
pub fn write(
    folder: &Path,
    options: &Options,
    inputs: &[Input],
    journal: &Arc<Journal>,
    copies: &Copies,
) -> Result<Vec<(String, String)>, Error> {
    let mut errors = Vec::new();
    for (file, input) in inputs.iter().enumerate() {
        let facts = journal.facts(&input.key).cloned().unwrap_or_default();
        let Some(kind @ (Kind::Photo | Kind::Video)) = facts.kind else { continue };
        let output = output_path(folder, input.path_of_results(), kind);
        if !is_drawn(&output, journal.folder()) {
            let results = Results::new(journal, input, facts, options.every);
            let drawn = copies.with(file, input, |path| match path {
                Ok(path) => draw(path, kind, &output, results, options.timeout),
                Err(error) => Ok(Err(error)),
            })?;
            errors.extend(drawn.err().map(|error| (output.to_string_lossy().into_owned(), error)));
        }
    }
    Ok(errors)
}

/// Refuses a folder in which drawn files would replace the inputs.
///
/// # Errors
/// If there is such a file.
pub fn check(folder: &Path, inputs: &[Input]) -> Result<(), Error> {
    let is_replaced = |input: &&Input| {
        let outputs = [Kind::Photo, Kind::Video].map(|kind| output_path(folder, input.path_of_results(), kind));
        let input = fs::canonicalize(&input.path);
        outputs.iter().any(|output| matches!((fs::canonicalize(output), &input), (Ok(output), Ok(input)) if output == *input))
    };
    match inputs.iter().find(is_replaced) {
        Some(input) => Err(Error::Option(format!("--annotated: {} would be replaced; choose another folder", input.path.display()))),
        None => Ok(()),
    }
}

/// `clips/a.mov` becomes `FOLDER/clips/a.mov.mp4`; names that already have the suffix keep it.
fn output_path(folder: &Path, input: &Path, kind: Kind) -> PathBuf {
    let parts = input.components().filter(|part| matches!(part, Component::Normal(_)));
    let mut path = folder.join(parts.collect::<PathBuf>()).into_os_string();
    let extension = input.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match (kind, extension.as_str()) {
        (Kind::Photo, "jpg" | "jpeg" | "png") | (Kind::Video, "mp4") => {}
        (Kind::Video, _) => path.push(".mp4"),
        _ => path.push(".png"),
    }
    path.into()
}

/// True if `output` was finished by this scan, perhaps before it was interrupted.
fn is_drawn(output: &Path, journal: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
    matches!((changed(output), changed(&journal.join("settings.json"))), (Ok(output), Ok(start)) if output >= start)
}

/// Writes one file, under a temporary name until it is whole. The inner error is that of the input.
fn draw(input: &Path, kind: Kind, output: &Path, results: Results, limit: Duration) -> Result<Result<(), String>, Error> {
    let parent = output.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(Error::at(parent))?;
    let part = output.with_extension("part");
    let pipeline = build(input, kind, output, &part, results).map_err(Error::Elements)?;
    let played = play(&pipeline, limit);
    let _ = pipeline.set_state(gst::State::Null);
    match played {
        Ok(()) => fs::rename(&part, output).map_err(Error::at(output)).map(Ok),
        Err(error) => {
            // Without its end, a video cannot be played.
            let _ = fs::remove_file(&part);
            Ok(Err(error))
        }
    }
}

/// Plays until the end. A pipeline whose position does not change for `limit` is given up.
fn play(pipeline: &gst::Pipeline, limit: Duration) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("a pipeline without a bus")?;
    let wait = gst::ClockTime::try_from(limit).unwrap_or(gst::ClockTime::MAX);
    let _ = pipeline.set_state(gst::State::Playing);
    let mut position = None;
    loop {
        let message = bus.timed_pop_filtered(wait, &[gst::MessageType::Eos, gst::MessageType::Error]);
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => return Err(error.error().to_string()),
            Some(_) => return Ok(()),
            None => {
                let now = pipeline.query_position::<gst::ClockTime>();
                if now == position {
                    return Err(format!("no progress within {} s", limit.as_secs_f64()));
                }
                position = now;
            }
        }
    }
}

fn build(input: &Path, kind: Kind, output: &Path, part: &Path, results: Results) -> Result<gst::Pipeline, String> {
    let (encode, mux) = match kind {
        Kind::Photo if output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) => {
            ("pngenc snapshot=true", "identity")
        }
        Kind::Photo => ("jpegenc quality=95 snapshot=true", "identity"),
        _ => (encoding::encoder().map_err(|error| error.to_string())?.recording, "mp4mux"),
    };
    let line = format!(
        "filesrc name=file ! decodebin name=decode \
         queue name=video ! videoflip name=flip video-direction=auto ! videoconvert ! emotionoverlay name=overlay ! videoconvert ! {encode} ! \
         queue ! {mux} name=mux ! filesink name=out"
    );
    let pipeline = gst::parse::launch(&line).map_err(|error| error.to_string())?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "expected a pipeline".to_owned())?;
    let element = |name: &str| pipeline.by_name(name).ok_or_else(|| format!("the pipeline has no {name}"));
    element("file")?.set_property("location", input);
    element("out")?.set_property("location", part);
    if let Some(direction) = orientation::of_photo(input).and_then(|tags| gst_video::VideoOrientationMethod::from_tag(&tags)) {
        element("flip")?.set_property("video-direction", direction);
    }
    attach(&element("overlay")?, results);
    let (video, mux, inner) = (element("video")?, element("mux")?, pipeline.downgrade());
    let sound = (kind == Kind::Video).then(|| installed(&SOUND_ENCODERS)).transpose()?;
    forbid_direct_rendering(&pipeline);
    element("decode")?.connect_pad_added(move |decode, pad| {
        let name = pad.current_caps().and_then(|caps| Some(caps.structure(0)?.name().to_string())).unwrap_or_default();
        let linked = match (name.as_str(), inner.upgrade()) {
            ("video/x-raw", _) => link_video(pad, &video),
            ("audio/x-raw", Some(pipeline)) => sound.map_or(Ok(()), |sound| add_sound(pad, &pipeline, &mux, sound)),
            _ => Ok(()),
        };
        if let Err(error) = linked {
            gst::element_error!(decode, gst::StreamError::Failed, ["{error}"]);
        }
    });
    Ok(pipeline)
}

/// The first encoder that is installed.
fn installed(encoders: &[(&str, &'static str)]) -> Result<&'static str, String> {
    let found = encoders.iter().find(|(name, _)| gst::ElementFactory::find(name).is_some());
    let names = || encoders.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.map(|(_, line)| *line).ok_or_else(|| format!("expected one of the encoders {}, found none", names()))
}

/// Links the first video.
fn link_video(pad: &gst::Pad, video: &gst::Element) -> Result<(), String> {
    let entry = video.static_pad("sink").ok_or("a queue without a pad")?;
    if entry.is_linked() { Ok(()) } else { pad.link(&entry).map(drop).map_err(|error| error.to_string()) }
}

/// Adds a sound track.
fn add_sound(pad: &gst::Pad, pipeline: &gst::Pipeline, mux: &gst::Element, encoder: &str) -> Result<(), String> {
    let line = format!("queue ! audioconvert ! audioresample ! {encoder} ! queue");
    let add = || -> Result<(), Box<dyn std::error::Error>> {
        let branch = gst::parse::bin_from_description(&line, true)?;
        pipeline.add(&branch)?;
        branch.link(mux)?;
        branch.sync_state_with_parent()?;
        let entry = branch.static_pad("sink").ok_or("a branch without a pad")?;
        pad.link(&entry)?;
        Ok(())
    };
    add().map_err(|error| error.to_string())
}

/// Attaches the faces to the frames that enter `overlay`.
fn attach(overlay: &gst::Element, results: Results) {
    let (Some(pad), results) = (overlay.static_pad("sink"), Mutex::new(results)) else { return };
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let video = pad.current_caps().and_then(|caps| gst_video::VideoInfo::from_caps(&caps).ok());
        let segment = pad.sticky_event::<gst::event::Segment>(0);
        if let (Some(video), Some(gst::PadProbeData::Buffer(buffer))) = (video, &mut info.data) {
            let segment = segment.as_ref().and_then(|event| event.segment().downcast_ref::<gst::ClockTime>().cloned());
            let time = buffer.pts().map(|pts| segment.and_then(|segment| segment.to_stream_time(pts)).unwrap_or(pts));
            let size = Size::new(video.width(), video.height());
            let faces = results.lock().unwrap_or_else(PoisonError::into_inner).faces_at(time.map_or(0, gst::ClockTime::nseconds));
            let buffer = buffer.make_mut();
            meta::write_search(buffer, size, &faces, SearchAge::Ago(Duration::ZERO));
            meta::write_emotions(buffer, size, &faces);
        }
        gst::PadProbeReturn::Ok
    });
}

/// The faces of a file by time. One slice of it is in memory.
struct Results {
    journal: Arc<Journal>,
    input: Input,
    facts: FileFacts,
    every: Option<Duration>,
    slice: Option<usize>,
    labels: LabelSet,
    faces: BTreeMap<u64, Vec<FaceRecord>>,
}

impl Results {
    fn new(journal: &Arc<Journal>, input: &Input, facts: FileFacts, every: Option<Duration>) -> Self {
        let labels = LabelSet::new(journal.labels().iter().cloned());
        Self { journal: journal.clone(), input: input.clone(), facts, every, slice: None, labels, faces: BTreeMap::new() }
    }

    /// The faces of the frame at `time_ns`, or of the examined frame of its interval.
    fn faces_at(&mut self, time_ns: u64) -> Vec<FaceRecord> {
        let slice = self.facts.slices.partition_point(|start| *start <= time_ns).saturating_sub(1);
        if self.slice != Some(slice) {
            self.load(slice);
        }
        self.faces.get(&self.key(time_ns)).cloned().unwrap_or_default()
    }

    /// Replaces the faces by those of another slice. The last ones stay, since their interval may not have ended.
    fn load(&mut self, slice: usize) {
        let last = self.faces.pop_last();
        self.faces = last.into_iter().collect();
        // Without its results, a slice is drawn without faces, as one without anybody.
        let result: SliceResult = self.journal.slice(&self.input.key, slice).ok().flatten().unwrap_or_default();
        for face in &result.faces {
            let record = record(face, face_id(slice, face), &self.labels);
            self.faces.entry(self.key(face.time_ns)).or_default().push(record);
        }
        self.slice = Some(slice);
    }

    fn key(&self, time_ns: u64) -> u64 {
        self.every.map_or((time_ns + TIME_STEP_NS / 2) / TIME_STEP_NS, |every| interval(time_ns, every))
    }
}

/// The inverse of `Face::new`.
fn record(face: &Face, id: Option<u64>, labels: &LabelSet) -> FaceRecord {
    let [x, y, w, h] = face.rect;
    let detection = face.confidence.map(|confidence| DetectionInfo {
        confidence,
        landmarks_norm: face.landmarks.map(|at| Landmarks5(std::array::from_fn(|n| Point::new(at[2 * n], at[2 * n + 1])))),
        model_name: face.detector.as_deref().unwrap_or_default().into(),
        age: Duration::ZERO,
    });
    let emotion = face.label.as_ref().map(|label| EmotionResult {
        labels: labels.clone(),
        scores: Scores::from_probabilities((0..labels.len()).map(|class| face.scores.get(class).copied().unwrap_or_default())),
        label_id: labels.as_slice().iter().position(|known| known == label),
        reason: face.reason.as_deref().and_then(UnknownReason::from_text),
        smoothed: false,
        age: Duration::ZERO,
    });
    FaceRecord { id: id.map_or(0, track_id), rect_norm: Rect::new(x, y, w, h), detection, emotion, confirmed: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_have_the_names_of_the_files_in_the_folder() {
        let of = |path: &str, kind| output_path(Path::new("out"), Path::new(path), kind).to_string_lossy().into_owned();
        assert_eq!(of("clips/a.mp4", Kind::Video), "out/clips/a.mp4");
        assert_eq!(of("../clips/a.MOV", Kind::Video), "out/clips/a.MOV.mp4");
        assert_eq!(of("/data/b.JPG", Kind::Photo), "out/data/b.JPG");
        assert_eq!(of("b.webp", Kind::Photo), "out/b.webp.png");
    }
}
