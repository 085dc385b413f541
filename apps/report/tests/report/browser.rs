// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the page shows in headless Chromium, which one test starts once. Without Chromium (Debian: chromium; `CHROMIUM` names
//! another program) the test is skipped, except in `make test`.
//!
//! Screenshots are saved in `target/tmp/`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use test_support::browser::{Browser, chromium};

use crate::support::{acting_clip, clip, face, folder, run, summary, text, write_video};

/// A test, with what it expects as its name.
macro_rules! expectations {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as fn(&mut Pages))),*] };
}
/// A test with its name.
type Expectation = (&'static str, fn(&mut Pages));
const EXPECTATIONS: &[Expectation] = expectations![
    shares_gaps_and_unknown_faces_are_shown,
    charts_have_the_colours_of_the_labels_over_time,
    the_page_of_changes_is_that_of_every_frame,
    a_face_that_waits_is_shown_as_not_scored,
    an_uncertain_label_comes_with_the_second_class,
    reasons_for_unknown_are_summed_up,
    persons_and_groups_are_side_by_side,
    facing_and_blinks_are_shown_where_faces_have_a_geometry,
    a_band_shows_the_standard_error_over_faces,
    the_paragraph_for_a_methods_section_can_be_copied,
    paper_is_light_and_without_controls,
    names_and_labels_are_no_html,
    summaries_have_a_page_without_individual_faces,
    an_empty_export_says_so,
    a_click_plays_the_video_there,
    faces_have_pictures_of_their_best_moments,
    a_long_scan_is_drawn_at_once,
];

#[test]
fn pages_in_chromium() {
    let Some(program) = chromium() else { return };
    let browser = Browser::start(&program, &folder("chromium-profile"), &["--autoplay-policy=no-user-gesture-required"], "report");
    let mut pages = Pages { browser };
    pages.browser.resize(1200, 900, 1.0);
    for (name, expectation) in EXPECTATIONS {
        println!("{name}");
        expectation(&mut pages);
        assert_eq!(pages.browser.complaints, Vec::<String>::new(), "{name}");
    }
}

struct Pages {
    browser: Browser,
}

impl Pages {
    /// Opens the page of records.
    fn open(&mut self, test: &str, records: &[Value]) -> PathBuf {
        let folder = folder(&format!("browser-{test}"));
        std::fs::write(folder.join("faces.ndjson"), text(records)).expect("target can be written");
        run(&[folder.join("faces.ndjson")]).expect("a page");
        self.show(&folder.join("faces.html"));
        folder
    }

    fn show(&mut self, page: &Path) {
        self.browser.command("Page.navigate", json!({"url": format!("file://{}", page.display())}));
        self.browser.wait("a page that is drawn", "performance.getEntriesByName('drawn').length === 1");
    }

    /// The HTML of the page without its records and script.
    fn html(&mut self) -> String {
        let html = self.browser.run("document.querySelector('header').outerHTML + document.querySelector('main').outerHTML");
        html.as_str().expect("text").to_owned()
    }

    fn number(&mut self, expression: &str) -> f64 {
        self.browser.run(expression).as_f64().unwrap_or_else(|| panic!("{expression} is no number"))
    }

    /// The colour of a chart at a share of its width, `y` pixels below its top: red, green, blue, opacity.
    fn color(&mut self, chart: usize, x: f64, y: u32) -> [u8; 4] {
        // A canvas that is not drawn has the default width.
        let read = format!(
            "{{ const chart = document.querySelectorAll('.plot:not(.mean) > canvas')[{chart}]; chart.scrollIntoView();
            const pixel = () => [...chart.getContext('2d').getImageData(chart.width * {x}, {y}, 1, 1).data];
            new Promise((drawn) => {{
                const look = () => (chart.width === 300 ? requestAnimationFrame(look) : drawn(pixel()));
                look();
            }}) }}"
        );
        serde_json::from_value(self.browser.run(&read)).expect("a colour")
    }
}

const NEUTRAL: [u8; 4] = [0xae, 0xb6, 0xbe, 0xff];
const HAPPINESS: [u8; 4] = [0xe8, 0xd9, 0x1c, 0xff];
const BLANK: [u8; 4] = [0; 4];

