//! Which known word a misspelt one is nearly.

/// Names that are shorter differ from others' by a letter or two without being misspelt: `REDIS_TTL` is no `REDIS_URL`.
const LONG: usize = 12;

/// The known word that `word` is nearly, or is but for capitals; `None` where it is like none.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    known
        .into_iter()
        .filter_map(|known| Some((distance(&word, known)?, known)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters are wrong, missing, too many or in the place of their neighbour; `None`: too many of them.
fn distance(word: &str, known: &str) -> Option<usize> {
    let tolerated = if known.len() < LONG { 1 } else { 2 };
    if word.len().abs_diff(known.len()) > tolerated {
        return None;
    }
    let distance = strsim::osa_distance(word, &known.to_ascii_lowercase());
    (distance <= tolerated).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["REDIS_URL", "port", "idle_timeout_secs"];
        for (word, expected) in [
            ("REDIS_URI", Some("REDIS_URL")),
            ("REDISURL", Some("REDIS_URL")),
            ("redis_url", Some("REDIS_URL")),
            ("REDIS_ULR", Some("REDIS_URL")),
            ("prot", Some("port")),
            ("idle_timout_sec", Some("idle_timeout_secs")),
            ("REDIS_HOST", None),
            ("REDIS_PORT", None),
            ("REDIS_TTL", None),
            ("REDIS_TLS_URL", None),
            ("REDIS_PASSWORD", None),
            ("sports", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
