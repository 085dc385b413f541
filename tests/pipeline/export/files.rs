// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files and streams that others read: tables, subtitles, a late client, a crash.

use super::*;

/// Text, start and end in milliseconds of each buffer at the element `out`.
fn cues(launch: &str) -> Vec<(String, u64, u64)> {
    init();
    let pipeline = gst::parse::launch(launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    let cues: Arc<Mutex<Vec<_>>> = Arc::default();
    let note = cues.clone();
    let pad = pipeline.by_name("out").unwrap().static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().unwrap();
        let start = buffer.pts().unwrap();
        let text = String::from_utf8(buffer.map_readable().unwrap().to_vec()).unwrap();
        // Newer demuxers fill gaps with empty text.
        if text.trim_end().is_empty() {
            return gst::PadProbeReturn::Ok;
        }
        note.lock().unwrap().push((text.trim_end().to_owned(), start.mseconds(), (start + buffer.duration().unwrap()).mseconds()));
        gst::PadProbeReturn::Ok
    });
    run(&pipeline);
    let cues = cues.lock().unwrap();
    cues.clone()
}

#[test]
fn a_recording_has_a_subtitle_track() {
    let file = folder("subtitles").join("recording.mkv");
    let (pipeline, _) = pipeline(&format!(
        "videotestsrc num-buffers=90 ! {VIDEO} ! identity name=video ! tee name=t
         t. ! queue ! matroskamux name=m ! filesink location={}
         t. ! queue ! emotionexport format=text interval=500000000 ! queue ! m.",
        file.display()
    ));
    run(&pipeline);
    let cues = cues(&format!(
        "filesrc location={} ! matroskademux name=d d.video_0 ! queue ! fakesink d.subtitle_0 ! text/x-raw ! queue ! fakesink name=out",
        file.display()
    ));
    assert_eq!(cues.len(), 6, "{cues:?}");
    assert!(cues[0].0.starts_with("face 1: happiness "), "{cues:?}");
    assert!(cues.windows(2).all(|pair| pair[0].2 <= pair[1].1 + 1), "{cues:?}");
    assert_eq!(cues.last().unwrap().2, 3003);
    discover(&file);
}

/// Checks the file with `gst-discoverer-1.0`, where it is installed.
fn discover(file: &Path) {
    match Command::new("gst-discoverer-1.0").arg(file).output() {
        Ok(output) => assert!(String::from_utf8_lossy(&output.stdout).to_lowercase().contains("subtitle"), "{output:?}"),
        Err(error) => println!("skipped: gst-discoverer-1.0: {error}"),
    }
}

#[test]
fn subparse_reads_the_webvtt() {
    let file = folder("webvtt").join("faces.vtt");
    let (pipeline, _) = pipeline(&format!(
        "videotestsrc num-buffers=60 ! {VIDEO} ! identity name=video ! emotionexport format=webvtt interval=1000000000
         ! filesink location={}",
        file.display()
    ));
    run(&pipeline);
    let cues = cues(&format!("filesrc location={} ! subparse ! fakesink name=out", file.display()));
    assert_eq!(cues.len(), 2, "{cues:?}");
    assert!(cues[0].0.starts_with("face 1: happiness "));
    assert_eq!((cues[1].1, cues[1].2), (1034, 2002));
}

#[test]
fn each_of_several_files_is_a_complete_table() {
    let folder = folder("rotation");
    let (pipeline, seen) = into_files(&folder, "next-file=max-duration max-file-duration=1000000000");
    run(&pipeline);
    assert_tables(&folder, 3, &seen);
}

#[test]
fn a_force_key_unit_event_starts_a_new_file() {
    let folder = folder("split");
    let (pipeline, seen) = into_files(&folder, "next-file=key-unit-event");
    let pad = pipeline.by_name("video").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        if info.buffer().unwrap().pts().unwrap().mseconds() / 100 == 20 {
            pad.push_event(gst_video::DownstreamForceKeyUnitEvent::builder().all_headers(true).build());
            return gst::PadProbeReturn::Remove;
        }
        gst::PadProbeReturn::Ok
    });
    run(&pipeline);
    assert_tables(&folder, 2, &seen);
}

fn into_files(folder: &Path, properties: &str) -> (gst::Pipeline, Seen) {
    pipeline(&format!(
        "videotestsrc num-buffers=90 ! {VIDEO} ! identity name=video ! emotionexport format=csv
         ! multifilesink {properties} location={}/%02d.csv",
        folder.display()
    ))
}

/// Asserts that there are `count` files, each with one header, that together have a row for each face.
fn assert_tables(folder: &Path, count: usize, seen: &Seen) {
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), count, "{files:?}");
    let mut rows = 0;
    for file in &files {
        let mut reader = csv::Reader::from_path(file).unwrap();
        assert_eq!(reader.headers().unwrap().get(0), Some("stream"));
        for row in reader.records() {
            assert_ne!(row.unwrap().get(0), Some("stream"), "a second header in {}", file.display());
            rows += 1;
        }
    }
    assert_eq!(rows, seen.lock().unwrap().iter().map(|(_, faces)| faces.len()).sum::<usize>());
}

#[test]
fn a_late_client_gets_the_header_first() {
    let (pipeline, seen) = pipeline(&format!(
        "videotestsrc is-live=true ! {VIDEO} ! identity name=video ! emotionexport format=csv ! tcpserversink name=server host=127.0.0.1 port=0"
    ));
    pipeline.set_state(gst::State::Playing).unwrap();
    while seen.lock().unwrap().len() < 10 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let port = pipeline.by_name("server").unwrap().property::<i32>("current-port") as u16;
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let lines: Vec<_> = BufReader::new(client).lines().take(5).collect::<Result<_, _>>().unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
    assert!(lines[0].starts_with("stream,time_s,"), "{lines:?}");
    assert!(lines[1..].iter().all(|line| !line.starts_with("stream,") && line.contains(",test,")), "{lines:?}");
}

#[test]
#[ignore = "started and killed by lines_survive_a_crash"]
fn write_until_killed() {
    let file = std::env::var_os(CRASH_FILE).expect("a file to write to");
    let (pipeline, _) = pipeline(&format!(
        "videotestsrc is-live=true ! {VIDEO} ! identity name=video ! emotionexport ! filesink buffer-mode=unbuffered location={}",
        file.display()
    ));
    pipeline.set_state(gst::State::Playing).unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn lines_survive_a_crash() {
    let file = folder("crash").join("faces.ndjson");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "export::files::write_until_killed", "--ignored"])
        .env(CRASH_FILE, &file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = || std::fs::read_to_string(&file).unwrap_or_default().matches('\n').count();
    let start = Instant::now();
    while lines() < 10 && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().ends_with('\n'));
    let records = records(&file);
    assert!(records.len() >= 10);
    // Live frames have a UTC time.
    assert!(records.iter().all(|record| record["utc"].as_str().is_some_and(|utc| utc.ends_with('Z'))));
}
