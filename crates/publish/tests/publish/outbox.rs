// SPDX-License-Identifier: MIT OR Apache-2.0
//! The queue of messages for a broker, in memory and on disk, without a broker.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use emotion_publish::{Counts, Error, Limits, Message, Outbox, Problem, Rejection, SpoolLimits};

/// An empty folder, which is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gst-emotion-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn limits(&self, max_bytes: usize, max_spool_bytes: u64) -> Limits {
        Limits { max_bytes, spool: Some(SpoolLimits { folder: self.0.clone(), max_bytes: max_spool_bytes }) }
    }

    fn segments(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "records")).collect();
        segments.sort();
        segments
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const MANY: usize = 1 << 20;

fn memory(max_bytes: usize) -> Outbox {
    Outbox::open(&Limits { max_bytes, spool: None }).unwrap()
}

fn push(outbox: &mut Outbox, numbers: impl IntoIterator<Item = u32>) {
    let schema: Arc<str> = "faces".into();
    numbers.into_iter().for_each(|number| outbox.push(&schema, format!("{{\"n\":{number}}}").as_bytes()));
}

fn number(message: &Message) -> u32 {
    let object: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
    assert_eq!(object["message_id"], message.id());
    object["n"].as_u64().unwrap() as u32
}

/// Takes all messages and has the broker acknowledge each.
fn deliver(outbox: &mut Outbox) -> Vec<u32> {
    std::iter::from_fn(|| {
        let message = outbox.take()?;
        outbox.sent(message.sequence);
        Some(number(&message))
    })
    .collect()
}

/// The next problem, as people read it.
fn problem(outbox: &mut Outbox) -> String {
    outbox.take_problem().map(|problem| problem.to_string()).unwrap_or_default()
}

fn not_authorized() -> Rejection {
    Rejection::Refused("NotAuthorized".into())
}

fn assert_balanced(outbox: &Outbox) {
    let Counts { exported, recovered, sent, queued, dropped, .. } = outbox.counts();
    assert_eq!(exported + recovered, sent + queued + dropped, "{:?}", outbox.counts());
}

/// Takes the memory of one message.
fn size_of_one() -> usize {
    let mut outbox = memory(MANY);
    push(&mut outbox, [1]);
    outbox.counts().queued_bytes as usize
}

#[test]
fn messages_leave_in_order_and_are_kept_until_they_are_acknowledged() {
    let mut outbox = memory(MANY);
    push(&mut outbox, 0..5);
    let taken: Vec<_> = (0..3).map(|_| outbox.take().unwrap()).collect();
    outbox.sent(taken[1].sequence);
    outbox.retry();
    assert_eq!(deliver(&mut outbox), [0, 2, 3, 4], "after a lost connection, the others are sent again in order");
    let Counts { exported, sent, queued, queued_bytes, .. } = outbox.counts();
    assert_eq!((exported, sent, queued, queued_bytes), (5, 5, 0, 0));
}

#[test]
fn a_repeat_has_the_same_id() {
    let mut outbox = memory(MANY);
    push(&mut outbox, [0]);
    let first = outbox.take().unwrap();
    outbox.retry();
    assert_eq!(outbox.take().unwrap(), first);
}

#[test]
fn without_a_spool_the_oldest_waiting_message_is_dropped() {
    let mut outbox = memory(3 * size_of_one());
    push(&mut outbox, 0..2);
    let in_flight = outbox.take().unwrap();
    push(&mut outbox, 2..6);
    assert!(outbox.counts().queued_bytes as usize <= 3 * size_of_one());
    assert_eq!((outbox.counts().queued, outbox.counts().dropped), (3, 3));
    outbox.sent(in_flight.sequence);
    assert_eq!((number(&in_flight), deliver(&mut outbox)), (0, vec![4, 5]));
    assert_balanced(&outbox);
}

