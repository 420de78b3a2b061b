//! Sign-ins, sign-outs, ends and refusals: in the log, and counted.

use std::net::IpAddr;
use std::sync::Arc;

use rocket::Request;
use tracing::field;

use super::request_record::RequestRecord;
use crate::session::{EndReason, Selection, SessionHandle, SessionId, Started};
use crate::sign_in::VerifyError;
use crate::user_name::UserName;

/// Where guards and handlers report what they did.
#[derive(Debug)]
pub(crate) struct Audit {
    record: Arc<RequestRecord>,
    /// As of the guard: an application's fairing may set the client's address after the record is made.
    pub(crate) ip: Option<IpAddr>,
}

/// One end of a user's sessions.
struct End<'a> {
    user: &'a str,
    sessions: &'a [SessionHandle],
    /// The session that asked for it; `None`: who did had none.
    by: Option<SessionHandle>,
    selection: &'static str,
    reason: EndReason,
}

impl Audit {
    pub(crate) fn of(request: &Request<'_>) -> Self {
        Self {
            record: Arc::clone(RequestRecord::of(request)),
            ip: request.client_ip(),
        }
    }

    /// `replaced`: the session whose cookie the request has.
    pub(crate) fn signed_in(
        &self,
        user: &UserName,
        started: &Started,
        replaced: Option<&SessionId>,
    ) {
        let user = user.as_str();
        let session = SessionHandle::from(&started.id);
        self.record.set_user(user, &started.id);
        if let Some(metrics) = &self.record.metrics {
            metrics.signed_in();
        }
        tracing::info!(
            request_id = %self.record.id,
            user,
            session = %session.prefix(),
            ip = self.ip.map(field::display),
            "signed in"
        );
        if let (Some(user), Some(replaced)) = (&started.created.replaced, replaced) {
            self.ended(&End {
                user,
                sessions: &[SessionHandle::from(replaced)],
                by: Some(session),
                selection: "one",
                reason: EndReason::Replaced,
            });
        }
        self.ended(&End {
            user,
            sessions: &started.created.evicted,
            by: Some(session),
            selection: "oldest",
            reason: EndReason::OverLimit,
        });
    }

    /// An attempt to sign in, or to prove who one is. What was typed is not logged: only the name of an account.
    pub(crate) fn sign_in_failed(&self, error: &VerifyError) {
        let (account, reason) = match error {
            VerifyError::Wrong { account } => (
                account,
                if account.is_some() {
                    "wrong_password"
                } else {
                    "no_account"
                },
            ),
            VerifyError::TooMany { account, .. } => (account, "too_many_attempts"),
            // The request's own line has the error.
            VerifyError::Unavailable(_) => return,
        };
        tracing::warn!(
            request_id = %self.record.id,
            user = account.as_ref().map(UserName::as_str),
            reason,
            ip = self.ip.map(field::display),
            "sign-in failed"
        );
    }

    /// What happened to an account: "password changed", say.
    pub(crate) fn account(&self, user: &UserName, event: &'static str) {
        tracing::info!(
            request_id = %self.record.id,
            user = user.as_str(),
            ip = self.ip.map(field::display),
            "{event}"
        );
    }

    /// A password was set, which ended the user's sessions: `event` is [`account`](Self::account)'s.
    pub(crate) fn password_set(
        &self,
        user: &UserName,
        event: &'static str,
        by: Option<SessionHandle>,
        sessions: &[SessionHandle],
    ) {
        self.account(user, event);
        self.ended(&End {
            user: user.as_str(),
            sessions,
            by,
            selection: "all",
            reason: EndReason::PasswordChanged,
        });
    }

    pub(crate) fn signed_out(&self, user: &str, id: &SessionId) {
        self.record.set_user(user, id);
        if let Some(metrics) = &self.record.metrics {
            metrics.signed_out();
        }
        tracing::info!(
            request_id = %self.record.id,
            user,
            session = %SessionHandle::from(id).prefix(),
            ip = self.ip.map(field::display),
            "signed out"
        );
    }

    /// A user ended some of their sessions.
    pub(crate) fn ended_own(
        &self,
        user: &str,
        by: SessionHandle,
        selection: Selection,
        sessions: &[SessionHandle],
    ) {
        self.ended(&End {
            user,
            sessions,
            by: Some(by),
            selection: match selection {
                Selection::One(_) => "one",
                Selection::Others(_) => "others",
                Selection::All => "all",
            },
            reason: EndReason::Ended,
        });
    }

    fn ended(&self, end: &End<'_>) {
        if let Some(metrics) = &self.record.metrics {
            metrics.ended(end.reason, end.sessions.len());
        }
        for session in end.sessions {
            tracing::info!(
                request_id = %self.record.id,
                user = end.user,
                session = %session.prefix(),
                by = end.by.map(|by| field::display(by.prefix())),
                selection = end.selection,
                reason = end.reason.as_str(),
                ip = self.ip.map(field::display),
                "session ended"
            );
        }
    }

    /// Only a request's first refusal counts: the answer to it may fail in turn.
    ///
    /// `suspicious`: only an attack or a broken client causes this reason. `error` is for the operator.
    pub(crate) fn refused(&self, reason: &'static str, suspicious: bool, error: Option<&Arc<str>>) {
        if !self.record.set_refused() {
            return;
        }
        if let Some(metrics) = &self.record.metrics {
            metrics.refused(reason);
        }
        if let Some(error) = error {
            self.record.set_error(Arc::clone(error));
        }
        if suspicious {
            tracing::warn!(request_id = %self.record.id, reason, ip = self.ip.map(field::display), "refused");
        }
    }
}
