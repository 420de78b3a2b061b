//! The list of clauses, and how one is tried.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio::runtime;

use super::setup::{Opened, Setup, Time};
use super::subject::{Opener, Outcome};
use super::{ends, fields, life, lists, operator};

type Check = fn(Opener) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One clause of the contract.
#[derive(Clone, Copy)]
pub struct Clause {
    name: &'static str,
    check: Check,
}

/// A store does not keep a clause: its `Display` is the clause's name, and a sentence that says what the store did.
#[derive(Clone, PartialEq, Eq)]
pub struct Violation {
    clause: &'static str,
    reason: String,
}

/// Writes the list of clauses and the macro that stamps a test for each of them, so that neither lacks one.
macro_rules! contract {
    ($dollar:tt $($room:ident: $($name:ident),+;)+) => {
        const CLAUSES: &[Clause] = &[$($(Clause {
            name: stringify!($name),
            check: |opener| Box::pin($room::$name(opener)),
        }),+),+];

        /// Stamps one `#[test]` for each clause of the contract of a [`SessionStore`](crate::SessionStore).
        ///
        /// Takes a function, or a closure, from a [`Setup`](crate::testing::contract::Setup) to a future of an empty
        /// store (or of [`Opened`](crate::testing::contract::Opened)); and, for a store that has a clock of its own,
        /// `Time::Own`. [`testing::contract`](crate::testing::contract) has an example.
        ///
        /// Each test runs on a tokio runtime of its own, which has two threads.
        #[macro_export]
        macro_rules! store_contract {
            ($dollar open:expr $dollar(,)?) => {
                $crate::store_contract!($dollar open, $crate::testing::contract::Time::Given);
            };
            ($dollar open:expr, $dollar time:expr $dollar(,)?) => {
                $($(
                    #[test]
                    fn $name() {
                        $crate::testing::contract::run(stringify!($name), $dollar open, $dollar time);
                    }
                )+)+
            };
        }
    };
}

contract! { $
    life:
        an_unknown_session_is_no_session,
        what_was_created_is_found_whole,
        a_session_ends_when_its_idle_time_is_over,
        a_touch_slides_the_end,
        looking_does_not_slide_the_end,
        the_absolute_limit_ends_an_active_session,
        without_an_absolute_limit_a_session_goes_on,
        a_store_that_works_says_so,
        a_call_that_is_given_up_leaves_the_store_whole;
    ends:
        a_deleted_session_is_gone,
        deleting_twice_is_fine,
        a_session_that_several_end_at_once_is_ended_by_one_of_them,
        a_new_session_ends_the_one_it_replaces,
        replacing_a_session_that_is_over_is_fine,
        a_deleted_session_never_comes_back,
        a_client_with_an_ended_id_learns_why,
        a_reason_is_kept_for_the_idle_timeout,
        a_session_that_ran_out_of_time_leaves_no_reason;
    lists:
        a_user_sees_his_live_sessions_and_nobody_elses,
        some_sessions_of_a_user_end_and_the_others_stay,
        beyond_the_most_allowed_the_oldest_end,
        many_sign_ins_at_once_leave_no_more_than_allowed,
        the_stats_count_the_active_sessions;
    operator:
        a_session_ends_by_its_handle_whoevers_it_is,
        all_sessions_are_listed_whoevers_they_are,
        all_sessions_end_at_once,
        sessions_are_found_by_the_first_digits_of_their_handles,
        restoring_the_lists_changes_none_that_is_whole;
    fields:
        fields_are_written_one_by_one,
        writes_of_different_fields_at_once_all_last,
        an_ended_session_takes_no_field,
        a_session_has_only_so_many_fields,
        own_fields_are_kept_apart,
        an_own_field_for_others_reaches_them_alone;
}

/// All clauses, for a test harness of your own; [`store_contract!`](crate::store_contract) writes a `#[test]` for each.
pub fn clauses() -> impl Iterator<Item = Clause> {
    CLAUSES.iter().copied()
}

impl Clause {
    /// Its name, which is a sentence: `a_deleted_session_is_gone`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Tries the clause on stores that `open` opens. Needs a tokio runtime, with several threads if what happens at the
    /// same time is really to happen at the same time.
    ///
    /// # Errors
    ///
    /// The store does not keep the clause.
    pub async fn check<S: Into<Opened>, F: Future<Output = S> + Send + 'static>(
        &self,
        open: impl Fn(Setup) -> F + Send + Sync + 'static,
        time: Time,
    ) -> Result<(), Violation> {
        let open = move |setup| -> Pin<Box<dyn Future<Output = Opened> + Send>> {
            let opened = open(setup);
            Box::pin(async { opened.await.into() })
        };
        let outcome = (self.check)(Opener {
            open: Arc::new(open),
            time,
        });
        outcome.await.map_err(|reason| Violation {
            clause: self.name,
            reason: reason.0,
        })
    }
}

/// Tries one clause, on a runtime of its own; what [`store_contract!`](crate::store_contract) calls.
///
/// # Panics
///
/// The store does not keep the clause, or there is none of this name.
#[expect(clippy::panic, reason = "a test fails by a panic")]
pub fn run<S: Into<Opened>, F: Future<Output = S> + Send + 'static>(
    clause: &str,
    open: impl Fn(Setup) -> F + Send + Sync + 'static,
    time: Time,
) {
    let Some(clause) = clauses().find(|known| known.name == clause) else {
        panic!("the contract has no clause `{clause}`");
    };
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    match runtime.map(|runtime| runtime.block_on(clause.check(open, time))) {
        Ok(Ok(())) => {}
        Ok(Err(violation)) => panic!("{violation}"),
        Err(error) => panic!("no runtime to try `{}` on: {error}", clause.name),
    }
}

impl fmt::Debug for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clause").field(&self.name).finish()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.clause, self.reason)
    }
}

/// As `Display`: it is what `unwrap` shows.
impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Violation {}
