//! `stage()` in an application that has all of its own already: nothing of it is taken.

use std::fs;
use std::process::Command;

use innkeeper::CurrentSession;
use rocket::fairing::AdHoc;
use rocket::fs::FileServer;
use rocket::http::{ContentType, Header, Status};
use rocket::local::blocking::{Client, LocalResponse};
use rocket::response::content::RawHtml;
use rocket::serde::json::Json;
use rocket::shield::{Feature, Frame, Permission, Shield};
use rocket::{Build, Responder, Rocket, get, post, routes};
use rocket_dyn_templates::{Template, context};
use serde_json::{Value, json};
use tempfile::TempDir;

const PAGE: &str = "<!doctype html><title>Own</title><style>p { color: red }</style><p>own";

#[get("/")]
fn home() -> RawHtml<&'static str> {
    RawHtml(PAGE)
}

#[get("/healthz")]
fn healthz() -> &'static str {
    "own healthz"
}

#[get("/profile")]
fn profile() -> &'static str {
    "own profile"
}

#[get("/sessions")]
fn sessions() -> &'static str {
    "own sessions"
}

/// Of the addresses below it Innkeeper has some, but no GET.
#[get("/sessions/<id>")]
fn session(id: u32) -> Option<String> {
    (id == 1).then(|| "own session".to_owned())
}

#[post("/items/new")]
fn new_item() -> &'static str {
    "made"
}

#[get("/items/<id>")]
fn item(id: &str) -> Option<&'static str> {
    (id == "1").then_some("one")
}

#[derive(Responder)]
struct Kept(&'static str, Header<'static>);

#[get("/kept")]
fn kept(_current: Option<&CurrentSession>) -> Kept {
    Kept("kept", Header::new("Cache-Control", "private, max-age=60"))
}

#[get("/greeting")]
fn greeting(current: Option<&CurrentSession>) -> Json<Value> {
    Json(json!({ "user": current.map(CurrentSession::user) }))
}

#[get("/letter")]
fn letter() -> Template {
    Template::render("letter", context! { name: "<Amy>" })
}

#[get("/address")]
fn address(client: std::net::IpAddr) -> String {
    client.to_string()
}

/// All of it, and the folder that its files are in.
fn application() -> (Rocket<Build>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (files, templates) = (folder.path().join("files"), folder.path().join("templates"));
    fs::create_dir_all(files.join("static")).unwrap();
    fs::create_dir(&templates).unwrap();
    for path in ["static/style.css", "static/favicon.svg", "readyz"] {
        fs::write(files.join(path), format!("own {path}")).unwrap();
    }
    fs::write(templates.join("letter.txt.tera"), "Dear {{ name }}").unwrap();
    fs::create_dir(templates.join("innkeeper")).unwrap();
    fs::write(
        templates.join("innkeeper/signed_out.html.tera"),
        "{{ '<b>' }}",
    )
    .unwrap();
    let config = rocket::Config {
        ip_header: Some("CF-Connecting-IP".into()),
        log_level: rocket::config::LogLevel::Off,
        ..rocket::Config::default()
    };
    let figment = rocket::figment::Figment::from(config)
        .merge(("template_dir", templates))
        .merge(("innkeeper.store_path", ":memory:"));
    let routes = routes![
        home, healthz, profile, sessions, session, new_item, item, kept, greeting, letter, address
    ];
    let rocket = rocket::custom(figment)
        .attach(AdHoc::on_response("Own ids", |_, response| {
            Box::pin(async move {
                response.set_raw_header("X-Request-Id", "own");
            })
        }))
        .attach(Shield::default().enable(Frame::Deny))
        .attach(innkeeper::stage().without_templates())
        .attach(Template::custom(|engines| {
            engines.tera.autoescape_on(vec![".txt.tera"]);
            innkeeper::templates(engines).unwrap();
        }))
        .mount("/", routes)
        .mount("/", FileServer::from(files));
    (rocket, folder)
}

