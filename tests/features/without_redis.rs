//! Without Redis.

use crate::launch::settings;
use crate::problem::problem;

#[tokio::test]
async fn a_redis_that_is_configured_stops_the_launch() {
    let settings = settings().merge(("innkeeper.redis_url", "redis://:hush@127.0.0.1:1"));
    let said = problem(settings, innkeeper::stage()).await;
    assert!(said.contains("Innkeeper's feature `redis`"), "{said}");
    assert!(
        said.contains("redis_url") && !said.contains("hush"),
        "{said}"
    );
}
