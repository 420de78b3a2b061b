//! The site's own name, colour and layout.

use std::fs;
use std::sync::Arc;

use innkeeper::{Clock, Config, EmbeddedStore, StorePath};
use rocket::http::{ContentType, Header, Status};
use rocket::local::blocking::Client;
use rocket::{Build, Rocket};
use rocket_dyn_templates::Template;
use serde_json::{Value, json};

use crate::support::browser::{Browser, Scheme};
use crate::support::program::Program;
use crate::support::served::Served;
use crate::support::{configured, eventually, with_templates};

const NAME: &str = "Ann & Bob's <Inn> \u{1f3e8}";

fn application(settings: &[(&str, Value)]) -> Rocket<Build> {
    configured("", settings).attach(innkeeper::stage())
}

fn client(settings: &[(&str, Value)]) -> Client {
    Client::tracked(application(settings)).unwrap()
}

fn page(client: &Client, path: &str) -> String {
    let html = Header::new("Accept", "text/html");
    let answer = client.get(path).header(html).dispatch();
    answer.into_string().unwrap()
}

fn sign_in(client: &Client) {
    let form = client.post("/login/").header(ContentType::Form);
    assert_eq!(
        form.body("username=amy").dispatch().status(),
        Status::SeeOther
    );
}

const OPEN: [&str; 4] = ["/login/", "/logout/", "/docs", "/nowhere"];
const SIGNED_IN: [&str; 4] = ["/profile/", "/sessions/", "/logout/", "/nowhere"];

/// Every page, signed in and not.
fn pages(client: &Client) -> Vec<(&'static str, String)> {
    let mut pages: Vec<_> = OPEN.map(|path| (path, page(client, path))).into();
    sign_in(client);
    pages.extend(SIGNED_IN.map(|path| (path, page(client, path))));
    pages
}

#[test]
fn its_name_stands_in_every_page_and_ours_in_none() {
    let client = client(&[("site_name", json!(NAME))]);
    let written = "Ann &amp; Bob&#x27;s &lt;Inn&gt; \u{1f3e8}";
    for (path, page) in pages(&client) {
        let title = page.split("</title>").next().unwrap();
        assert!(
            title.ends_with(&format!(" \u{b7} {written}")),
            "{path}: {page}"
        );
        let header = page
            .split("<header>")
            .nth(1)
            .unwrap()
            .split("</header>")
            .next()
            .unwrap();
        assert!(header.contains(written), "{path}: {header}");
        assert!(!page.contains("Innkeeper"), "{path}: {page}");
    }
    let document: Value = client.get("/openapi.json").dispatch().into_json().unwrap();
    // Without the hotel: see T41.
    assert_eq!(document["info"]["title"], "Ann & Bob's <Inn>");
}

#[test]
fn without_a_name_of_its_own_it_is_innkeeper() {
    for (path, page) in pages(&client(&[])) {
        assert!(page.contains(" \u{b7} Innkeeper</title>"), "{path}: {page}");
    }
}

fn file(client: &Client, name: &str) -> (String, String) {
    let path = format!("/static/innkeeper/{name}");
    let answer = client.get(path).dispatch();
    let tag = answer.headers().get_one("ETag").unwrap().to_owned();
    (answer.into_string().unwrap(), tag)
}

#[test]
fn its_colour_stands_in_the_style_sheet_and_in_the_icon() {
    let (ours, own) = (client(&[]), client(&[("accent_color", json!("#0055AA"))]));
    let (style, tag) = file(&ours, "style.css");
    assert_eq!(style, include_str!("../../static/style.css"));
    let (own_style, own_tag) = file(&own, "style.css");
    assert_ne!(own_tag, tag);
    let added = own_style.strip_prefix(&style).unwrap();
    let (light, dark) = added
        .split_once("@media (prefers-color-scheme: dark)")
        .unwrap();
    assert!(
        light.contains("--accent: #0055aa; --accent-deep: #004488; --on-accent: #ffffff;"),
        "{light}"
    );
    assert!(
        dark.contains("--accent: #") && !dark.contains("#0055aa"),
        "{dark}"
    );
    let (icon, _) = file(&ours, "favicon.svg");
    assert_eq!(icon, include_str!("../../static/favicon.svg"));
    let (icon, _) = file(&own, "favicon.svg");
    assert!(
        icon.contains("fill=\"#0055aa\"") && !icon.contains("#8a3d1f"),
        "{icon}"
    );

    // Both, and only the dark one.
    let (style, _) = file(
        &client(&[("accent_color_dark", json!("#88bbff"))]),
        "style.css",
    );
    assert_eq!(style.matches("--accent: #8a3d1f;").count(), 1);
    let dark = style.rsplit("@media").next().unwrap();
    assert!(dark.contains("--accent: #88bbff;"), "{dark}");
}

