// SPDX-License-Identifier: MIT OR Apache-2.0
//! `facedetect tile-size=`: small faces in large frames are found tile by tile and kept until their tile is searched again.

use std::time::{Duration, Instant};

use emotion_core::geometry::{Rect, Size};
use emotion_core::record::FaceRecord;
use gst_check::Harness;
use gst_video::VideoFormat;
use gstemotion::meta::read_faces;
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{self, buffer, flush, init};
use test_support::{data, fetched, left_out, repository};

const HD: Size = Size::new(1920, 1080);
const LINE: &str = "emotionfacedetect tile-size=640";
/// Number of frames in which all tiles of 640 pixels in 1080p are searched.
const CYCLE: u64 = 8;
/// Height of a head whose face has 16 x 20 pixels.
const SMALL: f32 = 24.0;
const LONG_S: f32 = 1000.0;

fn harness(line: &str) -> Harness {
    init();
    let mut harness = Harness::new_parse(line);
    harness.set_src_caps_str("video/x-raw,format=I420,width=1920,height=1080,framerate=30/1");
    harness
}

fn empty() -> Scene {
    Scene::new(HD.width as usize, HD.height as usize)
}

/// A face that does not move.
fn still(place: (f32, f32), height: f32) -> Vec<Key> {
    [0.0, LONG_S].map(|at_s| Key::new(at_s, place, height, "neutral")).into()
}

/// Twelve small faces, some of them across the edges of tiles of 640 pixels, such as those at x = 608 and 436.
fn crowd() -> Scene {
    let places = [(60.0, 60.0), (608.0, 200.0), (436.0, 300.0), (1040.0, 120.0), (874.0, 250.0), (1500.0, 90.0)];
    let more = [(1880.0, 300.0), (300.0, 608.0), (760.0, 474.0), (1312.0, 600.0), (1700.0, 900.0), (90.0, 1000.0)];
    places.into_iter().chain(more).fold(empty(), |scene, place| scene.actor(still(place, SMALL)))
}

fn frame(scene: &Scene, time_s: f32) -> gst::Buffer {
    buffer(&scene.render(time_s), HD.width, HD.height, VideoFormat::I420).0
}

/// The faces on a copy of `frame`, as number `index` of a stream of 30 frames per second.
fn faces(harness: &mut Harness, frame: &gst::Buffer, index: u64) -> Vec<FaceRecord> {
    let mut copy = frame.copy();
    copy.make_mut().set_pts(index * gst::ClockTime::SECOND / 30);
    read_faces(&harness.push_and_pull(copy).expect("a frame"), HD)
}

fn truth(scene: &Scene, time_s: f32) -> Vec<Rect> {
    scene.appearances(time_s).iter().map(|shown| shown.face).collect()
}

/// Ids of the faces at `places`, in that order; none where there is no face. Panics if there are other faces.
fn ids_at(found: &[FaceRecord], places: &[Rect]) -> Vec<Option<u32>> {
    let at = |place: &Rect| {
        let here: Vec<_> = found.iter().filter(|face| face.rect_norm.from_norm(HD).iou(*place) > 0.3).collect();
        assert!(here.len() < 2, "two boxes for one face: {here:?}");
        here.first().map(|face| face.id)
    };
    let ids: Vec<_> = places.iter().map(at).collect();
    assert_eq!(ids.iter().flatten().count(), found.len(), "a face where there is none: {found:?}");
    ids
}

fn count(harness: &mut Harness, name: &str) -> u64 {
    gstreamer::count(&harness.find_element("emotionfacedetect").expect("the element"), name)
}

#[test]
fn small_faces_are_found_within_one_tile_cycle_and_keep_their_ids() {
    let (scene, mut tiled, mut reduced) = (crowd(), harness(LINE), harness("emotionfacedetect"));
    let (frame, places) = (frame(&scene, 0.0), truth(&scene, 0.0));
    assert!(places.iter().all(|face| face.w < 16.0 && face.h < 20.0), "{places:?}");
    let first = (0..CYCLE).map(|index| ids_at(&faces(&mut tiled, &frame, index), &places)).last().expect("a round");
    assert!(first.iter().all(Option::is_some), "after one cycle: {first:?}");
    for index in CYCLE..4 * CYCLE {
        assert_eq!(ids_at(&faces(&mut tiled, &frame, index), &places), first, "frame {index}");
    }
    assert!((0..2).all(|index| faces(&mut reduced, &frame, index).is_empty()), "no face is found in the reduced frame");
    let counts = ["frames", "inferred", "skipped"].map(|name| count(&mut tiled, name));
    assert_eq!(counts, [4 * CYCLE, 4 * CYCLE, 0], "a frame counts once, even with its tile");
}

