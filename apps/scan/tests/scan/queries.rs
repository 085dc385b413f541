// SPDX-License-Identifier: MIT OR Apache-2.0
//! The queries of docs/scan.md, run by DuckDB on the tables of a scan.

use std::path::Path;

use crate::readers::{python, query};
use crate::support::Folder;

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
    assert_eq!(queries.len(), 4);
    let answers = query(&python, &folder, &queries);

    let shares = answers[0].as_array().unwrap();
    assert_eq!(shares.len(), 4, "two labels in two files: {shares:?}");
    assert!(shares.iter().all(|row| row[2] == 0.5), "{shares:?}");
    let means = answers[1].as_array().unwrap();
    let of_video: Vec<_> = means.iter().filter(|row| row[0] == "video.mp4").collect();
    assert!(of_video.len() == 2 && of_video[1][1] == 10.0 && of_video[1][3] == 2, "{means:?}");
    let missing = answers[2].as_array().unwrap();
    assert!(missing.len() == 2 && missing[0][0] == "broken.mp4" && missing[1][1] == "not examined", "{missing:?}");
    assert_eq!(answers[3].as_array().unwrap().len(), 2 + 2 * 30, "no pairs");

    folder.photo("IMG_1.JPG");
    folder.video("IMG_1.mp4", 10, 10);
    folder.run("IMG_1.JPG IMG_1.mp4 --output results.parquet", 0);
    let once = &query(&python, &folder, &queries[3..])[0];
    let files: Vec<_> = once.as_array().unwrap().iter().map(|row| row[0].clone()).collect();
    assert_eq!(files, ["IMG_1.JPG", "IMG_1.JPG"]);
}
