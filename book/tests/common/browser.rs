//! A headless Chromium, driven through chromedriver by the few WebDriver commands that the tests
//! of the player need.

#![allow(dead_code)] // Each test program uses its own part.

use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A browser with one window. It ends with the value.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

/// The key codes of WebDriver that the player listens to.
pub const RIGHT: &str = "\u{e014}";
pub const LEFT: &str = "\u{e012}";
pub const HOME: &str = "\u{e011}";
pub const END: &str = "\u{e010}";

impl Browser {
    /// Starts the browser. Where it is missing: `None` after a printed word on a user's machine, a
    /// panic where `CI` is `true`.
    pub fn start() -> Option<Self> {
        let spawned = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match spawned {
            Ok(driver) => driver,
            Err(error) => return missing(&error.to_string()),
        };
        let port = port(&mut driver);
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let mut browser = Self { driver, port, session: String::new(), _profile: profile };
        match browser.open_session() {
            Ok(()) => Some(browser),
            Err(reason) => missing(&reason),
        }
    }

    /// Opens the browser's window.
    fn open_session(&mut self) -> Result<(), String> {
        let data = format!("--user-data-dir={}", self._profile.path().display());
        let options = json!({"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--window-size=1280,1000", data,
        ]});
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let answer = self.ask("POST", "/session", &wanted).map_err(|error| error.to_string())?;
        let id = answer["value"]["sessionId"].as_str().ok_or_else(|| answer.to_string())?;
        self.session = format!("/session/{id}");
        Ok(())
    }

    /// Sends one command; a WebDriver error fails the test.
    fn request(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(method, path, body);
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path} {body}: {error}"));
        let value = answer["value"].clone();
        assert!(value.get("error").is_none(), "{method} {path} {body}: {value}");
        value
    }

    /// Sends one command and waits for its answer.
    fn ask(&self, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        read_answer(stream)
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        self.request("POST", &format!("{}/{command}", self.session), body)
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// Runs a function body in the page; `arguments` are its arguments.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("execute/sync", &json!({"script": script, "args": arguments}))
    }

    /// Clicks on the one element that a selector finds, as a mouse does.
    pub fn click(&self, selector: &str) {
        let found = self.post("element", &json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|object| object.values().next());
        let id = id.and_then(Value::as_str).expect("an element");
        self.post(&format!("element/{id}/click"), &json!({}));
    }

    /// Presses a key where the focus is.
    pub fn press(&self, key: &str) {
        let strokes = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        let actions = json!([{"type": "key", "id": "keys", "actions": strokes}]);
        self.post("actions", &json!({ "actions": actions }));
    }

    /// Sends a command of Chromium's own protocol.
    pub fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Ends the browser too; a test that failed has a failure to tell already.
            let _ = self.ask("DELETE", &self.session, &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// There is no browser: a panic where one is required, or else a word that is printed even if the
/// test's own output is kept back.
fn missing(reason: &str) -> Option<Browser> {
    let required = std::env::var("CI").is_ok_and(|value| value == "true");
    let advice = "install Debian's chromium and chromium-driver, or what your system calls them";
    assert!(!required, "no headless browser ({reason}); {advice}");
    let _ = writeln!(io::stderr(), "skipped: no headless browser ({reason}); {advice}");
    None
}

/// The port that chromedriver says it listens on.
fn port(driver: &mut Child) -> u16 {
    let mut output = BufReader::new(driver.stdout.take().expect("its output"));
    let mut line = String::new();
    while output.read_line(&mut line).expect("its output") > 0 {
        if let Some((_, rest)) = line.split_once("successfully on port ") {
            let port = rest.trim_end().trim_end_matches('.').parse().expect("a port");
            // Keeps the pipe open, or else its next line would end chromedriver.
            std::thread::spawn(move || io::copy(&mut output, &mut io::sink()));
            return port;
        }
        line.clear();
    }
    panic!("chromedriver ended before it listened");
}

/// Reads the body of an answer as JSON.
fn read_answer(stream: TcpStream) -> io::Result<Value> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    serde_json::from_slice(&body).map_err(io::Error::other)
}
