// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the faces of a frame to pictures and their places.

use std::collections::HashMap;
use std::sync::Arc;

use super::bars::{Bar, Graph};
use super::cache::Cache;
use super::edges::Outline;
use super::label::{Label, Room};
use super::layout::{GRAPH_SPOTS, LABEL_SPOTS, Layout, Place, Spot, even};
use super::picture::{Picture, Placed};
use super::style::{Expression, Rgb, Sizes, Style, UNKNOWN_COLOR};
use crate::geometry::{Rect, Size};
use crate::record::{EmotionResult, FaceRecord};
use crate::scores::LabelSet;

/// Figures for the corner of the frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CornerFigures {
    /// Number of faces.
    pub faces: usize,
    /// Frames per second, if it is known by now.
    pub fps: Option<f64>,
}

/// Draws the faces of one stream, frame after frame.
///
/// It remembers from the last frame where the plates of each track were and how large, so that they do not jump about
/// as boxes move by a pixel, and keeps pictures to use them again.
#[derive(Default)]
pub struct Painter {
    style: Style,
    cache: Cache<Key>,
    label_sets: Vec<LabelSet>,
    tracks: HashMap<u32, Track>,
    /// Where the figures are: left or right above, left or right below.
    stats_corner: usize,
}

/// What a picture shows, and by that which one it is.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    /// At the right, below.
    Corner(Outline, bool, bool),
    /// As long as the frame is wide or high.
    Across(Outline, u32),
    Down(Outline, u32),
    Label(Label),
    /// What it says and the font.
    Figures(String, u32),
    /// Index of the label set, the class shown, the font.
    GraphBackground(usize, Option<usize>, u32),
    Bar(Bar),
}

/// How a track was drawn on the last frame.
#[derive(Clone, Copy, Default)]
struct Track {
    font_px: u32,
    label: Option<Spot>,
    graph: Option<Spot>,
}

/// A face that is large enough to be drawn.
struct Shown<'a> {
    record: &'a FaceRecord,
    /// In even pixels, inside the frame.
    rect: Rect,
    sizes: Sizes,
    last: Track,
}

impl Shown<'_> {
    fn color(&self, style: &Style) -> Rgb {
        match &self.record.emotion {
            Some(EmotionResult { label_id: Some(_), .. }) => {
                self.record.emotion.as_ref().map_or(UNKNOWN_COLOR, |e| style.palette.color(e.label()))
            }
            _ => UNKNOWN_COLOR,
        }
    }

    fn gap(&self) -> f32 {
        self.sizes.line_px as f32
    }
}

impl Painter {
    /// Of more faces than this only the largest are drawn: each plate is kept off all others, so that the work grows with
    /// the square of their number.
    pub const MAX_FACES: usize = 256;
    /// With more faces than this on a frame, labels are short and there are no graphs.
    const CROWD: usize = 8;
    /// Faces whose box is lower than this many em of their label are treated as in a crowd.
    const SMALL_EM: f32 = 2.5;
    /// Label sets that are told apart before the painter starts anew.
    const MAX_LABEL_SETS: usize = 16;

    /// A painter of the given style.
    pub fn new(style: Style) -> Self {
        Self { style, ..Self::default() }
    }

    /// Changes the style from the next frame on; the same style again costs nothing.
    pub fn set_style(&mut self, style: Style) {
        if style != self.style {
            *self = Self::new(style);
        }
    }

    /// The pictures for a frame of `frame` pixels, those further back first. Boxes with numbers that are not finite,
    /// boxes outside of the frame and boxes below 3 pixels are left out, and all but the largest [`Painter::MAX_FACES`].
    pub fn draw(&mut self, faces: &[FaceRecord], stats: Option<CornerFigures>, frame: Size) -> Vec<Placed> {
        self.cache.next_frame();
        let shown = self.shown(faces, frame);
        let mut layout = Layout::new(frame, shown.iter().map(|face| face.rect).collect());
        let mut placed = Vec::new();
        if self.style.boxes {
            shown.iter().for_each(|face| self.draw_box(face, frame, &mut placed));
        }
        let plate = stats.and_then(|stats| self.draw_stats(stats, frame, &layout));
        plate.iter().for_each(|plate| layout.take(plate.rect()));
        placed.extend(plate);

        let mut tracks: Vec<Track> = shown.iter().map(|face| Track { font_px: face.sizes.font_px, ..Track::default() }).collect();
        for index in by_area(&shown) {
            tracks[index].label = self.draw_label(&shown, index, &mut layout, &mut placed);
        }
        let graphs = self.style.scores;
        for index in by_area(&shown).filter(|&index| graphs && Self::has_room(&shown, index)) {
            tracks[index].graph = self.draw_graph(&shown, index, &mut layout, &mut placed);
        }
        self.tracks = shown.iter().map(|face| face.record.id).zip(tracks).filter(|(id, _)| *id != 0).collect();
        placed
    }

