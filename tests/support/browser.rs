// SPDX-License-Identifier: MIT OR Apache-2.0
//! Headless Chromium, controlled by the DevTools protocol.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use crate::temporary;

/// Maximum waiting time, long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The path of Chromium (the Debian package chromium, or `CHROMIUM`). Without one, the test is recorded as skipped; in `make test`, which
/// installs it, the test fails.
pub fn chromium() -> Option<PathBuf> {
    let names = std::env::var_os("CHROMIUM").into_iter().chain(["chromium", "chromium-browser", "google-chrome"].map(Into::into));
    let runs = |name: &PathBuf| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    let found = names.map(PathBuf::from).find(runs);
    if found.is_none() {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "no chromium; `make test-packages` installs it");
        crate::left_out::note("no chromium; the package of that name has it");
    }
    found
}

/// A Chromium with one page open.
pub struct Browser {
    child: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: String,
    last_id: u64,
    /// Errors in the console of the page.
    pub complaints: Vec<String>,
    /// Prefix of the names of screenshots.
    name: String,
}

impl Browser {
    /// Starts `program` with `options` and its data in `profile`. Screenshots are saved in `target/tmp/` as `name`-….
    pub fn start(program: &Path, profile: &Path, options: &[&str], name: &str) -> Self {
        let mut child = Command::new(program)
            // The sandbox needs permissions that containers rarely have, and the page is our own.
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--mute-audio",
                "--lang=en",
            ])
            .arg("--remote-debugging-port=0")
            .args(options)
            .arg(format!("--user-data-dir={}", profile.display()))
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
        // Drains the rest of the output, so that the browser does not block on a full pipe.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        let (socket, _) = tungstenite::connect(address).unwrap();
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut browser = Self { child, socket, session: String::new(), last_id: 0, complaints: Vec::new(), name: name.into() };
        let target = browser.command("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.command("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Accessibility.enable"] {
            browser.command(domain, json!({}));
        }
        browser
    }

    /// Sends a command and returns its result.
    pub fn command(&mut self, method: &str, parameters: Value) -> Value {
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

    /// Controls without an accessible name.
    #[allow(dead_code)] // Not every test needs it.
    pub fn unnamed_controls(&mut self) -> Vec<String> {
        let tree = self.command("Accessibility.getFullAXTree", json!({}));
        let control_roles = ["button", "checkbox", "combobox", "DisclosureTriangle", "link", "radio", "searchbox", "switch", "textbox"];
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == false);
        let nodes = nodes.filter(|node| control_roles.contains(&node["role"]["value"].as_str().unwrap_or_default()));
        nodes.filter(|node| node["name"]["value"].as_str().unwrap_or_default().trim().is_empty()).map(Value::to_string).collect()
    }

    /// Memory of the page's process in MB, from which what it shares with other processes is taken in proportion.
    #[allow(dead_code)] // Not every test needs it.
    pub fn memory_mb(&mut self) -> u64 {
        // The tree for accessibility is there because of the tests.
        self.command("Accessibility.disable", json!({}));
        self.command("HeapProfiler.collectGarbage", json!({}));
        let session = std::mem::take(&mut self.session);
        let processes = self.command("SystemInfo.getProcessInfo", json!({}))["processInfo"].clone();
        self.session = session;
        let renderers = processes.as_array().unwrap().iter().filter(|process| process["type"] == "renderer");
        let memory_kib = |process: &Value| {
            let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", process["id"])).unwrap();
            let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        self.command("Accessibility.enable", json!({}));
        // The browser's first, empty page has a process too.
        renderers.map(memory_kib).max().unwrap() * 1024 / 1_000_000
    }

    /// Evaluates an expression. If it is a promise, waits for its value.
    pub fn run(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true});
        let result = self.command("Runtime.evaluate", parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true. On a timeout, it fails with the text of the page and saves a screenshot.
    pub fn wait(&mut self, what: &str, expression: &str) {
        let end = Instant::now() + PATIENCE;
        while self.run(expression) != true {
            if Instant::now() > end {
                self.take("failure");
                let shown = self.run("document.body.innerText");
                panic!("timed out waiting for {what}; the page shows {shown}, its console {:?}", self.complaints);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Sets the size of the screen in CSS pixels, and the number of device pixels per CSS pixel.
    pub fn resize(&mut self, width: u32, height: u32, scale: f64) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": scale > 1.5});
        self.command("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Saves a screenshot.
    pub fn take(&mut self, name: &str) {
        let picture = self.command("Page.captureScreenshot", json!({"format": "png"}));
        let picture = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(temporary().join(format!("{}-{name}.png", self.name)), picture).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
