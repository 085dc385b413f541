// SPDX-License-Identifier: MIT OR Apache-2.0
//! ELAN's annotation format 3.0 (<https://www.mpi.nl/tools/elan/EAFv3.0.xsd>): a tier for each track, and a vocabulary of the
//! labels, from which people choose when they correct them.

use std::fmt::Write;
use std::path::Path;

use emotion_core::scores::UNKNOWN;
use emotion_page::relative_path;

use super::intervals::Annotated;
use crate::provenance;

/// The name of the tiers' type and of the vocabulary.
const KIND: &str = "apparent expression";

/// The document of a video, at `path`.
pub(super) fn document(video: &Annotated, labels: &[String], path: &Path) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<ANNOTATION_DOCUMENT AUTHOR=\"emotion-scan {}\" DATE=\"{}\" FORMAT=\"3.0\" VERSION=\"3.0\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:noNamespaceSchemaLocation=\"http://www.mpi.nl/tools/elan/EAFv3.0.xsd\">",
        env!("CARGO_PKG_VERSION"),
        provenance::now()
    );
    let count: usize = video.tiers.iter().map(|tier| tier.intervals.len()).sum();
    header(&mut xml, video, path, count);
    times(&mut xml, video);
    tiers(&mut xml, video);
    vocabulary(&mut xml, labels);
    xml + "</ANNOTATION_DOCUMENT>\n"
}

/// `file:///data/a.mp4`, or on Windows `file:///C:/data/a.mp4`.
fn file_url(path: &Path) -> String {
    let path = with_slashes(path);
    format!("file://{}{path}", if path.starts_with('/') { "" } else { "/" })
}

/// The path as ELAN writes it on every operating system.
fn with_slashes(path: &Path) -> String {
    path.display().to_string().replace(std::path::MAIN_SEPARATOR, "/")
}

fn header(xml: &mut String, video: &Annotated, path: &Path, annotations: usize) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (url, relative) = match video.media.is_absolute() {
        true => (file_url(&video.media), format!("./{}", with_slashes(&relative_path(&video.media, folder)))),
        false => (video.name.clone(), String::new()),
    };
    let _ = writeln!(xml, "  <HEADER MEDIA_FILE=\"\" TIME_UNITS=\"milliseconds\">");
    let relative = if relative.is_empty() { relative } else { format!(" RELATIVE_MEDIA_URL=\"{}\"", escaped(&relative)) };
    let _ = writeln!(xml, "    <MEDIA_DESCRIPTOR MEDIA_URL=\"{}\" MIME_TYPE=\"{}\"{relative}/>", escaped(&url), media_type(&video.media));
    let _ = writeln!(xml, "    <PROPERTY NAME=\"lastUsedAnnotationId\">{annotations}</PROPERTY>\n  </HEADER>");
}

/// The names that ELAN has for types of files; it finds out the others.
fn media_type(path: &Path) -> &'static str {
    match path.extension().unwrap_or_default().to_string_lossy().to_lowercase().as_str() {
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "mpg" | "mpeg" => "video/mpeg",
        _ => "unknown",
    }
}

/// Both ends of each interval, in the order of time.
fn times(xml: &mut String, video: &Annotated) {
    let intervals = video.tiers.iter().flat_map(|tier| &tier.intervals);
    let mut slots: Vec<(u64, usize)> = intervals
        .enumerate()
        .flat_map(|(index, interval)| [(interval.start_ns, 2 * index + 1), (interval.end_ns, 2 * index + 2)])
        .collect();
    slots.sort_unstable();
    xml.push_str("  <TIME_ORDER>\n");
    for (time_ns, slot) in slots {
        let _ = writeln!(xml, "    <TIME_SLOT TIME_SLOT_ID=\"ts{slot}\" TIME_VALUE=\"{}\"/>", (time_ns + 500_000) / 1_000_000);
    }
    xml.push_str("  </TIME_ORDER>\n");
}

