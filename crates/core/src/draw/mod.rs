// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boxes, labels, score bars and emoji as small pictures with positions, and blending of them into a frame's planes.
//!
//! ```text
//! FaceRecords → Painter → Placed pictures → Canvas::blend, or another compositor
//!               style, layout → edges, contours, label, bars, emoji → cache
//!             → Coverage → Canvas::blur, Canvas::blur_all
//! ```
//!
//! No picture is as large as the frame: a box consists of corners and thin strips, labels and graphs are small plates.
//! Pictures are cached by what they show, and all streams of a process share them. If nothing changes on a frame, nothing is
//! drawn, and the same allocations are returned again.

// How things look, and where they go.
mod style;
mod layout;
// Drawing of pictures.
mod pixels;
mod text;
mod edges;
mod emoji;
mod label;
mod bars;
mod contours;
// From faces to placed pictures.
mod alpha;
mod canvas;
mod weights;
mod prepared;
mod picture;
mod cache;
mod painter;
// The pixels of a frame.
mod blend;
mod blur;
mod snapshot;
mod coverage;

pub use canvas::{Canvas, PlaneMut};
pub use coverage::{Cover, Coverage, Uncovered};
pub use painter::{CornerFigures, Painter};
pub use picture::{Picture, Placed};
pub use snapshot::Snapshot;
pub use style::{Palette, Rgb, Style, Translations, UNKNOWN_COLOR};
