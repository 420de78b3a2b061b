//! In place of the metrics server, where the feature `metrics` is missing.

use std::sync::Arc;

use rocket::{Build, Rocket};

use crate::config::MetricsAddress;
use crate::session::SessionStore;

/// There is none.
pub(crate) enum MetricsServer {}

impl MetricsServer {
    /// Always the sentence that says why not: a setting is never ignored.
    pub(crate) fn open(setting: &MetricsAddress) -> Result<Self, String> {
        let source = &setting.source;
        Err(format!(
            "{source}: metrics cannot be served, because this was built without Innkeeper's feature `metrics`"
        ))
    }

    pub(crate) fn instrument(
        &self,
        _: Arc<dyn SessionStore>,
    ) -> Result<Arc<dyn SessionStore>, String> {
        match *self {}
    }

    pub(crate) fn attach_to(self, _: Rocket<Build>) -> Rocket<Build> {
        match self {}
    }
}
