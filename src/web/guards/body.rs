//! The body of a request as named texts, whether it came as JSON or as a form.

use std::fmt;

use rocket::data::{Data, FromData, Outcome, ToByteUnit};
use rocket::http::{ContentType, Status};
use rocket::{Request, async_trait};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

use crate::web::answers::refusal::{Invalid, Refusal};

/// The most that is read of a body.
const LIMIT_KIB: u64 = 8;

/// A body's fields.
#[derive(Debug)]
pub(in crate::web) struct Body(Map<String, Value>);

impl Body {
    pub(in crate::web) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        let problem = match serde_json::from_slice(bytes) {
            Ok(Object(fields)) => return Ok(Self(fields)),
            Err(problem) => problem,
        };
        // serde's own sentence may quote what was sent.
        Err(Refusal::Invalid(match problem.classify() {
            Category::Data if problem.to_string().starts_with(DUPLICATE) => {
                Invalid::new("duplicate_key", "Each field should be given once")
            }
            Category::Data => Invalid::new(
                "model_attributes_type",
                "Input should be a valid dictionary or object to extract fields from",
            ),
            Category::Io | Category::Syntax | Category::Eof => {
                Invalid::new("json_invalid", "JSON decode error")
            }
        }))
    }

    /// Undecodable bytes become U+FFFD here, which no user name may hold.
    fn from_form(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Map::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            let text = Value::from(value.into_owned());
            if fields.insert(name.into_owned(), text).is_some() {
                return Err(Refusal::Invalid(Invalid::new(
                    "duplicate_key",
                    "Each field should be given once",
                )));
            }
        }
        Ok(Self(fields))
    }

    async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Self, Refusal> {
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
        // Where a short body breaks off, Rocket has met the error before, looking for `_method`, and shows only an end.
        let declared_length = request.headers().get_one("Content-Length");
        let declared_length = declared_length.and_then(|length| length.parse::<usize>().ok());
        if declared_length.is_some_and(|length| bytes.len() < length) {
            return Err(unreadable());
        }
        if form {
            return Self::from_form(&bytes);
        }
        match (bytes.is_empty(), json) {
            (true, _) => Err(Refusal::Invalid(Invalid::new("missing", "Field required"))),
            (false, true) => Self::from_json(&bytes),
            (false, false) => Err(Refusal::UnsupportedMediaType),
        }
    }
}

fn unreadable() -> Refusal {
    Refusal::Invalid(Invalid::new("missing", "The body broke off"))
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

#[async_trait]
impl<'r> FromData<'r> for Body {
    type Error = Refusal;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match Self::read(request, data).await {
            Ok(body) => Outcome::Success(body),
            Err(refusal) => Outcome::Error((Status::BadRequest, refusal)),
        }
    }
}

const DUPLICATE: &str = "duplicate key";

/// A JSON object whose keys are all different; serde's maps would silently keep the last of two.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let mut fields = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom(DUPLICATE));
                    }
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}
