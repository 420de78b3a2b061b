//! The `OpenAPI` document says what is there, and what is there answers as it says.

use std::collections::BTreeSet;
use std::io::Write;

use innkeeper::UserName;
use jsonschema::Validator;
use rocket::http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, TestApp, TestClient, python};

async fn document(app: &TestApp) -> Value {
    let answer = app.browser().get("/openapi.json").await;
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    answer.json()
}

/// Method and path of each operation, and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let operations = item.as_object().unwrap().iter();
            operations
                .map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
        })
        .collect()
}

/// Other people's tools read it: each document passes a validator of the specification, and is the same as YAML.
#[rocket::async_test]
async fn a_validator_of_others_and_a_reader_of_yaml_take_it() {
    let settings = [("public_url", json!("https://app.example"))];
    for settings in [&[][..], &settings] {
        let app = TestApp::with(Backend::Embedded, settings).await;
        let text = app.browser().get("/openapi.json").await.body;
        let is_printable = |character| matches!(character, ' '..='~');
        assert!(text.chars().all(is_printable), "{text}");
        assert!(!text.contains(r"\ud"), "a surrogate in {text}");
        // Descriptions are the doc comments of types, and nobody but rustdoc follows their links.
        assert!(!text.contains("[`"), "a link of rustdoc's in {text}");

        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/openapi.py");
        let output = python::with(
            "openapi_spec_validator",
            "pip install openapi-spec-validator",
        )
        .arg(script)
        .arg(file.path())
        .output()
        .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
    }
}

/// A validator for one schema, which may refer to the document's others.
fn validator(document: &Value, schema: &Value) -> Validator {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

fn without_slash(path: &str) -> String {
    match path {
        "/" => path.to_owned(),
        path => path.trim_end_matches('/').to_owned(),
    }
}

#[rocket::async_test]
async fn the_document_and_the_routes_are_the_same() {
    let app = TestApp::open(Backend::Embedded).await;
    let document = document(&app).await;
    let described: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| (method, without_slash(&path)))
        .collect();
    let mounted: BTreeSet<_> = app
        .addresses()
        .into_iter()
        .filter(|(_, path)| !path.starts_with("/static/"))
        .map(|(method, path)| (method, without_slash(&path)))
        .collect();
    assert_eq!(described, mounted);
    assert!(described.len() >= 17, "{described:?}");
}

#[rocket::async_test]
async fn the_document_is_whole() {
    let app = TestApp::open(Backend::Embedded).await;
    let document = document(&app).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Innkeeper");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document.get("servers"), None);
    let session = &document["components"]["securitySchemes"]["session"];
    assert_eq!(
        (&session["type"], &session["in"], &session["name"]),
        (&json!("apiKey"), &json!("cookie"), &json!("session_id"))
    );

    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} twice");
        assert!(operation["summary"].as_str().is_some(), "{method} {path}");
        let for_all = ["/healthz", "/readyz", "/openapi.json", "/docs"];
        let security = operation["security"].as_array().unwrap();
        assert_eq!(security.is_empty(), for_all.contains(&&*path), "{path}");
        let in_path: Vec<_> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let given: Vec<_> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path" && parameter["required"] == true)
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(in_path, given, "{method} {path}");
        for (status, answer) in operation["responses"].as_object().unwrap() {
            assert!((200..600).contains(&status.parse::<u16>().unwrap()));
            assert!(
                answer["description"].as_str().is_some(),
                "{method} {path} {status}"
            );
            let headers = answer["headers"].as_object().into_iter().flatten();
            for (name, header) in headers {
                let says = header["description"]
                    .as_str()
                    .is_some_and(|it| !it.is_empty());
                assert!(says, "{method} {path} {status} {name}");
            }
            if let Some(page) = answer["content"].get("text/html") {
                assert_eq!(page["schema"]["type"], "string", "{method} {path} {status}");
            }
        }
    }
    every_reference_leads_somewhere(&document, &document);
}

