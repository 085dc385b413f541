// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs a target: first the committed corpus, then random cases and mutations of the corpus.
//!
//! A case is a byte string from which the target derives its values. A failing case is reduced, saved and printed. A case
//! that crashes or hangs the process is in `target/tmp/fuzz/NAME-PID.running`. Environment variables set the duration:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `FUZZ_SECONDS` | time for each target | none: a fixed number of cases |
//! | `FUZZ_CASES` | number of cases for each target | the target's own, unless `FUZZ_SECONDS` is set |
//! | `FUZZ_SEED` | start of the random numbers | fixed; with `FUZZ_SECONDS` or `FUZZ_CASES` the time of day |
//! | `FUZZ_CASE` | a file with the only case to run | |

use std::cell::Cell;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant, SystemTime};

use crate::input::Input;
use test_support::repository;

/// Seed of `cargo test`, so that it runs the same cases each time.
const SEED: u64 = 1;
/// Maximum length of a random case in bytes. Most cases are much shorter.
const LONGEST: usize = 2048;
/// Number of attempts to reduce a failing case.
const REDUCTIONS: usize = 20_000;

/// A fuzz target.
pub struct Target {
    /// Name of the test and of the folder in `corpus`.
    pub name: &'static str,
    /// Number of cases in `cargo test`, which take a few seconds.
    pub cases: u64,
    /// Files of the repository that are mutated in addition to the corpus.
    pub seeds: &'static [&'static str],
    /// Panics if a property does not hold for a case.
    pub check: fn(&mut Input),
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// A length, with small and large ones equally likely.
    fn length(&mut self, max_cases: usize) -> usize {
        let limit = 1 << (1 + self.below(max_cases.ilog2() as usize));
        self.below(limit.min(max_cases) + 1)
    }

    fn fill(&mut self, bytes: &mut Vec<u8>) {
        let length = self.length(LONGEST);
        bytes.resize(length.next_multiple_of(8), 0);
        bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next().to_le_bytes()));
        bytes.truncate(length);
    }
}

