//! The answer after a change.

use rocket::Request;
use rocket::http::Status;
use rocket::response::{self, Responder, Response};
use serde::Serialize;

use super::page::json;
use crate::web::request::{Format, Notice, SessionCookie};

/// After a change: a redirect for people, 200 and a body for programs.
pub(crate) struct SeeOther<B> {
    pub(crate) location: String,
    pub(crate) body: B,
    /// Whether the request's own session is over, and its cookie is removed.
    pub(crate) removes_cookie: bool,
    /// What the page at `location` says has been done.
    pub(crate) notice: Option<Notice>,
}

impl<'r, B: Serialize> Responder<'r, 'static> for SeeOther<B> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = match Format::of(request) {
            Format::Html => {
                let mut response = see_other(&self.location);
                let notice = self.notice.and_then(|notice| notice.cookie(request));
                if let Some(cookie) = notice {
                    response.adjoin_header(cookie);
                }
                response
            }
            Format::Json => json(Status::Ok, &self.body)?,
        };
        if self.removes_cookie
            && let Some(cookie) = SessionCookie::of(request)
        {
            response.adjoin_header(cookie.removal());
        }
        Ok(response)
    }
}

/// 303 with `Vary`: only where the same address answers programs differently.
pub(crate) fn see_other(location: &str) -> Response<'static> {
    Response::build()
        .status(Status::SeeOther)
        .raw_header("Location", location.to_owned())
        .raw_header("Vary", "Accept")
        .finalize()
}
