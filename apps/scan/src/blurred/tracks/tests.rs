// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

const BOX: Rect = Rect::new(0.4, 0.4, 0.1, 0.1);
const FRAME_NS: u64 = 40_000_000;

fn looks(frames: usize, finds: impl Fn(usize) -> Vec<(Rect, f32)>) -> Vec<Look> {
    let find = |(rect, confidence)| Find { rect, confidence };
    let look = |frame| Look { time_ns: frame as u64 * FRAME_NS, finds: finds(frame).into_iter().map(find).collect(), ..Look::default() };
    (0..frames).map(look).collect()
}

/// The frames on which `rect` is hidden.
fn hidden(plan: &Plan, rect: impl Fn(usize) -> Rect) -> Vec<usize> {
    let covers =
        |frame: usize| plan.covers[frame].boxes.iter().any(|hidden| hidden.intersection(rect(frame)).area() > 0.99 * rect(frame).area());
    (0..plan.covers.len()).filter(|&frame| plan.covers[frame].is_whole || covers(frame)).collect()
}

#[test]
fn a_face_is_hidden_half_a_second_before_it_was_found_and_after_it_was_lost() {
    let found = looks(60, |frame| if (20..30).contains(&frame) { vec![(BOX, 0.8)] } else { Vec::new() });
    let plan = plan(&found);
    assert_eq!(hidden(&plan, |_| BOX), (8..=41).collect::<Vec<_>>());
    assert_eq!((plan.tracks, plan.spans), (1, Vec::new()));
    let [near, far] = [30, 41].map(|frame| plan.covers[frame].boxes[0].w);
    assert!(far > 1.5 * near && near > BOX.w, "{near} {far}");
}

#[test]
fn a_face_that_moves_is_hidden_where_it_comes_from_and_where_it_goes() {
    let at = |frame: usize| BOX.translated(0.02 * (frame as f32 - 25.0), 0.01 * (frame as f32 - 25.0));
    let found = looks(60, |frame| if (20..30).contains(&frame) { vec![(at(frame), 0.8)] } else { Vec::new() });
    let plan = plan(&found);
    assert_eq!(hidden(&plan, at), (8..=41).collect::<Vec<_>>());
    assert_eq!(hidden(&plan, |frame| at(frame.clamp(20, 29))), (8..=41).collect::<Vec<_>>(), "or stands still");
}

#[test]
fn a_face_that_is_never_sure_is_hidden_for_half_as_long() {
    let found = looks(60, |frame| if (20..30).contains(&frame) { vec![(BOX, 0.2)] } else { Vec::new() });
    assert_eq!(hidden(&plan(&found), |_| BOX), (14..=35).collect::<Vec<_>>());
}

#[test]
fn a_cut_ends_what_is_hidden() {
    let mut found = looks(60, |frame| if (20..30).contains(&frame) { vec![(BOX, 0.8)] } else { Vec::new() });
    (found[18].is_cut, found[31].is_cut) = (true, true);
    assert_eq!(hidden(&plan(&found), |_| BOX), (18..31).collect::<Vec<_>>());
}

#[test]
fn a_moving_face_that_is_lost_for_a_second_is_hidden_in_between() {
    let at = |frame: usize| BOX.translated(0.006 * frame as f32 - 0.2, 0.0);
    let found = looks(70, |frame| if (20..45).contains(&frame) { Vec::new() } else { vec![(at(frame), 0.8)] });
    let plan = plan(&found);
    assert_eq!((plan.tracks, hidden(&plan, at)), (1, (0..70).collect()));
    assert_eq!(plan.spans, [Span { first: 20, last: 44, reason: Reason::Bridged, doubt: 0.5 }]);
}

#[test]
fn faces_that_pass_each_other_stay_two() {
    let at = |frame: usize| [BOX.translated(0.01 * frame as f32 - 0.3, 0.0), BOX.translated(0.3 - 0.01 * frame as f32, 0.15)];
    let found = looks(60, |frame| at(frame).map(|rect| (rect, 0.7)).into());
    let plan = plan(&found);
    assert_eq!(plan.tracks, 2);
    assert!((0..2).all(|face| hidden(&plan, |frame| at(frame)[face]).len() == 60));
}

#[test]
fn a_single_weak_find_is_not_hidden_and_a_stronger_one_is() {
    let once = |confidence| plan(&looks(9, |frame| if frame == 4 { vec![(BOX, confidence)] } else { Vec::new() })).tracks;
    assert_eq!([0.1, 0.16].map(once), [0, 1]);
}

#[test]
fn a_shot_with_a_large_face_that_is_never_sure_is_hidden_as_a_whole() {
    let large = Rect::new(0.2, 0.2, 0.5, 0.5);
    let found = |sure: bool| {
        looks(30, move |frame| {
            let weak = (10..20).contains(&frame).then_some((large, 0.12));
            weak.into_iter().chain((sure && frame == 3).then_some((BOX.translated(0.5, 0.4), 0.9))).collect()
        })
    };
    let whole = |sure| plan(&found(sure)).covers.iter().filter(|cover| cover.is_whole).count();
    assert_eq!((whole(false), whole(true)), (30, 0), "half a second on each side");
    let reasons: Vec<Reason> = plan(&found(false)).spans.iter().map(|span| span.reason).collect();
    assert_eq!(reasons, [Reason::Doubtful, Reason::Whole]);
}

#[test]
fn a_box_that_is_too_small_on_one_frame_is_as_large_as_its_neighbours() {
    let small = Rect::around(BOX.center(), 0.05, 0.05);
    let found = looks(9, |frame| vec![(if frame == 4 { small } else { BOX }, 0.8)]);
    assert_eq!(hidden(&plan(&found), |_| BOX).len(), 9);
}

#[test]
fn a_face_at_an_edge_is_hidden_up_to_the_edge_and_one_in_the_middle_is_not_enlarged() {
    let hidden = |rect: Rect| plan(&looks(1, |_| vec![(rect, 0.8)])).covers[0].boxes[0];
    let cut = hidden(Rect::new(0.89, 0.5, 0.1, 0.1));
    assert!((cut.x - 0.89).abs() < 1e-6 && (cut.right() - 1.02).abs() < 1e-6, "{cut:?}");
    let middle = hidden(BOX);
    assert!((middle.x - BOX.x).abs() < 1e-6 && (middle.w - BOX.w).abs() < 1e-6, "{middle:?}");
}

#[test]
fn frames_that_must_be_hidden_as_a_whole_are_one_span() {
    let mut found = looks(9, |_| Vec::new());
    found[3..6].iter_mut().for_each(|look| look.is_whole = true);
    let plan = plan(&found);
    assert_eq!(hidden(&plan, |_| BOX), [3, 4, 5]);
    assert_eq!(plan.spans, [Span { first: 3, last: 5, reason: Reason::Whole, doubt: 0.9 }]);
}
