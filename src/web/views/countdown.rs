//! What a signed-in page's script needs to count down to the end of the session.

use std::time::Duration;

use serde::Serialize;

use super::timestamp::ago;
use crate::web::guards::{CurrentSession, NewSignIn};

/// For the template `partials/countdown`.
#[derive(Serialize)]
pub(crate) struct Countdown {
    user: String,
    seconds_left: u64,
    /// From how many seconds before the end the script warns.
    warn_below: u64,
    new_sign_in: Option<NewSignInNotice>,
}

/// A sign-in from a browser not seen before.
#[derive(Serialize)]
struct NewSignInNotice {
    device: String,
    ago: String,
    handle: String,
}

/// How long before the end the script warns; in a short session, for its last fifth.
const WARNING: Duration = Duration::from_secs(60);

impl From<&CurrentSession> for Countdown {
    fn from(current: &CurrentSession) -> Self {
        Self {
            user: current.user().to_owned(),
            seconds_left: current.expires_in().as_secs(),
            new_sign_in: NewSignIn::of(current.session()).map(|new| NewSignInNotice {
                device: new.device.unwrap_or_else(|| "an unknown device".to_owned()),
                ago: ago(current.used_at().duration_since(new.at).unwrap_or_default()),
                handle: new.handle.to_string(),
            }),
            warn_below: (current.idle_timeout() / 5).min(WARNING).as_secs(),
        }
    }
}