/// The cell number `index` after the heading of a row.
fn cell(html: &str, label: &str, index: usize) -> String {
    let row = &html[html.find(&format!("{label}</th>")).unwrap_or_else(|| panic!("no row {label}: {html}"))..];
    row.split("<td>").nth(index).and_then(|cell| cell.split('<').next()).unwrap_or_default().replace("&lt;", "<")
}

fn shares_gaps_and_unknown_faces_are_shown(pages: &mut Pages) {
    pages.open("shares", &clip());
    let html = pages.html();
    // Faces are visible for four seconds in total: one neutral, two joy, one unknown.
    assert_eq!(["neutral", "joy", "unknown"].map(|label| cell(&html, label, 1)), ["25 %", "50 %", "25 %"]);
    assert_eq!(["neutral", "joy", "unknown"].map(|label| cell(&html, label, 2)), ["1.0 s", "2.0 s", "1.0 s"]);
    // The label has 0.9 and the other class 0.1, for neutral in one second and joy in two; in the fourth, `unknown`, both have 0.1.
    assert_eq!(["neutral", "joy", "unknown"].map(|label| cell(&html, label, 3)), ["30 %", "50 %", "–"]);
    assert!(html.contains("3.0 s&nbsp;· 75&nbsp;%"), "one of four seconds has no face: {html}");
    assert!(html.contains("Visible for 3.0 s between 0:00.0 and 0:04.0."), "{html}");
    assert!(html.contains("<td>0:01.0</td><td>0:02.0</td><td>joy</td>") && html.contains("<td>0:03.0</td><td>0:04.0</td><td>joy</td>"));
    assert_eq!(pages.browser.unnamed_controls(), Vec::<String>::new());
    pages.browser.take("faces");
}

fn charts_have_the_colours_of_the_labels_over_time(pages: &mut Pages) {
    pages.open("charts", &clip());
    // One face of at most two fills the lower half of the 180 pixels.
    let overall = [0.1, 0.4, 0.6, 0.9].map(|x| pages.color(0, x, 170));
    assert_eq!(overall, [NEUTRAL, HAPPINESS, BLANK, HAPPINESS]);
    assert_eq!(pages.color(0, 0.4, 45), BLANK);
    // Of face 1, the larger part is the label's: joy is below neutral. The strip is below the scores.
    assert_eq!([(0.1, 60), (0.4, 20), (0.4, 85), (0.6, 85)].map(|(x, y)| pages.color(1, x, y)), [NEUTRAL, HAPPINESS, HAPPINESS, BLANK]);
    let hover = "{ const chart = document.querySelector('.plot > canvas'); const { left, top, width } = chart.getBoundingClientRect();
        chart.dispatchEvent(new PointerEvent('pointermove', { clientX: left + .4 * width, clientY: top + 170 })); chart.title }";
    let said = pages.browser.run(hover);
    assert!(said.as_str().is_some_and(|said| said.starts_with("0:01.6") && said.ends_with("joy, 1.0 faces")), "{said}");
}

fn the_page_of_changes_is_that_of_every_frame(pages: &mut Pages) {
    let mut nobody = face(50, 1, None);
    (nobody["type"], nobody["faces"]) = ("frame".into(), 0.into());
    let changes = [
        face(0, 1, Some("neutral")),
        face(25, 1, Some("joy")),
        nobody,
        face(75, 1, Some("joy")),
        face(75, 2, Some("unknown")),
        face(99, 1, Some("joy")),
        face(99, 2, Some("unknown")),
    ];
    let shares = "document.querySelector('#shares').outerHTML";
    pages.open("changes", &changes);
    let of_changes = pages.browser.run(shares);
    pages.open("every-frame", &clip());
    assert_eq!(of_changes, pages.browser.run(shares));
}

fn a_face_that_waits_is_shown_as_not_scored(pages: &mut Pages) {
    let waiting = (0..25).map(|frame| {
        let mut record = face(frame, 1, Some("unknown"));
        (record["reason"], record["score"], record["scores"]) = ("pending".into(), Value::Null, Value::Null);
        record
    });
    pages.open("pending", &waiting.chain((25..50).map(|frame| face(frame, 1, Some("joy")))).collect::<Vec<_>>());
    let html = pages.html();
    assert!(html.contains("<td>0:00.0</td><td>0:01.0</td><td>not scored</td>") && html.contains("<td>joy</td>"), "{html}");
    assert!(!html.contains("<td>unknown</td>"));
}

