//! What guests do: they sign in, look at their profile, and sign out.

use std::sync::atomic::{AtomicU64, Ordering};

use super::request::{self, Form, Supply};
use super::{Load, Outcome, run};
use crate::servers::Server;

/// How many sessions profiles are asked for.
const SESSIONS: usize = 32;
/// Enough to be quick.
const AT_ONCE: usize = 8;

/// `name=value`.
pub(crate) type Cookie = Vec<u8>;

/// Some sessions, one guest's each.
pub(crate) fn guests(server: &Server) -> Vec<Cookie> {
    let load = Load::on(server, AT_ONCE, None);
    let mut left = SESSIONS;
    let (outcome, cookies) = sign_in(&load, &mut || {
        let more = left > 0;
        left = left.saturating_sub(1);
        more
    });
    let name = server.name;
    assert_eq!(cookies.len(), SESSIONS, "{name}: {:?}", outcome.troubles);
    cookies
}

/// Every one under a name of his own.
pub(crate) fn sign_in(load: &Load, more: &mut dyn FnMut() -> bool) -> (Outcome, Vec<Cookie>) {
    static NAMES: AtomicU64 = AtomicU64::new(0);

    let mut cookies = Vec::new();
    let mut supply: Box<Supply<'_>> = Box::new(|into| {
        let go_on = more();
        if go_on {
            let number = NAMES.fetch_add(1, Ordering::Relaxed);
            request::login(into, &format!("guest{number:09}"));
        }
        go_on
    });
    let outcome = run(load, &mut supply, &mut |head| {
        cookies.push(session_cookie(head).to_owned());
    });
    (outcome, cookies)
}

/// One session after the other, over and over: nothing changes but their ends.
pub(crate) fn look_at_profiles(load: &Load, form: Form, cookies: &[Cookie]) -> Outcome {
    let mut cookies = cookies.iter().cycle();
    let mut supply = |into: &mut Vec<u8>| {
        let cookie = cookies.next();
        request::get(into, "/profile/", form, cookie.expect("a session"));
        true
    };
    run(load, &mut supply, &mut |_| {})
}

pub(crate) fn sign_out(load: &Load, mut cookies: Vec<Cookie>) -> Outcome {
    let mut supply = |into: &mut Vec<u8>| {
        let cookie = cookies.pop();
        if let Some(cookie) = &cookie {
            request::logout(into, cookie);
        }
        cookie.is_some()
    };
    run(load, &mut supply, &mut |_| {})
}

/// That of the session, which all programs name alike: an answer may set others too.
pub(crate) fn session_cookie(head: &[u8]) -> &[u8] {
    const NAME: &[u8] = b"set-cookie: ";
    let mut cookies = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let (name, cookie) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then_some(cookie)
    });
    let cookie = cookies
        .find(|cookie| cookie.starts_with(b"session_id="))
        .expect("a login sets a cookie");
    cookie
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
}
