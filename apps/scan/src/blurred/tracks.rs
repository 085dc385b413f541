// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is hidden of each frame, by what was found on all of them: faces are followed forward and backward, and hidden where they are
//! lost for a while. The less is known, the larger is what is hidden.

use emotion_core::geometry::{Point, Rect};

use super::look::Find;

/// A face of this confidence is one.
pub(super) const SURE: f32 = 0.3;
/// A less sure find counts only if it is followed over this many frames.
const MIN_HITS: usize = 3;
/// A find of this confidence is hidden even if it is alone.
pub(super) const ALONE: f32 = 0.15;
/// A lost face is looked for so long, and hidden in between.
const BRIDGE_NS: u64 = 1_500_000_000;
/// A face is hidden for so long before it was found and after it was lost, unless there is a cut.
const HOLD_NS: u64 = 500_000_000;
/// The same for a face that is neither sure nor large.
const DOUBT_HOLD_NS: u64 = 250_000_000;
/// Growth of what is hidden, in sides of the face, for each second since the face was last found, and its maximum.
const GROWTH_PER_S: f32 = 2.0;
const MAX_GROWTH: f32 = 1.0;
/// A face that is not sure is hidden with this margin more, in sides of the face.
const DOUBT_MARGIN: f32 = 0.25;
/// A box closer to an edge of the frame than this share of its side is moved beyond it, by another share.
const EDGE_REACH: f32 = 0.2;
const EDGE_REST: f32 = 0.2;
/// Frames on each side whose largest box of the face is hidden: sizes that a detector reports vary.
const ENVELOPE: usize = 3;
/// A doubtful face of at least this share of the frame's shorter side makes its shot doubtful.
const LARGE: f32 = 0.2;

/// What was found on a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Look {
    /// Time in the file.
    pub time_ns: u64,
    /// True if another shot begins with this frame.
    pub is_cut: bool,
    pub finds: Vec<Find>,
    /// True if the whole frame must be hidden.
    pub is_whole: bool,
}

/// What is hidden of a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cover {
    /// Boxes in 0..1 of the frame.
    pub boxes: Vec<Rect>,
    pub is_whole: bool,
}

/// Why somebody should look at a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    /// Found only when the result was looked at.
    Mended,
    /// Whole frames are hidden.
    Whole,
    /// No find of the face is sure.
    Doubtful,
    /// The face was lost, and is hidden where it may have been.
    Bridged,
}

/// Frames that somebody should look at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// The first frame.
    pub first: usize,
    /// The last frame.
    pub last: usize,
    pub reason: Reason,
    /// From 0, sure, to 1.
    pub doubt: f32,
}

/// What is hidden of all frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub covers: Vec<Cover>,
    pub spans: Vec<Span>,
    /// Number of faces that were followed.
    pub tracks: usize,
}

/// A find on a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Hit {
    frame: usize,
    find: Find,
}

/// A face in one shot.
#[derive(Clone, Debug, PartialEq)]
struct Track {
    hits: Vec<Hit>,
    /// First and last frame of the shot.
    shot: (usize, usize),
}

/// What is hidden of the frames of `looks`.
pub(super) fn plan(looks: &[Look]) -> Plan {
    let mut covers: Vec<Cover> = looks.iter().map(|look| Cover { boxes: Vec::new(), is_whole: look.is_whole }).collect();
    let tracks: Vec<Track> = shots(looks).into_iter().flat_map(|shot| follow(looks, shot)).filter(Track::is_kept).collect();
    let mut spans = Vec::new();
    for track in &tracks {
        track.cover(looks, &mut covers);
        spans.extend(track.spans(looks));
        let is_alone = || !tracks.iter().any(|other| other.shot == track.shot && other.confidence() >= SURE);
        if track.is_doubtful() && track.side() >= LARGE && is_alone() {
            let (first, last) = track.held(looks);
            covers[first..=last].iter_mut().for_each(|cover| cover.is_whole = true);
        }
    }
    spans.extend(whole_spans(&covers));
    Plan { covers, spans, tracks: tracks.len() }
}

