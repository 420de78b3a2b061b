//! The record of one request, for the log and the metrics.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rocket::http::Method;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use super::metrics::Metrics;
use super::request_id::{RequestId, RequestIds};
use crate::session::SessionId;

/// What is recorded of one request while it is served; lives in the request's local cache.
#[derive(Debug)]
pub(crate) struct RequestRecord {
    pub(crate) id: RequestId,
    pub(super) metrics: Option<Arc<Metrics>>,
    started_at: Instant,
    /// As the client sent it: Rocket makes a GET of a HEAD for which there is no route.
    ///
    /// Set by [`AccessLog`](super::access_log::AccessLog); not for a request that Rocket cannot parse, which no fairing sees.
    method: OnceLock<Method>,
    user: OnceLock<SignedInUser>,
    error: OnceLock<Arc<str>>,
    refused: AtomicBool,
    /// Whether the answer is Innkeeper's, and not the application's.
    own: AtomicBool,
    session_looked_up: AtomicBool,
    /// Whether the session of [`user`](Self::user) is active.
    signed_in: AtomicBool,
    /// Whether a supervisor or a load balancer asks whether this instance works.
    probe: AtomicBool,
}

/// The user and the session of a request. The session's handle is computed only for a line that is written.
#[derive(Debug)]
pub(crate) struct SignedInUser {
    pub(crate) name: String,
    pub(crate) id: SessionId,
}

impl RequestRecord {
    pub(crate) fn of<'r>(request: &'r Request<'_>) -> &'r Arc<Self> {
        request.local_cache(|| Arc::new(Self::new(request)))
    }

    fn new(request: &Request<'_>) -> Self {
        let rocket = request.rocket();
        let ids = rocket.state::<RequestIds>();
        Self {
            id: ids.map(RequestIds::next).unwrap_or_default(),
            metrics: rocket.state().cloned(),
            started_at: Instant::now(),
            method: OnceLock::new(),
            user: OnceLock::new(),
            error: OnceLock::new(),
            refused: AtomicBool::new(false),
            own: AtomicBool::new(false),
            session_looked_up: AtomicBool::new(false),
            signed_in: AtomicBool::new(false),
            probe: AtomicBool::new(false),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started_at.elapsed()
    }

    /// For the fairing that runs first.
    pub(super) fn set_method(&self, method: Method) {
        self.method.get_or_init(|| method);
    }

    pub(crate) fn has_passed_fairings(&self) -> bool {
        self.method.get().is_some()
    }

    pub(super) fn method(&self) -> &'static str {
        let method = self.method.get();
        method.map_or("unknown", |method| method.as_str())
    }

    pub(crate) fn user(&self) -> Option<&SignedInUser> {
        self.user.get()
    }

    /// The first one stays.
    pub(crate) fn set_user(&self, name: &str, id: &SessionId) {
        self.user.get_or_init(|| SignedInUser {
            name: name.to_owned(),
            id: *id,
        });
    }

    pub(super) fn error(&self) -> Option<&str> {
        self.error.get().map(|error| &**error)
    }

    /// Why the request could not be served, for the operator. The first one stays.
    pub(crate) fn set_error(&self, error: Arc<str>) {
        self.error.get_or_init(|| error);
    }

    /// The user, and that the session is active.
    pub(crate) fn set_signed_in(&self, name: &str, id: &SessionId) {
        self.set_user(name, id);
        self.signed_in.store(true, Ordering::Relaxed);
    }

    /// The name of the user who is signed in, as far as this request has looked.
    pub(crate) fn signed_in(&self) -> Option<&str> {
        let signed_in = self.signed_in.load(Ordering::Relaxed);
        let user = self.user().filter(|_| signed_in);
        user.map(|user| user.name.as_str())
    }

    pub(crate) fn is_own(&self) -> bool {
        self.own.load(Ordering::Relaxed)
    }

    pub(crate) fn set_own(&self) {
        self.own.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_session_looked_up(&self) -> bool {
        self.session_looked_up.load(Ordering::Relaxed)
    }

    pub(crate) fn set_session_looked_up(&self) {
        self.session_looked_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_probe(&self) -> bool {
        self.probe.load(Ordering::Relaxed)
    }

    pub(crate) fn set_probe(&self) {
        self.probe.store(true, Ordering::Relaxed);
    }

    /// Returns whether this is the request's first refusal.
    pub(super) fn set_refused(&self) -> bool {
        !self.refused.swap(true, Ordering::Relaxed)
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for &'r RequestRecord {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(RequestRecord::of(request))
    }
}
