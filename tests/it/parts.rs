//! `stage()` with some of its parts, and with a sign-in page of the application's.

use std::collections::BTreeSet;
use std::time::Duration;

use innkeeper::{CurrentSession, Part, Refusal, SignIn, Site, Stage, UserName};
use rocket::http::{Accept, ContentType, Cookie, Header, Status};
use rocket::local::blocking::{Client, LocalResponse};
use rocket::response::content::RawHtml;
use rocket::{Build, Request, Rocket, get, post, routes};
use rocket_dyn_templates::Template;
use serde_json::{Value, json};

use crate::support::browser::{Browser, Scheme};
use crate::support::served::Served;
use crate::support::{configured, with_templates, without_hashes};

/// The parts with addresses, and for each an address and all paths.
const ADDRESSES: [(Part, &[&str]); 6] = [
    (Part::Home, &["/"]),
    (Part::SignIn, &["/login", "/logout", "/profile"]),
    (
        Part::Sessions,
        &[
            "/session",
            "/sessions",
            "/sessions/<handle>",
            "/sessions/others",
            "/sessions/<handle>/end",
            "/sessions/others/end",
            "/sessions/end",
        ],
    ),
    (Part::Health, &["/healthz", "/readyz"]),
    (Part::Docs, &["/openapi.json", "/docs"]),
    (Part::StaticFiles, &["/static/innkeeper/<file>"]),
];

const HTML: (&str, &str) = ("Accept", "text/html");

#[get("/orders")]
fn orders(current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
    Ok(format!("Orders of {}", current?.user()))
}

#[get("/strict")]
fn strict(current: &CurrentSession) -> String {
    current.user().to_owned()
}

#[post("/card")]
async fn card(sign_in: Result<SignIn<'_>, Refusal>) -> Result<(), Refusal> {
    let user = UserName::parse("abdullah").unwrap();
    sign_in?.start(&user).await.map(drop)
}

fn with(stage: Stage) -> Rocket<Build> {
    configured("", &[])
        .attach(stage)
        .mount("/", routes![orders, strict, card])
}

fn client(stage: Stage) -> Client {
    Client::tracked(with(stage)).unwrap()
}

fn paths(client: &Client) -> BTreeSet<String> {
    let routes = client.rocket().routes();
    let paths = routes.map(|route| route.uri.path().to_owned());
    let own = ["/orders", "/strict", "/card"];
    paths.filter(|path| !own.contains(&&**path)).collect()
}

fn paths_of(part: Part) -> BTreeSet<String> {
    let of = ADDRESSES.iter().filter(|(other, _)| *other == part);
    of.flat_map(|(_, paths)| paths.iter().map(|path| (*path).to_owned()))
        .collect()
}

fn browse<'c>(client: &'c Client, path: &'c str) -> LocalResponse<'c> {
    let request = client.get(path).header(Header::new(HTML.0, HTML.1));
    request.dispatch()
}

fn location<'r>(response: &'r LocalResponse<'_>) -> Option<&'r str> {
    response.headers().get_one("Location")
}

/// What a page links to, loads, and sends its forms to: addresses of this site.
fn links(page: &str) -> BTreeSet<String> {
    let starts = [
        "href=\"",
        "src=\"",
        "action=\"",
        "data-session=\"",
        "data-login=\"",
        "data-profile=\"",
    ];
    let links = starts.iter().flat_map(|start| page.split(start).skip(1));
    let links = links.map(|rest| rest.split('"').next().unwrap().to_owned());
    links.filter(|link| link.starts_with('/')).collect()
}

#[test]
fn all_parts_are_mounted_unless_an_application_says_otherwise() {
    let all: BTreeSet<_> = ADDRESSES
        .iter()
        .flat_map(|(part, _)| paths_of(*part))
        .collect();
    assert_eq!(paths(&client(innkeeper::stage())), all);
}

