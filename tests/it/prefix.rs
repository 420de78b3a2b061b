//! `stage()` below a prefix: every link, form, redirect and address follows.

use std::collections::BTreeSet;
use std::time::Duration;

use innkeeper::{CurrentSession, Part, Refusal};
use rocket::error::ErrorKind;
use rocket::http::{ContentType, Header, Status};
use rocket::local::blocking::{Client, LocalResponse};
use rocket::{get, routes};
use serde_json::Value;

use crate::support::browser::{Browser, Scheme};
use crate::support::configured;
use crate::support::http::request;
use crate::support::served::Served;

#[get("/orders")]
fn orders(current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
    Ok(format!("Orders of {}", current?.user()))
}

fn client(prefix: &str) -> Client {
    let rocket = configured("", &[])
        .attach(innkeeper::stage().mount_at(prefix))
        .mount("/", routes![orders]);
    Client::tracked(rocket).unwrap()
}

fn get<'c>(client: &'c Client, path: &'c str) -> LocalResponse<'c> {
    let html = Header::new("Accept", "text/html");
    client.get(path).header(html).dispatch()
}

fn post<'c>(client: &'c Client, path: &'c str, body: &str) -> LocalResponse<'c> {
    let request = client.post(path).header(ContentType::Form);
    request.body(body).dispatch()
}

fn location(response: &LocalResponse<'_>) -> String {
    assert_eq!(response.status(), Status::SeeOther);
    response.headers().get_one("Location").unwrap().to_owned()
}

fn attributes(page: &str, names: &[&str]) -> BTreeSet<String> {
    let starts = names.iter().map(|name| format!("{name}=\""));
    starts
        .flat_map(|start| {
            let values = page.split(&start).skip(1);
            let values: Vec<_> = values
                .map(|rest| rest.split('"').next().unwrap().to_owned())
                .collect();
            values
        })
        .filter(|link| link.starts_with('/'))
        .collect()
}

#[test]
fn all_routes_and_catchers_stand_below_it() {
    let client = client("/account");
    for route in client.rocket().routes() {
        let path = route.uri.path();
        let below = path == "/account" || path.starts_with("/account/");
        assert!(below || path == "/orders", "{path}");
    }
    let of_all = client
        .rocket()
        .catchers()
        .filter(|catcher| catcher.code.is_none());
    let bases: Vec<_> = of_all.map(|catcher| catcher.base.to_string()).collect();
    assert_eq!(bases, ["/account"]);
}

/// Follows every link that is found, from the start page on, signed in and not.
#[test]
fn every_link_leads_to_a_page_below_it() {
    for prefix in ["/account", "/a/b/"] {
        let base = prefix.trim_end_matches('/');
        let client = client(prefix);
        for signed_in in [false, true] {
            if signed_in {
                post(&client, &format!("{base}/login/"), "username=amy");
            }
            let mut todo = vec![
                format!("{base}/"),
                format!("{base}"),
                format!("{base}/docs"),
                format!("{base}/nowhere"),
            ];
            let mut seen = BTreeSet::new();
            while let Some(path) = todo.pop() {
                assert!(
                    path == base || path.starts_with(&format!("{base}/")),
                    "{path}"
                );
                if !seen.insert(path.clone()) {
                    continue;
                }
                let answer = get(&client, &path);
                if answer.status() == Status::SeeOther {
                    todo.push(location(&answer));
                    continue;
                }
                let expected = if path.ends_with("nowhere") { 404 } else { 200 };
                assert_eq!(answer.status().code, expected, "{path}");
                if answer.content_type() != Some(ContentType::HTML) {
                    continue;
                }
                let page = answer.into_string().unwrap();
                let names = ["href", "src", "data-session", "data-login", "data-profile"];
                todo.extend(attributes(&page, &names));
                for form in attributes(&page, &["action"]) {
                    assert!(form.starts_with(&format!("{base}/")), "{path}: {form}");
                }
            }
            let pages = [
                "/",
                "/login/",
                "/logout/",
                "/profile/",
                "/sessions/",
                "/session/",
                "/docs",
                "/openapi.json",
            ];
            // Who is not signed in has no way to the inner ones.
            let visited = if signed_in { &pages[..] } else { &pages[..2] };
            for page in visited
                .iter()
                .filter(|page| !signed_in || **page != "/login/" && **page != "/logout/")
            {
                assert!(seen.contains(&format!("{base}{page}")), "{page}: {seen:?}");
            }
            for file in ["style.css", "innkeeper.js", "docs.js", "favicon.svg"] {
                let (stem, ending) = file.split_once('.').unwrap();
                let start = format!("{base}/static/innkeeper/{stem}-");
                let is_it = |path: &&String| path.starts_with(&start) && path.ends_with(ending);
                assert_eq!(seen.iter().filter(is_it).count(), 1, "{file}: {seen:?}");
            }
        }
    }
}