#[test]
fn a_message_that_does_not_fit_at_all_is_dropped_alone() {
    let mut outbox = memory(2 * size_of_one());
    push(&mut outbox, [0]);
    let in_flight = outbox.take().unwrap();
    outbox.push(&"faces".into(), format!("{{\"n\":\"{}\"}}", "x".repeat(MANY)).as_bytes());
    push(&mut outbox, [1]);
    assert_eq!((number(&in_flight), deliver(&mut outbox), outbox.counts().dropped), (0, vec![1], 1));
}

#[test]
fn text_that_is_no_object_and_refused_messages_are_dropped_with_a_reason() {
    let mut outbox = memory(MANY);
    outbox.push(&"faces".into(), b"stream,pts");
    assert!(problem(&mut outbox).contains("not a JSON object"));
    assert_eq!(outbox.take_problem(), None, "reported once");
    push(&mut outbox, [0]);
    let message = outbox.take().unwrap();
    outbox.rejected(message.sequence, not_authorized());
    assert!(problem(&mut outbox).contains("NotAuthorized"));
    assert_eq!((outbox.counts().dropped, outbox.counts().rejected, outbox.counts().queued), (2, 1, 0));
    assert_balanced(&outbox);
}

#[test]
fn a_spool_survives_the_process_with_ids_and_order() {
    let folder = Folder::new("spool-survives");
    let limits = folder.limits(MANY, 1 << 20);
    let mut outbox = Outbox::open(&limits).unwrap();
    push(&mut outbox, 0..6);
    let taken: Vec<_> = (0..4).map(|_| outbox.take().unwrap()).collect();
    outbox.sent(taken[0].sequence);
    outbox.sent(taken[2].sequence);
    drop(outbox);

    let mut outbox = Outbox::open(&limits).unwrap();
    assert_eq!(outbox.counts().recovered, 5, "from the first that is not acknowledged");
    push(&mut outbox, 6..8);
    assert_eq!(outbox.take().unwrap().payload, taken[1].payload, "a repeat has the same id");
    outbox.retry();
    assert_eq!(deliver(&mut outbox), [1, 2, 3, 4, 5, 6, 7]);
    assert_balanced(&outbox);
    drop(outbox);
    assert_eq!(Outbox::open(&limits).unwrap().counts().recovered, 0);
}

#[test]
fn a_spool_takes_what_does_not_fit_into_memory_and_frees_the_disk() {
    let folder = Folder::new("spool-larger");
    let mut outbox = Outbox::open(&folder.limits(3 * size_of_one(), 1 << 16)).unwrap();
    push(&mut outbox, 0..500);
    assert!(folder.segments().len() > 2);
    assert!(outbox.counts().queued_bytes as usize <= 3 * size_of_one());
    assert_eq!((outbox.counts().queued, outbox.counts().dropped), (500, 0));
    let half: Vec<_> = (0..250)
        .map(|_| {
            let message = outbox.take().unwrap();
            outbox.sent(message.sequence);
            number(&message)
        })
        .collect();
    push(&mut outbox, 500..600);
    assert_eq!([half, deliver(&mut outbox)].concat(), (0..600).collect::<Vec<_>>());
    // Windows may keep the names of removed files that wait to be synced.
    drop(outbox.unsynced());
    assert!(folder.segments().len() <= 1, "{:?}", folder.segments());
    assert_balanced(&outbox);
}

#[test]
fn a_full_spool_drops_new_messages_and_goes_on_when_there_is_room() {
    let folder = Folder::new("spool-full");
    let mut outbox = Outbox::open(&folder.limits(MANY, 4_096)).unwrap();
    push(&mut outbox, 0..200);
    let on_disk: u64 = folder.segments().iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(on_disk <= 4_096);
    assert!(problem(&mut outbox).contains("full"));
    let queued = outbox.counts().queued as u32;
    assert_eq!(u64::from(200 - queued), outbox.counts().dropped);
    assert_eq!(deliver(&mut outbox), (0..queued).collect::<Vec<_>>());
    push(&mut outbox, [7]);
    assert_eq!(deliver(&mut outbox), [7]);
    assert_balanced(&outbox);
}

