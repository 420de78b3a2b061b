//! The programs in `examples/` do what they say.

use innkeeper::testing::blocking::sign_in;
use rocket::http::{ContentType, Header, Status};
use rocket::local::blocking::{Client, LocalResponse};
use rocket::{Build, Rocket};
use serde_json::{Value, json};

/// Each as it is built for those who run it.
macro_rules! examples {
    ($($name:ident: $path:literal),+ $(,)?) => {
        $(
            #[expect(dead_code, reason = "its `main` is for those who run it")]
            #[path = $path]
            mod $name;
        )+
    };
}

examples! {
    basket: "../../examples/basket.rs",
    own_flow: "../../examples/own_flow.rs",
    own_pages: "../../examples/own_pages.rs",
    own_users: "../../examples/own_users.rs",
    roles: "../../examples/roles.rs",
}

/// With a store and settings of the test's own.
fn client(rocket: Rocket<Build>) -> Client {
    let figment = rocket.figment().clone();
    let figment = figment
        .merge(("log_level", "off"))
        .merge(("address", "127.0.0.1"))
        .merge(("innkeeper.store_path", ":memory:"))
        .merge(("innkeeper.redis_url", ""));
    Client::tracked(rocket.configure(figment)).unwrap()
}

fn browse<'c>(client: &'c Client, path: &'c str) -> LocalResponse<'c> {
    let html = Header::new("Accept", "text/html");
    client.get(path).header(html).dispatch()
}

fn text(client: &Client, path: &str) -> String {
    browse(client, path).into_string().unwrap()
}

fn submit<'c>(client: &'c Client, path: &'c str, form: &str) -> LocalResponse<'c> {
    client
        .post(path)
        .header(ContentType::Form)
        .body(form)
        .dispatch()
}

#[track_caller]
fn location(answer: &LocalResponse<'_>) -> String {
    assert_eq!(answer.status(), Status::SeeOther);
    answer.headers().get_one("Location").unwrap().to_owned()
}

#[test]
fn a_basket_lives_in_the_session() {
    let client = client(basket::rocket());
    assert_eq!(client.get("/basket").dispatch().status(), Status::Forbidden);
    submit(&client, "/login/", "username=abdullah");
    for number in 1..=2 {
        let basket: Value = client.post("/basket/apple").dispatch().into_json().unwrap();
        assert_eq!(basket, json!({ "apple": number }));
    }
    let profile: Value = client.get("/profile/").dispatch().into_json().unwrap();
    assert_eq!(profile["session_data"]["basket"], json!({ "apple": 2 }));
    client.delete("/basket").dispatch();
    let basket: Value = client.get("/basket").dispatch().into_json().unwrap();
    assert_eq!(basket, json!({}));
}

#[test]
fn only_administrators_see_the_cellar() {
    let client = client(roles::rocket());
    let refused = client.get("/cellar").dispatch();
    assert_eq!(refused.status(), Status::Forbidden);
    let refused: Value = refused.into_json().unwrap();
    assert_eq!(refused, json!({ "detail": "No session cookie found" }));
    assert_eq!(
        location(&browse(&client, "/cellar")),
        "/login/?next=/cellar"
    );
    let (amy, bob) = (sign_in(&client, "amy"), sign_in(&client, "bob"));
    assert_eq!(
        amy.get("/cellar").dispatch().into_string().unwrap(),
        "amy looks at the barrels"
    );
    assert_eq!(bob.get("/cellar").dispatch().status(), Status::Forbidden);
}

const PASSWORD: &str = "name=amy&password=correct+horse+battery+staple";

#[test]
fn a_form_with_a_check_of_its_own_signs_in() {
    let client = client(own_flow::rocket());
    assert!(text(&client, "/").contains("<a href=/enter>"));
    for wrong in [
        "name=amy&password=wrong",
        "name=bob&password=correct+horse+battery+staple",
        "name=&password=",
    ] {
        assert_eq!(
            submit(&client, "/enter", wrong).status(),
            Status::Unauthorized,
            "{wrong}"
        );
        assert!(client.cookies().get("session_id").is_none(), "{wrong}");
    }
    let from_elsewhere = client
        .post("/enter")
        .header(ContentType::Form)
        .header(Header::new("Sec-Fetch-Site", "cross-site"))
        .body(PASSWORD);
    assert_eq!(from_elsewhere.dispatch().status(), Status::Forbidden);
    assert!(client.cookies().get("session_id").is_none());

    for (next, expected) in [
        ("/?a=b", "/?a=b"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\"><script>", "/%22%3E%3Cscript%3E"),
    ] {
        let query: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = text(&client, &format!("/enter?next={query}")).replace("&#x2F;", "/");
        assert!(
            page.contains(&format!("name=next value=\"{expected}\"")),
            "{page}"
        );
        let entered = submit(&client, "/enter", &format!("{PASSWORD}&next={query}"));
        assert_eq!(location(&entered), expected);
    }
    assert!(text(&client, "/").contains("Welcome, amy"));
    assert_eq!(location(&submit(&client, "/leave", "")), "/");
    assert!(text(&client, "/").contains("<a href=/enter>"));
    // None of ours is there.
    for path in [
        "/login/",
        "/profile/",
        "/sessions/",
        "/healthz",
        "/docs",
        "/static/innkeeper/style.css",
    ] {
        assert_eq!(browse(&client, path).status(), Status::NotFound, "{path}");
    }
}

