//! Pieces that several pages show.

mod countdown;
mod end_notice;
mod timestamp;

pub(crate) use countdown::Countdown;
pub(crate) use end_notice::EndNotice;
pub(crate) use timestamp::{Timestamp, ago, in_words};