#[test]
fn each_part_can_be_left_out_alone() {
    let all = paths(&client(innkeeper::stage()));
    for (part, _) in ADDRESSES {
        let mut left = &all - &paths_of(part);
        // It would lead to itself.
        if part == Part::SignIn {
            left = &left - &paths_of(Part::Home);
        }
        let client = client(innkeeper::stage().without(part));
        assert_eq!(paths(&client), left, "{part:?}");
    }
}

#[test]
fn each_part_can_be_had_alone() {
    for (part, _) in ADDRESSES {
        let client = client(innkeeper::stage().only([part]));
        let expected = if part == Part::Home {
            BTreeSet::new()
        } else {
            paths_of(part)
        };
        assert_eq!(paths(&client), expected, "{part:?}");
        assert_eq!(client.rocket().catchers().count(), 0, "{part:?}");
    }
}

#[test]
fn nothing_is_mounted_behind_the_applications_back() {
    let client = client(innkeeper::stage().only([]));
    assert_eq!(paths(&client), BTreeSet::new());
    assert_eq!(client.rocket().catchers().count(), 0);
    client.post("/card").dispatch();
    let orders = client.get("/orders").dispatch();
    assert_eq!(orders.headers().get_one("X-Request-Id"), None);
    assert_eq!(orders.into_string().unwrap(), "Orders of abdullah");
}

#[test]
fn the_document_describes_what_is_mounted() {
    for (left_out, _) in ADDRESSES.iter().filter(|(part, _)| *part != Part::Docs) {
        let client = client(innkeeper::stage().without(*left_out));
        let document: Value = client.get("/openapi.json").dispatch().into_json().unwrap();
        let described: BTreeSet<_> = document["paths"]
            .as_object()
            .unwrap()
            .keys()
            .map(|path| match path.as_str() {
                "/" => "/".to_owned(),
                path => path
                    .trim_end_matches('/')
                    .replace('{', "<")
                    .replace('}', ">"),
            })
            .collect();
        let mounted: BTreeSet<_> = paths(&client)
            .into_iter()
            .filter(|path| !path.starts_with("/static/"))
            .collect();
        assert_eq!(described, mounted, "{left_out:?}");
        // Every schema is referred to, and every reference leads to one.
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for name in schemas.keys() {
            assert!(
                text.contains(&format!("#/components/schemas/{name}\"")),
                "{left_out:?}: {name}"
            );
        }
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{left_out:?}: {name}");
        }
    }
}

#[test]
fn no_page_links_to_what_is_left_out() {
    for (left_out, _) in ADDRESSES {
        let client = client(innkeeper::stage().without(left_out));
        client.post("/card").dispatch();
        let seen: Vec<_> = ["/profile/", "/sessions/", "/logout/", "/docs", "/nowhere"]
            .into_iter()
            .map(|path| (path, browse(&client, path).into_string().unwrap()))
            .collect();
        client.post("/logout/").dispatch();
        let open = ["/login/", "/logout/"]
            .map(|path| (path, browse(&client, path).into_string().unwrap()));
        for (path, page) in seen.into_iter().chain(open) {
            assert!(page.contains("<html"), "{left_out:?} {path}: {page}");
            for link in links(&page) {
                // The start page is the application's then.
                if link == "/" && matches!(left_out, Part::Home | Part::SignIn) {
                    continue;
                }
                assert!(is_there(&client, &link), "{left_out:?} {path}: {link}");
            }
        }
    }
}

/// Whether some route has this path, whatever the method.
fn is_there(client: &Client, link: &str) -> bool {
    let path = link.split(['?', '#']).next().unwrap();
    let wanted: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    client.rocket().routes().any(|route| {
        let own: Vec<_> = route
            .uri
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        own.len() == wanted.len()
            && own
                .iter()
                .zip(&wanted)
                .all(|(own, wanted)| own == wanted || own.starts_with('<'))
    })
}

