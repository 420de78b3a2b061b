//! Whether this instance is ready for requests, or draining.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the process has been asked to end, so that requests should go to other instances; managed by Rocket.
#[derive(Clone, Default)]
pub(crate) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub(crate) fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn drain(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
