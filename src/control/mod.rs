//! The Unix socket by which the operator's commands reach a running server on the embedded store, whose file only one process
//! can open.
//!
//! One request a connection, as lines of JSON. The client's only line is a [`wire::Question`]. The server answers with a
//! [`wire::Greeting`], then a [`wire::Reply`] a line, the last of which is `Done` or `Failed`; an empty line says that it is
//! still at work.

#[cfg(feature = "password")]
mod accounts;
mod as_text;
mod client;
mod output;
mod server;
mod session_store;
mod sessions;
mod socket;
mod wire;
#[cfg(not(feature = "password"))]
mod without_accounts;

#[cfg(not(feature = "password"))]
use without_accounts as accounts;

#[cfg(feature = "embedded")]
pub(crate) use client::{ConnectError, RemoteStore};
pub(crate) use server::ControlServer;
