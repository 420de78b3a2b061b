//! A headless Chromium, driven by `WebDriver`.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

use super::{eventually, free_port};

/// A browser with an empty profile of its own; ends with this value.
pub(crate) struct Browser {
    pub(crate) page: Client,
    driver: Driver,
}

struct Driver {
    process: Child,
    port: u16,
    profile: TempDir,
}

/// What the reader of a page prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// What a page's scripts have asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) sent: u64,
    /// The most that were under way at the same time.
    pub(crate) at_once: u64,
    pub(crate) while_hidden: u64,
}

/// A script that stands between the page's scripts and `fetch`, and changes nothing there.
const COUNTING: &str = r"
  const [name] = arguments;
  const real = window.fetch;
  const counted = { sent: 0, atOnce: 0, whileHidden: 0 };
  const keep = () => localStorage.setItem(name, JSON.stringify(counted));
  let underWay = 0;
  keep();
  window.fetch = async (...request) => {
    underWay += 1;
    counted.sent += 1;
    counted.atOnce = Math.max(counted.atOnce, underWay);
    counted.whileHidden += Number(document.hidden);
    keep();
    try {
      return await real(...request);
    } finally {
      underWay -= 1;
    }
  };
";

impl Browser {
    pub(crate) async fn start(scheme: Scheme) -> Self {
        Self::start_with(scheme, &[]).await
    }

