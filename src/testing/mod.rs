//! For tests of your own: signs Rocket's local client in, and tries a session store. Feature `testing`.
//!
//! ```
//! use innkeeper::{CurrentSession, Refusal, testing};
//! use rocket::http::Status;
//! use rocket::local::asynchronous::Client;
//! use rocket::{get, routes};
//!
//! #[get("/orders")]
//! fn orders(current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
//!     let current = current?;
//!     let role: Option<String> = current.get("role")?;
//!     Ok(format!("{}, {}", current.user(), role.unwrap_or_default()))
//! }
//!
//! # rocket::async_test(async {
//! # let figment = rocket::Config::figment()
//! #     .merge(("innkeeper.store_path", ":memory:"))
//! #     .merge(("innkeeper.redis_url", ""))
//! #     .merge(("log_level", "off"));
//! # let rocket = rocket::custom(figment);
//! let rocket = rocket.attach(innkeeper::stage()).mount("/", routes![orders]);
//! let client = Client::untracked(rocket).await.expect("a valid configuration");
//!
//! let amy = testing::sign_in(&client, "amy").await;
//! amy.set("role", &"admin").await;
//! let answer = amy.get("/orders").dispatch().await;
//! assert_eq!(answer.into_string().await.as_deref(), Some("amy, admin"));
//!
//! amy.expire().await;
//! assert_eq!(amy.get("/orders").dispatch().await.status(), Status::NotFound);
//! # });
//! ```
//!
//! In `Cargo.toml`, so that the feature is not part of what you build for others:
//!
//! ```toml
//! [dev-dependencies]
//! innkeeper = { version = "0.1", features = ["testing"] }
//! ```
//!
//! - [`sign_in`] makes the session itself: it needs none of our addresses and no check of yours. [`sign_in_by`] sends a
//!   request of yours, and takes the cookie from the answer.
//! - Both return a [`SignedIn`], which makes requests with the user's cookie. It leaves the client's own cookies alone,
//!   so that one client serves any number of users.
//! - [`blocking`] has the same for Rocket's blocking client.
//! - [`contract`] is for a [`SessionStore`](crate::SessionStore) of your own.
//!
//! Whatever goes wrong in here is a panic, as the failure of a test is.

pub mod blocking;
mod client;
pub mod contract;

pub use client::{SignedIn, advance, sign_in, sign_in_by};