fn every_reference_leads_somewhere(document: &Value, part: &Value) {
    if let Some(place) = part.get("$ref").and_then(Value::as_str) {
        assert!(document.pointer(&place[1..]).is_some(), "{place}");
    }
    let members = part
        .as_object()
        .into_iter()
        .flat_map(|object| object.values());
    for member in members.chain(part.as_array().into_iter().flatten()) {
        every_reference_leads_somewhere(document, member);
    }
}

#[rocket::async_test]
async fn every_example_is_one() {
    let app = TestApp::open(Backend::Embedded).await;
    let document = document(&app).await;
    let mut tried = 0;
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let validator = validator(&document, schema);
        for example in schema["examples"].as_array().into_iter().flatten() {
            assert!(validator.is_valid(example), "{name}: {example}");
            tried += 1;
        }
    }
    assert!(tried >= 9, "{tried}");
}

#[rocket::async_test]
async fn the_refusal_of_another_host_is_described_where_there_is_one() {
    for (public_url, refused) in [("", true), ("https://app.example", false)] {
        let settings = [("public_url", json!(public_url))];
        let app = TestApp::with(Backend::Embedded, &settings).await;
        let document = document(&app).await;
        for (method, path, operation) in operations(&document) {
            let answer = &operation["responses"]["421"];
            assert_eq!(answer.is_object(), refused, "{method} {path} {public_url}");
        }
    }
}

#[rocket::async_test]
async fn behind_https_it_names_the_site_and_its_cookie() {
    let settings = [("public_url", json!("https://app.example"))];
    let app = TestApp::with(Backend::Embedded, &settings).await;
    let document = document(&app).await;
    assert_eq!(
        document["servers"],
        json!([{ "url": "https://app.example" }])
    );
    assert_eq!(
        document["components"]["securitySchemes"]["session"]["name"],
        "__Host-session_id"
    );
}

