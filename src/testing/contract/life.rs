//! The clauses about the life of a session.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::subject::{LIFETIMES, Opener, Outcome, Reason, Subject, ensure, ensure_eq};
use crate::session::{
    EndReason, Lifetimes, NewSession, Session, SessionHandle, SessionId, WriteOutcome,
};

pub(super) async fn an_unknown_session_is_no_session(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let unknown = SessionId::generate();
    ensure_eq!(
        subject.touch(&unknown).await?,
        None,
        "`touch` finds a session that was never created"
    );
    ensure_eq!(
        subject.store.peek(&unknown).await?,
        None,
        "`peek` finds a session that was never created"
    );
    ensure_eq!(
        subject.store.ended(&unknown).await?,
        None,
        "`ended` has a reason for a session that was never created"
    );
    Ok(())
}

pub(super) async fn what_was_created_is_found_whole(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let id = SessionId::generate();
    let session = subject.session_of("{zo\u{eb}}:*");
    subject.create(&id, &session, None, 100).await?;
    let Some(found) = subject.touch(&id).await? else {
        return Err(Reason(
            "`touch` does not find what `create` has just written".to_owned(),
        ));
    };
    // A store may date a session itself: where that took long, a little later.
    let dated = found.session.created_at.zip(session.created_at);
    let is_late = dated.is_none_or(|(found, given)| {
        let apart = found.max(given).duration_since(found.min(given));
        apart.is_ok_and(|apart| apart > Duration::from_secs(10))
    });
    ensure!(
        !is_late,
        "a session that was created now has the time of creation {:?}",
        found.session.created_at
    );
    let expected = Session {
        created_at: found.session.created_at,
        ..session
    };
    ensure_eq!(
        &found.session,
        &expected,
        "`touch` finds another session than was created"
    );
    ensure!(
        found.expires_in <= LIFETIMES.idle
            && found.expires_in + Duration::from_secs(10) > LIFETIMES.idle,
        "a session that was just touched ends in {:?}, and not after the idle timeout",
        found.expires_in
    );
    let again = subject.touch(&id).await?.map(|found| found.session);
    ensure_eq!(
        again.as_ref(),
        Some(&expected),
        "a second `touch` finds another session than the first"
    );
    let looked_at = subject.store.peek(&id).await?.map(|found| found.session);
    ensure_eq!(
        looked_at.as_ref(),
        Some(&expected),
        "`peek` finds another session than `touch`"
    );
    Ok(())
}

pub(super) async fn a_session_ends_when_its_idle_time_is_over(opener: Opener) -> Outcome {
    let (subject, idle) = opener.open_to_wait(1).await;
    let id = subject.sign_in("a").await?;
    subject.pass(idle + Duration::from_millis(100)).await;
    ensure!(
        !subject.is_alive(&id).await?,
        "`touch` finds a session after its idle timeout (if the store has a clock of its own, say `Time::Own`)"
    );
    ensure!(
        !subject.is_alive(&id).await?,
        "a second `touch` finds an expired session"
    );
    ensure_eq!(
        subject.store.peek(&id).await?,
        None,
        "`peek` finds an expired session"
    );
    ensure_eq!(
        subject.listed("a").await?,
        [],
        "`list` shows an expired session"
    );
    ensure_eq!(
        subject.store.write(&id, "x", Some("1"), 10).await?,
        WriteOutcome::NoSession,
        "`write` writes to an expired session"
    );
    ensure!(
        !subject.is_alive(&id).await?,
        "`write` brought an expired session back"
    );
    Ok(())
}

pub(super) async fn a_touch_slides_the_end(opener: Opener) -> Outcome {
    let (subject, idle) = opener.open_to_wait(4).await;
    let used = subject.sign_in("a").await?;
    let unused = subject.sign_in("a").await?;
    for _ in 0..9 {
        ensure!(
            subject.is_alive(&used).await?,
            "a session ended that was used all the time: `touch` does not let it live for the idle timeout from then on"
        );
        subject.pass(idle / 8).await;
    }
    ensure!(
        !subject.is_alive(&unused).await?,
        "a session lives on beside another one of its user that is used"
    );
    ensure!(
        subject.is_alive(&used).await?,
        "a session ended that was used all the time"
    );
    Ok(())
}

pub(super) async fn looking_does_not_slide_the_end(opener: Opener) -> Outcome {
    let (subject, idle) = opener.open_to_wait(2).await;
    let id = subject.sign_in("a").await?;
    let Some(active) = subject.store.peek(&id).await? else {
        return Err(Reason("`peek` does not find a live session".to_owned()));
    };
    ensure_eq!(
        active.session.user,
        "a",
        "`peek` finds another user's session"
    );
    ensure!(
        active.expires_in <= idle,
        "`peek` says that a session ends in {:?}, after more than its idle timeout",
        active.expires_in
    );
    for _ in 0..9 {
        subject.store.peek(&id).await?;
        subject.listed("a").await?;
        subject.pass(idle / 8).await;
    }
    ensure_eq!(
        subject.store.peek(&id).await?,
        None,
        "`peek` or `list` slid the end of a session"
    );
    ensure!(
        !subject.is_alive(&id).await?,
        "`touch` finds a session that `peek` does not find"
    );
    ensure_eq!(
        subject.listed("a").await?,
        [],
        "`list` shows a session that `peek` does not find"
    );
    Ok(())
}

