//! Signs users in on Rocket's local client.
#![expect(clippy::panic, reason = "a helper of tests fails as a test does")]

use std::fmt;
use std::time::Duration;

use rocket::http::{Cookie, CookieJar, Method, Status};
use rocket::local::asynchronous::{Client, LocalRequest};
use rocket::{Orbit, Rocket};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Client as Origin;
use crate::session::{ActiveSession, SessionId, Sessions};
use crate::user_name::UserName;
use crate::web::SessionCookie;

/// A user who is signed in, and whose requests a local client sends.
///
/// Each request that it makes carries the user's session cookie, whether or not the client tracks cookies; what the
/// client has tracked otherwise stays as it is. After the session's end the cookie is sent all the same: so a test sees
/// what a browser sees that still has it.
pub struct SignedIn<'c> {
    client: &'c Client,
    session: TestSession,
}

/// Signs a user in, whatever addresses are mounted: the session is started in the application's store, as
/// [`SignIn::start`](crate::SignIn::start) does, without a request, an audit and a check.
///
/// # Panics
///
/// `user` cannot be a user's name, the application has not attached [`stage()`](crate::stage()), or the store failed.
pub async fn sign_in<'c>(client: &'c Client, user: &str) -> SignedIn<'c> {
    SignedIn {
        client,
        session: TestSession::start(client.rocket(), user).await,
    }
}

/// Sends a request that signs a user in, by an address of ours or of yours, and takes the session cookie from its answer.
///
/// ```
/// # use innkeeper::testing;
/// # use rocket::local::asynchronous::Client;
/// # use rocket::http::ContentType;
/// # rocket::async_test(async {
/// # let figment = rocket::Config::figment()
/// #     .merge(("innkeeper.store_path", ":memory:"))
/// #     .merge(("innkeeper.redis_url", ""))
/// #     .merge(("log_level", "off"));
/// # let rocket = rocket::custom(figment).attach(innkeeper::stage());
/// # let client = Client::untracked(rocket).await.unwrap();
/// let form = client.post("/login/").header(ContentType::Form).body("username=amy");
/// let amy = testing::sign_in_by(&client, form).await;
/// assert_eq!(amy.user().await, "amy");
/// # });
/// ```
///
/// # Panics
///
/// The answer has no session cookie: the message tells its status.
pub async fn sign_in_by<'c>(client: &'c Client, request: LocalRequest<'c>) -> SignedIn<'c> {
    let answer = request.dispatch().await;
    SignedIn {
        client,
        session: TestSession::of_answer(client.rocket(), answer.status(), answer.cookies()),
    }
}

macro_rules! request {
    ($($method:ident: $Method:ident),+) => {
        $(
            #[doc = concat!("A ", stringify!($Method), " request of this user, to be dispatched.")]
            #[must_use]
            pub fn $method(&self, uri: &str) -> LocalRequest<'c> {
                self.request(Method::$Method, uri)
            }
        )+
    };
}

pub(super) use request;

impl<'c> SignedIn<'c> {
    request!(get: Get, post: Post, put: Put, patch: Patch, delete: Delete);

    /// A request of this user, to be dispatched.
    #[must_use]
    pub fn request(&self, method: Method, uri: &str) -> LocalRequest<'c> {
        // Owned, because a `LocalRequest` borrows its address for as long as its client.
        self.client
            .req(method, uri.to_owned())
            .cookie(self.cookie())
    }

    /// The session cookie, for a request that was made otherwise.
    #[must_use]
    pub fn cookie(&self) -> Cookie<'static> {
        self.session.cookie()
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.session.id
    }

    /// The user of the session, as the store has it.
    ///
    /// # Panics
    ///
    /// The session is over, or the store failed.
    pub async fn user(&self) -> String {
        self.session.live().await.session.user
    }

    /// Writes one of the application's fields, as [`CurrentSession::set`](crate::CurrentSession::set) does.
    ///
    /// # Panics
    ///
    /// The session is over, the field cannot be written, or the store failed.
    pub async fn set<T: Serialize>(&self, name: &str, value: &T) {
        self.session.set(name, value).await;
    }

    /// Reads one of the application's fields; `None` if there is no such field. Does not slide the session's expiry.
    ///
    /// # Panics
    ///
    /// The session is over, the value is not of this type, or the store failed.
    pub async fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.session.field(name).await
    }

    /// Whether the session is alive. Does not slide its expiry.
    ///
    /// # Panics
    ///
    /// The store failed.
    pub async fn is_signed_in(&self) -> bool {
        self.session.peek().await.is_some()
    }

    /// Ends the session, as if its user had signed out in another tab.
    ///
    /// # Panics
    ///
    /// The store failed.
    pub async fn sign_out(&self) {
        self.session.end().await;
    }

    /// Lets the session expire: moves the clock of the application's sessions ahead, for all of them, until this one is
    /// over, and waits for nothing.
    ///
    /// # Panics
    ///
    /// The store failed, or measures time by a clock of its own: with Redis use a short `idle_timeout_secs`, and wait; or
    /// give the test the embedded store (`store_path = ":memory:"`).
    pub async fn expire(&self) {
        self.session.expire().await;
    }
}