#[rocket::async_test]
async fn the_names_of_the_tutorial_are_there() {
    let app = TestApp::open(Backend::Embedded).await;
    let document = document(&app).await;
    let schemas = &document["components"]["schemas"];
    let properties = |name: &str| -> BTreeSet<String> {
        schemas[name]["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    for (schema, names) in [
        ("LoginRequest", &["username"][..]),
        ("LoggedIn", &["message", "session_id"]),
        ("Profile", &["session_data", "session_id"]),
        ("LoggedOut", &["message"]),
        ("Detail", &["detail"]),
        ("HTTPValidationError", &["detail"]),
        ("ValidationError", &["loc", "msg", "type"]),
    ] {
        assert_eq!(
            properties(schema),
            names.iter().map(ToString::to_string).collect()
        );
    }
    let login = &document["paths"]["/login/"]["post"];
    assert_eq!(login["requestBody"]["required"], true);
    for status in ["200", "303", "400", "403", "413", "415", "422", "503"] {
        assert!(login["responses"][status].is_object(), "{status}");
    }
}

/// The pattern and the lengths of the document against what really signs in, for each character of the first plane.
/// Of others, and of what may follow an emoji, the pattern says less; but it never refuses what signs in.
#[rocket::async_test]
async fn the_user_names_of_the_document_are_those_that_sign_in() {
    let app = TestApp::open(Backend::Embedded).await;
    let document = document(&app).await;
    let login = &document["components"]["schemas"]["LoginRequest"];
    let validator = validator(&document, &login["properties"]["username"]);
    let pattern = login["properties"]["username"]["pattern"].as_str().unwrap();
    assert!(pattern.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    let first_plane = '\0'..='\u{ffff}';
    let alone = first_plane.clone().map(String::from);
    let inside = first_plane
        .clone()
        .map(|character| format!("a{character}b"));
    let others = ["", "a", "a ", "  a", "a  b", "a b c", "a\n", "a\u{fe0f}"];
    let others = others.map(str::to_owned).into_iter();
    let lengths = [64, 65].map(|length| "w".repeat(length));
    for name in alone.chain(inside).chain(others).chain(lengths) {
        let signs_in = UserName::parse(&name).is_ok();
        assert_eq!(validator.is_valid(&json!(name)), signs_in, "{name:?}");
    }
    let emoji = first_plane
        .chain('\u{1f000}'..='\u{1fbff}')
        .map(|character| format!("a {character}\u{fe0f}\u{20e3}b"));
    let beyond = ('\u{1bc90}'..='\u{1d200}')
        .chain('\u{dfff0}'..='\u{e1010}')
        .map(|character| format!("a{character}b"));
    let mut signed_in = 0;
    for name in emoji.chain(beyond) {
        if UserName::parse(&name).is_ok() {
            signed_in += 1;
            assert!(validator.is_valid(&json!(name)), "{name:?}");
        }
    }
    assert!(signed_in > 1000, "{signed_in}");
}

/// A request to the app, and the operation that it is.
async fn ask(
    client: &mut TestClient,
    document: &Value,
    (method, path, operation): (Method, &str, &str),
    (headers, body): (&[(&str, &str)], &str),
) -> Answer {
    let answer = client.send(method, path, headers, body).await;
    let verb = method.as_str().to_lowercase();
    let status = answer.status.code.to_string();
    let said = &document["paths"][operation][verb.as_str()]["responses"][status.as_str()];
    assert!(
        said.is_object(),
        "{method} {path} answers {status}, of which nothing is said"
    );
    for name in ["Set-Cookie", "Location", "Retry-After", "Vary"] {
        if answer.header(name).is_some() {
            assert!(
                said["headers"][name].is_object(),
                "{method} {path} {status}: {name}"
            );
        }
    }
    let media_type = answer
        .header("Content-Type")
        .map(|kind| kind.split(';').next().unwrap());
    match media_type {
        None => assert_eq!(said.get("content"), None, "{method} {path} {status}"),
        Some(kind) => assert!(
            said["content"][kind].is_object(),
            "{method} {path} {status}: {kind}"
        ),
    }
    if media_type == Some("application/json") {
        let schema = &said["content"]["application/json"]["schema"];
        let body = answer.json();
        if let Err(problem) = validator(document, schema).validate(&body) {
            panic!("{method} {path} {status}: {problem} in {body}");
        }
    }
    answer
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const CROSS_SITE: (&str, &str) = ("Sec-Fetch-Site", "cross-site");

#[rocket::async_test]
async fn a_sign_in_answers_as_described() {
    let app = TestApp::open(Backend::Embedded).await;
    let document = document(&app).await;
    let long = "x".repeat(9000);
    let two = ("Cookie", "session_id=a; session_id=b");
    for (status, headers, body) in [
        (200, &[JSON][..], r#"{"username":"abdullah"}"#),
        (303, &[FORM], "username=abdullah"),
        (400, &[JSON, two], r#"{"username":"abdullah"}"#),
        (403, &[JSON, CROSS_SITE], r#"{"username":"abdullah"}"#),
        (413, &[JSON], &long),
        (413, &[FORM], &long),
        (415, &[("Content-Type", "text/plain")], "abdullah"),
        (422, &[JSON], "{}"),
        (422, &[JSON], ""),
        (422, &[JSON], r#"{"username":7}"#),
        (422, &[FORM], "username="),
    ] {
        let operation = (Method::Post, "/login/", "/login/");
        for mut client in [app.program(), app.browser()] {
            let answer = ask(&mut client, &document, operation, (headers, body)).await;
            let expected = if status == 200 && answer.status.code == 303 {
                303
            } else {
                status
            };
            assert_eq!(answer.status.code, expected, "{headers:?} {body}");
        }
    }
}

#[rocket::async_test]
async fn every_address_answers_as_described() {
    let app = TestApp::open(Backend::Embedded).await;
    let document = document(&app).await;
    let dead = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    let handle = "0f8fad5bd9cb469fa16570867728950e";
    for (method, path, _) in operations(&document) {
        let verb: Method = method.parse().unwrap();
        let address = path.replace("{handle}", handle);
        let operation = (verb, address.as_str(), path.as_str());
        for nobody in [app.program(), app.browser()] {
            let mut signed_in = nobody.clone();
            signed_in.log_in_as("abdullah").await;
            let ended = nobody.clone().with_cookie("session_id", dead);
            for client in [nobody, signed_in, ended] {
                for headers in [
                    &[][..],
                    &[CROSS_SITE],
                    &[("Cookie", "session_id=a; session_id=b")],
                ] {
                    // Each with a session of its own, because some of these end it.
                    let mut client = client.clone();
                    if client.has_cookie() && client.id() != dead {
                        client.log_in_as("abdullah").await;
                    }
                    ask(&mut client, &document, operation, (headers, "")).await;
                }
            }
        }
    }
}

#[rocket::async_test]
async fn sessions_that_are_ended_answer_as_described() {
    let app = TestApp::open(Backend::Embedded).await;
    let document = document(&app).await;
    let mut client = app.program();
    client.log_in_as("abdullah").await;
    let list = (Method::Get, "/sessions/", "/sessions/");
    for (method, path, operation, own) in [
        (Method::Delete, "/sessions/", "/sessions/{handle}", false),
        (Method::Delete, "/sessions/", "/sessions/{handle}", true),
        (Method::Post, "/end", "/sessions/{handle}/end", true),
    ] {
        app.program().log_in_as("abdullah").await;
        client.log_in_as("abdullah").await;
        let listed = ask(&mut client, &document, list, (&[], "")).await.json();
        let sessions = listed["sessions"].as_array().unwrap();
        let one = sessions
            .iter()
            .find(|session| session["current"] == own)
            .unwrap();
        let end = if path == "/end" { "/end" } else { "" };
        let path = format!("/sessions/{}{end}", one["id"].as_str().unwrap());
        let answer = ask(
            &mut client,
            &document,
            (method, &path, operation),
            (&[], ""),
        )
        .await;
        assert_eq!(
            (answer.status.code, answer.header("Set-Cookie").is_some()),
            (200, own)
        );
    }
}

#[rocket::async_test]
async fn an_outage_answers_as_described() {
    let app = TestApp::open(Backend::Redis).await;
    let document = document(&app).await;
    app.redis().signal("KILL");
    let id = "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a";
    for (method, path, operation) in operations(&document) {
        let verb: Method = method.parse().unwrap();
        let address = path.replace("{handle}", "0f8fad5bd9cb469fa16570867728950e");
        let sent: (&[_], _) = if path == "/login/" && verb == Method::Post {
            (&[JSON], r#"{"username":"abdullah"}"#)
        } else {
            (&[], "")
        };
        let mut client = app.program().with_cookie("session_id", id);
        let answer = ask(&mut client, &document, (verb, &address, &path), sent).await;
        let asks = operation["security"] != json!([]) || path == "/readyz";
        assert_eq!(answer.status.code == 503, asks, "{method} {path}");
    }
}

#[rocket::async_test]
async fn the_page_shows_every_operation_and_no_session() {
    let app = TestApp::open(Backend::Embedded).await;
    let document = document(&app).await;
    let mut browser = app.browser();
    browser.log_in_as("abdullah").await;
    for path in ["/docs", "/docs/"] {
        let page = browser.get(path).await;
        page.assert_page(200, "Addresses");
        assert!(!page.body.contains(&browser.id()));
        let text = page.text().replace("&#x2F;", "/").replace("&#x27;", "'");
        for (method, path, operation) in operations(&document) {
            let summary = operation["summary"].as_str().unwrap();
            let id = operation["operationId"].as_str().unwrap();
            assert!(
                text.contains(&format!("{method} {path} {summary}")),
                "{method} {path}"
            );
            assert!(
                page.body.contains(&format!("<details id=\"{id}\">")),
                "{id}"
            );
        }
        for text in page.body.split("<label for=\"").skip(1) {
            let id = text.split('"').next().unwrap();
            assert_eq!(
                page.body.matches(&format!("id=\"{id}\"")).count(),
                1,
                "{id}"
            );
        }
    }
}