fn tiers(xml: &mut String, video: &Annotated) {
    let mut number = 0;
    for tier in &video.tiers {
        let name = tier.name();
        let _ =
            writeln!(xml, "  <TIER ANNOTATOR=\"emotion-scan\" LINGUISTIC_TYPE_REF=\"{KIND}\" PARTICIPANT=\"{name}\" TIER_ID=\"{name}\">");
        for interval in &tier.intervals {
            number += 1;
            let (from, to) = (2 * number - 1, 2 * number);
            let _ = writeln!(
                xml,
                "    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID=\"a{number}\" TIME_SLOT_REF1=\"ts{from}\" TIME_SLOT_REF2=\"ts{to}\">\
                 <ANNOTATION_VALUE>{}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>",
                escaped(&interval.label)
            );
        }
        xml.push_str("  </TIER>\n");
    }
}

fn vocabulary(xml: &mut String, labels: &[String]) {
    let _ = writeln!(
        xml,
        "  <LINGUISTIC_TYPE CONTROLLED_VOCABULARY_REF=\"{KIND}\" GRAPHIC_REFERENCES=\"false\" LINGUISTIC_TYPE_ID=\"{KIND}\" \
         TIME_ALIGNABLE=\"true\"/>"
    );
    xml.push_str("  <LANGUAGE LANG_DEF=\"http://cdb.iso.org/lg/CDB-00138502-001\" LANG_ID=\"eng\" LANG_LABEL=\"English (eng)\"/>\n");
    let _ = writeln!(
        xml,
        "  <CONTROLLED_VOCABULARY CV_ID=\"{KIND}\">\n    <DESCRIPTION LANG_REF=\"eng\">How an expression looks</DESCRIPTION>"
    );
    for (index, label) in labels.iter().map(String::as_str).chain([UNKNOWN]).enumerate() {
        let value = format!("<CVE_VALUE DESCRIPTION=\"\" LANG_REF=\"eng\">{}</CVE_VALUE>", escaped(label));
        let _ = writeln!(xml, "    <CV_ENTRY_ML CVE_ID=\"cveid{index}\">{value}</CV_ENTRY_ML>");
    }
    xml.push_str("  </CONTROLLED_VOCABULARY>\n");
}

/// Text between tags and in attributes. Characters that XML 1.0 does not allow become question marks.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('?'),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::super::intervals::{Interval, Tier};
    use super::*;

    #[test]
    fn names_of_files_and_labels_are_text() {
        let intervals = vec![Interval { start_ns: 0, end_ns: 1_500_400_000, label: "<b>".into() }];
        let tiers = vec![Tier { id: 1, intervals }];
        let (root, drive) = if cfg!(windows) { ("C:/", "C:/") } else { ("/", "") };
        let media = &format!("{root}data/a & \"b\"\u{1}.mp4");
        let video = Annotated { media: media.into(), name: media.into(), length_ns: 2_000_000_000, frames_per_s: 25.0, tiers };
        let xml = document(&video, &["neutral".to_owned()], Path::new(media).with_file_name("out").join("a.eaf").as_path());
        let url = format!("MEDIA_URL=\"file:///{drive}data/a &amp; &quot;b&quot;?.mp4\" MIME_TYPE=\"video/mp4\"");
        assert!(xml.contains(&url), "{xml}");
        assert!(xml.contains("RELATIVE_MEDIA_URL=\"./../a &amp; &quot;b&quot;?.mp4\""), "{xml}");
        assert!(xml.contains("TIME_VALUE=\"1500\"") && xml.contains("<ANNOTATION_VALUE>&lt;b&gt;</ANNOTATION_VALUE>"), "{xml}");
        let remote = Annotated { media: "https://host/a.webm".into(), name: "https://host/a.webm".into(), ..video };
        let xml = document(&remote, &[], Path::new("a.eaf"));
        assert!(xml.contains("MEDIA_URL=\"https://host/a.webm\" MIME_TYPE=\"unknown\"/>"), "{xml}");
    }
}
