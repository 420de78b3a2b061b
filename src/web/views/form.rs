//! The forms of passwords: shown, and shown again with what is wrong.

use std::collections::BTreeMap;

use rocket::Request;
use rocket::response::{self, Responder};
use serde::Serialize;
use utoipa::IntoResponses;

use super::countdown::Countdown;
use crate::web::answers::{
    HTTPValidationError, HtmlPage, Refusal, Responses, ValidationError, html, json_or_html,
};
use crate::web::guards::CurrentSession;
use crate::web::request::{Format, NextPath};

/// What such a page shows. It never holds a password.
#[derive(Default, Serialize)]
pub(crate) struct FormView {
    /// Where a user is signed in.
    pub(crate) countdown: Option<Countdown>,
    /// The account, or the name that was typed.
    pub(crate) username: String,
    /// Whether the user chooses the name.
    pub(crate) names_account: bool,
    /// Where the form is sent, if the page's address says more than a [`Site`](crate::Site) does.
    pub(crate) action: Option<String>,
    pub(crate) next: Option<String>,
    /// The same for the query of a link.
    pub(crate) next_query: Option<String>,
    /// What is wrong, by field; `form`: with all of it.
    pub(crate) problems: BTreeMap<&'static str, String>,
}

impl FormView {
    pub(crate) fn of_user(current: &CurrentSession) -> Self {
        Self {
            countdown: Some(Countdown::from(current)),
            username: current.user().to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn with_next(self, next: Option<&NextPath>) -> Self {
        Self {
            next: next.map(|next| next.as_str().to_owned()),
            next_query: next.map(NextPath::in_query),
            ..self
        }
    }

    pub(crate) fn page(self, template: &'static str) -> HtmlPage<Self> {
        HtmlPage {
            template,
            view: self,
        }
    }

    /// The form again if the visitor can mend what is wrong; else the refusal's own answer.
    pub(crate) fn again(self, template: &'static str, refusal: Refusal) -> FormError {
        let field = if let Refusal::Invalid(error) = &refusal {
            error.loc[1]
        } else if let Refusal::TooManyAttempts { .. } = refusal {
            "form"
        } else {
            return FormError::Refused(refusal);
        };
        let problem = refusal.message();
        let mut view = self;
        view.problems.insert(field, problem);
        FormError::Form(Box::new(FormAgain {
            template,
            view,
            refusal,
        }))
    }
}

/// Why a form was refused.
#[derive(Responder)]
pub(crate) enum FormError {
    Form(Box<FormAgain>),
    /// A reason that has nothing to do with the form's fields.
    Refused(Refusal),
}

/// The form again, with what is wrong; for programs, the error.
pub(crate) struct FormAgain {
    template: &'static str,
    view: FormView,
    refusal: Refusal,
}

impl From<Refusal> for FormError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<'r> Responder<'r, 'static> for Box<FormAgain> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let FormAgain {
            template,
            view,
            refusal,
        } = *self;
        if Format::of(request) == Format::Json {
            return refusal.respond_to(request);
        }
        refusal.note(request);
        let mut response = html(request, refusal.status(), template, view)?;
        refusal.set_headers(&mut response, request);
        Ok(response)
    }
}

impl IntoResponses for FormError {
    fn responses() -> Responses {
        json_or_html::<HTTPValidationError>(
            422,
            "The body does not say what it must, or what it says is refused; to a browser the form again.",
        )
    }
}

/// A wrong password of somebody who is signed in is a mistake in a field: 401 and 403 would say that there is no session.
pub(crate) fn as_mistake(refusal: Refusal, field: &'static str) -> Refusal {
    if refusal == Refusal::WrongPassword {
        let message = "This is not your password";
        return Refusal::Invalid(ValidationError::new(field, "value_error", message));
    }
    refusal
}
