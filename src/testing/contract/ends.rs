//! The clauses about the end of a session, and the reason that is kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::yield_now;

use super::subject::{LIFETIMES, Opener, Outcome, ensure, ensure_eq};
use crate::session::{Created, EndReason, EndedSession, Selection, SessionHandle, SessionId};

pub(super) async fn a_deleted_session_is_gone(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let gone = subject.sign_in("a").await?;
    let kept = subject.sign_in("a").await?;
    subject.touch(&gone).await?;
    let whose = subject.sign_out(&gone).await?;
    ensure_eq!(
        whose.as_deref(),
        Some("a"),
        "`delete` does not return the user whose live session it ended"
    );
    ensure!(
        !subject.is_alive(&gone).await?,
        "`touch` finds a session that `delete` has ended"
    );
    ensure_eq!(
        subject.store.peek(&gone).await?,
        None,
        "`peek` finds a session that `delete` has ended"
    );
    ensure!(
        subject.is_alive(&kept).await?,
        "`delete` ended another session of its user, too"
    );
    Ok(())
}

pub(super) async fn deleting_twice_is_fine(opener: Opener) -> Outcome {
    let (subject, id) = opener.open_with_one().await?;
    let whose = subject.sign_out(&id).await?;
    ensure_eq!(
        whose.as_deref(),
        Some("a"),
        "`delete` does not return the user whose live session it ended"
    );
    ensure_eq!(
        subject.sign_out(&id).await?,
        None,
        "a second `delete` says that it ended a live session"
    );
    let unknown = subject.sign_out(&SessionId::generate()).await?;
    ensure_eq!(
        unknown,
        None,
        "`delete` says that it ended a session that was never created"
    );
    Ok(())
}

pub(super) async fn a_session_that_several_end_at_once_is_ended_by_one_of_them(
    opener: Opener,
) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    for _ in 0..50 {
        let id = subject.sign_in("a").await?;
        let enders: Vec<_> = (0..4)
            .map(|_| {
                let store = Arc::clone(&subject.store);
                let why = subject.why(EndReason::SignedOut);
                tokio::spawn(async move { store.delete(&id, &why).await })
            })
            .collect();
        let mut ended = Vec::new();
        for ender in enders {
            ended.extend(ender.await??);
        }
        ensure_eq!(
            ended,
            ["a"],
            "of four calls of `delete` at once, not exactly one says that it ended the session"
        );
    }
    Ok(())
}

pub(super) async fn a_new_session_ends_the_one_it_replaces(opener: Opener) -> Outcome {
    let (subject, first) = opener.open_with_one().await?;
    let second = SessionId::generate();
    let created = subject
        .create(&second, &subject.session_of("b"), Some(&first), 100)
        .await?;
    ensure_eq!(
        created.replaced.as_deref(),
        Some("a"),
        "`create` does not return the user of the session that it replaced"
    );
    ensure_eq!(
        created.evicted,
        [],
        "`create` says that it ended sessions beyond the limit, which were not beyond it"
    );
    ensure!(
        !subject.is_alive(&first).await?,
        "a session lives on that `create` replaced"
    );
    let user = subject
        .touch(&second)
        .await?
        .map(|found| found.session.user);
    ensure_eq!(
        user.as_deref(),
        Some("b"),
        "`touch` does not find the session that replaced another"
    );
    ensure_eq!(
        subject.listed("a").await?,
        [],
        "`list` shows a session that `create` replaced"
    );
    Ok(())
}

pub(super) async fn replacing_a_session_that_is_over_is_fine(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let id = SessionId::generate();
    let over = SessionId::generate();
    let created = subject
        .create(&id, &subject.session_of("a"), Some(&over), 100)
        .await?;
    ensure_eq!(
        created,
        Created::default(),
        "`create` says that it ended a session where there was none to end"
    );
    ensure!(
        subject.is_alive(&id).await?,
        "`touch` does not find a session that replaced one which was over"
    );
    Ok(())
}

