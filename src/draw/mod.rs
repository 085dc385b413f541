// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boxes, labels, score bars and emoji as small pictures with positions, and blending of them into a frame's planes.
//!
//! ```text
//! FaceRecords → Painter → Placed pictures → Canvas::blend, or whoever else composes pictures
//!               style, layout → edges, label, bars, emoji → cache
//!             → Coverage → Canvas::blur, Canvas::blur_all
//! ```
//!
//! Nothing is ever as large as the frame: a box is four thin strips, a label and a graph are plates of their own size.
//! Pictures are kept by what they show, so that a frame on which nothing changed draws nothing and hands out the same
//! allocations again.

mod bars;
mod blend;
mod blur;
mod cache;
mod canvas;
mod coverage;
mod edges;
mod emoji;
mod label;
mod layout;
mod painter;
mod picture;
mod snapshot;
mod style;
mod text;

pub use blur::Blur;
pub use canvas::{Canvas, PlaneMut};
pub use coverage::{Cover, Coverage, Uncovered};
pub use painter::{CornerFigures, Painter};
pub use picture::{Picture, Placed};
pub use snapshot::Snapshot;
pub use style::{Palette, Rgb, Style, Translations, UNKNOWN_COLOR};
