// SPDX-License-Identifier: MIT OR Apache-2.0
//! The default geometry model behind the default detector, on average faces.

use std::sync::Arc;

use emotion_core::face_geometry::FaceGeometry;
use emotion_core::geometry::{Point, Size};
use emotion_core::record::FaceRecord;
use gst_check::Harness;
use gst_video::VideoFormat;
use gstemotion::meta::read_faces;
use test_support::average_faces::{Key, Scene};
use test_support::gstreamer::{buffer, frame_at, init};
use test_support::runtime_fetched;

const SIZE: Size = Size::new(640, 480);

/// The faces of a frame behind the recipe's elements.
fn faces(chain: &mut Harness, rgb: &[u8], index: u64) -> Vec<FaceRecord> {
    let (frame, _) = buffer(rgb, SIZE.width, SIZE.height, VideoFormat::I420);
    let out = chain.push_and_pull(frame_at(&frame, index)).expect("a frame");
    read_faces(&out, SIZE)
}

fn chain() -> Harness {
    init();
    let mut chain =
        Harness::new_parse("emotionfacedetect ! facelandmarks ! emotionclassify ! emotionoverlay draw-landmarks=true draw-pose=true");
    // A live stream confirms a new face on a later frame, and gates still ones.
    chain.set_live(false);
    chain.set_src_caps_str("video/x-raw,format=I420,width=640,height=480,framerate=30/1");
    chain
}

/// One face of this expression in the middle of the frame, `height` pixels high.
fn scene(expression: &'static str, height: f32) -> Scene {
    let keys = [0.0, 1.0].map(|time| Key::new(time, (320.0, 240.0), height, expression));
    Scene::new(SIZE.width as usize, SIZE.height as usize).actor(keys.into())
}

/// The geometry of the only face.
fn geometry(rgb: &[u8], shown: &str) -> Arc<FaceGeometry> {
    let found = faces(&mut chain(), rgb, 0);
    let [face] = found.as_slice() else { panic!("{shown}: {} faces", found.len()) };
    assert!(face.emotion.is_some(), "{shown}: it is classified");
    face.geometry.clone().unwrap_or_else(|| panic!("{shown}: no geometry"))
}

#[test]
fn average_faces_look_into_the_camera_and_smile_where_they_are_happy() {
    if !runtime_fetched() {
        return;
    }
    for height in [110.0, 200.0, 330.0] {
        let [neutral, happy] = ["neutral", "happiness"].map(|expression| geometry(&scene(expression, height).render(0.0), expression));
        for found in [&neutral, &happy] {
            assert!(found.is_reliable(), "{height} px: trust {}", found.trust);
            let [yaw, pitch, roll] = found.pose.to_array();
            assert!(yaw.abs() < 10.0 && pitch.abs() < 20.0 && roll.abs() < 6.0, "{height} px: {:?}", found.pose);
            let points = found.landmarks_norm.from_norm(SIZE);
            let (eyes, middle) = (points.eye_distance(), points.0[27]);
            assert!((0.25..0.75).contains(&(eyes / height)) && (middle.x - 320.0).abs() < 0.15 * eyes, "{height} px: {eyes} at {middle:?}");
        }
        let smile = |found: &FaceGeometry| found.blendshapes.get("mouthSmileLeft").zip(found.blendshapes.get("mouthSmileRight"));
        let [(calm_left, calm_right), (left, right)] = [smile(&neutral), smile(&happy)].map(|smile| smile.expect("names"));
        assert!(left > calm_left + 0.2 && right > calm_right + 0.2, "{height} px: {left} {right} from {calm_left} {calm_right}");
    }
}

/// A mirror exchanges left and right; a turn of the picture turns the face. The network sees another crop each time.
#[test]
fn a_mirrored_and_a_tilted_picture_are_measured_as_such() {
    if !runtime_fetched() {
        return;
    }
    let rgb = scene("contempt", 300.0).render(0.0);
    let row = SIZE.width as usize * 3;
    let mirrored: Vec<u8> =
        rgb.chunks_exact(row).flat_map(|row| row.chunks_exact(3).rev().flatten().copied().collect::<Vec<_>>()).collect();
    let (seen, other) = (geometry(&rgb, "upright"), geometry(&mirrored, "mirrored"));
    let distance = |a: Point, b: Point| a.distance(Point::new(SIZE.width as f32 - b.x, b.y));
    let (points, mirror) = (seen.landmarks_norm.from_norm(SIZE), other.landmarks_norm.from_norm(SIZE).mirrored());
    let mean = points.0.iter().zip(mirror.0).map(|(a, b)| distance(*a, b)).sum::<f32>() / 70.0;
    assert!(mean < 0.03 * points.eye_distance(), "{mean} px of {}", points.eye_distance());
    assert!(
        (seen.pose.yaw + other.pose.yaw).abs() < 5.0 && (seen.pose.roll + other.pose.roll).abs() < 3.0,
        "{:?} {:?}",
        seen.pose,
        other.pose
    );

    let tilt = 25_f32.to_radians();
    let tilted = tilted(&rgb, tilt);
    let turned = geometry(&tilted, "tilted");
    assert!((turned.pose.roll - seen.pose.roll - 25.0).abs() < 5.0, "{:?} from {:?}", turned.pose, seen.pose);
}

