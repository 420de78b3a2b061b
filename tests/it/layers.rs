//! The house: which way imports go, that no files import each other in a circle, and that no folder is crowded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The parts of `src`, from the ground up: each imports from those that stand above it here, and none from another of its
/// own line. A part is a folder or a file; a file belongs to the longest name that fits.
const PARTS: &[&[&str]] = &[
    &["clock", "client", "user_name"],
    &["session"],
    &["sign_in"],
    &["account"],
    &["config"],
    &[
        "store/redis/connection",
        "store/attempts",
        "store/redis/keys",
        "store/embedded/database",
    ],
    &["store/redis/sessions", "store/embedded/changes"],
    &["store/redis", "store/embedded"],
    &["store"],
    &["control"],
    &["cli", "web/static_files"],
    &["web/site"],
    &["web/request", "web/observe"],
    &["web/answers"],
    &["web/guards"],
    &["web/views"],
    &["web/routes"],
    &["web/stage"],
    &["web"],
    &["guide", "testing"],
    &["lib"],
    &["main"],
];

/// What knows nothing of each other, whatever stands above what.
const APART: [(&str, &str); 2] = [("cli", "web"), ("store/redis", "store/embedded")];

/// The most files of one folder.
const MAX_FILES: usize = 10;

/// Where the item at the end of a path is defined, as segments below `crate`.
type Name = Vec<String>;

/// A file of `src`, and what it imports.
struct Source {
    /// `session/sessions`, `web/mod`.
    file: String,
    module: Name,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found: Vec<_> = files("src")
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| {
            let file = path.strip_prefix(&root).unwrap().with_extension("");
            let file = file.to_str().unwrap().to_owned();
            let mut module: Name = file.split('/').map(str::to_owned).collect();
            if matches!(module.last().unwrap().as_str(), "mod" | "lib" | "main") {
                module.pop();
            }
            let text = fs::read_to_string(path).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
            let code = code.split("\n#[cfg(all(test, ").next().unwrap();
            let code = code.lines().map(|line| line.split("//").next().unwrap());
            Source {
                file,
                module,
                code: code.collect::<Vec<_>>().join("\n"),
            }
        })
        .collect();
    found.sort_by(|a, b| a.file.cmp(&b.file));
    found
}

/// Every file's imports, by the file that defines what is imported.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let sources = sources();
    let files: BTreeMap<Name, &str> = sources
        .iter()
        .filter(|source| source.file != "main")
        .map(|source| (source.module.clone(), source.file.as_str()))
        .collect();
    let mut passed_on = BTreeMap::new();
    for source in &sources {
        for (path, name) in uses(source, &files) {
            let mut here = source.module.clone();
            here.push(name);
            passed_on.insert(here, path);
        }
    }
    sources
        .iter()
        .map(|source| {
            let used = uses(source, &files).into_iter().map(|(path, _)| path);
            let named = paths(source, &files);
            let defined = used
                .chain(named)
                .filter_map(|path| defining_file(path, &passed_on, &files))
                .filter(|file| *file != source.file);
            (source.file.clone(), defined.collect())
        })
        .collect()
}

/// Follows a path through what modules pass on (`pub use`) to the file that defines its end.
fn defining_file(
    mut path: Name,
    passed_on: &BTreeMap<Name, Name>,
    files: &BTreeMap<Name, &str>,
) -> Option<String> {
    for _ in 0..10 {
        let passed = (1..=path.len()).find_map(|length| {
            let (head, rest) = path.split_at(length);
            let target = passed_on.get(head).filter(|target| *target != head)?;
            (!files.contains_key(head)).then(|| [target, rest].concat())
        });
        match passed {
            Some(target) => path = target,
            None => break,
        }
    }
    (0..=path.len())
        .rev()
        .find_map(|length| files.get(&path[..length]))
        .map(|file| (*file).to_owned())
}

