//! The clauses about what an operator does.

use std::collections::BTreeMap;

use super::subject::{Opener, Outcome, Reason, Subject, ensure, ensure_eq, handles};
use crate::session::{
    ActiveSession, EndReason, EndedSession, HandlePrefix, SessionHandle, SessionId,
};

pub(super) async fn a_session_ends_by_its_handle_whoevers_it_is(opener: Opener) -> Outcome {
    let subject = opener.open_for_operator().await;
    let store = &subject.store;
    let kept = subject.sign_in("a").await?;
    let ended = subject.sign_in("a").await?;
    let other = subject.sign_in("b").await?;
    let why = subject.why(EndReason::ByOperator);
    let handle = SessionHandle::from(&ended);
    let whose = store.delete_by_handle(handle, &why).await?;
    ensure_eq!(
        whose.as_deref(),
        Some("a"),
        "`delete_by_handle` does not return the user whose session it ended"
    );
    ensure!(
        !subject.is_alive(&ended).await?,
        "`touch` finds a session that `delete_by_handle` has ended"
    );
    let expected = EndedSession {
        user: Some("a".to_owned()),
        ..why.clone()
    };
    ensure_eq!(
        store.ended(&ended).await?,
        Some(expected),
        "`ended` has not the given reason with the session's user"
    );
    ensure_eq!(
        subject.listed("a").await?,
        handles([&kept]),
        "`delete_by_handle` did not end exactly one session"
    );
    ensure_eq!(
        subject.listed("b").await?,
        handles([&other]),
        "`delete_by_handle` ended another user's session"
    );

    let nobodys = SessionHandle::from(&SessionId::generate());
    for over in [handle, nobodys] {
        let whose = store.delete_by_handle(over, &why).await?;
        ensure_eq!(
            whose,
            None,
            "`delete_by_handle` says that it ended a session where there is none"
        );
    }
    Ok(())
}

/// More than a store looks at in one step, and the live ones among them.
async fn open_with_many(opener: &Opener) -> Result<(Subject, Vec<SessionId>), Reason> {
    let subject = opener.open_for_operator().await;
    let mut ids: Vec<_> = (0..2500).map(|_| SessionId::generate()).collect();
    for part in ids.chunks(100) {
        let created: Vec<_> = part
            .iter()
            .zip((0..7).cycle())
            .map(|(id, number)| subject.spawn_create(*id, &format!("user {number}"), 10_000))
            .collect();
        for one in created {
            one.await??;
        }
    }
    for gone in ids.drain(..10) {
        subject.sign_out(&gone).await?;
    }
    Ok((subject, ids))
}

async fn all_listed(subject: &Subject) -> Result<BTreeMap<SessionHandle, ActiveSession>, Reason> {
    let mut all = BTreeMap::new();
    let found = &mut |handle, active| drop(all.insert(handle, active));
    subject.store.list_all(found).await?;
    Ok(all)
}

pub(super) async fn all_sessions_are_listed_whoevers_they_are(opener: Opener) -> Outcome {
    let (subject, ids) = open_with_many(&opener).await?;
    let all = all_listed(&subject).await?;
    let expected = handles(&ids);
    let found: Vec<_> = all.keys().copied().collect();
    ensure!(
        found == expected,
        "`list_all` passed {} sessions, which are not the {} that are alive",
        found.len(),
        expected.len()
    );
    let user = "user 1";
    let of_user = all.iter().filter(|(_, active)| active.session.user == user);
    let of_user: Vec<_> = of_user.map(|(handle, _)| *handle).collect();
    ensure!(
        of_user == subject.listed(user).await?,
        "`list` does not show the same sessions of a user as `list_all`"
    );
    Ok(())
}

