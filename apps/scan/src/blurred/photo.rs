// SPDX-License-Identifier: MIT OR Apache-2.0
//! The faces of a photo. It is searched in many ways, and what each of them hardly finds counts together: a face that looks down or
//! away, or of which another head hides a part, is found weakly at one place in several ways, and most other things are not.

use emotion_core::error::Result;
use emotion_core::geometry::Rect;
use emotion_core::image::FrameView;
use emotion_core::image::turned::Turn;

use super::look::{By, CENTERFACE_CONFIDENCE, CENTERFACE_TURNS, Eye, Find, THRESHOLD, TURNED, turn};
use super::tracks::ALONE;

/// How a photo is turned before it is searched.
const TURNS: [Turn; 9] = [
    turn(0, true, 1280),
    turn(60, false, 640),
    turn(-60, false, 640),
    turn(120, false, 640),
    turn(-120, false, 640),
    turn(180, false, 640),
    turn(90, false, 320),
    turn(-90, false, 320),
    turn(180, true, 320),
];
/// Turns between these, in which many things look like faces: what is found only counts together.
const SLIGHT_TURNS: [Turn; 4] = [turn(30, false, 640), turn(-30, true, 640), turn(30, true, 320), turn(-30, false, 320)];
/// Borders in which faces are found that the edges of the photo cut off, and their least confidence.
const BORDERS: [Turn; 2] = [bordered(0.1, 480), bordered(0.2, 480)];
const CUT_OFF: f32 = 0.15;
const EDGE: f32 = 0.25;
/// How a photo is turned for CenterFace in case it lies on its side or upside down, and the minimum confidence of a face in it.
const SIDEWAYS_TURNS: [Turn; 3] = [turn(90, false, 960), turn(-90, false, 960), turn(180, false, 960)];
const SIDEWAYS_CONFIDENCE: f32 = 0.5;
/// Least confidence of what counts together, and the sum of the best of each way that is a face.
const TRACE: f32 = 0.05;
const TOGETHER: f32 = 0.42;
/// Boxes with a higher IoU are of one face.
pub(super) const SAME_IOU: f32 = 0.3;

/// The photo with a grey border.
const fn bordered(border: f32, longer_side: u32) -> Turn {
    Turn { border, ..turn(0, false, longer_side) }
}

/// What was found in one way.
struct Way {
    finds: Vec<Find>,
    /// Least confidence of a face, whatever the other ways find.
    least: f32,
    /// True if it counts together with others.
    counts: bool,
}

impl Way {
    fn turned(view: &FrameView, turn: Turn, least: f32, eye: &mut Eye) -> Result<Self> {
        let mut finds = Vec::new();
        eye.look_turned(By::EmotionFace, view, turn, TRACE, &mut finds)?;
        // Too many other things look like heads upside down, or like a face if there is a border.
        Ok(Self { finds, least, counts: turn.border == 0.0 && turn.roll.cos() > -0.1 })
    }
}

/// The faces of a photo.
pub(super) fn faces(view: &FrameView, eye: &mut Eye) -> Result<Vec<Find>> {
    let (mut whole, mut close) = (Vec::new(), Vec::new());
    eye.look(view, TRACE, &mut whole)?;
    eye.look_closely(view, TRACE, &mut close)?;
    let mut ways: Vec<Way> = [whole, close].map(|finds| Way { finds, least: THRESHOLD, counts: true }).into();
    for turn in TURNS {
        ways.push(Way::turned(view, turn, TURNED, eye)?);
    }
    for turn in SLIGHT_TURNS {
        ways.push(Way::turned(view, turn, f32::INFINITY, eye)?);
    }
    for border in BORDERS {
        let mut way = Way::turned(view, border, CUT_OFF, eye)?;
        way.finds.retain(|find| is_cut_off(find.rect));
        ways.push(way);
    }
    let mut other = Way { finds: Vec::new(), least: CENTERFACE_CONFIDENCE, counts: true };
    for turn in CENTERFACE_TURNS {
        eye.look_turned(By::CenterFace, view, turn, TRACE, &mut other.finds)?;
    }
    ways.push(other);
    for turn in SIDEWAYS_TURNS {
        let mut finds = Vec::new();
        eye.look_turned(By::CenterFace, view, turn, SIDEWAYS_CONFIDENCE, &mut finds)?;
        ways.push(Way { finds, least: SIDEWAYS_CONFIDENCE, counts: false });
    }
    Ok(joined(&ways))
}