pub(super) async fn the_absolute_limit_ends_an_active_session(opener: Opener) -> Outcome {
    let lifetimes = Lifetimes {
        absolute: Some(Duration::from_secs(60)),
        ..LIFETIMES
    };
    let subject = opener.open(lifetimes).await;
    let (young, old) = (SessionId::generate(), SessionId::generate());
    subject
        .create(&young, &subject.session_since("a", 30), None, 100)
        .await?;
    subject
        .create(&old, &subject.session_since("a", 61), None, 100)
        .await?;
    let Some(found) = subject.touch(&young).await? else {
        return Err(Reason(
            "a session ended before its absolute limit".to_owned(),
        ));
    };
    ensure!(
        found.expires_in <= Duration::from_secs(31),
        "a session that has half a minute until its absolute limit ends in {:?}",
        found.expires_in
    );
    ensure!(
        !subject.is_alive(&old).await?,
        "`touch` finds a session that is older than the absolute limit"
    );
    ensure_eq!(
        subject.store.peek(&old).await?,
        None,
        "`peek` finds a session that is older than the absolute limit"
    );
    Ok(())
}

pub(super) async fn without_an_absolute_limit_a_session_goes_on(opener: Opener) -> Outcome {
    let lifetimes = Lifetimes {
        absolute: None,
        ..LIFETIMES
    };
    let subject = opener.open(lifetimes).await;
    let id = SessionId::generate();
    subject
        .create(&id, &subject.session_since("a", 1_000_000), None, 100)
        .await?;
    let found = subject.touch(&id).await?;
    let Some(found) = found else {
        return Err(Reason(
            "an old session ended where there is no absolute limit".to_owned(),
        ));
    };
    ensure_eq!(
        found.absolute_expires_in,
        None,
        "`touch` tells an absolute limit where there is none"
    );
    Ok(())
}

pub(super) async fn a_store_that_works_says_so(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    subject.store.check().await?;
    ensure!(
        !subject.store.is_lost(),
        "`is_lost` says of a store that works that it can never work again"
    );
    ensure!(
        !subject.store.is_full(),
        "`is_full` says of an empty store that it has no room"
    );
    subject.sign_in("a").await?;
    subject.store.check().await?;
    let closed = timeout(Duration::from_secs(30), subject.store.close()).await;
    ensure!(
        closed.is_ok(),
        "`close` has not returned after half a minute"
    );
    Ok(())
}

pub(super) async fn a_call_that_is_given_up_leaves_the_store_whole(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let over_limit = subject.why(EndReason::OverLimit);
    let why = subject.why(EndReason::SignedOut);
    let mut ids = Vec::new();
    for round in 0..60 {
        let id = SessionId::generate();
        let session = subject.session_of("a");
        let new = NewSession {
            id: &id,
            session: &session,
            replaced: ids
                .last()
                .filter(|_| round % 7 == 0)
                .map(|last| (last, &why)),
            limit: 1000,
            over_limit: &over_limit,
        };
        give_up_after(round % 4, subject.store.create(&new)).await;
        ids.push(id);
        let id = subject.sign_in("a").await?;
        ids.push(id);
        give_up_after(round % 3, subject.store.touch(&id)).await;
        give_up_after(round % 4, subject.store.write(&id, "field", Some("1"), 10)).await;
        if round % 2 == 0 {
            give_up_after(round % 5, subject.store.delete(&id, &why)).await;
        }
    }
    // What was given up may still be done, by a server that has the command already.
    let mut outcome = Ok(());
    for _ in 0..50 {
        outcome = lists_agree(&subject, &ids).await;
        if outcome.is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    outcome
}

async fn lists_agree(subject: &Subject, ids: &[SessionId]) -> Outcome {
    let listed: BTreeSet<_> = subject.listed("a").await?.into_iter().collect();
    for id in ids {
        let found = subject.touch(id).await?;
        let is_listed = listed.contains(&SessionHandle::from(id));
        ensure_eq!(
            found.is_some(),
            is_listed,
            "after calls that were given up half-way, whether `touch` finds a session is not whether `list` shows it"
        );
        let is_whole = found.is_none_or(|found| {
            let data = found.session.data;
            found.session.user == "a" && data.contains_key("theme")
        });
        ensure!(
            is_whole,
            "a call that was given up half-way left a session without its user or its fields"
        );
    }
    Ok(())
}

/// Drops a call that has not returned after it was polled so many times.
async fn give_up_after<T>(polls: usize, call: impl Future<Output = T>) {
    let mut call = pin!(call);
    for _ in 0..polls {
        if poll_fn(|context| Poll::Ready(call.as_mut().poll(context)))
            .await
            .is_ready()
        {
            return;
        }
        yield_now().await;
    }
}