/// With a touch that writes the record back, 119 of 300 came back.
pub(super) async fn a_deleted_session_never_comes_back(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    for round in 0..1000 {
        let id = subject.sign_in("a").await?;
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let store = Arc::clone(&subject.store);
                tokio::spawn(async move {
                    for _ in 0..5 {
                        store.touch(&id).await?;
                    }
                    Ok::<_, crate::session::StoreError>(())
                })
            })
            .collect();
        yield_now().await;
        subject.sign_out(&id).await?;
        let came_back =
            "came back by a `touch` at the same time (does it write the record as a whole?)";
        ensure!(
            !subject.is_alive(&id).await?,
            "a deleted session {came_back}, in round {round}"
        );
        for reader in readers {
            reader.await??;
        }
        ensure!(
            !subject.is_alive(&id).await?,
            "a deleted session {came_back}, in round {round}"
        );
    }
    Ok(())
}

pub(super) async fn a_client_with_an_ended_id_learns_why(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let store = &subject.store;
    let out = subject.sign_in("a").await?;
    let ended = subject.sign_in("a").await?;
    let first = subject.sign_in("a").await?;
    for id in [&out, &ended, &first] {
        ensure_eq!(
            store.ended(id).await?,
            None,
            "`ended` has a reason for a live session"
        );
    }
    let by = |reason| EndedSession {
        user_agent: Some("Firefox".to_owned()),
        ..subject.why(reason)
    };
    let (signed_out, by_other) = (by(EndReason::SignedOut), by(EndReason::Ended));
    store.delete(&out, &signed_out).await?;
    let one = Selection::One(SessionHandle::from(&ended));
    let outcome = store.delete_of_user("a", one, &by_other).await?;
    ensure_eq!(
        outcome.ended,
        [SessionHandle::from(&ended)],
        "`delete_of_user` does not return the session that it ended"
    );
    let second = SessionId::generate();
    subject
        .create(&second, &subject.session_of("a"), Some(&first), 100)
        .await?;

    ensure_eq!(
        store.ended(&out).await?,
        Some(signed_out),
        "`ended` has another reason than `delete` was given"
    );
    ensure_eq!(
        store.ended(&ended).await?,
        Some(by_other),
        "`ended` has another reason than `delete_of_user` was given"
    );
    let again = store.ended(&first).await?.map(|ended| ended.reason);
    ensure_eq!(
        again,
        Some(EndReason::Replaced),
        "`ended` has another reason than `create` was given for the replaced session"
    );
    ensure_eq!(
        store.ended(&second).await?,
        None,
        "`ended` has a reason for a live session"
    );
    Ok(())
}

pub(super) async fn a_reason_is_kept_for_the_idle_timeout(opener: Opener) -> Outcome {
    let (subject, idle) = opener.open_to_wait(4).await;
    let id = subject.sign_in("a").await?;
    subject.sign_out(&id).await?;
    subject.pass(idle / 4).await;
    ensure!(
        subject.store.ended(&id).await?.is_some(),
        "the reason of an end is gone before the idle timeout"
    );
    subject
        .pass(idle * 3 / 4 + Duration::from_millis(1100))
        .await;
    ensure_eq!(
        subject.store.ended(&id).await?,
        None,
        "the reason of an end is kept for longer than the idle timeout"
    );
    Ok(())
}

pub(super) async fn a_session_that_ran_out_of_time_leaves_no_reason(opener: Opener) -> Outcome {
    let (subject, idle) = opener.open_to_wait(1).await;
    let id = subject.sign_in("a").await?;
    subject.pass(idle + Duration::from_millis(100)).await;
    ensure_eq!(
        subject.store.ended(&id).await?,
        None,
        "`ended` has a reason for a session that expired"
    );
    ensure_eq!(
        subject.sign_out(&id).await?,
        None,
        "`delete` says that it ended a session which had expired"
    );
    ensure_eq!(
        subject.store.ended(&id).await?,
        None,
        "`delete` left a reason for a session that had expired"
    );
    let why = subject.why(EndReason::Ended);
    let outcome = subject
        .store
        .delete_of_user("a", Selection::All, &why)
        .await?;
    ensure_eq!(
        outcome.ended,
        [],
        "`delete_of_user` says that it ended a session which had expired"
    );
    Ok(())
}
