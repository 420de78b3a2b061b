//! The style sheet, the scripts and the icon: compressed, never asked for twice, and small.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rocket::fairing::AdHoc;
use rocket::http::{Header, Method, Status};
use rocket::local::blocking::{Client, LocalResponse};
use serde_json::{Value, json};

use crate::support::browser::{Browser, Scheme};
use crate::support::program::Program;
use crate::support::served::Served;
use crate::support::{configured, http, python};

const FILES: [&str; 4] = ["style.css", "innkeeper.js", "docs.js", "favicon.svg"];
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const REVALIDATED: &str = "public, no-cache";
const ACCENT: (&str, &str) = ("accent_color", "#0055aa");

fn client(settings: &[(&str, &str)]) -> Client {
    let settings: Vec<_> = settings
        .iter()
        .map(|(key, value)| (*key, json!(value)))
        .collect();
    let rocket = configured("", &settings).attach(innkeeper::stage());
    Client::untracked(rocket).unwrap()
}

fn plain(name: &str) -> String {
    format!("/static/innkeeper/{name}")
}

/// What pages call the files, in the order of [`FILES`].
fn hashed(client: &Client) -> [String; 4] {
    let html = Header::new("Accept", "text/html");
    let page = client.get("/docs").header(html).dispatch();
    let page = page.into_string().unwrap();
    FILES.map(|name| {
        let (stem, ending) = name.split_once('.').unwrap();
        let start = format!("\"/static/innkeeper/{stem}-");
        let rest = page.split(&start).nth(1).unwrap();
        let hash = rest.split_once('.').unwrap().0;
        let path = format!("/static/innkeeper/{stem}-{hash}.{ending}");
        assert!(page.contains(&format!("\"{path}\"")), "{page}");
        path
    })
}

fn ask<'c>(
    client: &'c Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> LocalResponse<'c> {
    let mut request = client.req(method, path.to_owned());
    for (name, value) in headers {
        request.add_header(Header::new((*name).to_owned(), (*value).to_owned()));
    }
    request.dispatch()
}

fn get<'c>(client: &'c Client, path: &str, accepted: &str) -> LocalResponse<'c> {
    ask(client, Method::Get, path, &[("Accept-Encoding", accepted)])
}

fn header<'r>(answer: &'r LocalResponse<'_>, name: &str) -> Option<&'r str> {
    answer.headers().get_one(name)
}

