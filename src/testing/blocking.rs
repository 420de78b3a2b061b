//! The same for [`rocket::local::blocking`].
//!
//! ```
//! use innkeeper::testing::blocking::sign_in;
//! use rocket::local::blocking::Client;
//!
//! # let figment = rocket::Config::figment()
//! #     .merge(("innkeeper.store_path", ":memory:"))
//! #     .merge(("innkeeper.redis_url", ""))
//! #     .merge(("log_level", "off"));
//! # let rocket = rocket::custom(figment);
//! let client = Client::untracked(rocket.attach(innkeeper::stage())).expect("a valid configuration");
//! let amy = sign_in(&client, "amy");
//! assert_eq!(amy.get("/profile/").dispatch().status().code, 200);
//! ```
#![expect(clippy::panic, reason = "a helper of tests fails as a test does")]

use std::fmt;
use std::sync::LazyLock;

use rocket::http::{Cookie, Method};
use rocket::local::blocking::{Client, LocalRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Runtime};

use super::client::{TestSession, request};
use crate::session::SessionId;

/// For what is done without a request: the client's own runtime is its secret. It lives on, as the connections do that a
/// store has made on it.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.unwrap_or_else(|error| panic!("no runtime to sign in on: {error}"))
});

/// A user who is signed in, and whose requests a local client sends: see [`SignedIn`](super::SignedIn), which has the
/// same methods.
///
/// The methods that ask the store must not be called inside a runtime, as the client's own must not.
pub struct SignedIn<'c> {
    client: &'c Client,
    session: TestSession,
}

/// Signs a user in, as [`testing::sign_in`](super::sign_in) does.
///
/// # Panics
///
/// As there.
pub fn sign_in<'c>(client: &'c Client, user: &str) -> SignedIn<'c> {
    SignedIn {
        client,
        session: RUNTIME.block_on(TestSession::start(client.rocket(), user)),
    }
}

/// Sends a request that signs a user in, as [`testing::sign_in_by`](super::sign_in_by) does.
///
/// # Panics
///
/// As there.
pub fn sign_in_by<'c>(client: &'c Client, request: LocalRequest<'c>) -> SignedIn<'c> {
    let answer = request.dispatch();
    SignedIn {
        client,
        session: TestSession::of_answer(client.rocket(), answer.status(), answer.cookies()),
    }
}

impl<'c> SignedIn<'c> {
    request!(get: Get, post: Post, put: Put, patch: Patch, delete: Delete);

    /// A request of this user, to be dispatched.
    #[must_use]
    pub fn request(&self, method: Method, uri: &str) -> LocalRequest<'c> {
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
    #[must_use]
    pub fn user(&self) -> String {
        RUNTIME.block_on(self.session.live()).session.user
    }

    /// Writes one of the application's fields, as [`CurrentSession::set`](crate::CurrentSession::set) does.
    ///
    /// # Panics
    ///
    /// The session is over, the field cannot be written, or the store failed.
    pub fn set<T: Serialize>(&self, name: &str, value: &T) {
        RUNTIME.block_on(self.session.set(name, value));
    }

    /// Reads one of the application's fields; `None` if there is no such field. Does not slide the session's expiry.
    ///
    /// # Panics
    ///
    /// The session is over, the value is not of this type, or the store failed.
    #[must_use]
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        RUNTIME.block_on(self.session.field(name))
    }

    /// Whether the session is alive. Does not slide its expiry.
    ///
    /// # Panics
    ///
    /// The store failed.
    #[must_use]
    pub fn is_signed_in(&self) -> bool {
        RUNTIME.block_on(self.session.peek()).is_some()
    }

    /// Ends the session, as if its user had signed out in another tab.
    ///
    /// # Panics
    ///
    /// The store failed.
    pub fn sign_out(&self) {
        RUNTIME.block_on(self.session.end());
    }

    /// Lets the session expire: see [`SignedIn::expire`](super::SignedIn::expire).
    ///
    /// # Panics
    ///
    /// As there.
    pub fn expire(&self) {
        RUNTIME.block_on(self.session.expire());
    }
}

/// Without the cookie.
impl fmt::Debug for SignedIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").finish_non_exhaustive()
    }
}
