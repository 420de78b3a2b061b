//! Undoes Rocket's method override by the form field `_method`.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::form::Form;
use rocket::http::Method;
use rocket::{Data, Request, async_trait};

/// How much of a form Rocket reads for the override.
const PEEK_BYTES: usize = "_method=delete".len();

/// Makes a request a POST again if Rocket has changed its method because its form begins with the field `_method`.
///
/// Such a form could come from another site and would pass as a GET where only unsafe methods are checked.
/// Rocket changes it before any fairing runs, and only of a POST: so a request that has the method that its form names was a
/// POST. (Or it was sent with that method and that form, which no browser does.)
pub(crate) struct NoMethodOverride;

#[async_trait]
impl Fairing for NoMethodOverride {
    fn info(&self) -> Info {
        Info {
            name: "No method override",
            kind: Kind::Request,
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        let form = request.content_type().is_some_and(|kind| kind.is_form());
        if form && named_method(data.peek(PEEK_BYTES).await) == Some(request.method()) {
            request.set_method(Method::Post);
        }
    }
}

/// The method that Rocket reads from a form, parsed by the same function: it skips empty fields, and takes `_method.=get` and
/// `_method[]=get` for the field too.
fn named_method(form: &[u8]) -> Option<Method> {
    let form = std::str::from_utf8(form).ok()?;
    let field = Form::values(form).next()?;
    let named = field.name == "_method";
    named.then(|| field.value.parse().ok()).flatten()
}
