//! Why an account was not made or changed, as an answer.

use crate::account::{AccountError, PasswordProblem};
use crate::web::answers::{Refusal, ValidationError};

/// `field`: the one that holds the new password.
pub(super) fn refusal(error: AccountError, field: &'static str) -> Refusal {
    match error {
        AccountError::Problem(problem) => of_password(&problem, field),
        AccountError::NameTaken => invalid("username", "value_error", "This name is taken"),
        AccountError::NameMissing => invalid("username", "missing", "Field required"),
        AccountError::NoInvitation => Refusal::NoSuchInvitation,
        // Disabled or removed meanwhile.
        AccountError::NoAccount => Refusal::SessionEnded,
        AccountError::Superseded => invalid(
            field,
            "value_error",
            "The password was changed at the same time, and is not this one",
        ),
        AccountError::NotAllEnded { ended, error } => Refusal::NotAllEnded {
            ended,
            error: error.into(),
        },
        AccountError::Busy | AccountError::Store(_) => Refusal::StoreDown(error.to_string().into()),
    }
}

fn of_password(problem: &PasswordProblem, field: &'static str) -> Refusal {
    invalid(field, problem.kind(), &problem.to_string())
}

fn invalid(field: &'static str, kind: &'static str, message: &str) -> Refusal {
    Refusal::Invalid(ValidationError::new(field, kind, message))
}