fn text(response: LocalResponse<'_>) -> String {
    response.into_string().unwrap()
}

#[test]
fn every_address_of_its_own_is_its_own() {
    let (rocket, _folder) = application();
    let client = Client::tracked(rocket).unwrap();
    for (path, body) in [
        ("/", PAGE),
        ("/healthz", "own healthz"),
        ("/profile", "own profile"),
        ("/profile/", "own profile"),
        ("/sessions", "own sessions"),
        ("/sessions/1", "own session"),
        ("/static/style.css", "own static/style.css"),
        ("/static/favicon.svg", "own static/favicon.svg"),
        ("/readyz", "own readyz"),
    ] {
        assert_eq!(text(client.get(path).dispatch()), body, "{path}");
    }
    for path in [
        "/items/new",
        "/sessions/7",
        "/sessions/others",
        "/static/nope",
    ] {
        let response = client.get(path).dispatch();
        assert_eq!(response.status(), Status::NotFound, "{path}");
        assert_eq!(response.headers().get_one("Allow"), None);
    }
}

#[test]
fn what_is_left_is_innkeepers() {
    let (rocket, _folder) = application();
    let client = Client::tracked(rocket).unwrap();
    let page = client.get("/login/").dispatch();
    assert_eq!(page.headers().get_one("X-Frame-Options"), Some("DENY"));
    let policy = page.headers().get_one("Content-Security-Policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = text(page);
    for file in page.split('"').filter(|part| part.starts_with("/static/")) {
        assert!(file.starts_with("/static/innkeeper/"), "{file}");
        assert_eq!(client.get(file).dispatch().status(), Status::Ok, "{file}");
    }
    sign_in(&client);
    let greeting: Value = client.get("/greeting").dispatch().into_json().unwrap();
    assert_eq!(greeting, json!({ "user": "amy" }));
    assert_eq!(
        client.put("/login").dispatch().status(),
        Status::MethodNotAllowed
    );
}

/// Ours replace only what Rocket's `Shield` sets by itself.
#[test]
fn a_header_that_its_shield_was_told_to_set_stays_on_our_answers() {
    let shield = Shield::default()
        .enable(Frame::SameOrigin)
        .enable(Permission::blocked(Feature::Usb));
    let figment = rocket::Config::figment()
        .merge(("innkeeper.store_path", ":memory:"))
        .merge(("log_level", "off"));
    let rocket = rocket::custom(figment)
        .attach(innkeeper::stage())
        .attach(shield);
    let client = Client::tracked(rocket).unwrap();
    let page = client.get("/login/").dispatch();
    let header = |name| page.headers().get(name).collect::<Vec<_>>();
    assert_eq!(header("Permissions-Policy"), ["usb=()"]);
    // What it was told is Rocket's default too, and cannot be told from it.
    assert_eq!(header("X-Frame-Options"), ["DENY"]);
}

fn sign_in(client: &Client) {
    let response = client
        .post("/login/")
        .header(ContentType::JSON)
        .body(r#"{"username":"amy"}"#)
        .dispatch();
    assert_eq!(response.status(), Status::Ok);
}

#[test]
fn its_answers_have_its_own_headers() {
    let (rocket, _folder) = application();
    let client = Client::tracked(rocket).unwrap();
    let header = |path: &'static str, name: &str| {
        let response = client.get(path).dispatch();
        let values: Vec<_> = response.headers().get(name).map(str::to_owned).collect();
        values.join(" | ")
    };
    for path in ["/", "/healthz", "/static/style.css", "/letter"] {
        for name in [
            "Content-Security-Policy",
            "Referrer-Policy",
            "Cross-Origin-Opener-Policy",
            "Cross-Origin-Resource-Policy",
            "Cache-Control",
        ] {
            assert_eq!(header(path, name), "", "{path}");
        }
        assert_eq!(header(path, "X-Frame-Options"), "DENY");
        assert_eq!(header(path, "Permissions-Policy"), "interest-cohort=()");
        assert_eq!(header(path, "Server"), "Rocket");
        assert_eq!(header(path, "X-Request-Id"), "own");
    }
    // What may show a session is not kept, unless the application says how.
    assert_eq!(header("/greeting", "Cache-Control"), "no-store");
    assert_eq!(header("/kept", "Cache-Control"), "private, max-age=60");
}

#[test]
fn its_own_way_to_a_clients_address_stays() {
    let (rocket, _folder) = application();
    let client = Client::tracked(rocket).unwrap();
    let ask = |header: &'static str| {
        let request = client
            .get("/address")
            .header(Header::new(header, "192.0.2.7"));
        let response = request.remote("127.0.0.1:4000".parse().unwrap()).dispatch();
        text(response)
    };
    assert_eq!(ask("CF-Connecting-IP"), "192.0.2.7");
    assert_eq!(ask("X-Real-IP"), "127.0.0.1");
}

