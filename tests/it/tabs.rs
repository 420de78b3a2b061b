//! What the tabs of a real browser ask for by themselves, and what they tell each other.

use std::time::Duration;

use fantoccini::wd::WindowHandle;

use crate::support::browser::{Browser, Requests, Scheme};
use crate::support::program::Program;
use crate::support::redis::RedisServer;

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Opens a page in a tab of its own, in front of the others.
async fn open_tab(browser: &Browser, url: &str) {
    let tab = browser.page.new_window(true).await.unwrap().handle;
    browser.page.switch_to_window(tab).await.unwrap();
    browser.open(url).await;
    browser.bring_to_front().await;
}

async fn go_to(browser: &Browser, tab: WindowHandle) {
    browser.page.switch_to_window(tab).await.unwrap();
    browser.bring_to_front().await;
}

#[tokio::test]
async fn the_page_in_front_asks_now_and_then_and_a_hidden_one_never() {
    let program = Program::start(&[]);
    let profile = format!("{}/profile/", program.url());
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&program.url(), "abdullah").await;
    browser.count_requests("behind").await;
    let behind = browser.page.window().await.unwrap();
    open_tab(&browser, &profile).await;
    browser.count_requests("front").await;

    seconds(40).await;
    let asked = browser.requests("front").await;
    assert!((1..=3).contains(&asked.sent), "{asked:?}");
    assert_eq!((asked.at_once, asked.while_hidden), (1, 0));
    assert_eq!(browser.requests("behind").await, Requests::default());

    // Shown, it asks at once.
    go_to(&browser, behind).await;
    for _ in 0..100 {
        if browser.requests("behind").await.sent > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let asked = browser.requests("behind").await;
    assert_eq!((asked.sent, asked.while_hidden), (1, 0));
    browser.finish().await;
}

#[tokio::test]
async fn a_server_that_hangs_and_one_that_is_gone_are_asked_less_and_less() {
    let variables = [("INNKEEPER_IDLE_TIMEOUT_SECS", "3")];
    let mut program = Program::start(&variables);
    let profile = format!("{}/profile/", program.url());
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&program.url(), "abdullah").await;
    browser.count_requests("behind").await;
    let behind = browser.page.window().await.unwrap();
    open_tab(&browser, &profile).await;
    browser.count_requests("front").await;

    program.stop();
    seconds(25).await;
    let while_silent = browser.requests("front").await;
    assert!((2..=4).contains(&while_silent.sent), "{while_silent:?}");
    assert_eq!(while_silent.at_once, 1);

    program.kill();
    seconds(15).await;
    let while_gone = browser.requests("front").await;
    let sent = while_gone.sent - while_silent.sent;
    assert!((1..=4).contains(&sent), "{while_gone:?}");
    assert_eq!((while_gone.at_once, while_gone.while_hidden), (1, 0));

    program.start_again(&variables);
    browser.wait_for_heading("Sign in").await;
    let path = "document.querySelector('input[name=next]').value";
    assert_eq!(browser.evaluate(path).await, "/profile/");
    // The other page was told, and shows the same without having asked.
    browser.page.switch_to_window(behind).await.unwrap();
    browser.wait_for_heading("Sign in").await;
    assert_eq!(browser.evaluate(path).await, "/profile/");
    assert_eq!(browser.requests("behind").await, Requests::default());
}

