//! An Innkeeper inside the test's own process, and its visitors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rocket::http::{Header, Method, Status};
use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket};
use serde_json::Value;

use super::redis::{RedisServer, SIGN_IN_RIGHTS};

/// Where an app keeps its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Embedded,
    Redis,
}

/// An Innkeeper in this process. Clones are the same app.
#[derive(Clone)]
pub(crate) struct TestApp {
    client: Arc<Client>,
    redis: Option<Arc<RedisServer>>,
}

impl TestApp {
    pub(crate) async fn open(on: Backend) -> Self {
        Self::with(on, &[]).await
    }

    /// With settings of `[default.innkeeper]` of its own.
    pub(crate) async fn with(on: Backend, settings: &[(&str, Value)]) -> Self {
        let redis = (on == Backend::Redis).then(|| Arc::new(RedisServer::start()));
        if let Some(redis) = redis.as_ref().filter(|_| has_accounts(settings)) {
            redis.allow(SIGN_IN_RIGHTS);
            redis.allow("+scan");
        }
        Self::on(redis, settings).await
    }

    /// A second instance on the same Redis.
    pub(crate) async fn second_instance(&self, settings: &[(&str, Value)]) -> Self {
        let redis = self.redis.clone().expect("an app on Redis");
        Self::on(Some(redis), settings).await
    }

    async fn on(redis: Option<Arc<RedisServer>>, settings: &[(&str, Value)]) -> Self {
        let url = redis.as_ref().map(|redis| redis.url());
        let rocket = configured(url.as_deref().unwrap_or(""), settings);
        let rocket = rocket.attach(innkeeper::stage());
        Self {
            client: Arc::new(Client::untracked(rocket).await.expect("a launched app")),
            redis,
        }
    }

    pub(crate) fn redis(&self) -> &RedisServer {
        self.redis.as_deref().expect("an app on Redis")
    }

    /// The accounts of `sign_in = "password"`.
    pub(crate) fn accounts(&self) -> innkeeper::Accounts {
        let accounts = self.client.rocket().state::<innkeeper::Accounts>();
        accounts.expect("accounts").clone()
    }

    /// Each address as method and path, in the spelling of `OpenAPI`.
    pub(crate) fn addresses(&self) -> BTreeSet<(String, String)> {
        let routes = self.client.rocket().routes();
        routes
            .map(|route| {
                let path = route.uri.path().replace('<', "{").replace('>', "}");
                (route.method.to_string(), path)
            })
            .collect()
    }

    /// A program: asks for JSON by asking for nothing.
    pub(crate) fn program(&self) -> TestClient {
        TestClient::new(self.clone(), "*/*")
    }

    /// A browser.
    pub(crate) fn browser(&self) -> TestClient {
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        TestClient::new(self.clone(), accept)
    }
}

fn has_accounts(settings: &[(&str, Value)]) -> bool {
    settings.contains(&("sign_in", Value::from("password")))
}

/// A Rocket whose settings come from this test alone, whatever the environment says.
pub(crate) fn configured(redis_url: &str, settings: &[(&str, Value)]) -> Rocket<Build> {
    let mut figment = rocket::figment::Figment::from(rocket::Config::default())
        .merge(("log_level", "off"))
        .merge(("innkeeper.store_path", ":memory:"))
        .merge(("innkeeper.redis_url", redis_url))
        .merge(("innkeeper.upstash_redis_rest_url", ""))
        .merge(("innkeeper.upstash_redis_rest_token", ""));
    for (key, value) in settings {
        figment = figment.merge((format!("innkeeper.{key}"), value));
    }
    rocket::custom(figment)
}

/// The same with templates from this folder.
pub(crate) fn with_templates(rocket: Rocket<Build>, folder: impl AsRef<Path>) -> Rocket<Build> {
    let figment = rocket.figment().clone();
    rocket.configure(figment.merge(("template_dir", folder.as_ref())))
}

/// Somebody with a cookie jar of his own.
#[derive(Clone)]
pub(crate) struct TestClient {
    app: TestApp,
    accept: &'static str,
    cookie: Option<(String, String)>,
    /// The cookies that are no session's.
    others: BTreeMap<String, String>,
}

impl TestClient {
    fn new(app: TestApp, accept: &'static str) -> Self {
        Self {
            app,
            accept,
            cookie: None,
            others: BTreeMap::new(),
        }
    }

    /// The same, with his cookies, in a browser.
    pub(crate) fn in_browser(&self) -> Self {
        Self {
            accept: self.app.browser().accept,
            ..self.clone()
        }
    }

