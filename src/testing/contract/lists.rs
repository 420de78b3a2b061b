//! The clauses about a user's list of sessions.

use std::time::Duration;

use super::subject::{LIFETIMES, Opener, Outcome, Reason, ensure, ensure_eq, handles};
use crate::session::{EndReason, Selection, SessionHandle, SessionId};

pub(super) async fn a_user_sees_his_live_sessions_and_nobody_elses(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let one = subject.sign_in("a").await?;
    let two = subject.sign_in("a").await?;
    let gone = subject.sign_in("a").await?;
    let other = subject.sign_in("ab").await?;
    subject.sign_out(&gone).await?;
    ensure_eq!(
        subject.listed("a").await?,
        handles([&one, &two]),
        "`list` does not show exactly the user's live sessions"
    );
    ensure_eq!(
        subject.listed("ab").await?,
        handles([&other]),
        "`list` does not show exactly the user's live sessions"
    );
    ensure_eq!(
        subject.listed("nobody").await?,
        [],
        "`list` shows sessions of a user who has none"
    );

    let with_reader = subject.store.list("a", Some(&one)).await?;
    ensure_eq!(
        with_reader.sessions.len(),
        2,
        "`list` shows another number of sessions to one of them"
    );

    let Some((_, found)) = subject.store.list("ab", None).await?.sessions.pop() else {
        return Err(Reason(
            "`list` does not show a session that it showed before".to_owned(),
        ));
    };
    let mut expected = subject.session_of("ab");
    expected.created_at = found.session.created_at;
    ensure_eq!(
        found.session,
        expected,
        "`list` shows another session than was created"
    );
    ensure!(
        found.expires_in <= LIFETIMES.idle
            && found.expires_in + Duration::from_secs(10) > LIFETIMES.idle,
        "`list` says of a new session that it ends in {:?}, and not after the idle timeout",
        found.expires_in
    );
    Ok(())
}

pub(super) async fn some_sessions_of_a_user_end_and_the_others_stay(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let first = subject.sign_in("a").await?;
    let kept = subject.sign_in("a").await?;
    let rest = [
        subject.sign_in("a").await?,
        subject.sign_in("a").await?,
        subject.sign_in("a").await?,
    ];
    let other = subject.sign_in("b").await?;
    let why = subject.why(EndReason::Ended);
    let end = async |selection| {
        let outcome = subject.store.delete_of_user("a", selection, &why).await?;
        if let Some(failure) = outcome.failure {
            return Err(Reason::from(failure));
        }
        let mut ended = outcome.ended;
        ended.sort();
        Ok(ended)
    };

    let one = Selection::One(SessionHandle::from(&first));
    ensure_eq!(
        end(one).await?,
        handles([&first]),
        "`delete_of_user` of one session does not return exactly that one"
    );
    ensure_eq!(end(one).await?, [], "`delete_of_user` ends a session twice");
    let of_other = Selection::One(SessionHandle::from(&other));
    ensure_eq!(
        end(of_other).await?,
        [],
        "`delete_of_user` ends a session of another user"
    );
    ensure!(
        !subject.is_alive(&first).await?,
        "`touch` finds a session that `delete_of_user` has ended"
    );
    ensure_eq!(
        subject.listed("a").await?.len(),
        4,
        "`delete_of_user` of one session left another number of them"
    );

    let others = Selection::Others(SessionHandle::from(&kept));
    ensure_eq!(
        end(others).await?,
        handles(rest),
        "`delete_of_user` of all others does not return exactly those"
    );
    ensure_eq!(
        subject.listed("a").await?,
        handles([&kept]),
        "`delete_of_user` of all others did not leave exactly one"
    );
    ensure!(
        subject.is_alive(&kept).await?,
        "`delete_of_user` of all others ended the one that was to stay"
    );

    ensure_eq!(
        end(Selection::All).await?,
        handles([&kept]),
        "`delete_of_user` of all does not return the last session"
    );
    ensure_eq!(
        end(Selection::All).await?,
        [],
        "`delete_of_user` of all ends sessions twice"
    );
    for id in [&first, &kept].into_iter().chain(&rest) {
        ensure!(
            !subject.is_alive(id).await?,
            "`touch` finds a session that `delete_of_user` has ended"
        );
    }
    ensure!(
        subject.is_alive(&other).await?,
        "`delete_of_user` ended a session of another user"
    );
    Ok(())
}

