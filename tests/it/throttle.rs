//! The throttle, as a program meets it: how many attempts to sign in may fail, and whom that locks out.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use innkeeper::{Accounts, Password, UserName};
use rocket::http::{ContentType, Header, Status};
use rocket::local::asynchronous::Client;
use serde_json::json;

use crate::support::{Backend, RedisServer, configured};

const PASSWORD: &str = "four words beside a lamp";

/// An Innkeeper with the accounts `amy` and `bob`.
struct Site {
    client: Client,
    redis: Option<Arc<RedisServer>>,
}

/// What an attempt is answered.
struct Attempt {
    status: Status,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Attempt {
    fn device(&self) -> Option<String> {
        let cookies = self.headers.get("set-cookie")?;
        let device = cookies.split_once("known_device=")?.1;
        Some(device.split(';').next().unwrap().to_owned())
    }
}

impl Site {
    async fn open(on: Backend) -> Self {
        let redis = (on == Backend::Redis).then(|| Arc::new(RedisServer::start()));
        let site = Self::on(redis).await;
        for user in ["amy", "bob"] {
            let password = Password::new(PASSWORD.to_owned());
            let user = name(user);
            let add = site.accounts().add(&user, Some(&password));
            add.await.unwrap();
        }
        site
    }

    async fn on(redis: Option<Arc<RedisServer>>) -> Self {
        let url = redis.as_ref().map(|redis| redis.url_of_all());
        let settings = [("sign_in", json!("password"))];
        let rocket = configured(url.as_deref().unwrap_or_default(), &settings);
        let rocket = rocket.attach(innkeeper::stage());
        let client = Client::untracked(rocket).await.unwrap();
        Self { client, redis }
    }

    fn accounts(&self) -> &Accounts {
        self.client.rocket().state().unwrap()
    }

    /// In Redis; the embedded store keeps them in memory.
    fn counters(&self) -> Vec<String> {
        let keys = self.redis.as_ref().map(|redis| redis.keys());
        let mut keys = keys.unwrap_or_default();
        keys.retain(|key| key.starts_with("attempts:"));
        keys
    }

    async fn attempt(&self, ip: &str, user: &str, password: &str, device: Option<&str>) -> Attempt {
        let ip: IpAddr = ip.parse().unwrap();
        let body = json!({ "username": user, "password": password }).to_string();
        let mut request = self.client.post("/login/").header(ContentType::JSON);
        request = request.remote(SocketAddr::new(ip, 1234)).body(body);
        if let Some(device) = device {
            request.add_header(Header::new("Cookie", format!("known_device={device}")));
        }
        let answer = request.dispatch().await;
        let mut headers = BTreeMap::new();
        for header in answer.headers().iter() {
            let all: &mut String = headers
                .entry(header.name().as_str().to_ascii_lowercase())
                .or_default();
            all.push_str(header.value());
            all.push('\n');
        }
        Attempt {
            status: answer.status(),
            headers,
            body: answer.into_string().await.unwrap(),
        }
    }

