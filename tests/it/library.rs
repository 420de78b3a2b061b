//! `stage()` in an application that is not ours.

use std::time::Duration;

use innkeeper::{
    CurrentSession, PassiveSession, Refusal, SameOrigin, Sessions, SignIn, SignOut, UserName,
};
use rocket::http::{ContentType, Cookie, Header, Status};
use rocket::local::blocking::{Client, LocalRequest, LocalResponse};
use rocket::serde::json::Json;
use rocket::{Build, Rocket, get, post, routes};
use rocket_dyn_templates::Template;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{configured, with_templates};

#[get("/orders")]
fn orders(current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
    Ok(format!("Orders of {}", current?.user()))
}

#[get("/strict")]
fn strict(current: &CurrentSession, again: &CurrentSession) -> String {
    assert!(std::ptr::eq(current, again));
    current.user().to_owned()
}

#[post("/orders")]
fn order(current: Result<&CurrentSession, Refusal>) -> Result<&'static str, Refusal> {
    current.map(|_| "ordered")
}

#[post("/feedback")]
fn feedback(_proof: SameOrigin) -> &'static str {
    "thanks"
}

#[get("/")]
fn home() -> &'static str {
    "our own home"
}

fn application() -> Rocket<Build> {
    configured("", &[])
        .attach(innkeeper::stage())
        .mount("/", routes![orders, strict, order, feedback, home])
}

fn log_in(client: &Client, user: &str) {
    client
        .post("/login/")
        .header(ContentType::JSON)
        .body(json!({ "username": user }).to_string())
        .dispatch();
}

fn detail(response: LocalResponse<'_>) -> Value {
    response.into_json::<Value>().unwrap()["detail"].clone()
}

#[test]
fn a_guarded_route_of_the_application_knows_who_is_signed_in() {
    let client = Client::tracked(application()).unwrap();
    for path in ["/orders", "/strict"] {
        let response = client.get(path).dispatch();
        assert_eq!(response.status(), Status::Forbidden);
        assert_eq!(detail(response), "No session cookie found");
    }
    log_in(&client, "abdullah");
    assert_eq!(
        client.get("/orders").dispatch().into_string().unwrap(),
        "Orders of abdullah"
    );
    assert_eq!(
        client.get("/strict").dispatch().into_string().unwrap(),
        "abdullah"
    );
    client.post("/logout/").dispatch();
    assert!(client.cookies().get("session_id").is_none());
    assert_eq!(client.get("/orders").dispatch().status(), Status::Forbidden);
}

/// T12: Rocket drops the cookies of a handler that ends in an error.
#[test]
fn the_guard_removes_a_dead_cookie_with_and_without_result() {
    for path in ["/orders", "/strict"] {
        let client = Client::tracked(application()).unwrap();
        let dead = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
        let response = client
            .get(path)
            .cookie(Cookie::new("session_id", dead))
            .dispatch();
        assert_eq!(response.status(), Status::NotFound);
        let removal = response.headers().get_one("Set-Cookie").unwrap().to_owned();
        assert!(removal.starts_with("session_id=; "), "{removal}");
        assert_eq!(detail(response), "Session expired");
    }
}

#[test]
fn a_browser_comes_back_to_the_page_that_it_wanted() {
    let client = Client::tracked(application()).unwrap();
    let html = Header::new("Accept", "text/html");
    let response = client.get("/orders?page=2").header(html.clone()).dispatch();
    assert_eq!(response.status(), Status::SeeOther);
    let location = response.headers().get_one("Location").unwrap();
    assert_eq!(location, "/login/?next=/orders%3Fpage%3D2");
    let response = client.post("/orders").header(html).dispatch();
    assert_eq!(response.headers().get_one("Location"), Some("/login/"));
}

#[test]
fn the_guards_refuse_what_another_site_sends() {
    let client = Client::tracked(application()).unwrap();
    log_in(&client, "abdullah");
    for path in ["/orders", "/feedback"] {
        assert_eq!(client.post(path).dispatch().status(), Status::Ok);
        let evil = Header::new("Origin", "https://evil.example");
        let response = client.post(path).header(evil).dispatch();
        assert_eq!(response.status(), Status::Forbidden);
        assert_eq!(detail(response), "Cross-site request refused");
    }
}

#[test]
fn the_guards_refuse_what_is_meant_for_another_host() {
    let client = Client::tracked(application()).unwrap();
    log_in(&client, "abdullah");
    let ask = |request: LocalRequest<'_>, host: &'static str| {
        let response = request.header(Header::new("Host", host)).dispatch();
        response.status().code
    };
    for path in ["/orders", "/strict"] {
        assert_eq!(ask(client.get(path), "localhost:8000"), 200);
        assert_eq!(ask(client.get(path), "evil.example:8000"), 421);
    }
    assert_eq!(ask(client.post("/feedback"), "evil.example:8000"), 421);
    // What has nothing to do with a session is the application's.
    assert_eq!(ask(client.get("/"), "evil.example:8000"), 200);
}

