//! An application with users of its own, kept in a file, and Innkeeper's pages and throttle around them. Run it, then:
//!
//! ```console
//! $ curl -c jar -H 'Content-Type: application/json' localhost:8000/login/ \
//!     -d '{"username":"Amy","password":"barrels of apple cider"}'
//! $ curl -b jar localhost:8000/cellar
//! amy looks at the barrels
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use innkeeper::{
    Authenticator, AuthenticatorError, Credentials, CurrentSession, Refusal, UserName, Verified,
};
use rocket::{Build, Rocket, async_trait, get, launch, routes, tokio};

/// A hash that no password has: what is computed for unknown names, so that the answer takes as long.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$93O0u2595WC2Dv6ssyqyTw$nq3yP7gD4Kxf5o1qFIfAn7Sa4QtLVPTyXpnvFxaF0Gk";

/// Users and the hashes of their passwords. Names are found whatever their case.
#[derive(Clone)]
struct Users(Arc<HashMap<String, String>>);

/// Without the hashes.
impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").finish_non_exhaustive()
    }
}

impl Users {
    /// A line each, `name:hash`; a real application asks its database.
    fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let users = lines.filter_map(|line| line.split_once(':'));
        let users = users.map(|(name, hash)| (name.to_owned(), hash.to_owned()));
        Self(Arc::new(users.collect()))
    }

    /// The user's own name, and the hash.
    fn find(&self, typed: &UserName) -> Option<(UserName, &str)> {
        let name = typed.as_str().to_lowercase();
        let hash = self.0.get(&name)?;
        Some((UserName::parse(&name).ok()?, hash))
    }
}

#[async_trait]
impl Authenticator for Users {
    /// Without it "AMY" would have ten guesses of its own.
    async fn account(&self, typed: &UserName) -> Result<Option<UserName>, AuthenticatorError> {
        Ok(self.find(typed).map(|(user, _)| user))
    }

    fn tells_accounts(&self) -> bool {
        true
    }

    async fn authenticate(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<Verified>, AuthenticatorError> {
        let found = self.find(credentials.user);
        let hash = found.as_ref().map_or(NOBODY, |(_, hash)| *hash).to_owned();
        let password = credentials.password.clone();
        // Hashing takes tens of milliseconds, in which this thread would serve nobody.
        let is_right = tokio::task::spawn_blocking(move || {
            let hash = PasswordHash::new(&hash).ok()?;
            let password = password.expose().as_bytes();
            Argon2::default().verify_password(password, &hash).ok()
        });
        let is_right = is_right
            .await
            .map_err(|_| AuthenticatorError::Unavailable("hashing panicked".to_owned()))?;
        Ok(is_right.and(found).map(|(user, _)| Verified::new(user)))
    }
}

#[get("/cellar")]
fn cellar(current: Result<&CurrentSession, Refusal>) -> Result<String, Refusal> {
    Ok(format!("{} looks at the barrels", current?.user()))
}

/// The application.
#[launch]
pub(crate) fn rocket() -> Rocket<Build> {
    let users = Users::read(include_str!("own_users.txt"));
    rocket::build()
        .attach(innkeeper::stage().authenticate_with(users))
        .mount("/", routes![cellar])
}
