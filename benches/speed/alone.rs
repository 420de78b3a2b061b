//! A bare Rocket that does nothing, for the row "Rocket alone".

use std::process::ExitCode;

use rocket::http::ContentType;
use rocket::{get, routes};

#[get("/healthz")]
fn nothing() -> (ContentType, &'static str) {
    (ContentType::JSON, r#"{"status":"alive"}"#)
}

pub(crate) fn serve() -> ExitCode {
    let rocket = rocket::build().mount("/", routes![nothing]);
    match rocket::execute(rocket.launch()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
