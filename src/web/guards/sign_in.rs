//! The request guards of signing in and out.

use std::collections::BTreeMap;
use std::fmt;

use rocket::http::CookieJar;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, async_trait};

use super::new_sign_in::NewSignIn;
use super::same_origin::SameOrigin;
use super::sessions::needs_stage;
use crate::client::Client;
use crate::session::{SessionId, Sessions, Started};
use crate::sign_in::{Credentials, Known, Password, Token, Verified, Verifier, VerifyError};
use crate::user_name::UserName;
use crate::web::answers::Refusal;
use crate::web::observe::{Audit, RequestRecord};
use crate::web::request::{CookieState, DeviceCookie, SessionCookie};

/// Signs a user in: a request guard.
///
/// It refuses what [`SameOrigin`] refuses, and a request with several session cookies. It holds all that it needs of the
/// request, so a handler can do its own work before it signs the user in, and give any answer:
///
/// ```
/// use innkeeper::{Refusal, SignIn, UserName};
/// use rocket::post;
///
/// #[post("/card")]
/// async fn by_card(sign_in: Result<SignIn<'_>, Refusal>) -> Result<&'static str, Refusal> {
///     let sign_in = sign_in?;
///     let user = UserName::parse("abdullah").expect("a valid name");
///     sign_in.start(&user).await?;
///     Ok("Welcome")
/// }
/// ```
///
/// # Safe methods
///
/// A GET passes wherever it comes from, because links lead to pages; so does the redirect with which an OAuth provider sends
/// the browser back. A handler of a GET that signs in must therefore check itself that this browser asked for it. Otherwise
/// another site's link could sign a visitor in to an account that is not his own (login CSRF), where he then leaves his data.
///
/// - OAuth 2.0 (OIDC too): compare the query's `state` with a random one that was put into a cookie of this browser's
///   before the redirect to the provider (RFC 6749, 10.12), `SameSite=Lax` and not `Strict`; refuse any other, and use it once.
/// - A link in a mail: answer the GET with a form, and sign in by its POST. Mail programs open links by themselves.
///
/// `examples/own_flow.rs` has such a callback.
#[derive(Debug)]
pub struct SignIn<'r>(Caller<'r>);

/// Signs a user out: a request guard. It refuses what [`SignIn`] refuses.
#[derive(Debug)]
pub struct SignOut<'r>(Caller<'r>);

/// What the two guards hold of the request.
struct Caller<'r> {
    cookie: SessionCookie,
    state: CookieState,
    client: Client,
    /// The browser's, if it has signed in before.
    devices: Vec<Token>,
    sessions: &'r Sessions,
    verifier: &'r Verifier,
    audit: Audit,
    jar: &'r CookieJar<'r>,
}

/// Without the jar: its `Debug` shows all cookies, and the session id among them.
impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("state", &self.state)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl<'r> Caller<'r> {
    fn new(request: &'r Request<'_>) -> Result<Self, Refusal> {
        // The answer says who is signed in: it must not be kept, see `SecurityHeaders`.
        RequestRecord::of(request).set_session_looked_up();
        SameOrigin::check(request)?;
        // Not `sessions::for_request`, which has a deadline: a handler may work for longer before it signs in.
        let sessions = request.rocket().state::<Sessions>();
        let verifier = request.rocket().state::<Verifier>();
        let (Some(cookie), Some(sessions), Some(verifier)) =
            (SessionCookie::of(request), sessions, verifier)
        else {
            // The sentinels below keep such an application from launching.
            return Err(Refusal::without_stage());
        };
        let state = cookie.state(request);
        if state == CookieState::Ambiguous {
            return Err(Refusal::AmbiguousCookie);
        }
        Ok(Self {
            cookie,
            state,
            client: Client::of(request),
            devices: DeviceCookie::beside(cookie).tokens(request),
            sessions,
            verifier,
            audit: Audit::of(request),
            jar: request.cookies(),
        })
    }
}

impl Caller<'_> {
    async fn verify(
        &self,
        user: &UserName,
        password: &Password,
    ) -> Result<(Verified, Known), Refusal> {
        let credentials = Credentials::new(user, password, &self.client);
        let verified = self.verifier.verify(&credentials, &self.devices).await;
        verified.map_err(|error| {
            self.audit.sign_in_failed(&error);
            error.into()
        })
    }

    /// Whether the check still holds after the session is stored. If it does not, or that cannot be said, the session ends, as far
    /// as it can: nobody has its id.
    async fn check_again(
        &self,
        verified: &Verified,
        id: &SessionId,
        sessions: &Sessions,
    ) -> Result<(), Refusal> {
        let check = self.verifier.still_holds(verified);
        let refusal = match sessions.until_deadline(check).await {
            Ok(true) => return Ok(()),
            // The password was changed, or the account disabled, since it was looked at.
            Ok(false) => Refusal::WrongPassword,
            Err(error) => VerifyError::from(error).into(),
        };
        self.sessions.end(id, &self.client).await?;
        Err(refusal)
    }

    /// A browser that is not remembered is only treated as a stranger's.
    async fn remember_device(&self, user: &UserName, sessions: &Sessions) {
        let remember = self.verifier.remember(user, &self.devices);
        match sessions.until_deadline(remember).await {
            Ok(token) => {
                let cookie = DeviceCookie::beside(self.cookie);
                self.jar.add(cookie.with_token(&self.devices, &token));
            }
            Err(error) => tracing::warn!(%error, "a browser that has signed in is not remembered"),
        }
    }

    fn hand_out(&self, user: &UserName, started: &Started) -> SessionId {
        let replaced = self.state.id();
        self.audit.signed_in(user, started, replaced.as_ref());
        self.jar.add(self.cookie.for_id(&started.id));
        started.id
    }
}

