//! Pieces that several pages show.

pub(crate) mod countdown;
pub(crate) mod end_notice;
pub(crate) mod timestamp;
