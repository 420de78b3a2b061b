//! Where a request came from.

/// The client of a request, as far as the request names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// The client's address.
    pub ip: Option<String>,
    /// The `User-Agent` header; a sign-in keeps at most 37 bytes of it.
    pub user_agent: Option<String>,
}
