//! Pieces that several pages show.

pub(in crate::web) mod countdown;
pub(in crate::web) mod end_notice;
pub(in crate::web) mod timestamp;