#[test]
fn an_applications_own_home_page_comes_first() {
    let client = Client::tracked(application()).unwrap();
    assert_eq!(
        client.get("/").dispatch().into_string().unwrap(),
        "our own home"
    );
}

#[test]
fn an_applications_own_documentation_comes_first() {
    #[get("/docs")]
    fn docs() -> &'static str {
        "our own docs"
    }

    #[get("/openapi.json")]
    fn document() -> &'static str {
        "our own document"
    }

    let rocket = application().mount("/", routes![docs, document]);
    let client = Client::tracked(rocket).unwrap();
    for (path, text) in [
        ("/docs", "our own docs"),
        ("/openapi.json", "our own document"),
    ] {
        assert_eq!(client.get(path).dispatch().into_string().unwrap(), text);
    }
}

#[test]
fn an_applications_own_catcher_and_headers_stay() {
    #[rocket::catch(default)]
    fn ours(status: Status, _: &rocket::Request<'_>) -> String {
        format!("our own {}", status.code)
    }

    #[derive(rocket::Responder)]
    struct Own(&'static str, Header<'static>);

    #[get("/own")]
    fn own() -> Own {
        Own(
            "x",
            Header::new("Content-Security-Policy", "default-src 'self'"),
        )
    }

    let rocket = application()
        .mount("/", routes![own])
        .register("/", rocket::catchers![ours]);
    let client = Client::tracked(rocket).unwrap();
    assert_eq!(
        client.get("/nowhere").dispatch().into_string().unwrap(),
        "our own 404"
    );
    let response = client.get("/own").dispatch();
    let policies: Vec<_> = response.headers().get("Content-Security-Policy").collect();
    assert_eq!(policies, ["default-src 'self'"]);
    assert_eq!(response.headers().get_one("Cache-Control"), None);
}

#[test]
fn instances_live_side_by_side_and_apart() {
    let (one, other) = (application(), application());
    let one = Client::tracked(one).unwrap();
    let other = Client::tracked(other).unwrap();
    log_in(&one, "abdullah");
    let cookie = one.cookies().get("session_id").unwrap().clone();
    assert_eq!(one.get("/orders").dispatch().status(), Status::Ok);
    assert_eq!(
        other.get("/orders").cookie(cookie).dispatch().status(),
        Status::NotFound
    );
}

#[test]
fn the_life_cycle_is_there_for_handlers() {
    #[post("/everyone-out")]
    async fn out(
        current: Result<&CurrentSession, Refusal>,
        client: innkeeper::Client,
        sessions: &Sessions,
    ) -> Result<String, Refusal> {
        let current = current?;
        sessions.end(current.id(), &client).await?;
        Ok(format!("{} is out", current.user()))
    }

    let client = Client::tracked(application().mount("/", routes![out])).unwrap();
    log_in(&client, "abdullah");
    let response = client.post("/everyone-out").dispatch();
    assert_eq!(response.into_string().unwrap(), "abdullah is out");
    assert_eq!(client.get("/orders").dispatch().status(), Status::NotFound);
}