#[test]
fn a_colour_that_cannot_be_read_stops_the_launch_and_says_by_how_much() {
    let folder = tempfile::tempdir().unwrap();
    for (variable, color, parts) in [
        (
            "INNKEEPER_ACCENT_COLOR",
            "#ffcc00",
            ["light scheme", "contrast of 1.34", "needs 4.5"],
        ),
        (
            "INNKEEPER_ACCENT_COLOR_DARK",
            "#0055aa",
            ["dark scheme", "the card (#211a16)", "needs 4.5"],
        ),
        (
            "INNKEEPER_ACCENT_COLOR",
            "blue",
            ["`accent_color`", "like #0055aa", "is `blue`"],
        ),
    ] {
        let said = Program::refusal(folder.path(), &[(variable, color)]);
        for part in parts.into_iter().chain([variable]) {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    let long = "x".repeat(65);
    for name in ["two\nlines", " inn", &long] {
        let said = Program::refusal(folder.path(), &[("INNKEEPER_SITE_NAME", name)]);
        assert!(
            said.contains("INNKEEPER_SITE_NAME") && said.contains("1 to 64"),
            "{said}"
        );
    }
}

/// Three files' worth of a site's own look: its layout, and ours that hands our blocks to it.
#[test]
fn its_own_layout_wraps_all_our_pages() {
    let folder = tempfile::tempdir().unwrap();
    let layout = "<!doctype html><title>{% block title %}{% endblock title %} at home</title>\
        {% include \"innkeeper/partials/assets\" %}{% block head %}{% endblock head %}\
        <nav>own</nav><main>{% block main %}{% endblock main %}</main>";
    fs::write(folder.path().join("site.html.tera"), layout).unwrap();
    fs::create_dir(folder.path().join("innkeeper")).unwrap();
    let ours = "{% extends \"site\" %}";
    fs::write(folder.path().join("innkeeper/layout.html.tera"), ours).unwrap();
    let rocket = with_templates(application(&[]), folder.path());
    let client = Client::tracked(rocket).unwrap();
    let headings = [
        "Sign in",
        "You are signed out",
        "Addresses",
        "Page not found",
    ];
    let pages = pages(&client);
    assert_eq!(pages.len(), OPEN.len() + SIGNED_IN.len());
    for (path, page) in &pages {
        assert!(page.starts_with("<!doctype html><title>"), "{path}: {page}");
        for part in [
            "at home</title>",
            "<nav>own</nav>",
            "/static/innkeeper/style-",
            "<h1",
        ] {
            assert!(page.contains(part), "{path}: {part} in {page}");
        }
    }
    for ((path, page), heading) in pages.iter().zip(headings) {
        assert!(page.contains(&format!(">{heading}</h1>")), "{path}: {page}");
    }
}

/// Of the second, by Rocket's `Template`, no part is made before.
#[test]
fn the_engine_that_the_stage_keeps_makes_the_pages_of_an_applications_own() {
    let settings = [("site_name", json!(NAME))];
    let configured = || with_templates(configured("", &settings), "static");
    let lifetimes = Config::from(configured().figment()).unwrap().lifetimes;
    let store = EmbeddedStore::open(&StorePath::Memory, lifetimes, Clock::start());
    let store = Arc::new(store.unwrap());
    let stage = || innkeeper::stage().store(store.clone());
    let own = Template::custom(|engines| innkeeper::templates(engines).unwrap());
    let [kept, own] = [
        configured().attach(stage()),
        configured().attach(stage().without_templates()).attach(own),
    ]
    .map(|rocket| Client::untracked(rocket).unwrap());
    let form = kept.post("/login/").header(ContentType::JSON);
    let user = json!({ "username": NAME }).to_string();
    let signed_in: Value = form.body(user).dispatch().into_json().unwrap();
    let id = signed_in["session_id"].as_str().unwrap();

    let mistake = |client: &Client| {
        let form = client.post("/login/").header(ContentType::Form);
        let page = form.body("username=+%3Cb%3E").dispatch();
        page.into_string().unwrap()
    };
    assert_eq!(mistake(&kept), mistake(&own));
    let guest = OPEN.map(|path| (path, None));
    let host = SIGNED_IN.map(|path| (path, Some("others_ended%202")));
    for (path, notice) in guest.into_iter().chain(host) {
        let page = |client: &Client| {
            let html = Header::new("Accept", "text/html");
            let mut request = client.get(path).header(html);
            if let Some(notice) = notice {
                request = request.cookie(("session_id", id.to_owned()));
                request = request.cookie(("notice", notice));
            }
            request.dispatch().into_string().unwrap()
        };
        // A countdown goes on meanwhile.
        let pages = eventually("two pages of the same second", || {
            let pages = [page(&kept), page(&own), page(&kept)];
            (pages[0] == pages[2]).then_some(pages)
        });
        assert_eq!(pages[0], pages[1], "{path}");
        if path == "/profile/" {
            for part in ["data-visitor", "2 other sessions", "Ann &amp; Bob"] {
                assert!(pages[0].contains(part), "{part} in {}", pages[0]);
            }
        }
    }
}

/// Rocket looks for changes in a debug build alone.
#[cfg(debug_assertions)]
#[test]
fn a_template_that_is_edited_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("innkeeper/made")).unwrap();
    // What is made once is made anew, too.
    let brand = folder.path().join("innkeeper/made/brand.html.tera");
    fs::write(&brand, "Brand of old").unwrap();
    let rocket = with_templates(application(&[]), folder.path());
    let client = Client::tracked(rocket).unwrap();
    assert!(page(&client, "/login/").contains("Brand of old"));
    fs::write(&brand, "Brand anew").unwrap();
    eventually("the template to be read again", || {
        let page = page(&client, "/login/");
        page.contains("Brand anew").then_some(())
    });
}