#[test]
fn a_page_without_a_sign_in_page_is_refused_and_not_sent_to_a_dead_one() {
    let client = client(innkeeper::stage().without(Part::SignIn));
    let page = browse(&client, "/orders");
    assert_eq!((page.status(), location(&page)), (Status::Forbidden, None));
    let page = page.into_string().unwrap();
    assert!(page.contains("<h1>Please sign in</h1>"), "{page}");

    let dead = Cookie::new("session_id", "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a");
    let page = client
        .get("/orders")
        .header(Header::new(HTML.0, HTML.1))
        .cookie(dead)
        .dispatch();
    assert_eq!((page.status(), location(&page)), (Status::NotFound, None));
    let cookie = page.headers().get_one("Set-Cookie").unwrap().to_owned();
    assert!(cookie.starts_with("session_id=; "), "{cookie}");
    let page = page.into_string().unwrap();
    assert!(page.contains("<h1>Your session has ended</h1>"), "{page}");
}

#[test]
fn a_browser_is_sent_to_the_applications_own_sign_in_page() {
    #[get("/enter?<next>&<ended>")]
    fn enter(
        next: Option<&str>,
        ended: Option<&str>,
        current: Result<&CurrentSession, Refusal>,
    ) -> Result<String, Refusal> {
        match current {
            Ok(_) => Ok("in".to_owned()),
            Err(Refusal::NoSession) => Ok(format!("{next:?} {ended:?}")),
            Err(refusal) => Err(refusal),
        }
    }

    for stage in [innkeeper::stage(), innkeeper::stage().without(Part::SignIn)] {
        let rocket = with(stage.sign_in_page("/enter")).mount("/", routes![enter]);
        let client = Client::tracked(rocket).unwrap();
        for path in ["/orders?page=2", "/strict?page=2"] {
            let page = browse(&client, path);
            assert_eq!(page.status(), Status::SeeOther);
            let wanted = path.replace('?', "%3F").replace('=', "%3D");
            assert_eq!(location(&page), Some(&*format!("/enter?next={wanted}")));
            let to = location(&page).unwrap().to_owned();
            drop(page);
            let next = browse(&client, &to).into_string().unwrap();
            assert_eq!(next, format!("Some({path:?}) None"));
        }

        let dead = Cookie::new("session_id", "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a");
        let page = client
            .get("/orders")
            .header(Header::new(HTML.0, HTML.1))
            .cookie(dead.clone())
            .dispatch();
        assert_eq!(location(&page), Some("/enter?next=/orders&ended=1"));
        // It cannot ask why the session ended, so the cookie goes at once.
        let cookie = page.headers().get_one("Set-Cookie").unwrap();
        assert!(cookie.starts_with("session_id=; "), "{cookie}");
        drop(page);
        // Nor is it sent to itself.
        let page = client
            .get("/enter")
            .header(Header::new(HTML.0, HTML.1))
            .cookie(dead)
            .dispatch();
        assert_eq!((page.status(), location(&page)), (Status::NotFound, None));

        // Programs are answered as ever.
        let answer = client.get("/orders").dispatch();
        assert_eq!(answer.status(), Status::Forbidden);
    }
}

#[test]
fn a_path_that_cannot_be_a_sign_in_page_stops_the_launch() {
    for path in [
        "enter",
        "//evil.example",
        "/enter?next=",
        "https://evil.example/",
    ] {
        let rocket = with(innkeeper::stage().sign_in_page(path));
        let error = Client::tracked(rocket).unwrap_err();
        assert!(
            matches!(error.kind(), rocket::error::ErrorKind::FailedFairings(_)),
            "{path}"
        );
    }
}

#[test]
fn who_ends_his_own_session_goes_on_to_a_page_that_is_there() {
    for (stage, expected) in [
        (innkeeper::stage(), "/logout/"),
        (innkeeper::stage().only([Part::Sessions]), "/"),
        (
            innkeeper::stage()
                .only([Part::Sessions])
                .sign_in_page("/enter"),
            "/enter",
        ),
    ] {
        let client = client(stage);
        client.post("/card").dispatch();
        let answer = client
            .post("/sessions/end")
            .header(ContentType::Form)
            .dispatch();
        assert_eq!(location(&answer), Some(expected));
    }
}

