// SPDX-License-Identifier: MIT OR Apache-2.0
//! The queries of docs/scan.md, run by DuckDB on the tables of a scan.

use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::left_out;

use crate::support::{Folder, ended};

/// Runs each query and prints its rows as JSON, one query on each line.
const PROGRAM: &str = "\
import duckdb, json, sys
for query in sys.argv[1:]:
    print(json.dumps(duckdb.sql(query).fetchall(), default=str))
";

/// The Python of `make test`, with DuckDB. Without it, a bare `cargo test` skips the test.
fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let python = target.join("scan/readers/bin/python");
    let found = Command::new(&python).args(["-c", "import duckdb"]).output().is_ok_and(|output| output.status.success());
    if !found {
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "no DuckDB for {}; make test installs it", python.display());
        left_out::note("no DuckDB; make test installs it");
    }
    found.then_some(python)
}

/// The queries of the page.
fn queries() -> Vec<String> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scan.md")).unwrap();
    page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_queries_of_the_docs_give_the_rows_that_they_promise() {
    let (Some(folder), Some(python)) = (Folder::new("queries"), python()) else { return };
    folder.photo("photo.jpg");
    folder.video("video.mp4", 30, 2);
    folder.write("notes.txt", b"hello");
    folder.write("broken.mp4", b"");
    folder.run("photo.jpg video.mp4 notes.txt broken.mp4 --output results.parquet", 3);
    let queries = queries();
    assert_eq!(queries.len(), 3);
    let output = Command::new(python).args(["-c", PROGRAM]).args(&queries).current_dir(folder.path("")).output().unwrap();
    let answers: Vec<serde_json::Value> = ended(output, 0).lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    let shares = answers[0].as_array().unwrap();
    assert_eq!(shares.len(), 4, "two labels in two files: {shares:?}");
    assert!(shares.iter().all(|row| row[2] == 0.5), "{shares:?}");
    let means = answers[1].as_array().unwrap();
    let of_video: Vec<_> = means.iter().filter(|row| row[0] == "video.mp4").collect();
    assert!(of_video.len() == 2 && of_video[1][1] == 10.0 && of_video[1][3] == 2, "{means:?}");
    let missing = answers[2].as_array().unwrap();
    assert!(missing.len() == 2 && missing[0][0] == "broken.mp4" && missing[1][1] == "not examined", "{missing:?}");
}
