//! A headless Chromium, controlled by ChromeDriver with the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>).
//!
//! Each step is repeated until it succeeds, since pages load at their own pace.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::support::bridge::{PATIENCE, until};

/// Disables windows and background requests. The sandbox is off, since it does not work for root.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=900,700",
];

/// A browser with an empty profile. It is closed when dropped.
#[derive(Debug)]
pub(crate) struct Chromium {
    agent: Agent,
    /// The URL of the WebDriver session.
    session: String,
    // Dropped in this order.
    _driver: ChromeDriver,
    _profile: TempDir,
}

impl Chromium {
    pub(crate) fn open() -> Self {
        let (driver, profile) = (ChromeDriver::start(), tempfile::tempdir().unwrap());
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}});
        let settings = Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(PATIENCE));
        let agent = Agent::new_with_config(settings.build());
        let opened = agent.post(format!("{}/session", driver.url)).send_json(json!({"capabilities": capabilities}));
        let id = read(opened).unwrap()["sessionId"].as_str().unwrap().to_owned();
        Self { agent, session: format!("{}/session/{id}", driver.url), _driver: driver, _profile: profile }
    }

    #[track_caller]
    pub(crate) fn go_to(&self, url: &str) {
        self.post("/url", json!({"url": url})).unwrap();
    }

    #[track_caller]
    pub(crate) fn click(&self, css: &str) {
        self.with_element(css, |element| self.post(&format!("{element}/click"), json!({})));
    }

    #[track_caller]
    pub(crate) fn type_into(&self, css: &str, text: &str) {
        self.with_element(css, |element| self.post(&format!("{element}/value"), json!({"text": text})));
    }

    /// Returns the visible text of an element.
    #[track_caller]
    pub(crate) fn text(&self, css: &str) -> String {
        let text = self.with_element(css, |element| self.get(&format!("{element}/text")));
        text.as_str().unwrap().to_owned()
    }

    /// Returns whether the page has this element now.
    pub(crate) fn has(&self, css: &str) -> bool {
        self.find(css).is_ok()
    }

    /// Returns the URL of the page.
    pub(crate) fn url(&self) -> String {
        self.get("/url").unwrap().as_str().unwrap().to_owned()
    }

    /// Deletes a cookie of the page.
    pub(crate) fn forget_cookie(&self, name: &str) {
        self.delete(&format!("/cookie/{name}")).unwrap();
    }

    /// Writes a PNG picture of an element.
    pub(crate) fn picture(&self, css: &str, file: &Path) {
        let picture = self.with_element(css, |element| self.get(&format!("{element}/screenshot")));
        write_picture(&picture, file);
    }

    /// Shows pages as in a window of this size, in the dark or the light colours.
    pub(crate) fn set_window(&self, (width, height): (u32, u32), is_dark: bool) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let scheme = if is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        for (command, parameters) in
            [("Emulation.setDeviceMetricsOverride", size), ("Emulation.setEmulatedMedia", media)]
        {
            self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters})).unwrap();
        }
    }

    /// Runs a script in the page, and returns its value.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []})).unwrap()
    }

    /// Writes a PNG picture of the window.
    pub(crate) fn picture_of_window(&self, file: &Path) {
        write_picture(&self.get("/screenshot").unwrap(), file);
    }

    /// Waits for an element and applies an action, which is repeated if the page changes meanwhile.
    #[track_caller]
    fn with_element(&self, css: &str, act: impl Fn(&str) -> Result<Value, String>) -> Value {
        let mut problem = String::new();
        let done = until(|| self.find(css).and_then(|element| act(&element)).map_err(|error| problem = error).ok());
        done.unwrap_or_else(|| {
            let page = self.get("/source");
            panic!("{css:?} at {}: {problem}\n{}", self.url(), page.unwrap_or_default().as_str().unwrap_or_default())
        })
    }

    fn find(&self, css: &str) -> Result<String, String> {
        let found = self.post("/element", json!({"using": "css selector", "value": css}))?;
        let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        Ok(format!("/element/{}", id.unwrap()))
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        read(self.agent.get(format!("{}{path}", self.session)).call())
    }

    fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        read(self.agent.post(format!("{}{path}", self.session)).send_json(body))
    }

    fn delete(&self, path: &str) -> Result<Value, String> {
        read(self.agent.delete(format!("{}{path}", self.session)).call())
    }
}

fn write_picture(picture: &Value, file: &Path) {
    std::fs::write(file, STANDARD.decode(picture.as_str().unwrap()).unwrap()).unwrap();
}

/// Returns the folder for pictures, which is set by `cargo xtask screenshots` only.
#[expect(clippy::disallowed_methods, reason = "`cargo xtask screenshots` names the folder by a variable")]
pub(crate) fn pictures() -> Option<PathBuf> {
    std::env::var_os("IDP_BRIDGE_SCREENSHOTS").map(|folder| Path::new(&folder).to_owned())
}

/// Returns the value of ChromeDriver's answer, or its error message.
fn read(answered: Result<Response<Body>, ureq::Error>) -> Result<Value, String> {
    let mut response = answered.map_err(|error| error.to_string())?;
    let mut answer: Value = response.body_mut().read_json().map_err(|error| error.to_string())?;
    let value = answer["value"].take();
    if response.status() == 200 { Ok(value) } else { Err(value["message"].as_str().unwrap_or_default().to_owned()) }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // ChromeDriver does not close its browser by itself. Errors are ignored, since the test has ended.
        let _ = self.delete("");
    }
}

/// The ChromeDriver process.
#[derive(Debug)]
struct ChromeDriver {
    child: Child,
    url: String,
}

impl ChromeDriver {
    /// Starts ChromeDriver on a free port.
    fn start() -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("no ChromeDriver ({error}); run `cargo xtask test`, or `apt-get install chromium-driver`")
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port =
            lines.find_map(|line| Some(line.split_once("successfully on port ")?.1.trim_end_matches('.').to_owned()));
        // Further output is read and dropped, so that ChromeDriver does not block.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url: format!("http://127.0.0.1:{}", port.expect("ChromeDriver starts")) }
    }
}

impl Drop for ChromeDriver {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
