// SPDX-License-Identifier: MIT OR Apache-2.0
//! Large faces that the edge of the frame cuts in half, and close-ups that show only a part of a face. They are hardly found in the frame
//! alone. With a wide grey border around the frame, they look like faces that something covers.

use emotion_core::error::Result;
use emotion_core::geometry::Rect;
use emotion_core::image::FrameView;
use emotion_core::image::turned::Turn;

use super::look::{By, Eye, Find, turn};
use super::photo::{distinct, together};
use super::tracks::{Look, SURE};

/// Width of the border, in longer sides of the frame.
const BORDER: f32 = 0.35;
/// How the frame is turned before it is searched, in degrees, and its longer side without the border, in pixels.
const DEGREES: [i32; 4] = [0, 90, -90, 180];
const LONGER_SIDE: u32 = 320;
/// Least share of the frame that a face covers, and from which on it is a close-up.
const SHARE: f32 = 0.04;
const CLOSE: f32 = 0.35;
/// Least confidence of a find that counts.
const TRACE: f32 = 0.03;
/// From this confidence of a [close-up](look) on, a frame is hidden as a whole.
pub(super) const WHOLE: f32 = 0.06;
/// From this sum on, what both networks find at one place, in the frame and in its mirror image, is a face.
const TOGETHER: f32 = 0.15;
/// One of so many frames of a shot is searched, from the first one on.
const EVERY: usize = 24;

/// Adds to `finds` the faces that the edge cuts in half. Returns how surely the frame is a close-up of another face, in the surest orientation:
/// the sum of what both networks find best in the frame and in its mirror image, 0..4.
pub(super) fn look(view: &FrameView, finds: &mut Vec<Find>, eye: &mut Eye) -> Result<f32> {
    if finds.iter().any(|find| share(find) > CLOSE && find.confidence >= SURE) {
        return Ok(0.0);
    }
    let mut surest = 0.0_f32;
    for degrees in DEGREES {
        let (mut total, mut ways) = (0.0, Vec::new());
        for (mirrored, by) in [(false, By::EmotionFace), (false, By::CenterFace), (true, By::EmotionFace), (true, By::CenterFace)] {
            let mut found = Vec::new();
            eye.look_turned(by, view, Turn { border: BORDER, ..turn(degrees, mirrored, LONGER_SIDE) }, TRACE, &mut found)?;
            found.retain(|find| share(find) > CLOSE || share(find) > SHARE && is_beyond_edge(find.rect));
            total += found.iter().filter(|find| share(find) > CLOSE).map(|find| find.confidence).fold(0.0, f32::max);
            ways.push(found);
            // Most frames show no such face. In a turned frame, CenterFace searches only where this project's network finds something.
            if total == 0.0 && (degrees != 0 || by == By::CenterFace && ways.iter().all(Vec::is_empty)) {
                break;
            }
        }
        surest = surest.max(total);
        if degrees == 0 {
            finds.extend(together(&ways.iter().map(|way| &way[..]).collect::<Vec<_>>(), TOGETHER));
        }
    }
    *finds = distinct(std::mem::take(finds));
    Ok(surest)
}

fn is_beyond_edge(rect: Rect) -> bool {
    rect.x < 0.0 || rect.y < 0.0 || rect.right() > 1.0 || rect.bottom() > 1.0
}

/// The share of the frame that a face covers.
fn share(find: &Find) -> f32 {
    find.rect.intersection(Rect::new(0.0, 0.0, 1.0, 1.0)).area()
}

/// The frames of a video that were searched for close-ups.
#[derive(Debug, Default)]
pub(super) struct CloseUps {
    /// Of each shot: the number of the frame, and the confidence.
    shots: Vec<Vec<(usize, f32)>>,
}

impl CloseUps {
    /// Takes the next frame, and searches it if enough frames of its shot were skipped and no face on it is sure.
    pub(super) fn look(&mut self, number: usize, frame: &mut Look, view: &FrameView, eye: &mut Eye) -> Result<()> {
        if frame.is_cut || self.shots.is_empty() {
            self.shots.push(Vec::new());
        }
        let shot = self.shots.last_mut().expect("it has begun");
        if shot.last().is_none_or(|(last, _)| number - last >= EVERY) {
            let is_known = frame.finds.iter().any(|find| find.confidence >= SURE);
            shot.push((number, if is_known { 0.0 } else { look(view, &mut frame.finds, eye)? }));
        }
        Ok(())
    }

