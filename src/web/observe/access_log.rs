//! A line in the log for each request.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Status;
use rocket::{Data, Request, Response, async_trait};
use tracing::field;

use super::request_record::RequestRecord;
use crate::session::SessionHandle;

/// Gives each answer its request's id, writes a line for it and counts it; managed by Rocket too, for [`Self::catch`].
///
/// The line names the route and not the path: the client chose the path, and it might hold a session id.
#[derive(Clone, Copy)]
pub(crate) struct AccessLog {
    /// Whether there are lines, and ids in answers. If not, requests are only counted.
    pub(crate) writes: bool,
}

const REQUEST_ID: &str = "X-Request-Id";

/// Writes a line at the given level. A macro, because `tracing` needs the level at compile time.
macro_rules! write_line {
    ($level:ident, $request:ident, $record:ident, $status:ident) => {
        tracing::$level!(
            request_id = %$record.id,
            method = $record.method(),
            route = route($request),
            status = $status.code,
            duration_us = u64::try_from($record.elapsed().as_micros()).unwrap_or(u64::MAX),
            ip = $request.client_ip().map(field::display),
            user = $record.user().map(|user| user.name.as_str()),
            session = $record.user().map(|user| field::display(SessionHandle::from(&user.id).prefix())),
            error = $record.error(),
            "request"
        )
    };
}

impl AccessLog {
    /// For the catcher of a request that Rocket cannot parse, which no fairing sees.
    pub(crate) fn catch(request: &Request<'_>, response: &mut Response<'_>) {
        if let Some(log) = request.rocket().state::<Self>() {
            log.finish(request, response);
        }
    }

    fn finish(self, request: &Request<'_>, response: &mut Response<'_>) {
        let (record, status) = (RequestRecord::of(request), response.status());
        if let Some(metrics) = &record.metrics {
            metrics.answered(
                route(request),
                record.method(),
                status.code,
                record.elapsed(),
            );
        }
        if !self.writes {
            return;
        }
        // An application may set an id of its own. Compared one by one: a look-up hashes the name.
        let mut headers = response.headers().iter();
        if !headers.any(|header| header.name == REQUEST_ID) {
            drop(headers);
            response.set_raw_header(REQUEST_ID, record.id.as_str().to_owned());
        }
        write(request, record, status);
    }
}

fn write(request: &Request<'_>, record: &RequestRecord, status: Status) {
    match status.code {
        // Supervisors and load balancers ask every few seconds.
        200 if record.is_probe() => write_line!(debug, request, record, status),
        503 => write_line!(warn, request, record, status),
        500.. => write_line!(error, request, record, status),
        _ => write_line!(info, request, record, status),
    }
}

/// The template of the route that answered.
fn route<'r>(request: &'r Request<'_>) -> &'r str {
    request.route().map_or("-", |route| route.uri.path())
}

#[async_trait]
impl Fairing for AccessLog {
    fn info(&self) -> Info {
        Info {
            name: "Access log",
            kind: Kind::Request | Kind::Response,
        }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        RequestRecord::of(request).set_method(request.method());
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        self.finish(request, response);
    }
}
