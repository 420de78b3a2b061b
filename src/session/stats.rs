//! What a store knows about itself.

/// What a store knows about itself at one moment, for the operator; `None` where it has no such thing, or cannot say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// About how many sessions are alive. Those whose time has come may be counted until they are removed.
    pub active: Option<u64>,
    /// How far `active` may be from the truth, where it is an estimate.
    pub active_error: Option<u64>,
    /// Whether the store is taken for away, so that operations fail at once and do not try it.
    pub circuit_open: Option<bool>,
    /// Whether there is no room for new sessions, while those that there are can be used and ended.
    pub full: Option<bool>,
    /// The connections to its server.
    pub connections: Option<ConnectionCount>,
}

/// How many connections a store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionCount {
    /// Open at this moment.
    pub open: usize,
    /// The most that it opens.
    pub limit: usize,
}
