//! Keeps a POST a POST.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Method;
use rocket::{Data, Request, async_trait};

/// The form field by which Rocket lets a form choose another method.
const FIELD: &[u8] = b"_method=";

/// Takes back what Rocket does to a POST whose form begins with the field `_method`.
///
/// Such a form could come from another site and would pass as a GET where only unsafe methods are checked.
/// Rocket does it before any fairing runs, and only to a POST: so that is what it was.
pub(super) struct PostStaysPost;

#[async_trait]
impl Fairing for PostStaysPost {
    fn info(&self) -> Info {
        Info {
            name: "POST stays POST",
            kind: Kind::Request,
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        let form = request
            .content_type()
            .is_some_and(|declared| declared.is_form());
        if form && request.method() != Method::Post && data.peek(FIELD.len()).await == FIELD {
            request.set_method(Method::Post);
        }
    }
}
