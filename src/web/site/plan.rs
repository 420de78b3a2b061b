//! What an application wants of us.

use super::HAS_PAGES;
use super::addresses::Site;
use super::part::{CheckOfSite, Part, Parts};
use super::path::SitePath;
use crate::config::Config;
use crate::web::static_files::StaticFiles;

/// What the application has chosen, not yet checked.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) parts: Parts,
    pub(crate) prefix: String,
    pub(crate) sign_in_page: Option<String>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            parts: Parts::all(),
            prefix: "/".to_owned(),
            sign_in_page: None,
        }
    }
}

impl Plan {
    /// # Errors
    ///
    /// A sentence for the operator: a path cannot be used.
    pub(crate) fn site(
        &self,
        config: &Config,
        files: &StaticFiles,
        check: CheckOfSite,
    ) -> Result<Site, String> {
        let prefix = SitePath::parse(&self.prefix)
            .map_err(|problem| format!("the prefix of `mount_at` {problem}"))?;
        let mut parts = self.parts.clone();
        // As it was written: whether it ends in a slash is the application's choice.
        let mut sign_in_page = self.sign_in_page.clone();
        if let Some(page) = &self.sign_in_page {
            let path = SitePath::parse(page)
                .map_err(|problem| format!("the path of `sign_in_page` {problem}"))?;
            if path == prefix {
                // Its redirect would lead to itself.
                parts = parts.without(Part::Home);
            }
            if prefix.join("/login") == path.to_string() {
                sign_in_page = None;
            }
        }
        if !parts.have(Part::SignIn) || !HAS_PAGES {
            // The same, or to nothing.
            parts = parts.without(Part::Home);
        }
        if !HAS_PAGES {
            parts = parts.without(Part::StaticFiles);
        }
        if !check.accounts {
            parts = parts.without(Part::Accounts);
        }
        Ok(Site::new(config, files, parts, prefix, sign_in_page, check))
    }
}