#[test]
fn every_redirect_stays_below_it() {
    let client = client("/account");
    let to = |path: &str| location(&get(&client, path));
    assert_eq!(to("/account/"), "/account/login/");
    assert_eq!(
        to("/account/profile/"),
        "/account/login/?next=/account/profile/"
    );
    assert_eq!(to("/orders"), "/account/login/?next=/orders");
    assert_eq!(
        location(&post(&client, "/account/logout/", "")),
        "/account/logout/?without_cookie=1"
    );

    let answer = post(&client, "/account/login/", "username=amy");
    assert_eq!(location(&answer), "/account/profile/");
    let cookie = answer.headers().get_one("Set-Cookie").unwrap().to_owned();
    assert!(cookie.ends_with("; Path=/"), "{cookie}");
    drop(answer);
    assert_eq!(to("/account/"), "/account/profile/");
    assert_eq!(to("/account/login/"), "/account/profile/");
    assert_eq!(to("/account/login/?next=/orders"), "/orders");
    // The guards are the whole application's.
    assert_eq!(
        get(&client, "/orders").into_string().unwrap(),
        "Orders of amy"
    );
    assert_eq!(
        location(&post(&client, "/account/sessions/others/end", "")),
        "/account/sessions/"
    );
    assert_eq!(
        location(&post(&client, "/account/sessions/end", "")),
        "/account/logout/"
    );
    post(&client, "/account/login/", "username=amy");
    assert_eq!(
        location(&post(&client, "/account/logout/", "")),
        "/account/logout/"
    );
    assert_eq!(get(&client, "/profile/").status(), Status::NotFound);
}

#[test]
fn a_wrong_method_below_it_is_405_and_errors_elsewhere_are_the_applications() {
    let client = client("/account");
    for (path, allowed) in [
        ("/account/login/", "GET, HEAD, POST"),
        ("/account/sessions/others", "DELETE"),
    ] {
        let answer = client.put(path).dispatch();
        assert_eq!(answer.status(), Status::MethodNotAllowed, "{path}");
        assert_eq!(answer.headers().get_one("Allow"), Some(allowed));
    }
    let ours = get(&client, "/account/nowhere");
    assert!(ours.headers().contains("Content-Security-Policy"));
    assert!(ours.into_string().unwrap().contains("href=\"/account/\""));
    let theirs = get(&client, "/nowhere");
    assert_eq!(theirs.status(), Status::NotFound);
    assert!(!theirs.headers().contains("Content-Security-Policy"));
}

#[test]
fn the_document_and_its_page_have_it() {
    let client = client("/account");
    let document: Value = client
        .get("/account/openapi.json")
        .dispatch()
        .into_json()
        .unwrap();
    let described = document["paths"].as_object().unwrap();
    assert!(described.len() > 10);
    for path in described.keys() {
        assert!(path.starts_with("/account/"), "{path}");
    }
    let page = get(&client, "/account/docs").into_string().unwrap();
    let tried = attributes(&page.replace("&#x2F;", "/"), &["data-path"]);
    assert_eq!(tried, described.keys().cloned().collect());
}

#[test]
fn a_prefix_that_cannot_be_one_stops_the_launch() {
    for prefix in [
        "",
        "account",
        "/a b",
        "/<user>",
        "//evil.example",
        "/../",
        "/account?x=1",
    ] {
        let rocket = configured("", &[]).attach(innkeeper::stage().mount_at(prefix));
        let error = Client::tracked(rocket).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::FailedFairings(_)),
            "{prefix}"
        );
    }
}

#[test]
fn stages_with_other_parts_and_prefixes_live_side_by_side() {
    let plain = client("/");
    let below = client("/account");
    let rocket =
        configured("", &[]).attach(innkeeper::stage().only([Part::Health]).mount_at("/inner"));
    let health = Client::tracked(rocket).unwrap();
    let status = |client: &Client, path: &str| get(client, path).status().code;
    for (path, expected) in [
        ("/login/", [200, 404, 404]),
        ("/account/login/", [404, 200, 404]),
        ("/inner/healthz", [404, 404, 200]),
        ("/inner/login/", [404, 404, 404]),
        ("/healthz", [200, 404, 404]),
    ] {
        let found = [
            status(&plain, path),
            status(&below, path),
            status(&health, path),
        ];
        assert_eq!(found, expected, "{path}");
    }
}

#[rocket::async_test]
async fn a_person_signs_in_ends_a_session_and_signs_out_below_it() {
    let rocket = configured("", &[]).attach(innkeeper::stage().mount_at("/account"));
    let served = Served::start(rocket).await;
    let site = format!("{}/account", served.url());
    let browser = Browser::start(Scheme::Light).await;
    browser.open(&format!("{site}/")).await;
    browser.wait_for_heading("Sign in").await;
    browser.type_into("#username", "amy").await;
    browser.click("main button").await;
    browser.wait_for_heading("Welcome, amy").await;

    // Another browser's session.
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let answer = request(served.port, "POST /account/login/", &form, "username=amy");
    assert!(answer.contains("location: /account/profile/"), "{answer}");
    browser.click("a[href='/account/sessions/']").await;
    browser.wait_for_heading("Your sessions").await;
    let others = "document.querySelectorAll('.sessions > li').length - 1";
    assert_eq!(browser.evaluate(others).await, 1);
    browser.click(".sessions > li:nth-child(2) button").await;
    for _ in 0..600 {
        if browser.evaluate(others).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(browser.evaluate(others).await, 0);

    // The script asks where the page says.
    let asked = "fetch(document.getElementById('expiry-warning').dataset.session).then((answer) => answer.status)";
    assert_eq!(browser.evaluate(asked).await, 200);
    browser.open(&format!("{site}/profile/")).await;
    browser
        .click("form[action='/account/logout/'] button")
        .await;
    browser.wait_for_heading("You are signed out").await;
    browser.click("a.button").await;
    browser.wait_for_heading("Sign in").await;
    browser.open(&format!("{site}/docs")).await;
    browser.wait_for_heading("Addresses").await;
    browser.finish().await;
}
