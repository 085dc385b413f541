// SPDX-License-Identifier: MIT OR Apache-2.0
//! The files of the page, embedded in the program.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use emotion_page::SHARED_MODULES;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
/// Browsers run a module only if it has this type.
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A table of path, type and content of files in `page/`.
macro_rules! files {
    ($($path:literal: $file:literal, $kind:ident;)*) => {
        [$(($path, $kind, include_str!(concat!("../../page/", $file)))),*]
    };
}

const FILES: &[(&str, &str, &str)] = &files! {
    "/": "index.html", HTML;
    "/style.css": "style.css", CSS;
    "/icon.svg": "icon.svg", SVG;
    "/add-dialog.js": "add-dialog.js", JAVASCRIPT;
    "/alerts.js": "alerts.js", JAVASCRIPT;
    "/app.js": "app.js", JAVASCRIPT;
    "/appearance.js": "appearance.js", JAVASCRIPT;
    "/camera-stream.js": "camera-stream.js", JAVASCRIPT;
    "/camera-tile.js": "camera-tile.js", JAVASCRIPT;
    "/camera-worker.js": "camera-worker.js", JAVASCRIPT;
    "/camera.js": "camera.js", JAVASCRIPT;
    "/dom.js": "dom.js", JAVASCRIPT;
    "/drawn-face.js": "drawn-face.js", JAVASCRIPT;
    "/fleet.js": "fleet.js", JAVASCRIPT;
    "/format.js": "format.js", JAVASCRIPT;
    "/head.js": "head.js", JAVASCRIPT;
    "/labels.js": "labels.js", JAVASCRIPT;
    "/overview.js": "overview.js", JAVASCRIPT;
    "/people.js": "people.js", JAVASCRIPT;
    "/preferences.js": "preferences.js", JAVASCRIPT;
    "/server-clock.js": "server-clock.js", JAVASCRIPT;
    "/server.js": "server.js", JAVASCRIPT;
    "/sources.js": "sources.js", JAVASCRIPT;
    "/tile-controls.js": "tile-controls.js", JAVASCRIPT;
    "/tile.js": "tile.js", JAVASCRIPT;
    "/tiles.js": "tiles.js", JAVASCRIPT;
    "/timeline-chart.js": "timeline-chart.js", JAVASCRIPT;
    "/timeline.js": "timeline.js", JAVASCRIPT;
    "/totals.js": "totals.js", JAVASCRIPT;
    "/upload.js": "upload.js", JAVASCRIPT;
};

/// Path, type and content of all files, also of the modules that the page of records uses as well.
fn files() -> impl Iterator<Item = (String, &'static str, &'static str)> {
    let shared = SHARED_MODULES.iter().map(|(name, text)| (format!("/{name}"), JAVASCRIPT, *text));
    FILES.iter().map(|&(path, kind, text)| (path.to_owned(), kind, text)).chain(shared)
}

/// Serves each file at its path.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    files()
        .fold(Router::new(), |router, (path, kind, text)| router.route(&path, get(move || async move { ([(CONTENT_TYPE, kind)], text) })))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let content = std::fs::read_to_string(entry.path()).unwrap();
            let served = FILES.iter().find(|(_, _, text)| *text == content);
            assert!(served.is_some(), "{} is not in the table", entry.path().display());
        }
    }

    #[test]
    fn every_imported_module_is_served_as_javascript() {
        for (path, _, text) in files() {
            for name in text.lines().filter_map(|line| line.split_once(" from \"./")).filter_map(|(_, rest)| rest.strip_suffix("\";")) {
                let module = files().find(|(path, ..)| path.strip_prefix('/') == Some(name));
                assert_eq!(module.map(|(_, kind, _)| kind), Some(JAVASCRIPT), "{path} imports {name}");
            }
        }
    }
}
