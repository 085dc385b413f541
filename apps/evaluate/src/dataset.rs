// SPDX-License-Identifier: MIT OR Apache-2.0
//! Labelled pictures of faces, read from a folder for each class, or from a table of labels or votes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use emotion_core::geometry::Size;
use emotion_core::image::{Colorimetry, FrameView, PixelFormat, Plane};

use crate::error::{Error, Result};
use crate::truth::{VOTE_COLUMNS, canonical, majority};

/// Extensions of picture files.
const PICTURE_EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "webp", "pgm", "ppm", "pnm"];

/// A decoded picture: full-range greyscale or packed RGB, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width and height.
    pub size: Size,
    /// 1 for greyscale, 3 for RGB.
    pub channels: usize,
    /// The pixels, row by row.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// Reads and decodes a file. A picture without colour stays greyscale; transparency is dropped.
    ///
    /// # Errors
    /// [`Error::Data`] with the file's path if it cannot be read or decoded.
    pub fn open(path: &Path) -> Result<Self> {
        let decoded = image::open(path).map_err(|error| Error::data(path, error))?;
        let size = Size::new(decoded.width(), decoded.height());
        let (channels, pixels) =
            if decoded.color().has_color() { (3, decoded.into_rgb8().into_raw()) } else { (1, decoded.into_luma8().into_raw()) };
        Ok(Self { size, channels, pixels })
    }

    /// A view of the picture as a frame.
    ///
    /// # Errors
    /// [`Error::Core`] if it is empty.
    pub fn view(&self) -> Result<FrameView<'_>> {
        let format = if self.channels == 1 { PixelFormat::Gray8 } else { PixelFormat::Rgb };
        let plane = Plane { data: &self.pixels, stride: self.size.width as usize * self.channels };
        Ok(FrameView::new(format, self.size, &[plane], Colorimetry::default())?)
    }
}

/// A picture of a face and its labels.
#[derive(Clone, Debug)]
pub struct Example {
    file: PathBuf,
    /// Index of the class in [`Dataset::labels`], if the picture has a label.
    pub label: Option<usize>,
    /// Index in [`FERPLUS_LABELS`](emotion_core::scores::FERPLUS_LABELS) by the majority of votes, if there is one.
    pub majority: Option<usize>,
}

impl Example {
    /// Reads the picture.
    ///
    /// # Errors
    /// Those of [`Picture::open`].
    pub fn picture(&self) -> Result<Picture> {
        Picture::open(&self.file)
    }
}

/// Labelled pictures of faces.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The path that was opened.
    pub path: PathBuf,
    /// Classes of the labels; empty if there are only votes.
    pub labels: Vec<String>,
    /// The pictures.
    pub examples: Vec<Example>,
}

impl Dataset {
    /// Reads the data set at `path`, which is one of
    ///
    /// - a folder that contains a folder of pictures for each class, named after the class;
    /// - a folder with `labels.csv`, or such a table itself: a column `file`, relative to the table, and a column `label`
    ///   or the [`VOTE_COLUMNS`], or both; an empty cell means that there is no label.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Data`] with the path, what was expected there and what was found.
    pub fn open(path: &Path) -> Result<Self> {
        let data = match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => read_table(path),
            _ if path.join("labels.csv").is_file() => read_table(&path.join("labels.csv")),
            _ => read_folders(path),
        }?;
        if data.examples.is_empty() {
            return Err(Error::data(path, "expected labelled pictures, found none"));
        }
        Ok(data)
    }
}

/// The entries of a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| Error::Io { path: folder.into(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?.map(|entry| Ok(entry.map_err(failed)?.path()));
    let mut entries = entries.collect::<Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    extension.is_some_and(|extension| PICTURE_EXTENSIONS.contains(&extension.as_str()))
}

fn read_folders(path: &Path) -> Result<Dataset> {
    let (mut labels, mut examples) = (Vec::new(), Vec::new());
    for folder in entries(path)?.into_iter().filter(|entry| entry.is_dir()) {
        let pictures: Vec<_> = entries(&folder)?.into_iter().filter(|file| is_picture(file)).collect();
        if pictures.is_empty() {
            continue;
        }
        let name = canonical(&folder.file_name().unwrap_or_default().to_string_lossy());
        let label = labels.iter().position(|label| *label == name).unwrap_or_else(|| {
            labels.push(name);
            labels.len() - 1
        });
        examples.extend(pictures.into_iter().map(|file| Example { file, label: Some(label), majority: None }));
    }
    if examples.is_empty() {
        return Err(Error::data(path, "expected labels.csv, or a folder of pictures for each class; found neither"));
    }
    Ok(Dataset { path: path.into(), labels, examples })
}