/// The picture in `width` columns.
fn squeezed(rgb: &[u8], width: u32) -> Vec<u8> {
    let from = |x: u32| (x * SIZE.width / width) as usize;
    let mean = |row: &[u8], x: u32, channel: usize| {
        let pixels = row.chunks_exact(3).skip(from(x)).take(from(x + 1) - from(x));
        let (sum, count) = pixels.fold((0, 0), |(sum, count), pixel| (sum + u32::from(pixel[channel]), count + 1));
        (sum / count) as u8
    };
    let rows = rgb.chunks_exact(SIZE.width as usize * 3);
    rows.flat_map(|row| (0..width).flat_map(move |x| [0, 1, 2].map(|channel| mean(row, x, channel)))).collect()
}

/// As on DV, DVD and HDV: the picture is stored in fewer columns than it is seen in.
#[test]
fn pixels_that_are_not_square_make_no_difference() {
    if !runtime_fetched() {
        return;
    }
    let rgb = tilted(&scene("happiness", 220.0).render(0.0), 20_f32.to_radians());
    let seen_in = |width: u32| {
        let (mut frame, _) = buffer(&squeezed(&rgb, width), width, SIZE.height, VideoFormat::I420);
        frame.make_mut().set_pts(gst::ClockTime::ZERO);
        let mut chain = chain();
        let aspect = gst::Fraction::new(SIZE.width as i32, width as i32);
        chain.set_src_caps_str(&format!(
            "video/x-raw,format=I420,width={width},height=480,framerate=30/1,pixel-aspect-ratio={}/{}",
            aspect.numer(),
            aspect.denom()
        ));
        let out = chain.push_and_pull(frame).expect("a frame");
        let found = read_faces(&out, Size::new(width, SIZE.height));
        let [face] = found.as_slice() else { panic!("{width} columns: {} faces", found.len()) };
        face.clone()
    };
    let square = seen_in(640);
    let geometry = |face: &FaceRecord| face.geometry.clone().expect("a geometry");
    for width in [480, 360, 240] {
        let face = seen_in(width);
        assert!(face.rect_norm.iou(square.rect_norm) > 0.9, "{width} columns: {:?}", face.rect_norm);
        let (found, expected) = (geometry(&face), geometry(&square));
        let (points, wanted) = (found.landmarks_norm.from_norm(SIZE), expected.landmarks_norm.from_norm(SIZE));
        let mean = points.0.iter().zip(wanted.0).map(|(a, b)| a.distance(b)).sum::<f32>() / 70.0;
        assert!(mean < 0.03 * wanted.eye_distance(), "{width} columns: landmarks are {mean} px away");
        let turned = (found.pose.roll - expected.pose.roll).abs().max((found.pose.yaw - expected.pose.yaw).abs());
        assert!(turned < 3.0, "{width} columns: {:?} instead of {:?}", found.pose, expected.pose);
        let scores = |face: &FaceRecord| face.emotion.clone().expect("scores").scores;
        let moved = scores(&face).as_slice().iter().zip(scores(&square).as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(moved < 0.15, "{width} columns: a score differs by {moved}");
    }
}

/// The picture, turned clockwise about its centre.
fn tilted(rgb: &[u8], radians: f32) -> Vec<u8> {
    let (width, height) = (SIZE.width as i32, SIZE.height as i32);
    let (sin, cos) = radians.sin_cos();
    let source = |x: i32, y: i32| {
        let (u, v) = ((x - width / 2) as f32, (y - height / 2) as f32);
        let from = ((cos * u + sin * v) as i32 + width / 2, (cos * v - sin * u) as i32 + height / 2);
        let at = from.1.clamp(0, height - 1) * width + from.0.clamp(0, width - 1);
        &rgb[3 * at as usize..][..3]
    };
    (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| source(x, y).to_vec()).collect()
}

#[test]
fn sensor_noise_moves_the_landmarks_of_a_still_face_by_a_third_of_a_percent_at_most() {
    if !runtime_fetched() {
        return;
    }
    let still = scene("neutral", 200.0).render(0.0);
    let mut chain = chain();
    let mut positions: Vec<Vec<Point>> = vec![Vec::new(); 70];
    let mut eyes = 1.0;
    for index in 0..60 {
        let mut noisy = still.clone();
        test_support::disturbance::add_noise(index as u32, &mut noisy);
        let found = faces(&mut chain, &noisy, index);
        let points = found[0].geometry.as_ref().expect("a geometry").landmarks_norm.from_norm(SIZE);
        eyes = points.eye_distance();
        if index >= 15 {
            positions.iter_mut().zip(points.0).for_each(|(all, point)| all.push(point));
        }
    }
    let deviation = |all: &Vec<Point>| {
        let count = all.len() as f32;
        let mean = all.iter().fold(Point::default(), |sum, point| Point::new(sum.x + point.x / count, sum.y + point.y / count));
        (all.iter().map(|point| point.distance(mean).powi(2)).sum::<f32>() / count).sqrt()
    };
    let jitter = 100.0 * positions.iter().map(deviation).sum::<f32>() / 70.0 / eyes;
    println!("jitter of a still face with sensor noise: {jitter:.3} % of the eye distance");
    assert!(jitter <= 0.3, "{jitter} % of the eye distance");
}
