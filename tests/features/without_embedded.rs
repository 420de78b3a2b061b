//! Without the embedded store.

use crate::launch::settings;
use crate::problem::problem;

#[tokio::test]
async fn a_launch_without_any_store_says_what_is_missing() {
    let said = problem(settings(), innkeeper::stage()).await;
    assert!(said.contains("Innkeeper's feature `embedded`"), "{said}");
    assert!(said.contains("a store of your own"), "{said}");
}
