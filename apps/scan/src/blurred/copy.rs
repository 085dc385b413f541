// SPDX-License-Identifier: MIT OR Apache-2.0
//! The three passes over a file: find, hide, look again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use emotion_core::choices::Blur;
use emotion_core::geometry::{Point, Rect};
use emotion_core::image::FrameView;
use emotion_core::image::turned::{Turn, TurnedCopy};
use emotion_core::track::scene_cut::CutDetector;
use serde::{Deserialize, Serialize};

use super::close_up::{self, CloseUps};
use super::failure::Failure;
use super::hide::{Copying, hide};
use super::look::{By, CENTERFACE_CONFIDENCE, CENTERFACE_TURNS, Eye, Find, THRESHOLD, TURNED, turn};
use super::orientation::{Shot, orientations};
use super::reading::{Others, each_frame};
use super::tracks::{Cover, Look, Plan, Reason, Span, plan};
use super::{left_out, photo, picture};
use crate::findings::Kind;

/// Every so many frames of a video are also searched at full resolution.
const CLOSE_EVERY: usize = 6;
/// CenterFace searches one of so many frames of a video: that takes longer than everything else that is done with a frame.
const CENTERFACE_EVERY: usize = 24;
/// Every so many frames of the copy of a video are searched.
const CHECK_EVERY: usize = 2;
/// Rounds of hiding and looking again. After the last one, the frames on which there still is a face are hidden as a whole.
const MAX_ROUNDS: usize = 3;
/// How the frames of a result are turned before they are searched, in turn.
const TURNS: [Turn; 7] = [
    turn(0, true, 960),
    turn(60, false, 320),
    turn(180, false, 320),
    turn(-60, true, 320),
    turn(0, true, 448),
    turn(120, true, 320),
    turn(-120, false, 320),
];
/// A face is hidden if this share of the middle of its box is.
const HIDDEN_SHARE: f32 = 0.8;
/// The middle of a box, in its sides, and the number of points in a row of it that are looked at.
const MIDDLE: f32 = 0.6;
const POINTS: usize = 7;
/// Spans of a file with a picture.
const MAX_PICTURES: usize = 24;

/// What was found in a file, hidden and left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    pub frames: usize,
    /// Faces that were followed.
    pub faces: usize,
    /// Frames on which something is hidden.
    pub hidden_frames: usize,
    /// Frames that are hidden as a whole.
    pub whole_frames: usize,
    /// How many faces were found on the result of each round.
    pub mended: Vec<usize>,
    /// What the copy does not have.
    pub left_out: Vec<String>,
    pub spans: Vec<Watch>,
}

/// A span that somebody should look at, the worst first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Watch {
    pub start_ns: u64,
    pub end_ns: u64,
    pub reason: Reason,
    pub doubt: f32,
    /// A frame of a video, as JPEG in base64. A photo has none: the page shows the copy itself.
    pub picture: Option<String>,
}

/// A face that is still there on the result, and how the frame was turned when it was found.
#[derive(Clone, Copy, Debug)]
struct Seen {
    frame: usize,
    find: Find,
    turn: Turn,
}

/// Writes the copy of a file.
pub(super) fn copy(copying: Copying, kind: Kind, eye: &mut Eye) -> Result<Report, Failure> {
    let (mut looks, others) = find(copying, kind, eye)?;
    let mut report =
        Report { frames: looks.len(), left_out: left_out::of(copying.input, kind, copying.sound, &others), ..Report::default() };
    let (mut mended, mut checked, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let mut planned = plan(&looks);
        planned.spans.extend(spans_of(&mended));
        planned.spans.sort_by(|a, b| b.doubt.total_cmp(&a.doubt).then(a.first.cmp(&b.first)));
        let mut known = BTreeSet::new();
        planned.spans.retain(|span| known.insert((span.first, span.last, span.reason)));
        hide(copying, &planned)?;
        let pictures;
        (seen, pictures) = check(copying, kind, &planned, (&checked, &seen), eye)?;
        // The result of the last round has whole frames hidden, which are grey or a few blocks.
        if seen.is_empty() || report.mended.len() > MAX_ROUNDS {
            return Ok(finish(report, &looks, &planned, pictures));
        }
        checked = planned.covers;
        report.mended.push(seen.len());
        mended.extend(seen.iter().map(|one| one.frame));
        for one in &seen {
            looks[one.frame].is_whole |= report.mended.len() >= MAX_ROUNDS;
            looks[one.frame].finds.push(one.find);
        }
    }
}

