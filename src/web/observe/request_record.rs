//! What is noted of one request while it is served, for its line in the log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rocket::Request;
use rocket::http::Method;

use crate::session::SessionId;
use crate::web::observe::request_id::{RequestId, RequestIds};

/// What is noted of one request; lives in its local cache.
pub(in crate::web) struct Trace {
    id: RequestId,
    begun: Instant,
    /// The method that the request came with: Rocket makes a GET of a HEAD for which there is no route.
    ///
    /// Only the fairings know it. They do not see a request of which Rocket cannot make anything.
    method: OnceLock<Method>,
    guest: OnceLock<Guest>,
    problem: OnceLock<Arc<str>>,
    refused: AtomicBool,
    /// Whether the answer is ours, and not the application's.
    own: AtomicBool,
    /// Whether a guard has looked for the session.
    session_asked: AtomicBool,
}

/// Whose request it is. The handle, which has to be computed, is made only for a line that is written.
pub(in crate::web) struct Guest {
    pub(in crate::web) user: String,
    pub(in crate::web) id: SessionId,
}

impl Trace {
    /// For the fairing that every request comes to first.
    pub(in crate::web) fn begin(request: &Request<'_>) {
        // It may be there already: an application's own fairing may have asked for a guard first.
        Self::of(request).method.get_or_init(|| request.method());
    }

    pub(in crate::web) fn of<'r>(request: &'r Request<'_>) -> &'r Self {
        request.local_cache(|| Self::new(request))
    }

    fn new(request: &Request<'_>) -> Self {
        let ids = request.rocket().state::<RequestIds>();
        Self {
            id: ids.map(RequestIds::next).unwrap_or_default(),
            begun: Instant::now(),
            method: OnceLock::new(),
            guest: OnceLock::new(),
            problem: OnceLock::new(),
            refused: AtomicBool::new(false),
            own: AtomicBool::new(false),
            session_asked: AtomicBool::new(false),
        }
    }

    pub(in crate::web) fn id(&self) -> RequestId {
        self.id
    }

    pub(in crate::web) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(in crate::web) fn is_by_fairings(&self) -> bool {
        self.method.get().is_some()
    }

    /// The name of its method, if that is one that Rocket knows.
    pub(in crate::web) fn method(&self) -> &'static str {
        let method = self.method.get();
        method.map_or("unknown", |method| method.as_str())
    }

    pub(in crate::web) fn guest(&self) -> Option<&Guest> {
        self.guest.get()
    }

    /// The first counts: a request has one.
    pub(in crate::web) fn set_guest(&self, user: &str, id: &SessionId) {
        self.guest.get_or_init(|| Guest {
            user: user.to_owned(),
            id: *id,
        });
    }

    pub(in crate::web) fn problem(&self) -> Option<&str> {
        self.problem.get().map(|problem| &**problem)
    }

    /// Why the request could not be served as it should, for the operator.
    pub(in crate::web) fn set_problem(&self, problem: Arc<str>) {
        self.problem.get_or_init(|| problem);
    }

    pub(in crate::web) fn is_own(&self) -> bool {
        self.own.load(Ordering::Relaxed)
    }

    pub(in crate::web) fn set_own(&self) {
        self.own.store(true, Ordering::Relaxed);
    }

    pub(in crate::web) fn is_session_asked(&self) -> bool {
        self.session_asked.load(Ordering::Relaxed)
    }

    pub(in crate::web) fn set_session_asked(&self) {
        self.session_asked.store(true, Ordering::Relaxed);
    }

    /// Says whether this is the request's first refusal.
    pub(in crate::web) fn refuse(&self) -> bool {
        !self.refused.swap(true, Ordering::Relaxed)
    }
}
