//! What an application has brought in place of ours.

use std::sync::Arc;

use crate::session::SessionStore;
use crate::sign_in::Authenticator;

/// What the application has brought in place of ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brought {
    pub(crate) store: Option<Arc<dyn SessionStore>>,
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
}