/// Pass 1: what is on the frames of the original.
fn find(copying: Copying, kind: Kind, eye: &mut Eye) -> Result<(Vec<Look>, Others), Failure> {
    let (mut looks, mut cuts): (Vec<Look>, _) = (Vec::new(), CutDetector::default());
    let (mut shots, mut close_ups): (Vec<Shot>, _) = (Vec::new(), CloseUps::default());
    let others = each_frame(copying.input, copying.limit, |shown| {
        let mut look = Look { time_ns: shown.time_ns, ..Look::default() };
        look.is_cut = cuts.observe_at(&shown.view, Duration::from_nanos(shown.time_ns));
        if kind == Kind::Photo {
            look.finds = photo::faces(&shown.view, eye)?;
            look.is_whole = close_up::look(&shown.view, &mut look.finds, eye)? >= close_up::WHOLE;
        } else {
            look.finds = faces(&shown.view, shown.number, look.is_cut, eye)?;
            if look.is_cut || shots.is_empty() {
                shots.push(Shot::beginning_at(shown.number));
            }
            shots.last_mut().expect("it has begun").look(shown, &look.finds, eye)?;
            close_ups.look(shown.number, &mut look, &shown.view, eye)?;
        }
        looks.push(look);
        Ok(())
    })?;
    close_ups.hide(&mut looks);
    let turned = orientations(&shots);
    if !turned.is_empty() {
        find_turned(copying, &turned, &mut looks, eye)?;
    }
    Ok((looks, others))
}

/// Adds to `looks` the faces on some frames of a video, which their turns make upright.
fn find_turned(copying: Copying, turned: &[(Range<usize>, Turn)], looks: &mut [Look], eye: &mut Eye) -> Result<(), Failure> {
    let (mut copy, expected) = (TurnedCopy::default(), looks.len());
    each_frame(copying.input, copying.limit, |shown| {
        let look = looks.get_mut(shown.number).ok_or(Failure::Frames { expected, found: shown.number + 1 })?;
        let size = shown.view.size();
        for (_, turn) in turned.iter().filter(|(frames, _)| frames.contains(&shown.number)) {
            copy.take(&shown.view, Turn { longer_side: size.width.max(size.height), ..*turn });
            let view = copy.view()?;
            let found = faces(&view, shown.number, look.is_cut, eye)?;
            let to_frame = |find: Find| Find { rect: copy.to_frame(find.rect.from_norm(view.size())).to_norm(size), ..find };
            look.finds.extend(found.into_iter().map(to_frame));
        }
        look.finds = photo::distinct(std::mem::take(&mut look.finds));
        Ok(())
    })?;
    Ok(())
}

/// The faces of a frame of a video.
fn faces(view: &FrameView, number: usize, is_cut: bool, eye: &mut Eye) -> Result<Vec<Find>, Failure> {
    let mut finds = Vec::new();
    eye.look(view, THRESHOLD, &mut finds)?;
    if is_cut || number.is_multiple_of(CLOSE_EVERY) {
        eye.look_closely(view, THRESHOLD, &mut finds)?;
    }
    if is_cut || number % CENTERFACE_EVERY == CENTERFACE_EVERY / 4 {
        let turn = CENTERFACE_TURNS[number / CENTERFACE_EVERY % CENTERFACE_TURNS.len()];
        eye.look_turned(By::CenterFace, view, turn, CENTERFACE_CONFIDENCE, &mut finds)?;
    }
    Ok(photo::distinct(finds))
}

/// A picture of the result for each number of a span.
type Pictures = BTreeMap<usize, String>;

/// How a frame of a video is turned before it is searched. A face that was seen in the round before is followed in both directions, and
/// one on the frame before forward.
fn turn_of(number: usize, followed: Option<Turn>, before: &[Seen]) -> Option<Turn> {
    let nearest = before.iter().min_by_key(|one| one.frame.abs_diff(number)).map(|one| one.turn);
    let next = || number.is_multiple_of(CHECK_EVERY).then(|| TURNS[number / CHECK_EVERY % TURNS.len()]);
    followed.or(nearest).or_else(next)
}

/// Pass 3: faces that are still there on the frames of the result, and pictures of the spans. `before` is what was hidden in the round
/// before, and what was seen then: frames that still show the same are not searched again.
fn check(copying: Copying, kind: Kind, plan: &Plan, before: (&[Cover], &[Seen]), eye: &mut Eye) -> Result<(Vec<Seen>, Pictures), Failure> {
    let pictured = if kind == Kind::Photo { 0 } else { MAX_PICTURES };
    let middles: BTreeMap<usize, Vec<usize>> =
        plan.spans.iter().enumerate().take(pictured).fold(BTreeMap::new(), |mut middles, (number, span)| {
            middles.entry(usize::midpoint(span.first, span.last)).or_default().push(number);
            middles
        });
    let (mut new, mut pictures, mut frames) = (Vec::<Seen>::new(), Pictures::new(), 0);
    each_frame(copying.output, copying.limit, |shown| {
        frames += 1;
        let cover = plan.covers.get(shown.number).ok_or(Failure::Frames { expected: plan.covers.len(), found: frames })?;
        let followed = new.last().filter(|one| one.frame + 1 == shown.number).map(|one| one.turn);
        let turn = turn_of(shown.number, followed, before.1);
        let turns = match kind {
            _ if before.0.get(shown.number) == Some(cover) => &[],
            Kind::Photo => &TURNS[..],
            _ => turn.as_slice(),
        };
        for &turn in turns {
            let mut finds = Vec::new();
            eye.look_turned(By::EmotionFace, &shown.view, turn, THRESHOLD, &mut finds)?;
            finds.retain(|find| find.confidence >= TURNED && !is_hidden(find.rect, cover));
            new.extend(finds.into_iter().map(|find| Seen { frame: shown.number, find, turn }));
        }
        if let Some(numbers) = middles.get(&shown.number) {
            let jpeg = picture::jpeg(shown.sample)?;
            pictures.extend(numbers.iter().map(|number| (*number, jpeg.clone())));
        }
        Ok(())
    })?;
    if frames == plan.covers.len() { Ok((new, pictures)) } else { Err(Failure::Frames { expected: plan.covers.len(), found: frames }) }
}