fn read_table(path: &Path) -> Result<Dataset> {
    let failed = |error: csv::Error| Error::data(path, error);
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(failed)?;
    let header: Vec<_> = table.headers().map_err(failed)?.iter().map(canonical).collect();
    let column = |name: &str| header.iter().position(|column| column == name);
    let file = column("file").ok_or_else(|| Error::data(path, format!("expected a column file, found {}", header.join(", "))))?;
    let votes: Option<Vec<_>> = VOTE_COLUMNS.iter().map(|name| column(name)).collect();
    let label = column("label");
    if votes.is_none() && label.is_none() {
        let found = header.join(", ");
        return Err(Error::data(path, format!("expected a column label or all of {}, found {found}", VOTE_COLUMNS.join(", "))));
    }
    let rows = table.records().collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
    let name_of = |row: &csv::StringRecord| label.map(|column| canonical(&row[column])).filter(|name| !name.is_empty());
    let labels: Vec<_> = rows.iter().filter_map(name_of).collect::<BTreeSet<_>>().into_iter().collect();
    let mut examples = Vec::with_capacity(rows.len());
    for row in &rows {
        let votes = votes.as_ref().map(|columns| read_votes(path, row, columns)).transpose()?;
        examples.push(Example {
            file: path.with_file_name(&row[file]),
            label: name_of(row).and_then(|name| labels.iter().position(|label| *label == name)),
            majority: votes.as_ref().and_then(majority),
        });
    }
    Ok(Dataset { path: path.into(), labels, examples })
}

fn read_votes(path: &Path, row: &csv::StringRecord, columns: &[usize]) -> Result<[u8; 10]> {
    let mut votes = [0; 10];
    for ((votes, &column), name) in votes.iter_mut().zip(columns).zip(VOTE_COLUMNS) {
        let cell = &row[column];
        let line = row.position().map_or(0, csv::Position::line);
        let failed = |_| Error::data(path, format!("line {line}: expected a number of votes for {name}, found {cell:?}"));
        *votes = if cell.is_empty() { 0 } else { cell.parse().map_err(failed)? };
    }
    Ok(votes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("gst-emotion-dataset-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn save(path: &Path, grey: u8) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::GrayImage::from_pixel(4, 3, image::Luma([grey])).save(path).unwrap();
    }

    #[test]
    fn folders_are_classes() {
        let folder = scratch("folders");
        save(&folder.join("Happy/1.png"), 10);
        save(&folder.join("Sad/2.png"), 20);
        std::fs::write(folder.join("Sad/notes.txt"), "").unwrap();
        let data = Dataset::open(&folder).unwrap();
        assert_eq!(data.labels, ["happiness", "sadness"]);
        assert_eq!(data.examples.iter().map(|example| example.label).collect::<Vec<_>>(), [Some(0), Some(1)]);
        let picture = data.examples[1].picture().unwrap();
        assert_eq!((picture.size, picture.channels, picture.pixels[0]), (Size::new(4, 3), 1, 20));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn tables_have_labels_and_votes() {
        let folder = scratch("table");
        let table = folder.join("labels.csv");
        let votes = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF";
        std::fs::write(&table, format!("file,label,{votes}\na.png,Fear,0,0,7,0,0,0,3,0,0,0\nb.png,,5,5,0,0,0,0,0,0,0,0\n")).unwrap();
        let data = Dataset::open(&folder).unwrap();
        assert_eq!(data.labels, ["fear"]);
        assert_eq!((data.examples[0].label, data.examples[0].majority), (Some(0), Some(2)));
        assert_eq!((data.examples[1].label, data.examples[1].majority), (None, None));
        let missing = data.examples[0].picture().unwrap_err().to_string();
        assert!(missing.contains("a.png"), "{missing}");
        std::fs::write(&table, format!("file,{votes}\na.png,0,0,many,0,0,0,3,0,0,0\n")).unwrap();
        let error = Dataset::open(&table).unwrap_err().to_string();
        assert!(error.contains("line 2: expected a number of votes for surprise, found \"many\""), "{error}");
        std::fs::write(&table, "file,mood\na.png,good\n").unwrap();
        let error = Dataset::open(&table).unwrap_err().to_string();
        assert!(error.contains("expected a column label") && error.contains("found file, mood"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_error_for_other_folders_says_what_was_expected() {
        let folder = scratch("other");
        let error = Dataset::open(&folder).unwrap_err().to_string();
        assert!(error.contains("expected labels.csv, or a folder of pictures for each class"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
        assert!(matches!(Dataset::open("/nowhere/at/all".as_ref()), Err(Error::Io { .. })));
    }
}
