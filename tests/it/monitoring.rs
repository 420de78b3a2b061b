//! The alerts for Prometheus and the dashboard for Grafana name what is exported. (`tests/package` asks promtool too.)

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::http;
use crate::support::program::Program;
use crate::support::redis::RedisServer;
use crate::support::scrape::Scrape;

const ALERTS: &str = include_str!("../../examples/deploy/monitoring/alerts.yml");
const DASHBOARD: &str = include_str!("../../examples/deploy/monitoring/dashboard.json");

const ON_A_FREE_PORT: (&str, &str) = ("INNKEEPER_METRICS_ADDRESS", "127.0.0.1:0");

/// The names of all metrics, as a query names them, and the whole text.
fn exported(store: (&str, &str)) -> (BTreeSet<String>, String) {
    let program = Program::start(&[store, ON_A_FREE_PORT]);
    http::log_in(program.port(), "abdullah");
    let text = Scrape::of(program.metrics_port()).text;
    let names = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(['{', ' ']).next().unwrap().to_owned())
        .collect();
    (names, text)
}

fn exported_by_any_store() -> (BTreeSet<String>, String) {
    let redis = RedisServer::start();
    let (mut names, mut text) = exported(("REDIS_URL", &redis.url()));
    let (others, more) = exported(("INNKEEPER_STORE_PATH", ":memory:"));
    names.extend(others);
    text.push_str(&more);
    (names, text)
}

/// The words of a text that look like a metric of the program.
fn metrics_named(text: &str) -> BTreeSet<String> {
    text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
        .filter(|word| word.starts_with("innkeeper_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn alerts_and_dashboard_name_only_metrics_that_are_exported() {
    let (exported, text) = exported_by_any_store();
    for (what, named) in [("alerts", ALERTS), ("dashboard", DASHBOARD)] {
        let named = metrics_named(named);
        assert!(named.len() > 7, "{what}: {named:?}");
        let unknown: Vec<_> = named.difference(&exported).collect();
        assert!(unknown.is_empty(), "{what}: {unknown:?}");
    }
    let chosen = ALERTS.split("reason=\"").skip(1);
    for reason in chosen.map(|rest| rest.split('"').next().unwrap()) {
        let label = format!("reason=\"{reason}\"");
        assert!(text.contains(&label), "{label}");
    }
}

#[test]
fn each_metric_of_ours_stands_on_the_dashboard() {
    let shown = metrics_named(DASHBOARD);
    let (exported, _) = exported_by_any_store();
    let of_histogram = |name: &str| {
        ["_sum", "_count"]
            .iter()
            .find_map(|end| Some(format!("{}_bucket", name.strip_suffix(end)?)))
    };
    for name in exported {
        let shown =
            shown.contains(&name) || of_histogram(&name).is_some_and(|b| shown.contains(&b));
        assert!(shown || name.starts_with("process_"), "{name}");
    }
}

#[test]
fn the_dashboards_panels_have_numbers_places_and_queries_of_their_own() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10);
    let mut cells = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let number = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(number("x") + number("w") <= 24, "{panel}");
        for x in number("x")..number("x") + number("w") {
            for y in number("y")..number("y") + number("h") {
                assert!(cells.insert((x, y)), "two panels at one place: {panel}");
            }
        }
        for target in panel["targets"].as_array().unwrap() {
            assert!(!target["expr"].as_str().unwrap().is_empty(), "{panel}");
        }
    }
}