/// True if the middle of `rect` is hidden.
fn is_hidden(rect: Rect, cover: &Cover) -> bool {
    let center = rect.center();
    let step = |at: usize| (at as f32 / (POINTS - 1) as f32 - 0.5) * MIDDLE;
    let points = (0..POINTS * POINTS).map(|at| Point::new(center.x + step(at % POINTS) * rect.w, center.y + step(at / POINTS) * rect.h));
    let inside = points.filter(|point| (0.0..=1.0).contains(&point.x) && (0.0..=1.0).contains(&point.y)).collect::<Vec<_>>();
    let is_in = |point: &&Point, hidden: &Rect| {
        let (center, w, h) = (hidden.center(), Blur::HIDDEN / 2.0 * hidden.w, Blur::HIDDEN / 2.0 * hidden.h);
        ((point.x - center.x) / w).powi(2) + ((point.y - center.y) / h).powi(2) <= 1.0
    };
    let hidden = inside.iter().filter(|point| cover.boxes.iter().any(|hidden| is_in(point, hidden))).count();
    cover.is_whole || hidden as f32 >= HIDDEN_SHARE * inside.len() as f32
}

/// Spans of frames on which something was found only in the result.
fn spans_of(frames: &[usize]) -> Vec<Span> {
    let mut frames = frames.to_vec();
    frames.sort_unstable();
    let mut spans: Vec<Span> = Vec::new();
    for frame in frames {
        match spans.last_mut().filter(|span| frame <= span.last + CLOSE_EVERY) {
            Some(span) => span.last = frame,
            None => spans.push(Span { first: frame, last: frame, reason: Reason::Mended, doubt: 1.0 }),
        }
    }
    spans
}

fn finish(report: Report, looks: &[Look], plan: &Plan, mut pictures: Pictures) -> Report {
    let watch = |(number, span): (usize, &Span)| Watch {
        start_ns: looks[span.first].time_ns,
        end_ns: looks[span.last].time_ns,
        reason: span.reason,
        doubt: span.doubt,
        picture: pictures.remove(&number),
    };
    let is_hidden = |cover: &&Cover| cover.is_whole || !cover.boxes.is_empty();
    Report {
        faces: plan.tracks,
        hidden_frames: plan.covers.iter().filter(is_hidden).count(),
        whole_frames: plan.covers.iter().filter(|cover| cover.is_whole).count(),
        spans: plan.spans.iter().enumerate().map(watch).collect(),
        ..report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_face_is_hidden_if_the_middle_of_its_box_is() {
        let rect = Rect::new(0.4, 0.4, 0.1, 0.1);
        let hidden = |shift: f32| is_hidden(rect, &Cover { boxes: vec![rect.translated(shift, 0.0)], is_whole: false });
        assert_eq!([0.0, 0.02, 0.06].map(hidden), [true, true, false]);
        assert!(is_hidden(rect, &Cover { boxes: Vec::new(), is_whole: true }) && !is_hidden(rect, &Cover::default()));
        let halves = vec![Rect::new(0.36, 0.4, 0.1, 0.1), Rect::new(0.44, 0.4, 0.1, 0.1)];
        assert!(is_hidden(rect, &Cover { boxes: halves, is_whole: false }), "two that overlap");
    }

    #[test]
    fn a_face_that_was_seen_is_followed_as_the_frame_was_turned_then() {
        let find = Find { rect: Rect::new(0.4, 0.4, 0.1, 0.1), confidence: 0.3 };
        let before = [(10, TURNS[2]), (40, TURNS[1])].map(|(frame, turn)| Seen { frame, find, turn });
        assert_eq!([5, 24, 26].map(|number| turn_of(number, None, &before)), [2, 2, 1].map(|at| Some(TURNS[at])));
        assert_eq!([0, 1, 4].map(|number| turn_of(number, None, &[])), [Some(TURNS[0]), None, Some(TURNS[2])]);
        assert_eq!(turn_of(5, Some(TURNS[3]), &before), Some(TURNS[3]), "the frame before");
    }

    #[test]
    fn mended_frames_close_to_each_other_are_one_span() {
        let spans: Vec<_> = spans_of(&[9, 3, 5, 40]).iter().map(|span| (span.first, span.last)).collect();
        assert_eq!(spans, [(3, 9), (40, 40)]);
    }
}
