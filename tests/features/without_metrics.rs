//! Without metrics.

use std::sync::Arc;

use crate::launch::settings;
use crate::own_store::store;
use crate::problem::problem;

#[tokio::test]
async fn an_address_for_metrics_stops_the_launch() {
    let settings = settings().merge(("innkeeper.metrics_address", "127.0.0.1:0"));
    let stage = innkeeper::stage().store(Arc::new(store(&settings)));
    let said = problem(settings, stage).await;
    assert!(said.contains("metrics_address"), "{said}");
    assert!(said.contains("Innkeeper's feature `metrics`"), "{said}");
}