/// What the file's `use` declarations name, each with the name that it has in the file.
fn uses(source: &Source, files: &BTreeMap<Name, &str>) -> Vec<(Name, String)> {
    let mut found = Vec::new();
    for (start, line) in lines_with_offset(&source.code) {
        let Some(declared) = after_use(line) else {
            continue;
        };
        let rest = &source.code[start + line.len() - declared.len()..];
        let (tree, _) = rest.split_once(';').unwrap();
        for leaf in leaves(tree) {
            let (path, name) = leaf.split_once(" as ").unwrap_or((&leaf, ""));
            let Some(path) = absolute(path, source, files) else {
                continue;
            };
            let name = if name.is_empty() {
                path.last().cloned().unwrap_or_default()
            } else {
                name.trim().to_owned()
            };
            found.push((path, name));
        }
    }
    found
}

fn lines_with_offset(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |offset, line| {
        let start = *offset;
        *offset += line.len();
        Some((start, line))
    })
}

/// What follows `use`, `pub use` or `pub(in crate::web) use` at the beginning of a line.
fn after_use(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) => match rest.strip_prefix('(') {
            Some(scope) => scope.split_once(')')?.1.trim_start(),
            None => rest.trim_start(),
        },
        None => line,
    };
    line.strip_prefix("use ")
}

/// `a::{b, c::{d, self}}` as `a::b`, `a::c::d`, `a::c`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        return vec![tree.trim_end_matches("::self").to_owned()];
    };
    let inside = rest.rsplit_once('}').unwrap().0;
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for character in inside.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if character == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(character);
        }
    }
    parts
        .iter()
        .filter(|part| !part.trim().is_empty())
        .flat_map(|part| leaves(&format!("{head}{}", part.trim())))
        .collect()
}

/// Paths that stand in the code itself: `super::name`, `crate::part::name`.
fn paths(source: &Source, files: &BTreeMap<Name, &str>) -> Vec<Name> {
    // A visibility imports nothing, and a macro's `$crate` stands where the macro is used.
    let code = source.code.replace("pub(in crate::", "pub(");
    let code = code.replace("$crate::", "$");
    code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| word.starts_with("crate::") || word.starts_with("super::"))
        .filter(|word| !word.ends_with("::"))
        .filter_map(|word| absolute(word, source, files))
        .collect()
}

/// A path of ours below `crate`; `None` for another crate's.
fn absolute(path: &str, source: &Source, files: &BTreeMap<Name, &str>) -> Option<Name> {
    let mut segments = path
        .split("::")
        .map(|segment| segment.trim().to_owned())
        .filter(|segment| !segment.is_empty())
        .peekable();
    let mut base = source.module.clone();
    let first = segments.peek()?.clone();
    match first.as_str() {
        "crate" | "innkeeper" => {
            segments.next();
            base.clear();
        }
        "self" => drop(segments.next()),
        "super" => {
            while segments.next_if(|segment| segment == "super").is_some() {
                base.pop();
            }
        }
        _ => {
            let child = [base.clone(), vec![first]].concat();
            files.get(&child)?;
        }
    }
    base.extend(segments);
    Some(base)
}

