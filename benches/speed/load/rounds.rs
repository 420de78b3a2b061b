//! The rounds, and what is made of their figures.

use std::collections::BTreeMap;

use crate::load::Outcome;

/// Runs each unit once a round, in an order that rotates.
pub(crate) fn run<U>(rounds: usize, units: &mut [U], mut once: impl FnMut(&U)) {
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for unit in units.iter() {
            once(unit);
        }
        units.rotate_left(1);
    }
}

/// A figure over the rounds.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Figure {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values
            .into_iter()
            .filter(|value| value.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (values.first(), values.last()) else {
            return Self {
                median: f64::NAN,
                least: f64::NAN,
                most: f64::NAN,
            };
        };
        let half = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[half - 1], values[half])
        } else {
            values[half]
        };
        Self {
            median,
            least: *least,
            most: *most,
        }
    }
}

/// The outcomes of all subjects, round by round.
pub(crate) struct Outcomes<S>(pub(crate) BTreeMap<S, Vec<Outcome>>);

impl<S> Default for Outcomes<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: Ord + Copy> Outcomes<S> {
    pub(crate) fn add(&mut self, subject: S, outcome: Outcome) {
        self.0.entry(subject).or_default().push(outcome);
    }

    pub(crate) fn figure(&self, subject: S, of: impl Fn(&Outcome) -> f64) -> Figure {
        Figure::of(self.of(subject).iter().map(of))
    }

    /// One subject's figure as a multiple of another's in the same round.
    pub(crate) fn ratio(&self, subject: S, to: S, of: impl Fn(&Outcome) -> f64) -> Figure {
        let pairs = self.of(subject).iter().zip(self.of(to));
        Figure::of(pairs.map(|(one, other)| of(one) / of(other)))
    }

    pub(crate) fn troubles(&self, subject: S) -> u64 {
        self.of(subject)
            .iter()
            .flat_map(|outcome| outcome.troubles.values())
            .sum()
    }

    /// What was not as expected, in all rounds of all subjects.
    pub(crate) fn all_troubles(&self) -> BTreeMap<&str, u64> {
        let mut all = BTreeMap::new();
        for (what, times) in self
            .0
            .values()
            .flatten()
            .flat_map(|outcome| &outcome.troubles)
        {
            *all.entry(what.as_str()).or_default() += times;
        }
        all
    }

    fn of(&self, subject: S) -> &[Outcome] {
        self.0.get(&subject).map_or(&[], Vec::as_slice)
    }
}
