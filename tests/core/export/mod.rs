// SPDX-License-Identifier: MIT OR Apache-2.0
//! The exact text of known records, and that third-party readers parse it.

mod dlstreamer;
mod events;
mod geometry;
mod onvif;
mod promised;

use std::time::Duration;

use emotion_core::behaviour::Aggregator;
use emotion_core::export::{Content, Exporter, Format, FrameReport, FrameTime, GeometryFields, Options, Output, RecordWriter, Span, Utc};
use emotion_core::geometry::{Landmarks5, Point, Rect, Size};
use emotion_core::record::{DetectionInfo, EmotionResult, FaceRecord, UnknownReason};
use emotion_core::scores::{FERPLUS_LABELS, LabelSet, Scores};
use proptest::prelude::*;

const FRAME_NS: u64 = 40_000_000;

fn time(frame: u64) -> FrameTime {
    let pts_ns = frame * FRAME_NS;
    FrameTime { pts_ns, duration_ns: FRAME_NS, stream_time_ns: Some(pts_ns), running_time_ns: Some(pts_ns + 1), utc: None }
}

fn report(frame: u64, faces: &[FaceRecord]) -> FrameReport<'_> {
    FrameReport { stream: "cam", frame, time: time(frame), size: Size::new(640, 480), faces, misplaced: false }
}

fn emotion(label_id: Option<usize>, scores: &[f32]) -> EmotionResult {
    let labels = LabelSet::new(["neutral", "happiness", "fear"]);
    let scores = Scores::from_probabilities(scores.iter().copied());
    EmotionResult { labels, scores, label_id, reason: None, smoothed: true, age: Duration::from_millis(80) }
}

fn found(id: u32) -> FaceRecord {
    FaceRecord { id, rect_norm: Rect::new(0.25, 0.125, 0.5, 1.0 / 3.0), detection: None, emotion: None, geometry: None, confirmed: true }
}

fn scored(id: u32, label_id: Option<usize>, scores: &[f32]) -> FaceRecord {
    let eye = Point::new(0.3, 0.2);
    let landmarks_norm = Some(Landmarks5([eye, Point::new(0.4, 0.2), Point::new(0.35, 0.3), eye, eye]));
    let detection = Some(DetectionInfo { confidence: 0.912_34, landmarks_norm, model_name: "centerface".into(), age: Duration::ZERO });
    FaceRecord { detection, emotion: Some(emotion(label_id, scores)), ..found(id) }
}

