// SPDX-License-Identifier: MIT OR Apache-2.0
//! The truth film over containers, kinds of frames, rates, starts, damage, lengths, options and interruptions: each value, and each pair
//! of values of two of these dimensions, at least once. It takes minutes, so `scripts/test truth` runs it. The table in docs/scan.md is
//! written from its results with `UPDATE_DOCS=1`. With `TRUTH=mkv+damage 0.`, it tries only the cases whose descriptions contain both.

use std::sync::atomic::{AtomicUsize, Ordering};

use test_support::repository;

use super::judged::{Found, Judged, Probe, judge, table};
use super::pairs::cases;
use super::shown::{Film, Shown};

/// A container, and what it can have.
pub(crate) struct Container {
    pub(crate) suffix: &'static str,
    /// What the table calls it.
    pub(crate) name: &'static str,
    /// Options of ffmpeg for its kinds of frames.
    codings: [Option<&'static str>; 3],
    rates: &'static [&'static str],
    starts: &'static [Start],
    /// Set if times count from the first frame, because seeks would change them, or because the container has no other start.
    pub(crate) counts_from_first: bool,
    /// Set if the demuxer may end at damage without a word.
    pub(crate) ends_at_damage: bool,
    /// How many films are put together in one file.
    pub(crate) parts: u32,
}

/// Where a film begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Zero,
    /// Three seconds later.
    Later,
    /// An edit hides the first frames.
    Edit,
    /// The clock of the container begins again in the middle.
    Wraps,
}

const H264: [Option<&str>; 3] = [
    Some("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -qp 12 -g {rate} -bf 0"),
    Some("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -qp 12 -g {rate} -bf 2"),
    Some("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -qp 12 -g {rate} -bf 2 -x264-params open-gop=1"),
];
const FRAGMENTS: [Option<&str>; 3] = [
    Some("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -qp 12 -g {rate} -bf 0 -movflags frag_keyframe+empty_moov"),
    Some("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -qp 12 -g {rate} -bf 2 -movflags frag_keyframe+empty_moov"),
    Some(
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -qp 12 -g {rate} -bf 2 -x264-params open-gop=1 \
         -movflags frag_keyframe+empty_moov",
    ),
];
const MPEG2: [Option<&str>; 3] = [
    Some("-c:v mpeg2video -q:v 2 -g {rate} -bf 0"),
    Some("-c:v mpeg2video -q:v 2 -g {rate} -bf 2 -flags +cgop -sc_threshold 1000000000"),
    Some("-c:v mpeg2video -q:v 2 -g {rate} -bf 2"),
];
const PROGRAM: [Option<&str>; 3] = [
    Some("-f vob -c:v mpeg2video -q:v 2 -g {rate} -bf 0"),
    Some("-f vob -c:v mpeg2video -q:v 2 -g {rate} -bf 2 -flags +cgop -sc_threshold 1000000000"),
    Some("-f vob -c:v mpeg2video -q:v 2 -g {rate} -bf 2"),
];
const MPEG4: [Option<&str>; 3] = [
    Some("-c:v mpeg4 -q:v 2 -g {rate} -bf 0"),
    Some("-c:v mpeg4 -q:v 2 -g {rate} -bf 2 -flags +cgop -sc_threshold 1000000000"),
    Some("-c:v mpeg4 -q:v 2 -g {rate} -bf 2"),
];
const KINDS: [&str; 3] = ["no B-frames", "B-frames", "open GOP"];

const RATES: [&str; 4] = ["25", "24000/1001", "120", "variable"];
const CONSTANT: [&str; 3] = ["25", "24000/1001", "120"];
const STARTS: [Start; 4] = [Start::Zero, Start::Later, Start::Edit, Start::Wraps];
const EDITED: &[Start] = &[Start::Zero, Start::Later, Start::Edit];
const MOVED: &[Start] = &[Start::Zero, Start::Later];
const WRAPPING: &[Start] = &[Start::Zero, Start::Later, Start::Wraps];
const AT_ZERO: &[Start] = &[Start::Zero];

const fn only(coding: &'static str) -> [Option<&'static str>; 3] {
    [Some(coding), None, None]
}

const fn container(
    suffix: &'static str,
    name: &'static str,
    codings: [Option<&'static str>; 3],
    rates: &'static [&'static str],
    starts: &'static [Start],
) -> Container {
    Container { suffix, name, codings, rates, starts, counts_from_first: false, ends_at_damage: false, parts: 1 }
}