#[test]
fn an_unreduced_frame_shows_small_faces_at_once() {
    let (scene, mut harness) = (crowd(), harness("emotionfacedetect detect-size=0 tile-size=640"));
    let (frame, places) = (frame(&scene, 0.0), truth(&scene, 0.0));
    let found = faces(&mut harness, &frame, 0);
    assert!(ids_at(&found, &places).iter().all(Option::is_some), "{found:?}");
}

#[test]
fn tiles_smaller_than_the_reduced_frame_are_enlarged() {
    if !fetched("centerface") {
        return;
    }
    // Faces of 12 x 15 pixels, which CenterFace detects only at twice the size.
    let scene = [(700.0, 500.0), (1130.0, 510.0)].into_iter().fold(empty(), |scene, place| scene.actor(still(place, 18.5)));
    let (frame, places) = (frame(&scene, 0.0), truth(&scene, 0.0));
    let mut harness = harness("emotionfacedetect detector=centerface tile-size=320 detect-size=640");
    let ids = (0..40).map(|index| ids_at(&faces(&mut harness, &frame, index), &places)).last().expect("a round");
    assert!(ids.iter().all(Option::is_some), "{ids:?}");
}

#[test]
fn a_small_face_that_leaves_is_dropped_within_two_cycles() {
    let scene = empty().actor(still((500.0, 500.0), SMALL)).actor(still((1500.0, 300.0), SMALL));
    let (both, places) = (frame(&scene, 0.0), truth(&scene, 0.0));
    let one = frame(&empty().actor(still((500.0, 500.0), SMALL)), 0.0);
    let mut harness = harness(LINE);
    let before = (0..4 * CYCLE).map(|index| ids_at(&faces(&mut harness, &both, index), &places)).last().expect("rounds");
    assert!(before.iter().all(Option::is_some));
    let after: Vec<_> = (4 * CYCLE..7 * CYCLE).map(|index| ids_at(&faces(&mut harness, &one, index), &places)).collect();
    assert!(after.iter().all(|ids| ids[0] == before[0]), "the other faces keep their ids: {after:?}");
    let last = after.iter().rposition(|ids| ids[1].is_some()).map_or(0, |index| index as u64 + 1);
    assert!(last <= 2 * CYCLE, "still reported {last} frames after it left");
}