fn written(writer: &mut dyn RecordWriter, frame: &FrameReport<'_>, hold_ns: u64) -> String {
    let mut out = Vec::new();
    writer.write_faces(frame, hold_ns, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn text_of(format: Format, frame: &FrameReport<'_>) -> String {
    written(format.writer(Content::Faces, GeometryFields::Auto).as_mut(), frame, frame.time.duration_ns)
}

fn summary_of(format: Format, frames: &[Vec<FaceRecord>]) -> String {
    let mut aggregator = Aggregator::new(1_000_000_000);
    for (frame, faces) in frames.iter().enumerate() {
        assert_eq!(aggregator.add(&report(frame as u64, faces)), None);
    }
    let summary = aggregator.finish().unwrap();
    let mut writer = format.writer(Content::Summaries, GeometryFields::Auto);
    let labels = summary.labels();
    let mut out = writer.header((!labels.is_empty()).then_some(labels.as_slice()), false).unwrap_or_default().into_bytes();
    writer.write_summary(&summary, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn ndjson_of_a_scored_face() {
    let faces = [scored(3, Some(1), &[0.06, 0.93, 0.01])];
    let frame = FrameReport { time: FrameTime { utc: Some(Utc(1_700_000_000_123_456_789)), ..time(2) }, ..report(2, &faces) };
    assert_eq!(
        text_of(Format::Ndjson, &frame),
        concat!(
            r#"{"type":"face","version":1,"stream":"cam","frame":2,"time_s":0.08,"duration_s":0.04,"pts":80000000,"duration":40000000,"#,
            r#""stream_time":80000000,"running_time":80000001,"utc":"2023-11-14T22:13:20.123456Z","id":3,"#,
            r#""box":{"x":0.25,"y":0.125,"w":0.5,"h":0.33333},"confidence":0.9123,"detector":"centerface","#,
            r#""landmarks":{"right_eye":{"x":0.3,"y":0.2},"left_eye":{"x":0.4,"y":0.2},"nose":{"x":0.35,"y":0.3},"#,
            r#""right_mouth":{"x":0.3,"y":0.2},"left_mouth":{"x":0.3,"y":0.2}},"label":"happiness","label_id":1,"#,
            r#""reason":null,"score":0.93,"second":"neutral","scores":{"neutral":0.06,"happiness":0.93,"fear":0.01},"#,
            r#""smoothed":true,"age":80000000}"#,
            "\n"
        )
    );
}

#[test]
fn ndjson_has_every_key_even_if_all_values_are_unknown() {
    let all = text_of(Format::Ndjson, &report(0, &[scored(3, Some(1), &[0.0, 1.0, 0.0])]));
    let bare = text_of(Format::Ndjson, &report(0, &[found(0)]));
    let keys = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(keys(&all), keys(&bare));
    assert!(bare.contains(r#""id":null"#) && bare.contains(r#""label":null"#) && bare.contains(r#""scores":null"#));
}

#[test]
fn an_unknown_expression_has_a_label_a_score_and_no_label_id() {
    let line = text_of(Format::Ndjson, &report(0, &[scored(1, None, &[0.4, 0.35, 0.25])]));
    assert!(line.contains(r#""label":"unknown","label_id":null,"reason":null,"score":0.4,"second":"happiness","#), "{line}");
}

#[test]
fn a_face_that_no_network_saw_has_a_reason_and_no_numbers() {
    for (reason, shown) in [(UnknownReason::Small, "face 1: unknown\n"), (UnknownReason::Pending, "face 1\n")] {
        let uniform = EmotionResult { reason: Some(reason), ..emotion(None, &[1.0, 1.0, 1.0]) };
        let faces = [FaceRecord { emotion: Some(uniform), ..found(1) }];
        let line: serde_json::Value = serde_json::from_str(&text_of(Format::Ndjson, &report(0, &faces))).unwrap();
        assert_eq!((line["label"].as_str(), line["reason"].as_str()), (Some("unknown"), Some(reason.as_str())));
        assert!(["score", "second", "scores", "smoothed", "age"].iter().all(|key| line[key].is_null()), "{line}");
        assert_eq!(text_of(Format::Text, &report(0, &faces)), shown);
        let summary: serde_json::Value = serde_json::from_str(&summary_of(Format::Ndjson, &[faces.to_vec()])).unwrap();
        assert_eq!((summary["faces_mean"].as_f64(), summary["faces_scored"].as_u64()), (Some(1.0), Some(0)), "not in the means");
    }
}

#[test]
fn a_label_below_half_is_named_with_the_second_class() {
    let faces = [scored(1, Some(2), &[0.1, 0.42, 0.48]), scored(2, Some(2), &[0.1, 0.4, 0.5])];
    assert_eq!(text_of(Format::Text, &report(0, &faces)), "face 1: fear or happiness 48 %\nface 2: fear 50 %\n");
}

#[test]
fn a_frame_without_faces_writes_nothing() {
    for format in [Format::Ndjson, Format::Csv, Format::WebVtt, Format::WebVttMetadata, Format::Text, Format::Events, Format::DlStreamer] {
        let output = Exporter::new(Options { format, ..Options::default() }).frame(&report(0, &[])).unwrap();
        assert!(matches!(output, Output::Gap(_)), "{format:?}: {output:?}");
    }
}

#[test]
fn each_format_escapes_labels() {
    let labels = LabelSet::new(["a,\"b\"\n<i>-->&"]);
    let emotion = EmotionResult { labels: labels.clone(), scores: Scores::from_probabilities([1.0]), ..emotion(Some(0), &[1.0]) };
    let faces = [FaceRecord { emotion: Some(emotion), ..found(1) }];
    let frame = report(0, &faces);
    let label = labels.as_slice()[0].as_str();

    let json: serde_json::Value = serde_json::from_str(&text_of(Format::Ndjson, &frame)).unwrap();
    assert_eq!(json["label"], label);
    assert_eq!(json["scores"][label], 1.0);

    let mut writer = Format::Csv.writer(Content::Faces, GeometryFields::Auto);
    let table = writer.header(frame.labels(), frame.has_geometry()).unwrap() + &written(writer.as_mut(), &frame, 0);
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().next_back(), Some(format!("score_{label}").as_str()));
    assert_eq!(reader.records().next().unwrap().unwrap().get(16), Some(label));

    assert_eq!(text_of(Format::WebVtt, &frame), "00:00:00.000 --> 00:00:00.040\nface 1: a,\"b\" &lt;i&gt;--&gt;&amp; 100 %\n\n");
    let cue = text_of(Format::WebVttMetadata, &frame);
    assert_eq!(cue.matches("-->").count(), 1);
    let json: serde_json::Value = serde_json::from_str(cue.lines().nth(1).unwrap()).unwrap();
    assert_eq!(json["label"], label);
    assert_eq!(text_of(Format::Text, &frame), "face 1: a,\"b\" <i>-->& 100 %\n");
}

#[test]
fn seconds_start_at_zero_although_timestamps_do_not() {
    let faces = [found(1)];
    let mut frame = report(0, &faces);
    frame.time = FrameTime { pts_ns: 83_416_666, duration_ns: 41_708_333, stream_time_ns: Some(0), ..FrameTime::default() };
    let record: serde_json::Value = serde_json::from_str(&text_of(Format::Ndjson, &frame)).unwrap();
    assert_eq!((&record["time_s"], &record["duration_s"], &record["pts"]), (&0.0.into(), &0.041708.into(), &83_416_666.into()));
    assert!(text_of(Format::Csv, &frame).starts_with("cam,0,0.041708,83416666,41708333,0,"));
    frame.time.stream_time_ns = None;
    assert!(text_of(Format::Csv, &frame).starts_with("cam,0.083417,0.041708,83416666,41708333,,"), "the timestamp is all that is known");
}

#[test]
fn csv_has_crlf_lines_and_parses_back() {
    let faces = [scored(3, Some(1), &[0.06, 0.93, 0.01]), found(0)];
    let frame = report(2, &faces);
    let mut writer = Format::Csv.writer(Content::Faces, GeometryFields::Auto);
    let table = writer.header(frame.labels(), frame.has_geometry()).unwrap() + &written(writer.as_mut(), &frame, 0);
    assert_eq!(
        table,
        concat!(
            "stream,time_s,duration_s,pts,duration,stream_time,running_time,utc,frame,id,x,y,w,h,confidence,detector,label,label_id,reason,score,",
            "second,smoothed,age,score_neutral,score_happiness,score_fear\r\n",
            "cam,0.08,0.04,80000000,40000000,80000000,80000001,,2,3,0.25,0.125,0.5,0.33333,0.9123,centerface,happiness,1,,0.93,",
            "neutral,true,80000000,0.06,0.93,0.01\r\n",
            "cam,0.08,0.04,80000000,40000000,80000000,80000001,,2,,0.25,0.125,0.5,0.33333,,,,,,,,,,,,\r\n",
        )
    );
    let rows = csv::Reader::from_reader(table.as_bytes()).into_records().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(rows.len(), 2);
}

#[test]
fn csv_cells_are_never_formulas_and_numbers_stay_numbers() {
    let formula = "=HYPERLINK(\"http://example.com\")";
    for text in [formula, "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
        let labels = LabelSet::new([text, "happiness"]);
        let emotion = EmotionResult { labels, ..emotion(Some(0), &[0.9, 0.1]) };
        let detection = Some(DetectionInfo { confidence: 0.5, landmarks_norm: None, model_name: text.into(), age: Duration::ZERO });
        let rect_norm = Rect::new(-0.5, 0.0, 0.5, 0.5);
        let faces = [FaceRecord { rect_norm, detection, emotion: Some(emotion), ..found(1) }];
        let table = text_of(Format::Csv, &FrameReport { stream: text, ..report(0, &faces) });
        let row = csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes()).records().next().unwrap().unwrap();
        let told = format!("'{text}");
        assert_eq!([&row[0], &row[15], &row[16]], [told.as_str(); 3], "stream, detector and label");
        assert_eq!(&row[10], "-0.5", "a negative number is not a formula");
    }
}

#[test]
fn csv_columns_default_to_the_labels_of_ferplus() {
    let mut writer = Format::Csv.writer(Content::Faces, GeometryFields::Auto);
    let header = writer.header(None, false).unwrap();
    for label in FERPLUS_LABELS {
        assert!(header.contains(&format!("score_{label}")));
    }
    // Scores are matched to columns by name, in any order.
    let row = written(writer.as_mut(), &report(0, &[scored(1, Some(1), &[0.2, 0.7, 0.1])]), 0);
    assert!(row.ends_with(",0.2,0.7,,,,,0.1,\r\n"), "{row}");
    assert!(!writer.takes(&["boredom".to_owned()]));
}

#[test]
fn a_label_without_a_column_is_warned_of_once() {
    let mut exporter = Exporter::new(Options { format: Format::Csv, ..Options::default() });
    let mut odd = scored(1, Some(0), &[1.0, 0.0, 0.0]);
    odd.emotion.as_mut().unwrap().labels = LabelSet::new(["boredom", "x", "y"]);
    let warnings: Vec<_> = [found(1), odd.clone(), odd]
        .iter()
        .enumerate()
        .map(|(frame, face)| match exporter.frame(&report(frame as u64, std::slice::from_ref(face))).unwrap() {
            Output::Text(chunk) => chunk.warning.is_some(),
            _ => panic!("expected text for a face"),
        })
        .collect();
    assert_eq!(warnings, [false, true, false]);
}

#[test]
fn captions_name_faces_and_last_for_their_interval() {
    let faces = [scored(3, Some(1), &[0.06, 0.93, 0.01]), scored(4, None, &[0.4, 0.35, 0.25]), found(5), found(0)];
    let mut writer = Format::WebVtt.writer(Content::Faces, GeometryFields::Auto);
    assert_eq!(writer.header(None, false).unwrap(), "WEBVTT\n\n");
    assert_eq!(
        written(writer.as_mut(), &report(25, &faces), 1_500_000_000),
        "00:00:01.000 --> 00:00:02.500\nface 3: happiness 93 %\nface 4: unknown\nface 5\nface\n\n"
    );
    assert_eq!(text_of(Format::Text, &report(0, &faces)), "face 3: happiness 93 %\nface 4: unknown\nface 5\nface\n");
}

#[test]
fn metadata_cues_contain_the_objects_of_ndjson() {
    let faces = [scored(3, Some(1), &[0.06, 0.93, 0.01]), found(4)];
    let frame = report(1, &faces);
    let cues = text_of(Format::WebVttMetadata, &frame);
    let payloads: Vec<_> = cues.split_terminator("\n\n").map(|cue| cue.split_once('\n').unwrap()).collect();
    assert!(payloads.iter().all(|(timing, _)| *timing == "00:00:00.040 --> 00:00:00.080"));
    let objects: String = payloads.iter().map(|(_, payload)| format!("{payload}\n")).collect();
    assert_eq!(objects, text_of(Format::Ndjson, &frame));
}

#[test]
fn a_summary_has_counts_and_means_but_no_single_faces() {
    let frames = [
        vec![scored(3, Some(1), &[0.0, 1.0, 0.0]), scored(4, Some(0), &[0.5, 0.25, 0.25])],
        vec![scored(3, None, &[0.4, 0.3, 0.3]), found(9)],
        vec![],
    ];
    assert_eq!(
        summary_of(Format::Ndjson, &frames),
        concat!(
            r#"{"type":"summary","version":1,"stream":"cam","time_s":0.0,"duration_s":0.12,"pts":0,"duration":120000000,"stream_time":0,"running_time":1,"#,
            r#""utc":null,"frames":3,"faces_mean":1.3333,"faces_max":2,"faces_scored":3,"#,
            r#""counts":{"neutral":1,"happiness":1,"fear":0,"unknown":1},"#,
            r#""scores":{"neutral":0.3,"happiness":0.5167,"fear":0.1833}}"#,
            "\n"
        )
    );
    assert_eq!(
        summary_of(Format::Csv, &frames),
        concat!(
            "stream,time_s,duration_s,pts,duration,stream_time,running_time,utc,frames,faces_mean,faces_max,faces_scored,",
            "count_neutral,count_happiness,count_fear,count_unknown,score_neutral,score_happiness,score_fear\r\n",
            "cam,0,0.12,0,120000000,0,1,,3,1.3333,2,3,1,1,0,1,0.3,0.5167,0.1833\r\n"
        )
    );
    assert_eq!(
        summary_of(Format::WebVtt, &frames),
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.120\n1.3 faces, happiness 52 %, neutral 30 %, fear 18 %\n\n"
    );
}

#[test]
fn a_summary_without_faces_has_numbers_but_no_caption() {
    let nobody = [vec![], vec![]];
    assert!(summary_of(Format::Ndjson, &nobody).contains(r#""faces_max":0,"faces_scored":0,"counts":{"unknown":0},"scores":null"#));
    assert_eq!(summary_of(Format::Text, &nobody), "");
}

/// Spans in milliseconds of an exporter's texts (`true`) and gaps (`false`).
fn spans(options: Options, frames: &[Vec<FaceRecord>]) -> Vec<(bool, u64, u64)> {
    let mut exporter = Exporter::new(options);
    let ms = |text, Span { pts_ns, duration_ns }| (text, pts_ns / 1_000_000, duration_ns / 1_000_000);
    let outputs: Vec<_> = frames.iter().enumerate().map(|(frame, faces)| exporter.frame(&report(frame as u64, faces)).unwrap()).collect();
    let last = exporter.finish().unwrap().map(Output::Text);
    let span = |output| match output {
        Output::Text(chunk) => Some(ms(true, chunk.span)),
        Output::Gap(span) => Some(ms(false, span)),
        Output::Covered => None,
    };
    outputs.into_iter().chain(last).filter_map(span).collect()
}

#[test]
fn every_frame_becomes_text_or_a_gap() {
    let frames = [vec![found(1)], vec![], vec![found(1)]];
    assert_eq!(spans(Options::default(), &frames), [(true, 0, 40), (false, 40, 40), (true, 80, 40)]);
}

#[test]
fn an_interval_exports_its_first_frame_with_a_face_without_overlap() {
    let options = Options { interval_ns: 3 * FRAME_NS, ..Options::default() };
    let mut frames = vec![vec![found(1)]; 7];
    frames[3] = vec![];
    assert_eq!(spans(options, &frames), [(true, 0, 120), (false, 120, 40), (true, 160, 80), (true, 240, 120)]);
}

#[test]
fn text_lasts_until_the_first_frame_after_its_interval() {
    let options = Options { interval_ns: 100_000_000, ..Options::default() };
    assert_eq!(spans(options, &vec![vec![found(1)]; 6]), [(true, 0, 120), (true, 120, 80), (true, 200, 120)]);
}

#[test]
fn on_change_exports_only_changed_frames() {
    let options = Options { on_change: true, ..Options::default() };
    let happy = || vec![scored(1, Some(1), &[0.1, 0.8, 0.1])];
    let neutral = || vec![scored(1, Some(0), &[0.8, 0.1, 0.1])];
    let two = || vec![scored(1, Some(0), &[0.8, 0.1, 0.1]), found(2)];
    let texts = |frames: &[Vec<FaceRecord>], options| {
        spans(options, frames).into_iter().filter(|span| span.0).map(|span| span.1 / 40).collect::<Vec<_>>()
    };
    let frames = [happy(), happy(), neutral(), neutral(), two(), neutral(), vec![], neutral()];
    assert_eq!(texts(&frames, options), [0, 2, 4, 5, 6, 7]);
    // With an interval, changes within it are exported at its end.
    assert_eq!(texts(&frames[..5], Options { interval_ns: 3 * FRAME_NS, ..options }), [0, 3]);
    assert!(texts(&[vec![], vec![], vec![]], options).is_empty(), "nobody came");
}

#[test]
fn on_change_exports_that_the_last_face_has_gone() {
    let told = |format, on_change| {
        let mut exporter = Exporter::new(Options { format, on_change, ..Options::default() });
        let frames = [vec![found(1)], vec![], vec![]];
        let outputs = frames.iter().enumerate().map(|(frame, faces)| exporter.frame(&report(frame as u64, faces)).unwrap());
        let texts = outputs.map(|output| if let Output::Text(chunk) = output { chunk.body } else { vec![] }).skip(1);
        texts.map(|text| String::from_utf8(text).unwrap()).collect::<Vec<_>>().concat()
    };
    let record: serde_json::Value = serde_json::from_str(&told(Format::Ndjson, true)).unwrap();
    assert_eq!((&record["type"], &record["frame"], &record["faces"]), (&"frame".into(), &1.into(), &0.into()));
    assert_eq!(record["pts"], FRAME_NS);
    let row = told(Format::Csv, true);
    let cells: Vec<_> = row.trim_end().split(',').collect();
    assert_eq!((cells.len(), cells[3], cells[8]), (31, &*FRAME_NS.to_string(), "1"), "{row}");
    assert!(cells[9..].iter().all(|cell| cell.is_empty()), "{row}");
    assert!(told(Format::WebVttMetadata, true).contains(r#""faces":0"#));
    for format in [Format::Text, Format::WebVtt] {
        assert_eq!(told(format, true), "", "viewers see that no caption is shown");
    }
    assert_eq!(told(Format::Ndjson, false), "");
}

#[test]
fn summaries_are_placed_after_their_interval() {
    let options = Options { aggregate_only: true, interval_ns: 2 * FRAME_NS, ..Options::default() };
    let frames = vec![vec![found(1)]; 5];
    assert_eq!(spans(options, &frames), [(false, 0, 40), (false, 40, 40), (true, 80, 80), (true, 160, 80), (true, 240, 40)]);
    let every_frame = Options { interval_ns: 0, ..options };
    assert_eq!(spans(every_frame, &frames[..2]), [(true, 0, 40), (true, 40, 40)]);
    let on_change = Options { on_change: true, ..options };
    assert_eq!(spans(on_change, &frames).iter().filter(|span| span.0).count(), 1);
}

#[test]
fn a_summary_in_reverse_playback_spans_all_its_frames() {
    let mut aggregator = Aggregator::new(1_000_000_000);
    for frame in [2, 1, 0] {
        assert_eq!(aggregator.add(&report(frame, &[found(1)])), None);
    }
    let time = aggregator.finish().unwrap().time;
    assert_eq!((time.pts_ns, time.duration_ns), (0, 3 * FRAME_NS));
}

#[test]
fn a_gap_ends_the_interval_before_it() {
    let mut exporter = Exporter::new(Options { aggregate_only: true, interval_ns: FRAME_NS, ..Options::default() });
    exporter.frame(&report(0, &[found(1)])).unwrap();
    let output = exporter.gap(&FrameTime { duration_ns: 10 * FRAME_NS, ..time(1) }).unwrap();
    assert!(matches!(output, Output::Text(chunk) if chunk.span.pts_ns == FRAME_NS));
}

proptest! {
    #[test]
    fn spans_never_overlap_and_lines_are_complete(
        faces in prop::collection::vec(0usize..3, 1..40),
        interval in 0u64..6,
        on_change: bool,
        aggregate_only: bool,
        format in prop::sample::select(vec![Format::Ndjson, Format::Events, Format::Onvif]),
    ) {
        let options = Options { format, interval_ns: interval * 30_000_000, on_change, aggregate_only, hysteresis_ns: 80_000_000, geometry: GeometryFields::Auto };
        let frames: Vec<Vec<FaceRecord>> = faces.iter().map(|&count| (1..=count as u32).map(found).collect()).collect();
        let mut exporter = Exporter::new(options);
        let mut until_ns = 0;
        for (frame, faces) in frames.iter().enumerate() {
            let span = match exporter.frame(&report(frame as u64, faces)).unwrap() {
                Output::Text(chunk) => { prop_assert!(chunk.body.ends_with(b"\n")); chunk.span }
                Output::Gap(span) => span,
                Output::Covered => continue,
            };
            prop_assert!(span.pts_ns >= until_ns && span.duration_ns > 0);
            until_ns = span.pts_ns + span.duration_ns;
        }
    }
}
