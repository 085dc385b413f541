// SPDX-License-Identifier: MIT OR Apache-2.0
//! The list of sources, as the page receives it.

use serde_json::{Value, json};

use crate::dashboard::Dashboard;

/// All sources of `dashboard`, and what the server can do.
pub fn of(dashboard: &Dashboard) -> Value {
    let options = &dashboard.options;
    json!({
        "now": dashboard.sources.now_ms(),
        "has_fleet": !dashboard.fleet.brokers.is_empty(),
        "max_sources": options.max_sources,
        "labels": options.labels,
        "sources": dashboard.sources.list(),
    })
}
