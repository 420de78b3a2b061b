//! The README and the guide: two screens, and no link that leads nowhere.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README, each chapter of the guide, and what code hosts look for, with the text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = vec![root().join("README.md")];
    for folder in ["src/guide", ".github"] {
        let files = fs::read_dir(root().join(folder)).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        pages.extend(files.filter(|file| file.extension().is_some_and(|ending| ending == "md")));
    }
    let read = |page: PathBuf| {
        let text = fs::read_to_string(&page).unwrap();
        (page, text)
    };
    pages.into_iter().map(read).collect()
}

/// The lines outside blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// Where a page's links lead: `[text](target)`, and `[name]: target` at its end.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    for line in prose(text) {
        let inline = line.split("](").skip(1);
        links.extend(inline.filter_map(|rest| Some(rest.split_once(')')?.0)));
        if line.starts_with('[') {
            links.extend(line.split_once("]: ").map(|(_, target)| target));
        }
    }
    links
}

/// The name that code hosts and rustdoc give to a heading.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.collect::<String>().replace(' ', "-")
}

#[test]
fn the_readme_is_two_screens() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= 150, "{lines}");
}

#[test]
fn each_link_of_the_readme_and_the_guide_leads_somewhere() {
    let mut followed = 0;
    for (page, text) in pages() {
        for link in links(&text) {
            if link.starts_with("https://") {
                continue;
            }
            followed += 1;
            let (file, heading) = match link.split_once('#') {
                Some((file, heading)) => (file, Some(heading)),
                None => (link, None),
            };
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            assert!(target.exists(), "{link} in {}", page.display());
            if let Some(heading) = heading {
                let target = fs::read_to_string(target).unwrap();
                let mut headings = prose(&target).filter(|line| line.starts_with('#'));
                assert!(
                    headings.any(|line| anchor(line) == heading),
                    "{link} in {}",
                    page.display()
                );
            }
        }
    }
    assert!(followed > 10, "{followed}");
}

#[test]
fn each_chapter_is_on_the_readme_and_in_the_documentation() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let module = fs::read_to_string(root().join("src/guide/mod.rs")).unwrap();
    for (page, _) in pages() {
        if page.parent().unwrap().ends_with("src/guide") {
            let name = page.file_name().unwrap().to_str().unwrap();
            assert!(readme.contains(&format!("(src/guide/{name})")), "{name}");
            assert!(
                module.contains(&format!("include_str!(\"{name}\")")),
                "{name}"
            );
        }
    }
}

#[test]
fn each_test_that_proves_a_promise_is_there() {
    let promises = fs::read_to_string(root().join("src/guide/design.md")).unwrap();
    let code = prose(&promises).flat_map(|line| line.split('`').skip(1).step_by(2));
    let mut named = 0;
    for (code, subject, sentence) in code.filter_map(test_name) {
        named += 1;
        assert!(
            tests_of(subject).contains(&format!("fn {sentence}(")),
            "{code}"
        );
    }
    assert!(named > 40, "{named}");
}

/// `subject::a_sentence_of_words`, and its two parts.
fn test_name(code: &str) -> Option<(&str, &str, &str)> {
    let (subject, sentence) = code.split_once("::")?;
    let is_name = |part: &str| {
        part.chars()
            .all(|char| char.is_ascii_lowercase() || char == '_')
    };
    let is_test = is_name(subject) && is_name(sentence) && sentence.contains('_');
    is_test.then_some((code, subject, sentence))
}

/// The source of a subject's tests. The stores' contract is published, so it stands in `src`.
fn tests_of(subject: &str) -> String {
    let files = match subject {
        "store_contract" => fs::read_dir(root().join("src/testing/contract"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect(),
        _ => vec![root().join(format!("tests/it/{subject}.rs"))],
    };
    let texts = files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok());
    texts.collect()
}
