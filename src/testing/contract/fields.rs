//! The clauses about the application's own fields.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::subject::{Opener, Outcome, Reason, ensure, ensure_eq};
use crate::session::{SessionId, WriteOutcome};

pub(super) async fn fields_are_written_one_by_one(opener: Opener) -> Outcome {
    let (subject, id) = opener.open_with_one().await?;
    for (field, value) in [
        ("basket", Some("[1,2]")),
        ("basket", Some("[1,2,3]")),
        ("theme", None),
        ("never", None),
    ] {
        let outcome = subject.store.write(&id, field, value, 10).await?;
        ensure_eq!(
            outcome,
            WriteOutcome::Written,
            "`write` of `{field}` with {value:?} did not succeed"
        );
    }
    let expected = BTreeMap::from([("basket".to_owned(), "[1,2,3]".to_owned())]);
    ensure_eq!(
        subject.data(&id).await?,
        expected,
        "the session has other fields than were written"
    );
    Ok(())
}

pub(super) async fn writes_of_different_fields_at_once_all_last(opener: Opener) -> Outcome {
    let (subject, id) = opener.open_with_one().await?;
    let writes: Vec<_> = (0..20)
        .map(|number| {
            let store = Arc::clone(&subject.store);
            tokio::spawn(async move {
                let field = format!("field {number}");
                store
                    .write(&id, &field, Some(&number.to_string()), 100)
                    .await
            })
        })
        .collect();
    for write in writes {
        ensure_eq!(
            write.await??,
            WriteOutcome::Written,
            "a `write` beside others did not succeed"
        );
    }
    let data = subject.data(&id).await?;
    for number in 0..20 {
        let found = data.get(&format!("field {number}"));
        ensure_eq!(
            found,
            Some(&number.to_string()),
            "a field is not what was written, at the same time as others (is the record written as a whole?)"
        );
    }
    Ok(())
}

pub(super) async fn an_ended_session_takes_no_field(opener: Opener) -> Outcome {
    let (subject, id) = opener.open_with_one().await?;
    subject.sign_out(&id).await?;
    for (id, value) in [
        (id, Some("1")),
        (id, None),
        (SessionId::generate(), Some("1")),
    ] {
        let outcome = subject.store.write(&id, "x", value, 10).await?;
        ensure_eq!(
            outcome,
            WriteOutcome::NoSession,
            "`write` does not say that the session is over"
        );
        ensure!(
            !subject.is_alive(&id).await?,
            "`write` made a session, or brought one back"
        );
    }
    Ok(())
}

pub(super) async fn a_session_has_only_so_many_fields(opener: Opener) -> Outcome {
    let (subject, id) = opener.open_with_one().await?;
    // One is there already.
    for (field, expected) in [
        ("second", WriteOutcome::Written),
        ("third", WriteOutcome::TooManyFields),
        ("second", WriteOutcome::Written),
    ] {
        let outcome = subject.store.write(&id, field, Some("1"), 2).await?;
        ensure_eq!(
            outcome,
            expected,
            "`write` of `{field}`, of at most two fields, had another outcome"
        );
    }
    ensure_eq!(
        subject.data(&id).await?.len(),
        2,
        "the session has another number of fields"
    );
    Ok(())
}

pub(super) async fn own_fields_are_kept_apart(opener: Opener) -> Outcome {
    let (subject, id) = opener.open_with_one().await?;
    let before = subject.session(&id).await?;
    for (field, value) in [
        ("_proved", Some("2")),
        ("_notice", Some("a b")),
        ("_gone", None),
    ] {
        // The session has one of the application's fields, and may have no more.
        let outcome = subject.store.write(&id, field, value, 1).await?;
        ensure_eq!(
            outcome,
            WriteOutcome::Written,
            "`write` of Innkeeper's own `{field}` did not succeed (does it count to the application's fields?)"
        );
    }
    let after = subject.session(&id).await?;
    let [proved, notice] = [("_proved", "2"), ("_notice", "a b")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    ensure_eq!(
        &after.own,
        &BTreeMap::from([proved, notice]),
        "the session has other fields of Innkeeper's own than were written"
    );
    ensure_eq!(
        &after.data,
        &before.data,
        "a field of Innkeeper's own changed the application's"
    );
    ensure_eq!(
        subject.store.write(&id, "second", Some("1"), 2).await?,
        WriteOutcome::Written,
        "`write` counts Innkeeper's own fields to the application's"
    );
    subject.store.write(&id, "_notice", None, 1).await?;
    ensure!(
        !subject.session(&id).await?.own.contains_key("_notice"),
        "`write` did not remove a field of Innkeeper's own"
    );
    let listed = subject.store.list("a", None).await?.sessions.pop();
    ensure_eq!(
        listed.map(|(_, active)| active.session.own.len()),
        Some(1),
        "`list` shows other fields of Innkeeper's own than were written"
    );
    Ok(())
}

pub(super) async fn an_own_field_for_others_reaches_them_alone(opener: Opener) -> Outcome {
    let (subject, writer) = opener.open_with_one().await?;
    let (other, third) = (subject.sign_in("a").await?, subject.sign_in("a").await?);
    let (ended, stranger) = (subject.sign_in("a").await?, subject.sign_in("b").await?);
    subject.sign_out(&ended).await?;
    let write = subject.store.write_others("a", &writer, "_notice", "1 x");
    let written = write.await?;
    // The default writes none.
    ensure!(
        written == 0 || written == 2,
        "`write_others` says that {written} of two other sessions have the field"
    );
    let has = async |id: &SessionId| -> Result<bool, Reason> {
        let own = subject.session(id).await?.own;
        Ok(own.get("_notice").is_some_and(|value| value == "1 x"))
    };
    for id in [&other, &third] {
        ensure_eq!(
            has(id).await?,
            written == 2,
            "`write_others` says that {written} of two other sessions have the field, and one of them differs"
        );
    }
    for id in [&writer, &stranger] {
        ensure!(
            !has(id).await?,
            "`write_others` wrote to the session that it was to leave out, or to another user's"
        );
    }
    ensure!(
        !subject.is_alive(&ended).await?,
        "`write_others` brought a session back"
    );
    Ok(())
}
