// SPDX-License-Identifier: MIT OR Apache-2.0
//! What many requests, sources and files may use.

use test_support::fetched;

use crate::support::{Dashboard, until};

#[test]
fn a_second_report_is_refused_while_one_is_made() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = Dashboard::start("reports", &["media/clip.avi"]);
    if dashboard.get("/api/sources").json()["can_report"] != true {
        return;
    }
    until("a record", || (!dashboard.get("/api/sources/1/records/faces.ndjson").body.is_empty()).then_some(()));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..16).map(|_| scope.spawn(|| dashboard.get("/api/sources/1/report.html").status)).collect();
        requests.into_iter().map(|request| request.join().unwrap()).collect()
    });
    assert!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert_eq!(dashboard.get("/api/sources/1/report.html").status, 200, "the next one");
}
