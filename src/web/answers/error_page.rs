//! The error pages.

use std::io::Cursor;

use rocket::http::{ContentType, Status};
use serde::Serialize;
use uuid::Uuid;

/// What an error page says; the operator's details are in the log.
#[derive(Serialize)]
pub(crate) struct ErrorPage {
    code: u16,
    title: &'static str,
    message: String,
    /// After how many seconds the page reloads without a script; `None`: it does not reload.
    retry_after: Option<u8>,
}

impl ErrorPage {
    pub(crate) fn new(status: Status) -> Self {
        let (title, message) = match status.code {
            400 => ("Bad request", "We could not make sense of this request."),
            403 => ("Not allowed", "You may not do this here."),
            404 => ("Page not found", "There is no page at this address."),
            405 => (
                "That does not work here",
                "This address exists, but not for this kind of request.",
            ),
            413 => (
                "Too much at once",
                "What you sent is larger than we accept.",
            ),
            415 => (
                "Not a form",
                "What you sent is in a format that we do not read.",
            ),
            421 => (
                "Not at this address",
                "This site does not answer to the name in your address bar. If it is yours, set `public_url` to the \
                 address that people type.",
            ),
            422 => ("Something is missing", "What you sent could not be used."),
            429 => ("Too many requests", "Please wait a moment, then try again."),
            500 => (
                "Something went wrong",
                "The fault is ours, and it has been noted. Please try again.",
            ),
            503 => (
                "We cannot look that up",
                "The place where sessions are kept does not answer at the moment.",
            ),
            _ => (status.reason().unwrap_or("Error"), "This did not work."),
        };
        Self {
            code: status.code,
            title,
            message: message.to_owned(),
            retry_after: None,
        }
    }

    /// Makes the page reload by itself.
    ///
    /// The page's script asks less and less often, and not while the page is hidden. A browser without JavaScript can do
    /// neither, so it waits longer, and for a random time: not all pages should ask at once.
    pub(crate) fn retrying(self) -> Self {
        let [random, ..] = Uuid::new_v4().into_bytes();
        Self {
            retry_after: Some(5 + random % 11),
            ..self
        }
    }

    pub(crate) fn with_title(self, title: &'static str, message: &str) -> Self {
        Self {
            title,
            ..self.with_message(message)
        }
    }

    pub(crate) fn with_message(self, message: &str) -> Self {
        Self {
            message: message.to_owned(),
            ..self
        }
    }

    /// The text without a template, for when rendering has failed.
    pub(crate) fn plain(&self) -> rocket::Response<'static> {
        let text = format!("{} {}\n{}\n", self.code, self.title, self.message);
        rocket::Response::build()
            .status(Status::new(self.code))
            .header(ContentType::Plain)
            .sized_body(text.len(), Cursor::new(text))
            .finalize()
    }
}
