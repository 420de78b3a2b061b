//! The whole round in a real browser.

use crate::support::browser::{Browser, Scheme};
use crate::support::program::Program;
use crate::support::redis::RedisServer;

const SCHEMES: [(Scheme, &str); 2] = [(Scheme::Light, "light"), (Scheme::Dark, "dark")];

#[tokio::test]
async fn a_person_signs_in_reloads_opens_a_tab_signs_out_and_goes_back() {
    let redis = RedisServer::start();
    for (variables, scheme) in [
        (&[][..], Scheme::Light),
        (&[("REDIS_URL", redis.url().as_str())], Scheme::Dark),
    ] {
        let program = Program::start(variables);
        let site = program.url();
        let browser = Browser::start(scheme).await;

        browser.open(&site).await;
        assert_eq!(browser.heading().await, "Sign in");
        browser.type_into("#username", "Zo\u{eb} & <b>").await;
        browser.click("main button").await;
        browser.wait_for_heading("Welcome, Zo\u{eb} & <b>").await;
        assert_eq!(
            browser.page.current_url().await.unwrap().path(),
            "/profile/"
        );
        let left = browser.text("#countdown").await;
        assert!(left == "15:00" || left.starts_with("14:"), "{left}");

        browser.page.refresh().await.unwrap();
        browser.wait_for_heading("Welcome, Zo\u{eb} & <b>").await;

        let first = browser.page.window().await.unwrap();
        let second = browser.page.new_window(true).await.unwrap().handle;
        browser.page.switch_to_window(second).await.unwrap();
        browser.open(&format!("{site}/profile/")).await;
        assert_eq!(browser.heading().await, "Welcome, Zo\u{eb} & <b>");

        browser.click("form[action='/logout/'] button").await;
        browser.wait_for_heading("You are signed out").await;
        browser.page.back().await.unwrap();
        browser.wait_for_heading("Sign in").await;
        assert!(!browser.page.source().await.unwrap().contains("Welcome"));

        // The other tab has heard of it, without being touched.
        browser.page.switch_to_window(first).await.unwrap();
        browser.wait_for_heading("Sign in").await;
        assert_eq!(
            browser.text(".notice").await,
            "You signed out in another tab."
        );
        browser.finish().await;
    }
}

#[tokio::test]
async fn two_browsers_see_each_other_and_the_one_that_is_ended_says_why_by_itself() {
    let redis = RedisServer::start();
    let redis_url = redis.url();
    for variables in [&[][..], &[("REDIS_URL", redis_url.as_str())]] {
        let program = Program::start(variables);
        let site = program.url();
        let (here, there) = (
            Browser::start(Scheme::Light).await,
            Browser::start(Scheme::Dark).await,
        );
        here.sign_in(&site, "abdullah").await;
        there.sign_in(&site, "abdullah").await;
        let second = there.page.new_window(true).await.unwrap().handle;
        let first = there.page.window().await.unwrap();
        there.page.switch_to_window(second.clone()).await.unwrap();
        there.open(&format!("{site}/sessions/")).await;

        here.click("a[href='/sessions/']").await;
        here.wait_for_heading("Your sessions").await;
        assert_eq!(
            here.text("li:first-child h2").await,
            "Chrome on Linux This device"
        );
        here.click("li:nth-child(2) button").await;
        here.wait_for_heading("Your sessions").await;
        for tab in [second, first] {
            there.page.switch_to_window(tab).await.unwrap();
            there.wait_for_heading("Sign in").await;
            let notice = there.text(".notice").await;
            assert!(
                notice.contains("You were signed out from Chrome on Linux"),
                "{notice}"
            );
        }
        there.type_into("#username", "abdullah").await;
        there.click("main button").await;
        there.wait_for_heading("Welcome, abdullah").await;
        for browser in [here, there] {
            browser.finish().await;
        }
    }
}

#[tokio::test]
async fn before_the_end_there_is_a_warning_and_a_button_to_stay() {
    let program = Program::start(&[("INNKEEPER_IDLE_TIMEOUT_SECS", "10")]);
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&program.url(), "abdullah").await;
    assert!(!browser.is_shown("#expiry-warning").await);
    browser.wait_for_shown("#expiry-warning").await;
    assert!(
        browser
            .text("#expiry-warning")
            .await
            .starts_with("Your session ends in 0:0")
    );
    browser.picture("warning-light-desktop").await;
    browser.click("#stay").await;
    for _ in 0..100 {
        if !browser.is_shown("#expiry-warning").await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(!browser.is_shown("#expiry-warning").await);
    browser.wait_for_shown("#expiry-warning").await;
    // An open page does not keep its visitor signed in.
    browser.wait_for_heading("Sign in").await;
    browser.finish().await;
}

