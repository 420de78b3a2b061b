//! What every page owes its readers.

use crate::support::{Answer, Backend, TestApp, without_hashes};

async fn all_pages() -> Vec<(&'static str, Answer)> {
    let app = TestApp::open(Backend::Embedded).await;
    let mut guest = app.browser();
    let mut host = app.browser();
    let name = "<script>alert('&')</script>";
    host.submit_login_form(name).await;
    let mut pages = Vec::new();
    for path in ["/login/", "/logout/", "/nowhere"] {
        pages.push((path, guest.get(path).await));
    }
    pages.push(("mistake", guest.submit_login_form(" <script>").await));
    pages.push(("large", guest.submit_login_form(&"x".repeat(9000)).await));
    for path in ["/profile/", "/logout/", "/nowhere"] {
        pages.push((path, host.get(path).await));
    }
    pages
}

#[rocket::async_test]
async fn every_page_is_whole() {
    for (path, page) in all_pages().await {
        let body = &without_hashes(&page.body);
        assert!(
            body.starts_with("<!doctype html>\n<html lang=\"en\">"),
            "{path}: {body}"
        );
        assert!(body.trim_end().ends_with("</html>"), "{path}");
        for part in [
            "<meta name=\"viewport\"",
            "<meta charset=\"utf-8\">",
            "<title>",
            "class=\"skip\" href=\"#main\"",
            "<main id=\"main\"",
            "href=\"/static/innkeeper/style.css\"",
        ] {
            assert_eq!(body.matches(part).count(), 1, "{path}: {part}");
        }
        assert!(!page.heading().is_empty(), "{path}");
    }
}

#[rocket::async_test]
async fn what_a_visitor_typed_is_never_markup() {
    for (path, page) in all_pages().await {
        assert_eq!(
            page.body.matches("<script").count(),
            1,
            "{path}: {}",
            page.body
        );
        assert!(!page.body.contains("alert('"), "{path}: {}", page.body);
    }
}

#[rocket::async_test]
async fn every_form_leads_to_an_address() {
    let mut pages = all_pages().await;
    let app = TestApp::open(Backend::Embedded).await;
    pages.push(("/docs", app.browser().get("/docs").await));
    for (path, page) in pages {
        for action in page.body.split("action=\"").skip(1) {
            let action = action.split('"').next().unwrap();
            // Not what the W3C's validator calls one: a `{` stands in no address.
            assert!(!action.contains(['{', '}', ' ']), "{path}: {action}");
            assert!(action.starts_with('/'), "{path}: {action}");
        }
    }
}

#[rocket::async_test]
async fn every_field_has_a_label_and_every_form_posts() {
    for (path, page) in all_pages().await {
        for input in page.body.split("<input").skip(1) {
            let input = input.split('>').next().unwrap();
            if let Some(id) = input.split("id=\"").nth(1) {
                let id = id.split('"').next().unwrap();
                assert!(
                    page.body.contains(&format!("<label for=\"{id}\"")),
                    "{path}"
                );
            } else {
                assert!(input.contains("type=\"hidden\""), "{path}: {input}");
            }
        }
        assert_eq!(
            page.body.matches("<form").count(),
            page.body
                .matches("<form method=\"post\" action=\"/")
                .count(),
            "{path}"
        );
    }
}

#[rocket::async_test]
async fn the_sign_in_page_says_that_it_is_open() {
    let app = TestApp::open(Backend::Embedded).await;
    let text = app.browser().get("/login/").await.text();
    assert!(text.contains("any user name signs you in"), "{text}");
}

#[rocket::async_test]
async fn the_sign_in_page_describes_itself_and_stays_out_of_search_engines() {
    let app = TestApp::open(Backend::Embedded).await;
    let page = app.browser().get("/login/").await.body;
    assert!(page.contains("<meta name=\"description\" content=\"Sign in"));
    assert!(page.contains("<meta name=\"robots\" content=\"noindex\">"));
}