#[test]
fn its_templates_are_escaped_as_it_says_and_ours_always() {
    let (rocket, _folder) = application();
    let client = Client::tracked(rocket).unwrap();
    assert_eq!(text(client.get("/letter").dispatch()), "Dear &lt;Amy&gt;");
    let page = client
        .post("/login/")
        .header(ContentType::Form)
        .body("username=+%3Cb%3E")
        .dispatch();
    assert_eq!(page.status(), Status::UnprocessableEntity);
    assert!(text(page).contains("value=\" &lt;b&gt;\""));
    let replaced = client
        .get("/logout/")
        .header(Header::new("Accept", "text/html"))
        .dispatch();
    assert_eq!(text(replaced), "&lt;b&gt;");
}

/// Rocket's own TLS is not compiled in here, and its settings do not wait for that.
#[test]
fn with_its_own_tls_the_site_is_https() {
    let (rocket, _folder) = application();
    let figment = rocket.figment().clone();
    let figment = figment
        .merge(("tls.certs", "certs.pem"))
        .merge(("tls.key", "key.pem"));
    let client = Client::tracked(rocket.configure(figment)).unwrap();
    let sign_in = |origin: &'static str| {
        client
            .post("/login/")
            .header(ContentType::JSON)
            .header(Header::new("Host", "localhost:8000"))
            .header(Header::new("Origin", origin))
            .body(r#"{"username":"amy"}"#)
            .dispatch()
    };
    let refused = sign_in("http://localhost:8000");
    assert_eq!(refused.status(), Status::Forbidden);
    let response = sign_in("https://localhost:8000");
    let cookie = response.headers().get_one("Set-Cookie").unwrap();
    assert!(cookie.starts_with("__Host-session_id="), "{cookie}");
    assert!(cookie.contains("Secure"), "{cookie}");
    assert_eq!(
        response.headers().get_one("Strict-Transport-Security"),
        None
    );
}

/// The tests of an application that runs where its real Redis is named in the environment do not write there: this file's
/// own, with one that nobody answers for.
#[test]
fn a_store_that_it_has_chosen_is_kept_whatever_the_environment_says() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "application::what_is_left_is_innkeepers"])
        .env("REDIS_URL", "redis://127.0.0.1:1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
}

/// Its routes come first even where they answer any path; a rank lets ours be reached.
#[test]
fn a_route_of_any_path_says_itself_whether_it_hides_ours() {
    #[get("/<page>")]
    fn first(page: &str) -> String {
        format!("own page {page}")
    }

    #[get("/<page>", rank = 100)]
    fn last(page: &str) -> String {
        format!("own page {page}")
    }

    for (routes, hides) in [(routes![first], true), (routes![last], false)] {
        let (rocket, _folder) = application();
        let client = Client::tracked(rocket.mount("/", routes)).unwrap();
        let sign_in = text(client.get("/login").dispatch());
        assert_eq!(sign_in == "own page login", hides, "{sign_in}");
        assert_eq!(text(client.get("/about").dispatch()), "own page about");
    }
}
