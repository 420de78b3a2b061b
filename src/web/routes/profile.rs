//! Who is signed in.

use std::collections::BTreeMap;
use std::time::SystemTime;

use rocket::get;
use rocket::http::Status;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::web::current_session::CurrentSession;
use crate::web::negotiate::Page;
use crate::web::refusal::Refusal;

/// What a program reads.
#[derive(Serialize)]
pub(in crate::web) struct Profile {
    session_id: String,
    session_data: SessionData,
}

/// What belongs to the session's user; our own record stays out.
#[derive(Serialize)]
struct SessionData {
    user: String,
    status: String,
    #[serde(flatten)]
    data: BTreeMap<String, String>,
}

/// What the page shows.
#[derive(Serialize)]
pub(in crate::web) struct View {
    user: String,
    since: Option<Moment>,
    ends: Moment,
    seconds_left: u64,
    /// The same for people, where no script counts down.
    left: String,
    /// When a page without a script looks again, in seconds: just after the end.
    refresh_after: u64,
}

/// A moment for people and for `<time datetime>`.
#[derive(Serialize)]
struct Moment {
    text: String,
    machine: String,
}

#[get("/profile")]
pub(in crate::web) fn page(
    current: Result<&CurrentSession, Refusal>,
) -> Result<Page<View, Profile>, Refusal> {
    let current = current?;
    Ok(Page {
        status: Status::Ok,
        template: "profile",
        view: View::from(current),
        body: Profile::from(current),
    })
}

impl From<&CurrentSession> for Profile {
    fn from(current: &CurrentSession) -> Self {
        let session = current.session();
        Self {
            session_id: current.id().to_string(),
            session_data: SessionData {
                user: session.user.clone(),
                status: session.status.clone(),
                data: session.data.clone(),
            },
        }
    }
}

impl From<&CurrentSession> for View {
    fn from(current: &CurrentSession) -> Self {
        let seconds_left = current.left().as_secs();
        Self {
            user: current.user().to_owned(),
            since: current.session().created_at.map(Moment::from),
            ends: Moment::from(current.ends_at()),
            seconds_left,
            left: in_words(seconds_left),
            refresh_after: seconds_left + 2,
        }
    }
}

impl From<SystemTime> for Moment {
    fn from(moment: SystemTime) -> Self {
        const TEXT: &[BorrowedFormatItem<'_>] =
            format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
        let moment = OffsetDateTime::from(moment);
        let moment = moment.replace_nanosecond(0).unwrap_or(moment);
        Self {
            text: moment.format(TEXT).unwrap_or_default(),
            machine: moment.format(&Rfc3339).unwrap_or_default(),
        }
    }
}

fn in_words(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..=59 => (seconds, "second"),
        60..=7199 => (seconds.div_ceil(60), "minute"),
        _ => (seconds / 3600, "hour"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}
