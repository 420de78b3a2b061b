//! The requests, as bytes.

/// Appends the next request; `false`: there is none left.
pub(crate) type Supply<'a> = dyn FnMut(&mut Vec<u8>) -> bool + 'a;

/// What `User-Agent` says.
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

const JSON: &[u8] = b"application/json";
const HTML: &[u8] = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Json,
    Html,
}

/// `cookie` as `name=value`; empty: none.
pub(crate) fn get(into: &mut Vec<u8>, path: &str, form: Form, cookie: &[u8]) {
    let accept = match form {
        Form::Json => JSON,
        Form::Html => HTML,
    };
    head(into, "GET", path, cookie);
    append(into, &[b"Accept: ", accept, b"\r\n\r\n"]);
}

pub(crate) fn login(into: &mut Vec<u8>, user: &str) {
    post_login(into, &format!(r#"{{"username":"{user}"}}"#));
}

pub(crate) fn login_with_password(into: &mut Vec<u8>, user: &str, password: &str) {
    let body = format!(r#"{{"username":"{user}","password":"{password}"}}"#);
    post_login(into, &body);
}

fn post_login(into: &mut Vec<u8>, body: &str) {
    let length = body.len().to_string();
    head(into, "POST", "/login/", b"");
    append(
        into,
        &[
            b"Content-Type: application/json\r\nContent-Length: ",
            length.as_bytes(),
            b"\r\n\r\n",
            body.as_bytes(),
        ],
    );
}

pub(crate) fn logout(into: &mut Vec<u8>, cookie: &[u8]) {
    head(into, "POST", "/logout/", cookie);
    append(into, &[b"Content-Length: 0\r\n\r\n"]);
}

pub(crate) fn end_all(into: &mut Vec<u8>, cookie: &[u8]) {
    head(into, "DELETE", "/sessions/", cookie);
    append(into, &[b"\r\n"]);
}

fn head(into: &mut Vec<u8>, method: &str, path: &str, cookie: &[u8]) {
    append(
        into,
        &[
            method.as_bytes(),
            b" ",
            path.as_bytes(),
            b" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: ",
            AGENT.as_bytes(),
            b"\r\n",
        ],
    );
    if !cookie.is_empty() {
        append(into, &[b"Cookie: ", cookie, b"\r\n"]);
    }
}

fn append(into: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        into.extend_from_slice(part);
    }
}
