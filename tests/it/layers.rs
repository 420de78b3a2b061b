//! Dependencies point one way: session <- store <- web, and operator beside web.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} is empty");
    found
}

#[track_caller]
fn assert_free_of(folder: &str, words: &[&str]) {
    for path in sources(folder) {
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap();
            for word in words {
                assert!(
                    !code.contains(word),
                    "{}:{}: {line}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn the_domain_knows_neither_store_nor_web() {
    assert_free_of(
        "src/session",
        &[
            "rocket",
            "redis",
            "redb",
            "crate::store",
            "crate::web",
            "crate::cli::",
            "crate::config",
            "http::",
        ],
    );
}

#[test]
fn the_store_knows_no_web() {
    assert_free_of(
        "src/store",
        &["rocket", "crate::web", "crate::cli::", "http::", "cookie"],
    );
}

#[test]
fn the_operators_commands_and_the_web_know_nothing_of_each_other() {
    assert_free_of("src/cli", &["crate::web", "rocket::http", "redb::"]);
    assert_free_of("src/web", &["crate::cli::"]);
}

#[test]
fn the_settings_know_neither_store_nor_web() {
    assert_free_of(
        "src/config",
        &["crate::store", "crate::web", "crate::cli::", "rocket::http"],
    );
}

#[test]
fn the_environment_is_read_in_one_place() {
    for folder in ["src/session", "src/store", "src/web", "src/cli"] {
        assert_free_of(folder, &["env::var", "env::vars"]);
    }
}

/// T24: the engine does not escape a template that is not named so, and `safe` switches it off.
#[test]
fn every_template_is_escaped() {
    for path in sources("templates") {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.ends_with(".html.tera"), "{name}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("safe") && !text.contains("autoescape"),
            "{name}"
        );
    }
}

#[test]
fn no_page_has_an_inline_style_or_script() {
    for path in sources("templates") {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["style=", "<style", " onclick", "javascript:"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
        assert_eq!(
            text.matches("<script").count(),
            text.matches("<script src=").count()
        );
    }
}

/// T25: with `panic = "abort"` one panic in a handler would end the server.
#[test]
fn a_panic_does_not_end_the_server() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert!(
        !fs::read_to_string(manifest)
            .unwrap()
            .contains("panic = \"abort\"")
    );
}
