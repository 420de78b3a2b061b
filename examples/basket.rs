//! A shop whose basket lives in the session. Run it, then:
//!
//! ```console
//! $ curl -c jar -H 'Content-Type: application/json' -d '{"username":"abdullah"}' localhost:8000/login/
//! $ curl -b jar -X POST localhost:8000/basket/apple
//! $ curl -b jar -X POST localhost:8000/basket/apple
//! {"apple":2}
//! $ curl -b jar localhost:8000/profile/
//! {"session_id":"..","session_data":{"user":"abdullah","status":"active","basket":{"apple":2}}}
//! ```

use std::collections::BTreeMap;

use innkeeper::{CurrentSession, Refusal};
use rocket::serde::json::Json;
use rocket::{Build, Rocket, delete, get, launch, post, routes};

/// How many of each item. Any serde type will do.
type Basket = BTreeMap<String, u32>;

type Answer = Result<Json<Basket>, Refusal>;

#[get("/basket")]
fn look(current: Result<&CurrentSession, Refusal>) -> Answer {
    Ok(Json(current?.get("basket")?.unwrap_or_default()))
}

/// Two of these at once for one session may count one item: a field is written as a whole, by whoever comes last.
/// Items that must not be lost would be a field each.
#[post("/basket/<item>")]
async fn add(item: String, current: Result<&CurrentSession, Refusal>) -> Answer {
    let current = current?;
    let mut basket: Basket = current.get("basket")?.unwrap_or_default();
    *basket.entry(item).or_default() += 1;
    current.set("basket", &basket).await?;
    Ok(Json(basket))
}

#[delete("/basket")]
async fn empty(current: Result<&CurrentSession, Refusal>) -> Answer {
    current?.remove("basket").await?;
    Ok(Json(Basket::new()))
}

/// The application.
#[launch]
pub(crate) fn rocket() -> Rocket<Build> {
    rocket::build()
        .attach(innkeeper::stage())
        .mount("/", routes![look, add, empty])
}
