//! What pages say besides: who is signed in, and what has just been done.

use rocket::http::Method;

use crate::support::{Answer, Backend, FORM, TestApp, TestClient};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// The line that says what has been done.
fn notice(page: &Answer) -> Option<&str> {
    let notice = page.body.split("role=\"status\" data-notice>").nth(1)?;
    notice.split('<').next()
}

fn form_of_other(page: &Answer) -> String {
    let mut actions = page.body.split("<form method=\"post\" action=\"").skip(1);
    let other = actions.find(|form| form.contains(">End</button>"));
    let action = other.expect("another session").split('"').next();
    action.unwrap().to_owned()
}

async fn sign_in_elsewhere(app: &TestApp) -> TestClient {
    let mut other = app.browser();
    let headers = [("User-Agent", FIREFOX), ("Content-Type", FORM)];
    other
        .send(Method::Post, "/login/", &headers, "username=amy")
        .await;
    other
}

#[rocket::async_test]
async fn the_page_after_a_change_says_once_what_was_done() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut amy = app.browser();
    amy.submit_login_form("amy").await;
    assert_eq!(notice(&amy.profile().await), None);

    sign_in_elsewhere(&app).await;
    let action = form_of_other(&amy.get("/sessions/").await);
    let ended = amy.post(&action, FORM, "").await;
    ended.assert_sees_other("/sessions/");
    assert_eq!(
        ended.header("Set-Cookie"),
        Some("notice=ended%20Firefox%20on%20Linux; HttpOnly; SameSite=Lax; Path=/; Max-Age=60")
    );
    // An error's page leaves it to the next.
    amy.get("/nowhere").await.assert_page(404, "Page not found");
    let page = amy.get("/sessions/").await;
    assert_eq!(notice(&page), Some("Ended: Firefox on Linux"));
    page.assert_removes_cookie("notice");
    assert_eq!(notice(&amy.get("/sessions/").await), None);

    for _ in 0..2 {
        sign_in_elsewhere(&app).await;
    }
    let ended = amy.post("/sessions/others/end", FORM, "").await;
    ended.assert_sees_other("/sessions/");
    let page = amy.profile().await;
    assert_eq!(notice(&page), Some("2 other sessions were signed out"));

    // The page itself says it.
    let ended = amy.post("/sessions/end", FORM, "").await;
    ended.assert_removes_cookie("session_id");
    let page = amy.get("/logout/").await;
    assert_eq!(page.heading(), "You are signed out");
    assert_eq!(notice(&page), None);
}

#[rocket::async_test]
async fn a_program_gets_no_notice() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut amy = app.program();
    amy.log_in_as("amy").await;
    let ended = amy.send(Method::Delete, "/sessions/others", &[], "").await;
    assert_eq!(ended.status.code, 200);
    ended.assert_leaves_cookie();
}

#[rocket::async_test]
async fn a_notice_that_somebody_else_wrote_shows_nothing_of_his() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut amy = app.browser();
    amy.submit_login_form("amy").await;
    let long = format!("ended%20{}", "Firefox%20on%20Linux".repeat(99));
    for forged in [
        "ended%20Call%20me",
        "ended%20%3Cb%3E",
        "call",
        "",
        "%ff",
        &long,
    ] {
        let cookies = format!("session_id={}; notice={forged}", amy.id());
        let page = amy
            .send(Method::Get, "/profile/", &[("Cookie", &cookies)], "")
            .await;
        assert_eq!(notice(&page), None, "{forged}");
        page.assert_removes_cookie("notice");
    }
    let page = amy.get("/profile/?notice=others_ended%202").await;
    assert_eq!(notice(&page), None);
}

#[rocket::async_test]
async fn the_header_names_the_user_and_leads_on() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut amy = app.browser();
    let header = |page: &Answer| {
        let header = page.body.split("<header>").nth(1).unwrap();
        header.split("</header>").next().unwrap().to_owned()
    };
    let page = amy.get("/login/").await;
    assert!(!header(&page).contains("<nav"), "{page:?}");
    amy.submit_login_form("<amy>").await;
    for (path, current) in [
        ("/profile/", Some("/profile/")),
        ("/profile", Some("/profile/")),
        ("/sessions/", Some("/sessions/")),
        ("/logout/", None),
    ] {
        let header = header(&amy.get(path).await);
        assert!(header.contains("<bdi>&lt;amy&gt;</bdi>"), "{header}");
        assert!(header.contains("action=\"/logout/\""), "{header}");
        for link in ["/profile/", "/sessions/"] {
            let marked = format!("<a href=\"{link}\" aria-current=\"page\">");
            let plain = format!("<a href=\"{link}\">");
            let expected = if current == Some(link) { marked } else { plain };
            assert!(header.contains(&expected), "{path}: {header}");
        }
        assert!(!header.contains("/password/"), "{header}");
    }
    // An error where a session was found, and where it has ended.
    let page = amy.post("/sessions/nothing/end", FORM, "").await;
    page.assert_page(404, "Page not found");
    assert!(header(&page).contains("&lt;amy&gt;"), "{page:?}");
    let id = amy.id();
    amy.log_out().await;
    let mut amy = amy.with_cookie("session_id", &id);
    let page = amy.get("/logout/").await;
    assert_eq!(page.heading(), "You are signed out");
    assert!(!header(&page).contains("amy"), "{page:?}");
}

#[rocket::async_test]
async fn each_session_in_the_list_has_a_picture_of_its_device() {
    let app = TestApp::open(Backend::Embedded).await;
    let mut amy = app.browser();
    amy.submit_login_form("amy").await;
    sign_in_elsewhere(&app).await;
    let page = amy.get("/sessions/").await;
    assert_eq!(page.body.matches("<svg class=\"device\"").count(), 2);
    assert!(!page.body.contains("style="), "{page:?}");
}
