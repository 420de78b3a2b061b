//! Who came, who went and who was refused: in the log, and counted.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use crate::session::{EndReason, Selection, SessionHandle, SessionId, Started, StoreError};
use crate::user_name::UserName;
use crate::web::answers::refusal::Refusal;
use crate::web::guards::current_session::CurrentSession;
use crate::web::observe::metrics::Metrics;
use crate::web::observe::request_record::Trace;

/// Where handlers report what they did: a request guard.
pub(in crate::web) struct Audit<'r> {
    trace: &'r Trace,
    ip: Option<IpAddr>,
    metrics: Option<&'r Metrics>,
}

/// What one end of sessions was about.
struct Ended<'a> {
    user: &'a str,
    sessions: &'a [SessionHandle],
    /// The session that asked for it.
    by: SessionHandle,
    /// Which of the user's sessions, seen from that one.
    selection: &'static str,
    reason: EndReason,
}

impl<'r> Audit<'r> {
    pub(in crate::web) fn of(request: &'r Request<'_>) -> Self {
        Self {
            trace: Trace::of(request),
            ip: request.client_ip(),
            metrics: request.rocket().state::<Arc<Metrics>>().map(|it| &**it),
        }
    }

    /// `presented`: the session that the visitor came with.
    pub(in crate::web) fn signed_in(
        &self,
        user: &UserName,
        started: &Started,
        presented: Option<&SessionId>,
    ) {
        let user = user.as_str();
        let session = SessionHandle::from(&started.id);
        self.trace.set_guest(user, &started.id);
        if let Some(metrics) = self.metrics {
            metrics.signed_in();
        }
        tracing::info!(
            request_id = %self.trace.id(),
            user,
            session = %session.prefix(),
            ip = self.ip.map(tracing::field::display),
            "signed in"
        );
        if let (Some(user), Some(replaced)) = (&started.created.replaced, presented) {
            self.ended(&Ended {
                user,
                sessions: &[SessionHandle::from(replaced)],
                by: session,
                selection: "one",
                reason: EndReason::Replaced,
            });
        }
        self.ended(&Ended {
            user,
            sessions: &started.created.evicted,
            by: session,
            selection: "oldest",
            reason: EndReason::OverLimit,
        });
    }

    pub(in crate::web) fn signed_out(&self, user: &str, id: &SessionId) {
        self.trace.set_guest(user, id);
        if let Some(metrics) = self.metrics {
            metrics.signed_out();
        }
        tracing::info!(
            request_id = %self.trace.id(),
            user,
            session = %SessionHandle::from(id).prefix(),
            ip = self.ip.map(tracing::field::display),
            "signed out"
        );
    }

    /// A user ended some of his sessions.
    pub(in crate::web) fn ended_own(
        &self,
        current: &CurrentSession,
        selection: Selection,
        sessions: &[SessionHandle],
    ) {
        self.ended(&Ended {
            user: current.user(),
            sessions,
            by: SessionHandle::from(current.id()),
            selection: match selection {
                Selection::One(_) => "one",
                Selection::Others(_) => "others",
                Selection::All => "all",
            },
            reason: EndReason::Ended,
        });
    }

    fn ended(&self, ended: &Ended<'_>) {
        if let Some(metrics) = self.metrics {
            metrics.ended(ended.reason, ended.sessions.len());
        }
        for session in ended.sessions {
            tracing::info!(
                request_id = %self.trace.id(),
                user = ended.user,
                session = %session.prefix(),
                by = %ended.by.prefix(),
                selection = ended.selection,
                reason = ended.reason.as_str(),
                ip = self.ip.map(tracing::field::display),
                "session ended"
            );
        }
    }

    /// The store failed, and the answer is none of a [`Refusal`]'s.
    pub(in crate::web) fn store_failed(&self, error: &StoreError) {
        self.trace.set_problem(error.to_string().into());
    }

    /// A request is refused, whoever answers it; only its first refusal counts.
    pub(in crate::web) fn refused(&self, refusal: &Refusal) {
        if !self.trace.refuse() {
            return;
        }
        if let Some(metrics) = self.metrics {
            metrics.refused(refusal.reason());
        }
        match refusal {
            Refusal::StoreDown(problem)
            | Refusal::NotAllEnded { problem, .. }
            | Refusal::Internal(problem) => {
                self.trace.set_problem(Arc::clone(problem));
            }
            // What only an attack or a broken client does.
            Refusal::CrossSite | Refusal::WrongHost | Refusal::AmbiguousCookie => tracing::warn!(
                request_id = %self.trace.id(),
                reason = refusal.reason(),
                ip = self.ip.map(tracing::field::display),
                "refused"
            ),
            Refusal::NoSession
            | Refusal::SessionEnded
            | Refusal::UnsupportedMediaType
            | Refusal::TooLarge
            | Refusal::Invalid(_)
            | Refusal::NoSuchSession => {}
        }
    }
}

#[async_trait]
impl<'r> FromRequest<'r> for Audit<'r> {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(request))
    }
}