#[cfg(unix)]
#[test]
fn a_full_disk_drops_new_messages_and_keeps_the_others() {
    let folder = Folder::new("spool-no-space");
    let mut outbox = Outbox::open(&folder.limits(MANY, 1 << 20)).unwrap();
    // Writing to this device fails as on a full disk.
    let segment = folder.0.join(format!("{:020}.records", 0));
    std::os::unix::fs::symlink("/dev/full", &segment).unwrap();
    push(&mut outbox, 0..3);
    assert!(problem(&mut outbox).contains("No space left on device"));
    assert_eq!((outbox.counts().dropped, outbox.take()), (3, None));
    fs::remove_file(&segment).unwrap();
    push(&mut outbox, 3..5);
    assert_eq!(deliver(&mut outbox), [3, 4]);
    assert_balanced(&outbox);
}

#[test]
fn an_incomplete_or_damaged_line_is_dropped_and_the_others_are_kept() {
    let folder = Folder::new("spool-damaged");
    let limits = folder.limits(MANY, 1 << 20);
    let mut outbox = Outbox::open(&limits).unwrap();
    push(&mut outbox, 0..4);
    drop(outbox);
    let segment = &folder.segments()[0];
    let mut bytes = fs::read(segment).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    bytes[second..second + 6].fill(0);
    bytes.truncate(bytes.len() - 3);
    fs::write(segment, bytes).unwrap();

    let mut outbox = Outbox::open(&limits).unwrap();
    assert!(problem(&mut outbox).contains("damaged bytes, as after a power failure"));
    assert_eq!(outbox.counts().recovered, 3, "the incomplete record was never a message");
    push(&mut outbox, [9]);
    assert_eq!(deliver(&mut outbox), [0, 2, 9]);
    assert_eq!(problem(&mut outbox), "damaged messages in the spool, before message 2: 1");
    assert_eq!(outbox.counts().dropped, 1);
    assert_balanced(&outbox);
}

#[test]
fn damage_does_not_shift_the_messages_behind_it() {
    let folder = Folder::new("spool-shift");
    let limits = folder.limits(MANY, 1 << 20);
    let mut outbox = Outbox::open(&limits).unwrap();
    push(&mut outbox, 0..6);
    let taken: Vec<_> = (0..4).map(|_| outbox.take().unwrap()).collect();
    taken.iter().for_each(|message| outbox.sent(message.sequence));
    drop(outbox);
    // A torn record is joined with the next one: there is one line less.
    let segment = &folder.segments()[0];
    let mut bytes = fs::read(segment).unwrap();
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    bytes.drain(end - 20..=end);
    fs::write(segment, bytes).unwrap();

    let mut outbox = Outbox::open(&limits).unwrap();
    assert_eq!(deliver(&mut outbox), [4, 5], "what was not acknowledged, and nothing else");
    assert_eq!((outbox.counts().recovered, outbox.counts().dropped), (2, 0));
}

#[test]
fn a_failed_write_is_not_joined_with_the_next_message() {
    let folder = Folder::new("spool-joined");
    let limits = folder.limits(MANY, 1 << 20);
    let mut outbox = Outbox::open(&limits).unwrap();
    // What a write that failed halfway has left of a segment, without a way to remove it then.
    fs::write(folder.0.join(format!("{:020}.records", 0)), "5b0c0f5e 0 faces {\"mess").unwrap();
    push(&mut outbox, 0..2);
    drop(outbox);
    let mut outbox = Outbox::open(&limits).unwrap();
    assert_eq!(deliver(&mut outbox), [0, 1]);
    assert_balanced(&outbox);
}

#[test]
fn a_spool_of_1_0_goes_on() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/1.0/spool");
    let folder = Folder::new("spool-golden");
    fs::create_dir_all(&folder.0).unwrap();
    for file in fs::read_dir(golden).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), folder.0.join(file.file_name())).unwrap();
    }
    let mut outbox = Outbox::open(&folder.limits(MANY, 1 << 20)).unwrap();
    assert_eq!(outbox.counts().recovered, 26);
    let first = outbox.take().unwrap();
    assert_eq!((first.id(), first.sequence, &*first.schema), ("369fc89d33527252-0", 0, "events"));
}

