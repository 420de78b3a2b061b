//! A session system for Rocket: sign-in, sliding expiry and sign-out. HTML and JSON at the same addresses; Redis or an
//! embedded file.
//!
//! It is a Rocket application ([`rocket()`]) and a library: [`stage()`] gives any Rocket application the pages
//! and the JSON interface for signing in and out, the store behind them, and the request guard
//! [`CurrentSession`].
//!
//! The [`guide`] has a chapter for each reader: who writes an application, who runs one, who decides.
//!
//! # Example
//!
//! ```
//! use innkeeper::{CurrentSession, Refusal};
//! use rocket::http::{ContentType, Status};
//! use rocket::local::blocking::Client;
//! use rocket::{get, routes};
//!
//! #[get("/orders")]
//! fn orders(current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
//!     Ok(format!("Orders of {}", current?.user()))
//! }
//!
//! let figment = rocket::Config::figment().merge(("innkeeper.store_path", ":memory:"));
//! # let figment = figment.merge(("innkeeper.redis_url", "")).merge(("log_level", "off"));
//! let rocket = rocket::custom(figment)
//!     .attach(innkeeper::stage())
//!     .mount("/", routes![orders]);
//!
//! let client = Client::tracked(rocket).expect("a valid configuration");
//! assert_eq!(client.get("/orders").dispatch().status(), Status::Forbidden);
//!
//! client
//!     .post("/login/")
//!     .header(ContentType::JSON)
//!     .body(r#"{"username":"abdullah"}"#)
//!     .dispatch();
//! let orders = client.get("/orders").dispatch();
//! assert_eq!(orders.into_string().as_deref(), Some("Orders of abdullah"));
//! ```
//!
//! # Layers
//!
//! Each imports only from those above it:
//!
//! - `clock` ([`Clock`]), `client` ([`Client`]: where a request came from) and `user_name` ([`UserName`]).
//! - `session`: [`Session`], its life cycle in [`Sessions`], and the contract of a store, [`SessionStore`]. No HTTP, no
//!   Redis, no Rocket.
//! - `config`: the settings, [`Config`].
//! - `store`: where sessions are kept. `redis` ([`RedisStore`]) and `embedded` ([`EmbeddedStore`]) know nothing of each
//!   other, and neither knows HTTP.
//! - `control`: the socket by which commands reach a running server on the embedded store.
//! - `cli`: the command line, [`Arguments`]. It knows nothing of `web`.
//! - `web`: HTTP.
//!   - `site`: which parts of Innkeeper are mounted, and where. [`Part`], [`Site`].
//!   - `request`: reads the parts of a request: cookies, `Accept`, `Origin`.
//!   - `observe`: the log, the audit, the metrics and readiness. The rest of `web` reports to it.
//!   - `answers`: the responses. Pages, JSON, [`Refusal`], headers.
//!   - `guards`: the request guards. [`CurrentSession`], [`PassiveSession`], [`SameOrigin`], [`SignIn`],
//!     [`SignOut`].
//!   - `views`: pieces that several pages show.
//!   - `routes`: the handlers, one file a subject.
//!   - `stage`: attaches all of it to a Rocket. [`stage()`], [`rocket()`], [`launch`].
//! - `testing`: for tests of an application and of its store.

// The documentation host says of each item which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// With all features nothing may be unused. Without some, what only they use stands unused: cutting it out item by item
// would put a condition on every second line.
#![cfg_attr(
    not(all(
        feature = "embedded",
        feature = "metrics",
        feature = "password",
        feature = "program",
        feature = "redis"
    )),
    expect(
        dead_code,
        reason = "a missing feature leaves parts unused that others have"
    )
)]

#[cfg(feature = "password")]
mod account;
#[cfg(feature = "program")]
mod cli;
mod client;
mod clock;
mod config;
#[cfg(feature = "program")]
mod control;
pub mod guide;
mod session;
mod sign_in;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod user_name;
mod web;

#[cfg(feature = "password")]
pub use account::{
    Account, AccountError, AccountStore, Accounts, Changed, Hasher, INVITATION_TTL, ImportProblem,
    Invitation, PasswordPolicy, PasswordProblem, Purpose, SetPassword,
};
#[cfg(feature = "program")]
pub use cli::Arguments;
pub use client::Client;
pub use clock::Clock;
pub use config::{
    Accent, ClientCertificate, Config, ConfigError, LogFormat, MetricsAddress, PublicUrl,
    RedisAddress, RedisConfig, Secret, SignInMode, StoreConfig, StorePath, TrustedOrigin,
};
pub use session::{
    ActiveSession, ConnectionCount, Created, EndOutcome, EndReason, EndedSession, FieldError,
    HandlePrefix, Lifetimes, ListedSession, Listing, NewSession, Selection, Session, SessionHandle,
    SessionId, SessionStore, Sessions, Started, StoreError, StoreStats, WriteOutcome,
};
pub use sign_in::{
    Attempts, Authenticator, AuthenticatorError, Counted, Credentials, Digest, OpenSignIn,
    Password, SignInStore, Token, Verified,
};
pub use store::MemorySignInStore;
#[cfg(feature = "redis")]
pub use store::{AddressError, RedisOptions, RedisStore};
#[cfg(feature = "embedded")]
pub use store::{EmbeddedLimits, EmbeddedStore, OpenError};
pub use user_name::{NameError, UserName};
#[cfg(feature = "pages")]
pub use web::templates;
pub use web::{
    CurrentSession, NextPath, Part, PassiveSession, RecentSignIn, Refusal, SameOrigin, SignIn,
    SignOut, SignedIn, Site, Stage, ValidationError, launch, stage,
};
#[cfg(feature = "program")]
pub use web::{Log, rocket, serve};

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
