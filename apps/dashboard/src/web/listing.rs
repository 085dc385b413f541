// SPDX-License-Identifier: MIT OR Apache-2.0
//! The list of sources, as the page receives it.

use std::sync::LazyLock;

use emotion_supervise::report;
use serde_json::{Value, json};

use crate::sources::registry::Registry;

/// All sources of `registry`, and what the server can do.
pub fn of(registry: &Registry) -> Value {
    let options = registry.options();
    json!({
        "now": registry.now_ms(),
        "has_fleet": !registry.fleet.brokers.is_empty(),
        "can_report": can_report(),
        "max_sources": options.max_sources,
        "labels": options.labels,
        "sources": registry.list(),
    })
}

fn can_report() -> bool {
    static CAN_REPORT: LazyLock<bool> = LazyLock::new(report::is_possible);
    *CAN_REPORT
}