    /// With flags of the test's own.
    pub(crate) async fn start_with(scheme: Scheme, own: &[&str]) -> Self {
        let driver = Driver::start();
        let flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1024,768",
        ];
        let profile = format!("--user-data-dir={}", driver.profile.path().display());
        let flags = flags.iter().chain(own);
        let flags: Vec<_> = flags.copied().chain([profile.as_str()]).collect();
        let wanted = json!({
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(wanted) = wanted else {
            unreachable!()
        };
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .expect(
                "chromium cannot be started; `tests/run` installs it, or: apt-get install chromium",
            );
        let browser = Self { page, driver };
        browser.prefer(scheme).await;
        browser
    }

    /// Sets `prefers-color-scheme`; for the current tab.
    pub(crate) async fn prefer(&self, scheme: Scheme) {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        self.cdp(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] }),
        )
        .await;
    }

    /// Sets the size of the view, as a phone or a desktop has it.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 }),
        )
        .await;
    }

    /// Puts the current tab in front of the others, as a person does: those are hidden from then on.
    pub(crate) async fn bring_to_front(&self) {
        self.cdp("Page.bringToFront", json!({})).await;
    }

    /// Makes the current page count what its scripts ask for, under a name of the test's own.
    pub(crate) async fn count_requests(&self, name: &str) {
        let name = vec![Value::from(name)];
        self.page.execute(COUNTING, name).await.unwrap();
    }

    /// What a page of the same site has asked for since [`Self::count_requests`]. Looks from the current tab: to go
    /// to another would show it.
    pub(crate) async fn requests(&self, name: &str) -> Requests {
        let counted = self.evaluate(&format!("localStorage['{name}']")).await;
        let counted: Value = serde_json::from_str(counted.as_str().unwrap()).unwrap();
        let number = |name| counted[name].as_u64().unwrap();
        Requests {
            sent: number("sent"),
            at_once: number("atOnce"),
            while_hidden: number("whileHidden"),
        }
    }

    /// Runs no script of any page; for the current tab.
    pub(crate) async fn disable_scripts(&self) {
        self.cdp(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": true }),
        )
        .await;
    }

    async fn cdp(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.page
            .issue_cmd(ChromeCommand("goog/cdp/execute", body))
            .await
            .unwrap();
    }

    /// What the browser has written to its console since the last look.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self
            .page
            .issue_cmd(ChromeCommand("se/log", json!({ "type": "browser" })))
            .await
            .unwrap();
        let entries = entries.as_array().unwrap();
        entries
            .iter()
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    pub(crate) async fn open(&self, url: &str) {
        self.page.goto(url).await.unwrap();
    }

    pub(crate) async fn heading(&self) -> String {
        self.text("h1").await
    }

    pub(crate) async fn text(&self, selector: &str) -> String {
        let element = self.page.find(Locator::Css(selector)).await.unwrap();
        element.text().await.unwrap()
    }

    pub(crate) async fn has(&self, selector: &str) -> bool {
        !self
            .page
            .find_all(Locator::Css(selector))
            .await
            .unwrap()
            .is_empty()
    }

    pub(crate) async fn is_shown(&self, selector: &str) -> bool {
        let element = self.page.find(Locator::Css(selector)).await.unwrap();
        element.is_displayed().await.unwrap()
    }

    pub(crate) async fn wait_for_shown(&self, selector: &str) {
        for _ in 0..600 {
            if self.has(selector).await && self.is_shown(selector).await {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("waited 30 seconds for {selector}");
    }

    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let element = self.page.find(Locator::Css(selector)).await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    pub(crate) async fn click(&self, selector: &str) {
        let element = self.page.find(Locator::Css(selector)).await.unwrap();
        element.click().await.unwrap();
    }

    /// Signs in by the form.
    pub(crate) async fn sign_in(&self, site: &str, user: &str) {
        self.open(&format!("{site}/login/")).await;
        self.type_into("#username", user).await;
        self.click("main button").await;
        self.wait_for_heading(&format!("Welcome, {user}")).await;
    }

    pub(crate) async fn sign_out_and_in(&self, site: &str, user: &str) {
        self.open(&format!("{site}/logout/")).await;
        self.click("form[action='/logout/'] button").await;
        self.wait_for_heading("You are signed out").await;
        self.sign_in(site, user).await;
    }

    /// Waits for a page that comes by itself.
    pub(crate) async fn wait_for_heading(&self, heading: &str) {
        for _ in 0..600 {
            if let Ok(found) = self.page.find(Locator::Css("h1")).await
                && found.text().await.is_ok_and(|text| text == heading)
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!(
            "waited 30 seconds for {heading:?}; there is {:?}",
            self.page.source().await
        );
    }

    /// The answer of a script's expression.
    pub(crate) async fn evaluate(&self, expression: &str) -> Value {
        self.page
            .execute(&format!("return {expression}"), Vec::new())
            .await
            .unwrap()
    }

    /// Keeps a picture of the page beside the build, for people to look at.
    pub(crate) async fn picture(&self, name: &str) {
        let picture = self.page.screenshot().await.unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }

    /// Ends the browser; checks that nothing was written to its console.
    pub(crate) async fn finish(self) {
        assert_eq!(self.console().await, Vec::<String>::new());
        self.page.close().await.unwrap();
        drop(self.driver);
    }
}

impl Driver {
    fn start() -> Self {
        for _ in 0..10 {
            let port = free_port();
            let mut driver = Self {
                process: Command::new("chromedriver")
                    .arg(format!("--port={port}"))
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .expect(
                        "chromedriver cannot be started; `tests/run` installs it, or: apt-get install chromium-driver",
                    ),
                port,
                profile: tempfile::tempdir().unwrap(),
            };
            let up = eventually("chromedriver to listen", || {
                if driver.process.try_wait().unwrap().is_some() {
                    return Some(false);
                }
                TcpStream::connect(("127.0.0.1", port))
                    .is_ok()
                    .then_some(true)
            });
            if up {
                return driver;
            }
        }
        panic!("no port for chromedriver in ten tries");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked politely it ends its browsers too; a signal would leave them.
        super::http::request(self.port, "GET /shutdown", &[], "");
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A command of chromedriver's own: a path under the session, and a body.
#[derive(Debug)]
struct ChromeCommand(&'static str, Value);

impl WebDriverCompatibleCommand for ChromeCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.0
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}
