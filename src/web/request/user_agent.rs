//! What a `User-Agent` header says, in words.

use serde::Serialize;

/// A mark in a browser's header, and the browser's name. The first match counts: most headers name other browsers too.
const BROWSERS: [(&str, &str); 19] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("OPiOS/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Trident/", "Internet Explorer"),
    ("MSIE ", "Internet Explorer"),
    ("Safari/", "Safari"),
];

/// The same for systems. Without their versions: browsers send fixed ones, which would mislead.
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("BSD", "BSD"),
];

/// Programs whose header begins with their name.
const PROGRAMS: [&str; 22] = [
    "aiohttp",
    "axios",
    "curl",
    "Dart",
    "Deno",
    "Go-http-client",
    "got",
    "HTTPie",
    "insomnia",
    "Java",
    "k6",
    "node",
    "node-fetch",
    "okhttp",
    "PostmanRuntime",
    "python-httpx",
    "python-requests",
    "Python-urllib",
    "reqwest",
    "Ruby",
    "undici",
    "Wget",
];

/// What kind of device a `User-Agent` comes from, for a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeviceKind {
    Phone,
    Tablet,
    Computer,
    Program,
    Unknown,
}

impl DeviceKind {
    /// Read from what [`describe`] says, because no more than that is kept of a long header. Few people browse with an Android
    /// tablet: Android is a phone.
    pub(crate) fn of(agent: Option<&str>) -> Self {
        let Some(words) = describe(agent) else {
            return Self::Unknown;
        };
        match words.split_once(" on ").map(|(_, system)| system) {
            Some("iPhone" | "Android") => Self::Phone,
            Some("iPad") => Self::Tablet,
            Some(UNKNOWN_SYSTEM) => Self::Unknown,
            Some(_) => Self::Computer,
            None => Self::Program,
        }
    }
}

const UNKNOWN_BROWSER: &str = "Unknown browser";
const UNKNOWN_SYSTEM: &str = "an unknown system";

/// `Firefox on Linux` for a browser, the name (`curl`, `python-requests`) for a program; `None` for anything else.
///
/// The words come from the tables alone: the client chooses the header, and when it ends another session, that session's
/// user reads them.
pub(crate) fn describe(agent: Option<&str>) -> Option<String> {
    let agent = agent?;
    let (name, version) = agent.split_once('/').unwrap_or((agent, ""));
    if matches!(name, "Mozilla" | "Opera") && !version.is_empty() {
        let browser = find(&BROWSERS, agent).unwrap_or(UNKNOWN_BROWSER);
        let system = find(&SYSTEMS, agent).unwrap_or(UNKNOWN_SYSTEM);
        return Some(format!("{browser} on {system}"));
    }
    if let Some(program) = PROGRAMS.into_iter().find(|program| *program == name) {
        return Some(program.to_owned());
    }
    is_description(agent).then(|| agent.to_owned())
}

fn find(table: &[(&str, &'static str)], agent: &str) -> Option<&'static str> {
    let (_, words) = table.iter().find(|(mark, _)| agent.contains(mark))?;
    Some(*words)
}

/// Whether this is what [`describe`] returned for a browser's header.
fn is_description(agent: &str) -> bool {
    let knows = |table: &[(&str, &str)], unknown, words| {
        words == unknown || table.iter().any(|(_, known)| *known == words)
    };
    agent.split_once(" on ").is_some_and(|(browser, system)| {
        knows(&BROWSERS, UNKNOWN_BROWSER, browser) && knows(&SYSTEMS, UNKNOWN_SYSTEM, system)
    })
}

#[cfg(test)]
mod tests {
    use super::{DeviceKind, describe};

    #[test]
    fn a_device_has_a_kind_also_by_its_description() {
        for (agent, kind) in [
            ("Safari on iPhone", DeviceKind::Phone),
            ("Chrome on Android", DeviceKind::Phone),
            ("Safari on iPad", DeviceKind::Tablet),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                DeviceKind::Computer,
            ),
            ("Edge on Windows", DeviceKind::Computer),
            ("Mozilla/5.0 (X) Chrome/1", DeviceKind::Unknown),
            ("curl/8.5.0", DeviceKind::Program),
            ("weird", DeviceKind::Unknown),
        ] {
            assert_eq!(DeviceKind::of(Some(agent)), kind, "{agent}");
        }
        assert_eq!(DeviceKind::of(None), DeviceKind::Unknown);
    }

    #[test]
    fn a_description_is_its_own_description() {
        for agent in [
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "Mozilla/5.0 (X11) Foo/1",
            "curl/8.5.0",
        ] {
            let words = describe(Some(agent));
            assert!(words.is_some());
            assert_eq!(describe(words.as_deref()), words);
        }
    }

    #[test]
    fn no_text_of_the_clients_choice_is_shown() {
        for agent in [
            "an unsafe device. Call +1-800",
            "an\u{a0}unsafe\u{a0}device.\u{a0}Call\u{a0}+1-800",
            "an unsafe device on Linux",
            "Firefox on Linux. Call +1-800",
            "Firefox on your screen",
            "weird",
            "curl-call-me/1",
            "curl on +1-800",
            "</p><script>",
            "Mozilla",
            "Mozilla/",
            "  ",
            "",
        ] {
            assert_eq!(describe(Some(agent)), None, "{agent}");
        }
        let crafted = "Mozilla/5.0 (call +1-800) Chrome/1 on your account";
        assert_eq!(
            describe(Some(crafted)).as_deref(),
            Some("Chrome on an unknown system")
        );
        assert_eq!(describe(None), None);
    }

    #[test]
    fn browsers_are_described_with_their_system_and_programs_by_name() {
        for (agent, words) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 \
                 Safari/537.36 Edg/126.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 \
                 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/17.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile \
                 Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.5.0", "curl"),
            ("python-requests/2.32.3", "python-requests"),
            ("PostmanRuntime/7.39", "PostmanRuntime"),
            (
                "Mozilla/5.0 (Windows NT 10.0) Foo/1",
                "Unknown browser on Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) \
                 SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
                "Samsung Internet on Android",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1",
                "Chrome on iPad",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 \
                 Safari/537.36",
                "Chrome on ChromeOS",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 \
                 Safari/537.36 OPR/112.0.0.0",
                "Opera on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
                "Internet Explorer on Windows",
            ),
        ] {
            assert_eq!(describe(Some(agent)).as_deref(), Some(words));
        }
    }
}
