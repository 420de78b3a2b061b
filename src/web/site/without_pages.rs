//! Without the feature `pages`.

/// Whether there are pages of ours.
pub(super) const HAS_PAGES: bool = false;
