//! The embedded store.

use crate::launch::{client, settings};
use crate::sign_in::is_whole;

#[tokio::test]
async fn sessions_are_kept_in_the_embedded_store() {
    is_whole(&client(settings(), innkeeper::stage()).await).await;
}

#[tokio::test]
async fn sessions_are_kept_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings().merge(("innkeeper.store_path", folder.path()));
    is_whole(&client(settings, innkeeper::stage()).await).await;
    assert!(folder.path().join("sessions.redb").is_file());
}
