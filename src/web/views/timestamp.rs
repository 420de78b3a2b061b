//! Timestamps and durations as pages show them.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::clock::rfc3339;

/// For `<time datetime>`: in words, and for the script that shows it in local time.
#[derive(Serialize)]
pub(crate) struct Timestamp {
    text: String,
    machine: String,
}

impl From<SystemTime> for Timestamp {
    fn from(timestamp: SystemTime) -> Self {
        const TEXT: &[BorrowedFormatItem<'_>] =
            format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
        Self {
            text: OffsetDateTime::from(timestamp)
                .format(TEXT)
                .unwrap_or_default(),
            machine: rfc3339(timestamp),
        }
    }
}

/// `1 second`, `15 minutes`, `12 hours`: rounded to the largest unit of which there are at least two.
pub(crate) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..=119 if seconds != 60 => (seconds, "second"),
        60..=7169 if seconds != 3600 => ((seconds + 30) / 60, "minute"),
        3600..=170_999 => ((seconds + 1800) / 3600, "hour"),
        _ => ((seconds + 43_200) / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// `just now`, `3 minutes ago`.
pub(crate) fn ago(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        "just now".to_owned()
    } else {
        format!("{} ago", in_words(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_told_in_their_own_unit() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (90, "90 seconds"),
            (120, "2 minutes"),
            (899, "15 minutes"),
            (900, "15 minutes"),
            (3600, "1 hour"),
            (5400, "90 minutes"),
            (7200, "2 hours"),
            (43_200, "12 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
        assert_eq!(ago(Duration::from_secs(3)), "just now");
        assert_eq!(ago(Duration::from_secs(180)), "3 minutes ago");
    }
}