pub(crate) const CONTAINERS: [Container; 14] = [
    container("mp4", "MP4", H264, &RATES, EDITED),
    container("fragments.mp4", "MP4 in fragments", FRAGMENTS, &RATES, MOVED),
    container("mov", "QuickTime", H264, &RATES, EDITED),
    counted(container("mkv", "Matroska", H264, &RATES, MOVED)),
    counted(container("webm", "WebM", only("-c:v libvpx -deadline realtime -b:v 2M -g {rate}"), &RATES, MOVED)),
    // In AVI, ffmpeg puts the start behind the first frame.
    counted(container("avi", "AVI", MPEG4, &CONSTANT, AT_ZERO)),
    counted(container("ts", "MPEG-TS", H264, &RATES, WRAPPING)),
    Container { parts: 3, ..counted(container("joined.ts", "three MPEG-TS in one file", H264, &CONSTANT, WRAPPING)) },
    counted(container("mpg", "MPEG-PS", PROGRAM, &["25", "24000/1001"], MOVED)),
    counted(container("wmv", "WMV", only("-c:v wmv2 -q:v 3 -g {rate}"), &RATES, MOVED)),
    counted(container("flv", "FLV", H264, &RATES, MOVED)),
    counted(container("ogv", "Ogg", only("-c:v libtheora -q:v 8 -g {rate}"), &CONSTANT, MOVED)),
    Container { ends_at_damage: true, ..counted(container("mxf", "MXF", MPEG2, &["25", "24000/1001"], MOVED)) },
    counted(container("gif", "GIF", only(""), &["25", "variable"], AT_ZERO)),
];

/// A container whose times count from the first frame.
const fn counted(container: Container) -> Container {
    Container { counts_from_first: true, ..container }
}

/// Shares of the file behind which bytes are zero; 0 is none.
const DAMAGE: [f64; 6] = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9];
/// Bytes that are damaged: some frames.
const DAMAGED: usize = 4_000;
/// Options of the scan.
const OPTIONS: [&str; 6] = ["", "--every 0.5", "--every 2", "--every 0.5 --exact", "--where-faces", "--where-faces --every 0.5"];
/// Number of frames that an edit hides: the face is at the same place again.
const HIDDEN: u32 = 15;
/// Where the table is in docs/scan.md.
const BEGIN: &str = "<!-- BEGIN TRUTH: written by apps/scan/tests/scan/truth/matrix.rs -->\n";
const END: &str = "<!-- END TRUTH -->";
/// Time after which clocks of 33 bits, 90,000 a second, begin again.
const WRAP_S: f64 = (1_u64 << 33) as f64 / 90_000.0;

/// One case.
pub(crate) struct Case {
    pub(crate) container: &'static Container,
    kind: usize,
    rate: &'static str,
    start: Start,
    damage: f64,
    /// Set if the film is long enough to be cut into slices.
    is_long: bool,
    pub(crate) options: &'static str,
    is_killed: bool,
}

impl Case {
    fn of(values: &[usize]) -> Self {
        let [container, kind, rate, start, damage, is_long, options, is_killed] = values[..] else { panic!("8 dimensions") };
        Self {
            container: &CONTAINERS[container],
            kind,
            rate: RATES[rate],
            start: STARTS[start],
            damage: DAMAGE[damage],
            is_long: is_long == 1,
            options: OPTIONS[options],
            is_killed: is_killed == 1,
        }
    }

    /// The cases of intact films, and those of damaged ones, which hide more.
    fn all() -> Vec<Self> {
        let sizes = [CONTAINERS.len(), KINDS.len(), RATES.len(), STARTS.len(), DAMAGE.len(), 2, OPTIONS.len(), 2];
        let of = |damaged: bool| cases(&sizes, |values| allows(values) && values[4].is_none_or(|damage| (damage > 0) == damaged));
        of(false).into_iter().chain(of(true)).map(|values| Self::of(&values)).collect()
    }

    fn description(&self) -> String {
        let Self { container, kind, rate, start, damage, is_long, options, is_killed } = self;
        let (length, killed) = (if *is_long { "long" } else { "short" }, if *is_killed { ", killed" } else { "" });
        format!("{}, {}, {rate}, {start:?}, damage {damage}, {length}, `{options}`{killed}", container.suffix, KINDS[*kind])
    }

    pub(crate) fn is_variable(&self) -> bool {
        self.rate == "variable"
    }

    pub(crate) fn is_damaged(&self) -> bool {
        self.damage > 0.0
    }

    /// The frames that an edit hides.
    pub(crate) fn hidden_frames(&self) -> u32 {
        if self.start == Start::Edit { HIDDEN } else { 0 }
    }

    /// The film of a part of the file. The places of faces are the same again at its end.
    fn part(&self) -> Film {
        let frames = match (self.rate, self.is_long) {
            ("120", false) => 855,
            ("120", true) => 12_015,
            (_, false) => 180,
            ("variable", true) => 1_800,
            (_, true) => 2_520,
        };
        Film::of_rate(self.rate, frames / self.container.parts)
    }

    /// The frames with a face.
    fn faces(&self, film: &Film) -> std::ops::Range<u32> {
        let is_look = self.options.starts_with("--where-faces") && self.container.parts == 1;
        if is_look { film.frames() * 2 / 5..film.frames() * 3 / 4 } else { 0..u32::MAX }
    }

