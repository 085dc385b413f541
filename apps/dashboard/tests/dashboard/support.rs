// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs the dashboard as a child process with a clip of average faces, and talks to it.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use gst::prelude::*;
use serde_json::{Value, json};
use test_support::average_faces::{Key, Scene};
use test_support::browser::Browser;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

pub const WIDTH: usize = 320;
pub const HEIGHT: usize = 240;
/// The time limit for everything that tests wait for, generous for busy machines.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A smiling face on the left and a neutral one on the right, which do not move.
fn scene() -> Scene {
    let still = |x, expression| vec![Key::new(0.0, (x, 110.0), 120.0, expression), Key::new(100.0, (x, 110.0), 120.0, expression)];
    Scene::new(WIDTH, HEIGHT).actor(still(95.0, "happiness")).actor(still(235.0, "neutral"))
}

/// Encodes the scene for `frames` frames with a launch line and writes it to `path`.
pub fn encode(frames: usize, line: &str, path: &Path) {
    gst::init().unwrap();
    let line = format!(
        "appsrc name=in format=time caps=video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},framerate=10/1 ! {line} ! filesink name=out"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("out").unwrap().set_property("location", path);
    let source = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let picture = scene().render(0.0);
    for frame in 0..frames {
        let mut buffer = gst::Buffer::from_slice(picture.clone());
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(frame as u64 * 100));
        buffer.get_mut().unwrap().set_duration(gst::ClockTime::from_mseconds(100));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    let types = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &types).expect("an end");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

/// The scene for 1.5 seconds, as a video file.
pub fn write_clip(path: &Path) {
    encode(15, "videoconvert ! video/x-raw,format=I420 ! jpegenc quality=95 ! avimux", path);
}

/// The scene as a stream of JPEG pictures, which Chromium accepts as a fake camera.
pub fn write_mjpeg(path: &Path) {
    encode(10, "videoconvert ! videoscale ! video/x-raw,format=I420,width=640,height=480 ! jpegenc quality=95", path);
}

/// The scene as a JPEG picture.
pub fn jpeg() -> &'static [u8] {
    static JPEG: OnceLock<Vec<u8>> = OnceLock::new();
    JPEG.get_or_init(|| {
        let folder = Folder::new("jpeg");
        encode(1, "videoconvert ! jpegenc quality=95", &folder.0.join("picture.jpg"));
        std::fs::read(folder.0.join("picture.jpg")).unwrap()
    })
}

/// A temporary folder, removed when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("emotion-dashboard-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("media")).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running dashboard.
pub struct Dashboard {
    child: Child,
    pub address: SocketAddr,
    pub folder: Folder,
}

/// A response: status, headers in lower case, body.
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

