// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::decode::Part;

const S: i64 = 1_000_000_000;

/// A stream of frames, 1 a second, named by their times. `K` is a keyframe.
fn frames(text: &str) -> Vec<Coded<i64>> {
    let parse = |word: &str| {
        let time: i64 = word.trim_start_matches('K').parse().unwrap();
        Coded { time_ns: Some(time * S), decode_ns: None, is_keyframe: word.starts_with('K'), bytes: 1, item: time }
    };
    text.split(' ').map(parse).collect()
}

fn whole_file() -> Range {
    Range::of(Part::default())
}

fn slice(run_up: i64, start: i64, end: Option<i64>) -> Range {
    let ns = |time: i64| (time * S) as u64;
    Range::of(Part { run_up_ns: ns(run_up), start_ns: ns(start), end_ns: end.map(ns), beyond_ns: 0 })
}

/// A frame each `every` seconds.
fn pace(every: i64) -> Pace {
    Pace { every_ns: (every * S) as u64, is_look: false }
}

struct Outcome {
    /// What the decoder gets; `|` where it drains, `.` at the end of the range.
    passed: String,
    /// Time and number of the frames to examine.
    wanted: Vec<(i64, u64)>,
    frames: u64,
    distrust: Option<Distrust>,
}

fn run(groups: &mut Groups<i64>, frames: Vec<Coded<i64>>) -> Outcome {
    let mut actions = Vec::new();
    frames.into_iter().for_each(|frame| groups.push(frame, &mut actions));
    groups.finish(&mut actions);
    let text = actions.iter().map(|action| match action {
        Action::Pass(item) => item.to_string(),
        Action::Drain => "|".into(),
        Action::End => ".".into(),
    });
    let passed = text.collect::<Vec<String>>().join(" ");
    let wanted = std::iter::from_fn(|| groups.take_wanted()).map(|wanted| (wanted.time_ns / S, wanted.number)).collect();
    Outcome { passed, wanted, frames: groups.times().count() as u64, distrust: groups.distrust() }
}

fn sampled(every: i64, range: Range, text: &str) -> Outcome {
    run(&mut Groups::new(pace(every), range), frames(text))
}

fn looked_at(every: i64, range: Range, text: &str) -> Outcome {
    run(&mut Groups::new(Pace { is_look: true, ..pace(every) }, range), frames(text))
}

#[test]
fn of_short_groups_the_keyframe_nearest_to_each_time_is_decoded() {
    let outcome = sampled(5, whole_file(), "K0 1 K2 3 K4 5 K7 8 K9 10 K12 13 K14 15 16");
    // 5 is nearest to 4, 10 to 9, 15 to 14.
    assert_eq!(outcome.passed, "0 | 4 | 9 | 14 |");
    assert_eq!(outcome.wanted, [(0, 0), (4, 4), (9, 8), (14, 12)]);
    assert_eq!((outcome.frames, outcome.distrust), (15, None));
    let later = sampled(5, whole_file(), "K0 1 2 3 K4 5 K6 7 8 K9 10");
    assert_eq!(later.wanted, [(0, 0), (4, 4), (9, 9)], "of two keyframes at the same distance, the first");
}

#[test]
fn long_groups_are_decoded_up_to_the_time() {
    let outcome = sampled(2, whole_file(), "K0 1 2 3 4 5 6 K7 8 9 10 11 12");
    assert_eq!(outcome.wanted, [(0, 0), (2, 2), (4, 4), (6, 6), (8, 8), (10, 10), (12, 12)]);
    assert_eq!(outcome.passed, "0 | 0 1 2 3 4 5 6 | 7 8 9 10 11 12 |", "the first keyframe is shown before its group is known");
    let rare = sampled(5, whole_file(), "K0 1 2 3 4 5 6 7 8 9 K10 11 12 13 14 15 16 17 K18 19");
    assert_eq!(rare.passed, "0 | 0 1 2 3 4 5 | 10 11 12 13 14 15 |");
    assert_eq!(rare.wanted, [(0, 0), (5, 5), (10, 10), (15, 15)]);
}

#[test]
fn a_time_behind_the_last_frame_of_a_long_group_takes_the_next_keyframe() {
    let outcome = sampled(5, whole_file(), "K0 1 2 3 4 K7 8 9 10");
    assert_eq!((outcome.passed.as_str(), outcome.wanted), ("0 | 7 |", vec![(0, 0), (7, 5)]));
}

