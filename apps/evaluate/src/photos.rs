// SPDX-License-Identifier: MIT OR Apache-2.0
//! Photos with labelled face boxes: a folder with `labels.json` and the pictures in `photos/`.
//!
//! ```json
//! { "a.webp": { "faces": [{ "box": [10, 20, 30, 40] }], "ignore": [[50, 20, 8, 9]] } }
//! ```
//!
//! Boxes are x, y, width and height in pixels. `ignore` is optional; it lists areas in which a detected box is neither
//! right nor wrong. Other keys are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use emotion_core::geometry::Rect;
use serde::Deserialize;

use crate::dataset::Picture;
use crate::error::{Error, Result};

/// A photo and its boxes, in pixels of the photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Photo {
    /// The file.
    pub path: PathBuf,
    /// Boxes of the faces.
    pub faces: Vec<Rect>,
    /// Areas in which a detected box is neither right nor wrong.
    pub ignore: Vec<Rect>,
}

impl Photo {
    /// Reads the picture.
    ///
    /// # Errors
    /// Those of [`Picture::open`].
    pub fn picture(&self) -> Result<Picture> {
        Picture::open(&self.path)
    }
}

#[derive(Deserialize)]
struct Entry {
    faces: Vec<LabelledBox>,
    #[serde(default)]
    ignore: Vec<[f32; 4]>,
}

#[derive(Deserialize)]
struct LabelledBox {
    #[serde(rename = "box")]
    rect: [f32; 4],
}

/// Reads the labels of the photos in `folder`, sorted by name. With `only`, it reads only the photos of these names.
///
/// # Errors
/// [`Error::Io`] or [`Error::Data`] with the path of the labels if they are invalid, or lack a name of `only`.
pub fn read(folder: &Path, only: Option<&BTreeSet<String>>) -> Result<Vec<Photo>> {
    let file = folder.join("labels.json");
    let invalid = |message: String| Error::data(&file, message);
    let text = std::fs::read_to_string(&file).map_err(|source| Error::Io { path: file.clone(), source })?;
    let entries: BTreeMap<String, Entry> =
        serde_json::from_str(&text).map_err(|error| invalid(format!("expected boxes, found {error}")))?;
    if let Some(name) = only.into_iter().flatten().find(|name| !entries.contains_key(*name)) {
        return Err(invalid(format!("expected the photo {name}, which has no labels")));
    }
    let rect = |[x, y, w, h]: [f32; 4]| Rect::new(x, y, w, h);
    let selected = entries.into_iter().filter(|(name, _)| only.is_none_or(|only| only.contains(name)));
    Ok(selected
        .map(|(name, entry)| Photo {
            path: folder.join("photos").join(name),
            faces: entry.faces.into_iter().map(|face| rect(face.rect)).collect(),
            ignore: entry.ignore.into_iter().map(rect).collect(),
        })
        .collect())
}

/// Reads the names in a text file, one per line.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub fn read_names(path: &Path) -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), source })?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect())
}
