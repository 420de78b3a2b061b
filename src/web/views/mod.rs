//! Pieces that several pages show.

mod countdown;
mod end_notice;
mod form;
mod timestamp;

pub(crate) use countdown::Countdown;
pub(crate) use end_notice::EndNotice;
pub(crate) use form::{FormError, FormView, as_mistake};
pub(crate) use timestamp::{Timestamp, ago, in_words};
