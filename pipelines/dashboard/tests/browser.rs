// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page in a real browser: headless Chromium, whose camera shows the average faces, spoken to over the DevTools
//! protocol. Where there is no Chromium (Debian: chromium; `CHROMIUM` names another) the test says so and passes.
//!
//! Pictures of the page are left in `target/tmp/`.

mod support;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};
use support::{Dashboard, Folder, fetched};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

#[test]
fn the_page_in_chromium() {
    let Some(program) = chromium() else {
        println!("skipped: no chromium; the package of that name has it");
        return;
    };
    if !fetched() {
        return;
    }
    let dashboard = Dashboard::start("chromium", &[]);
    let clip = dashboard.folder.0.join("camera.mjpeg");
    support::write_mjpeg(&clip);
    let mut page = Browser::start(&program, &clip);
    page.resize(1366, 900, 1.0);
    page.command("Page.navigate", json!({"url": format!("http://{}/", dashboard.address)}));
    page.wait("the page", "document.querySelector('#empty')?.hidden === false");
    page.take("empty");

    // Grants the camera and sees itself.
    page.run("document.querySelector('#add').click()");
    page.wait("the dialog", "document.querySelector('#adding').open");
    page.take("dialog");
    page.run("document.querySelector('#adding [name=name]').value = 'Kitchen <i>table</i>'");
    page.run("document.querySelector('#adding [type=submit]').click()");
    page.wait("a tile that is live", "document.querySelector('.tile')?.dataset.state === 'playing'");
    let names = "[...document.querySelectorAll('.person .label b')].map((b) => b.textContent).sort().join()";
    page.wait("the right labels", &format!("{names} === 'happiness,neutral'"));
    assert_eq!(page.run("document.querySelector('.tile h2').textContent"), "Kitchen <i>table</i>", "a name is text");
    assert_eq!(page.run("document.querySelector('#sharing').hidden"), false);
    page.wait("the picture", "document.querySelector('.picture').width === 640");

    // Loaded anew, the tab goes on with its camera.
    page.command("Page.reload", json!({}));
    page.wait("the camera after a reload", "document.querySelector('#sharing')?.hidden === false");
    page.wait("the right labels after a reload", &format!("{names} === 'happiness,neutral'"));
    assert_eq!(page.run("document.querySelectorAll('.tile').length"), 1);

    // The timeline grows.
    let points = "page.tiles.get(1).past.data.points.length";
    page.wait("a timeline", &format!("{points} > 1"));
    let before = page.run(points).as_u64().unwrap();
    page.wait("a longer timeline", &format!("{points} > {}", before + 1));
    page.wait("a timeline in words", "document.querySelector('.timeline').getAttribute('aria-label').includes('mostly')");
    page.wait("a past to scroll back to", &format!("{points} > 8"));
    page.run("document.querySelector('.timeline').dispatchEvent(new KeyboardEvent('keydown', {key: 'PageUp'}))");
    page.wait("the way back to the present", "document.querySelector('.now').hidden === false");
    page.run("document.querySelector('.now').click()");

    // Every download that is offered parses.
    let links = page.run("[...document.querySelectorAll('.tile a')].filter((a) => !a.parentElement.hidden).map((a) => a.href)");
    let links: Vec<_> = links.as_array().unwrap().iter().map(|link| link.as_str().unwrap().to_owned()).collect();
    assert!(links.len() >= 5, "{links:?}");
    for link in &links {
        let text = page.run(&format!("fetch('{link}').then((answer) => answer.ok ? answer.text() : answer.status)"));
        parses(link, text.as_str().unwrap_or_else(|| panic!("{link}: {text}")));
    }

    // Other words.
    page.run("{ const choice = document.querySelector('#language'); choice.value = 'de'; choice.onchange() }");
    page.wait("German labels", &format!("{names} === 'Freude,neutral'"));
    page.run("{ const choice = document.querySelector('#language'); choice.value = 'en'; choice.onchange() }");

    assert_eq!(page.nameless(), Vec::<String>::new(), "everything that can be pressed has a name");
    page.take_all("one");

    // Only the room.
    page.run("document.querySelector('[data-switch=aggregate_only]').click()");
    page.wait("the room alone", "document.querySelector('.nobody').textContent === 'Only the room is shown'");
    assert_eq!(page.run("document.querySelectorAll('.person').length"), 0);
    page.run("document.querySelector('[data-switch=aggregate_only]').click()");
    page.wait("people again", &format!("{names} === 'happiness,neutral'"));

    // Several sources, one of them dead.
    for body in [
        json!({"kind": "file", "address": "clip.avi", "name": "Hall"}),
        json!({"kind": "rtsp", "address": "rtsp://127.0.0.1:1/", "name": "Door"}),
    ] {
        assert_eq!(dashboard.post("/api/sources", &body).status, 201);
    }
    page.wait("a tile that failed", "document.querySelector('.tile[data-state=failed] .notice p')?.textContent.length > 5");
    page.wait("two tiles that are live", "document.querySelectorAll('.tile[data-state=playing]').length === 2");
    page.wait("faces in both", "document.querySelectorAll('.person').length === 4");
    page.take_all("several");
    page.resize(1920, 1080, 1.0);
    page.run("document.querySelector('#wall').click()");
    page.wait("a screen with nothing to press", "getComputedStyle(document.querySelector('.controls')).display === 'none'");
    page.take("hung-on-a-wall");
    page.run("document.querySelector('#wall').click()");
    page.wait("the controls again", "getComputedStyle(document.querySelector('.controls')).display !== 'none'");

    // Whoever takes the camera away gets it back by hand only.
    page.run("document.querySelector('#sharing button').click()");
    page.wait("a source that waits", "document.querySelector('.tile').dataset.state === 'waiting'");
    for _ in 0..2 {
        page.run("document.querySelector('.tile .remove').click()");
    }
    page.wait("one tile less", "document.querySelectorAll('.tile').length === 2");
    // But for what was asked of the source while it was taken away.
    page.complaints.retain(|complaint| !(complaint.contains("404") && complaint.contains("/api/sources/1/")));
    assert_eq!(page.complaints, Vec::<String>::new());
}

