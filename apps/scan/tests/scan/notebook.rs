// SPDX-License-Identifier: MIT OR Apache-2.0
//! The notebook of the docs, and the commands of the page for researchers, on three clips.

use std::path::Path;

use crate::readers::{python, query, run};
use crate::support::Folder;

/// Runs the code cells of a notebook one after another, without a window. A cell that fails is printed.
const RUN: &str = "\
import json, sys, matplotlib
matplotlib.use('agg')
names = {}
for cell in json.load(open(sys.argv[1]))['cells']:
    if cell['cell_type'] == 'code':
        source = ''.join(cell['source'])
        exec(compile(source, source, 'exec'), names)
print('persons', len(names['persons']), 'bins', len(names['bins']))
";

/// The blocks of the page for researchers in this language.
fn blocks(language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/research.md")).unwrap();
    page.split(&format!("```{language}\n")).skip(1).map(|rest| rest.split("```").next().unwrap().trim().to_owned()).collect()
}

#[test]
fn three_clips_become_tables_annotations_a_page_and_the_figure_of_the_notebook() {
    let (Some(folder), Some(python)) = (Folder::new("notebook"), python()) else { return };
    (1..=3).for_each(|clip| folder.moving_video(&format!("clips/{clip}.mp4"), 20 * clip, 10));
    let command = blocks("sh").remove(0);
    folder.run(command.strip_prefix("emotion-scan ").unwrap(), 0);
    assert!(folder.path("results.elan/clips/3.mp4.eaf").exists());
    let page = folder.read("report.html");
    assert!(page.contains("Every frame was examined with emotion-scan (gst-plugin-emotion ") && page.contains("accuracy 83."), "{page}");
    let rows = &query(&python, &folder, &blocks("sql"))[0];
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");

    let notebook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/notebook.ipynb");
    let printed = run(&python, &folder, RUN, &[notebook.display().to_string()]);
    assert!(printed.contains("6 tracks in 3 files") && printed.contains("persons 6 bins 12"), "{printed}");
    assert!(printed.contains("emotion-scan ") && printed.contains("expression: expression 1, SHA-256 "), "{printed}");
    let picture = std::fs::read(folder.path("happiness.png")).unwrap();
    let keep = Path::new(env!("CARGO_TARGET_TMPDIR")).join("happiness.png");
    std::fs::write(keep, &picture).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 10_000, "{} bytes", picture.len());
}
