//! In place of the static files, where the feature `pages` is missing.

use crate::config::Accent;

/// There are none.
pub(crate) struct StaticFiles;

impl StaticFiles {
    pub(crate) fn new(_: &Accent) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "as where there are files")]
    pub(crate) fn address(&self, _: &str) -> Option<String> {
        None
    }
}
