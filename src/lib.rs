//! Innkeeper keeps the guests of a web site signed in for as long as they are active, and shows them out when
//! they are not.
//!
//! It is a Rocket application ([`rocket()`]) and a library: [`stage()`] gives any Rocket application the pages
//! and the JSON interface for signing in and out, the store behind them, and the request guard
//! [`CurrentSession`].
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
//! Dependencies point one way: `session` <- `store` <- `web`, and `cli` beside `web`.
//!
//! - `session` is the domain: [`Session`], [`SessionId`], the life cycle in [`Sessions`], and the contract
//!   [`SessionStore`].
//! - `store` is where sessions live: [`RedisStore`] and [`EmbeddedStore`].
//! - `web` is HTTP: routes, guards, answers and their headers.
//! - `cli` is what the program does at the command line instead of serving: [`Command`].
//! - `config` holds the settings, read by `store`, `web` and `cli`.

mod cli;
mod client;
mod clock;
mod config;
mod session;
mod store;
mod user_name;
mod web;

pub use crate::session::{
    ActiveSession, ConnectionCount, Created, EndOutcome, EndReason, EndedSession, FieldError,
    HandlePrefix, Lifetimes, ListedSession, Listing, NewSession, Selection, Session, SessionHandle,
    SessionId, SessionStore, Sessions, Started, StoreError, StoreStats, WriteOutcome,
};
pub use cli::Command;
pub use client::Client;
pub use clock::Clock;
pub use config::{
    ClientCertificate, Config, ConfigError, LogFormat, MetricsAddress, PublicUrl, RedisAddress,
    Secret, StoreConfig, StorePath,
};
pub use store::{AddressError, EmbeddedLimits, EmbeddedStore, OpenError, RedisOptions, RedisStore};
pub use user_name::{NameError, UserName};
pub use web::{
    CurrentSession, Log, PassiveSession, Refusal, SameOrigin, Stage, launch, rocket, stage,
    templates,
};