/// First and last frame of each shot.
fn shots(looks: &[Look]) -> Vec<(usize, usize)> {
    let starts: Vec<usize> = (0..looks.len()).filter(|&frame| frame == 0 || looks[frame].is_cut).collect();
    let ends = starts.iter().skip(1).copied().chain([looks.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| (start, end - 1)).collect()
}

/// Joins the finds of a shot to tracks.
fn follow(looks: &[Look], shot: (usize, usize)) -> Vec<Track> {
    let mut tracks: Vec<Track> = Vec::new();
    for frame in shot.0..=shot.1 {
        let mut finds: Vec<Option<Find>> = looks[frame].finds.iter().copied().map(Some).collect();
        let mut pairs = Vec::new();
        for (index, track) in tracks.iter().enumerate().filter(|(_, track)| track.is_open(looks, frame)) {
            let distance = |find: &Option<Find>| find.and_then(|find| track.distance(find.rect, frame));
            pairs.extend(finds.iter().enumerate().filter_map(|(number, find)| Some((distance(find)?, index, number))));
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, index, number) in pairs {
            if tracks[index].last().frame < frame
                && let Some(find) = finds[number].take()
            {
                tracks[index].hits.push(Hit { frame, find });
            }
        }
        tracks.extend(finds.into_iter().flatten().map(|find| Track { hits: vec![Hit { frame, find }], shot }));
    }
    tracks
}

impl Track {
    fn last(&self) -> &Hit {
        self.hits.last().expect("a track begins with a hit")
    }

    /// The confidence of the surest hit.
    fn confidence(&self) -> f32 {
        self.hits.iter().map(|hit| hit.find.confidence).fold(0.0, f32::max)
    }

    fn is_kept(&self) -> bool {
        self.hits.len() >= MIN_HITS || self.confidence() >= ALONE
    }

    /// True if the face was found often, but never surely.
    fn is_doubtful(&self) -> bool {
        self.hits.len() >= MIN_HITS && self.confidence() < SURE
    }

    /// The largest shorter side of the face.
    fn side(&self) -> f32 {
        self.hits.iter().map(|hit| hit.find.rect.w.min(hit.find.rect.h)).fold(0.0, f32::max)
    }

    fn is_open(&self, looks: &[Look], frame: usize) -> bool {
        looks[frame].time_ns.saturating_sub(looks[self.last().frame].time_ns) <= BRIDGE_NS
    }

    /// Where the face is expected on `frame`, after its last hit.
    fn expected(&self, frame: usize) -> Rect {
        let last = self.last();
        let Some(before) = self.hits.iter().rev().nth(1) else { return last.find.rect };
        let ahead = (frame - last.frame) as f32 / (last.frame - before.frame) as f32;
        let (from, to) = (before.find.rect.center(), last.find.rect.center());
        // Beyond its own size, nothing is known of where it has gone.
        let step = |from: f32, to: f32, side: f32| ((to - from) * ahead).clamp(-side, side);
        let Rect { w, h, .. } = last.find.rect;
        last.find.rect.translated(step(from.x, to.x, w), step(from.y, to.y, h))
    }

    /// How far `rect` is from where the face is expected, in sides; `None` if it is another face.
    fn distance(&self, rect: Rect, frame: usize) -> Option<f32> {
        let (last, expected) = (self.last(), self.expected(frame));
        let size = |rect: Rect| rect.w.max(rect.h).max(f32::MIN_POSITIVE);
        let ratio = size(rect) / size(expected);
        let reach = (0.6 + 0.1 * (frame - last.frame) as f32).min(1.5) * size(expected).max(size(rect));
        let away = rect.center().distance(expected.center()).min(rect.center().distance(last.find.rect.center()));
        (away < reach && (0.4..2.5).contains(&ratio)).then(|| away / size(expected) + ratio.ln().abs() / 4.0)
    }

    /// First and last frame on which the face is hidden.
    fn held(&self, looks: &[Look]) -> (usize, usize) {
        let (first, last) = (self.hits[0].frame, self.last().frame);
        let hold_ns = if self.confidence() < SURE && self.side() < LARGE { DOUBT_HOLD_NS } else { HOLD_NS };
        let near = |frame: usize, hit: usize| looks[frame].time_ns.abs_diff(looks[hit].time_ns) <= hold_ns;
        let start = (self.shot.0..=first).find(|&frame| near(frame, first)).unwrap_or(first);
        let end = (last..=self.shot.1).rev().find(|&frame| near(frame, last)).unwrap_or(last);
        (start, end)
    }

    /// Adds the boxes of the face to the frames on which it is hidden.
    fn cover(&self, looks: &[Look], covers: &mut [Cover]) {
        let (first, last) = self.held(looks);
        let doubt = if self.confidence() < SURE { DOUBT_MARGIN } else { 0.0 };
        let mut after = 0;
        for frame in first..=last {
            while after < self.hits.len() && self.hits[after].frame < frame {
                after += 1;
            }
            let (before, next) = (self.hits.get(after.wrapping_sub(1)), self.hits.get(after));
            let rect = place(before, next, frame);
            let near = self.hits[after.saturating_sub(ENVELOPE)..(after + ENVELOPE + 1).min(self.hits.len())].iter();
            let largest = |side: fn(&Rect) -> f32| near.clone().map(|hit| side(&hit.find.rect)).fold(0.0, f32::max);
            let age = [before, next].into_iter().flatten().map(|hit| looks[frame].time_ns.abs_diff(looks[hit.frame].time_ns)).min();
            let growth = 1.0 + doubt + (age.unwrap_or(0) as f32 / 1e9 * GROWTH_PER_S).min(MAX_GROWTH);
            let grown = Rect::around(rect.center(), growth * largest(|rect| rect.w), growth * largest(|rect| rect.h));
            covers[frame].boxes.push(beyond_the_edge(grown));
            // Before the first hit and after the last one, the face stands still or moves on.
            if let Some((x, y)) = self.step(frame) {
                covers[frame].boxes.push(beyond_the_edge(grown.translated(x, y)));
            }
        }
    }

    /// How far the face is from its last hit, or from its first one, if it moves as it did there; x and y in shares of the frame. `None`
    /// between the hits.
    fn step(&self, frame: usize) -> Option<(f32, f32)> {
        let (first, last) = (self.hits[0].frame, self.last().frame);
        let (near, far) = match self.hits.len().min(1 + ENVELOPE) {
            0 | 1 => return None,
            count if frame < first => (self.hits[0], self.hits[count - 1]),
            count if frame > last => (*self.last(), self.hits[self.hits.len() - count]),
            _ => return None,
        };
        let frames = frame.abs_diff(near.frame) as f32 / near.frame.abs_diff(far.frame) as f32;
        let (from, to) = (far.find.rect.center(), near.find.rect.center());
        Some((frames * (to.x - from.x), frames * (to.y - from.y)))
    }

    /// What somebody should look at.
    fn spans(&self, looks: &[Look]) -> Vec<Span> {
        let span = |first, last, reason, doubt| Span { first, last, reason, doubt };
        let lost = self.hits.windows(2).filter(|pair| pair[1].frame > pair[0].frame + 1);
        let lost_s = |pair: &[Hit]| looks[pair[1].frame].time_ns.abs_diff(looks[pair[0].frame].time_ns) as f32 / 1e9;
        let bridged = lost.map(|pair| (pair[0].frame + 1, pair[1].frame - 1, lost_s(pair)));
        let worst = bridged.max_by(|a, b| a.2.total_cmp(&b.2)).filter(|(.., lost_s)| *lost_s > 0.2);
        let doubtful =
            (self.confidence() < SURE).then(|| span(self.hits[0].frame, self.last().frame, Reason::Doubtful, 1.0 - self.confidence()));
        doubtful.into_iter().chain(worst.map(|(first, last, lost_s)| span(first, last, Reason::Bridged, lost_s.min(1.0) / 2.0))).collect()
    }
}

/// The box, moved over an edge of the frame that is close: the rest of a face that the edge cuts is often not found.
fn beyond_the_edge(rect: Rect) -> Rect {
    let beyond = |start: f32, end: f32, side: f32| {
        let (reach, rest) = (EDGE_REACH * side, EDGE_REST * side);
        (if start < reach { start.min(0.0) - rest } else { start }, if end > 1.0 - reach { end.max(1.0) + rest } else { end })
    };
    let ((left, right), (top, bottom)) = (beyond(rect.x, rect.right(), rect.w), beyond(rect.y, rect.bottom(), rect.h));
    Rect::from_corners(left, top, right, bottom)
}

/// Where a face is between two hits, or at the only one.
fn place(before: Option<&Hit>, next: Option<&Hit>, frame: usize) -> Rect {
    match (before, next) {
        (Some(before), Some(next)) => {
            let share = (frame - before.frame) as f32 / (next.frame - before.frame) as f32;
            before.find.rect.toward(next.find.rect, share)
        }
        (Some(hit), None) | (None, Some(hit)) => hit.find.rect,
        (None, None) => Rect::square(Point::new(0.5, 0.5), 0.0),
    }
}

/// Successive frames that are hidden as a whole.
fn whole_spans(covers: &[Cover]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for frame in (0..covers.len()).filter(|&frame| covers[frame].is_whole) {
        match spans.last_mut().filter(|span| span.last + 1 == frame) {
            Some(span) => span.last = frame,
            None => spans.push(Span { first: frame, last: frame, reason: Reason::Whole, doubt: 0.9 }),
        }
    }
    spans
}

#[cfg(test)]
mod tests;
