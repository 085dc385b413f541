// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs that are not ours and read what a scan writes: Python packages in the virtual environment of `make test`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use test_support::left_out;

use crate::support::{Folder, ended};

/// Runs each query and prints its rows as JSON, one query on each line.
const QUERIES: &str = "\
import duckdb, json, sys
for query in sys.argv[1:]:
    print(json.dumps(duckdb.sql(query).fetchall(), default=str))
";

/// Succeeds if the packages of requirements.txt are installed; importing them would take seconds.
const FIND: &str = "\
from importlib.util import find_spec
assert all(find_spec(name) for name in ('duckdb', 'frictionless', 'matplotlib', 'pandas', 'pympi', 'tgt'))
";

/// The Python of `make test`, with the packages of requirements.txt. Without them, a bare `cargo test` skips the test.
pub fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let python = target.join("scan/readers/bin/python");
    let found = Command::new(&python).args(["-c", FIND]).output().is_ok_and(|output| output.status.success());
    if !found {
        let message = "packages of apps/scan/tests/requirements.txt are missing; make test installs them";
        assert!(std::env::var_os("GST_EMOTION_REQUIRE_MODELS").is_none(), "{}: {message}", python.display());
        left_out::note(message);
    }
    found.then_some(python)
}

/// Runs a Python program in the folder and returns what it prints.
pub fn run(python: &Path, folder: &Folder, program: &str, arguments: &[String]) -> String {
    ended(Command::new(python).args(["-c", program]).args(arguments).current_dir(folder.path("")).output().unwrap(), 0)
}

/// The rows of each query, by DuckDB.
pub fn query(python: &Path, folder: &Folder, queries: &[String]) -> Vec<Value> {
    run(python, folder, QUERIES, queries).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
