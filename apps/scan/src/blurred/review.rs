// SPDX-License-Identifier: MIT OR Apache-2.0
//! `review.html` and `review.csv`: what was found and hidden, and the spans that somebody should look at, the worst first. All pictures are
//! of the copies.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::copy::Watch;
use super::ledger::Finished;
use super::tracks::Reason;
use crate::error::Error;
use crate::platform::write_whole;

/// The first line of the table, by which it is known again.
const HEADER: &str = "copy,start_s,end_s,reason,doubt";
/// With which the page begins, by which it is known again.
const HEAD: &str = "<!doctype html><meta charset=\"utf-8\"><meta name=\"generator\" content=\"emotion-scan --blurred\">";
const STYLE: &str = "<title>Hidden faces</title><style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid #8884}\
img{width:20rem;max-width:100%;display:block}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}</style>";

/// The characters that are percent-encoded in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Refuses to replace pages that are none of an earlier call.
pub(super) fn check(folder: &Path) -> Result<(), Error> {
    for (name, start) in [("review.csv", HEADER), ("review.html", HEAD)] {
        let path = folder.join(name);
        if path.exists() && !fs::read(&path).is_ok_and(|found| found.starts_with(start.as_bytes())) {
            return Err(Error::PageReplaced(path));
        }
    }
    Ok(())
}

/// Writes both files.
pub(super) fn write<'a>(folder: &Path, finished: impl Iterator<Item = &'a Finished>) -> Result<(), Error> {
    let finished: Vec<&Finished> = finished.collect();
    let mut spans: Vec<(&str, &Watch)> =
        finished.iter().flat_map(|one| one.report.spans.iter().map(|span| (one.copy.as_str(), span))).collect();
    spans.sort_by(|a, b| b.1.doubt.total_cmp(&a.1.doubt));
    write_whole(&folder.join("review.csv"), csv(&spans).as_bytes())?;
    write_whole(&folder.join("review.html"), page(&finished, &spans).as_bytes())
}

fn csv(spans: &[(&str, &Watch)]) -> String {
    let mut text = format!("{HEADER}\r\n");
    for (copy, span) in spans {
        let (copy, reason) = (copy.replace('"', "\"\""), name(span.reason));
        let _ = write!(text, "\"{copy}\",{:.3},{:.3},{reason},{:.2}\r\n", seconds(span.start_ns), seconds(span.end_ns), span.doubt);
    }
    text
}

fn page(finished: &[&Finished], spans: &[(&str, &Watch)]) -> String {
    let mut text = format!(
        "{HEAD}{STYLE}<h1>Hidden faces</h1><p>All pictures are of the copies. Faces that no detector finds are not hidden: \
        look at these spans first, and at the whole copy before you pass it on. Voices, clothes and names stay.</p>"
    );
    text += "<h2>Copies</h2><table><tr><th>copy<th>frames<th>faces<th>frames with hidden faces<th>frames hidden as a whole<th>mended<th>found by<th>left out";
    for one in finished {
        let report = &one.report;
        let mended: Vec<String> = report.mended.iter().map(ToString::to_string).collect();
        let mended = if mended.is_empty() { "0".to_owned() } else { mended.join(" + ") };
        let _ = write!(
            text,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{mended}<td>{}<td>{}",
            escaped(&one.copy),
            report.frames,
            report.faces,
            report.hidden_frames,
            report.whole_frames,
            escaped(&one.made.networks.join(", ")),
            escaped(&report.left_out.join(", "))
        );
    }
    text += "</table><h2>To look at</h2><table><tr><th>copy<th>from<th>to<th>why<th>picture";
    for (copy, span) in spans {
        let picture = source(copy, span).map_or_else(String::new, |source| format!("<img alt=\"\" loading=\"lazy\" src=\"{source}\">"));
        let (start, end, why) = (seconds(span.start_ns), seconds(span.end_ns), explained(span.reason));
        // Browsers play a video from there.
        let place = if is_photo(copy) { path(copy) } else { format!("{}#t={start:.3},{end:.3}", path(copy)) };
        let copy = escaped(copy);
        let _ = write!(text, "<tr><td><a href=\"{place}\">{copy}</a><td>{start:.2} s<td>{end:.2} s<td>{why}<td>{picture}");
    }
    text + "</table>\n"
}

/// What shows a span: its picture, or the copy itself if it is a photo.
fn source(copy: &str, span: &Watch) -> Option<String> {
    span.picture.as_deref().map(|jpeg| format!("data:image/jpeg;base64,{jpeg}")).or_else(|| is_photo(copy).then(|| path(copy)))
}

fn is_photo(copy: &str) -> bool {
    [".jpg", ".jpeg", ".png"].iter().any(|ending| copy.to_lowercase().ends_with(ending))
}

/// A copy as seen from the page.
fn path(copy: &str) -> String {
    utf8_percent_encode(&copy.replace(std::path::MAIN_SEPARATOR, "/"), PATH).to_string()
}

fn seconds(time_ns: u64) -> f64 {
    time_ns as f64 / 1e9
}

fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::Mended => "mended",
        Reason::Whole => "whole",
        Reason::Doubtful => "doubtful",
        Reason::Bridged => "bridged",
    }
}

fn explained(reason: Reason) -> &'static str {
    match reason {
        Reason::Mended => "a face was found only when the copy was looked at, and is hidden now",
        Reason::Whole => "whole frames are hidden, because what they show is not sure",
        Reason::Doubtful => "no find of this face is sure",
        Reason::Bridged => "the face was lost for a while, and is hidden where it may have been",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_a_photo_shows_the_copy_and_one_of_a_video_a_frame_and_where_it_is() {
        let span = |picture: Option<&str>| Watch {
            start_ns: 1_500_000_000,
            end_ns: 2_000_000_000,
            reason: Reason::Doubtful,
            doubt: 0.8,
            picture: picture.map(str::to_owned),
        };
        assert_eq!(source("a b/100 %.JPG", &span(None)).as_deref(), Some("a%20b/100%20%25.JPG"));
        assert_eq!(source("clip.mp4", &span(Some("/9j/"))).as_deref(), Some("data:image/jpeg;base64,/9j/"));
        assert_eq!(source("clip.mp4", &span(None)), None, "the pictures of a video are limited");
        let page = page(&[], &[("a b/clip.mp4", &span(None)), ("a b/1.jpg", &span(None))]);
        let links = ["<a href=\"a%20b/clip.mp4#t=1.500,2.000\">a b/clip.mp4</a>", "<a href=\"a%20b/1.jpg\">a b/1.jpg</a>"];
        assert!(links.iter().all(|link| page.contains(link)), "{page}");
    }
}
