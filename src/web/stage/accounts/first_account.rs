//! The link by which the first account is made.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use rocket::fairing::AdHoc;
use rustix::fs::{FileType, fstat};
use tokio::time::sleep;

use crate::account::{AccountError, Accounts};
use crate::config::{Config, has_tls, site_url};
use crate::sign_in::Token;

/// The longest wait for a store that starts later than Innkeeper.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Prints the link on standard output, where nobody has an account.
pub(crate) fn announce_first_account() -> AdHoc {
    AdHoc::on_liftoff("The first account", |rocket| {
        Box::pin(async move {
            let (Some(accounts), Ok(config)) = (
                rocket.state::<Accounts>().cloned(),
                Config::from(rocket.figment()),
            ) else {
                return;
            };
            // With the port that was taken.
            let listens = SocketAddr::new(rocket.config().address, rocket.config().port);
            let has_tls = has_tls(rocket.figment());
            let site = site_url(config.public_url.as_ref(), has_tls, listens);
            let mut shutdown = rocket.shutdown();
            // The launch does not wait for it: Innkeeper may start before its store does.
            tokio::spawn(async move {
                tokio::select! {
                    () = announce(&accounts, &site) => {}
                    () = &mut shutdown => {}
                }
            });
        })
    })
}

async fn announce(accounts: &Accounts, site: &str) {
    let mut pause = Duration::from_secs(1);
    let mut has_failed = false;
    let token = loop {
        match invite_first(accounts).await {
            Ok(None) => return,
            Ok(Some(token)) => break token,
            Err(error) => {
                if !has_failed {
                    tracing::warn!(%error, "no link to make the first account yet: trying again");
                }
                has_failed = true;
                sleep(pause).await;
            }
        }
        pause = (2 * pause).min(MAX_PAUSE);
    };
    if is_journal() {
        tracing::warn!(
            "nobody has an account: make the first one by `innkeeper accounts add NAME`"
        );
        return;
    }
    tracing::warn!("nobody has an account: a link to make the first one is on standard output");
    let text = format!(
        "Nobody has an account yet. By this link the first one is made, once, within a day:\n{site}/invitation/{}\n",
        token.expose()
    );
    let mut output = io::stdout().lock();
    if let Err(error) = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        tracing::warn!(%error, "the link cannot be printed");
    }
}

async fn invite_first(accounts: &Accounts) -> Result<Option<Token>, AccountError> {
    if !accounts.is_empty().await? {
        return Ok(None);
    }
    accounts.invite_first().await.map(Some)
}

/// Whether standard output is systemd's journal, a socket, which is a log: no link belongs there.
fn is_journal() -> bool {
    fstat(io::stdout())
        .is_ok_and(|output| FileType::from_raw_mode(output.st_mode) == FileType::Socket)
}
