//! The program, as it was built.

use std::process::{Command, Output};

fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_innkeeper"))
        .args(arguments)
        .env_clear()
        .envs(settings.iter().copied())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let [out, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{error}")
}

#[test]
fn it_has_commands() {
    let help = run(&["--help"], &[]);
    assert!(help.status.success());
    for command in ["doctor", "sessions"] {
        assert!(said(&help).contains(command), "{}", said(&help));
    }
}

#[test]
fn it_names_a_missing_feature() {
    for (is_there, setting, name) in [
        (
            cfg!(feature = "embedded"),
            ("INNKEEPER_STORE_PATH", ":memory:"),
            "embedded",
        ),
        (
            cfg!(feature = "redis"),
            ("REDIS_URL", "redis://127.0.0.1:1"),
            "redis",
        ),
        (
            cfg!(feature = "metrics"),
            ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0"),
            "metrics",
        ),
        (
            cfg!(feature = "pages"),
            ("ROCKET_TEMPLATE_DIR", "/"),
            "pages",
        ),
        (
            cfg!(feature = "pages"),
            ("INNKEEPER_ACCENT_COLOR", "#0055aa"),
            "pages",
        ),
    ] {
        // With all its features it would serve.
        if is_there {
            continue;
        }
        let output = run(&[], &[setting]);
        let text = said(&output);
        assert!(!output.status.success(), "{text}");
        assert!(
            text.contains(&format!("Innkeeper's feature `{name}`")),
            "{setting:?}: {text}"
        );
    }
}

#[test]
fn its_doctor_and_its_commands_name_a_missing_store() {
    for (is_there, setting, name) in [
        (
            cfg!(feature = "embedded"),
            ("INNKEEPER_STORE_PATH", "data"),
            "embedded",
        ),
        (
            cfg!(feature = "redis"),
            ("REDIS_URL", "redis://127.0.0.1:1"),
            "redis",
        ),
    ] {
        for command in [&["doctor"][..], &["sessions", "list"]] {
            let output = run(command, &[setting]);
            let names = said(&output).contains(&format!("Innkeeper's feature `{name}`"));
            assert_eq!(
                names,
                !is_there,
                "{command:?} {setting:?}: {}",
                said(&output)
            );
            if !is_there {
                assert_eq!(output.status.code(), Some(2));
            }
        }
    }
}
