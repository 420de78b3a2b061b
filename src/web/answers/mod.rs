//! What goes out.

pub(crate) mod catcher;
mod detail;
mod documented;
mod error_page;
mod headers;
mod page;
mod refusal;
mod see_other;
pub(crate) mod templates;

pub(crate) use catcher::methods_of_path;
pub use detail::ValidationError;
pub(crate) use detail::{Detail, HTTPValidationError};
#[cfg(feature = "password")]
pub(crate) use documented::{
    ChangeResponses, InvitationResponses, RecentResponses, SignUpResponses,
};
pub(crate) use documented::{
    ConfirmResponses, EndOneResponses, EndResponses, PasswordResponses, PublicResponses,
    ReadResponses, Responses, SignInResponses, SignOutResponses, json_or_html,
    without_sign_in_page, wrong_host,
};
pub(crate) use headers::SecurityHeaders;
pub(crate) use page::{HtmlPage, Page, answer, html};
pub use refusal::Refusal;
pub(crate) use see_other::SeeOther;
