//! In place of the metrics, where the feature `metrics` is missing.

use std::time::Duration;

use crate::session::EndReason;

/// There are none.
#[derive(Debug)]
pub(crate) enum Metrics {}

impl Metrics {
    pub(crate) fn answered(&self, _: &str, _: &str, _: u16, _: Duration) {
        match *self {}
    }

    pub(crate) fn signed_in(&self) {
        match *self {}
    }

    pub(crate) fn signed_out(&self) {
        match *self {}
    }

    pub(crate) fn ended(&self, _: EndReason, _: usize) {
        match *self {}
    }

    pub(crate) fn refused(&self, _: &str) {
        match *self {}
    }
}
