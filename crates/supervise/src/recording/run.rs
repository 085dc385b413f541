// SPDX-License-Identifier: MIT OR Apache-2.0
//! A pipeline that records: it encodes raw frames, or takes those of the camera as they are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst_app::AppSrc;
use parking_lot::Mutex;

use super::cutting::{self, Cut, Cuts};
use super::finishing;
use super::form::{Form, parser};
use super::pairs::Pairs;
use super::records::{Begun, Note};
use super::sound::{Sounds, Track};
use super::{Frame, Notice, RecordingError, Shared};
use crate::encoding::{Sound, encoder};
use crate::run::reason;

/// The element that writes the videos. What it has written of a video can be played after a crash.
const MUXER: &str = "splitmuxsink name=muxer muxer::fragment-mode=first-moov-then-finalise muxer::fragment-duration=1000";
/// Units of a second in which a video has the times of its frames: those of RTP. By itself, the muxer takes some milliseconds, and two frames
/// that come together get one time.
const TIMESCALE: u32 = 90_000;
/// Between an encoder and the muxer, which waits for sound and for the next key frame: longer than both, so that the encoder goes on.
const QUEUE: &str = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=10000000000";
/// Name of the element that sound enters.
const SOUND: &str = "sound";
/// Encoded frames that wait for the disk, in bytes. With more, the recording fails.
pub(super) const MAX_WAITING: u64 = 64 << 20;
/// Raw frames that wait for the encoder.
const MAX_RAW: u64 = 4;
/// Time of the first frame in the pipeline. It may be decoded before it is shown.
const MARGIN: gst::ClockTime = gst::ClockTime::SECOND;
/// Time between two syncs of the open files. A power failure loses what was written in this time.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How often a video that has ended is asked whether its records are written, too.
const RECORDS_INTERVAL: Duration = Duration::from_millis(50);

/// A pipeline that records.
pub(super) struct Run {
    pub(super) number: u64,
    pub(super) entry: AppSrc,
    form: Form,
    track: Option<Track>,
    cuts: Cuts,
    /// Time of the first frame.
    start: gst::ClockTime,
    /// Time after the last frame.
    pub(super) end: gst::ClockTime,
    records: Sender<Note>,
    next: Arc<AtomicU32>,
    waiting: Waiting,
}

/// The numbers of pairs that the muxer has not begun, and who waits for their files of records.
type Waiting = Arc<Mutex<VecDeque<(u32, Sender<Begun>)>>>;
/// What enters a pipeline: an event before the frame, and the frame.
type Items = (Option<gst::Event>, gst::Buffer);

/// Pushes into a pipeline.
pub(super) fn push(entry: &AppSrc, (event, buffer): Items) {
    // Both fail when the pipeline has failed, which its thread reports.
    let _ = event.map(|event| entry.send_event(event));
    let _ = entry.push_buffer(buffer);
}

impl Run {
    /// Starts a pipeline with its first frame, and a thread that follows it. It has a track for `sound`. The receiver is disconnected at
    /// its end.
    pub(super) fn start(
        shared: &Arc<Shared>,
        number: u64,
        retry: Duration,
        frame: &Frame,
        sound: Option<&gst::Caps>,
    ) -> Result<(Self, Receiver<()>), RecordingError> {
        let next = shared.next.clone();
        let pairs = Arc::new(Pairs::new(shared.recordings.folder.clone(), next.clone(), shared.own.clone()));
        let (form, waiting) = (Form::of(frame), Waiting::default());
        let (pipeline, entry, track) = build(&form.caps, sound, &pairs, &waiting)?;
        let (ending, ended) = channel();
        // An error of an element that does not start is on the bus.
        let _ = pipeline.set_state(gst::State::Playing);
        let follower = shared.clone();
        let follow = move || follower.follow(number, &pipeline, &pairs, retry, ending);
        std::thread::Builder::new().name("recorder".into()).spawn(follow).map_err(RecordingError::Thread)?;
        let length = gst::ClockTime::try_from(shared.recordings.length).unwrap_or(gst::ClockTime::MAX);
        let cuts = Cuts::new(length, MARGIN);
        let (start, end, records) = (frame.time, frame.time, shared.records.clone());
        Ok((Self { number, entry, form, track, cuts, start, end, records, next, waiting }, ended))
    }