#[test]
fn an_application_signs_in_and_out_by_handlers_of_its_own() {
    #[post("/in")]
    async fn sign_in(sign_in: Result<SignIn<'_>, Refusal>) -> Result<&'static str, Refusal> {
        let user = UserName::parse("abdullah").unwrap();
        sign_in?.start(&user).await?;
        Ok("in")
    }

    #[post("/out")]
    async fn sign_out(sign_out: Result<SignOut<'_>, Refusal>) -> Result<String, Refusal> {
        Ok(sign_out?.end().await?.to_string())
    }

    let rocket = application().mount("/", routes![sign_in, sign_out]);
    let client = Client::tracked(rocket).unwrap();
    let answer = client.post("/out").dispatch();
    assert_eq!(answer.into_string().unwrap(), "false");
    let first = client.post("/in").dispatch();
    assert_eq!(first.headers().get_one("Cache-Control"), Some("no-store"));
    assert_eq!(first.into_string().unwrap(), "in");
    let replaced = client.cookies().get("session_id").unwrap().clone();
    client.post("/in").dispatch();
    assert_eq!(
        client.get("/orders").dispatch().into_string().unwrap(),
        "Orders of abdullah"
    );
    let answer = client.post("/out").dispatch();
    assert_eq!(answer.into_string().unwrap(), "true");
    assert!(client.cookies().get("session_id").is_none());
    for id in [None, Some(replaced)] {
        let request = client.get("/orders");
        let request = match id.clone() {
            Some(cookie) => request.cookie(cookie),
            None => request,
        };
        let expected = id.map_or(Status::Forbidden, |_| Status::NotFound);
        assert_eq!(request.dispatch().status(), expected);
    }
    let from_elsewhere = || Header::new("Sec-Fetch-Site", "cross-site");
    for path in ["/in", "/out"] {
        let answer = client.post(path).header(from_elsewhere()).dispatch();
        assert_eq!(answer.status(), Status::Forbidden);
    }
}

#[test]
fn a_handler_may_work_for_longer_than_the_timeout_before_it_signs_in_and_out() {
    async fn work() {
        sleep(Duration::from_millis(1100)).await;
    }

    #[post("/in")]
    async fn sign_in(sign_in: Result<SignIn<'_>, Refusal>) -> Result<(), Refusal> {
        let user = UserName::parse("abdullah").unwrap();
        work().await;
        sign_in?.start(&user).await.map(drop)
    }

    #[post("/out")]
    async fn sign_out(sign_out: Result<SignOut<'_>, Refusal>) -> Result<(), Refusal> {
        work().await;
        sign_out?.end().await.map(drop)
    }

    // On disk: a store in memory has no timeout. It is a second.
    let folder = tempfile::tempdir().unwrap();
    let rocket = configured("", &[("store_path", json!(folder.path()))])
        .attach(innkeeper::stage())
        .mount("/", routes![sign_in, sign_out]);
    let client = Client::tracked(rocket).unwrap();
    for path in ["/in", "/out"] {
        assert_eq!(client.post(path).dispatch().status(), Status::Ok, "{path}");
    }
}

#[test]
fn a_debugged_guard_shows_no_session_id() {
    #[post("/debug")]
    fn debug(sign_in: SignIn<'_>, sign_out: SignOut<'_>, current: &CurrentSession) -> String {
        let shown = format!("{sign_in:?} {sign_out:?} {current:?}");
        drop((sign_in, sign_out));
        shown
    }

    let client = Client::tracked(application().mount("/", routes![debug])).unwrap();
    log_in(&client, "abdullah");
    let id = client
        .cookies()
        .get("session_id")
        .unwrap()
        .value()
        .to_owned();
    let shown = client.post("/debug").dispatch().into_string().unwrap();
    assert!(shown.contains("Caller") && !shown.contains(&id), "{shown}");
}

#[test]
fn an_application_with_a_template_fairing_of_its_own_gives_it_our_pages() {
    let folder = tempfile::tempdir().unwrap();
    let replaced = "innkeeper/signed_out.html.tera";
    std::fs::create_dir(folder.path().join("innkeeper")).unwrap();
    std::fs::write(folder.path().join(replaced), "bye <b>").unwrap();
    let rocket = with_templates(configured("", &[]), folder.path())
        .attach(Template::custom(|engines| {
            innkeeper::templates(engines).unwrap();
        }))
        .attach(innkeeper::stage().without_templates());
    let client = Client::tracked(rocket).unwrap();
    let page = client.get("/login/").dispatch().into_string().unwrap();
    assert!(page.contains("<h1>Sign in</h1>"), "{page}");
    assert_eq!(
        client.get("/logout/").dispatch().into_string().unwrap(),
        "bye <b>"
    );
}

#[test]
fn a_page_that_would_not_be_escaped_does_not_launch() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("innkeeper")).unwrap();
    std::fs::write(folder.path().join("innkeeper/login.tera"), "{{ username }}").unwrap();
    let rocket = with_templates(configured("", &[]), folder.path()).attach(innkeeper::stage());
    let error = Client::tracked(rocket).unwrap_err();
    assert!(matches!(
        error.kind(),
        rocket::error::ErrorKind::FailedFairings(_)
    ));
}

#[test]
fn a_guard_without_the_stage_does_not_launch() {
    let rocket = configured("", &[]).mount("/", routes![strict]);
    let error = Client::tracked(rocket).unwrap_err();
    assert!(matches!(
        error.kind(),
        rocket::error::ErrorKind::SentinelAborts(_)
    ));
}

#[test]
fn a_wrong_setting_does_not_launch() {
    let rocket = configured("", &[("idle_timout_secs", json!(5))]).attach(innkeeper::stage());
    let error = Client::tracked(rocket).unwrap_err();
    assert!(matches!(
        error.kind(),
        rocket::error::ErrorKind::FailedFairings(_)
    ));
}

#[test]
fn the_guards_say_how_long_the_session_lives() {
    #[get("/current")]
    fn current(current: &CurrentSession) -> Json<[Option<u64>; 2]> {
        Json([Some(current.expires_in().as_secs()), None])
    }

    #[get("/passive")]
    fn passive(passive: &PassiveSession) -> Json<[Option<u64>; 2]> {
        let absolute = passive.absolute_expires_in();
        Json([
            Some(passive.expires_in().as_secs()),
            absolute.map(|it| it.as_secs()),
        ])
    }

    let limits = [
        ("idle_timeout_secs", json!(5000)),
        ("absolute_timeout_secs", json!(9000)),
    ];
    let rocket = configured("", &limits)
        .attach(innkeeper::stage())
        .mount("/", routes![current, passive]);
    let client = Client::tracked(rocket).unwrap();
    log_in(&client, "abdullah");
    let ask = |path: &'static str| -> [Option<u64>; 2] {
        client.get(path).dispatch().into_json().unwrap()
    };
    let ([active, _], [idle, absolute]) = (ask("/current"), ask("/passive"));
    for idle in [active, idle] {
        assert!((4000..=5000).contains(&idle.unwrap()), "{idle:?}");
    }
    assert!((8000..=9000).contains(&absolute.unwrap()), "{absolute:?}");
}