    /// Hides the frames between the searches before and after one with a close-up. Two searches count together: one alone is easily wrong.
    pub(super) fn hide(&self, looks: &mut [Look]) {
        let ends = self.shots.iter().skip(1).map(|shot| shot[0].0).chain([looks.len()]).collect::<Vec<_>>();
        for (shot, end) in self.shots.iter().zip(ends) {
            for (at, &(number, confidence)) in shot.iter().enumerate() {
                let (before, after) = (at.checked_sub(1).map(|at| shot[at]), shot.get(at + 1));
                let beside = before.iter().chain(after).map(|(_, confidence)| *confidence).reduce(f32::max).unwrap_or(confidence);
                if confidence > 0.0 && f32::midpoint(confidence, beside) >= WHOLE {
                    let (first, last) = (before.map_or(number, |(number, _)| number + 1), after.map_or(end, |(number, _)| *number));
                    looks[first..last].iter_mut().for_each(|look| look.is_whole = true);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use emotion_core::geometry::Size;
    use emotion_core::image::{Colorimetry, PixelFormat, Plane};
    use test_support::{fetched, three_faces};

    use super::*;

    #[test]
    fn faces_that_an_edge_cuts_in_half_are_found() {
        if !fetched("centerface") {
            return;
        }
        let (data, mut eye) = (three_faces().render(0.0), Eye::load().unwrap());
        let mut found = |columns: std::ops::Range<usize>| {
            let plane = Plane { data: &data[3 * columns.start..], stride: 3 * 640 };
            let size = Size::new(columns.len() as u32, 480);
            let view = FrameView::new(PixelFormat::Rgb, size, &[plane], Colorimetry::default()).unwrap();
            let mut finds = Vec::new();
            assert!(look(&view, &mut finds, &mut eye).unwrap() < WHOLE, "no close-up");
            finds.iter().map(|find| (find.rect.x < 0.0, find.rect.right() > 1.0)).collect::<Vec<_>>()
        };
        assert_eq!(found(110..260), [(true, false)]);
        assert_eq!(found(380..530), [(false, true)]);
        assert_eq!(found(165..265), []);
    }

    /// The hidden frames of 100 with a cut before the 60th, by the confidence of the frames that were searched.
    fn hidden(searched: [&[f32]; 2]) -> Vec<usize> {
        let shot = |first: usize, found: &[f32]| found.iter().enumerate().map(|(at, one)| (first + at * EVERY, *one)).collect();
        let mut looks = vec![Look::default(); 100];
        CloseUps { shots: vec![shot(0, searched[0]), shot(60, searched[1])] }.hide(&mut looks);
        (0..100).filter(|&frame| looks[frame].is_whole).collect()
    }

    #[test]
    fn a_close_up_is_hidden_between_the_searches_around_it_and_no_further_than_its_shot() {
        assert_eq!(hidden([&[0.0, 0.0, 0.0], &[0.4, 0.4]]), (60..100).collect::<Vec<_>>());
        assert_eq!(hidden([&[0.0, 0.4, 0.0], &[0.0, 0.0]]), (1..48).collect::<Vec<_>>());
        assert_eq!(hidden([&[0.4, 0.0, 0.0], &[0.0, 0.0]]), (0..24).collect::<Vec<_>>());
    }

    #[test]
    fn one_search_that_is_hardly_sure_is_not_enough() {
        assert!(hidden([&[0.0, 0.1, 0.0], &[0.0, 0.0]]).is_empty());
        assert_eq!(hidden([&[0.0, 0.1, 0.05], &[0.0, 0.0]]), (1..60).collect::<Vec<_>>());
        assert_eq!(hidden([&[0.0, 0.0, 0.0], &[0.1]]), (60..100).collect::<Vec<_>>(), "the only one of its shot");
    }
}