    fn shown<'a>(&self, faces: &'a [FaceRecord], frame: Size) -> Vec<Shown<'a>> {
        let frame_px = frame.width.min(frame.height);
        let show = |record: &'a FaceRecord| {
            let inside = record.rect_norm.from_norm(frame).clamp_to(frame);
            let rect = Rect::from_corners(even(inside.x), even(inside.y), even(inside.right()), even(inside.bottom())).clamp_to(frame);
            let last = self.tracks.get(&record.id).copied().filter(|_| record.id != 0);
            let sizes = Sizes::choose(&self.style, frame_px, rect.w.min(rect.h), last.map(|last| last.font_px));
            (record.rect_norm.is_valid() && rect.w.min(rect.h) >= 3.0).then(|| Shown {
                record,
                rect,
                sizes,
                last: last.unwrap_or_default(),
            })
        };
        let mut shown: Vec<_> = faces.iter().filter_map(show).collect();
        keep_largest(&mut shown, Self::MAX_FACES);
        shown
    }

    fn draw_box(&mut self, face: &Shown, frame: Size, placed: &mut Vec<Placed>) {
        let (width, height) = (face.rect.w as u32, face.rect.h as u32);
        let Some(outline) = Outline::fit(face.color(&self.style), face.sizes.line_px, Size::new(width, height)) else { return };
        let (x, y) = (face.rect.x as i32, face.rect.y as i32);
        let corner_px = outline.corner_px;
        let end = |start: i32, length: u32, own: u32| start + (length - own) as i32;
        for (right, below) in [(false, false), (true, false), (false, true), (true, true)] {
            let picture = self.cache.get(Key::Corner(outline, right, below), || outline.corner(right, below));
            let x = if right { end(x, width, corner_px) } else { x };
            let y = if below { end(y, height, corner_px) } else { y };
            placed.push(Placed::whole(picture, x, y));
        }
        let thickness = outline.thickness();
        let (across, down) = (width - 2 * corner_px, height - 2 * corner_px);
        if across > 0 {
            let picture = self.cache.get(Key::Across(outline, frame.width), || outline.across(frame.width));
            let strip = |y| Placed::cut(picture.clone(), across, thickness, x + corner_px as i32, y);
            placed.extend([strip(y), strip(end(y, height, thickness))]);
        }
        if down > 0 {
            let picture = self.cache.get(Key::Down(outline, frame.height), || outline.down(frame.height));
            let strip = |x| Placed::cut(picture.clone(), thickness, down, x, y + corner_px as i32);
            placed.extend([strip(x), strip(end(x, width, thickness))]);
        }
    }

    fn has_room(shown: &[Shown], index: usize) -> bool {
        shown.len() <= Self::CROWD && shown[index].rect.h >= Self::SMALL_EM * shown[index].sizes.font_px as f32
    }

    /// The full label where it hides nothing, else the first of the shorter ones for which there is a place.
    fn draw_label(&mut self, shown: &[Shown], index: usize, layout: &mut Layout, placed: &mut Vec<Placed>) -> Option<Spot> {
        let face = &shown[index];
        let best = |label: Label| {
            let place = (!label.is_empty()).then(|| layout.best(index, label.size(), face.gap(), &LABEL_SPOTS, face.last.label));
            place.flatten().map(|place| (label, place))
        };
        let hides_little = |place: &Place| place.hidden == 0.0 || place.rect.area() < face.rect.area() / 8.0;
        let full = Self::has_room(shown, index).then(|| best(self.label(face))).flatten();
        let (label, place) = full
            .filter(|(_, place)| hides_little(place))
            .or_else(|| best(self.short_label(face)))
            .or_else(|| best(Label { text: None, room: Room::None, ..self.short_label(face) }))?;
        let picture = self.cache.get(Key::Label(label.clone()), || label.draw());
        put(picture, place, layout, placed);
        if let Some((result, x)) = face.record.emotion.as_ref().zip(label.figures_x()) {
            let (text, font_px) = (label.room.text(percent(result.confidence())), label.font_px);
            let picture = self.cache.get(Key::Figures(text.clone(), font_px), || Label::draw_figures(&text, font_px));
            placed.push(Placed::whole(picture, place.rect.x as i32 + x, place.rect.y as i32));
        }
        Some(place.spot)
    }

    fn label(&self, face: &Shown) -> Label {
        let style = &self.style;
        let result = face.record.emotion.as_ref().filter(|_| style.labels);
        let scored = result.filter(|result| result.label_id.is_some());
        Label {
            badge: self.badge(face),
            color: face.color(style),
            text: result.map(|result| style.translations.word(result.label()).to_owned()),
            room: scored.map_or(Room::None, |result| Room::SpacedFigures(Room::digits(percent(result.confidence())))),
            id: Some(face.record.id).filter(|&id| style.ids && id != 0),
            font_px: face.sizes.font_px,
        }
    }

    /// Emoji and percentage alone; the id only where there is nothing else.
    fn short_label(&self, face: &Shown) -> Label {
        let full = self.label(face);
        let room = match full.room {
            Room::SpacedFigures(digits) => Room::Figures(digits),
            other => other,
        };
        let id = full.id.filter(|_| full.badge.is_none() && room == Room::None);
        Label { text: None, room, id, ..full }
    }

    fn badge(&self, face: &Shown) -> Option<Option<Expression>> {
        let result = face.record.emotion.as_ref().filter(|result| self.style.emoji && result.label_id.is_some());
        result.map(|result| Expression::of(result.label()))
    }

    /// The graph, if there is a place where it hides next to nothing.
    fn draw_graph(&mut self, shown: &[Shown], index: usize, layout: &mut Layout, placed: &mut Vec<Placed>) -> Option<Spot> {
        let face = &shown[index];
        let result = face.record.emotion.as_ref()?;
        let set = self.label_set(&result.labels);
        let (style, font_px, top) = (&self.style, face.sizes.font_px, result.label_id);
        let words = || result.labels.as_slice().iter().map(|class| style.translations.word(class));
        let graph = Graph::new(words(), font_px);

        let place = layout.best(index, graph.size(), face.gap(), &GRAPH_SPOTS, face.last.graph)?;
        let allowed = if face.last.graph.is_some() { Layout::INERTIA } else { 0.0 };
        if place.hidden > allowed * place.rect.area() {
            return None;
        }
        let background = self.cache.get(Key::GraphBackground(set, top, font_px), || graph.background(words(), top));
        put(background, place, layout, placed);
        for (row, (class, &score)) in result.labels.as_slice().iter().zip(result.scores.as_slice()).enumerate() {
            let (bar, filled_px) = (graph.bar(style.palette.color(class)), graph.filled_px(score));
            if filled_px > 0 {
                let (x, y) = graph.bar_corner(row);
                let picture = self.cache.get(Key::Bar(bar), || bar.draw());
                placed.push(Placed::cut(picture, filled_px, u32::MAX, place.rect.x as i32 + x, place.rect.y as i32 + y));
            }
        }
        Some(place.spot)
    }

    /// The index by which pictures know `labels`.
    fn label_set(&mut self, labels: &LabelSet) -> usize {
        self.label_sets.iter().position(|known| known == labels).unwrap_or_else(|| {
            if self.label_sets.len() == Self::MAX_LABEL_SETS {
                self.label_sets.clear();
                self.cache = Cache::default();
            }
            self.label_sets.push(labels.clone());
            self.label_sets.len() - 1
        })
    }

    /// The plate with figures, in the corner where it was unless that hides a face.
    fn draw_stats(&mut self, stats: CornerFigures, frame: Size, layout: &Layout) -> Option<Placed> {
        let faces = if stats.faces == 1 { "1 face".to_owned() } else { format!("{} faces", stats.faces) };
        let text = stats.fps.map_or_else(|| faces.clone(), |fps| format!("{faces}   {fps:.1} fps"));
        let frame_px = frame.width.min(frame.height);
        let font_px = Sizes::choose(&self.style, frame_px, frame_px as f32 / 5.0, None).font_px;
        let label = Label { badge: None, color: UNKNOWN_COLOR, text: Some(text), room: Room::None, id: None, font_px };
        let (size, margin) = (label.size().rect(), (font_px / 2) as f32);
        let (right, bottom) = (frame.width as f32 - margin - size.w, frame.height as f32 - margin - size.h);
        if right < 0.0 || bottom < 0.0 {
            return None;
        }
        let (margin, right, bottom) = (even(margin), even(right - 1.0), even(bottom - 1.0));
        let corners = [(margin, margin), (right, margin), (margin, bottom), (right, bottom)];
        let hidden = |corner: usize| layout.hidden(None, size.translated(corners[corner].0, corners[corner].1));
        if hidden(self.stats_corner) > 0.0 {
            self.stats_corner = (0..4).min_by(|&a, &b| hidden(a).total_cmp(&hidden(b))).unwrap_or(0);
        }
        let (x, y) = corners[self.stats_corner];
        let picture = self.cache.get(Key::Label(label.clone()), || label.draw());
        Some(Placed::whole(picture, x as i32, y as i32))
    }
}

fn put(picture: Arc<Picture>, place: Place, layout: &mut Layout, placed: &mut Vec<Placed>) {
    layout.take(place.rect);
    placed.push(Placed::whole(picture, place.rect.x as i32, place.rect.y as i32));
}

/// Drops all but the `most` largest faces; of equals the first ones stay.
fn keep_largest(shown: &mut Vec<Shown>, most: usize) {
    if shown.len() <= most {
        return;
    }
    let mut kept = vec![false; shown.len()];
    by_area(shown).take(most).for_each(|index| kept[index] = true);
    let mut kept = kept.into_iter();
    shown.retain(|_| kept.next().unwrap_or(false));
}

/// Indices of the faces, largest first.
fn by_area(shown: &[Shown]) -> impl Iterator<Item = usize> + use<> {
    let mut order: Vec<usize> = (0..shown.len()).collect();
    order.sort_by(|&a, &b| shown[b].rect.area().total_cmp(&shown[a].rect.area()));
    order.into_iter()
}

fn percent(score: f32) -> u32 {
    (score.clamp(0.0, 1.0) * 100.0).round() as u32
}