fn an_uncertain_label_comes_with_the_second_class(pages: &mut Pages) {
    let uncertain = (0..25).map(|frame| {
        let mut record = face(frame, 1, Some("surprise"));
        (record["score"], record["scores"]) = (json!(0.45), json!({"surprise": 0.45, "fear": 0.4, "joy": 0.15}));
        record
    });
    pages.open("uncertain", &uncertain.collect::<Vec<_>>());
    let html = pages.html();
    assert!(html.contains("<td class=\"tentative\">surprise or fear</td>"), "{html}");
}

fn reasons_for_unknown_are_summed_up(pages: &mut Pages) {
    let unknown = (0..50).map(|frame| {
        let mut record = face(frame, 1, Some("unknown"));
        record["reason"] = if frame < 40 { "small" } else { "uncertain" }.into();
        record
    });
    pages.open("reasons", &unknown.collect::<Vec<_>>());
    let html = pages.html();
    assert!(html.contains("unknown: 1.6 s too small; 0.4 s uncertain"), "{html}");
}

/// A second of a face in a file, with this label.
fn second_of(file: &str, id: u64, label: &str) -> Vec<Value> {
    let record = |frame| {
        let mut record = face(frame, id, Some(label));
        record["stream"] = file.into();
        record
    };
    (0..25).map(record).collect()
}

fn persons_and_groups_are_side_by_side(pages: &mut Pages) {
    let rows =
        "[...document.querySelectorAll('.comparison tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent).join('|'))";
    let expected = [
        // Joy has .9 in one file and .1 in two: mean .37, standard error .27.
        "All faces 3 faces|3.0 s||33 %|37 ± 27|37 ± 27",
        "a/ 2 faces|2.0 s||0 %|50 ± 40|50 ± 40",
        "b/|1.0 s||100 %|10|10",
        "a/1.mp4|1.0 s||0 %|90|10",
        "a/2.mp4|1.0 s||0 %|10|90",
        "b/3.mp4|1.0 s||100 %|10|10",
        "Face 1, stream a/1.mp4|1.0 s||0 %|90|10",
        "Face 1, stream a/2.mp4|1.0 s||0 %|10|90",
        "Face 1, stream b/3.mp4|1.0 s||100 %|10|10",
    ];
    for separator in ["\\", "/"] {
        let of_system = |name: &str| name.replace('/', separator);
        let second = |file, label| second_of(&of_system(file), 1, label);
        let faces = [second("a/1.mp4", "joy"), second("a/2.mp4", "neutral"), second("b/3.mp4", "unknown")];
        pages.open("compared", &faces.concat());
        assert_eq!(pages.browser.run(rows), json!(expected.map(of_system)));
    }
    assert!(pages.html().contains("nothing is said in 33 % of the time"));
    pages.browser.take("compared");
}

fn facing_and_blinks_are_shown_where_faces_have_a_geometry(pages: &mut Pages) {
    pages.open("acting", &acting_clip());
    let tiles = pages.browser.run("[...document.querySelectorAll('#tiles div')].slice(4).map((tile) => tile.textContent)");
    // Two of three seconds; three blinks in 2.92 seconds.
    assert_eq!(tiles, json!(["of the time facing the camera67 %", "blinks a minute62"]));
    let rows = pages.browser.run(
        "[...document.querySelectorAll('.comparison tbody tr')].map((row) => [...row.children].slice(4, 6).map((cell) => cell.textContent).join('|'))",
    );
    assert_eq!(rows, json!(["67 %|62", "67 %|62", "–|–"]));
    let said = pages.browser.run("[...document.querySelectorAll('.activity')].map((line) => line.textContent)");
    assert_eq!(said, json!(["Facing the camera for 67 % of the time; 62 blinks a minute.", "The pose of the head is not known."]));
    let titles = pages.browser.run("[...document.querySelectorAll('.mean-title')].at(-1).textContent");
    assert_eq!(titles, "facing the camera: 67 % of the time");
    // The line below the labels: dark while the face faces the camera, faint while it is turned away, none in between.
    let opacity = [0.2, 0.6, 0.9].map(|x| pages.color(1, x, 98)[3]);
    assert!(opacity[0] > 200 && opacity[1] == 0 && (20..80).contains(&opacity[2]), "{opacity:?}");
    pages.browser.take("facing");
    pages.open("no-acting", &clip());
    assert_eq!(
        pages.browser.run("[document.querySelectorAll('#tiles div').length, document.querySelectorAll('.activity').length]"),
        json!([4, 0])
    );
}

