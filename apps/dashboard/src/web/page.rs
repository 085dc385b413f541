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

/// The content of a file in `page/`.
macro_rules! page {
    ($file:expr) => {
        include_str!(concat!("../../page/", $file))
    };
}

/// The modules in `page/`: file name and content of each.
macro_rules! modules {
    ($($name:literal)*) => {
        [$((concat!($name, ".js"), page!(concat!($name, ".js")))),*]
    };
}

/// Path, type and content of the files that are no modules.
const FILES: [(&str, &str, &str); 3] =
    [("/", HTML, page!("index.html")), ("/style.css", CSS, page!("style.css")), ("/icon.svg", SVG, page!("icon.svg"))];
const MODULES: &[(&str, &str)] = &modules! {
    "add-dialog" "alerts" "app" "appearance" "camera-stream" "camera-tile" "camera-worker" "camera" "dom" "drawn-face" "fleet" "format"
    "head" "labels" "overview" "people" "preferences" "server-clock" "server" "sources" "tile-controls" "tile" "tiles" "timeline-chart"
    "timeline" "totals" "upload"
};

/// Path, type and content of all files, also of the modules that the page of records uses as well.
fn files() -> impl Iterator<Item = (String, &'static str, &'static str)> {
    let modules = MODULES.iter().chain(&SHARED_MODULES).map(|(name, text)| (format!("/{name}"), JAVASCRIPT, *text));
    FILES.iter().map(|&(path, kind, text)| (path.to_owned(), kind, text)).chain(modules)
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
            assert!(files().any(|(_, _, text)| text == content), "{} is not served", entry.path().display());
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