#[tokio::test]
async fn a_session_that_ends_is_explained_in_every_tab() {
    let program = Program::start(&[("INNKEEPER_IDLE_TIMEOUT_SECS", "3")]);
    let site = program.url();
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&site, "abdullah").await;
    let first = browser.page.window().await.unwrap();
    let second = browser.page.new_window(true).await.unwrap().handle;
    browser.page.switch_to_window(second.clone()).await.unwrap();
    browser.open(&format!("{site}/profile/")).await;
    for tab in [second, first] {
        browser.page.switch_to_window(tab).await.unwrap();
        browser.wait_for_heading("Sign in").await;
        assert_eq!(
            browser.text(".notice").await,
            "Your session has ended, please sign in again. Sessions end after 3 seconds without activity, \
             and 12 hours after sign-in."
        );
    }
    browser.picture("ended-light-desktop").await;

    browser.type_into("#username", "abdullah").await;
    browser.click("main button").await;
    browser.wait_for_heading("Welcome, abdullah").await;
    browser.finish().await;
}

#[tokio::test]
async fn activity_in_one_tab_moves_the_end_in_all() {
    let program = Program::start(&[("INNKEEPER_IDLE_TIMEOUT_SECS", "5")]);
    let site = program.url();
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&site, "abdullah").await;
    let first = browser.page.window().await.unwrap();
    let ends = "document.getElementById('ends').isConnected && performance.timeOrigin";
    let loaded = browser.evaluate(ends).await;

    let second = browser.page.new_window(true).await.unwrap().handle;
    browser.page.switch_to_window(second).await.unwrap();
    for _ in 0..4 {
        browser.open(&format!("{site}/profile/")).await;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    browser.page.switch_to_window(first).await.unwrap();
    assert_eq!(browser.heading().await, "Welcome, abdullah");
    assert_eq!(
        browser.evaluate(ends).await,
        loaded,
        "the first tab loaded its page again"
    );
    browser.finish().await;
}

#[tokio::test]
async fn a_form_that_was_sent_from_another_site_does_nothing() {
    let (ours, theirs) = (Program::start(&[]), Program::start(&[]));
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&ours.url(), "abdullah").await;
    // `localhost` and 127.0.0.1 are different sites to a browser.
    browser
        .open(&format!("http://localhost:{}/nowhere", theirs.port()))
        .await;
    let cross_site = format!(
        "(() => {{ const form = document.createElement('form'); form.method = 'post'; \
         form.action = '{}/logout/'; document.body.append(form); form.submit(); }})()",
        ours.url()
    );
    browser.evaluate(&cross_site).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    browser.open(&format!("{}/profile/", ours.url())).await;
    assert_eq!(browser.heading().await, "Welcome, abdullah");
}

/// The page's form of an operation, opened.
async fn open_form(browser: &Browser, operation: &str) -> String {
    browser.click(&format!("#{operation} summary")).await;
    format!("#{operation} .try")
}

#[tokio::test]
async fn every_address_can_be_tried_from_the_docs() {
    let program = Program::start(&[]);
    let site = program.url();
    for (scheme, scheme_name) in SCHEMES {
        let browser = Browser::start(scheme).await;
        for (width, height, size) in [(360, 740, "phone"), (1280, 1600, "desktop")] {
            browser.resize(width, height).await;
            browser.page.delete_all_cookies().await.unwrap();
            let check = async |page: &str| {
                let name = format!("{page}-{scheme_name}-{size}");
                assert_readable(&browser, width, &name).await;
            };
            browser.open(&format!("{site}/docs")).await;
            assert_eq!(browser.heading().await, "Addresses");
            check("docs").await;

            let login = open_form(&browser, "login_submit").await;
            check("docs-open").await;
            browser.click(&format!("{login} button")).await;
            browser.wait_for_shown(&format!("{login} .answer h3")).await;
            assert_eq!(browser.text(&format!("{login} .answer h3")).await, "200 OK");
            let answer = browser.text(&format!("{login} .answer")).await;
            assert!(answer.contains("Logged in successfully"), "{answer}");
            assert!(
                answer.contains("content-type: application/json"),
                "{answer}"
            );
            check("docs-tried").await;

            let profile = open_form(&browser, "profile_page").await;
            browser.click(&format!("{profile} button")).await;
            browser
                .wait_for_shown(&format!("{profile} .answer h3"))
                .await;
            assert_eq!(
                browser.text(&format!("{profile} .answer h3")).await,
                "200 OK"
            );
            let answer = browser.text(&format!("{profile} .answer")).await;
            assert!(answer.contains("\"user\": \"abdullah\""), "{answer}");
            // Not even here does a page contain the session's id.
            let id = browser.page.get_named_cookie("session_id").await.unwrap();
            assert!(!browser.page.source().await.unwrap().contains(id.value()));
        }
        browser.finish().await;
    }
}

