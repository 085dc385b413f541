// SPDX-License-Identifier: MIT OR Apache-2.0
//! Photos and videos of average faces in a temporary folder, and the command that scans them.
#![allow(dead_code)] // No test program uses all of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};

use gst::prelude::*;
use serde_json::Value;
use test_support::average_faces::{Key, Scene};
use test_support::gestures::Placed;
use test_support::{left_out, runtime_fetched};

pub const WIDTH: usize = 320;
pub const HEIGHT: usize = 240;

/// A folder that is removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder, if the elements find ONNX Runtime. `make test` requires it; a bare `cargo test` prints how many tests
    /// it skips.
    pub fn new(test: &str) -> Option<Self> {
        if !runtime_fetched() {
            return None;
        }
        let folder = std::env::temp_dir().join(format!("emotion-scan-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Some(Self(folder))
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file with these contents.
    pub fn write(&self, name: &str, contents: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), contents).unwrap();
    }

    /// Writes a photo of a smiling face on the left and a neutral one on the right.
    pub fn photo(&self, name: &str) {
        self.encode(name, 1, 1, "jpegenc quality=95");
    }

    /// Writes the picture without loss.
    pub fn picture(&self, name: &str) {
        self.encode(name, 1, 1, "videoconvert ! video/x-raw,format=RGB ! pngenc");
    }

    /// The same photo, stored on its side with a tag that says so.
    pub fn rotated_photo(&self, name: &str) {
        let tag = "taginject tags=image-orientation=rotate-90";
        self.encode(name, 1, 1, &format!("videoflip video-direction=90l ! {tag} ! jpegenc quality=95 ! jifmux"));
    }

    /// Writes a video of the faces with `frames` frames, `rate` a second, and a keyframe every ten seconds.
    pub fn video(&self, name: &str, frames: usize, rate: usize) {
        let encoder = format!("x264enc speed-preset=ultrafast key-int-max={} option-string=scenecut=0", 10 * rate);
        self.encode(name, frames, rate, &format!("{encoder} ! h264parse ! mp4mux"));
    }

    /// Writes such a video in which the expressions change.
    pub fn moving_video(&self, name: &str, frames: usize, rate: usize) {
        let encoder = "x264enc speed-preset=ultrafast ! h264parse ! mp4mux";
        let length = frames as f32 / rate as f32;
        let (first, second) = (["neutral", "happiness", "surprise"], ["happiness", "neutral", "neutral"]);
        let keys = |x: f32, expressions: [&'static str; 3]| {
            let times = [0.0, length / 2.0, length];
            times.iter().zip(expressions).map(|(time, expression)| Key::new(*time, (x, 110.0), 120.0, expression)).collect()
        };
        let scene = Scene::new(WIDTH, HEIGHT).actor(keys(95.0, first)).actor(keys(235.0, second));
        self.encode_frames(name, rate, encoder, (0..frames).map(|frame| scene.render(frame as f32 / rate as f32)), |_, _| {});
    }

    /// Writes a video of a neutral face at 25 frames a second for four seconds. It blinks twice, at .8 s and 1.6 s, and turns away for
    /// the last 1.6 s. A second one, on its right, smiles and does neither.
    pub fn acting_video(&self, name: &str) {
        let encoder = "x264enc speed-preset=ultrafast quantizer=10 pass=qual ! h264parse ! mp4mux";
        let still = |x, expression| vec![Key::new(0.0, (x, 120.0), 150.0, expression), Key::new(100.0, (x, 120.0), 150.0, expression)];
        let scene = Scene::new(WIDTH, HEIGHT).actor(still(85.0, "neutral")).actor(still(235.0, "happiness")).render(0.0);
        let actor = Placed { frame_width: WIDTH, center: (85.0, 120.0), height: 150.0 };
        let frames = (0..100).map(|frame| {
            let mut picture = scene.clone();
            match frame {
                20..24 | 40..44 => actor.close_eyes(&mut picture),
                60.. => actor.turn(&mut picture, 60.0),
                _ => {}
            }
            picture
        });
        self.encode_frames(name, 25, encoder, frames, |_, _| {});
    }

    /// Writes a video of a grey wall.
    pub fn empty_video(&self, name: &str, frames: usize, rate: usize) {
        let encoder = "x264enc speed-preset=ultrafast ! h264parse ! mp4mux";
        self.encode_frames(name, rate, encoder, (0..frames).map(|_| vec![128; WIDTH * HEIGHT * 3]), |_, _| {});
    }

    /// Writes a video with a sound of its length.
    pub fn video_with_sound(&self, name: &str, frames: usize, rate: usize) {
        let sound = format!("audiotestsrc num-buffers={} samplesperbuffer={} ! opusenc ! mux.", frames, 48_000 / rate);
        self.encode(name, frames, rate, &format!("x264enc speed-preset=ultrafast ! matroskamux name=mux {sound} mux."));
    }

    /// Writes a video that is stored on its side, with the entry in its header by which phones say so.
    pub fn rotated_video(&self, name: &str, frames: usize) {
        self.encode(name, frames, 10, "videoflip video-direction=90l ! x264enc speed-preset=ultrafast ! h264parse ! mp4mux");
        let mut bytes = fs::read(self.path(name)).unwrap();
        let header = bytes.windows(4).position(|four| four == b"tkhd").expect("a header of the track");
        let matrix: [u32; 9] = [0, 0x1_0000, 0, 0xffff_0000, 0, 0, (HEIGHT as u32) << 16, 0, 0x4000_0000];
        // Behind the name of the box: its version, times, number and layer.
        bytes[header + 44..][..36].copy_from_slice(&matrix.map(u32::to_be_bytes).concat());
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes a video whose frames consist of two fields, with chroma in each row, as broadcasters record.
    pub fn interlaced_video(&self, name: &str, frames: usize) {
        let encoder = "videoconvert ! video/x-raw,format=Y42B ! interlace field-pattern=1:1 ! x264enc speed-preset=ultrafast interlaced=true ! h264parse ! matroskamux";
        self.encode(name, frames, 20, encoder);
    }

    /// Writes a video of 10 bits for each component.
    pub fn deep_video(&self, name: &str, frames: usize) {
        let encoder = "videoconvert ! video/x-raw,format=I420_10LE ! x264enc speed-preset=ultrafast ! h264parse ! matroskamux";
        self.encode(name, frames, 15, encoder);
    }

    /// Writes a WebM video, which has no tags of its picture.
    pub fn web_video(&self, name: &str, frames: usize) {
        self.encode(name, frames, 10, "vp8enc deadline=1 ! webmmux");
    }

    /// Writes a video of the faces without loss, from which ffmpeg makes others.
    pub fn lossless_video(&self, name: &str, frames: usize) {
        self.encode(name, frames, 10, "avenc_ffv1 ! matroskamux");
    }

    /// Runs ffmpeg in this folder, with arguments separated by spaces.
    pub fn ffmpeg(&self, arguments: &str) {
        let mut command = Command::new("ffmpeg");
        let command = command.args(["-nostdin", "-v", "error", "-y"]).args(arguments.split(' ')).current_dir(&self.0);
        let printed = command.output().expect("ffmpeg starts");
        assert!(printed.status.success(), "ffmpeg {arguments}: {}", String::from_utf8_lossy(&printed.stderr));
    }

    /// Writes a video of a face that moves from left to right, with an encoder and a muxer. `change` may change what the
    /// encoder has made, frame by frame, with the number of the frame in the order of decoding.
    pub fn encoded_movement(
        &self,
        name: &str,
        frames: usize,
        rate: usize,
        line: &str,
        change: impl Fn(u64, &mut gst::Buffer) + Send + Sync + 'static,
    ) {
        let path = [(0.0, 70.0), (frames as f32 / rate as f32, 250.0)];
        let keys = path.map(|(time, x)| Key::new(time, (x, 120.0), 120.0, "happiness"));
        let moving = Scene::new(WIDTH, HEIGHT).actor(keys.into());
        let pictures = (0..frames).map(|frame| moving.render(frame as f32 / rate as f32));
        self.encode_frames(name, rate, line, pictures, change);
    }

    /// Writes a video of an empty room, with `rate` frames a second and a keyframe every `key` frames, in which a face is
    /// there for each of `visits`, in seconds.
    pub fn room_video(&self, name: &str, (seconds, rate, key): (usize, usize, usize), visits: &[(f32, f32)]) {
        let stay = |(from, until): &(f32, f32)| {
            vec![Key::new(*from, (160.0, 120.0), 120.0, "neutral"), Key::new(*until, (180.0, 120.0), 120.0, "neutral")]
        };
        let room = visits.iter().fold(Scene::new(WIDTH, HEIGHT), |room, visit| room.actor(stay(visit)));
        let line = format!("x264enc speed-preset=ultrafast key-int-max={key} option-string=scenecut=0 ! h264parse ! mp4mux");
        let pictures = (0..seconds * rate).map(|frame| room.render(frame as f32 / rate as f32));
        self.encode_frames(name, rate, &line, pictures, |_, _| {});
    }

    /// Puts another network into `models`, under the name of the one that scans use.
    pub fn other_model(&self) {
        let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/expression-int8");
        for file in ["model.onnx", "model.toml"] {
            self.write(&format!("models/expression/{file}"), &fs::read(other.join(file)).unwrap());
        }
    }

    /// Puts the network that scans use into `described`, with a description that differs in `from`.
    pub fn other_description(&self, from: &str, to: &str) {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/expression");
        self.write("described/expression/model.onnx", &fs::read(model.join("model.onnx")).unwrap());
        let description = fs::read_to_string(model.join("model.toml")).unwrap();
        assert!(description.contains(from), "{description}");
        self.write("described/expression/model.toml", description.replace(from, to).as_bytes());
    }

    /// The frames of a photo or video, upright, as packed RGB.
    pub fn frames(&self, name: &str) -> Vec<Vec<u8>> {
        let raw = self.path("frames.rgb");
        let (from, to) = (self.path(name).display().to_string(), raw.display());
        let convert = "videoflip video-direction=auto ! videoconvert ! video/x-raw,format=RGB";
        run_line(&format!("filesrc location={from} ! decodebin ! {convert} ! filesink location={to}"), |_| {});
        fs::read(raw).unwrap().chunks(WIDTH * HEIGHT * 3).map(<[u8]>::to_vec).collect()
    }

    /// True if the file has a sound that can be decoded.
    pub fn has_sound(&self, name: &str) -> bool {
        let raw = self.path("sound.raw");
        let (from, to) = (self.path(name).display().to_string(), raw.display());
        run_line(
            &format!("filesrc location={from} ! decodebin ! audioconvert ! audio/x-raw,format=S16LE ! filesink location={to}"),
            |_| {},
        );
        fs::read(raw).unwrap().iter().any(|byte| *byte != 0)
    }

    /// Writes a sound of half a second.
    pub fn sound(&self, name: &str) {
        run_line(&format!("audiotestsrc num-buffers=25 ! wavenc ! filesink location={}", self.path(name).display()), |_| {});
    }

    /// Writes a video of both faces by the elements of `line`.
    pub fn encoded_faces(&self, name: &str, frames: usize, rate: usize, line: &str) {
        self.encode(name, frames, rate, line);
    }

    /// Writes frames that show only the middle of a face, by the elements of `line`.
    pub fn encoded_close_up(&self, name: &str, frames: usize, line: &str) {
        let key = |at_s| Key::new(at_s, (WIDTH as f32 / 2.0, HEIGHT as f32 / 2.0), 3.0 * HEIGHT as f32, "happiness");
        let picture = Scene::new(WIDTH, HEIGHT).actor(vec![key(0.0), key(100.0)]).render(0.0);
        self.encode_frames(name, 10, line, std::iter::repeat_n(picture, frames), |_, _| {});
    }

    fn encode(&self, name: &str, frames: usize, rate: usize, line: &str) {
        let picture = scene().render(0.0);
        self.encode_frames(name, rate, line, std::iter::repeat_n(picture, frames), |_, _| {});
    }

    fn encode_frames(
        &self,
        name: &str,
        rate: usize,
        line: &str,
        frames: impl Iterator<Item = Vec<u8>>,
        change: impl Fn(u64, &mut gst::Buffer) + Send + Sync + 'static,
    ) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        let caps = format!("video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},framerate={rate}/1");
        let convert = "videoconvert ! video/x-raw,format=I420";
        let line = format!("appsrc name=in format=time caps={caps} ! {convert} ! {line} ! filesink location={}", self.path(name).display());
        run_line(&line, |pipeline| {
            if let Some(element) = pipeline.by_name("change") {
                change_buffers(&element, change);
            }
            let source = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
            let duration = gst::ClockTime::SECOND / rate as u64;
            for (frame, picture) in frames.enumerate() {
                let mut buffer = gst::Buffer::from_slice(picture);
                buffer.get_mut().unwrap().set_pts(duration * frame as u64);
                buffer.get_mut().unwrap().set_duration(duration);
                source.push_buffer(buffer).unwrap();
            }
            source.end_of_stream().unwrap();
        });
    }

    /// The command in this folder, with arguments separated by spaces.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emotion-scan"));
        command.args(arguments.split(' ')).current_dir(&self.0);
        command
    }

    /// Runs the command, which must exit with `status`, and returns what it prints.
    pub fn run(&self, arguments: &str, status: i32) -> String {
        ended(self.command(arguments).output().unwrap(), status)
    }

    /// The contents of a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The rows of an NDJSON table.
    pub fn rows(&self, name: &str) -> Vec<Value> {
        self.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A folder for a test that makes videos with ffmpeg, which `make test` requires as well.
pub fn with_ffmpeg(test: &str) -> Option<Folder> {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "ffmpeg is not installed (Debian: ffmpeg)");
        left_out::note("no ffmpeg (Debian: ffmpeg)");
        return None;
    }
    Folder::new(test)
}

/// What a process printed, which must have exited with `status`.
pub fn ended(output: Output, status: i32) -> String {
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{printed}");
    printed
}

/// The clips of real people, if this machine has them.
pub fn real_clips() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/media");
    if !folder.is_dir() {
        left_out::note("no clips of real people");
    }
    folder.is_dir().then_some(folder)
}

/// A smiling face on the left and a neutral one on the right, which do not move.
fn scene() -> Scene {
    let still = |x, expression| vec![Key::new(0.0, (x, 110.0), 120.0, expression), Key::new(100.0, (x, 110.0), 120.0, expression)];
    Scene::new(WIDTH, HEIGHT).actor(still(95.0, "happiness")).actor(still(235.0, "neutral"))
}

/// Calls `change` with the number of each buffer that leaves `element`, and the buffer.
fn change_buffers(element: &gst::Element, change: impl Fn(u64, &mut gst::Buffer) + Send + Sync + 'static) {
    let count = AtomicU64::new(0);
    element.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            change(count.fetch_add(1, Ordering::Relaxed), buffer);
        }
        gst::PadProbeReturn::Ok
    });
}

fn run_line(line: &str, feed: impl FnOnce(&gst::Pipeline)) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    feed(&pipeline);
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}
