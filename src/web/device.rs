//! What a `User-Agent` header says of the device, in words.

use woothee::parser::Parser;

/// `Firefox on Linux` for a browser, the product's name (`curl`, `python-requests`) for a program.
pub(super) fn device(agent: Option<&str>) -> String {
    let Some(agent) = agent.filter(|agent| !agent.trim().is_empty()) else {
        return "Unknown device".to_owned();
    };
    if is_words(agent) {
        return agent.to_owned();
    }
    match Parser::new().parse(agent) {
        Some(found)
            if matches!(
                found.category,
                "pc" | "smartphone" | "mobilephone" | "appliance"
            ) =>
        {
            format!("{} on {}", browser(found.name), system(found.os))
        }
        Some(found) if found.category == "crawler" => found.name.to_owned(),
        _ => product(agent),
    }
}

/// Whether it is what this module made of a header; every header has a version behind a slash.
fn is_words(agent: &str) -> bool {
    agent == "Unknown device" || agent.contains(" on ") && !agent.contains('/')
}

fn browser(name: &str) -> &str {
    if name == "UNKNOWN" {
        "Unknown browser"
    } else {
        name
    }
}

/// Browsers freeze what they say of the system's version, so it would mislead.
fn system(os: &str) -> &str {
    match os {
        "Mac OSX" => "macOS",
        os if os.starts_with("Windows") => "Windows",
        "UNKNOWN" => "an unknown system",
        os => os,
    }
}

fn product(agent: &str) -> String {
    let name = agent.split(['/', ' ', '(']).next().unwrap_or_default();
    if !name.starts_with(char::is_alphanumeric) {
        return "Unknown device".to_owned();
    }
    name.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn what_was_told_is_told_again() {
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
        for agent in [agent, "curl/8.5.0", "", "((("] {
            let words = device(Some(agent));
            assert_eq!(device(Some(&words)), words);
        }
    }

    #[test]
    fn browsers_are_told_with_their_system_and_programs_by_name() {
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
            ("weird", "weird"),
            (
                "Mozilla/5.0 (Windows NT 10.0) Foo/1",
                "Unknown browser on Windows",
            ),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                "Googlebot",
            ),
            ("</p><script>", "Unknown device"),
            ("  ", "Unknown device"),
        ] {
            assert_eq!(device(Some(agent)), words);
        }
        assert_eq!(device(None), "Unknown device");
    }
}
