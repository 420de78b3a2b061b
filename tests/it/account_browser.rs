//! Accounts in a real browser.

use crate::browser::assert_readable;
use crate::support::browser::{Browser, Scheme};
use crate::support::program::Program;

const PASSWORD: &str = "four words beside a lamp";
const NEW: &str = "seven herons under the bridge";

const WITH_PASSWORDS: [(&str, &str); 2] = [
    ("INNKEEPER_SIGN_IN", "password"),
    ("INNKEEPER_SIGN_UP", "true"),
];

async fn sign_up(browser: &Browser, site: &str, user: &str) {
    browser.open(&format!("{site}/sign-up/")).await;
    browser.type_into("#username", user).await;
    browser.type_into("#password", PASSWORD).await;
    browser.click("main form > button").await;
    browser.wait_for_heading(&format!("Welcome, {user}")).await;
}

async fn sign_in(browser: &Browser, site: &str, user: &str, password: &str) {
    browser.open(&format!("{site}/login/")).await;
    browser.type_into("#username", user).await;
    browser.type_into("#password", password).await;
    browser.click("main form > button").await;
}

async fn focused(browser: &Browser) -> String {
    let id = browser.evaluate("document.activeElement.id").await;
    id.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn whoever_changes_the_password_signs_the_other_browser_out_and_that_one_says_why() {
    let program = Program::start(&WITH_PASSWORDS);
    let site = program.url();
    let (here, there) = (
        Browser::start(Scheme::Light).await,
        Browser::start(Scheme::Dark).await,
    );
    sign_up(&here, &site, "amy").await;
    assert_eq!(here.text("[data-notice]").await, "Your account is ready");
    here.click(".visitor button").await;
    here.wait_for_heading("You are signed out").await;
    assert!(!here.has(".visitor").await);

    sign_in(&here, &site, "amy", NEW).await;
    here.wait_for_shown("#form-problem").await;
    assert_eq!(
        here.text("#form-problem").await,
        "User name or password is wrong"
    );
    assert_eq!(focused(&here).await, "password");
    here.type_into("#password", PASSWORD).await;
    here.click("main form > button").await;
    here.wait_for_heading("Welcome, amy").await;

    sign_in(&there, &site, "amy", PASSWORD).await;
    there.wait_for_heading("Welcome, amy").await;

    here.open(&format!("{site}/.well-known/change-password"))
        .await;
    assert_eq!(here.heading().await, "Change your password");
    assert_eq!(focused(&here).await, "current");
    here.type_into("#current", PASSWORD).await;
    here.type_into("#new", NEW).await;
    here.click("form[action='/password/'] > button").await;
    here.wait_for_heading("Welcome, amy").await;
    assert_eq!(
        here.text("[data-notice]").await,
        "Password changed; 1 other session was signed out"
    );
    // By itself: an open page asks how long its session lives.
    there.wait_for_heading("Sign in").await;
    let notice = there.text(".notice").await;
    assert!(notice.contains("password"), "{notice}");
    assert!(!there.has(".visitor").await);
    // The sign-in page came by script, and has its button too.
    assert!(there.has(".password > button").await);
    let console = here.console().await;
    assert!(
        console.iter().all(|line| line.contains("status of 401")),
        "{console:?}"
    );
    there.finish().await;
    let log = program.log();
    for secret in [PASSWORD, NEW] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn a_password_can_be_looked_at_while_it_is_typed() {
    let program = Program::start(&WITH_PASSWORDS);
    let browser = Browser::start(Scheme::Light).await;
    browser.open(&format!("{}/sign-up/", program.url())).await;
    browser.type_into("#password", "lamp").await;
    let state = "[document.getElementById('password').type, \
        document.querySelector('.password > button').getAttribute('aria-pressed')].join()";
    assert_eq!(browser.evaluate(state).await, "password,false");
    browser.click(".password > button").await;
    assert_eq!(browser.evaluate(state).await, "text,true");
    // By mouse, the field keeps the focus.
    assert_eq!(focused(&browser).await, "password");
    browser.click(".password > button").await;
    assert_eq!(browser.evaluate(state).await, "password,false");
    // Tab, then the space bar: the button keeps it.
    browser.type_into("#password", "\u{e004}").await;
    browser.type_into(".password > button", " ").await;
    assert_eq!(browser.evaluate(state).await, "text,true");
    assert_eq!(
        browser.evaluate("document.activeElement.tagName").await,
        "BUTTON"
    );
    browser.finish().await;
}

#[tokio::test]
async fn without_javascript_everything_is_there_but_the_button() {
    let program = Program::start(&WITH_PASSWORDS);
    let site = program.url();
    let browser = Browser::start(Scheme::Light).await;
    browser.disable_scripts().await;
    sign_up(&browser, &site, "amy").await;
    assert!(!browser.has(".password > button").await);
    browser.click(".visitor nav a[href='/password/']").await;
    browser.wait_for_heading("Change your password").await;
    assert!(!browser.has(".password > button").await);
    browser.type_into("#current", PASSWORD).await;
    browser.type_into("#new", NEW).await;
    browser.click("main form > button").await;
    browser.wait_for_heading("Welcome, amy").await;
    assert_eq!(browser.text("[data-notice]").await, "Password changed");
    browser.click(".visitor button").await;
    browser.wait_for_heading("You are signed out").await;
}

/// And its picture is kept, to be looked at.
#[tokio::test]
async fn every_page_of_accounts_fits_in_both_schemes() {
    let program = Program::start(&WITH_PASSWORDS);
    let site = program.url();
    for (scheme, scheme_name) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
        let browser = Browser::start(scheme).await;
        for (width, height, size) in [(320, 740, "phone"), (1280, 900, "desktop")] {
            browser.resize(width, height).await;
            browser.page.delete_all_cookies().await.unwrap();
            let check = async |page: &str| {
                let name = format!("{page}-{scheme_name}-{size}");
                assert_readable(&browser, width, &name).await;
            };
            let user = format!("amy-{scheme_name}-{size}");
            browser
                .open(&format!("{site}/login/?next=/orders/2026"))
                .await;
            check("password-login").await;
            browser.type_into("#username", "nobody").await;
            browser.type_into("#password", NEW).await;
            browser.click("main form > button").await;
            browser.wait_for_shown("#form-problem").await;
            check("password-login-wrong").await;
            browser.open(&format!("{site}/sign-up/")).await;
            check("sign-up").await;
            browser.type_into("#username", &user).await;
            browser
                .type_into("#password", "password password password")
                .await;
            browser.click("main form > button").await;
            browser.wait_for_shown("#password-problem").await;
            check("sign-up-weak").await;
            browser.type_into("#password", PASSWORD).await;
            browser.click("main form > button").await;
            browser.wait_for_heading(&format!("Welcome, {user}")).await;
            check("account-profile").await;
            browser.open(&format!("{site}/sessions/")).await;
            check("account-sessions").await;
            browser.open(&format!("{site}/confirm/?next=/orders")).await;
            check("confirm").await;
            browser.open(&format!("{site}/password/")).await;
            check("password").await;
            browser.type_into("#current", NEW).await;
            browser.type_into("#new", NEW).await;
            browser.click(".password > button").await;
            check("password-shown").await;
            browser.click("main form > button").await;
            browser.wait_for_shown("#current-problem").await;
            check("password-wrong").await;
            browser.open(&format!("{site}/invitation/nothing")).await;
            check("invitation-gone").await;
        }
    }
}
