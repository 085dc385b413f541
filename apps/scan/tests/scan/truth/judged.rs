// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is wrong with the rows of a truth film.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::matrix::{CONTAINERS, Case};
use super::shown::{Film, ROUNDING_S, Shown, number, time_s};

/// GIF has times in hundredths of a second.
const GIF_ROUNDING_S: f64 = 0.0101;
/// Where recordings were put together, a part may follow the one before so much later.
const JOINT_S: f64 = 0.5;
/// A frame may be shown so many frames before or after its place in the order of decoding.
const REORDERED: usize = 3;

/// What ffprobe says of a film.
pub(crate) struct Probe {
    /// Time of the first frame.
    start_s: f64,
    /// Place in the file of each compressed frame, and whether it is a keyframe.
    packets: Vec<(usize, bool)>,
}

impl Probe {
    pub(crate) fn of(file: &Path) -> Self {
        let mut command = Command::new("ffprobe");
        command.args("-v error -select_streams v:0 -show_entries stream=start_time:packet=pos,flags -of csv".split(' '));
        let printed = command.arg(file).output().expect("ffprobe starts").stdout;
        let mut probe = Self { start_s: 0.0, packets: Vec::new() };
        for line in String::from_utf8_lossy(&printed).lines() {
            match line.split(',').collect::<Vec<_>>()[..] {
                ["packet", place, flags, ..] => probe.packets.push((place.parse().unwrap_or(0), flags.contains('K'))),
                ["stream", start, ..] => probe.start_s = start.parse().unwrap_or(0.0),
                _ => {}
            }
        }
        probe
    }

    /// The frames, in the order in which they are shown, that damage to these bytes may change. A demuxer may leave out more.
    pub(crate) fn zone(&self, frames: u32, bytes: &Range<usize>) -> Range<u32> {
        // Several frames may be in one page.
        let next = |index: usize| {
            let behind = self.packets[index..].iter().find(|packet| packet.0 > self.packets[index].0);
            behind.map_or(usize::MAX, |packet| packet.0)
        };
        let is_damaged = |index: &usize| self.packets[*index].0 < bytes.end && next(*index) > bytes.start;
        let damaged: Vec<usize> = (0..self.packets.len()).filter(is_damaged).collect();
        let [first, .., last] = [damaged.first(), damaged.last()].map(|index| index.copied().unwrap_or(self.packets.len()));
        let shown = |index: usize| index.saturating_sub(self.hidden(frames)) as u32;
        shown(first.saturating_sub(REORDERED))..self.whole_behind(shown(last), frames)
    }

    /// An edit hides so many frames at the beginning.
    fn hidden(&self, frames: u32) -> usize {
        self.packets.len().saturating_sub(frames as usize)
    }

    /// The first frame that needs none up to frame `number`.
    fn whole_behind(&self, number: u32, frames: u32) -> u32 {
        let hidden = self.hidden(frames);
        let keyframe = (number as usize + hidden + 1..self.packets.len()).find(|index| self.packets[*index].1);
        keyframe.map_or(frames, |keyframe| ((keyframe + REORDERED - hidden) as u32).min(frames))
    }
}

/// What a scan of a film has found, and what it should have.
pub(crate) struct Found<'a> {
    pub(crate) film: &'a Film,
    pub(crate) probe: Probe,
    /// The frames with a face.
    pub(crate) faces: Range<u32>,
    /// The frames that damage may change; none without damage.
    pub(crate) zone: Option<Range<u32>>,
    pub(crate) rows: &'a [Value],
    pub(crate) file: &'a Value,
}

/// What is wrong.
#[derive(Default)]
pub(crate) struct Judged {
    wrong: Vec<String>,
    /// Why the film was not examined to its end.
    error: Option<String>,
    /// How late a frame is at most.
    late_s: f64,
    missing: u64,
}

