//! What a signed-in page's script needs to keep an eye on the session.

use std::time::Duration;

use serde::Serialize;

use crate::web::guards::current_session::CurrentSession;

/// For the template `partials/watch`.
#[derive(Serialize)]
pub(crate) struct Watch {
    user: String,
    seconds_left: u64,
    /// From how many seconds before the end the script warns.
    warn_below: u64,
}

/// The last minute is announced; of a short session its last fifth.
const WARNING: Duration = Duration::from_secs(60);

impl From<&CurrentSession> for Watch {
    fn from(current: &CurrentSession) -> Self {
        Self {
            user: current.user().to_owned(),
            seconds_left: current.expires_in().as_secs(),
            warn_below: (current.idle_timeout() / 5).min(WARNING).as_secs(),
        }
    }
}
