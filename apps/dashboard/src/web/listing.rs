// SPDX-License-Identifier: MIT OR Apache-2.0
//! The list of sources, as the page receives it.

use std::sync::LazyLock;

use emotion_supervise::report;
use serde_json::{Value, json};

use crate::dashboard::Dashboard;

/// All sources of `dashboard`, and what the server can do.
pub fn of(dashboard: &Dashboard) -> Value {
    let options = &dashboard.options;
    json!({
        "now": dashboard.sources.now_ms(),
        "has_fleet": !dashboard.fleet.brokers.is_empty(),
        "can_report": can_report(),
        "max_sources": options.max_sources,
        "labels": options.labels,
        "sources": dashboard.sources.list(),
    })
}

fn can_report() -> bool {
    static CAN_REPORT: LazyLock<bool> = LazyLock::new(report::is_possible);
    *CAN_REPORT
}