#[test]
fn a_face_that_moves_across_tiles_keeps_its_id() {
    // Twice the width of the face per second for 2 s, across the edges at x = 436 and 608.
    let walk = vec![Key::new(0.0, (400.0, 250.0), SMALL, "neutral"), Key::new(10.0, (400.0 + 10.0 * 120.0, 250.0), SMALL, "neutral")];
    let scene = empty().actor(walk);
    let mut harness = harness(LINE);
    let mut ids = Vec::new();
    for index in 0..60 {
        let time_s = index as f32 / 30.0;
        let found = faces(&mut harness, &frame(&scene, time_s), index);
        assert!(found.len() < 2, "frame {index}: {found:?}");
        ids.extend(found.iter().map(|face| face.id));
        let place = truth(&scene, time_s)[0];
        let distance = found.first().map_or(0.0, |face| face.rect_norm.from_norm(HD).center().distance(place.center()));
        assert!(index < 3 * CYCLE || (found.len() == 1 && distance < 16.0), "frame {index}, off by {distance}: {found:?}");
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_large_face_across_tiles_is_one_face_on_every_frame() {
    // A face across the edge of two tiles that is wider than their overlap, and one that is larger than a tile.
    let scene = empty().actor(still((520.0, 300.0), 200.0)).actor(still((960.0, 520.0), 330.0)).actor(still((1560.0, 560.0), 800.0));
    let (frame, places) = (frame(&scene, 0.0), truth(&scene, 0.0));
    let mut harness = harness(LINE);
    let first = ids_at(&faces(&mut harness, &frame, 0), &places);
    assert!(first.iter().all(Option::is_some), "at once: {first:?}");
    for index in 1..2 * CYCLE {
        let found = faces(&mut harness, &frame, index);
        assert_eq!(ids_at(&found, &places), first, "frame {index}");
        assert!(found.iter().all(|face| face.detection.as_ref().is_some_and(|detection| detection.age.is_zero())));
    }
}

#[test]
fn a_scene_cut_ends_small_tracks_and_finds_large_faces_at_once() {
    let (before, after) = (crowd(), empty().background([20.0; 3], [240.0, 30.0, 30.0]).actor(still((960.0, 400.0), 300.0)));
    let (first, second) = (frame(&before, 0.0), frame(&after, 0.0));
    let mut harness = harness(LINE);
    let known = (0..2 * CYCLE).map(|index| faces(&mut harness, &first, index)).last().expect("rounds");
    assert_eq!(known.len(), 12);
    for index in 2 * CYCLE..3 * CYCLE {
        let found = faces(&mut harness, &second, index);
        assert_eq!(found.len(), 1, "frame {index}: {found:?}");
        assert!(known.iter().all(|face| face.id < found[0].id));
    }
}

#[test]
fn flushes_and_size_changes_restart_the_tiles() {
    let (scene, mut harness) = (crowd(), harness(LINE));
    let (frame, places) = (frame(&scene, 0.0), truth(&scene, 0.0));
    let known = |harness: &mut Harness| {
        let ids = (0..CYCLE).map(|index| ids_at(&faces(harness, &frame, index), &places)).last().expect("a round");
        ids.into_iter().map(|id| id.expect("a face")).collect::<Vec<_>>()
    };
    let last = |ids: &[u32]| ids.iter().copied().max().expect("ids");
    let first = known(&mut harness);
    flush(&mut harness);
    let second = known(&mut harness);
    assert!(second.iter().all(|id| *id > last(&first)), "{second:?} after {first:?}");

    // A frame that is not reduced has no tiles.
    let (small, info) = buffer(&test_support::three_faces().render(0.0), 640, 480, VideoFormat::I420);
    harness.set_src_caps(info.to_caps().expect("caps"));
    let found = read_faces(&harness.push_and_pull(small).expect("a frame"), Size::new(640, 480));
    assert!(found.len() == 3 && found.iter().all(|face| face.id > last(&second)), "{found:?}");
    harness.set_src_caps_str("video/x-raw,format=I420,width=1920,height=1080,framerate=30/1");
    assert!(known(&mut harness).iter().all(|id| *id > last(&second)));
}

#[test]
fn an_interval_lengthens_the_tile_cycle_without_losing_faces() {
    let (scene, mut harness) = (crowd(), harness(&format!("{LINE} detect-interval=3 track-timeout=300000000")));
    let (frame, places) = (frame(&scene, 0.0), truth(&scene, 0.0));
    let round = 3 * CYCLE;
    let first = (0..round).map(|index| ids_at(&faces(&mut harness, &frame, index), &places)).last().expect("a round");
    assert!(first.iter().all(Option::is_some), "{first:?}");
    for index in round..3 * round {
        assert_eq!(
            ids_at(&faces(&mut harness, &frame, index), &places),
            first,
            "frame {index}, although a cycle takes longer than the timeout"
        );
    }
    assert_eq!([count(&mut harness, "inferred"), count(&mut harness, "skipped")], [3 * CYCLE, 6 * CYCLE]);
}

#[test]
fn the_most_confident_faces_are_kept_above_the_limit() {
    let large = still((960.0, 800.0), 300.0);
    let (scene, mut harness) = (crowd().actor(large), harness(&format!("{LINE} max-faces=4")));
    let frame = frame(&scene, 0.0);
    let shown = |harness: &mut Harness, index| {
        let mut ids: Vec<_> = faces(harness, &frame, index).iter().map(|face| face.id).collect();
        ids.sort_unstable();
        ids
    };
    let first = (0..2 * CYCLE).map(|index| shown(&mut harness, index)).last().expect("rounds");
    assert!(first.len() == 4 && first[0] == 1, "the large face and three others: {first:?}");
    for index in 2 * CYCLE..3 * CYCLE {
        assert_eq!(shown(&mut harness, index), first, "frame {index}");
    }
}

#[test]
fn without_tracking_faces_persist_between_cycles_without_ids() {
    let (scene, mut harness) = (crowd(), harness(&format!("{LINE} track=false score-threshold=0.2")));
    let frame = frame(&scene, 0.0);
    let found = (0..CYCLE).map(|index| faces(&mut harness, &frame, index)).last().expect("a round");
    assert!(found.len() == 12 && found.iter().all(|face| face.id == 0), "{found:?}");
}

#[test]
fn a_worker_searches_consecutive_tiles_at_its_own_pace() {
    let (scene, mut harness) = (crowd(), harness(&format!("{LINE} async=true track-timeout=100000000000")));
    let (frame, places) = (frame(&scene, 0.0), truth(&scene, 0.0));
    let start = Instant::now();
    // Frames arrive faster than they can be searched, and each search takes the next tile.
    for index in 0.. {
        let found = ids_at(&faces(&mut harness, &frame, index), &places);
        let searched = count(&mut harness, "inferred");
        if searched > CYCLE + 1 {
            assert!(found.iter().all(Option::is_some), "after {searched} searches: {found:?}");
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "only {searched} searches in 60 s");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(count(&mut harness, "skipped") > 0);
}

/// Asserts that `detector` finds the two faces at `places` in `frame` in `round` frames. `misses` says whether the reduced frame
/// misses one of them.
fn assert_found_in_tiles(detector: &str, frame: &gst::Buffer, places: &[Rect], round: u64, misses: bool) {
    let line = format!("emotionfacedetect {detector}");
    let found = |line: &str, frames: u64| {
        let mut harness = harness(line);
        let ids = (0..frames).map(|index| ids_at(&faces(&mut harness, frame, index), places)).last().expect("frames");
        ids.iter().flatten().count()
    };
    assert_eq!(found(&line.replace("tile-size=640", ""), 2) < 2, misses, "{detector}, in the reduced frame");
    assert_eq!(found(&line, round), 2, "{detector}");
}

/// Faces of 26 x 33 pixels.
fn two_small_faces() -> Scene {
    empty().actor(still((400.0, 300.0), 40.0)).actor(still((1400.0, 700.0), 40.0))
}

#[test]
fn all_detectors_use_tiles_where_they_reduce_the_frame() {
    let (frame_with_faces, places) = (frame(&two_small_faces(), 0.0), truth(&two_small_faces(), 0.0));
    assert_found_in_tiles("detector=emotion-face tile-size=640", &frame_with_faces, &places, 8, true);
    let cascade = "detector=haar min-size-width=20 min-size-height=20 tile-size=640";
    assert_found_in_tiles(cascade, &frame_with_faces, &places, 1, false);

    // Squares of 16 pixels, at least one cell of the network in a tile and half a cell in the reduced frame.
    let squares = [(392.0, 292.0), (1392.0, 692.0)].map(|(x, y)| Rect::new(x, y, 16.0, 16.0));
    let is_lit = |x: f32, y: f32| squares.iter().any(|lit| (lit.x..lit.right()).contains(&x) && (lit.y..lit.bottom()).contains(&y));
    let pixels = 0..HD.width * HD.height;
    let rgb: Vec<u8> = pixels.flat_map(|n| [if is_lit((n % HD.width) as f32, (n / HD.width) as f32) { 255 } else { 0 }; 3]).collect();
    let frame_with_squares = buffer(&rgb, HD.width, HD.height, VideoFormat::I420).0;
    let places = squares.map(|lit| Rect::square(lit.center(), 32.0));
    let file = format!("model-file={} tile-size=640", data("yunet-cells.onnx").display());
    assert_found_in_tiles(&file, &frame_with_squares, &places, 8, true);
}

/// The networks of others are not part of the repository.
#[test]
fn real_networks_of_other_detectors_use_tiles() {
    let (frame, places) = (frame(&two_small_faces(), 0.0), truth(&two_small_faces(), 0.0));
    for (file, round) in [("yunet_n.onnx", 8), ("ultraface_rfb320.onnx", 99)] {
        let path = repository().join("../shared/peers").join(file);
        if path.is_file() {
            assert_found_in_tiles(&format!("model-file={} tile-size=640", path.display()), &frame, &places, round, true);
        } else {
            left_out::note(format!("no {}", path.display()));
        }
    }
}