/// What the browser paints: the same colours as those that were checked, and nothing that its policy forbids.
#[rocket::async_test]
async fn a_browser_paints_its_colour_light_and_dark() {
    let settings = [
        ("site_name", json!("Harbour Inn")),
        ("accent_color", json!("#0055aa")),
    ];
    let served = Served::start(application(&settings)).await;
    let site = served.url();
    let browser = Browser::start(Scheme::Light).await;
    browser.sign_in(&site, "amy").await;
    let paint = "(() => { const of = (it) => getComputedStyle(document.querySelector(it)); \
        const button = of('main form button'); \
        return [of('main p a').color, button.backgroundColor, button.color]; })()";
    let mut seen = Vec::new();
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.prefer(scheme).await;
        for (path, name) in [
            ("/profile/", "profile"),
            ("/sessions/", "sessions"),
            ("/docs", "docs"),
            ("/nowhere", "error"),
        ] {
            browser.open(&format!("{site}{path}")).await;
            browser.picture(&format!("harbour-{name}-{scheme:?}")).await;
        }
        browser.open(&format!("{site}/profile/")).await;
        seen.push(browser.evaluate(paint).await);
    }
    assert_eq!(
        seen[0],
        json!(["rgb(0, 85, 170)", "rgb(0, 85, 170)", "rgb(255, 255, 255)"])
    );
    let [link, button, text] = [0, 1, 2].map(|part| seen[1][part].as_str().unwrap());
    assert_eq!((link, text), (button, "rgb(0, 0, 0)"));
    assert_ne!(link, "rgb(0, 85, 170)");
    browser.open(&format!("{site}/logout/")).await;
    browser.click("form[action='/logout/'] button").await;
    browser.wait_for_heading("You are signed out").await;
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.prefer(scheme).await;
        browser.open(&format!("{site}/login/?ended=1")).await;
        browser.picture(&format!("harbour-login-{scheme:?}")).await;
    }
    // The error page's own status is written there.
    let console = browser.console().await;
    assert!(
        console.iter().all(|line| line.contains("404")),
        "{console:?}"
    );
}
