// SPDX-License-Identifier: MIT OR Apache-2.0
//! The counts of all sources, for Prometheus.

use emotion_supervise::metrics::{Kind, Page};

use crate::sources::registry::Registry;

/// The page at `/metrics`.
pub fn of(registry: &Registry) -> String {
    let sources = registry.all();
    let mut page = Page::default();
    page.add("emotion_sources", Kind::Gauge, "Sources of the dashboard.", [(&[][..], sources.len() as f64)]);
    let ids: Vec<String> = sources.iter().map(|source| source.id.to_string()).collect();
    let labels: Vec<_> = ids.iter().zip(&sources).map(|(id, source)| [("source", id.as_str()), ("name", source.name.as_str())]).collect();
    let counts: Vec<_> = labels.iter().zip(&sources).map(|(labels, source)| (&labels[..], source.progress.counts())).collect();
    page.add_sources(&counts);
    page.into_text()
}
