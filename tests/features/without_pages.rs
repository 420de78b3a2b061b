//! Without pages.

use std::sync::Arc;

use innkeeper::testing;
use rocket::http::{Accept, ContentType};
use serde_json::json;

use crate::launch::{client, settings};
use crate::own_store::store;
use crate::problem::problem;
use crate::sign_in::said;

#[tokio::test]
async fn a_browser_gets_json() {
    let settings = settings();
    let stage = innkeeper::stage().store(Arc::new(store(&settings)));
    let client = client(settings, stage).await;
    let amy = testing::sign_in(&client, "amy").await;
    let (status, profile) = said(amy.get("/profile/").header(Accept::HTML)).await;
    assert_eq!(
        (status, &profile["session_data"]["user"]),
        (200, &json!("amy"))
    );
    let anonymous = said(client.get("/profile/").header(Accept::HTML)).await;
    assert_eq!(
        anonymous,
        (403, json!({"detail": "No session cookie found"}))
    );
    let missing = said(client.get("/nowhere").header(Accept::HTML)).await;
    assert_eq!(missing, (404, json!({"detail": "Not Found"})));

    let form = client.post("/login/").header(ContentType::Form);
    let (status, signed_in) = said(form.body("username=bob&next=/orders")).await;
    assert_eq!(
        (status, &signed_in["message"]),
        (200, &json!("Logged in successfully"))
    );
    let form = client.post("/login/").header(ContentType::Form);
    let (status, refused) = said(form.body("username=")).await;
    assert_eq!(
        (status, &refused["detail"][0]["loc"]),
        (422, &json!(["body", "username"]))
    );
}

#[tokio::test]
async fn what_is_there_for_pages_alone_is_not() {
    let settings = settings();
    let stage = innkeeper::stage().store(Arc::new(store(&settings)));
    let client = client(settings, stage).await;
    for (path, status) in [
        ("/", 404),
        ("/docs", 404),
        ("/static/innkeeper/style.css", 404),
        // There is a POST.
        ("/login/", 405),
        ("/logout/", 405),
    ] {
        assert_eq!(
            said(client.get(path).header(Accept::HTML)).await.0,
            status,
            "{path}"
        );
    }
    let (_, document) = said(client.get("/openapi.json")).await;
    let paths = document["paths"].as_object().unwrap();
    assert!(!paths.contains_key("/") && !paths.contains_key("/docs"));
    assert_eq!(
        paths["/login/"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["post"]
    );
    let text = document["paths"].to_string();
    assert!(
        !text.contains("text/html") && !text.contains("\"303\""),
        "{text}"
    );
}

#[tokio::test]
async fn a_colour_for_pages_stops_the_launch() {
    let settings = settings().merge(("innkeeper.accent_color", "#0055aa"));
    let stage = innkeeper::stage().store(Arc::new(store(&settings)));
    let said = problem(settings, stage).await;
    assert!(said.contains("accent_color"), "{said}");
    assert!(said.contains("Innkeeper's feature `pages`"), "{said}");
}

/// An application can have pages of its own, by another template engine.
#[tokio::test]
async fn a_browser_is_led_to_the_applications_own_sign_in_page() {
    let settings = settings();
    let stage = innkeeper::stage().store(Arc::new(store(&settings)));
    let client = client(settings, stage.sign_in_page("/enter")).await;
    let answer = client
        .get("/profile/")
        .header(Accept::HTML)
        .dispatch()
        .await;
    assert_eq!(answer.status().code, 303);
    let location = answer.headers().get_one("Location");
    assert_eq!(location, Some("/enter?next=/profile/"));
    let program = said(client.get("/profile/")).await;
    assert_eq!(program.0, 403);
    let site = client.rocket().state::<innkeeper::Site>().unwrap();
    let site = serde_json::to_value(site).unwrap();
    for page in ["docs", "stylesheet", "script", "docs_script", "icon"] {
        assert_eq!(site[page], json!(null), "{page}");
    }
}
