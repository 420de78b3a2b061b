//! The cookie that carries a line of confirmation to the page after a change.

use percent_encoding::percent_decode_str;
use rocket::Request;
use rocket::http::{Cookie, SameSite};
use rocket::time::Duration;

use super::cookie::{SessionCookie, values};
use super::user_agent::describe;

/// What has been done, for the page to which a redirect leads. That page shows it once.
///
/// It travels in a cookie and not in the address, which anybody could write. The cookie holds a code and what the sentence
/// counts or names, and nothing in it is shown that is not of these forms: another program of the same host can write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// One of the user's other sessions was ended; the device as [`describe`] says it, if that is known.
    Ended { device: Option<String> },
    /// All other sessions were ended.
    OthersEnded { count: usize },
    /// The password was changed, and so many other sessions were ended.
    PasswordChanged { ended: usize },
    /// An account was made.
    AccountMade,
}

/// The most bytes of a cookie that are looked at.
const MAX_BYTES: usize = 128;

const MAX_AGE: Duration = Duration::minutes(1);

impl Notice {
    /// Whether the request has such a cookie, whatever it says.
    pub(crate) fn is_sent(request: &Request<'_>) -> bool {
        value_of(request).is_some()
    }

    /// What the request's cookie says; `None` if it has none, or one that means nothing.
    pub(crate) fn of(request: &Request<'_>) -> Option<Self> {
        let value = value_of(request)?;
        let text = (value.len() <= MAX_BYTES).then(|| percent_decode_str(value).decode_utf8());
        text.and_then(Result::ok)
            .and_then(|text| Self::parse(&text))
    }

    /// `None` without our stage.
    pub(crate) fn cookie(&self, request: &Request<'_>) -> Option<Cookie<'static>> {
        let mut cookie = build(request, self.to_text())?;
        cookie.set_max_age(MAX_AGE);
        Some(cookie)
    }

    /// Removes the cookie.
    pub(crate) fn removal(request: &Request<'_>) -> Option<Cookie<'static>> {
        let mut cookie = build(request, String::new())?;
        cookie.make_removal();
        Some(cookie)
    }

    fn to_text(&self) -> String {
        match self {
            Self::Ended { device } => format!("ended {}", device.as_deref().unwrap_or_default()),
            Self::OthersEnded { count } => format!("others_ended {count}"),
            Self::PasswordChanged { ended } => format!("password_changed {ended}"),
            Self::AccountMade => "account_made ".to_owned(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (code, detail) = text.split_once(' ')?;
        let count = detail.parse();
        Some(match code {
            "ended" if is_described(detail) => Self::Ended {
                device: Some(detail.to_owned()).filter(|device| !device.is_empty()),
            },
            "others_ended" => Self::OthersEnded { count: count.ok()? },
            "password_changed" => Self::PasswordChanged { ended: count.ok()? },
            "account_made" if detail.is_empty() => Self::AccountMade,
            _ => return None,
        })
    }

    /// A sentence for the user.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Ended {
                device: Some(device),
            } => format!("Ended: {device}"),
            Self::Ended { device: None } => "The session was ended".to_owned(),
            Self::OthersEnded { count } => other_sessions(*count),
            Self::PasswordChanged { ended: 0 } => "Password changed".to_owned(),
            Self::PasswordChanged { ended } => {
                format!("Password changed; {}", other_sessions(*ended))
            }
            Self::AccountMade => "Your account is ready".to_owned(),
        }
    }
}

fn other_sessions(count: usize) -> String {
    match count {
        0 => "There was no other session to sign out".to_owned(),
        1 => "1 other session was signed out".to_owned(),
        _ => format!("{count} other sessions were signed out"),
    }
}

/// The empty text is a device that is not known; any other must be what [`describe`] says.
fn is_described(text: &str) -> bool {
    text.is_empty() || describe(Some(text)).is_some_and(|device| device == text)
}

fn value_of<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    let name = name(SessionCookie::of(request)?.secure);
    values(request, name).next()
}

fn name(secure: bool) -> &'static str {
    if secure { "__Host-notice" } else { "notice" }
}

/// `None` without our stage.
fn build(request: &Request<'_>, value: String) -> Option<Cookie<'static>> {
    let secure = SessionCookie::of(request)?.secure;
    let cookie = Cookie::build((name(secure), value));
    Some(
        cookie
            .http_only(true)
            .same_site(SameSite::Lax)
            .path("/")
            .secure(secure)
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use super::Notice;

    #[test]
    fn a_notice_comes_back_as_it_was() {
        for (notice, sentence) in [
            (
                Notice::Ended {
                    device: Some("Firefox on Linux".to_owned()),
                },
                "Ended: Firefox on Linux",
            ),
            (Notice::Ended { device: None }, "The session was ended"),
            (
                Notice::OthersEnded { count: 0 },
                "There was no other session to sign out",
            ),
            (
                Notice::OthersEnded { count: 1 },
                "1 other session was signed out",
            ),
            (
                Notice::OthersEnded { count: 2 },
                "2 other sessions were signed out",
            ),
            (Notice::PasswordChanged { ended: 0 }, "Password changed"),
            (
                Notice::PasswordChanged { ended: 2 },
                "Password changed; 2 other sessions were signed out",
            ),
            (Notice::AccountMade, "Your account is ready"),
        ] {
            assert_eq!(notice.sentence(), sentence);
            assert_eq!(Notice::parse(&notice.to_text()), Some(notice));
        }
    }

    #[test]
    fn no_text_of_somebody_elses_choice_is_shown() {
        for text in [
            "",
            "ended",
            "ended Call +1-800",
            "ended Firefox on Linux. Call +1-800",
            "ended Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "ended <b>",
            "others_ended",
            "others_ended many",
            "others_ended -1",
            "others_ended 99999999999999999999999",
            "account_made by +1-800",
            "call +1-800",
        ] {
            assert_eq!(Notice::parse(text), None, "{text}");
        }
    }
}
