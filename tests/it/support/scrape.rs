//! What `GET /metrics` answered, read strictly.

use std::collections::{BTreeMap, BTreeSet};

use super::http;

type Labels = BTreeMap<String, String>;

/// All samples of one scrape. Reading one checks the whole text.
pub(crate) struct Scrape {
    pub(crate) text: String,
    samples: BTreeMap<(String, Labels), f64>,
}

impl Scrape {
    #[track_caller]
    pub(crate) fn of(port: u16) -> Self {
        let answer = http::request(port, "GET /metrics", &[], "");
        assert_eq!(http::status(&answer), 200, "{answer}");
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        let kind = "\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8";
        assert!(head.contains(kind), "{head}");
        assert!(!head.contains("\r\nserver:"), "{head}");
        Self::read(text)
    }

    #[track_caller]
    fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "{text}");
        let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
        let mut helped = BTreeSet::new();
        let mut current = "";
        let mut samples = BTreeMap::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, sentence) = help.split_once(' ').unwrap();
                assert!(helped.insert(name) && !sentence.is_empty(), "{line}");
                current = name;
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(name == current && is_name(name), "{line}");
                assert_eq!(
                    kind == "counter",
                    name.ends_with("_total"),
                    "the name of {line}"
                );
                assert!(kinds.insert(name, kind).is_none(), "{line}");
            } else {
                let (name, labels, value) = sample(line);
                let part = name.strip_prefix(current).unwrap_or_else(|| {
                    panic!("{line} stands below {current}");
                });
                match kinds[current] {
                    "histogram" => {
                        assert!(["_bucket", "_sum", "_count"].contains(&part), "{line}");
                        assert_eq!(labels.contains_key("le"), part == "_bucket", "{line}");
                    }
                    _ => assert_eq!(part, "", "{line}"),
                }
                assert!(value >= 0.0, "{line}");
                assert!(samples.insert((name, labels), value).is_none(), "{line}");
            }
        }
        let scrape = Self {
            text: text.to_owned(),
            samples,
        };
        for (name, _) in kinds.iter().filter(|(_, kind)| **kind == "histogram") {
            scrape.assert_histogram(name);
        }
        scrape
    }

    /// Cumulative buckets, the last of them all.
    #[track_caller]
    fn assert_histogram(&self, name: &str) {
        let (buckets, count) = (format!("{name}_bucket"), format!("{name}_count"));
        let mut rows: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for ((_, labels), value) in self.samples.iter().filter(|((n, _), _)| *n == buckets) {
            let mut labels = labels.clone();
            let limit = labels.remove("le").unwrap().parse().unwrap();
            rows.entry(labels).or_default().push((limit, *value));
        }
        assert!(!rows.is_empty(), "{name}");
        for (labels, mut row) in rows {
            row.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            assert!(row.is_sorted_by_key(|(_, value)| *value), "{name} {row:?}");
            let last = *row.last().unwrap();
            let all = self.samples[&(count.clone(), labels.clone())];
            assert_eq!(last, (f64::INFINITY, all), "{name} {labels:?}");
            assert!(
                self.samples
                    .contains_key(&(format!("{name}_sum"), labels.clone()))
            );
        }
    }

    /// One sample, named as Prometheus writes it.
    pub(crate) fn find(&self, name: &str) -> Option<f64> {
        let (name, labels, _) = sample(&format!("{name} 0"));
        self.samples.get(&(name, labels)).copied()
    }

    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> f64 {
        self.find(name)
            .unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }

    /// How far a counter has moved since an earlier scrape.
    #[track_caller]
    pub(crate) fn moved(&self, before: &Self, name: &str) -> f64 {
        self.value(name) - before.find(name).unwrap_or(0.0)
    }
}

/// Name, labels and value of a line.
#[track_caller]
fn sample(line: &str) -> (String, Labels, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, mut rest) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').unwrap()),
        None => (series, ""),
    };
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"").unwrap();
        assert!(is_name(label) && !label.contains(':'), "{line}");
        let (value, after) = quoted.split_once('"').unwrap();
        assert!(!value.contains('\\'), "nothing of ours is escaped: {line}");
        assert!(labels.insert(label.to_owned(), value.to_owned()).is_none());
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    let value = value.replace("+Inf", "inf").parse().unwrap();
    (name.to_owned(), labels, value)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
