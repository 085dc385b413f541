// SPDX-License-Identifier: MIT OR Apache-2.0
//! Turns the faces of a frame into pictures and their positions.

use std::collections::HashMap;
use std::sync::Arc;

use super::bars::Graph;
use super::cache::{Cache, Key};
use super::contours::{Appearance, Contours};
use super::edges::Outline;
use super::label::{BRIGHT, DIM, Label, Percentage};
use super::layout::{Candidate, GRAPH_SPOTS, LABEL_SPOTS, Layout, Spot, even};
use super::picture::{Picture, Placed};
use super::style::{Expression, Rgb, Sizes, Style, UNKNOWN_COLOR};
use crate::geometry::{Rect, Size};
use crate::record::{EmotionResult, FaceRecord};
use crate::scores::LabelSet;

/// Statistics for the corner of the frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CornerFigures {
    /// Number of faces.
    pub faces: usize,
    /// Frames per second, if known yet.
    pub fps: Option<f64>,
}

/// Draws the faces of one stream, frame by frame.
///
/// It remembers the spots and the size of each track's plates on the previous frame, so that plates do not jump when boxes
/// move by a pixel. It caches pictures for later frames.
#[derive(Default)]
pub struct Painter {
    style: Style,
    cache: Cache,
    contours: Contours,
    /// Label sets and the words that are shown for them.
    words: Vec<(LabelSet, LabelSet)>,
    tracks: HashMap<u32, Track>,
    /// The corner with the statistics: top left, top right, bottom left, bottom right.
    stats_corner: usize,
}

/// How a track was drawn on the previous frame.
#[derive(Clone, Copy, Default)]
struct Track {
    font_px: u32,
    label: Option<Spot>,
    graph: Option<Spot>,
}

/// A face that is large enough to be drawn.
struct DrawnFace<'a> {
    record: &'a FaceRecord,
    /// Box inside of the frame, with edges at even pixels.
    rect: Rect,
    sizes: Sizes,
    last: Track,
}

impl DrawnFace<'_> {
    fn color(&self, style: &Style) -> Rgb {
        match self.record.expression() {
            Some(EmotionResult { label_id: Some(_), .. }) => {
                self.record.emotion.as_ref().map_or(UNKNOWN_COLOR, |e| style.palette.color(e.label()))
            }
            _ => UNKNOWN_COLOR,
        }
    }

    /// Distance between the box and a plate.
    fn gap(&self) -> f32 {
        self.sizes.line_px as f32
    }
}

impl Painter {
    /// Maximum number of faces drawn, the largest ones. Each plate is kept off all others, so the time grows with the
    /// square of the number of faces.
    pub const MAX_FACES: usize = 256;
    /// Maximum number of faces on a frame with full labels and graphs. On a frame with more, labels are short.
    const MAX_DETAILED_FACES: usize = 8;
    /// Minimum height of a box with a full label and a graph, in em of its label.
    const MIN_DETAILED_HEIGHT_EM: f32 = 2.5;
    /// Maximum number of label sets whose words are kept. Above it, they are looked up again.
    const MAX_LABEL_SETS: usize = 16;

    /// A painter with the given style.
    pub fn new(style: Style) -> Self {
        Self { style, ..Self::default() }
    }

    /// Changes the style from the next frame on. Setting the same style again costs nothing.
    pub fn set_style(&mut self, style: Style) {
        if style != self.style {
            *self = Self::new(style);
        }
    }