    /// True if `frame` can be in the same videos, and the sound that there is with a key frame as well.
    pub(super) fn goes_on_with(&self, frame: &Frame, sounds: &Sounds) -> bool {
        let sound = sounds.caps_at(frame.time).filter(|_| frame.is_key());
        self.form.goes_on_with(frame) && sound.is_none_or(|caps| self.track.as_ref().is_some_and(|track| track.caps == *caps))
    }

    /// True while the encoder has enough raw frames to do.
    pub(super) fn is_busy(&self) -> bool {
        self.entry.current_level_buffers() >= MAX_RAW
    }

    /// Takes the sound up to the frame at `time`.
    pub(super) fn hear(&mut self, sounds: &mut Sounds, time: gst::ClockTime) {
        self.track.iter_mut().for_each(|track| track.take(sounds, time, self.start, MARGIN));
    }

    /// The frame as it enters the pipeline. `None` for one that is shown before the first, which nobody can decode without those before.
    pub(super) fn take(&mut self, frame: &Frame) -> Option<Items> {
        let time = frame.time.checked_sub(self.start)? + MARGIN;
        self.end = self.end.max(frame.time + gst::ClockTime::NSECOND);
        let cut = if frame.is_key() { self.cuts.next(time).filter(|cut| *cut == Cut::Pair || !frame.is_encoded()) } else { None };
        if cut == Some(Cut::Pair) {
            let (begins, begun) = channel();
            // Here, because the muxer of a later run may begin its first video before that of this one begins its last.
            self.waiting.lock().push_back((self.next.fetch_add(1, Ordering::Relaxed), begins));
            // Fails only at the end of the program.
            let _ = self.records.send(Note::From(frame.time, Some(begun)));
        }
        let event = cut.and_then(|cut| self.cuts.event(cut, time));
        let mut buffer = frame.buffer.clone();
        let written = buffer.make_mut();
        written.set_pts(time);
        written.set_dts(written.dts().filter(|_| frame.is_encoded()).map(|decoding| (decoding + MARGIN).saturating_sub(self.start)));
        Some((event, buffer))
    }

    /// Ends the video. Returns the time after its last frame.
    pub(super) fn end(&self) -> gst::ClockTime {
        // Fails if the pipeline has been stopped.
        let _ = self.entry.end_of_stream();
        let _ = self.track.as_ref().map(|track| track.entry.end_of_stream());
        self.end
    }
}

fn build(
    caps: &gst::Caps,
    sound: Option<&gst::Caps>,
    pairs: &Arc<Pairs>,
    waiting: &Waiting,
) -> Result<(gst::Pipeline, AppSrc, Option<Track>), RecordingError> {
    let elements = match parser(caps) {
        Some(parser) => parser.to_owned(),
        None => format!("videoconvert ! {} ! {QUEUE}", encoder()?.recording),
    };
    let mut line = format!("appsrc name=frames format=time max-bytes=0 ! {elements} ! {MUXER}");
    let sound = sound.and_then(|caps| Some((caps, Sound::of(caps)?)));
    if let Some((_, sound)) = sound {
        line += &format!(" appsrc name={SOUND} format=time max-bytes=0 ! {} ! muxer.audio_0", sound.recording);
    }
    let pipeline = gst::parse::launch(&line)?.downcast::<gst::Pipeline>().map_err(|_| RecordingError::Missing("pipeline"))?;
    let named = |name: &'static str| pipeline.by_name(name).ok_or(RecordingError::Missing(name));
    let entry_of = |name, caps: &gst::Caps| {
        let entry = named(name)?.downcast::<AppSrc>().map_err(|_| RecordingError::Missing("appsrc"))?;
        entry.set_caps(Some(caps));
        Ok::<_, RecordingError>(entry)
    };
    let (muxer, entry) = (named("muxer")?, entry_of("frames", caps)?);
    let track = |(caps, _): (&gst::Caps, _)| {
        Ok::<_, RecordingError>(Track { entry: entry_of(SOUND, caps)?, caps: caps.clone(), heard: gst::ClockTime::ZERO })
    };
    let track = sound.map(track).transpose()?;
    cutting::split(&entry, &muxer)?;
    muxer.set_property("sink", finishing::sink()?);
    let inner = muxer.downcast_ref::<gst::Bin>().and_then(|muxer| muxer.by_name("muxer"));
    let track_of_video = inner.and_then(|inner| inner.static_pad("video_0")).ok_or(RecordingError::Missing("video_0"))?;
    track_of_video.set_property("trak-timescale", TIMESCALE);
    let (pairs, waiting) = (pairs.clone(), waiting.clone());
    muxer.connect("format-location", false, move |arguments| {
        let muxer = arguments[0].get::<gst::Element>().ok()?;
        let next = waiting.lock().pop_front();
        // Without a path, the muxer would write over the video that has just ended. It cannot open an empty one.
        Some(next.and_then(|(number, begins)| begin(&muxer, &pairs, number, begins)).unwrap_or_default().to_value())
    });
    Ok((pipeline, entry, track))
}