#[test]
fn without_our_catcher_a_guard_fails_with_its_own_status_and_says_why() {
    #[rocket::catch(default)]
    fn own(status: Status, request: &Request<'_>) -> String {
        let why = Refusal::of_guard(status, request);
        format!("own {} {why:?}", status.code)
    }

    #[rocket::catch(403)]
    fn answered(status: Status, request: &Request<'_>) -> Result<(), Refusal> {
        Refusal::of_guard(status, request).map_or(Ok(()), Err)
    }

    let rocket = with(innkeeper::stage().without(Part::Catcher));
    let client = Client::tracked(rocket.register("/", rocket::catchers![own])).unwrap();
    for (path, status, text) in [
        ("/strict", 403, "own 403 Some(NoSession)"),
        ("/nowhere", 404, "own 404 None"),
    ] {
        let answer = client.get(path).dispatch();
        assert_eq!(answer.status().code, status);
        assert_eq!(answer.into_string().unwrap(), text);
    }
    // What a handler answers is an answer as ever.
    let answer: Value = client.get("/orders").dispatch().into_json().unwrap();
    assert_eq!(answer, json!({ "detail": "No session cookie found" }));

    let rocket = with(innkeeper::stage().without(Part::Catcher));
    let client = Client::tracked(rocket.register("/", rocket::catchers![answered])).unwrap();
    let page = browse(&client, "/strict");
    assert_eq!(location(&page), Some("/login/?next=/strict"));
}

#[test]
fn without_the_request_log_no_answer_has_an_id() {
    for (stage, has_id) in [
        (innkeeper::stage(), true),
        (innkeeper::stage().without(Part::RequestLog), false),
    ] {
        let client = client(stage);
        for path in ["/login/", "/orders", "/nowhere"] {
            let answer = client.get(path).dispatch();
            assert_eq!(
                answer.headers().get_one("X-Request-Id").is_some(),
                has_id,
                "{path}"
            );
        }
    }
}

/// As it could before there was a variable `site`.
#[test]
fn a_page_of_the_applications_extends_our_layout_with_and_without_the_site() {
    #[get("/own")]
    fn own() -> Template {
        Template::render("own", json!({}))
    }

    #[get("/own-with-site")]
    fn own_with_site(site: &Site) -> Template {
        Template::render("own", json!({ "site": site }))
    }

    let stage = innkeeper::stage().without_templates();
    let rocket = configured("", &[])
        .attach(Template::custom(|engines| {
            innkeeper::templates(engines).unwrap();
            let page =
                "{% extends \"innkeeper/layout\" %}{% block main %}<h1>Own</h1>{% endblock main %}";
            engines.tera.add_raw_template("own", page).unwrap();
        }))
        .attach(stage)
        .mount("/", routes![own, own_with_site]);
    let client = Client::tracked(with_templates(rocket, "static")).unwrap();
    let [page, with_site] =
        ["/own", "/own-with-site"].map(|path| browse(&client, path).into_string().unwrap());
    assert_eq!(page, without_hashes(&with_site));
    assert!(page.contains("<title> · Innkeeper</title>"), "{page}");
    assert_eq!(
        links(&page),
        [
            "/",
            "/static/innkeeper/favicon.svg",
            "/static/innkeeper/innkeeper.js",
            "/static/innkeeper/style.css"
        ]
        .map(str::to_owned)
        .into(),
        "{page}"
    );
}

#[test]
fn a_second_stage_on_one_rocket_does_not_launch() {
    let rocket = with(innkeeper::stage()).attach(innkeeper::stage().mount_at("/other"));
    let error = Client::tracked(rocket).unwrap_err();
    assert!(matches!(
        error.kind(),
        rocket::error::ErrorKind::FailedFairings(_)
    ));
}

