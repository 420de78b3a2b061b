//! Where a request came from.

/// Where a request came from, as far as it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The client's address.
    pub ip: Option<String>,
    /// What the `User-Agent` header says; the sign-in keeps at most 64 bytes of it.
    pub user_agent: Option<String>,
}