impl Judged {
    pub(crate) fn is_wrong(&self) -> bool {
        !self.wrong.is_empty()
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wrong, error, late_s, missing } = self;
        let error = error.as_ref().map_or(String::new(), |error| format!(", error: {error}"));
        let some = wrong.iter().take(4).map(|wrong| format!("\n    {wrong}")).collect::<String>();
        write!(formatter, "{} wrong, {:.1} ms late, {missing} missing{error}{some}", wrong.len(), 1000.0 * late_s)
    }
}

impl Found<'_> {
    fn is_in_zone(&self, number: u32) -> bool {
        self.zone.as_ref().is_some_and(|zone| zone.contains(&number))
    }

    /// Frames that are missing from damage on are part of its zone, and so are those that need them.
    fn extend_zone(&mut self, start_s: f64) {
        let (Some(zone), frames) = (&self.zone, self.film.frames()) else { return };
        let numbers = |(from, to): (f64, f64)| [from, to].map(|time| self.film.number_at(time - start_s));
        let missing = self.missing_spans().into_iter().map(numbers).filter(|[from, to]| *from < zone.end && *to > zone.start);
        let end = missing.map(|[_, to]| self.probe.whole_behind(to.saturating_sub(REORDERED as u32), frames)).max();
        // At a variable rate, nothing is called missing.
        let end = end.unwrap_or_else(|| self.probe.whole_behind(zone.end, frames));
        self.zone = Some(zone.start..zone.end.max(end));
    }

    /// Number of frames that have a number in the file.
    fn count(&self, name: &str) -> u64 {
        self.file[name].as_u64().unwrap_or(0)
    }

    /// Spans of missing frames, in seconds.
    fn missing_spans(&self) -> Vec<(f64, f64)> {
        let spans = self.file["missing_spans"].as_str().unwrap_or("").split(' ').filter_map(|span| span.split_once('-'));
        spans.map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap())).collect()
    }

    /// Number of frames before a time that are called missing and are not, since a part follows the one before later.
    fn counted_at_joints(&self, case: &Case, at_s: f64) -> u32 {
        let is_joint =
            |(from, to): &&(f64, f64)| case.container.parts > 1 && *to <= at_s + ROUNDING_S && !self.is_in_zone(self.film.number_at(*from));
        self.missing_spans().iter().filter(is_joint).map(|(from, to)| ((to - from) * self.film.rate).round() as u32).sum()
    }

    /// Time at which a film begins in the tables.
    fn start_s(&self, case: &Case) -> f64 {
        if case.container.counts_from_first { 0.0 } else { self.probe.start_s }
    }

    /// So many frames at the end may not be read. Where an edit hides the beginning, GStreamer leaves out as much behind the last
    /// keyframe. A demuxer that ends at damage is noticed by the time that it leaves out, if it is a second.
    fn unread_frames(&self, case: &Case) -> u32 {
        if case.is_damaged() && case.container.ends_at_damage {
            self.film.frames() - self.film.number_at(self.film.length_s() - 1.1)
        } else if case.is_damaged() && case.container.suffix == "avi" {
            REORDERED as u32
        } else {
            case.hidden_frames()
        }
    }

    /// The row shows its frame, and has its time.
    fn judge_row(&self, shown: &Shown, case: &Case, row: &Value, judged: &mut Judged) {
        let (claimed, at_s) = (number(row), time_s(row) - self.start_s(case));
        // Without a constant rate, nobody knows how many frames are missing.
        let is_uncounted = case.is_damaged() && case.is_variable();
        let true_number = if is_uncounted { self.film.number_at(at_s) } else { claimed.saturating_sub(self.counted_at_joints(case, at_s)) };
        let late_s = at_s - self.film.time_s(true_number);
        let joints = f64::from(true_number * case.container.parts / self.film.frames());
        let rounding_s = if case.container.suffix == "gif" { GIF_ROUNDING_S } else { ROUNDING_S } + joints * JOINT_S;
        if self.is_in_zone(true_number) || self.is_in_zone(self.film.number_at(at_s)) {
            return;
        }
        judged.late_s = judged.late_s.max(late_s.abs());
        // AVI has only times of decoding, so that a decoder guesses behind frames that it left out.
        let nearby = if case.is_damaged() && case.container.suffix == "avi" { 0..REORDERED as u32 } else { 0..1 };
        if !nearby.into_iter().any(|ahead| shown.shows(row, true_number + ahead)) {
            let other = (0..15_i64)
                .map(|shift| (shift + 1) / 2 * (1 - shift % 2 * 2))
                .find(|shift| shown.shows(row, (i64::from(true_number) + 15 + shift) as u32));
            judged.wrong.push(format!("frame {claimed} at {at_s:.3} s shows another one: {true_number} and {other:?}"));
        } else if late_s.abs() > rounding_s {
            judged.wrong.push(format!("frame {claimed} is {late_s:.4} s late"));
        }
    }

    /// The frames of which there must be rows, and how far apart two of them may be at most; `None` if each is named.
    fn expected(&self, case: &Case) -> (Vec<u32>, Option<f64>) {
        let with_face = self.faces.start..self.faces.end.min(self.film.frames());
        let interval = |number: u32| ((self.film.time_s(number) + self.start_s(case) + 0.0005) / 0.5) as u64;
        let is_first = |number: &u32| *number == 0 || interval(*number) != interval(*number - 1);
        match case.options {
            "--every 0.5 --exact" if case.container.parts == 1 => (with_face.filter(is_first).collect(), None),
            options => {
                let every = options.split("--every ").nth(1).map(|every| 2.0 * every.trim_end_matches(" --exact").parse::<f64>().unwrap());
                (with_face.collect(), every)
            }
        }
    }

    /// No row is missing, and no frame, unless damage took it.
    fn judge_all(&self, case: &Case, judged: &mut Judged) {
        let (expected, farthest_s) = self.expected(case);
        let (spans, start_s) = (self.missing_spans(), self.start_s(case));
        let found: Vec<u32> = self
            .rows
            .iter()
            .map(|row| {
                let counted = number(row).saturating_sub(self.counted_at_joints(case, time_s(row)));
                if case.is_damaged() && case.is_variable() { self.film.number_at(time_s(row) - start_s) } else { counted }
            })
            .collect();
        let is_missing = |frame: u32| {
            let time_s = start_s + self.film.time_s(frame);
            spans.iter().any(|(from, to)| (from - ROUNDING_S..to - ROUNDING_S).contains(&time_s))
        };
        if let Some(farthest_s) = farthest_s {
            let ends = [expected.first(), expected.last()].map(|end| end.copied().unwrap_or(0));
            let marks = std::iter::once(ends[0]).chain(found.iter().copied()).chain([ends[1]]).collect::<Vec<_>>();
            let is_far = |pair: &&[u32]| {
                let apart_s = self.film.time_s(pair[1]) - self.film.time_s(pair[0]);
                pair[1] < pair[0]
                    || apart_s > farthest_s + 0.1 && !(pair[0]..pair[1]).any(|frame| self.is_in_zone(frame) || is_missing(frame))
            };
            judged.wrong.extend(marks.windows(2).filter(is_far).map(|pair| format!("no row between frames {} and {}", pair[0], pair[1])));
        } else if !(case.is_damaged() && case.is_variable()) {
            let end = self.film.frames() - self.unread_frames(case);
            let is_lost = |frame: &&u32| **frame < end && !found.contains(frame) && !self.is_in_zone(**frame) && !is_missing(**frame);
            judged.wrong.extend(expected.iter().filter(is_lost).map(|frame| format!("no row of frame {frame}")));
        }
        let is_more = |pair: &&[u32]| pair[1] <= pair[0] && !self.is_in_zone(pair[0]);
        judged.wrong.extend(found.windows(2).filter(is_more).map(|pair| format!("frame {} again behind {}", pair[1], pair[0])));
    }

    /// The numbers of the table of files are those of the film.
    fn judge_file(&self, case: &Case, judged: &mut Judged) {
        let at_joints = u64::from(self.counted_at_joints(case, f64::INFINITY));
        let (frames, missing) = (self.count("frames") - at_joints, self.count("missing") - at_joints);
        let all = u64::from(self.film.frames());
        let is_uncounted = case.is_damaged() && case.is_variable();
        // Nobody knows what is behind the last frame.
        let is_open = self.zone.as_ref().is_some_and(|zone| zone.end >= self.film.frames());
        let is_counted = (all - u64::from(self.unread_frames(case))..=all).contains(&frames);
        if !(is_counted || is_uncounted || is_open && frames < all) {
            judged.wrong.push(format!("{frames} frames of {all}"));
        }
        if missing > 0 && !case.is_damaged() {
            judged.wrong.push(format!("{missing} frames are missing: {}", self.file["missing_spans"]));
        }
        if case.options.is_empty() && self.count("examined") + missing != frames {
            judged.wrong.push(format!("{} examined and {missing} missing of {frames}", self.count("examined")));
        }
    }
}

