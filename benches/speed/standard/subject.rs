//! What is measured.

/// Connections of most measurements, as in `wrk -c32`.
pub(super) const USUAL: usize = 32;
pub(super) const MANY: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Nothing,
    Profile,
    Page,
    Login,
    Logout,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Profile,
        Self::Page,
        Self::Login,
        Self::Logout,
    ];
    /// What the peers can do too.
    pub(super) const SHARED: [Self; 3] = [Self::Profile, Self::Login, Self::Logout];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing (`GET /healthz`)",
            Self::Profile => "profile",
            Self::Page => "profile, the page",
            Self::Login => "login",
            Self::Logout => "logout",
        }
    }
}

/// A kind of request, to one of the servers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject {
    pub(super) server: usize,
    pub(super) kind: Kind,
    pub(super) connections: usize,
}

impl Subject {
    /// With the usual number of connections.
    pub(super) fn new(server: usize, kind: Kind) -> Self {
        Self {
            server,
            kind,
            connections: USUAL,
        }
    }

    pub(super) fn over(self, connections: usize) -> Self {
        Self {
            connections,
            ..self
        }
    }
}

/// What is measured in one go.
pub(super) enum Unit {
    One(Subject),
    /// Together, because the one's sessions are ended by the other.
    LoginAndLogout(usize),
    Ping,
}
