//! Errors in settings, and misspelt names.

/// An error in a setting. Names the key and where it was set; never shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// A name of this length or more may have two slips, a shorter one only one: `REDIS_TTL` is not a misspelt `REDIS_URL`.
const LONG_NAME: usize = 12;

/// The known name of which `name` is a misspelling, or differs only by case.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let distance = |known: &&str| strsim::osa_distance(&name, &known.to_ascii_lowercase());
    let is_near = |known: &&&str| distance(known) <= if known.len() < LONG_NAME { 1 } else { 2 };
    let near = known.iter().filter(is_near);
    near.min_by_key(|known| distance(known)).copied()
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
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
    }
}
