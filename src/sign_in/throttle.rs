//! The throttle: how many attempts may fail, and on what each is counted.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use super::{Attempts, Counted, Digest, SignInStore, VerifyError};
use crate::client::Client;
use crate::session::StoreError;
use crate::user_name::UserName;

const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Per account, and per browser that has signed in to it before.
const MAX_FAILURES_OF_ACCOUNT: u32 = 10;
const MAX_FAILURES_OF_SOURCE: u32 = 100;

/// Counts attempts before the password is looked at.
///
/// A stranger's attempt counts on its source and on the account, so that neither one source nor many together can guess a
/// password. A browser that has signed in to the account before has a count of its own and no other, so that strangers cannot
/// lock its user out (OWASP, "device cookies").
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    store: Arc<dyn SignInStore>,
}

/// What an attempt was counted on.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    source: Option<Digest>,
    account: Option<Digest>,
}

impl Throttle {
    pub(crate) fn new(store: Arc<dyn SignInStore>) -> Self {
        Self { store }
    }

    /// Counts an attempt at an account, or at a name that is none (`None`).
    ///
    /// `device`: the digest of the browser's cookie, if it has signed in to this account before.
    pub(crate) async fn count(
        &self,
        account: Option<&UserName>,
        client: &Client,
        device: Option<&Digest>,
    ) -> Result<Counters, VerifyError> {
        if let (Some(account), Some(device)) = (account, device) {
            let own = Digest::of_parts(["device", &device.to_string(), account.as_str()]);
            self.pass(own, MAX_FAILURES_OF_ACCOUNT, Some(account))
                .await?;
            return Ok(Counters {
                source: None,
                account: Some(own),
            });
        }
        let source = self.count_source(client, account).await?;
        // A name that is no account takes as long as one that is: it is asked for a counter that nothing counts on.
        let (counter, limit) = match account {
            Some(account) => (
                Digest::of_parts(["account", account.as_str()]),
                MAX_FAILURES_OF_ACCOUNT,
            ),
            None => (Digest::of_parts(["none"]), 0),
        };
        match self.pass(counter, limit, account).await {
            Ok(()) => Ok(Counters {
                source: Some(source),
                account: Some(counter),
            }),
            Err(VerifyError::TooMany { .. }) if account.is_none() => Ok(Counters {
                source: Some(source),
                account: None,
            }),
            Err(refused) => {
                // What was not looked at is no failure of the source.
                self.store.uncount(&source).await?;
                Err(refused)
            }
        }
    }

    /// Counts an attempt on its source alone.
    ///
    /// `account`: the one that it was for, for the log.
    pub(crate) async fn count_source(
        &self,
        client: &Client,
        account: Option<&UserName>,
    ) -> Result<Digest, VerifyError> {
        let source = Digest::of_parts(["source", &source(client)]);
        self.pass(source, MAX_FAILURES_OF_SOURCE, account).await?;
        Ok(source)
    }

    /// The attempt was right: the count of the account, or of the browser, begins anew. That of the source only loses this
    /// attempt: otherwise whoever guesses could sign in to an account of his own between guesses.
    pub(crate) async fn succeeded(&self, counters: &Counters) -> Result<(), StoreError> {
        if let Some(account) = &counters.account {
            self.store.reset(account).await?;
        }
        // No store repeats this where a reply was lost, and a right password is not refused because of it.
        if let Some(source) = &counters.source
            && let Err(error) = self.store.uncount(source).await
        {
            tracing::warn!(%error, "a sign-in that succeeded stays counted on its source");
        }
        Ok(())
    }

    /// The attempt could not be judged: it is no failure.
    pub(crate) async fn not_judged(&self, counters: &Counters) -> Result<(), StoreError> {
        for counter in counters.account.iter().chain(&counters.source) {
            self.store.uncount(counter).await?;
        }
        Ok(())
    }

    async fn pass(
        &self,
        counter: Digest,
        limit: u32,
        account: Option<&UserName>,
    ) -> Result<(), VerifyError> {
        let attempts = Attempts {
            counter,
            limit,
            window: WINDOW,
        };
        match self.store.count(&attempts).await? {
            Counted::Allowed => Ok(()),
            Counted::Refused { retry_after } => Err(VerifyError::TooMany {
                account: account.cloned(),
                retry_after,
            }),
        }
    }
}

/// One name for all addresses that one client can choose between: an IPv6 network of 64 bits, which is what a client is given.
fn source(client: &Client) -> String {
    let ip = client.ip.as_deref().and_then(|ip| ip.parse().ok());
    match ip.map(|ip: IpAddr| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => ip.to_string(),
        Some(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_one_however_its_address_is_spelt() {
        let of = |ip: &str| {
            source(&Client {
                ip: Some(ip.to_owned()),
                user_agent: None,
            })
        };
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:DB8::1:ffff:0:0:2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(source(&Client::default()), of("nonsense"));
    }
}