fn parses(link: &str, text: &str) {
    match link.rsplit('.').next() {
        Some("ndjson") => {
            assert!(text.lines().count() > 0, "{link} is empty");
            text.lines().for_each(|line| assert!(serde_json::from_str::<Value>(line).is_ok(), "{link}: {line}"));
        }
        Some("csv") => assert!(csv::Reader::from_reader(text.as_bytes()).records().all(|row| row.is_ok()), "{link}"),
        Some("html") => assert!(text.contains("happiness") && text.trim_end().ends_with("</html>"), "{link}"),
        Some("jpg") => assert!(!text.is_empty(), "{link}"),
        _ => panic!("{link} is of no known kind"),
    }
}

fn chromium() -> Option<PathBuf> {
    let names = std::env::var_os("CHROMIUM").into_iter().chain(["chromium", "chromium-browser", "google-chrome"].map(Into::into));
    names.map(PathBuf::from).find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()))
}

/// A Chromium with one page open.
struct Browser {
    child: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: String,
    last_id: u64,
    /// Errors that the page left in the console.
    complaints: Vec<String>,
    _profile: Folder,
}

impl Browser {
    fn start(program: &Path, clip: &Path) -> Self {
        let profile = Folder::new("chromium-profile");
        let mut child = Command::new(program)
            // A sandbox needs what containers rarely grant; the page is our own.
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--mute-audio",
                "--lang=en",
            ])
            .args(["--remote-debugging-port=0", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])
            .arg(format!("--use-file-for-fake-video-capture={}", clip.display()))
            .arg(format!("--user-data-dir={}", profile.0.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(errors.read_line(&mut line).unwrap() > 0, "chromium ended");
            if let Some(address) = line.trim().strip_prefix("DevTools listening on ") {
                break address.to_owned();
            }
        };
        // It has more to say, and nobody who reads it.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        let (socket, _) = tungstenite::connect(address).unwrap();
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
        }
        let mut browser = Self { child, socket, session: String::new(), last_id: 0, complaints: Vec::new(), _profile: profile };
        let target = browser.command("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.command("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Accessibility.enable"] {
            browser.command(domain, json!({}));
        }
        browser
    }

    /// Sends a command and returns its result.
    fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        self.socket.send(Message::Text(message.to_string().into())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().expect("an answer of chromium") else { continue };
            let answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.last_id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.complaints.push(event["params"]["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if event["params"]["entry"]["level"] == "error" => {
                self.complaints.push(event["params"]["entry"].to_string());
            }
            _ => {}
        }
    }

    /// The value of an expression, waited for if it is promised.
    fn run(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true});
        let result = self.command("Runtime.evaluate", parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true; fails with what the page shows instead, and a picture of it.
    fn wait(&mut self, what: &str, expression: &str) {
        let end = Instant::now() + support::PATIENCE;
        while self.run(expression) != true {
            if Instant::now() > end {
                self.take("failure");
                let shown = self.run("document.body.innerText");
                panic!("waited in vain for {what}; the page says {shown}, its console {:?}", self.complaints);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn resize(&mut self, width: u32, height: u32, scale: f64) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": scale > 1.5});
        self.command("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// A picture of what is to be seen.
    fn take(&mut self, name: &str) {
        let picture = self.command("Page.captureScreenshot", json!({"format": "png"}));
        let picture = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dashboard-{name}.png")), picture).unwrap();
    }

    /// Pictures on a phone, a laptop and a wall, light and dark. Nothing may stand out at the side.
    fn take_all(&mut self, name: &str) {
        for (screen, width, height, scale) in [("phone", 390, 844, 2.0), ("laptop", 1366, 900, 1.0), ("wall", 2560, 1440, 1.0)] {
            self.resize(width, height, scale);
            for scheme in ["light", "dark"] {
                let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
                self.command("Emulation.setEmulatedMedia", json!({"features": features}));
                std::thread::sleep(Duration::from_millis(1500));
                self.take(&format!("{name}-{screen}-{scheme}"));
            }
            assert_eq!(self.run("document.documentElement.scrollWidth <= innerWidth"), true, "{name} on a {screen} is too wide");
        }
        self.resize(1366, 900, 1.0);
    }

    /// Buttons, links and fields that a screen reader has no name for.
    fn nameless(&mut self) -> Vec<String> {
        let tree = self.command("Accessibility.getFullAXTree", json!({}));
        let pressed = ["button", "link", "switch", "combobox", "textbox", "radio", "DisclosureTriangle"];
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == false);
        let nodes = nodes.filter(|node| pressed.contains(&node["role"]["value"].as_str().unwrap_or_default()));
        nodes.filter(|node| node["name"]["value"].as_str().unwrap_or_default().trim().is_empty()).map(Value::to_string).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