    /// The session id in the jar.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.cookie.clone().expect("a session cookie").1
    }

    pub(crate) fn has_cookie(&self) -> bool {
        self.cookie.is_some()
    }

    pub(crate) fn with_cookie(mut self, name: &str, value: &str) -> Self {
        self.cookie = Some((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) async fn log_in_as(&mut self, user: &str) -> Answer {
        let body = serde_json::json!({ "username": user }).to_string();
        self.post("/login/", "application/json", &body).await
    }

    pub(crate) async fn submit_login_form(&mut self, user: &str) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("username", user)
            .finish();
        self.post("/login/", FORM, &body).await
    }

    pub(crate) async fn log_out(&mut self) -> Answer {
        self.send(Method::Post, "/logout/", &[], "").await
    }

    pub(crate) async fn profile(&mut self) -> Answer {
        self.get("/profile/").await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::Get, path, &[], "").await
    }

    pub(crate) async fn post(&mut self, path: &str, content_type: &str, body: &str) -> Answer {
        let headers = [("Content-Type", content_type)];
        self.send(Method::Post, path, &headers, body).await
    }

    /// Sends a request as this visitor; headers given here replace his own.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let client = Arc::clone(&self.app.client);
        let mut request = client.req(method, path).body(body);
        let given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !given("Accept") {
            request.add_header(Header::new("Accept", self.accept));
        }
        let session = self.cookie.iter().map(|(name, value)| (name, value));
        let cookies = session.chain(&self.others);
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() && !given("Cookie") {
            request.add_header(Header::new("Cookie", cookies.join("; ")));
        }
        for (name, value) in headers {
            request.add_header(Header::new((*name).to_owned(), (*value).to_owned()));
        }
        let response = request.dispatch().await;
        let answer = Answer {
            status: response.status(),
            headers: response
                .headers()
                .iter()
                .map(|header| (header.name().to_string(), header.value().to_owned()))
                .collect(),
            body: response.into_string().await.unwrap_or_default(),
        };
        self.keep_cookie(&answer);
        answer
    }

    fn keep_cookie(&mut self, answer: &Answer) {
        for header in answer.all("Set-Cookie") {
            let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
            let (name, value) = pair.split_once('=').expect("a cookie is name=value");
            let removed = attributes.contains("Max-Age=0");
            let kept = (!removed).then(|| (name.to_owned(), value.to_owned()));
            if name.ends_with("session_id") {
                self.cookie = kept;
            } else {
                self.others.remove(name);
                self.others.extend(kept);
            }
        }
    }
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Checks status and JSON body as a whole.
    #[track_caller]
    pub(crate) fn assert_json(&self, status: u16, body: &Value) {
        assert_eq!((self.status.code, &self.json()), (status, body));
        assert_eq!(self.header("Content-Type"), Some("application/json"));
    }

    #[track_caller]
    pub(crate) fn assert_detail(&self, status: u16, detail: &str) {
        self.assert_json(status, &serde_json::json!({ "detail": detail }));
    }

    #[track_caller]
    pub(crate) fn assert_sees_other(&self, location: &str) {
        assert_eq!(
            (self.status.code, self.header("Location")),
            (303, Some(location)),
            "{self:?}"
        );
    }

    /// Checks that it is a page with this heading.
    #[track_caller]
    pub(crate) fn assert_page(&self, status: u16, heading: &str) {
        assert_eq!(self.status.code, status, "{self:?}");
        assert_eq!(
            self.header("Content-Type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(self.heading(), heading);
    }

    /// The text of the only `h1`.
    #[track_caller]
    pub(crate) fn heading(&self) -> String {
        assert_eq!(self.body.matches("<h1").count(), 1, "{}", self.body);
        let heading = self.body.split("<h1").nth(1).unwrap();
        let inside = heading.split_once('>').unwrap().1;
        without_tags(inside.split("</h1>").next().unwrap())
    }

    /// The page as a reader sees it, without markup.
    pub(crate) fn text(&self) -> String {
        without_tags(self.body.split("<body>").nth(1).unwrap_or(&self.body))
    }

    #[track_caller]
    pub(crate) fn assert_removes_cookie(&self, name: &str) {
        let removed: Vec<_> = self.all("Set-Cookie").collect();
        assert_eq!(removed.len(), 1, "{self:?}");
        assert!(removed[0].starts_with(&format!("{name}=; ")), "{removed:?}");
        assert!(removed[0].contains("Max-Age=0"), "{removed:?}");
        assert!(removed[0].contains("Path=/"), "{removed:?}");
    }

    #[track_caller]
    pub(crate) fn assert_leaves_cookie(&self) {
        assert_eq!(self.header("Set-Cookie"), None);
    }
}

fn without_tags(markup: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in markup.chars() {
        match character {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => text.push(character),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
