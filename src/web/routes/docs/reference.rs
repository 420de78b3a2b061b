//! The data of the page that shows the document.

use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

/// For the template `docs`.
pub(super) fn view(document: &OpenApi) -> Value {
    let whole = serde_json::to_value(document).unwrap_or_default();
    let operations: Vec<_> = document
        .paths
        .paths
        .keys()
        .flat_map(|path| ["get", "post", "delete"].map(|method| (path, method)))
        .filter_map(|(path, method)| {
            let operation = whole.get("paths")?.get(path)?.get(method)?;
            Some(view_of_operation(&whole, method, path, operation))
        })
        .collect();
    json!({
        "version": document.info.version,
        "cookie": text(&whole, "/components/securitySchemes/session/name"),
        "operations": operations,
    })
}

fn view_of_operation(whole: &Value, method: &str, path: &str, operation: &Value) -> Value {
    let parameters = entries(operation, "/parameters").map(|(_, parameter)| parameter);
    let answers = entries(operation, "/responses")
        .map(|(status, answer)| view_of_answer(whole, &status, answer));
    json!({
        "id": text(operation, "/operationId"),
        "method": method.to_uppercase(),
        "path": path,
        "summary": text(operation, "/summary"),
        "description": text(operation, "/description"),
        "needs_session": operation.pointer("/security/0/session").is_some(),
        "parameters": parameters.collect::<Vec<_>>(),
        "body": operation.get("requestBody").map(|body| view_of_body(whole, body)),
        "answers": answers.collect::<Vec<_>>(),
    })
}

/// The fields of all media types, each once, and an example in each media type.
fn view_of_body(whole: &Value, body: &Value) -> Value {
    let mut fields: Vec<Value> = Vec::new();
    let mut forms = Vec::new();
    for (media_type, content) in entries(body, "/content") {
        let schema = resolve(whole, content.get("schema"));
        for (name, field) in entries(schema, "/properties") {
            if !fields.iter().any(|known| known["name"] == *name) {
                fields.push(view_of_field(schema, &name, field));
            }
        }
        let example = example(whole, content).cloned().unwrap_or_default();
        let example = if media_type.ends_with("json") {
            pretty(&example)
        } else {
            form_encoded(&example)
        };
        forms.push(json!({ "media_type": media_type, "example": example }));
    }
    json!({ "fields": fields, "forms": forms })
}

fn view_of_field(schema: &Value, name: &str, field: &Value) -> Value {
    let limits = match (field.get("minLength"), field.get("maxLength")) {
        (Some(min), Some(max)) => format!("{min} to {max} characters"),
        _ => String::new(),
    };
    json!({
        "name": name,
        "required": entries(schema, "/required").any(|(_, required)| required == name),
        "limits": limits,
        "description": text(field, "/description"),
    })
}

fn view_of_answer(whole: &Value, status: &str, answer: &Value) -> Value {
    let names = |place| {
        let names: Vec<_> = entries(answer, place).map(|(name, _)| name).collect();
        names.join(", ")
    };
    let mut contents = entries(answer, "/content");
    json!({
        "status": status,
        "description": text(answer, "/description"),
        "media_types": names("/content"),
        "headers": names("/headers"),
        "example": contents.find_map(|(_, content)| example(whole, content).map(pretty)),
    })
}

/// The content's own first example, or its schema's.
fn example<'a>(whole: &'a Value, content: &'a Value) -> Option<&'a Value> {
    let own = entries(content, "/examples").next();
    own.and_then(|(_, own)| own.get("value"))
        .or_else(|| resolve(whole, content.get("schema")).pointer("/examples/0"))
}

/// The schema that a `$ref` names, or the schema itself.
fn resolve<'a>(whole: &'a Value, schema: Option<&'a Value>) -> &'a Value {
    let schema = schema.unwrap_or(&Value::Null);
    let place = schema.get("$ref").and_then(Value::as_str);
    place
        .and_then(|place| whole.pointer(place.trim_start_matches('#')))
        .unwrap_or(schema)
}

fn text<'a>(value: &'a Value, place: &str) -> &'a str {
    let text = value.pointer(place).and_then(Value::as_str);
    text.unwrap_or_default()
}

/// The members of an object with their names, or those of a list with empty names; none if there is neither.
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
    let fields = entries(value, "").map(|(name, value)| (name, text(value, "").to_owned()));
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}