#[test]
fn frames_that_are_shown_in_another_order_are_counted_in_theirs() {
    // The frame at 3 depends on those at 4 and 6, which are decoded before it. Of the second group, 8 and 9 are shown first.
    let order = "K0 6 4 2 1 3 5 K10 8 7 9 16 14 12 11 13 15";
    let outcome = sampled(3, whole_file(), order);
    assert_eq!(outcome.passed, "0 | 0 6 4 2 1 3 | 10 8 7 9 16 14 12 11 13 15 |");
    assert_eq!(outcome.wanted, [(0, 0), (3, 3), (6, 6), (10, 10), (12, 12), (15, 15)]);
    let keyframes = sampled(10, whole_file(), order);
    assert_eq!((keyframes.passed.as_str(), keyframes.wanted), ("0 | 10 |", vec![(0, 0), (10, 10)]));
}

#[test]
fn the_time_of_decoding_settles_a_frame_at_once() {
    let mut groups = Groups::new(pace(2), whole_file());
    let mut actions = Vec::new();
    for mut frame in frames("K0 1 2 3 4") {
        frame.decode_ns = frame.time_ns;
        groups.push(frame, &mut actions);
    }
    let passed: Vec<i64> = actions.iter().filter_map(|action| if let Action::Pass(item) = action { Some(*item) } else { None }).collect();
    assert_eq!(passed, [0, 0, 1, 2]);
}

#[test]
fn each_frame_of_an_intra_only_stream_is_a_keyframe() {
    let outcome = sampled(3, whole_file(), "K0 K1 K2 K3 K4 K5 K6 K7");
    assert_eq!((outcome.passed.as_str(), outcome.wanted), ("0 | 3 | 6 |", vec![(0, 0), (3, 3), (6, 6)]));
}

#[test]
fn slices_share_the_times_of_a_file() {
    let text = "K0 1 K2 3 K4 5 6 7 8 9 10 11 K12 13 K14 15 K16 17 K18 19";
    let whole = sampled(3, whole_file(), text);
    for cut in ["K4", "K12", "K14"] {
        let at: i64 = cut[1..].parse().unwrap();
        let (end, start) = (slice(0, 0, Some(at)), slice(at - 1, at, None));
        let first = sampled(3, end, text);
        // Decoding begins at the keyframe before the run-up.
        let keyframe = text[..text.find(&format!(" {cut}")).unwrap()].rfind('K').unwrap();
        let second = sampled(3, start, &text[keyframe..]);
        let numbered = second.wanted.iter().filter(|(time, _)| *time >= at).map(|(time, number)| (*time, number + first.frames));
        let both: Vec<_> = first.wanted.iter().copied().filter(|(time, _)| *time < at).chain(numbered).collect();
        assert_eq!(both, whole.wanted, "cut at {at}");
        assert_eq!(first.frames + second.frames, whole.frames);
        assert!(first.passed.ends_with('.'), "{}", first.passed);
    }
}

#[test]
fn a_look_goes_beyond_the_slice_and_counts_only_its_frames() {
    let range = Range { until_ns: 8 * S, ..slice(0, 4, Some(6)) };
    let outcome = looked_at(1, Range { from_ns: 2 * S, ..range }, "K1 K2 K3 K4 K5 K6 K7 K8 K9 K10");
    assert_eq!(outcome.wanted, [(2, 0), (4, 0), (6, 2)], "8 is two seconds behind the last one");
    assert_eq!(outcome.frames, 2);
}

#[test]
fn a_look_takes_as_few_keyframes_as_leave_no_larger_gap_than_twice_its_time() {
    let outcome = looked_at(2, whole_file(), "K0 1 2 3 K4 5 6 7 K8 9 K10 11 K12 13 K14 15 16 K17 18");
    assert_eq!(outcome.wanted, [(0, 0), (4, 4), (8, 8), (12, 12), (14, 14), (17, 17)]);
    assert_eq!(outcome.passed, "0 | 4 | 8 | 12 | 14 | 17 |");
}

