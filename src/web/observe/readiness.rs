//! Whether this instance still wants requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the process has been asked to end, and requests should go elsewhere; managed by Rocket.
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