/// Everything that can be reached and pressed, in its order, and that the focus can be seen there.
#[tokio::test]
async fn the_keyboard_reaches_everything() {
    let program = Program::start(&[]);
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&program.url(), "abdullah").await;
    let mut reached = Vec::new();
    for _ in 0..6 {
        browser.type_into("html", "\u{e004}").await;
        let outline = "getComputedStyle(document.activeElement).outlineStyle";
        assert_eq!(browser.evaluate(outline).await, "solid");
        let text = browser
            .evaluate("document.activeElement.textContent.trim()")
            .await;
        reached.push(text.as_str().unwrap().to_owned());
    }
    assert_eq!(
        reached,
        [
            "Skip to content",
            "Innkeeper",
            "Sign out",
            "Profile",
            "Sessions",
            "Sign out"
        ]
    );
    browser.finish().await;
}

#[tokio::test]
async fn every_page_fits_and_can_be_read_in_both_schemes() {
    let program = Program::start(&[]);
    let site = program.url();
    let longest = "W".repeat(64);
    for (scheme, scheme_name) in SCHEMES {
        let browser = Browser::start(scheme).await;
        for (width, height, size) in [(360, 740, "phone"), (1280, 800, "desktop")] {
            browser.resize(width, height).await;
            browser.page.delete_all_cookies().await.unwrap();
            let check = async |page: &str| {
                let name = format!("{page}-{scheme_name}-{size}");
                assert_readable(&browser, width, &name).await;
            };
            browser.open(&format!("{site}/login/?ended=1")).await;
            check("login").await;
            browser.open(&format!("{site}/login/")).await;
            browser.type_into("#username", " abdullah").await;
            browser.click("main button").await;
            browser.wait_for_shown("#username-problem").await;
            check("mistake").await;
            browser.open(&format!("{site}/nowhere")).await;
            check("not-found").await;
            browser.sign_in(&site, &longest).await;
            check("profile-longest").await;
            browser.sign_out_and_in(&site, "abdullah").await;
            check("profile").await;
            browser.open(&format!("{site}/sessions/")).await;
            check("sessions").await;
            browser.open(&format!("{site}/logout/")).await;
            check("logout").await;
            browser.click("form[action='/logout/'] button").await;
            browser.wait_for_heading("You are signed out").await;
            check("signed-out").await;
        }
        // What a page that answers 404 or 422 writes there is the browser's own remark on the status.
        let console = browser.console().await;
        let remarks = |line: &String| !line.contains("the server responded with a status of 4");
        assert_eq!(
            console.into_iter().filter(remarks).collect::<Vec<_>>(),
            Vec::<String>::new()
        );
    }
}

/// And keeps a picture under that name.
pub(crate) async fn assert_readable(browser: &Browser, width: u32, name: &str) {
    let wide = browser
        .evaluate("document.documentElement.scrollWidth")
        .await;
    assert!(
        wide.as_u64().unwrap() <= u64::from(width),
        "{name}: {wide} wide"
    );
    let faint = browser.evaluate(FAINT_TEXTS).await;
    assert_eq!(faint, serde_json::json!([]), "{name}");
    browser.picture(name).await;
}

/// The texts whose contrast is under 4.5 to 1 (WCAG 2.2, 1.4.3), with their ratio.
const FAINT_TEXTS: &str = r"(() => {
  const channels = (text) => {
    const found = text.match(/[\d.]+/g).map(Number);
    return found.length === 4 && found[3] === 0 ? null : found;
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => element
    ? channels(getComputedStyle(element).backgroundColor) ?? behind(element.parentElement)
    : [255, 255, 255];
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own) continue;
    const [one, other] = [luminance(channels(getComputedStyle(element).color)), luminance(behind(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) faint.push(`${element.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return faint;
})()";