    /// The pictures for a frame of `frame` pixels, in the order in which they are blended. Boxes with numbers that are not
    /// finite, boxes outside of the frame and boxes below 3 pixels are skipped, and so are all but the largest
    /// [`Painter::MAX_FACES`].
    pub fn draw(&mut self, faces: &[FaceRecord], stats: Option<CornerFigures>, frame: Size) -> Vec<Placed> {
        self.cache.next_frame();
        self.contours.next_frame();
        let drawn = self.drawn_faces(faces, frame);
        let mut layout = Layout::new(frame, drawn.iter().map(|face| face.rect).collect());
        let mut placed = Vec::new();
        if self.style.boxes {
            drawn.iter().for_each(|face| self.draw_box(face, frame, &mut placed));
        }
        if self.style.landmarks || self.style.pose {
            drawn.iter().for_each(|face| placed.extend(self.draw_geometry(face, frame)));
        }
        let plate = stats.and_then(|stats| self.draw_stats(stats, frame, &layout));
        plate.iter().for_each(|plate| layout.add_plate(plate.rect()));
        placed.extend(plate);

        let mut tracks: Vec<Track> = drawn.iter().map(|face| Track { font_px: face.sizes.font_px, ..Track::default() }).collect();
        for index in by_area(&drawn) {
            tracks[index].label = self.draw_label(&drawn, index, &mut layout, &mut placed);
        }
        let graphs = self.style.scores;
        for index in by_area(&drawn).filter(|&index| graphs && Self::is_detailed(&drawn, index)) {
            tracks[index].graph = self.draw_graph(&drawn, index, &mut layout, &mut placed);
        }
        self.tracks = drawn.iter().map(|face| face.record.id).zip(tracks).filter(|(id, _)| *id != 0).collect();
        placed
    }

