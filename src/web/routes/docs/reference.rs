//! The document as its page prints it.

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::OpenApi;

/// What the page shows.
#[derive(Serialize)]
pub(crate) struct Reference {
    version: String,
    cookie: String,
    operations: Vec<Operation>,
}

#[derive(Serialize)]
struct Operation {
    id: String,
    method: &'static str,
    path: String,
    summary: String,
    description: String,
    session: Need,
    parameters: Vec<Parameter>,
    body: Option<Body>,
    answers: Vec<Answer>,
}

/// What an operation makes of the session.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Need {
    Required,
    Optional,
    Ignored,
}

#[derive(Serialize)]
struct Parameter {
    name: String,
    place: String,
    required: bool,
    description: String,
}

#[derive(Serialize)]
struct Body {
    fields: Vec<Field>,
    forms: Vec<Form>,
}

#[derive(Serialize)]
struct Field {
    name: String,
    required: bool,
    limits: String,
    description: String,
}

/// One of the media types that a body may have.
#[derive(Serialize)]
struct Form {
    media_type: String,
    example: String,
}

#[derive(Serialize)]
struct Answer {
    status: String,
    description: String,
    media_types: String,
    headers: String,
    example: Option<String>,
}

impl Reference {
    pub(super) fn new(document: &OpenApi) -> Self {
        let items = document.paths.paths.iter();
        let operations = items.flat_map(|(path, item)| {
            let operations = [
                ("GET", &item.get),
                ("POST", &item.post),
                ("DELETE", &item.delete),
            ];
            operations
                .into_iter()
                .filter_map(move |(method, operation)| Some((path, method, operation.as_ref()?)))
        });
        let whole = serde_json::to_value(document).unwrap_or_default();
        Self {
            version: document.info.version.clone(),
            cookie: text(&whole, "/components/securitySchemes/session/name"),
            operations: operations
                .map(|(path, method, operation)| {
                    let operation = serde_json::to_value(operation).unwrap_or_default();
                    Operation::new(&whole, method, path, &operation)
                })
                .collect(),
        }
    }
}

impl Operation {
    fn new(whole: &Value, method: &'static str, path: &str, operation: &Value) -> Self {
        Self {
            id: text(operation, "/operationId"),
            method,
            path: path.to_owned(),
            summary: text(operation, "/summary"),
            description: text(operation, "/description"),
            session: match operation.pointer("/security/0").and_then(Value::as_object) {
                Some(requirement) if requirement.is_empty() => Need::Optional,
                Some(_) => Need::Required,
                None => Need::Ignored,
            },
            parameters: entries(operation, "/parameters")
                .map(|(_, parameter)| Parameter {
                    name: text(parameter, "/name"),
                    place: text(parameter, "/in"),
                    required: parameter.pointer("/required") == Some(&Value::Bool(true)),
                    description: text(parameter, "/description"),
                })
                .collect(),
            body: operation
                .pointer("/requestBody")
                .map(|body| Body::new(whole, body)),
            answers: entries(operation, "/responses")
                .map(|(status, answer)| Answer::new(whole, status, answer))
                .collect(),
        }
    }
}

impl Body {
    fn new(whole: &Value, body: &Value) -> Self {
        let mut fields: Vec<Field> = Vec::new();
        let mut forms = Vec::new();
        for (media_type, content) in entries(body, "/content") {
            let schema = resolve(whole, content.pointer("/schema"));
            for (name, field) in entries(schema, "/properties") {
                if !fields.iter().any(|known| known.name == name) {
                    fields.push(Field::new(schema, name, field));
                }
            }
            let example = example(whole, content).cloned().unwrap_or_default();
            forms.push(Form {
                example: if media_type.ends_with("json") {
                    pretty(&example)
                } else {
                    form_encoded(&example)
                },
                media_type,
            });
        }
        Self { fields, forms }
    }
}

impl Field {
    fn new(schema: &Value, name: String, field: &Value) -> Self {
        let mut required = entries(schema, "/required").map(|(_, name)| name.as_str());
        let length = |name| field.pointer(name).and_then(Value::as_u64);
        Self {
            required: required.any(|required| required == Some(&name)),
            limits: match (length("/minLength"), length("/maxLength")) {
                (Some(least), Some(most)) => format!("{least} to {most} characters"),
                _ => String::new(),
            },
            description: text(field, "/description"),
            name,
        }
    }
}

impl Answer {
    fn new(whole: &Value, status: String, answer: &Value) -> Self {
        let names = |place| {
            let names: Vec<_> = entries(answer, place).map(|(name, _)| name).collect();
            names.join(", ")
        };
        let mut contents = entries(answer, "/content").map(|(_, content)| content);
        Self {
            status,
            description: text(answer, "/description"),
            media_types: names("/content"),
            headers: names("/headers"),
            example: contents.find_map(|content| example(whole, content).map(pretty)),
        }
    }
}

/// The content's own first example, or its schema's.
fn example<'a>(whole: &'a Value, content: &'a Value) -> Option<&'a Value> {
    let own = entries(content, "/examples").next();
    own.and_then(|(_, own)| own.pointer("/value"))
        .or_else(|| resolve(whole, content.pointer("/schema")).pointer("/examples/0"))
}

/// What a schema refers to, or the schema itself.
fn resolve<'a>(whole: &'a Value, schema: Option<&'a Value>) -> &'a Value {
    let schema = schema.unwrap_or(&Value::Null);
    let place = schema.pointer("/$ref").and_then(Value::as_str);
    place
        .and_then(|place| whole.pointer(place.trim_start_matches('#')))
        .unwrap_or(schema)
}

fn text(value: &Value, place: &str) -> String {
    let text = value.pointer(place).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The members of an object or a list, with their names; of nothing: none.
fn entries<'a>(
    value: &'a Value,
    place: &str,
) -> Box<dyn Iterator<Item = (String, &'a Value)> + 'a> {
    match value.pointer(place) {
        Some(Value::Object(members)) => {
            Box::new(members.iter().map(|(name, member)| (name.clone(), member)))
        }
        Some(Value::Array(members)) => {
            Box::new(members.iter().map(|member| (String::new(), member)))
        }
        _ => Box::new(std::iter::empty()),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn form_encoded(value: &Value) -> String {
    let fields = entries(value, "").map(|(name, value)| (name, text(value, "")));
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}