/// Lets the page's script see the time at which the session has long ended.
const LATER: &str =
    "(() => { const now = Date.now; Date.now = () => now() + 86_400_000; return 1; })()";

#[rocket::async_test]
async fn the_script_asks_nobody_where_nobody_answers() {
    let stage = innkeeper::stage().only([Part::SignIn, Part::StaticFiles]);
    let served = Served::start(with(stage)).await;
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&served.url(), "amy").await;
    browser.count_requests("silent").await;
    browser.evaluate(LATER).await;
    browser.wait_for_shown("#expiry-warning").await;
    assert_eq!(browser.text("#countdown").await, "0:00");
    browser
        .evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        .await;
    // The script looks once a second whether it is time to ask.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(browser.requests("silent").await.sent, 0);
    // The button still works: the page itself is asked for.
    browser.click("#stay").await;
    for _ in 0..600 {
        if browser.text("#countdown").await.starts_with('1') {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!browser.is_shown("#expiry-warning").await);
    browser.finish().await;
}

#[rocket::async_test]
async fn the_end_of_a_session_leads_to_the_applications_own_sign_in_page() {
    #[get("/enter")]
    fn enter() -> RawHtml<&'static str> {
        RawHtml("<!doctype html><link rel=icon href=data:,><h1>Enter</h1>")
    }

    let own = innkeeper::stage().only([Part::Sessions, Part::StaticFiles, Part::Catcher]);
    for (stage, heading) in [
        (own.clone().sign_in_page("/enter"), "Enter"),
        (own, "Please sign in"),
    ] {
        let served = Served::start(with(stage).mount("/", routes![enter])).await;
        let browser = Browser::start(Scheme::Light).await;
        browser.open(&format!("{}/enter", served.url())).await;
        let enter = "fetch('/card', { method: 'POST' }).then((answer) => answer.status)";
        assert_eq!(browser.evaluate(enter).await, 200);
        browser.open(&format!("{}/sessions/", served.url())).await;
        browser.wait_for_heading("Your sessions").await;
        let end = "fetch('/sessions/', { method: 'DELETE' }).then((answer) => answer.status)";
        assert_eq!(browser.evaluate(end).await, 200);
        browser.evaluate(LATER).await;
        browser.wait_for_heading(heading).await;
    }
}

/// `sign_in` is about our sign-in: who has left it out has a check of his own.
#[test]
fn only_our_own_sign_in_is_kept_from_the_world() {
    let launched = |stage: Stage| {
        let figment = rocket::Config::figment()
            .merge(("address", "0.0.0.0"))
            .merge(("innkeeper.store_path", ":memory:"))
            .merge(("log_level", "off"));
        // Rocket's error panics unless somebody looks at it.
        let client = Client::tracked(rocket::custom(figment).attach(stage));
        client.map_err(|error| error.to_string()).is_ok()
    };
    assert!(!launched(innkeeper::stage()));
    assert!(launched(innkeeper::stage().without(Part::SignIn)));
}

#[test]
fn a_sign_in_page_at_our_home_or_our_login_leads_to_no_loop() {
    let rocket = with(innkeeper::stage().sign_in_page("/"));
    let client = Client::tracked(rocket).unwrap();
    assert_eq!(client.get("/").dispatch().status(), Status::NotFound);

    let rocket = with(innkeeper::stage().sign_in_page("/login"));
    let client = Client::tracked(rocket).unwrap();
    let page = client
        .get("/profile/")
        .header(Accept::HTML)
        .cookie(("session_id", "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a"))
        .dispatch();
    // Our own page needs the cookie, to say why the session ended.
    assert_eq!(
        page.headers().get_one("Location"),
        Some("/login/?next=/profile/&ended=1")
    );
    assert!(!page.headers().contains("Set-Cookie"));
}
