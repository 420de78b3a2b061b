//! How hard a password is to guess, in words.

use std::fmt;

use zxcvbn::Score;
use zxcvbn::feedback::{Suggestion, Warning};

/// How many characters of it are looked at: where most may stand for letters (`4@8({[`) these take about as long as a hash,
/// and 100 seven times as long.
const MAX_CHARS: usize = 40;

/// How hard a password is to guess. `Display` is one sentence for the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    level: Level,
    advice: String,
}

/// How hard it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It is refused.
    Weak,
    /// It is taken.
    Good,
    /// It is taken, and no guessing is known that would find it.
    Strong,
}

impl Level {
    /// Its name, as the page shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Weak => "Weak",
            Self::Good => "Good",
            Self::Strong => "Strong",
        }
    }
}

impl Strength {
    /// Estimates it with zxcvbn. `names`: what this user's password might be made of.
    pub(super) fn estimate(password: &str, names: &[&str]) -> Self {
        let start = password.char_indices().nth(MAX_CHARS);
        let start = start.map_or(password, |(end, _)| &password[..end]);
        let estimate = zxcvbn::zxcvbn(start, names);
        let feedback = estimate.feedback();
        let warning = feedback.and_then(zxcvbn::feedback::Feedback::warning);
        let suggestions = feedback.map_or(&[][..], |feedback| feedback.suggestions());
        match estimate.score() {
            // 10^10 guesses or more.
            Score::Four => Self::new(Level::Strong, ""),
            // 10^8 or more: at ten guesses in a quarter of an hour, which the throttle allows, centuries; a thief of the
            // store's copy has to compute our slow hash for each. Below that zxcvbn's authors call a password too weak.
            Score::Three => Self::new(Level::Good, ""),
            Score::Zero | Score::One | Score::Two | _ => {
                Self::new(Level::Weak, advice(warning, suggestions))
            }
        }
    }

    pub(super) fn refused(problem: &str) -> Self {
        Self::new(Level::Weak, problem)
    }

    fn new(level: Level, advice: &str) -> Self {
        Self {
            level,
            advice: advice.to_owned(),
        }
    }

    /// How hard it is.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    pub(super) fn into_advice(self) -> String {
        self.advice
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.level.as_str())?;
        if !self.advice.is_empty() {
            write!(f, ": {}", self.advice)?;
        }
        Ok(())
    }
}

/// What makes it weak, in our words; what zxcvbn suggests where it has no warning.
fn advice(warning: Option<Warning>, suggestions: &[Suggestion]) -> &'static str {
    let Some(warning) = warning else {
        return if suggestions.contains(&Suggestion::AvoidRepeatedWordsAndCharacters) {
            "it repeats itself; add a few words that do not belong together"
        } else {
            "add a few words that do not belong together"
        };
    };
    match warning {
        Warning::StraightRowsOfKeysAreEasyToGuess
        | Warning::ShortKeyboardPatternsAreEasyToGuess => {
            "keys that lie side by side are tried early"
        }
        Warning::RepeatsLikeAaaAreEasyToGuess
        | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess => {
            "repeating something adds little"
        }
        Warning::ThisIsATop10Password
        | Warning::ThisIsATop100Password
        | Warning::ThisIsACommonPassword => "many people use it",
        Warning::ThisIsSimilarToACommonlyUsedPassword => "it resembles one that many people use",
        Warning::SequencesLikeAbcAreEasyToGuess => "sequences like abc or 6543 are tried early",
        Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess => {
            "dates and years are tried early"
        }
        Warning::AWordByItselfIsEasyToGuess => "one word is not enough; add others",
        Warning::NamesAndSurnamesByThemselvesAreEasyToGuess
        | Warning::CommonNamesAndSurnamesAreEasyToGuess => "names are tried early",
    }
}
