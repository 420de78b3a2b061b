//! The pages.

use std::sync::Arc;

use innkeeper::testing;
use rocket::http::{Accept, Status};

use crate::launch::{client, settings};
use crate::own_store::store;

#[tokio::test]
async fn a_browser_gets_pages() {
    let settings = settings();
    let stage = innkeeper::stage().store(Arc::new(store(&settings)));
    let client = client(settings, stage).await;
    let amy = testing::sign_in(&client, "amy").await;
    for (path, words) in [
        ("/profile/", "<h1"),
        ("/sessions/", "<h1"),
        ("/logout/", "<h1"),
        ("/docs", "<h1"),
        ("/static/innkeeper/style.css", "{"),
    ] {
        let answer = amy.get(path).header(Accept::HTML).dispatch().await;
        assert_eq!(answer.status(), Status::Ok, "{path}");
        let text = answer.into_string().await.unwrap();
        assert!(text.contains(words), "{path}: {text}");
    }
    let anonymous = client
        .get("/profile/")
        .header(Accept::HTML)
        .dispatch()
        .await;
    assert_eq!(
        anonymous.headers().get_one("Location"),
        Some("/login/?next=/profile/")
    );
}
