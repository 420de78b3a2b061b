//! The JSON bodies of errors.

use serde::Serialize;
use utoipa::ToSchema;

/// The body of every error but that of a form, as FastAPI writes it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Detail {
    pub(crate) detail: &'static str,
}

/// The body of a form's error, as FastAPI writes it, and under FastAPI's name in the document.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "detail": [{ "type": "missing", "loc": ["body", "username"], "msg": "Field required" }]
})))]
pub(crate) struct HTTPValidationError {
    pub(crate) detail: [ValidationError; 1],
}

/// What is wrong with a field of a body, as FastAPI writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct ValidationError {
    /// Pydantic's name of the error, for programs.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where it is: `body`, and the field's name.
    pub loc: [&'static str; 2],
    /// A sentence for people.
    #[serde(rename = "msg")]
    pub message: String,
}

impl ValidationError {
    pub(crate) fn new(field: &'static str, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            loc: ["body", field],
            message: message.into(),
        }
    }
}