/// The provider's redirect, with what browsers say of a navigation from another site.
fn come_back<'c>(client: &'c Client, path: &'c str) -> LocalResponse<'c> {
    client
        .get(path)
        .header(Header::new("Sec-Fetch-Site", "cross-site"))
        .header(Header::new("Sec-Fetch-Mode", "navigate"))
        .dispatch()
}

/// Asks the provider, and returns the address that it leads back to.
fn ask_provider(client: &Client) -> String {
    let provider = location(&browse(client, "/oauth/start"));
    assert!(
        provider.starts_with("/provider/authorize?state="),
        "{provider}"
    );
    location(&browse(client, &provider))
}

#[test]
fn a_provider_elsewhere_signs_in_who_asked_for_it() {
    let client = client(own_flow::rocket());
    let start = browse(&client, "/oauth/start");
    let cookie = start.headers().get_one("Set-Cookie").unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/oauth", "Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    drop(start);
    let callback = ask_provider(&client);
    assert_eq!(location(&come_back(&client, &callback)), "/");
    assert!(text(&client, "/").contains("Welcome, bob"));

    // The state is used up, and so is the code.
    assert_eq!(come_back(&client, &callback).status(), Status::Forbidden);
    let code = callback.split(['=', '&']).nth(1).unwrap();
    let again = ask_provider(&client);
    let new_code = again.split(['=', '&']).nth(1).unwrap();
    let with_old_code = again.replace(new_code, code);
    assert_eq!(
        come_back(&client, &with_old_code).status(),
        Status::Forbidden
    );
}

/// RFC 6749, 10.12: a link of somebody else's to the callback, with a code for his own account.
#[test]
fn a_callback_that_this_browser_did_not_ask_for_is_refused() {
    let attacker = client(own_flow::rocket());
    let callback = ask_provider(&attacker);
    let application = attacker;
    application.cookies().get("oauth_state").unwrap();
    // Another browser at the same application: it has no state, or one of its own.
    let with = |cookie: Option<&str>| {
        let request = application.get(callback.clone());
        let request = request.header(Header::new("Sec-Fetch-Site", "cross-site"));
        let request = match cookie {
            Some(state) => request.cookie(("oauth_state", state.to_owned())),
            None => request.cookie(("oauth_state", String::new())),
        };
        let answer = request.dispatch();
        (answer.status(), answer.headers().contains("Set-Cookie"))
    };
    assert_eq!(with(None), (Status::Forbidden, false));
    assert_eq!(with(Some("another")), (Status::Forbidden, false));
}

#[test]
fn own_pages_wear_an_own_layout_and_so_do_ours() {
    let client = client(own_pages::rocket());
    let header = "<header><a href=\"/\">Innkeeper keeps your notes</a></header>";
    assert_eq!(location(&browse(&client, "/")), "/enter?next=/");
    let page = text(&client, "/enter?ended=1");
    for part in [header, "<h1>Who are you?</h1>", "Your session has ended."] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(location(&submit(&client, "/enter", "name=+")), "/enter");
    let page = text(&client, "/enter");
    assert!(page.contains("role=\"alert\""), "{page}");
    assert_eq!(location(&submit(&client, "/enter", "name=amy")), "/");
    assert_eq!(location(&submit(&client, "/", "text=%3Cb%3Emilk")), "/");
    let page = text(&client, "/");
    for part in [header, "<h1>Notes of amy</h1>", "<li>&lt;b&gt;milk</li>"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // An error's page is Innkeeper's, in the application's layout.
    let nowhere = browse(&client, "/login/");
    assert_eq!(nowhere.status(), Status::NotFound);
    let page = nowhere.into_string().unwrap();
    for part in [
        header,
        "<title>Page not found \u{b7} Notes</title>",
        "<h1>Page not found</h1>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(location(&submit(&client, "/leave", "")), "/enter");
    assert_eq!(location(&browse(&client, "/")), "/enter?next=/");
}

fn sign_in_as<'c>(client: &'c Client, name: &str, password: &str) -> LocalResponse<'c> {
    client
        .post("/login/")
        .header(ContentType::JSON)
        .body(json!({ "username": name, "password": password }).to_string())
        .dispatch()
}

#[test]
fn an_applications_own_users_sign_in_on_our_pages() {
    let client = client(own_users::rocket());
    assert!(text(&client, "/login/").contains("type=\"password\""));
    for (name, password) in [("amy", "wrong"), ("nobody", "barrels of apple cider")] {
        assert_eq!(
            sign_in_as(&client, name, password).status(),
            Status::Unauthorized
        );
    }
    let signed_in = sign_in_as(&client, "Amy", "barrels of apple cider");
    assert_eq!(signed_in.status(), Status::Ok);
    let cellar = client.get("/cellar").dispatch().into_string();
    assert_eq!(cellar.as_deref(), Some("amy looks at the barrels"));
}

#[test]
fn all_spellings_of_an_applications_user_have_ten_guesses_together() {
    let client = client(own_users::rocket());
    for name in ["amy", "Amy", "AMY", "aMY", "amY"].repeat(2) {
        let answer = sign_in_as(&client, name, "wrong");
        assert_eq!(answer.status(), Status::Unauthorized);
    }
    let answer = sign_in_as(&client, "AmY", "barrels of apple cider");
    assert_eq!(answer.status(), Status::TooManyRequests);
    let seconds = answer.headers().get_one("Retry-After").unwrap();
    assert!(
        (1..=900).contains(&seconds.parse::<u64>().unwrap()),
        "{seconds}"
    );
}