#[test]
fn a_position_that_a_power_failure_has_emptied_sends_everything_again() {
    for emptied in ["", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
        let folder = Folder::new("spool-position");
        let limits = folder.limits(MANY, 1 << 20);
        let mut outbox = Outbox::open(&limits).unwrap();
        push(&mut outbox, 0..3);
        let first = outbox.take().unwrap();
        outbox.sent(first.sequence);
        drop(outbox);
        fs::write(folder.0.join("position"), emptied).unwrap();
        assert_eq!(deliver(&mut Outbox::open(&limits).unwrap()), [0, 1, 2]);
    }
}

#[test]
fn with_a_spool_a_refusal_is_reported_once_though_others_are_kept() {
    let folder = Folder::new("spool-refused");
    let mut outbox = Outbox::open(&folder.limits(MANY, 1 << 20)).unwrap();
    let mut reported = Vec::new();
    for number in 0..20 {
        push(&mut outbox, [number]);
        let message = outbox.take().unwrap();
        outbox.rejected(message.sequence, Rejection::TooLarge { bytes: 100 + number as usize, maximum: 50 });
        reported.extend(outbox.take_problem());
    }
    assert_eq!(reported, [Problem::Rejected(Rejection::TooLarge { bytes: 100, maximum: 50 })]);
    assert_eq!((outbox.counts().dropped, outbox.counts().rejected), (20, 20));
}

#[test]
fn a_full_spool_is_reported_though_the_next_message_fits_and_once_until_it_is_empty() {
    let folder = Folder::new("spool-full-once");
    let mut outbox = Outbox::open(&folder.limits(MANY, 4_096)).unwrap();
    let fill = |outbox: &mut Outbox| {
        push(outbox, 0..200);
        // Room for some more.
        (0..20).for_each(|_| outbox.take().map(|message| outbox.sent(message.sequence)).unwrap());
        push(outbox, [0]);
    };
    fill(&mut outbox);
    assert_eq!(outbox.take_problem(), Some(Problem::SpoolFull));
    fill(&mut outbox);
    assert_eq!(outbox.take_problem(), None);
    deliver(&mut outbox);
    fill(&mut outbox);
    assert_eq!(outbox.take_problem(), Some(Problem::SpoolFull));
}

#[test]
fn what_was_written_is_offered_for_syncing_once() {
    let folder = Folder::new("spool-sync");
    let mut outbox = Outbox::open(&folder.limits(MANY, 1 << 16)).unwrap();
    assert!(outbox.unsynced().is_empty());
    // A new segment is synced with the folder that has its name, except on Windows.
    let files_of_segment = if cfg!(windows) { 1 } else { 2 };
    push(&mut outbox, [0]);
    assert_eq!(outbox.unsynced().len(), files_of_segment);
    assert!(outbox.unsynced().is_empty());
    push(&mut outbox, [1]);
    assert_eq!(outbox.unsynced().len(), 1);
    push(&mut outbox, 2..200);
    let files = outbox.unsynced();
    let segments = folder.segments().len();
    assert!(segments > 1);
    assert_eq!(files.len(), files_of_segment * (segments - 1) + 1, "the new segments, and the one that was there");
}

#[test]
fn a_spool_belongs_to_one_publisher_and_must_be_a_folder() {
    let folder = Folder::new("spool-locked");
    let limits = folder.limits(MANY, 1 << 20);
    let outbox = Outbox::open(&limits).unwrap();
    let error = Outbox::open(&limits).unwrap_err();
    assert!(matches!(&error, Error::SpoolInUse { folder: used } if *used == folder.0), "{error:?}");
    drop(outbox);
    fs::write(folder.0.join("position"), "ten").unwrap();
    let error = Outbox::open(&limits).unwrap_err();
    assert!(matches!(&error, Error::Position { path, found } if path.ends_with("position") && found == "ten"), "{error:?}");
    let spool = Some(SpoolLimits { folder: Path::new("/proc/version/spool").into(), max_bytes: 1 });
    let error = Outbox::open(&Limits { max_bytes: 1, spool }).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if path == Path::new("/proc/version/spool")), "{error:?}");
}