/// The faces that one way finds, or all together.
fn joined(ways: &[Way]) -> Vec<Find> {
    let alone = ways.iter().flat_map(|way| way.finds.iter().filter(|find| find.confidence >= way.least));
    let mut found = distinct(alone.copied().collect());
    let counted: Vec<&[Find]> = ways.iter().filter(|way| way.counts).map(|way| &way.finds[..]).collect();
    let is_new = |find: &Find| found.iter().all(|other| other.confidence < ALONE || other.rect.iou(find.rect) <= SAME_IOU);
    let together: Vec<Find> = together(&counted, TOGETHER).into_iter().filter(is_new).collect();
    found.extend(together);
    distinct(found)
}

/// The finds at whose place the best of each way sum to `least`. They are hidden even if they are alone.
pub(super) fn together(ways: &[&[Find]], least: f32) -> Vec<Find> {
    let at = |finds: &[Find], rect: Rect| {
        finds.iter().filter(|find| find.rect.iou(rect) > SAME_IOU).map(|find| find.confidence).fold(0.0, f32::max)
    };
    let is_face = |find: &&Find| ways.iter().map(|finds| at(finds, find.rect)).sum::<f32>() >= least;
    let faces = ways.iter().copied().flatten().filter(is_face);
    faces.map(|find| Find { confidence: find.confidence.max(ALONE), ..*find }).collect()
}

/// True if the edge of the frame is nearer to a box than this share of its side, or cuts it.
fn is_cut_off(rect: Rect) -> bool {
    let near = |start: f32, length: f32| start < EDGE * length || start + length > 1.0 - EDGE * length;
    near(rect.x, rect.w) || near(rect.y, rect.h)
}

/// The finds without those of a face that was found more surely.
pub(super) fn distinct(mut finds: Vec<Find>) -> Vec<Find> {
    finds.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    finds.into_iter().fold(Vec::new(), |mut kept: Vec<Find>, find| {
        if kept.iter().all(|other| other.rect.iou(find.rect) <= SAME_IOU) {
            kept.push(find);
        }
        kept
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(x: f32, confidence: f32) -> Find {
        Find { rect: Rect::new(x, 0.4, 0.1, 0.1), confidence }
    }

    #[test]
    fn a_face_that_is_found_weakly_in_several_ways_is_one() {
        let way = |counts, finds: &[Find]| Way { finds: finds.to_vec(), least: TURNED, counts };
        let ways = [&[find(0.4, 0.12), find(0.7, 0.12)][..], &[find(0.41, 0.15)], &[find(0.39, 0.22), find(0.1, 0.22)]];
        let found = |counts: [bool; 3]| joined(&[0, 1, 2].map(|number| way(counts[number], ways[number])));
        assert_eq!(found([true; 3]), [find(0.39, 0.22)], "together .49");
        assert_eq!(found([true, true, false]), [], "together .27");
        let alone = way(false, &[find(0.1, 0.3)]);
        assert_eq!(joined(&[way(true, ways[0]), alone]), [find(0.1, 0.3)]);
    }

    #[test]
    fn a_face_at_an_edge_is_cut_off() {
        let at = |x: f32, y: f32| is_cut_off(Rect::new(x, y, 0.2, 0.1));
        assert_eq!(
            [(0.4, 0.4), (0.04, 0.4), (0.79, 0.4), (0.4, -0.05), (0.4, 0.88)].map(|(x, y)| at(x, y)),
            [false, true, true, true, true]
        );
    }

    #[test]
    fn a_face_that_was_found_twice_is_one() {
        assert_eq!(distinct(vec![find(0.4, 0.3), find(0.41, 0.9), find(0.6, 0.2)]), [find(0.41, 0.9), find(0.6, 0.2)]);
    }
}
