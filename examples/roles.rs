//! A guard of its own on top of [`CurrentSession`]: only administrators see the cellar. Run it, then:
//!
//! ```console
//! $ curl -c jar -H 'Content-Type: application/json' -d '{"username":"amy"}' localhost:8000/login/
//! $ curl -b jar localhost:8000/cellar
//! amy looks at the barrels
//! ```

use innkeeper::{CurrentSession, Refusal};
use rocket::http::Status;
use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::{Build, Rocket, async_trait, get, launch, routes};

/// Who may do everything. A real application asks its database.
const ADMINISTRATORS: [&str; 1] = ["amy"];

/// Proof that an administrator is signed in.
#[derive(Clone, Copy)]
struct Administrator<'r>(&'r CurrentSession);

#[async_trait]
impl<'r> FromRequest<'r> for Administrator<'r> {
    type Error = Option<Refusal>;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        // Handed on as it is: a browser goes to the sign-in, and a store that is down is 503.
        let current = try_outcome!(
            request
                .guard::<&CurrentSession>()
                .await
                .map_error(|(status, why)| (status, Some(why)))
        );
        if ADMINISTRATORS.contains(&current.user()) {
            Outcome::Success(Self(current))
        } else {
            Outcome::Error((Status::Forbidden, None))
        }
    }
}

#[get("/cellar")]
fn cellar(administrator: Administrator<'_>) -> String {
    let Administrator(current) = administrator;
    format!("{} looks at the barrels", current.user())
}

/// The application.
#[launch]
pub(crate) fn rocket() -> Rocket<Build> {
    rocket::build()
        .attach(innkeeper::stage())
        .mount("/", routes![cellar])
}