impl Dashboard {
    /// Starts a dashboard on a free port, with `clip.avi` in its media folder and additional `arguments`.
    pub fn start(test: &str, arguments: &[&str]) -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_emotion-dashboard")), test, arguments)
    }

    /// Starts a dashboard with a limit of file descriptors.
    pub fn start_with_descriptors(test: &str, descriptors: u32) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_emotion-dashboard")]);
        Self::start_as(command, test, &[])
    }

    fn start_as(command: Command, test: &str, arguments: &[&str]) -> Self {
        let folder = Folder::new(test);
        write_clip(&folder.0.join("media/clip.avi"));
        Self::start_in(folder, command, arguments)
    }

    /// Ends the dashboard without a warning, as a power failure does, and starts it again.
    pub fn restart(mut self, arguments: &[&str]) -> Self {
        let _ = (self.child.kill(), self.child.wait());
        let folder = std::mem::replace(&mut self.folder, Folder(PathBuf::new()));
        Self::start_in(folder, Command::new(env!("CARGO_BIN_EXE_emotion-dashboard")), arguments)
    }

    fn start_in(folder: Folder, mut command: Command, arguments: &[&str]) -> Self {
        command.args(["--listen", "127.0.0.1:0", "--media", "media", "--data", "data"]).args(arguments).current_dir(&folder.0);
        let mut child = command.env_remove("EMOTION_DASHBOARD_TOKEN").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/')).and_then(|address| address.parse().ok());
        Self { child, address: address.unwrap_or_else(|| panic!("no address: {line:?}")), folder }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }

    /// Sends a POST request with a JSON body, or without a body if it is null.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.ask("POST", path, &["content-type: application/json"], text.as_bytes())
    }

    /// Sends a request. `headers` may include a `host` header.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // In HTTP/1.0 the response ends with the connection.
        let mut request = format!("{method} {path} HTTP/1.0\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|header| header.starts_with("host:")) {
            request += &format!("host: {}\r\n", self.address);
        }
        headers.iter().for_each(|header| request += &format!("{header}\r\n"));
        stream.write_all((request + "\r\n").as_bytes()).unwrap();
        // Fails if the server refuses a long request before its end.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("headers");
        let headers = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let status = headers.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, headers, body: answer[end + 4..].to_vec() }
    }

    /// A WebSocket with the origin of the dashboard's page.
    pub fn socket(&self, path: &str) -> WebSocket<TcpStream> {
        self.socket_from(path, &format!("http://{}", self.address)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A WebSocket with another origin.
    pub fn socket_from(&self, path: &str, origin: &str) -> Result<WebSocket<TcpStream>, String> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("ws://{}/{path}", self.address).into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        tungstenite::client(request, stream).map(|(socket, _)| socket).map_err(|error| error.to_string())
    }

    /// Sends a file as the page does, and returns the answer.
    pub fn upload(&self, name: &str, bytes: &[u8]) -> Value {
        let mut socket = self.socket(&format!("api/upload?name={name}"));
        for chunk in bytes.chunks(500_000) {
            socket.send(Message::Binary(chunk.to_vec().into())).unwrap();
            match receive(&mut socket).unwrap() {
                Message::Text(answer) if answer.as_str() == "next" => {}
                answer => return serde_json::from_str(answer.to_text().unwrap()).unwrap(),
            }
        }
        socket.send(Message::Text("end".into())).unwrap();
        serde_json::from_str(receive(&mut socket).unwrap().to_text().unwrap()).unwrap()
    }

    /// The source with this id in the list, or null.
    pub fn source(&self, id: u64) -> Value {
        let list = self.get("/api/sources").json();
        list["sources"].as_array().unwrap().iter().find(|source| source["id"] == id).cloned().unwrap_or(Value::Null)
    }

    /// Waits until the source with this id fulfils the condition `is_met`.
    pub fn wait_for(&self, id: u64, what: &str, is_met: impl Fn(&Value) -> bool) -> Value {
        until(what, || Some(self.source(id)).filter(|source| is_met(source)))
    }

    /// A value of the source with this id for Prometheus; none if there is no such value.
    pub fn metric(&self, name: &str, source: u64) -> Option<f64> {
        let begin = format!("{name}{{source=\"{source}\",");
        let text = self.get("/metrics").text();
        text.lines().find(|line| line.starts_with(&begin)).and_then(|line| line.rsplit(' ').next()?.parse().ok())
    }

    /// Resident memory of the process in KiB.
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls `look` until it returns a value, for at most [`PATIENCE`].
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The next message of any kind. A signal, such as that of a child process that has ended, may interrupt the system call.
pub fn receive(socket: &mut WebSocket<TcpStream>) -> tungstenite::Result<Message> {
    loop {
        match socket.read() {
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
            received => return received,
        }
    }
}

/// A message about a source.
pub enum Shown {
    Picture(Vec<u8>),
    Reading(Value),
}

/// The next message. A picture is acknowledged with `next`.
pub fn next(socket: &mut WebSocket<TcpStream>) -> Shown {
    loop {
        match receive(socket).expect("a message") {
            Message::Binary(picture) => {
                socket.send(Message::Text("next".into())).unwrap();
                return Shown::Picture(picture.to_vec());
            }
            Message::Text(reading) => return Shown::Reading(serde_json::from_str(&reading).unwrap()),
            _ => {}
        }
    }
}

/// Waits for a reading that fulfils the condition `is_met`.
pub fn reading(socket: &mut WebSocket<TcpStream>, what: &str, is_met: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Shown::Reading(reading) = next(socket)
            && is_met(&reading)
        {
            return reading;
        }
        assert!(Instant::now() < end, "timed out waiting for {what}");
    }
}

/// The labels of a reading, from left to right in the picture.
pub fn labels(reading: &Value) -> Vec<String> {
    let mut faces = reading["faces"].as_array().cloned().unwrap_or_default();
    faces.sort_by(|a, b| a["box"][0].as_f64().partial_cmp(&b["box"][0].as_f64()).unwrap());
    faces.iter().map(|face| face["label"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Takes a screenshot in the colour scheme `scheme`, once the page is drawn that way and `width` wide. Nothing moves in it.
pub fn take(page: &mut Browser, name: &str, width: u32, scheme: &str) {
    let features = json!([
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]);
    page.command("Emulation.setEmulatedMedia", json!({"features": features}));
    page.wait("the screen", &format!("innerWidth === {width} && matchMedia('(prefers-color-scheme: {scheme})').matches"));
    // What the page draws after a change of size is drawn in the next frame.
    page.run("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))");
    page.take(name);
}