    fn drawn_faces<'a>(&self, faces: &'a [FaceRecord], frame: Size) -> Vec<DrawnFace<'a>> {
        let frame_px = frame.width.min(frame.height);
        let drawn_face = |record: &'a FaceRecord| {
            let inside = record.rect_norm.from_norm(frame).clamp_to(frame);
            let rect = Rect::from_corners(even(inside.x), even(inside.y), even(inside.right()), even(inside.bottom())).clamp_to(frame);
            let last = self.tracks.get(&record.id).copied().filter(|_| record.id != 0);
            let sizes = Sizes::choose(&self.style, frame_px, rect.w.min(rect.h), last.map(|last| last.font_px));
            (record.rect_norm.is_valid() && rect.w.min(rect.h) >= 3.0).then(|| DrawnFace {
                record,
                rect,
                sizes,
                last: last.unwrap_or_default(),
            })
        };
        let mut drawn: Vec<_> = faces.iter().filter_map(drawn_face).collect();
        keep_largest(&mut drawn, Self::MAX_FACES);
        drawn
    }

    fn draw_box(&mut self, face: &DrawnFace, frame: Size, placed: &mut Vec<Placed>) {
        let (width, height) = (face.rect.w as u32, face.rect.h as u32);
        let Some(outline) = Outline::fit(face.color(&self.style), face.sizes.line_px, Size::new(width, height)) else { return };
        let (x, y) = (face.rect.x as i32, face.rect.y as i32);
        let corner_px = outline.corner_px;
        // Position of a picture of `own` pixels whose end is at `start + length`.
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

    /// The contours of a face and the line from its nose, as far as its geometry is to be relied on.
    fn draw_geometry(&mut self, face: &DrawnFace, frame: Size) -> Vec<Placed> {
        let Some(geometry) = face.record.geometry.as_ref() else { return Vec::new() };
        let landmarks = self.style.landmarks && geometry.is_reliable();
        let pose = self.style.pose && geometry.is_pose_reliable();
        let appearance = Appearance { landmarks, pose, accent: face.color(&self.style), box_line_px: face.sizes.line_px };
        self.contours.draw(face.record.id, geometry, appearance, frame)
    }

    fn is_detailed(drawn: &[DrawnFace], index: usize) -> bool {
        drawn.len() <= Self::MAX_DETAILED_FACES && drawn[index].rect.h >= Self::MIN_DETAILED_HEIGHT_EM * drawn[index].sizes.font_px as f32
    }

    /// Draws the label of [`choose_label`](Self::choose_label), if there is one.
    fn draw_label(&mut self, drawn: &[DrawnFace], index: usize, layout: &mut Layout, placed: &mut Vec<Placed>) -> Option<Spot> {
        let face = &drawn[index];
        let (label, found) = self.choose_label(drawn, index, layout)?;
        let picture = self.cache.get(Key::Label(label.clone()), || label.draw());
        place(picture, found, layout, placed);
        if let Some((result, x)) = face.record.expression().zip(label.percentage_x()) {
            let (text, font_px, tone) = (label.percentage.text(percent(result.confidence())), label.font_px, label.tone);
            let picture = self.cache.get(Key::Percentage(text.clone(), font_px, tone), || Label::draw_percentage(&text, font_px, tone));
            placed.push(Placed::whole(picture, found.rect.x as i32 + x, found.rect.y as i32));
        }
        Some(found.spot)
    }

    /// The longest label that has a free spot, and the spot. If none has one, a label goes onto the face itself, never onto
    /// another one.
    fn choose_label(&self, drawn: &[DrawnFace], index: usize, layout: &Layout) -> Option<(Label, Candidate)> {
        let face = &drawn[index];
        let best = |label: &Label| {
            let found = (!label.is_empty()).then(|| layout.best(index, label.size(), face.gap(), &LABEL_SPOTS, face.last.label));
            found.flatten().map(|found| (label.clone(), found))
        };
        // A label that was there may hide a little, so that it does not flicker.
        let allowed = if face.last.label.is_some() { Layout::INERTIA } else { 0.0 };
        let is_free = |(_, found): &(Label, Candidate)| found.hides_at_most(allowed);
        let is_on_own_face = |(_, found): &(Label, Candidate)| found.hides_at_most(1.0);
        let is_small = |(_, found): &(Label, Candidate)| found.rect.area() < face.rect.area() / 8.0;

        let full = Self::is_detailed(drawn, index).then(|| self.label(face));
        let short = self.short_label(face);
        let badge = Label { percentage: Percentage::None, ..short.clone() };
        full.and_then(|full| best(&full).filter(|found| is_free(found) || (is_small(found) && is_on_own_face(found))))
            .or_else(|| best(&short).filter(is_free))
            .or_else(|| best(&badge).filter(is_free))
            .or_else(|| best(&short).filter(is_on_own_face))
            .or_else(|| best(&badge).filter(is_on_own_face))
    }

    fn label(&self, face: &DrawnFace) -> Label {
        let style = &self.style;
        let result = face.record.expression().filter(|_| style.labels);
        let scored = result.filter(|result| result.label_id.is_some());
        let alternative = result.and_then(EmotionResult::alternative);
        let words = |result: &EmotionResult| match alternative {
            Some(second) => style.translations.either(result.label(), second),
            None => style.translations.word(result.label()).to_owned(),
        };
        Label {
            badge: self.badge(face),
            color: face.color(style),
            text: result.map(words),
            tone: if alternative.is_some() { DIM } else { BRIGHT },
            percentage: scored.map_or(Percentage::None, |result| Percentage::Spaced(Percentage::digits(percent(result.confidence())))),
            id: Some(face.record.id).filter(|&id| style.ids && id != 0),
            font_px: face.sizes.font_px,
        }
    }

    /// Emoji and percentage only; the id only if there is neither.
    fn short_label(&self, face: &DrawnFace) -> Label {
        let full = self.label(face);
        let percentage = match full.percentage {
            Percentage::Spaced(digits) => Percentage::Compact(digits),
            other => other,
        };
        let id = full.id.filter(|_| full.badge.is_none() && percentage == Percentage::None);
        Label { text: None, percentage, id, ..full }
    }

    fn badge(&self, face: &DrawnFace) -> Option<Option<Expression>> {
        let result = face.record.expression().filter(|result| self.style.emoji && result.label_id.is_some());
        result.map(|result| Expression::of(result.label()))
    }

    /// Draws the graph, if there is a spot where it hides next to nothing.
    fn draw_graph(&mut self, drawn: &[DrawnFace], index: usize, layout: &mut Layout, placed: &mut Vec<Placed>) -> Option<Spot> {
        let face = &drawn[index];
        let result = face.record.expression().filter(|result| result.is_scored())?;
        let words = self.words(&result.labels);
        let (style, font_px, top) = (&self.style, face.sizes.font_px, result.label_id);
        let graph = Graph::new(&words, font_px);

        let found = layout.best(index, graph.size(), face.gap(), &GRAPH_SPOTS, face.last.graph)?;
        // A graph that was there may hide a little more, so that it does not flicker.
        let allowed = if face.last.graph.is_some() { Layout::INERTIA } else { 0.0 };
        if !found.hides_at_most(allowed) {
            return None;
        }
        let background = self.cache.get(Key::GraphBackground(words.clone(), top, font_px), || graph.background(&words, top));
        place(background, found, layout, placed);
        for (row, (class, &score)) in result.labels.as_slice().iter().zip(result.scores.as_slice()).enumerate() {
            let (bar, filled_px) = (graph.bar(style.palette.color(class)), graph.filled_px(score));
            if filled_px > 0 {
                let (x, y) = graph.bar_corner(row);
                let picture = self.cache.get(Key::Bar(bar), || bar.draw());
                placed.push(Placed::cut(picture, filled_px, u32::MAX, found.rect.x as i32 + x, found.rect.y as i32 + y));
            }
        }
        Some(found.spot)
    }

    /// The words that are shown for `labels`.
    fn words(&mut self, labels: &LabelSet) -> LabelSet {
        if let Some((_, words)) = self.words.iter().find(|(known, _)| known == labels) {
            return words.clone();
        }
        if self.words.len() == Self::MAX_LABEL_SETS {
            self.words.clear();
        }
        let words = LabelSet::new(labels.as_slice().iter().map(|class| self.style.translations.word(class)));
        self.words.push((labels.clone(), words.clone()));
        words
    }

    /// Draws the plate with statistics, in the same corner as before unless it would hide a face there.
    fn draw_stats(&mut self, stats: CornerFigures, frame: Size, layout: &Layout) -> Option<Placed> {
        let faces = if stats.faces == 1 { "1 face".to_owned() } else { format!("{} faces", stats.faces) };
        let text = stats.fps.map_or_else(|| faces.clone(), |fps| format!("{faces}   {fps:.1} fps"));
        let frame_px = frame.width.min(frame.height);
        let font_px = Sizes::choose(&self.style, frame_px, frame_px as f32 / 5.0, None).font_px;
        let label =
            Label { badge: None, color: UNKNOWN_COLOR, text: Some(text), tone: BRIGHT, percentage: Percentage::None, id: None, font_px };
        let (size, margin) = (label.size().rect(), (font_px / 2) as f32);
        let (right, bottom) = (frame.width as f32 - margin - size.w, frame.height as f32 - margin - size.h);
        if right < 0.0 || bottom < 0.0 {
            return None;
        }
        let (margin, right, bottom) = (even(margin), even(right - 1.0), even(bottom - 1.0));
        let corners = [(margin, margin), (right, margin), (margin, bottom), (right, bottom)];
        let hidden_area = |corner: usize| layout.hidden_area(None, size.translated(corners[corner].0, corners[corner].1));
        if hidden_area(self.stats_corner) > 0.0 {
            self.stats_corner = (0..4).min_by(|&a, &b| hidden_area(a).total_cmp(&hidden_area(b))).unwrap_or(0);
        }
        let (x, y) = corners[self.stats_corner];
        let picture = self.cache.get(Key::Label(label.clone()), || label.draw());
        Some(Placed::whole(picture, x as i32, y as i32))
    }
}

/// Places a plate at a candidate and keeps later plates off it.
fn place(picture: Arc<Picture>, at: Candidate, layout: &mut Layout, placed: &mut Vec<Placed>) {
    layout.add_plate(at.rect);
    placed.push(Placed::whole(picture, at.rect.x as i32, at.rect.y as i32));
}

/// Drops all but the `max` largest faces. Of equally large ones the first are kept.
fn keep_largest(drawn: &mut Vec<DrawnFace>, max: usize) {
    if drawn.len() <= max {
        return;
    }
    let mut is_drawn = vec![false; drawn.len()];
    by_area(drawn).take(max).for_each(|index| is_drawn[index] = true);
    let mut is_drawn = is_drawn.into_iter();
    drawn.retain(|_| is_drawn.next().unwrap_or(false));
}

/// Indices of the faces, largest first.
fn by_area(drawn: &[DrawnFace]) -> impl Iterator<Item = usize> + use<> {
    let mut order: Vec<usize> = (0..drawn.len()).collect();
    order.sort_by(|&a, &b| drawn[b].rect.area().total_cmp(&drawn[a].rect.area()));
    order.into_iter()
}

fn percent(score: f32) -> u32 {
    (score.clamp(0.0, 1.0) * 100.0).round() as u32
}