/// Without the cookie.
impl fmt::Debug for SignedIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").finish_non_exhaustive()
    }
}

/// Moves the clock of the application's sessions ahead, as if nobody had sent a request for so long.
///
/// A store that measures time by a clock of its own (Redis does) notices nothing; for a store of yours, move the
/// [`Clock`](crate::Clock) that you opened it with, too.
///
/// # Panics
///
/// The application has not attached [`stage()`](crate::stage()).
pub fn advance(rocket: &Rocket<Orbit>, time: Duration) {
    sessions_of(rocket).clock().advance(time);
}

/// A session of the application's, and what its client needs of it.
#[derive(Clone)]
pub(super) struct TestSession {
    sessions: Sessions,
    cookie: SessionCookie,
    pub(super) id: SessionId,
}

impl TestSession {
    pub(super) async fn start(rocket: &Rocket<Orbit>, user: &str) -> Self {
        let sessions = sessions_of(rocket);
        let name = UserName::parse(user);
        let name = name.unwrap_or_else(|error| panic!("{user:?} cannot be a user's name: {error}"));
        let started = sessions.start(&name, Origin::default(), None).await;
        let started = started.unwrap_or_else(|error| panic!("{user} cannot be signed in: {error}"));
        Self {
            sessions,
            cookie: cookie_of(rocket),
            id: started.id,
        }
    }

    pub(super) fn of_answer(rocket: &Rocket<Orbit>, status: Status, jar: &CookieJar<'_>) -> Self {
        let cookie = cookie_of(rocket);
        let set = jar.get(cookie.name());
        let id = set.and_then(|cookie| SessionId::parse(cookie.value()));
        let id = id.unwrap_or_else(|| {
            let name = cookie.name();
            panic!("nobody was signed in: the answer ({status}) sets no cookie `{name}` with a session's id")
        });
        Self {
            sessions: sessions_of(rocket),
            cookie,
            id,
        }
    }

    pub(super) fn cookie(&self) -> Cookie<'static> {
        self.cookie.for_id(&self.id)
    }

    pub(super) async fn peek(&self) -> Option<ActiveSession> {
        let found = self.sessions.peek(&self.id).await;
        found.unwrap_or_else(|error| panic!("the session cannot be read: {error}"))
    }

    pub(super) async fn live(&self) -> ActiveSession {
        let found = self.peek().await;
        found.unwrap_or_else(|| panic!("the session is over"))
    }

    pub(super) async fn set<T: Serialize>(&self, name: &str, value: &T) {
        let written = self.sessions.write(&self.id, name, Some(value)).await;
        if let Err(error) = written {
            panic!("the field `{name}` cannot be written: {error}");
        }
    }

    pub(super) async fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let value = self.live().await.session.field(name);
        value.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(super) async fn end(&self) {
        if let Err(error) = self.sessions.end(&self.id, &Origin::default()).await {
            panic!("the session cannot be ended: {error}");
        }
    }

    pub(super) async fn expire(&self) {
        let Some(active) = self.peek().await else {
            return;
        };
        self.sessions
            .clock()
            .advance(active.expires_in + Duration::from_secs(1));
        assert!(
            self.peek().await.is_none(),
            "the session lives on although the clock was moved past its end: its store has a clock of its own"
        );
    }
}

fn sessions_of(rocket: &Rocket<Orbit>) -> Sessions {
    let sessions = rocket.state::<Sessions>().cloned();
    sessions.unwrap_or_else(|| panic!("the application has not attached `innkeeper::stage()`"))
}

fn cookie_of(rocket: &Rocket<Orbit>) -> SessionCookie {
    let cookie = SessionCookie::of_rocket(rocket);
    cookie.unwrap_or_else(|| panic!("the application has not attached `innkeeper::stage()`"))
}