/// True for the elements of a track.
fn is_of_sound(element: &gst::Object) -> bool {
    let class = element.downcast_ref::<gst::Element>().and_then(|element| element.metadata(gst::ELEMENT_METADATA_KLASS));
    element.name() == SOUND || class.is_some_and(|class| class.contains("Audio"))
}

/// The path of the next video of `muxer`. Its file of records goes to `begins`.
fn begin(muxer: &gst::Element, pairs: &Pairs, number: u32, begins: Sender<Begun>) -> Option<String> {
    let begun = pairs.begin(number);
    let (video, file) = begun.inspect_err(|error| gst::element_error!(muxer, gst::ResourceError::OpenWrite, ("{error}"))).ok()?;
    // Fails only at the end of the program.
    let _ = begins.send(Begun { file, muxer: muxer.downgrade() });
    Some(video.to_string_lossy().into_owned())
}

impl Shared {
    /// Follows a pipeline to its end, syncs its files and stops it. `ending` is dropped last.
    fn follow(&self, number: u64, pipeline: &gst::Pipeline, pairs: &Pairs, retry: Duration, ending: Sender<()>) {
        let failed = self.follow_bus(pipeline, pairs).err();
        if let Some(reason) = &failed {
            self.fail(&mut self.state.lock(), number, reason, retry);
        }
        let _ = pipeline.set_state(gst::State::Null);
        pairs.finish(failed.is_some());
        drop(ending);
    }

    /// Returns when the video has ended and its records are written.
    ///
    /// # Errors
    /// The reason if an element or a sync fails.
    fn follow_bus(&self, pipeline: &gst::Pipeline, pairs: &Pairs) -> Result<(), String> {
        let bus = pipeline.bus().ok_or("a pipeline without a bus")?;
        let types = [gst::MessageType::Error, gst::MessageType::Eos, gst::MessageType::Element];
        let (mut next_sync, mut has_ended) = (Instant::now() + SYNC_INTERVAL, false);
        loop {
            let left = next_sync.saturating_duration_since(Instant::now());
            let wait = if has_ended { left.min(RECORDS_INTERVAL) } else { left };
            let message = bus.timed_pop_filtered(gst::ClockTime::try_from(wait).unwrap_or_default(), &types);
            match message.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => {
                    if error.src().is_some_and(is_of_sound) && !std::mem::replace(&mut self.state.lock().sounds.is_refused, true) {
                        (self.observe)(Notice::NoSound(&reason(error)));
                    }
                    return Err(reason(error));
                }
                Some(gst::MessageView::Eos(_)) => has_ended = true,
                Some(gst::MessageView::Element(element)) => pairs.note(element.structure()),
                _ => {}
            }
            if has_ended && !pairs.has_records_to_come() {
                return self.sync(pairs);
            }
            if Instant::now() >= next_sync {
                self.sync(pairs)?;
                next_sync = Instant::now() + SYNC_INTERVAL;
            }
        }
    }

    fn sync(&self, pairs: &Pairs) -> Result<(), String> {
        let (has_video, has_complete) = pairs.sync().map_err(|error| error.to_string())?;
        if has_video && !self.is_up.swap(true, Ordering::Relaxed) && self.state.lock().retry_at.take().is_some() {
            (self.observe)(Notice::GoesOn);
        }
        if has_complete && let Err(error) = pairs.delete_oldest(&self.recordings.keep) {
            (self.observe)(Notice::NotDeleted(&error.to_string()));
        }
        Ok(())
    }
}
