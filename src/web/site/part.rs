//! The parts of Innkeeper that an application can leave out.

use std::collections::BTreeSet;

/// A part of Innkeeper that an application mounts or leaves out: [`Stage::without`](crate::Stage::without) and
/// [`Stage::only`](crate::Stage::only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// `/`: a redirect to the profile or to the sign-in. Left out where [`SignIn`](Self::SignIn) is.
    Home,
    /// `/login/`, `/logout/` and `/profile/`; `/confirm/` where passwords are asked for.
    SignIn,
    /// `/password/`, `/invitation/`, with the setting `sign_up` `/sign-up/`, and `/.well-known/change-password`. Left out where
    /// users have no accounts of Innkeeper's: where sign-in is open, or the application's own check decides.
    Accounts,
    /// `/sessions/` and what is below it; and `/session/`, which the pages' script asks how long the session lives.
    Sessions,
    /// `/healthz` and `/readyz`. (The server at `metrics_address` has them in any case.)
    Health,
    /// `/openapi.json` and `/docs`, which describe the parts that are mounted.
    Docs,
    /// The style sheet, the scripts and the icon below `/static/innkeeper/`. Without them the pages have no style, unless
    /// the application's own layout has one.
    StaticFiles,
    /// The catchers: the error pages, 405 with `Allow`, and the answer to a request whose guard failed.
    ///
    /// Without them a guard that a handler does not take as a `Result` fails with the [`Refusal`](crate::Refusal)'s own
    /// status, which the application's catchers answer; [`Refusal::of_guard`](crate::Refusal::of_guard) tells them why.
    Catcher,
    /// A line in the log for each request, and the header `X-Request-Id`, by which an answer is found in the log.
    ///
    /// What sessions go through (`signed in`, `session ended`, `refused`) is logged in any case, and the metrics count all
    /// requests that Rocket understands.
    RequestLog,
}

/// What the site knows of how users prove who they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckOfSite {
    pub(crate) needs_password: bool,
    /// Whether users have accounts of ours.
    pub(crate) accounts: bool,
}

/// Which parts are mounted.
#[derive(Clone, Debug)]
pub(crate) struct Parts(BTreeSet<Part>);

impl Parts {
    pub(crate) fn all() -> Self {
        Self::from_iter([
            Part::Home,
            Part::SignIn,
            Part::Accounts,
            Part::Sessions,
            Part::Health,
            Part::Docs,
            Part::StaticFiles,
            Part::Catcher,
            Part::RequestLog,
        ])
    }

    pub(crate) fn without(mut self, part: Part) -> Self {
        self.0.remove(&part);
        self
    }

    pub(crate) fn have(&self, part: Part) -> bool {
        self.0.contains(&part)
    }
}

impl FromIterator<Part> for Parts {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        Self(parts.into_iter().collect())
    }
}
