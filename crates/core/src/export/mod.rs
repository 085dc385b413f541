// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faces as timed text: NDJSON, CSV, WebVTT, ONVIF metadata and plain text, either every face, a summary of each interval,
//! or events.
//!
//! ```text
//! FrameReport → Exporter (Schedule, Aggregator or EventTracker → RecordWriter) → Chunk of text with its Span
//! ```
//!
//! # Fields of a face
//!
//! One record is one face on one exported frame. A frame without faces writes nothing, unless only changes are exported
//! and the last face has gone. NDJSON has every key in every record, null where a value is unknown. CSV has the same
//! values as columns, an empty cell for null, and no landmarks of the detector. A CSV text that a spreadsheet would read as a formula is
//! prefixed with an apostrophe (see [`csv`]).
//!
//! | NDJSON | CSV | type | meaning |
//! |---|---|---|---|
//! | `type` | | string | `face` |
//! | `version` | | int | [`VERSION`] of these fields |
//! | `stream` | `stream` | string | name of the video: the property `source`, or its stream id |
//! | `frame` | `frame` | int | number of frames that arrived before this one |
//! | `time_s` | `time_s` | number, s | position of the frame in the media: `stream_time`, or `pts` where that is null |
//! | `duration_s` | `duration_s` | number, s | duration of the frame |
//! | `pts` | `pts` | int, ns | the frame's timestamp, exact; it need not start at 0 |
//! | `duration` | `duration` | int, ns | duration of the frame |
//! | `stream_time` | `stream_time` | int, ns, or null | position in the media, 0 at its start |
//! | `running_time` | `running_time` | int, ns, or null | time since the pipeline began to play |
//! | `utc` | `utc` | string or null | capture time of the frame, RFC 3339; null where it is unknown, as in a file |
//! | `id` | `id` | int or null | track id, unique in the stream |
//! | `box` | `x`, `y`, `w`, `h` | object of numbers | left, top, width and height in 0..1 of the frame |
//! | `confidence` | `confidence` | number or null | the detector's confidence, 0..1 |
//! | `detector` | `detector` | string or null | name of the model that found the face |
//! | `landmarks` | | object or null | `right_eye`, `left_eye`, `nose`, `right_mouth`, `left_mouth`, each `x`, `y` in 0..1 of the frame |
//! | `label` | `label` | string or null | apparent expression, or `unknown`; null if nothing upstream scores faces |
//! | `label_id` | `label_id` | int or null | index of the label in the model's order |
//! | `reason` | `reason` | string or null | why the label is `unknown`: `uncertain` (no score reaches the threshold), `small` (the face is too small), `turned` (it is turned away too far) or `pending` (it is not scored yet) |
//! | `score` | `score` | number or null | score of the label, 0..1; for `unknown` the highest score; null until the face is scored |
//! | `second` | `second` | string or null | the most probable class after the label |
//! | `scores` | `score_<label>` | object of numbers or null | the score of each label, in the model's order |
//! | `smoothed` | `smoothed` | boolean or null | true if the scores are averaged over time |
//! | `age` | `age` | int, ns, or null | time since the frame on which the face was scored |
//!
//! # Geometry of a face
//!
//! A face that `facelandmarks` has estimated has these fields, too. Other faces have none, unless [`GeometryFields::Always`] gives every
//! record all of them. A table has their columns behind all others, if a face of its first record has a geometry.
//!
//! | NDJSON | CSV | type | meaning |
//! |---|---|---|---|
//! | `pose` | `yaw`, `pitch`, `roll` | object of numbers | degrees, 0 = facing the camera: to the person's own left, up, clockwise in the picture |
//! | `landmarks_70` | `landmark_0_x`, `landmark_0_y`, … | array of 70 pairs | x and y in 0..1 of the frame: iBUG's 68 points, the right and the left iris |
//! | `blendshapes` | `blendshape_browDownLeft`, … | object of 52 numbers | 0..1, with ARKit's names in alphabetical order |
//! | `trust` | `trust` | number | how far to rely on them, 0..1 |
//! | `geometry_age` | `geometry_age` | int, ns | time since the frame on which they were estimated |
//!
//! # When the last face has gone
//!
//! Where only changes are exported, a record holds until the next one, so the absence of faces is a record too. In NDJSON
//! it has the `type` `frame`, the fields above from `version` to `utc`, and `faces`, which is 0. In CSV it is a row with
//! empty cells after `frame`.
//!
//! # Fields of a summary
//!
//! One record is one interval. It contains no box and no id. Intervals without faces are written too. `stream` and the
//! times are those of the first frame, as above; the duration extends to the end of the last.
//!
//! | NDJSON | CSV | type | meaning |
//! |---|---|---|---|
//! | `type` | | string | `summary` |
//! | `version` | | int | [`VERSION`] of these fields |
//! | `stream`, `time_s`, `duration_s`, `pts`, `duration`, `stream_time`, `running_time`, `utc` | the same | | |
//! | `frames` | `frames` | int | number of frames in the interval |
//! | `faces_mean`, `faces_max` | the same | number, int | mean and maximum number of faces on a frame |
//! | `faces_scored` | `faces_scored` | int | number of scored faces over all frames; one face on ten frames counts ten times |
//! | `counts` | `count_<label>`, `count_unknown` | object of ints | number of scored faces with this label |
//! | `scores` | `score_<label>` | object of numbers or null | mean score over the scored faces; null without any |
//!
//! # Fields of an event
//!
//! One record is one event of one face, in NDJSON. A face has appeared or left, or its expression has changed, only after
//! that has lasted for the hysteresis. The times are those at which it happened. A face without a track id has no events.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `type` | string | `appeared`, `expression`, `turned`, `eyes_closed`, `blink`, `speaking` or `left` |
//! | `version` | int | [`VERSION`] of these fields |
//! | `stream`, `pts`, `stream_time`, `running_time`, `utc` | | as above, of the moment at which it happened |
//! | `duration` | int, ns | `expression`: how long the face showed `from`; `left`: how long it was in view; `blink`: how long the eyes were closed; a state that ends: how long it lasted; others: 0 |
//! | `id` | int | track id |
//! | `from` | string or null | of `expression`: the previous label; null for the first expression |
//! | `to` | string | of `expression`: the new label |
//! | `active` | boolean | of `turned`, `eyes_closed`, `speaking`: true if it begins, false if it ends |
//! | `direction` | string | of `turned`: `left` or `right`, the person's own, `up` or `down` |
//! | `shares` | object of numbers or null | of `left`: the share of each label in the time with an expression, largest first; null if no expression lasted |
//!
//! # JSON of DL Streamer
//!
//! One record is one frame, as in [`dlstreamer`].
//!
//! # ONVIF metadata
//!
//! One record is one frame, an XML document as in [`onvif`].
//!
//! Numbers do not depend on the locale. Positions are rounded to 5 decimal places (a tenth of a pixel at 8K), scores to
//! 4, and seconds to 6. NDJSON and CSV print the shortest decimal that reads back as the rounded number.

pub mod utc;
mod input;
pub mod length;
pub mod interval;
pub mod aggregate;
pub mod face_states;
pub mod activity;
pub mod behaviour;
pub mod events;
mod writer;
mod field;
mod geometry;
pub mod ndjson;
pub mod csv;
pub mod dlstreamer;
pub mod onvif;
pub mod text;
pub mod webvtt;
mod format;
pub mod exporter;

pub use activity::{ActivitySums, FaceActivity, Observation};
pub use aggregate::{Aggregator, ClassSummary, Summary};
pub use behaviour::FaceState;
pub use events::{Event, EventKind, EventTracker};
pub use exporter::{Chunk, Exporter, Options, Output};
pub use face_states::{Direction, FaceSigns};
pub use format::Format;
pub use geometry::GeometryFields;
pub use input::{FrameReport, FrameTime, Span};
pub use interval::Schedule;
pub use length::{FrameLengths, OpenFrame};
pub use utc::Utc;
pub use writer::{Content, RecordWriter};

/// Version of the fields of a record.
pub const VERSION: u32 = 1;
