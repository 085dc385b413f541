// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scripts of `pipelines/` as child processes, a clip of average faces, and functions that read the results.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use gst_rtsp_server::prelude::*;

use crate::average_faces::{Key, Scene};
use crate::gstreamer::{Stage, library};
use crate::repository;

/// Size of the clip in pixels.
pub const WIDTH: usize = 640;
/// See [`WIDTH`].
pub const HEIGHT: usize = 480;
/// Number of frames in the clip, at 30 frames per second.
pub const FRAMES: usize = 40;

/// The folder of the scripts.
pub fn folder() -> PathBuf {
    repository().join("pipelines")
}

/// The folder with the programs of the last `cargo build` or `cargo test --workspace`.
pub fn programs() -> PathBuf {
    library().ancestors().nth(2).expect("the library is in `PROFILE/deps`").to_owned()
}

/// True if that folder has the program `name`. Under `make test` it has to.
pub fn has_program(name: &str) -> bool {
    let has_program = programs().join(name).is_file();
    if !has_program {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "cargo build -p {name} is missing");
        crate::left_out::note(format!("no {name}; cargo build -p {name} builds it"));
    }
    has_program
}

/// A command that runs a script of `pipelines/` on the stage, with the stage's library and those programs.
pub fn script(stage: &Stage, name: &str) -> Command {
    let mut command = stage.command(folder().join(name).to_str().expect("a path in UTF-8"));
    command.env("PLUGINS", stage.path().join("plugins")).env("PROGRAMS", programs()).current_dir(stage.path());
    command
}

/// Runs a command, which must end within two minutes. Afterwards `timeout` stops it together with all that it started, even if
/// the test itself was stopped before. What it has left running is stopped when it ends.
pub fn run(command: &mut Command) -> Output {
    let mut limited = Command::new("timeout");
    limited.args(["--signal=KILL", "120"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.current_dir(command.get_current_dir().unwrap_or(Path::new("."))).stdin(Stdio::null());
    let started = limited.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("{limited:?}: {error}"));
    // `timeout` leads a group of processes of its own.
    let group = started.id();
    let output = started.wait_with_output().expect("its output");
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).stderr(Stdio::null()).status();
    assert_ne!(output.status.signal(), Some(9), "{command:?} did not end: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A process that is stopped at the end of the test, whether it succeeds or not.
#[derive(Debug)]
pub struct Running(pub Child);

impl Running {
    /// Starts a command without input and output.
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// True if it ends by itself, and has succeeded.
    pub fn succeeds(mut self) -> bool {
        self.0.wait().expect("its end").success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a pipeline, which must succeed.
pub fn launch(stage: &Stage, arguments: &[&str]) {
    succeed(run(stage.command("gst-launch-1.0").arg("-q").args(arguments)));
}

/// A stage with the clip, if all required files are fetched.
pub fn stage(name: &str) -> Option<Stage> {
    crate::fetched("centerface").then(|| {
        let stage = Stage::new(&format!("recipe-{name}")).with_plugin();
        std::fs::write(clip(&stage), encoded_clip()).unwrap();
        stage
    })
}

/// The path of the clip on a stage.
pub fn clip(stage: &Stage) -> PathBuf {
    stage.path().join("clip.mp4")
}

/// Two faces that do not move, one of them smiling.
pub fn scene() -> Scene {
    let still =
        |x, height, expression| vec![Key::new(0.0, (x, 220.0), height, expression), Key::new(100.0, (x, 220.0), height, expression)];
    Scene::new(WIDTH, HEIGHT).actor(still(190.0, 220.0, "happiness")).actor(still(470.0, 180.0, "neutral"))
}

fn encoded_clip() -> &'static [u8] {
    static CLIP: OnceLock<Vec<u8>> = OnceLock::new();
    CLIP.get_or_init(|| {
        let stage = Stage::new("recipe-clip");
        encode_clip(&stage, FRAMES, 30);
        std::fs::read(clip(&stage)).unwrap()
    })
}

/// Encodes a clip of this many frames on a stage.
pub fn encode_clip(stage: &Stage, frames: usize, rate: u32) {
    let raw = stage.path().join("clip.rgb");
    std::fs::write(&raw, scene().render(0.0).repeat(frames)).unwrap();
    let caps = format!("rawvideoparse format=rgb width={WIDTH} height={HEIGHT} framerate={rate}/1");
    let line = format!("! {caps} ! videoconvert ! x264enc speed-preset=veryfast ! video/x-h264,profile=high ! h264parse ! mp4mux !");
    let mut arguments = vec!["filesrc".to_string(), format!("location={}", raw.display())];
    arguments.extend(line.split_whitespace().map(String::from));
    arguments.extend(["filesink".to_string(), format!("location={}", clip(stage).display())]);
    launch(stage, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    std::fs::remove_file(raw).unwrap();
}

/// The frames of a video or picture as packed RGB.
pub fn decode(stage: &Stage, file: &Path) -> Vec<Vec<u8>> {
    let (from, to) = (format!("location={}", file.display()), format!("location={}", stage.path().join("decoded.rgb").display()));
    launch(stage, &["filesrc", &from, "!", "decodebin", "!", "videoconvert", "!", "video/x-raw,format=RGB", "!", "filesink", &to]);
    frames(&stage.path().join("decoded.rgb"))
}

/// The frames in a file of packed RGB.
pub fn frames(file: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    assert_eq!(bytes.len() % (WIDTH * HEIGHT * 3), 0, "whole frames");
    bytes.chunks(WIDTH * HEIGHT * 3).map(<[u8]>::to_vec).collect()
}

/// The output of a command that succeeded, and that printed none of GLib's critical warnings. At the end of an RTSP stream, GStreamer's
/// source cancels its own PAUSE request. Now and then it takes that for an error of the connection (1.22, `writev_bytes` in
/// gstrtspconnection.c), which is no failure of ours.
pub fn succeed(output: Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let errors = text(&output.stderr);
    let was_cancelled = errors.contains("Could not send message. (Received end-of-file)") && text(&output.stdout).contains("Got EOS from");
    assert!((output.status.success() || was_cancelled) && !errors.contains("-CRITICAL **"), "{}\n{errors}", text(&output.stdout));
    text(&output.stdout)
}

/// True if Python finds the GStreamer bindings.
pub fn bindings() -> bool {
    let import = "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst";
    let found = Command::new("/usr/bin/python3").args(["-c", import]).output().is_ok_and(|output| output.status.success());
    if !found {
        crate::left_out::note("no PyGObject with Gst (python3-gi, gir1.2-gstreamer-1.0)");
    }
    found
}

/// The path of a program, if it is installed.
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name))).find(|file| file.is_file());
    if found.is_none() {
        crate::left_out::note(format!("no {}", names.join(", ")));
    }
    found
}