pub(super) async fn all_sessions_end_at_once(opener: Opener) -> Outcome {
    let (subject, ids) = open_with_many(&opener).await?;
    let why = subject.why(EndReason::ByOperator);
    let delete_all = async || {
        let outcome = subject.store.delete_all(&why).await?;
        match outcome.failure {
            Some(failure) => Err(Reason::from(failure)),
            None => Ok(outcome.ended.len()),
        }
    };
    ensure_eq!(
        delete_all().await?,
        ids.len(),
        "`delete_all` does not return as many sessions as were alive"
    );
    for id in ids.iter().step_by(100) {
        ensure!(
            !subject.is_alive(id).await?,
            "`touch` finds a session that `delete_all` has ended"
        );
        let ended = subject.store.ended(id).await?;
        let is_kept = ended.is_some_and(|ended| {
            let of_user = ended.user.is_some_and(|user| user.starts_with("user "));
            ended.reason == EndReason::ByOperator && of_user
        });
        ensure!(
            is_kept,
            "`ended` has not the reason that `delete_all` was given, with the session's user"
        );
    }
    ensure_eq!(
        all_listed(&subject).await?.len(),
        0,
        "`list_all` passes sessions that `delete_all` has ended"
    );
    ensure_eq!(
        subject.listed("user 1").await?,
        [],
        "`list` shows sessions that `delete_all` has ended"
    );
    ensure_eq!(delete_all().await?, 0, "`delete_all` ends sessions twice");
    Ok(())
}

pub(super) async fn sessions_are_found_by_the_first_digits_of_their_handles(
    opener: Opener,
) -> Outcome {
    let subject = opener.open_for_operator().await;
    // The first two have handles that begin with the same eight digits, and go on with 4 and 1.
    let [Some(one), Some(two), Some(other)] = [
        "7f856e55-e968-4782-a03f-e300b4d7eef3",
        "52515742-dfa1-47ba-992f-e451d606f5a5",
        "5f3d9b3e-8d3c-4a57-9c1e-1f2e3d4c5b6a",
    ]
    .map(SessionId::parse) else {
        return Err(Reason("the suite's own ids cannot be read".to_owned()));
    };
    for (id, user) in [(&one, "a"), (&two, "b"), (&other, "a")] {
        subject
            .create(id, &subject.session_of(user), None, 100)
            .await?;
    }
    let found = async |digits: &str| {
        let prefix = HandlePrefix::parse(digits);
        let prefix =
            prefix.ok_or_else(|| Reason("the suite's own digits cannot be read".to_owned()))?;
        let mut found: Vec<_> = subject
            .store
            .find(prefix)
            .await?
            .into_iter()
            .map(|(handle, active)| (handle, active.session.user))
            .collect();
        found.sort();
        Ok::<_, Reason>(found)
    };
    let [named_one, named_two, named_other] = [(&one, "a"), (&two, "b"), (&other, "a")]
        .map(|(id, user)| (SessionHandle::from(id), user.to_owned()));
    let both = [named_two.clone(), named_one.clone()];
    ensure_eq!(
        found("c14adc18").await?,
        both,
        "`find` does not find both sessions whose handles begin so"
    );
    let whole = found("c14adc181a681e5a0e4c272b833f7f83").await?;
    ensure_eq!(
        whole,
        [named_two],
        "`find` by a whole handle does not find exactly its session"
    );
    ensure_eq!(
        found("a8fd2542").await?,
        [named_other],
        "`find` does not find exactly the session whose handle begins so"
    );
    ensure_eq!(
        found("c14adc19").await?,
        [],
        "`find` finds a session whose handle begins otherwise"
    );
    subject.sign_out(&two).await?;
    ensure_eq!(
        found("c14adc18").await?,
        [named_one],
        "`find` finds a session that has ended"
    );
    Ok(())
}

pub(super) async fn restoring_the_lists_changes_none_that_is_whole(opener: Opener) -> Outcome {
    let subject = opener.open_for_operator().await;
    let one = subject.sign_in("a").await?;
    let gone = subject.sign_in("a").await?;
    let other = subject.sign_in("b").await?;
    subject.sign_out(&gone).await?;
    let users = ["a", "b", "nobody"].map(str::to_owned);
    subject.store.restore_lists(&users).await?;
    ensure_eq!(
        subject.listed("a").await?,
        handles([&one]),
        "`restore_lists` changed a list that was whole"
    );
    ensure_eq!(
        subject.listed("b").await?,
        handles([&other]),
        "`restore_lists` changed a list that was whole"
    );
    ensure_eq!(
        subject.listed("nobody").await?,
        [],
        "`restore_lists` changed a list that was whole"
    );
    Ok(())
}
