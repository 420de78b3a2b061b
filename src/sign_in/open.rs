//! Sign-in by a name alone.

use async_trait::async_trait;

use super::{Authenticator, AuthenticatorError, Credentials, Verified};

/// A user name is enough, as in the tutorial.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenSignIn;

#[async_trait]
impl Authenticator for OpenSignIn {
    fn needs_password(&self) -> bool {
        false
    }

    async fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<Verified>, AuthenticatorError> {
        Ok(Some(Verified::new(credentials.user.clone())))
    }
}