fn a_band_shows_the_standard_error_over_faces(pages: &mut Pages) {
    pages.open("band", &[second_of("a", 1, "joy"), second_of("b", 2, "neutral")].concat());
    let titles = pages.browser.run("[...document.querySelectorAll('.mean-title')].map((title) => title.textContent)");
    assert_eq!(titles, json!(["joy: mean score 50 ± 40 %", "neutral: mean score 50 ± 40 %", "unknown: 0 % of the time"]));
    let column = "{ const chart = document.querySelector('.mean > canvas'); chart.scrollIntoView();
        const opacity = () => [1, 10, 28, 46, 55].map((y) => chart.getContext('2d').getImageData(chart.width / 2, y, 1, 1).data[3]);
        new Promise((drawn) => {
            const look = () => (chart.width === 300 ? requestAnimationFrame(look) : drawn(opacity()));
            look();
        }) }";
    let opacity: Vec<u8> = serde_json::from_value(pages.browser.run(column)).expect("five pixels");
    // From .1 to .9 of 56 pixels, with a line at the mean.
    assert!(opacity[0] == 0 && opacity[4] == 0 && opacity[1] == opacity[3] && opacity[1] > 100 && opacity[2] == 255, "{opacity:?}");
}

fn the_paragraph_for_a_methods_section_can_be_copied(pages: &mut Pages) {
    pages.open("methods", &clip());
    let text = pages.browser.run("document.querySelector('#methods-text').textContent");
    let text = text.as_str().expect("text");
    for part in ["(face detector test)", "apparent expressions", "share of unknown is reported", "Standard errors are over tracks"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    pages.browser.run("document.querySelector('#copy').click()");
    pages.browser.wait("an answer of the button", "document.querySelector('#copy').textContent !== 'Copy'");
    assert_eq!(pages.browser.run("getSelection().toString().trim()"), text.trim());
}

fn paper_is_light_and_without_controls(pages: &mut Pages) {
    pages.open("paper", &clip());
    let dark = json!([{"name": "prefers-color-scheme", "value": "dark"}]);
    pages.browser.command("Emulation.setEmulatedMedia", json!({"media": "print", "features": dark}));
    let look = "[getComputedStyle(document.documentElement).getPropertyValue('--ink').trim(),
        getComputedStyle(document.querySelector('#copy')).display, getComputedStyle(document.querySelector('details')).display]";
    assert_eq!(pages.browser.run(look), json!(["#16191d", "none", "none"]));
    pages.browser.command("Emulation.setEmulatedMedia", json!({"media": "", "features": []}));
}

fn names_and_labels_are_no_html(pages: &mut Pages) {
    let evil = "<img src=x onerror=alert(1)></script>";
    let mut record = face(0, 1, Some(evil));
    record["scores"] = json!({"neutral": 0.1});
    record["scores"][evil] = json!(0.9);
    (record["stream"], record["detector"]) = (evil.into(), evil.into());
    pages.open("names", &[record, face(0, 2, Some("joy"))]);
    assert_eq!(pages.browser.run("document.querySelectorAll('img').length"), 0);
    let html = pages.html();
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;&lt;/script&gt;</th>"), "{html}");
    assert!(html.contains("Face 1, stream &lt;img"), "{html}");
}

fn summaries_have_a_page_without_individual_faces(pages: &mut Pages) {
    pages.open("summaries", &[summary(0), summary(1)]);
    let html = pages.html();
    assert!(html.contains("totals only") && html.contains("Share of faces"), "{html}");
    // 50 faces in each: 30 neutral, 5 not scored.
    assert_eq!(["neutral", "not scored"].map(|label| [cell(&html, label, 1), cell(&html, label, 2)]), [["60 %", "60"], ["10 %", "10"]]);
    // A mean of two faces; of 50, 10 show joy and 30 are neutral.
    assert_eq!([170, 60].map(|y| pages.color(0, 0.5, y)), [HAPPINESS, NEUTRAL]);
    pages.browser.take("summaries");
}

fn an_empty_export_says_so(pages: &mut Pages) {
    pages.open("empty", &[]);
    assert!(pages.html().contains("no faces were found"));
    assert_eq!(pages.browser.run("document.querySelectorAll('.plot').length"), 0);
}

