// SPDX-License-Identifier: MIT OR Apache-2.0
//! The truth film over containers, rates, starts, damage and options: each value of the others with each container. It takes minutes,
//! so `scripts/test truth` runs it. It prints a table, and fails if a frame of an intact film has another number or time.

use serde_json::Value;

use crate::truth::{Film, H264, Shown};

/// Suffix, options of ffmpeg, and the rates that the container has.
/// Program streams are left out, since GStreamer's demuxer gives some of their frames other times.
const CONTAINERS: [(&str, &str, &[&str]); 12] = [
    ("mp4", H264, &RATES),
    ("fragments.mp4", "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -bf 0 -qp 12 -g 25 -movflags frag_keyframe+empty_moov", &RATES),
    ("mov", H264, &RATES),
    ("mkv", H264, &RATES),
    ("webm", "-c:v libvpx -deadline realtime -b:v 2M -g 25", &RATES),
    ("avi", "-c:v mpeg4 -q:v 2 -g 25", &["25", "24000/1001", "120"]),
    ("ts", H264, &RATES),
    ("wmv", "-c:v wmv2 -q:v 3 -g 25", &RATES),
    ("flv", H264, &RATES),
    ("ogv", "-c:v libtheora -q:v 8 -g 25", &["25", "24000/1001", "120"]),
    ("mxf", "-c:v mpeg2video -q:v 2 -g 25 -bf 2", &["25", "24000/1001"]),
    ("gif", "", &["25"]),
];
const RATES: [&str; 4] = ["25", "24000/1001", "120", "variable"];
/// Options of ffmpeg that move the start.
const STARTS: [&str; 2] = ["", " -output_ts_offset 3"];
/// Shares of the file behind which bytes are zero; 0 is none.
const DAMAGE: [f64; 8] = [0.0, 0.3, 0.0, 0.5, 0.0, 0.1, 0.7, 0.9];
const OPTIONS: [&str; 3] = ["", "--every 0.5 --exact", "--where-faces"];
const FRAMES: u32 = 160;
/// GIF has times in hundredths of a second, the others at least in milliseconds.
const ROUNDING_MS: f64 = 10.0;
/// Bytes that are damaged: some frames.
const DAMAGED: usize = 4_000;
/// What the cases of a container have shown.
#[derive(Default)]
struct Seen {
    cases: u32,
    /// How late a frame of an intact film was at most, in milliseconds.
    late_ms: f64,
    /// Descriptions of wrong rows of intact films.
    wrong: Vec<String>,
    /// Damaged films: those whose frames behind the damage have their numbers and times, those with an error, and all.
    right: u32,
    failed: u32,
    damaged: u32,
}

#[test]
#[ignore = "scripts/test truth runs it"]
fn the_table_of_truth_holds() {
    let Some(shown) = Shown::new("truth-matrix") else { return };
    let mut wrong = Vec::new();
    let mut table =
        String::from("| container | cases | intact films | last fifth of damaged films, perhaps within the damage |\n|---|---|---|---|\n");
    for (container, (suffix, options, rates)) in CONTAINERS.into_iter().enumerate() {
        let mut seen = Seen::default();
        // As many cases as the largest dimension has values; the others go through theirs meanwhile, and are shifted when they repeat.
        for (case, damage) in DAMAGE.into_iter().enumerate() {
            let of = |values: usize, shift: usize| (case + case / values * shift + container) % values;
            let (rate, start) = (rates[of(rates.len(), 1)], STARTS[of(STARTS.len(), 1)]);
            // In AVI, ffmpeg puts the start behind the first frame.
            let start = if suffix == "avi" { "" } else { start };
            let scan = OPTIONS[of(OPTIONS.len(), 1)];
            let name = format!("{case}.{suffix}");
            let film = Film::of_rate(rate, FRAMES);
            shown.write_film(&name, &film, &format!("{options}{start}"));
            if damage > 0.0 {
                shown.damage(&name, damage, DAMAGED);
            }
            let (rows, file) = shown.scan_any(&name, scan);
            seen.add(&shown, &film, (&rows, &file), damage > 0.0, &format!("{name} {rate}{start} {damage} {scan}"));
        }
        table.push_str(&format!("| {suffix} | {} | {} | {} |\n", seen.cases, seen.times(), seen.behind_damage()));
        wrong.extend(seen.wrong);
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

impl Seen {
    fn add(&mut self, shown: &Shown, film: &Film, (rows, file): (&[Value], &Value), is_damaged: bool, case: &str) {
        self.cases += 1;
        if is_damaged {
            self.damaged += 1;
            let behind = rows.len() / 5 * 4;
            let is_right = rows.len() >= 4
                && file["error"].is_null()
                && shown.lies_ms(&rows[behind..], film, rows).is_some_and(|late| late <= ROUNDING_MS);
            self.right += u32::from(is_right);
            self.failed += u32::from(!file["error"].is_null());
        } else {
            match shown.lies_ms(rows, film, rows) {
                Some(late)
                    if !rows.is_empty() && file["error"].is_null() && late <= ROUNDING_MS && file["missing"].as_u64().unwrap_or(0) == 0 =>
                {
                    self.late_ms = self.late_ms.max(late)
                }
                _ => self.wrong.push(format!("{case}: {file}")),
            }
        }
    }

    fn times(&self) -> String {
        match self.late_ms {
            _ if !self.wrong.is_empty() => "not always".to_owned(),
            late if late <= 2.1 => "right".to_owned(),
            late => format!("within {} ms", (late / 10.0).ceil() * 10.0),
        }
    }

    fn behind_damage(&self) -> String {
        match self.damaged - self.right - self.failed {
            0 if self.failed == 0 => "right".to_owned(),
            0 => format!("right, or an error ({} of {})", self.failed, self.damaged),
            others => format!("not always ({others} of {})", self.damaged),
        }
    }
}