fn is_in(file: &str, part: &str) -> bool {
    file.strip_prefix(part)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The line of [`PARTS`] that a file belongs to, and its part.
fn part_of(file: &str) -> (usize, &'static str) {
    let parts = PARTS.iter().enumerate();
    parts
        .flat_map(|(line, parts)| parts.iter().map(move |part| (line, *part)))
        .filter(|(_, part)| is_in(file, part))
        .max_by_key(|(_, part)| part.len())
        .unwrap_or_else(|| panic!("src/{file}.rs belongs to no part"))
}

fn are_apart(one: &str, other: &str) -> bool {
    APART
        .iter()
        .any(|(a, b)| is_in(one, a) && is_in(other, b) || is_in(one, b) && is_in(other, a))
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for (file, imported) in imports() {
        let (line, part) = part_of(&file);
        for target in imported {
            let (there, other) = part_of(&target);
            if (part != other && there >= line) || are_apart(&file, &target) {
                wrong.push(format!("src/{file}.rs imports src/{target}.rs"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = imports();
    let reachable_from = |from: &String| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            for target in imports.get(file).into_iter().flatten() {
                if seen.insert(target) {
                    next.push(target);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<_, _> = imports
        .keys()
        .map(|file| (file, reachable_from(file)))
        .collect();
    let circles: BTreeSet<Vec<&String>> = imports
        .keys()
        .filter(|file| reached[file].contains(file))
        .map(|file| {
            let circle = imports
                .keys()
                .filter(|other| reached[file].contains(other) && reached[other].contains(file));
            circle.collect()
        })
        .collect();
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn no_folder_holds_more_than_ten_files() {
    let mut folders: BTreeMap<PathBuf, usize> = BTreeMap::new();
    // The guide's chapters are text: there are as many as there are subjects.
    let code = files("src")
        .into_iter()
        .filter(|path| path.extension().is_none_or(|ending| ending != "md"));
    for path in code {
        *folders
            .entry(path.parent().unwrap().to_owned())
            .or_default() += 1;
    }
    for (folder, number) in folders {
        assert!(number <= MAX_FILES, "{}: {number}", folder.display());
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
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
    for path in files(folder) {
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
    assert_free_of("src/session", &["rocket", "redis", "redb", "http::"]);
}

#[test]
fn the_store_knows_no_web() {
    assert_free_of("src/store", &["rocket", "http::", "cookie"]);
    assert_free_of("src/control", &["rocket", "redis::", "redb", "http::"]);
}

#[test]
fn the_operators_commands_and_the_web_know_nothing_of_each_other() {
    assert_free_of("src/cli", &["rocket::http", "redb::"]);
}

#[test]
fn the_settings_know_neither_store_nor_web() {
    assert_free_of("src/config", &["rocket::http", "redis::"]);
}

#[test]
fn the_environment_is_read_in_one_place() {
    for folder in ["src/session", "src/store", "src/web", "src/cli"] {
        assert_free_of(folder, &["env::var", "env::vars"]);
    }
}

/// T24: the engine does not escape a template that is not named so, and `safe` switches it off. Only our addresses are marked
/// so, whose characters `SitePath` has checked: they are written as they are, without `&#x2F;` for each slash. And what the
/// engine itself has made of templates of ours, escaped, to be inserted into each page.
#[test]
fn every_template_is_escaped() {
    const MADE: [&str; 5] = ["assets", "brand", "links", "addresses", "sign_out"];
    let is_made = |expression: &str| {
        let name = expression.trim().strip_prefix("innkeeper_");
        let name = name.and_then(|rest| rest.strip_suffix(" | safe"));
        name.is_some_and(|name| MADE.contains(&name))
    };
    let is_address = |expression: &str| {
        let field = expression.trim().strip_prefix("site.");
        let field = field.and_then(|rest| rest.strip_suffix(" | safe"));
        let field = field.map(|rest| rest.split(" | default(value=\"/").next().unwrap());
        field.is_some_and(|field| {
            field != "name" && field.chars().all(|c| c.is_alphabetic() || c == '_')
        })
    };
    for path in files("templates") {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.ends_with(".html.tera"), "{name}");
        let text = fs::read_to_string(&path).unwrap();
        let expressions = text.split("{{").skip(1);
        let expressions = expressions.map(|rest| rest.split("}}").next().unwrap());
        let allowed = expressions.filter(|text| is_address(text) || is_made(text));
        assert_eq!(text.matches("safe").count(), allowed.count(), "{name}");
        assert!(!text.contains("autoescape"), "{name}");
    }
}

#[test]
fn no_page_has_an_inline_style_or_script() {
    for path in files("templates") {
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