fn a_click_plays_the_video_there(pages: &mut Pages) {
    let folder = folder("browser-player");
    std::fs::write(folder.join("faces.ndjson"), text(&clip())).expect("target can be written");
    write_video(&folder.join("faces.webm"), &[("ball", 100)]);
    std::fs::create_dir(folder.join("pages")).expect("target can be written");
    run(&[folder.join("faces.ndjson"), folder.join("pages/page.html")]).expect("a page");
    pages.show(&folder.join("pages/page.html"));
    pages.browser.wait("the video", "document.querySelector('#player').hidden === false");
    pages.browser.wait("the start in a chart", "document.querySelector('.head').hidden === false");
    let html = pages.html();
    assert!(html.contains("href=\"../faces.webm#t=1.000\" data-time=\"1.000\">0:01.0</a>"), "{html}");
    let paused_at = "{ const video = document.querySelector('video'); video.pause(); video.currentTime }";
    pages.browser.run("document.querySelector('.moment[data-time=\"1.000\"]').click()");
    assert!((1.0..2.0).contains(&pages.number(paused_at)));
    let click = "{ const chart = document.querySelector('.plot'); const { left, width } = chart.getBoundingClientRect();
        chart.dispatchEvent(new MouseEvent('click', { clientX: left + .75 * width })) }";
    pages.browser.run(click);
    assert!((2.99..3.9).contains(&pages.number(paused_at)));
    pages.browser.wait("the position in a chart", "parseFloat(document.querySelector('.head').style.left) > 74");
    pages.browser.take("player");
    // The page works without its video.
    std::fs::remove_file(folder.join("faces.webm")).expect("the video is there");
    pages.show(&folder.join("pages/page.html"));
    pages.browser.wait("a video that is missing", "document.querySelector('video').error !== null");
    assert_eq!(pages.browser.run("document.querySelector('#player').hidden"), true);
    pages.browser.complaints.clear();
}

fn faces_have_pictures_of_their_best_moments(pages: &mut Pages) {
    let folder = folder("browser-pictures");
    let page = folder.join("faces.html");
    std::fs::write(folder.join("faces.ndjson"), text(&clip())).expect("target can be written");
    write_video(&folder.join("clip.webm"), &[("red", 25), ("blue", 75)]);
    run(&[folder.join("faces.ndjson"), folder.join("clip.webm"), page.clone()]).expect("a page");
    pages.show(&page);
    pages.browser.wait("the pictures", "[...document.images].length === 2 && [...document.images].every((image) => image.complete)");
    let colors = "[...document.images].map((image) => {
        const pen = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d');
        pen.drawImage(image, 0, 0, 1, 1);
        const [red, , blue] = pen.getImageData(0, 0, 1, 1).data;
        return `${image.className} ${red > 200 && blue < 50 ? 'red' : blue > 200 && red < 50 ? 'blue' : [red, blue]} ${image.naturalWidth}`;
    })";
    assert_eq!(pages.browser.run(colors), json!(["neutral red 240", "happiness blue 240"]));
    let captions = pages.browser.run("[...document.querySelectorAll('figcaption')].map((caption) => caption.textContent)");
    assert_eq!(captions, json!(["0:00.0 neutral 90\u{a0}%", "0:01.0 joy 90\u{a0}%"]));
    pages.browser.take("pictures");
}

/// 100,000 rows of twelve people in three files.
fn a_long_scan_is_drawn_at_once(pages: &mut Pages) {
    let row = |index: u64| {
        let mut record = face(index / 4, index % 4 + 1, Some(if (index / 700).is_multiple_of(2) { "joy" } else { "neutral" }));
        record["stream"] = format!("clip {}.mp4", index / 34_000).into();
        record
    };
    pages.open("long", &(0..100_000).map(row).collect::<Vec<_>>());
    let drawn_ms = pages.number("performance.getEntriesByName('drawn')[0].startTime");
    println!("100,000 rows are drawn after {drawn_ms:.0} ms");
    assert_eq!(pages.browser.run("document.querySelectorAll('.face').length"), 12);
    // What is further down is drawn when it is near.
    let blank = "[...document.querySelectorAll('.plot > canvas')].filter((chart) => chart.width === 300).length";
    assert!(pages.number(blank) > 3.0, "all charts are drawn at once");
    assert_ne!(pages.color(12, 0.9, 85), BLANK);
}