fn decompressed(coding: &str, content: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    match coding {
        "br" => {
            let mut reader = brotli_decompressor::Decompressor::new(content, 4096);
            reader.read_to_end(&mut text).unwrap();
        }
        "gzip" => {
            // It checks the length and the checksum.
            let mut child = python::with("gzip", "install python3")
                .args(["-c", "import gzip, sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(content).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            text = output.stdout;
        }
        other => panic!("{other}"),
    }
    text
}

#[test]
fn a_file_is_sent_in_the_coding_that_is_asked_for_and_is_the_same_in_all() {
    for settings in [
        &[][..],
        &[ACCENT],
        &[ACCENT, ("accent_color_dark", "#88bbff")],
    ] {
        let client = client(settings);
        for (name, path) in FILES.iter().zip(hashed(&client)) {
            let answer = get(&client, &path, "identity");
            assert_eq!(header(&answer, "Content-Encoding"), None);
            let mut tags = BTreeSet::from([header(&answer, "ETag").unwrap().to_owned()]);
            let kind = header(&answer, "Content-Type").unwrap().to_owned();
            let text = answer.into_bytes().unwrap();
            for (accepted, coding) in [("gzip", "gzip"), ("gzip, deflate, br, zstd", "br")] {
                let answer = get(&client, &path, accepted);
                assert_eq!(header(&answer, "Content-Type"), Some(&*kind));
                let sent = header(&answer, "Content-Encoding");
                // Compressed it would hardly be smaller.
                if *name == "favicon.svg" {
                    assert_eq!((sent, header(&answer, "Vary")), (None, None));
                    assert_eq!(answer.into_bytes().unwrap(), text);
                    continue;
                }
                assert_eq!(
                    (sent, header(&answer, "Vary")),
                    (Some(coding), Some("Accept-Encoding"))
                );
                assert!(tags.insert(header(&answer, "ETag").unwrap().to_owned()));
                let content = answer.into_bytes().unwrap();
                let length = content.len();
                assert!(
                    length * 2 < text.len(),
                    "{name}: {length} of {}",
                    text.len()
                );
                assert!(decompressed(coding, &content) == text, "{name} in {coding}");
            }
        }
    }
}

#[test]
fn what_is_sent_is_the_source_without_its_comments() {
    let client = client(&[]);
    for name in FILES {
        let answer = get(&client, &plain(name), "");
        let sent = answer.into_string().unwrap();
        let source = fs::read_to_string(format!("static/{name}")).unwrap();
        let is_comment = |line: &&str| line.trim_start().starts_with("//");
        // No text of several lines holds what looks like a comment.
        let quotes = |line: &str| line.matches('`').count();
        assert!(source.lines().all(|line| quotes(line) % 2 == 0), "{name}");
        let code = source.lines().filter(|line| !is_comment(line));
        assert!(sent.lines().eq(code), "{name}: {sent}");
    }
}

#[test]
fn a_name_with_the_hash_is_kept_for_ever_and_any_other_is_revalidated() {
    let client = client(&[]);
    for (name, path) in FILES.iter().zip(hashed(&client)) {
        let (stem, ending) = name.split_once('.').unwrap();
        // Of another version: during an update its instance may be another one.
        let other = plain(&format!("{stem}-0123456789abcdef.{ending}"));
        let mut contents = BTreeSet::new();
        for (path, lifetime) in [
            (path, IMMUTABLE),
            (plain(name), REVALIDATED),
            (other, REVALIDATED),
        ] {
            let answer = get(&client, &path, "br");
            assert_eq!(answer.status(), Status::Ok, "{path}");
            let lifetimes: Vec<_> = answer.headers().get("Cache-Control").collect();
            assert_eq!(lifetimes, [lifetime], "{path}");
            let tag = header(&answer, "ETag").unwrap().to_owned();
            contents.insert((tag.clone(), answer.into_bytes().unwrap()));

            let weak = format!("W/{tag}");
            let list = format!("\"other\", {tag}");
            for (known, accepted, status) in [
                (&*tag, "br", 304),
                (&weak, "br", 304),
                (&list, "br", 304),
                ("*", "br", 304),
                ("\"other\"", "br", 200),
                (&tag, "", if *name == "favicon.svg" { 304 } else { 200 }),
            ] {
                let headers = [("If-None-Match", known), ("Accept-Encoding", accepted)];
                let again = ask(&client, Method::Get, &path, &headers);
                assert_eq!(again.status().code, status, "{path}: {known} {accepted}");
                assert_eq!(header(&again, "Cache-Control"), Some(lifetime));
                let vary = (*name != "favicon.svg").then_some("Accept-Encoding");
                assert_eq!(header(&again, "Vary"), vary);
                assert!(again.headers().contains("ETag"));
                let is_empty = again.into_bytes().is_none_or(|body| body.is_empty());
                assert_eq!(is_empty, status == 304, "{path}");
            }
        }
        assert_eq!(contents.len(), 1, "{name}");
    }
    for name in [
        "style-0123456789abcde.css",
        "style-.css",
        "docs-0123456789abcdef.css",
        "build.rs",
        "style.css.br",
    ] {
        let answer = get(&client, &plain(name), "br");
        assert_eq!(answer.status(), Status::NotFound, "{name}");
        assert_eq!(header(&answer, "Cache-Control"), Some("no-store"));
    }
}

#[test]
fn the_name_changes_with_the_content() {
    let [ours, again, own] = [&[][..], &[], &[ACCENT]].map(|settings| hashed(&client(settings)));
    assert_eq!(ours, again);
    let same: Vec<_> = ours
        .iter()
        .zip(&own)
        .map(|(ours, own)| ours == own)
        .collect();
    assert_eq!(same, [false, true, true, false]);
}

#[test]
fn only_the_head_and_a_part_of_it_are_asked_for_too() {
    let client = client(&[]);
    let [style, ..] = hashed(&client);
    let whole = get(&client, &style, "br");
    let headers = |answer: &LocalResponse<'_>| -> BTreeSet<_> {
        let headers = answer
            .headers()
            .iter()
            .filter(|header| header.name() != "X-Request-Id");
        headers.map(|header| header.to_string()).collect()
    };
    let head = ask(&client, Method::Head, &style, &[("Accept-Encoding", "br")]);
    assert_eq!(
        (head.status(), headers(&head)),
        (Status::Ok, headers(&whole))
    );
    assert_eq!(head.into_bytes().unwrap_or_default(), b"");
    // A server may ignore it (RFC 9110, 14.2).
    let asked = [("Accept-Encoding", "br"), ("Range", "bytes=0-9")];
    let part = ask(&client, Method::Get, &style, &asked);
    assert_eq!(
        (part.status(), headers(&part)),
        (Status::Ok, headers(&whole))
    );
    assert_eq!(part.into_bytes(), whole.into_bytes());
}

/// All that a browser is sent that has never been here: the page with what it loads, and all headers.
#[test]
fn a_first_visit_to_the_sign_in_page_is_sent_less_than_ten_kilobytes() {
    let plain = [("INNKEEPER_STORE_PATH", ":memory:")];
    // As much as the settings can add.
    let full = [
        ("INNKEEPER_STORE_PATH", ":memory:"),
        ("INNKEEPER_SIGN_IN", "password"),
        ("INNKEEPER_SIGN_UP", "true"),
        ("INNKEEPER_PUBLIC_URL", "https://sign-in.example.org"),
        (
            "INNKEEPER_SITE_NAME",
            "A name of a length that is not usual",
        ),
        ("INNKEEPER_ACCENT_COLOR", "#0055aa"),
    ];
    for variables in [&plain[..], &full] {
        let program = Program::start(variables);
        let mut sent = 0;
        let mut load = |path: &str, accept: &str| {
            let accept = format!("Accept: {accept}");
            let headers = [&*accept, "Accept-Encoding: gzip, deflate, br, zstd"];
            let answer = http::request_bytes(program.port(), &format!("GET {path}"), &headers, "");
            assert!(answer.starts_with(b"HTTP/1.1 200 "), "{path}");
            let text = String::from_utf8_lossy(&answer);
            let head = text.split_once("\r\n\r\n").unwrap().0;
            let length = answer.len() - head.len() - 4;
            assert!(
                head.contains(&format!("content-length: {length}\r\n")),
                "{head}"
            );
            sent += answer.len();
            answer
        };
        let page = String::from_utf8(load("/login/", "text/html")).unwrap();
        let loaded: BTreeSet<_> = page
            .split(['"'])
            .filter(|part| part.starts_with("/static/"))
            .collect();
        assert_eq!(loaded.len(), 3, "{page}");
        for path in loaded {
            load(path, "*/*");
        }
        assert!(sent < 10 * 1024, "{sent}");
    }
}

/// As a browser does it.
#[rocket::async_test]
async fn a_browser_asks_for_each_file_once_and_never_again() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let counting = AdHoc::on_request("Counting", move |request, _| {
        let path = request.uri().path().to_string();
        if path.starts_with("/static/") {
            seen.lock().unwrap().push(path);
        }
        Box::pin(async {})
    });
    let settings: [(&str, Value); 1] = [(ACCENT.0, json!(ACCENT.1))];
    let rocket = configured("", &settings)
        .attach(innkeeper::stage())
        .attach(counting);
    let served = Served::start(rocket).await;
    let site = served.url();
    let taken = || std::mem::take(&mut *asked.lock().unwrap());
    let browser = Browser::start(Scheme::Light).await;
    browser.open(&format!("{site}/login/")).await;
    browser.wait_for_shown("header img").await;
    let first = taken();
    let distinct: BTreeSet<_> = first.iter().collect();
    assert_eq!((first.len(), distinct.len()), (3, 3), "{first:?}");
    // It has read the compressed style sheet to its end, where the site's own colour stands.
    let color = "getComputedStyle(document.querySelector('main button')).backgroundColor";
    assert_eq!(browser.evaluate(color).await, "rgb(0, 85, 170)");

    browser.sign_in(&site, "amy").await;
    browser.page.refresh().await.unwrap();
    browser.wait_for_heading("Welcome, amy").await;
    browser.open(&format!("{site}/sessions/")).await;
    browser.wait_for_heading("Your sessions").await;
    assert_eq!(taken(), Vec::<String>::new());
    // This page has one more.
    browser.open(&format!("{site}/docs")).await;
    browser.wait_for_heading("Addresses").await;
    let further = taken();
    assert!(
        matches!(&further[..], [docs] if docs.contains("/docs-")),
        "{further:?}"
    );
    browser.finish().await;
}