/// The records of an NDJSON text, whose last line has to be complete.
pub fn json_lines(text: &str) -> Vec<serde_json::Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is incomplete: {:?}", text.lines().last());
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The text of a file.
pub fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The targets of a Markdown page's links to other files and headings.
pub fn links(page: &str) -> Vec<&str> {
    page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|target| !target.contains("://")).collect()
}

/// A network camera that streams the scene until it is dropped.
pub struct Camera {
    /// Its address.
    pub address: String,
    main_loop: gst::glib::MainLoop,
    running: Option<std::thread::JoinHandle<()>>,
}

impl Camera {
    /// Serves the stream of a launch line with a payloader `pay0`.
    pub fn start(line: &str) -> Self {
        gst::init().unwrap();
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_service("0"); // any free port
        let factory = gst_rtsp_server::RTSPMediaFactory::new();
        factory.set_launch(line);
        server.mount_points().unwrap().add_factory("/camera", factory);
        let context = gst::glib::MainContext::new();
        server.attach(Some(&context)).unwrap();
        let main_loop = gst::glib::MainLoop::new(Some(&context), false);
        let address = format!("rtsp://127.0.0.1:{}/camera", server.bound_port());
        let looping = main_loop.clone();
        let running = std::thread::spawn(move || {
            looping.run();
            drop(server);
        });
        Self { address, main_loop, running: Some(running) }
    }

    /// An endless stream of 10 frames per second.
    pub fn endless(stage: &Stage) -> Self {
        let picture = stage.path().join("camera.png");
        write_png(&picture, &scene().render(0.0));
        let source = format!("multifilesrc location={} loop=true caps=image/png,framerate=10/1", picture.display());
        let encoder = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10";
        Self::start(&format!("( {source} ! pngdec ! videoconvert ! video/x-raw,format=I420 ! {encoder} ! rtph264pay name=pay0 pt=96 )"))
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.main_loop.quit();
        self.running.take().map(std::thread::JoinHandle::join);
    }
}

/// Writes a frame of packed RGB to a picture file.
pub fn write_png(file: &Path, rgb: &[u8]) {
    let mut encoder = png::Encoder::new(std::fs::File::create(file).unwrap(), WIDTH as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(rgb).unwrap();
}

/// Polls until there is a value.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(90), "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Serves a folder over HTTP for the rest of the test, and returns the address.
pub fn serve(folder: PathBuf) -> String {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}/", socket.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut client in socket.incoming().flatten() {
            let mut request = String::new();
            let _ = BufReader::new(&client).read_line(&mut request);
            let name = request.split(' ').nth(1).map_or("", |path| path.trim_start_matches('/'));
            let name = if name.is_empty() { "index.html" } else { name };
            let (status, body) = std::fs::read(folder.join(name)).map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
            let kind = match name.rsplit('.').next() {
                Some("vtt") => "text/vtt",
                Some("mp4" | "m4s") => "video/mp4",
                Some("m3u8") => "application/vnd.apple.mpegurl",
                _ => "text/html",
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // A browser closes the connection when it has enough of a video.
            let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body));
        }
    });
    address
}
