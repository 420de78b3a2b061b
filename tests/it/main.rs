//! What Innkeeper promises, tried on every store: a real `redis-server` and the embedded one.
//!
//! A test that needs a program which this machine lacks fails, and says how to get it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

#[macro_use]
mod support;

mod account_browser;
mod account_links;
mod account_pages;
mod account_stores;
mod accounts_commands;
mod accounts_races;
mod application;
mod browser;
mod commands;
mod concurrency;
mod config;
mod connections;
mod control;
mod cookies;
mod cross_origin;
mod cross_site;
mod deploy;
mod durability;
mod examples;
mod expiry;
mod faults;
mod fields;
mod forms;
mod guide;
mod headers;
mod health;
mod hosts;
mod layers;
mod library;
mod login;
mod logout;
mod logs;
mod look;
mod metrics;
mod misspelt;
mod monitoring;
mod negotiation;
mod notices;
mod one_worker;
mod openapi;
mod operator;
mod outage;
mod own_store;
mod pages;
mod parts;
mod prefix;
mod profile;
mod redis_layout;
mod refusals;
mod rights;
mod secret_files;
mod sessions;
mod shutdown;
mod sign_in_stores;
mod silent_nodes;
mod static_files;
mod store_contract;
mod tabs;
mod testing;
mod throttle;
mod tls;
mod tutorial;
mod upgrade;
