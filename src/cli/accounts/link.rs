//! The addresses in links.

use rocket::figment::Figment;

use crate::config::{Config, has_tls, site_url};
use crate::sign_in::Token;

/// Links to the site.
pub(super) struct Links {
    site: String,
}

impl Links {
    pub(super) fn new(config: &Config, figment: &Figment) -> Result<Self, String> {
        let rocket: rocket::Config = figment.extract().map_err(|error| error.to_string())?;
        if config.public_url.is_none() && rocket.port == 0 {
            return Err(
                "the link cannot be told: `port` is 0, any free one, and `public_url` is not set"
                    .to_owned(),
            );
        }
        let listens = (rocket.address, rocket.port).into();
        Ok(Self {
            site: site_url(config.public_url.as_ref(), has_tls(figment), listens),
        })
    }

    pub(super) fn invitation(&self, token: &Token) -> String {
        format!("{}/invitation/{}", self.site, token.expose())
    }
}