    /// Options of ffmpeg that move the start of this film.
    fn start(&self, film: &Film) -> String {
        match self.start {
            Start::Zero | Start::Edit => String::new(),
            Start::Later => " -output_ts_offset 3".to_owned(),
            Start::Wraps => format!(" -output_ts_offset {}", WRAP_S - film.length_s() / 2.0),
        }
    }

    /// Writes the film, scans it, and compares.
    fn run(&self, shown: &mut Shown, number: usize) -> Judged {
        let (name, part) = (format!("{number}.{}", self.container.suffix), self.part());
        let (mut film, mut faces) = (part.repeated(self.container.parts), self.faces(&part));
        shown.set_faces(faces.clone());
        shown.write(&name, &part, &format!("{}{}", self.container.codings[self.kind].unwrap_or(""), self.start(&part)));
        if self.container.parts > 1 {
            let one = std::fs::read(shown.folder.path(&name)).unwrap();
            shown.folder.write(&name, &one.repeat(self.container.parts as usize));
        }
        if self.start == Start::Edit {
            let whole = format!("whole-{name}");
            std::fs::rename(shown.folder.path(&name), shown.folder.path(&whole)).unwrap();
            shown.folder.ffmpeg(&format!("-ss {:.6} -i {whole} -c copy {name}", film.time_s(HIDDEN)));
            film = film.without(HIDDEN);
            faces = faces.start.saturating_sub(HIDDEN)..faces.end.saturating_sub(HIDDEN);
        }
        let probe = Probe::of(&shown.folder.path(&name));
        let zone = self.is_damaged().then(|| probe.zone(film.frames(), &shown.damage(&name, self.damage, DAMAGED)));
        let (rows, file) = shown.scan_any(&name, self.options, self.is_killed);
        let judged = judge(shown, self, Found { film: &film, probe, faces, zone, rows: &rows, file: &file });
        std::fs::remove_file(shown.folder.path(&name)).unwrap();
        judged
    }
}

/// True if a container can have these values, as far as they are known, and the case does not take minutes. GIF is never cut.
fn allows(values: &[Option<usize>]) -> bool {
    let [container, kind, rate, start, _, is_long, options, _] = values[..] else { panic!("8 dimensions") };
    let is_gif = container.is_some_and(|container| CONTAINERS[container].suffix == "gif");
    let is_slow = is_long == Some(1) && (is_gif || rate == Some(2) && options == Some(0));
    let can = |container: &Container| {
        kind.is_none_or(|kind| container.codings[kind].is_some())
            && rate.is_none_or(|rate| container.rates.contains(&RATES[rate]))
            && start.is_none_or(|start| container.starts.contains(&STARTS[start]))
    };
    !is_slow && container.is_none_or(|container| can(&CONTAINERS[container])) && CONTAINERS.iter().any(can)
}

#[test]
#[ignore = "takes minutes: scripts/test truth"]
fn truth_of_containers() {
    let only = std::env::var("TRUTH").unwrap_or_default();
    let cases: Vec<Case> = Case::all().into_iter().filter(|case| only.split('+').all(|part| case.description().contains(part))).collect();
    println!("{} cases", cases.len());
    let Some(judged) = judge_all(&cases) else { return };
    let all: Vec<_> = cases.iter().zip(judged).collect();
    let wrong = all.iter().filter(|(_, judged)| judged.is_wrong()).map(|(case, judged)| format!("{}: {judged}", case.description()));
    let wrong: Vec<String> = wrong.collect();
    let table = table(&all);
    println!("{table}");
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    if only.is_empty() {
        compare(&table);
    }
}

/// The cases on all cores, in their order; `None` if they cannot be run here.
fn judge_all(cases: &[Case]) -> Option<Vec<Judged>> {
    let next = AtomicUsize::new(0);
    let worker = |folder: usize| {
        let mut shown = Shown::new(&format!("truth-matrix-{folder}"))?;
        let mut judged = Vec::new();
        while let Some((number, case)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|number| Some((number, cases.get(number)?))) {
            judged.push((number, case.run(&mut shown, number)));
            println!("{}: {}", case.description(), judged.last().map_or(String::new(), |(_, judged)| judged.to_string()));
        }
        Some(judged)
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let all = std::thread::scope(|scope| {
        let worker = &worker;
        let workers: Vec<_> = (0..workers).map(|folder| scope.spawn(move || worker(folder))).collect();
        workers.into_iter().map(|worker| worker.join().expect("no case panics")).collect::<Option<Vec<_>>>()
    });
    let mut all: Vec<_> = all?.into_iter().flatten().collect();
    all.sort_by_key(|(number, _)| *number);
    Some(all.into_iter().map(|(_, judged)| judged).collect())
}

/// Compares the table with that of docs/scan.md, or writes it there.
fn compare(table: &str) {
    let file = repository().join("docs/scan.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the table");
    let (known, after) = rest.split_once(END).expect("the page has an end of the table");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert!(known == table, "docs/scan.md has another table; run this test with UPDATE_DOCS=1");
    }
}