#[tokio::test]
async fn an_error_that_may_pass_asks_less_and_less_and_goes_by_itself() {
    let redis = RedisServer::start();
    let variables = [("REDIS_URL", &*redis.url())];
    let mut program = Program::start(&variables);
    let profile = format!("{}/profile/", program.url());
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&program.url(), "abdullah").await;

    redis.signal("STOP");
    browser.open(&profile).await;
    browser.count_requests("behind").await;
    let behind = browser.page.window().await.unwrap();
    open_tab(&browser, &profile).await;
    browser.count_requests("front").await;
    assert_eq!(browser.heading().await, "We cannot look that up");
    let until_hidden = browser.requests("behind").await;
    seconds(20).await;
    let asked = browser.requests("front").await;
    assert!((2..=6).contains(&asked.sent), "{asked:?}");
    assert_eq!(asked.at_once, 1);

    // Not even without a server does it give way to the browser's own page, which would ask no more.
    program.kill();
    redis.signal("CONT");
    seconds(3).await;
    program.start_again(&variables);
    browser.wait_for_heading("Welcome, abdullah").await;
    assert_eq!(browser.requests("behind").await, until_hidden);
    go_to(&browser, behind).await;
    browser.wait_for_heading("Welcome, abdullah").await;
    assert_eq!(browser.requests("behind").await.while_hidden, 0);
}

#[tokio::test]
async fn a_sign_out_that_failed_is_not_told_later_as_one_that_worked() {
    let redis = RedisServer::start();
    let program = Program::start(&[("REDIS_URL", &redis.url())]);
    let site = program.url();
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&site, "abdullah").await;
    let behind = browser.page.window().await.unwrap();
    open_tab(&browser, &format!("{site}/profile/")).await;

    redis.signal("STOP");
    browser.click("form[action='/logout/'] button").await;
    browser.wait_for_heading("We cannot look that up").await;
    redis.signal("CONT");
    for _ in 0..100 {
        browser.open(&format!("{site}/sessions/")).await;
        if browser.heading().await == "Your sessions" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // The session ends by itself.
    redis.run::<()>("FLUSHALL");
    browser.open(&format!("{site}/logout/")).await;
    assert_eq!(browser.heading().await, "You are signed out");
    go_to(&browser, behind).await;
    browser.wait_for_heading("Sign in").await;
    let notice = browser.text(".notice").await;
    assert!(notice.contains("Your session has ended"), "{notice}");
}

/// What a page shows goes at once where somebody has signed out, even if nothing can be asked for.
#[tokio::test]
async fn a_sign_out_empties_the_other_tabs_whatever_becomes_of_the_server() {
    let mut program = Program::start(&[]);
    let profile = format!("{}/profile/", program.url());
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&program.url(), "abdullah").await;
    let behind = browser.page.window().await.unwrap();
    open_tab(&browser, &profile).await;
    browser.click("form[action='/logout/'] button").await;
    browser.wait_for_heading("You are signed out").await;
    program.kill();

    go_to(&browser, behind).await;
    assert_eq!(browser.text("main").await, "You signed out in another tab.");
    program.start_again(&[]);
    browser.wait_for_heading("Sign in").await;
    assert_eq!(
        browser.text(".notice").await,
        "You signed out in another tab."
    );
}

#[tokio::test]
async fn a_time_that_an_application_shows_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("templates/innkeeper");
    std::fs::create_dir_all(&pages).unwrap();
    let layout = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/templates/innkeeper/layout.html.tera"
    );
    std::fs::copy(layout, pages.join("layout.html.tera")).unwrap();
    let page = "{% extends \"innkeeper/layout\" %}{% block main %}<h1>Closed</h1>\
                <p><time datetime=\"2027-01-01\">on New Year's Day</time></p>{% endblock main %}";
    std::fs::write(pages.join("signed_out.html.tera"), page).unwrap();

    let program = Program::start_in(folder.path(), &[("ROCKET_TEMPLATE_DIR", "templates")]);
    let browser = Browser::start(Scheme::Light).await;
    browser.open(&format!("{}/logout/", program.url())).await;
    assert_eq!(browser.heading().await, "Closed");
    assert_eq!(browser.text("time").await, "on New Year's Day");
    // Ours is said in the reader's own time zone.
    browser.sign_in(&program.url(), "abdullah").await;
    assert!(!browser.text("time").await.contains("UTC"));
    browser.finish().await;
}