    async fn status(&self, ip: &str, user: &str, password: &str, device: Option<&str>) -> u16 {
        self.attempt(ip, user, password, device).await.status.code
    }
}

fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

on_every_store!(
    of_fifty_guesses_at_once_ten_are_looked_at,
    a_browser_that_signed_in_before_is_not_locked_out_by_strangers,
    a_source_has_a_hundred_failures_whatever_it_signs_in_to_between,
    names_that_are_no_accounts_count_on_their_source_alone,
    whatever_is_wrong_the_answer_is_the_same,
);

async fn of_fifty_guesses_at_once_ten_are_looked_at(on: Backend) {
    let site = Site::open(on).await;
    let other = match &site.redis {
        Some(redis) => Some(Site::on(Some(Arc::clone(redis))).await),
        None => None,
    };
    let instances = [&site, other.as_ref().unwrap_or(&site)];
    let guesses = (0..50_usize).map(|number| {
        let instance = instances[number % 2];
        async move {
            let ip = format!("192.0.2.{number}");
            instance.status(&ip, "amy", "not it", None).await
        }
    });
    let mut answered = BTreeMap::<u16, usize>::new();
    for status in rocket::futures::future::join_all(guesses).await {
        *answered.entry(status).or_default() += 1;
    }
    // A machine that is busy looks at fewer in time: those count for nothing.
    let late = answered.remove(&503).unwrap_or_default();
    let looked_at = answered[&401];
    assert_eq!(looked_at + answered[&429] + late, 50);
    assert!(looked_at <= 10, "{answered:?}");
    let mut more = 0;
    while site.status("198.51.100.1", "amy", "not it", None).await == 401 {
        more += 1;
    }
    assert_eq!(looked_at + more, 10);

    let right = site.attempt("198.51.100.1", "amy", PASSWORD, None).await;
    assert_eq!(right.status, Status::TooManyRequests);
    assert_eq!(
        right.body,
        r#"{"detail":"Too many attempts, please try again later"}"#
    );
    let seconds: u64 = right.headers["retry-after"].trim().parse().unwrap();
    assert!((880..=900).contains(&seconds), "{seconds}");
    assert_eq!(
        site.status("192.0.2.1", "bob", PASSWORD, None).await,
        200,
        "another account"
    );
}

async fn a_browser_that_signed_in_before_is_not_locked_out_by_strangers(on: Backend) {
    let site = Site::open(on).await;
    let first = site.attempt("192.0.2.1", "amy", PASSWORD, None).await;
    let device = first.device().unwrap();
    for number in 0..100 {
        // Ten addresses, one of them her own.
        let ip = format!("192.0.2.{}", number % 10);
        site.status(&ip, "amy", "not it", None).await;
    }
    assert_eq!(site.status("192.0.2.1", "amy", PASSWORD, None).await, 429);
    let known = site
        .attempt("192.0.2.1", "amy", PASSWORD, Some(&device))
        .await;
    assert_eq!(known.status, Status::Ok);
    assert_eq!(known.device(), Some(device.clone()), "the cookie is kept");

    // It is a known one of hers alone, and its own failures count.
    assert_eq!(
        site.status("192.0.2.1", "bob", PASSWORD, Some(&device))
            .await,
        200
    );
    for _ in 0..10 {
        let guess = site.status("192.0.2.1", "amy", "not it", Some(&device));
        assert_eq!(guess.await, 401);
    }
    let guess = site.status("192.0.2.1", "amy", PASSWORD, Some(&device));
    assert_eq!(guess.await, 429);
}

async fn a_source_has_a_hundred_failures_whatever_it_signs_in_to_between(on: Backend) {
    let site = Site::open(on).await;
    // One network, one source, however it is spelt.
    let sources = ["2001:db8::1", "2001:db8:0:0:ffff::2"];
    for number in 0..100_usize {
        let guess = site.status(sources[number % 2], "nobody", "not it", None);
        assert_eq!(guess.await, 401);
        if number % 20 == 0 {
            let own = site.status(sources[0], "bob", PASSWORD, None);
            assert_eq!(own.await, 200);
        }
    }
    for user in ["nobody", "bob", "amy"] {
        assert_eq!(site.status(sources[0], user, PASSWORD, None).await, 429);
    }
    for elsewhere in ["2001:db8:0:1::1", "192.0.2.1"] {
        assert_eq!(site.status(elsewhere, "bob", PASSWORD, None).await, 200);
    }
    for counter in site.counters() {
        let redis = site.redis.as_ref().unwrap();
        let ttl: i64 = redis.run(&format!("TTL {counter}"));
        assert!((1..=900).contains(&ttl), "{counter}: {ttl}");
    }
}

async fn names_that_are_no_accounts_count_on_their_source_alone(on: Backend) {
    let site = Site::open(on).await;
    for number in 0..60 {
        let invented = format!("invented {number}");
        let ip = format!("192.0.2.{}", number % 2);
        assert_eq!(site.status(&ip, &invented, "not it", None).await, 401);
    }
    if site.redis.is_some() {
        assert_eq!(site.counters().len(), 2);
    }
    assert_eq!(site.status("192.0.2.1", "amy", PASSWORD, None).await, 200);
}

async fn whatever_is_wrong_the_answer_is_the_same(on: Backend) {
    let site = Site::open(on).await;
    let accounts = site.accounts();
    accounts.set_disabled(&name("bob"), true).await.unwrap();
    // "an imported password" by bcrypt, with a cost of 4.
    let imported = "carl:$2b$04$abcdefghijklmnopqrstuuD3KS1bCnkYHh3qyMYB7sCGXMb5ZLx/K\n";
    let mut told = Vec::new();
    accounts
        .import(imported, &mut |_, outcome| told.push(outcome.is_ok()))
        .await
        .unwrap();
    assert_eq!(told, [true]);
    accounts.add(&name("dora"), None).await.unwrap();

    let mut answers = Vec::new();
    for (user, password) in [
        ("nobody", PASSWORD),
        ("amy", "not it"),
        ("amy", "with a control \u{7}"),
        ("bob", PASSWORD),
        ("carl", "not it"),
        ("dora", PASSWORD),
    ] {
        let mut answer = site.attempt("192.0.2.1", user, password, None).await;
        answer.headers.remove("x-request-id").unwrap();
        answers.push((user, answer));
    }
    let (_, first) = &answers[0];
    assert_eq!(first.status, Status::Unauthorized);
    assert_eq!(first.body, r#"{"detail":"User name or password is wrong"}"#);
    assert_eq!(
        first.headers["www-authenticate"].trim(),
        r#"Cookie realm="Innkeeper", form-action="/login/", cookie-name="session_id""#
    );
    assert!(!first.headers.contains_key("set-cookie"));
    for (user, answer) in &answers {
        assert_eq!(
            (answer.status, &answer.headers, &answer.body),
            (first.status, &first.headers, &first.body),
            "{user}"
        );
    }
}
