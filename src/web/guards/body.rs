//! The fields of a request's body, JSON or a form.

use std::convert::Infallible;
use std::fmt;

use rocket::data::{Data, FromData, Outcome, ToByteUnit};
use rocket::http::ContentType;
use rocket::{Request, async_trait};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::sign_in::Password;
use crate::web::answers::{Refusal, ValidationError};

/// The largest body that is read.
const LIMIT_KIB: u64 = 8;

/// A body's fields.
pub(crate) struct Body(Map<String, Value>);

/// A request's body, for a handler that says itself which field it needs: a data guard.
pub(crate) struct Posted(Result<Body, Refusal>);

impl Posted {
    /// `required`: the field that an error of the whole body is reported for.
    pub(crate) fn into_body(self, required: &'static str) -> Result<Body, Refusal> {
        self.0.map_err(|refusal| naming(refusal, required))
    }
}

#[async_trait]
impl<'r> FromData<'r> for Posted {
    type Error = Infallible;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        Outcome::Success(Self(Body::parse(request, data).await))
    }
}

/// Without the values: one of them may be a password.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Body").finish_non_exhaustive()
    }
}

impl Body {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// What was typed in this field, to show it again: HTML allows no control characters, and an input field does not show them.
    pub(crate) fn typed(&self, name: &str) -> String {
        let text = self.get(name).and_then(Value::as_str).unwrap_or_default();
        text.replace(char::is_control, "\u{fffd}")
    }

    /// A password in this field; it is taken out, so that no copy stays in the body.
    pub(crate) fn take_password(
        &mut self,
        name: &'static str,
    ) -> Result<Password, ValidationError> {
        match self.0.remove(name) {
            Some(Value::String(text)) if text.is_empty() => Err(ValidationError::new(
                name,
                "string_too_short",
                "Password should have at least 1 character",
            )),
            Some(Value::String(text)) => Ok(Password::new(text)),
            Some(_) => Err(ValidationError::new(
                name,
                "string_type",
                "Input should be a valid string",
            )),
            None => Err(ValidationError::new(name, "missing", "Field required")),
        }
    }

    fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(bytes) {
            Ok(Object {
                duplicate: Some(name),
                ..
            }) => Err(duplicate_key(&name)),
            Ok(Object { fields, .. }) => Ok(Self(fields)),
            // serde's own message may quote the body.
            Err(error) if error.is_data() => Err(invalid(
                "model_attributes_type",
                "Input should be a valid dictionary or object to extract fields from",
            )),
            Err(_) => Err(invalid("json_invalid", "JSON decode error")),
        }
    }

    /// Undecodable bytes become U+FFFD here, which no user name may hold.
    fn from_form(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Map::new();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            let text = Value::from(value.into_owned());
            if fields.insert(name.to_string(), text).is_some() {
                return Err(duplicate_key(&name));
            }
        }
        Ok(Self(fields))
    }

    /// `required`: the field that an error of the whole body is reported for.
    pub(crate) async fn read(
        request: &Request<'_>,
        data: Data<'_>,
        required: &'static str,
    ) -> Result<Self, Refusal> {
        let parsed = Self::parse(request, data).await;
        parsed.map_err(|refusal| naming(refusal, required))
    }

    async fn parse(request: &Request<'_>, data: Data<'_>) -> Result<Self, Refusal> {
        let declared = request.content_type();
        let json = declared.is_some_and(is_json);
        let form = declared.is_some_and(|declared| declared.is_form());
        if declared.is_some() && !json && !form {
            return Err(Refusal::UnsupportedMediaType);
        }
        let bytes = data
            .open(LIMIT_KIB.kibibytes())
            .into_bytes()
            .await
            .map_err(|_| unreadable())?;
        if !bytes.is_complete() {
            return Err(Refusal::TooLarge);
        }
        // Looking for `_method`, Rocket has read the beginning already. If a short body broke off there, the error is lost.
        let declared_length = request.headers().get_one("Content-Length");
        let declared_length = declared_length.and_then(|length| length.parse::<usize>().ok());
        if declared_length.is_some_and(|length| bytes.len() < length) {
            return Err(unreadable());
        }
        if form {
            return Self::from_form(&bytes);
        }
        match (bytes.is_empty(), json) {
            (true, _) => Err(invalid("missing", "Field required")),
            (false, true) => Self::from_json(&bytes),
            (false, false) => Err(Refusal::UnsupportedMediaType),
        }
    }
}

fn unreadable() -> Refusal {
    invalid("missing", "The body broke off")
}

/// An error of the whole body, in place of the field that [`Body::read`] then names.
const WHOLE: &str = "";

/// Names the field that an error of the whole body is reported for.
fn naming(refusal: Refusal, required: &'static str) -> Refusal {
    if let Refusal::Invalid(error) = &refusal
        && error.loc[1] == WHOLE
    {
        let message = error.message.clone();
        return Refusal::Invalid(ValidationError::new(required, error.kind, message));
    }
    refusal
}

fn invalid(kind: &'static str, message: &str) -> Refusal {
    Refusal::Invalid(ValidationError::new(WHOLE, kind, message))
}

/// Never quotes a name that the client made up.
fn duplicate_key(name: &str) -> Refusal {
    let known = ["next", "password", "current", "new"];
    let field = known.into_iter().find(|known| *known == name);
    let field = field.unwrap_or(WHOLE);
    Refusal::Invalid(ValidationError::new(
        field,
        "duplicate_key",
        "Each field should be given once",
    ))
}

/// Also `application/problem+json` and its like (RFC 6839), as FastAPI takes them.
fn is_json(declared: &ContentType) -> bool {
    declared.top() == "application"
        && (declared.sub() == "json"
            || declared
                .sub()
                .as_str()
                .to_ascii_lowercase()
                .ends_with("+json"))
}

/// A JSON object that knows of a duplicate key; serde's maps silently keep the last value.
struct Object {
    fields: Map<String, Value>,
    duplicate: Option<String>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let (mut fields, mut duplicate) = (Map::new(), None);
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if fields.insert(name.clone(), value).is_some() {
                        duplicate = Some(name);
                    }
                }
                Ok(Object { fields, duplicate })
            }
        }

        deserializer.deserialize_map(Fields)
    }
}