pub(super) async fn beyond_the_most_allowed_the_oldest_end(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let mut alive: Vec<SessionId> = Vec::new();
    for _ in 0..6 {
        let id = SessionId::generate();
        let created = subject
            .create(&id, &subject.session_of("a"), None, 3)
            .await?;
        let oldest = (alive.len() == 3).then(|| alive.remove(0));
        ensure_eq!(
            created.evicted,
            handles(oldest),
            "`create` does not return exactly the oldest session beyond the limit"
        );
        if let Some(oldest) = oldest {
            ensure!(
                !subject.is_alive(&oldest).await?,
                "a session beyond the limit lives on"
            );
            let reason = subject
                .store
                .ended(&oldest)
                .await?
                .map(|ended| ended.reason);
            ensure_eq!(
                reason,
                Some(EndReason::OverLimit),
                "`ended` has another reason than `create` was given"
            );
        }
        alive.push(id);
        ensure_eq!(
            subject.listed("a").await?,
            handles(&alive),
            "`list` does not show exactly the youngest sessions"
        );
    }
    let last = SessionId::generate();
    let created = subject
        .create(&last, &subject.session_of("a"), None, 1)
        .await?;
    ensure_eq!(
        created.evicted.len(),
        3,
        "`create` with a lower limit does not end all that are beyond it"
    );
    ensure_eq!(
        subject.listed("a").await?,
        handles([&last]),
        "sessions beyond a lower limit are still listed"
    );
    Ok(())
}

pub(super) async fn many_sign_ins_at_once_leave_no_more_than_allowed(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let mut before = Vec::new();
    for _ in 0..5 {
        let id = SessionId::generate();
        subject
            .create(&id, &subject.session_of("a"), None, 10)
            .await?;
        before.push(id);
    }
    let sign_ins: Vec<_> = (0..50)
        .map(|_| {
            let id = SessionId::generate();
            (id, subject.spawn_create(id, "a", 10))
        })
        .collect();
    let (mut alive, mut evicted) = (Vec::new(), 0);
    let mut begun = Vec::new();
    for (id, sign_in) in sign_ins {
        evicted += sign_in.await??.evicted.len();
        begun.push(id);
    }
    ensure_eq!(
        evicted,
        45,
        "of 55 sessions beyond a limit of 10, not each was returned by exactly one `create`"
    );
    for id in begun {
        if subject.is_alive(&id).await? {
            alive.push(id);
        }
    }
    ensure_eq!(
        alive.len(),
        10,
        "after 50 sign-ins at once another number of sessions is alive than the limit allows"
    );
    ensure_eq!(
        subject.listed("a").await?,
        handles(&alive),
        "`list` does not show exactly those that are alive"
    );
    for id in &before {
        ensure!(
            !subject.is_alive(id).await?,
            "an older session lived on, and younger ones beyond the limit ended"
        );
    }
    Ok(())
}

pub(super) async fn the_stats_count_the_active_sessions(opener: Opener) -> Outcome {
    let subject = opener.open(LIFETIMES).await;
    let empty = subject.store.stats().await;
    ensure!(
        empty.active.is_none_or(|active| active == 0),
        "`stats` counts {:?} sessions in an empty store",
        empty.active
    );
    for number in 0..40 {
        subject.sign_in(&number.to_string()).await?;
    }
    let stats = subject.store.stats().await;
    // An estimate that knows its error may be off by chance; by half of all it is wrong.
    let tolerance = stats.active_error.map_or(0, |error| error.max(20));
    ensure!(
        stats
            .active
            .is_none_or(|active| active.abs_diff(40) <= tolerance),
        "`stats` counts {:?} sessions, and 40 are alive",
        stats.active
    );
    ensure!(
        stats.circuit_open != Some(true),
        "`stats` says that a circuit is open while the store works"
    );
    let is_sound = stats
        .connections
        .is_none_or(|connections| connections.open <= connections.limit);
    ensure!(
        is_sound,
        "`stats` counts more connections than there may be: {:?}",
        stats.connections
    );
    Ok(())
}
