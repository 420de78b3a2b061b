//! The bodies that sign somebody in. FastAPI's tutorial has the name of the first one.

use std::collections::BTreeMap;

use utoipa::ToSchema;
use utoipa::openapi::{Object, ObjectBuilder, Type};

use crate::user_name::UserName;

/// Who signs in. Other fields are ignored.
#[derive(ToSchema)]
#[schema(examples(json!({ "username": "abdullah" })))]
#[expect(
    dead_code,
    reason = "a body is read field by field, to say what is wrong with it"
)]
pub(in crate::web) struct LoginRequest {
    #[schema(schema_with = user_name_schema)]
    username: String,
}

/// The same from a form. A field may be given once.
#[derive(ToSchema)]
#[schema(examples(json!({ "username": "abdullah" })))]
#[expect(dead_code, reason = "as above")]
pub(in crate::web) struct LoginForm {
    #[schema(schema_with = user_name_schema)]
    username: String,
    /// Where to go on to; only a path of this site is followed.
    #[schema(required = false)]
    next: String,
    #[serde(flatten)]
    others: BTreeMap<String, String>,
}

fn user_name_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "In any script; counted and kept in Unicode's NFC. No control, invisible or replacement characters and no \
             non-characters; of white space only single spaces inside; a variation selector only behind an emoji.",
        ))
        .min_length(Some(1))
        .max_length(Some(UserName::MAX_CHARS))
        .pattern(Some(UserName::pattern()))
        .build()
}