impl SignIn<'_> {
    /// Starts a session for `user` under a new id, and gives the answer its cookie. (An answer that fails, so that a catcher
    /// takes its place, loses what is in Rocket's [`CookieJar`], and this cookie with it.)
    ///
    /// The session of the request's cookie ends, and so do the user's oldest beyond `max_sessions_per_user`. The sign-in
    /// and what it ended are logged and counted.
    ///
    /// # Errors
    ///
    /// [`Refusal::StoreDown`]: the user is not signed in.
    pub async fn start(self, user: &UserName) -> Result<SessionId, Refusal> {
        let caller = self.0;
        let replaced = caller.state.id();
        let start = caller
            .sessions
            .start(user, caller.client.clone(), replaced.as_ref());
        let started = start.await?;
        Ok(caller.hand_out(user, &started))
    }

    /// Signs a user in by Innkeeper's own check, or the application's ([`Stage::authenticate_with`](crate::Stage::authenticate_with)),
    /// for a form of the application's own: the attempt is counted and refused beyond the throttle's limits, the password
    /// is checked, and then all is as with [`start`](Self::start). The answer also gets a cookie by which the browser is known
    /// the next time, so that strangers' failed attempts do not lock its user out.
    ///
    /// `user`: as it was typed; the session's user is the account's own name.
    ///
    /// # Errors
    ///
    /// [`Refusal::WrongPassword`], [`Refusal::TooManyAttempts`], [`Refusal::StoreDown`]: the user is not signed in.
    pub async fn authenticate(
        self,
        user: &UserName,
        password: &Password,
    ) -> Result<SignedIn, Refusal> {
        let (verified, known) = self.0.verify(user, password).await?;
        self.start_verified(&verified, known).await
    }

    /// Counts an attempt and checks a password, without signing in.
    pub(crate) async fn verify(
        &self,
        user: &UserName,
        password: &Password,
    ) -> Result<Verified, Refusal> {
        let (verified, _) = self.0.verify(user, password).await?;
        Ok(verified)
    }

    /// Counts an attempt that no account stands behind.
    pub(crate) async fn count_source(&self) -> Result<(), Refusal> {
        let counted = self.0.verifier.count_source(&self.0.client).await;
        counted.map_err(|error| {
            self.0.audit.sign_in_failed(&error);
            error.into()
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// Signs in a user whose credentials were right a moment ago.
    pub(crate) async fn start_verified(
        self,
        verified: &Verified,
        known: Known,
    ) -> Result<SignedIn, Refusal> {
        self.start_with(verified, known, BTreeMap::new()).await
    }

    /// The same with the application's data of the session that the new one takes the place of.
    pub(crate) async fn start_with(
        self,
        verified: &Verified,
        known: Known,
        data: BTreeMap<String, String>,
    ) -> Result<SignedIn, Refusal> {
        let caller = self.0;
        let user = verified.user();
        // After the check, which takes a while of its own, the store has a request's time again, for all that follows.
        let sessions = caller.sessions.with_deadline();
        let needs_password = caller.verifier.needs_password();
        let replaced = caller.state.id();
        let start = sessions.start_with(user, caller.client.clone(), data, replaced.as_ref());
        let started = start.await?;
        if needs_password {
            caller.check_again(verified, &started.id, &sessions).await?;
            caller.remember_device(user, &sessions).await;
            if known == Known::FirstTime {
                NewSignIn::tell(caller.sessions, user, &caller.client, started.id);
            }
        }
        Ok(SignedIn {
            id: caller.hand_out(user, &started),
            user: user.clone(),
        })
    }
}

/// A user who has signed in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignedIn {
    /// The new session's id, for the user's browser alone.
    pub id: SessionId,
    /// The account's name.
    pub user: UserName,
}

impl SignOut<'_> {
    /// Ends the session of the request's cookie, if it is active, and lets the answer remove the cookie.
    ///
    /// Returns whether the request had a session cookie. Rocket drops a whole `Cookie` header for one byte that is not
    /// UTF-8 (in another application's cookie, say): then there may be a session, and nothing has ended.
    ///
    /// # Errors
    ///
    /// [`Refusal::StoreDown`]: the user is still signed in.
    pub async fn end(self) -> Result<bool, Refusal> {
        let caller = self.0;
        if let Some(id) = caller.state.id()
            && let Some(user) = caller.sessions.end(&id, &caller.client).await?
        {
            caller.audit.signed_out(&user, &id);
        }
        let has_cookie = caller.state != CookieState::Absent;
        if has_cookie {
            caller.jar.add(caller.cookie.removal());
        }
        Ok(has_cookie)
    }
}

macro_rules! guard {
    ($name:ident) => {
        #[async_trait]
        impl<'r> FromRequest<'r> for $name<'r> {
            type Error = Refusal;

            async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Refusal> {
                match Caller::new(request) {
                    Ok(caller) => Outcome::Success(Self(caller)),
                    Err(refusal) => refusal.reject(request),
                }
            }
        }

        needs_stage!($name<'_>);
    };
}

guard!(SignIn);
guard!(SignOut);