#[test]
fn a_look_decodes_groups_that_are_longer_than_twice_its_time() {
    let outcome = looked_at(2, whole_file(), "K0 1 K3 4 5 6 7 8 K9 10 K12 13 14");
    assert_eq!(outcome.wanted, [(0, 0), (3, 2), (4, 3), (6, 5), (8, 7), (12, 10)]);
    assert_eq!(outcome.passed, "0 | 3 4 5 6 7 8 | 12 |");
}

#[test]
fn two_frames_of_a_look_are_at_most_twice_its_time_apart() {
    // Each second a frame; keyframes where the bits of `marks` are set.
    for marks in 0..1_u32 << 12 {
        let words = (0..40).map(|time| if time == 0 || marks >> (time % 13) & 1 == 1 { format!("K{time}") } else { time.to_string() });
        let outcome = looked_at(3, whole_file(), &words.collect::<Vec<_>>().join(" "));
        let times: Vec<i64> = outcome.wanted.iter().map(|(time, _)| *time).collect();
        assert!(times.windows(2).all(|pair| (1..=6).contains(&(pair[1] - pair[0]))), "{marks:b}: {times:?}");
        assert!(times.last().is_some_and(|last| 39 - last <= 6), "the last frame, at 39: {marks:b}: {times:?}");
    }
}

#[test]
fn an_edit_that_hides_the_first_keyframe_shows_the_first_visible_frame() {
    let mut groups = Groups::new(pace(5), whole_file());
    groups.set_visible_from(0);
    let outcome = run(&mut groups, frames("K-3 -2 -1 0 1 2 K3 4 5 6"));
    assert_eq!(outcome.passed, "-3 -2 -1 0 | 3 |");
    assert_eq!((outcome.wanted, outcome.frames), (vec![(0, 0), (3, 3)], 7));
}

#[test]
fn fields_stay_together() {
    let mut groups = Groups::new(pace(5), whole_file());
    groups.set_format(true, true);
    let mut fields = frames("K0 0 1 1 K4 4 5 5");
    fields.iter_mut().skip(1).step_by(2).for_each(|field| field.time_ns = None);
    let outcome = run(&mut groups, fields);
    assert_eq!((outcome.passed.as_str(), outcome.wanted), ("0 0 | 4 4 |", vec![(0, 0), (4, 2)]));
    assert_eq!(outcome.frames, 4);
}

#[test]
fn what_is_between_frames_is_never_dropped() {
    let mut groups = Groups::new(pace(5), whole_file());
    let mut actions = Vec::new();
    groups.push_between(100, &mut actions);
    for frame in frames("K0 1 K2 3") {
        let item = 101 + frame.item;
        groups.push(frame, &mut actions);
        groups.push_between(item, &mut actions);
    }
    groups.finish(&mut actions);
    let events: Vec<i64> = actions.iter().filter_map(|action| if let Action::Pass(item) = action { Some(*item) } else { None }).collect();
    assert_eq!(events, [100, 0, 101, 102, 103, 104]);
}

#[test]
fn wrong_marks_and_times_are_noticed() {
    let mut marked = Groups::new(pace(5), whole_file());
    marked.set_format(false, false);
    assert_eq!(run(&mut marked, frames("K0 K1 K2 K3 K4 K5 K6")).distrust, Some(Distrust::OnlyKeyframes));
    let mut mixed = Groups::new(pace(5), whole_file());
    mixed.set_format(false, false);
    assert_eq!(run(&mut mixed, frames("K0 K1 2 K3 K4 K5 K6 K7 K8")).distrust, None);
    assert_eq!(sampled(5, whole_file(), "K0 1 K3 4 K2 5").distrust, Some(Distrust::Backwards));
    assert_eq!(sampled(5, whole_file(), "1 2 3").distrust, Some(Distrust::NoKeyframe));
    let mut timeless = frames("K0 1 K2");
    timeless[2].time_ns = None;
    assert_eq!(run(&mut Groups::new(pace(1), whole_file()), timeless).distrust, Some(Distrust::NoTime));
}

#[test]
fn a_group_that_is_too_large_is_passed_on() {
    let mut groups = Groups::new(pace(5), whole_file());
    let mut large = frames("K0 1 2 3 4 K5");
    large.iter_mut().for_each(|frame| frame.bytes = 30 << 20);
    let outcome = run(&mut groups, large);
    assert_eq!((outcome.passed.as_str(), outcome.wanted), ("0 | 0 1 2 | 5 |", vec![(0, 0), (5, 5)]));
}
