//! HTTP by hand, for what no client would send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Sends these bytes and reads until the server closes; the request should say `Connection: close`.
pub(crate) fn exchange(port: u16, request: &[u8]) -> String {
    String::from_utf8_lossy(&exchange_bytes(port, request)).into_owned()
}

fn exchange_bytes(port: u16, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // A server that has read enough may close before it has read all.
    drop(stream.write_all(request));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    answer
}

/// A request with a body, of one connection.
pub(crate) fn request(port: u16, head: &str, headers: &[&str], body: &str) -> String {
    String::from_utf8_lossy(&request_bytes(port, head, headers, body)).into_owned()
}

/// The same, where the answer is no text.
pub(crate) fn request_bytes(port: u16, head: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let mut text = format!("{head} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text.push_str("Content-Length: ");
        text.push_str(&body.len().to_string());
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    exchange_bytes(port, text.as_bytes())
}

/// Signs in by JSON and returns the session's id.
#[track_caller]
pub(crate) fn log_in(port: u16, user: &str) -> String {
    let answer = request(
        port,
        "POST /login/",
        &["Content-Type: application/json"],
        &serde_json::json!({ "username": user }).to_string(),
    );
    let id = answer
        .split("set-cookie: session_id=")
        .nth(1)
        .unwrap_or_else(|| panic!("no session in {answer}"));
    id.split(';').next().unwrap().to_owned()
}

/// The status of a profile request with this session.
#[track_caller]
pub(crate) fn profile_status(port: u16, id: &str) -> u16 {
    let cookie = format!("Cookie: session_id={id}");
    status(&request(port, "GET /profile/", &[&cookie], ""))
}

#[track_caller]
pub(crate) fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no status in {answer:?}"))
}

/// The same, where the server may be gone: what came until then.
pub(crate) fn request_or_nothing(port: u16, head: &str, headers: &[&str], body: &str) -> String {
    if TcpStream::connect(("127.0.0.1", port)).is_err() {
        return String::new();
    }
    request(port, head, headers, body)
}

/// The name that the server gave to a request.
#[track_caller]
pub(crate) fn request_id(answer: &str) -> String {
    let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
    let ids: Vec<_> = head.split("\r\nx-request-id: ").skip(1).collect();
    assert_eq!(ids.len(), 1, "{answer}");
    ids[0].split("\r\n").next().unwrap().to_owned()
}