impl Target {
    /// Runs the target as configured by the environment.
    ///
    /// # Panics
    /// If a case fails.
    pub fn run(&self) {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let number = |name: &str| set(name).map(|value| value.parse::<u64>().unwrap_or_else(|error| panic!("{name}={value}: {error}")));
        if let Some(file) = set("FUZZ_CASE") {
            return (self.check)(&mut Input::new(&std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"))));
        }
        let (seconds, cases) = (number("FUZZ_SECONDS"), number("FUZZ_CASES"));
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(SEED, |time| time.as_nanos() as u64);
        let seed = number("FUZZ_SEED").unwrap_or_else(|| if seconds.or(cases).is_some() { now() } else { SEED });
        let max_cases = cases.unwrap_or(if seconds.is_some() { u64::MAX } else { self.cases });
        let time = seconds.map_or(Duration::MAX, Duration::from_secs);
        say(&format!("fuzz: {}: seed {seed}", self.name));

        let start = Instant::now();
        let done = self.search(seed, max_cases, || start.elapsed() < time);
        let seconds = start.elapsed().as_secs_f64();
        say(&format!("fuzz: {}: {done} cases in {seconds:.1} s, {:.0} each second", self.name, done as f64 / seconds));
    }

    /// Runs up to `max_cases` cases while `go_on` returns true, and counts them.
    fn search(&self, seed: u64, max_cases: u64, go_on: impl Fn() -> bool) -> u64 {
        let corpus = self.corpus();
        let mut running = Running::new(self.name);
        let mut attempt = |case: &[u8]| {
            running.note(case);
            if fails(self.check, case) {
                self.report(case);
            }
        };
        corpus.iter().for_each(|case| attempt(case));
        let (mut random, mut case, mut done) = (Random(seed), Vec::new(), corpus.len() as u64);
        while done < max_cases && go_on() {
            if corpus.is_empty() || random.below(2) == 0 {
                random.fill(&mut case);
            } else {
                mutate(&mut random, &corpus, &mut case);
            }
            attempt(&case);
            done += 1;
        }
        done
    }

    /// The committed cases, sorted by name.
    fn corpus(&self) -> Vec<Vec<u8>> {
        let folder = repository().join("tests/fuzz/corpus").join(self.name);
        let committed = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let mut files: Vec<PathBuf> = committed.collect();
        files.sort();
        files.extend(self.seeds.iter().map(|file| repository().join(file)));
        let read = |file: &PathBuf| std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        files.iter().map(read).collect()
    }

    /// Reduces and saves a failing case, then runs it again so that the test fails with its panic.
    fn report(&self, case: &[u8]) -> ! {
        let reduced = reduce(self.check, case.to_vec());
        let digest = reduced.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let file = folder().join(format!("{}-{digest:016x}", self.name));
        std::fs::write(&file, &reduced).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        say(&format!(
            "fuzz: {}: a case of {} bytes fails: {:02x?}\nfuzz: it is saved as {}; once it is fixed, add it to tests/fuzz/corpus/{}",
            self.name,
            reduced.len(),
            &reduced[..reduced.len().min(200)],
            file.display(),
            self.name
        ));
        (self.check)(&mut Input::new(&reduced));
        panic!("the case no longer fails: the target depends on more than its case");
    }
}

/// The folder for failing cases.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

/// The running case, saved in a file that remains if the case crashes the process.
struct Running {
    file: std::fs::File,
    path: PathBuf,
    length: usize,
}

impl Running {
    fn new(name: &str) -> Self {
        let path = folder().join(format!("{name}-{}.running", std::process::id()));
        let file = std::fs::File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { file, path, length: 0 }
    }

    fn note(&mut self, case: &[u8]) {
        // A case that cannot be saved is run nevertheless.
        let _ = self.file.write_all_at(case, 0);
        if case.len() < self.length {
            let _ = self.file.set_len(case.len() as u64);
        }
        self.length = case.len();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A case of the corpus with some bytes changed, inserted, repeated or removed, or joined with another case.
fn mutate(random: &mut Random, corpus: &[Vec<u8>], case: &mut Vec<u8>) {
    case.clear();
    case.extend_from_slice(&corpus[random.below(corpus.len())]);
    for _ in 0..=random.below(4) {
        let at = random.below(case.len() + 1);
        let end = (at + random.length(64)).min(case.len());
        match random.below(7) {
            0 if at < case.len() => case[at] ^= 1 << random.below(8),
            1 if at < case.len() => case[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', b'-'][random.below(8)],
            2 => case.insert(at, random.next() as u8),
            3 => drop(case.drain(at..end)),
            4 => case.extend_from_within(at..end),
            5 => case.truncate(at),
            _ => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                case.truncate(at);
                case.extend_from_slice(&other[from..]);
            }
        }
    }
    case.truncate(16 * LONGEST);
}

thread_local! {
    /// True while a case is tried, whose panics are not printed.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// True if `check` panics for `case`.
fn fails(check: fn(&mut Input), case: &[u8]) -> bool {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                usual(panic);
            }
        }));
    });
    QUIET.set(true);
    let failed = catch_unwind(AssertUnwindSafe(|| check(&mut Input::new(case)))).is_err();
    QUIET.set(false);
    failed
}

/// A reduced case that still fails, with fewer bytes and more zeros.
fn reduce(check: fn(&mut Input), mut case: Vec<u8>) -> Vec<u8> {
    let mut left = REDUCTIONS;
    let mut still_fails = |case: &[u8]| {
        left = left.saturating_sub(1);
        left > 0 && fails(check, case)
    };
    let mut length = case.len().next_power_of_two();
    while length > 0 {
        let mut at = 0;
        while at < case.len() {
            let end = (at + length).min(case.len());
            let shorter = [&case[..at], &case[end..]].concat();
            if still_fails(&shorter) {
                case = shorter;
                continue;
            }
            if case[at..end].iter().any(|&byte| byte != 0) {
                let mut zeros = case.clone();
                zeros[at..end].fill(0);
                if still_fails(&zeros) {
                    case = zeros;
                }
            }
            at = end;
        }
        length /= 2;
    }
    case
}

/// Prints a line even if the test passes: the test harness captures only the print macros.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
