//! Whether a password is too easy to guess, and why.

use zxcvbn::Score;
use zxcvbn::feedback::{Feedback, Suggestion, Warning};

/// How many characters of it are looked at: where most may stand for letters (`4@8({[`) these take about as long as a hash,
/// and 100 seven times as long.
const MAX_CHARS: usize = 40;

/// What makes a password too easy to guess, by zxcvbn's estimate; `None`: it is not. `names`: what this user's password might
/// be made of.
pub(super) fn weakness(password: &str, names: &[&str]) -> Option<&'static str> {
    let start = password.char_indices().nth(MAX_CHARS);
    let start = start.map_or(password, |(end, _)| &password[..end]);
    let estimate = zxcvbn::zxcvbn(start, names);
    // 10^8 guesses or more: at ten in a quarter of an hour, which the throttle allows, centuries; a thief of the store's copy
    // has to compute our slow hash for each. Below that zxcvbn's authors call a password too weak.
    if estimate.score() >= Score::Three {
        return None;
    }
    let feedback = estimate.feedback();
    let suggestions = feedback.map_or(&[][..], Feedback::suggestions);
    Some(advice(feedback.and_then(Feedback::warning), suggestions))
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