/// What is wrong with the rows of a case.
pub(crate) fn judge(shown: &Shown, case: &Case, mut found: Found<'_>) -> Judged {
    found.extend_zone(found.start_s(case));
    let error = found.file["error"].as_str().map(str::to_owned);
    let mut judged = Judged { missing: found.count("missing"), error, ..Judged::default() };
    found.rows.iter().for_each(|row| found.judge_row(shown, case, row, &mut judged));
    match &judged.error {
        // It says that rows are missing.
        Some(_) if case.is_damaged() => {}
        Some(error) => judged.wrong.push(error.clone()),
        None => {
            found.judge_all(case, &mut judged);
            found.judge_file(case, &mut judged);
        }
    }
    judged
}

/// The table of docs/scan.md.
pub(crate) fn table(all: &[(&Case, Judged)]) -> String {
    let mut table = String::from("| container | films | number and time of each frame | time 0 | behind damage |\n|---|---|---|---|---|\n");
    for container in &CONTAINERS {
        let of = |damaged: bool| {
            let is_one = move |(case, _): &&(&Case, Judged)| case.container.suffix == container.suffix && case.is_damaged() == damaged;
            all.iter().filter(is_one).map(|(_, judged)| judged).collect::<Vec<_>>()
        };
        let (intact, damaged) = (of(false), of(true));
        let films = format!("{} intact, {} damaged", intact.len(), damaged.len());
        let zero = if container.counts_from_first { "first frame" } else { "start of the clock" };
        table.push_str(&format!("| {} | {films} | {} | {zero} | {} |\n", container.name, times(&intact), behind_damage(&damaged)));
    }
    table
}

fn times(films: &[&Judged]) -> String {
    let wrong = films.iter().filter(|judged| judged.is_wrong()).count();
    match films.iter().map(|judged| judged.late_s).fold(0.0, f64::max) {
        _ if wrong > 0 => format!("wrong in {wrong} films"),
        late_s if late_s <= ROUNDING_S => "right".to_owned(),
        late_s => format!("right, within {:.1} s", (late_s * 10.0).ceil() / 10.0),
    }
}

fn behind_damage(films: &[&Judged]) -> String {
    let count = |is_one: fn(&Judged) -> bool| films.iter().filter(|judged| is_one(judged)).count();
    let (wrong, ended) = (count(Judged::is_wrong), count(|judged| judged.error.is_some()));
    match films.len() - ended {
        _ if wrong > 0 => format!("wrong in {wrong} films"),
        0 => "rows end, with an error".to_owned(),
        _ if ended > 0 => "right, or rows end, with an error".to_owned(),
        _ => "right".to_owned(),
    }
}
