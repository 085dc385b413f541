// SPDX-License-Identifier: MIT OR Apache-2.0
//! ONVIF metadata. These documents were validated against the schemas of ONVIF's release 25.12 (`metadatastream.xsd`,
//! `common.xsd`, `humanface.xsd`); change them only together with such a check.

use emotion_core::export::{Exporter, Format, FrameReport, FrameTime, Options, Output, Utc};
use emotion_core::geometry::Rect;
use emotion_core::record::FaceRecord;

use super::{found, report, scored, summary_of, text_of, time};

const START: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema" "#,
    r#"xmlns:fc="http://www.onvif.org/ver20/analytics/humanface" xmlns:em="urn:x-gst-plugin-emotion:onvif:1"><tt:VideoAnalytics>"#
);
const END: &str = "</tt:Frame></tt:VideoAnalytics></tt:MetadataStream>\n";
/// The box 0.25, 0.125 of 0.5 x 0.33333.
const SHAPE: &str =
    r#"<tt:Shape><tt:BoundingBox left="-0.5" top="0.75" right="0.5" bottom="0.08333"/><tt:CenterOfGravity x="0" y="0.41667"/></tt:Shape>"#;

#[test]
fn onvif_has_an_object_for_each_face_and_our_scores_as_an_extension() {
    let faces =
        [scored(3, Some(1), &[0.06, 0.93, 0.01]), scored(4, None, &[0.4, 0.35, 0.25]), scored(5, Some(2), &[0.0, 0.0, 1.0]), found(0)];
    let utc = Some(Utc(1_700_000_000_123_456_789));
    let document = text_of(Format::Onvif, &FrameReport { time: FrameTime { utc, ..time(2) }, ..report(2, &faces) });
    let object = |id: &str, rest: &str| format!("<tt:Object{id}><tt:Appearance>{SHAPE}<tt:Class>{rest}</tt:Appearance></tt:Object>");
    let class = r#"<tt:Type Likelihood="0.9123">HumanFace</tt:Type></tt:Class>"#;
    let extension = |label: &str, score: &str, scores: [&str; 3]| {
        let [neutral, happiness, fear] = scores;
        format!(
            r#"<tt:Extension><em:Expression label="{label}" score="{score}" smoothed="true" age="PT0.080000000S"><em:Score label="neutral">{neutral}</em:Score><em:Score label="happiness">{happiness}</em:Score><em:Score label="fear">{fear}</em:Score></em:Expression></tt:Extension>"#
        )
    };
    let word = |word: &str| format!("<tt:HumanFace><fc:Expression>{word}</fc:Expression></tt:HumanFace>");
    let expected = [
        START.to_owned() + r#"<tt:Frame UtcTime="2023-11-14T22:13:20.123456Z" Source="emotion" em:stream="cam">"#,
        object(r#" ObjectId="3""#, &[class, &extension("happiness", "0.93", ["0.06", "0.93", "0.01"]), &word("Smile")].concat()),
        object(r#" ObjectId="4""#, &[class, &extension("unknown", "0.4", ["0.4", "0.35", "0.25"])].concat()),
        object(r#" ObjectId="5""#, &[class, &extension("fear", "1", ["0", "0", "1"]), &word("Other")].concat()),
        object("", "<tt:Type>HumanFace</tt:Type></tt:Class>"),
        END.to_owned(),
    ];
    assert_eq!(document, expected.concat());
}

#[test]
fn onvif_counts_from_1970_where_the_time_of_day_is_unknown() {
    let document = text_of(Format::Onvif, &report(25, &[]));
    assert_eq!(document, START.to_owned() + r#"<tt:Frame UtcTime="1970-01-01T00:00:01.000000Z" Source="emotion" em:stream="cam">"# + END);
}

#[test]
fn onvif_boxes_have_the_y_axis_upwards() {
    let corner = |x: f32, y: f32| FaceRecord { rect_norm: Rect::new(x, y, 0.25, 0.25), ..found(1) };
    let of = |x: f32, y: f32| text_of(Format::Onvif, &report(0, &[corner(x, y)]));
    assert!(of(0.0, 0.0).contains(r#"left="-1" top="1" right="-0.5" bottom="0.5"/><tt:CenterOfGravity x="-0.75" y="0.75"/>"#));
    assert!(of(0.75, 0.75).contains(r#"left="0.5" top="-0.5" right="1" bottom="-1"/><tt:CenterOfGravity x="0.75" y="-0.75"/>"#));
}

#[test]
fn onvif_summaries_have_neither_boxes_nor_ids() {
    let document = summary_of(Format::Onvif, &[vec![scored(3, Some(1), &[0.0, 1.0, 0.0])], vec![]]);
    assert_eq!(
        document,
        START.to_owned()
            + r#"<tt:Frame UtcTime="1970-01-01T00:00:00.000000Z" Source="emotion" em:stream="cam"><tt:Extension>"#
            + r#"<em:Summary duration="PT0.080000000S" frames="2" facesMean="0.5" facesMax="1" facesScored="1">"#
            + r#"<em:Count label="neutral">0</em:Count><em:Count label="happiness">1</em:Count><em:Count label="fear">0</em:Count>"#
            + r#"<em:Count label="unknown">0</em:Count><em:Score label="neutral">0</em:Score><em:Score label="happiness">1</em:Score>"#
            + r#"<em:Score label="fear">0</em:Score></em:Summary></tt:Extension>"#
            + END
    );
}

/// For a reader, a document without objects means that no face follows until the next document.
#[test]
fn onvif_has_an_empty_frame_at_the_start_and_when_the_last_face_has_gone() {
    for (on_change, expected) in [(false, [1, 0, 1, 1, 1, 0]), (true, [1, 0, 1, 0, 1, 0])] {
        let mut exporter = Exporter::new(Options { format: Format::Onvif, on_change, ..Options::default() });
        let mut documents = |frame: u64, faces: &[FaceRecord]| match exporter.frame(&report(frame, faces)).unwrap() {
            Output::Text(chunk) => String::from_utf8(chunk.body).unwrap().lines().count(),
            _ => 0,
        };
        let face = || vec![found(1)];
        let shown = [vec![], vec![], face(), face(), vec![], vec![]];
        assert_eq!(shown.iter().zip(0..).map(|(faces, frame)| documents(frame, faces)).collect::<Vec<_>>(), expected, "{on_change}");
    }
}
