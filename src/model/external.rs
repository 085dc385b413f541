// SPDX-License-Identifier: MIT OR Apache-2.0
//! Weights that an ONNX file keeps in other files ("external data").
//!
//! A model is handed to the runtime from memory, where it has no folder: the runtime would look for such files in the
//! working directory of the process. So they are read here, from beside the model, and put into the graph.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use crate::error::{Error, Result};
use crate::model::onnx::{Edit, MODEL_GRAPH, edit_fields, fields, push_bytes, push_number};

/// Field numbers of `onnx.proto` on the way to a graph's tensors, and within a tensor.
const GRAPH_NODE: u64 = 1;
const GRAPH_INITIALIZER: u64 = 5;
const NODE_ATTRIBUTE: u64 = 5;
const ATTRIBUTE_TENSOR: u64 = 5;
const ATTRIBUTE_GRAPH: u64 = 6;
const ATTRIBUTE_TENSORS: u64 = 10;
const ATTRIBUTE_GRAPHS: u64 = 11;
const TENSOR_RAW_DATA: u64 = 9;
const TENSOR_EXTERNAL_DATA: u64 = 13;
const TENSOR_DATA_LOCATION: u64 = 14;
const ENTRY_KEY: u64 = 1;
const ENTRY_VALUE: u64 = 2;
/// Values of `DataLocation`.
const DEFAULT: u64 = 0;
const EXTERNAL: u64 = 1;

/// Graphs within graphs are looked into this deep; protocol buffers refuse more.
const MAX_DEPTH: u32 = 20;
/// Most bytes of other files: a protocol buffer holds no more.
const MAX_BYTES: u64 = i32::MAX as u64;

/// The model `bytes` of the file `path` with the values of all tensors in it; none if they are already, or if the bytes
/// are not a protocol buffer.
///
/// # Errors
/// [`Error::Model`] if a file is missing, too short, too large, or not in the model's own folder or one below.
pub(super) fn inline(path: &Path, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut loader = Loader { model: path, loaded: 0, failed: None, found: false };
    let inlined = edit_fields(bytes, &mut |field, graph| match field {
        MODEL_GRAPH => loader.graph(graph, 0).map(Edit::Replace),
        _ => Some(Edit::Keep),
    });
    match loader.failed {
        Some(error) => Err(error),
        None => Ok(inlined.filter(|_| loader.found)),
    }
}

struct Loader<'a> {
    model: &'a Path,
    /// Bytes of other files so far.
    loaded: u64,
    /// Why the walk stopped.
    failed: Option<Error>,
    /// Whether any tensor was external.
    found: bool,
}

impl Loader<'_> {
    fn graph(&mut self, graph: &[u8], depth: u32) -> Option<Vec<u8>> {
        edit_fields(graph, &mut |field, payload| match field {
            GRAPH_INITIALIZER => self.tensor(payload),
            GRAPH_NODE if depth < MAX_DEPTH => self.node(payload, depth).map(Edit::Replace),
            _ => Some(Edit::Keep),
        })
    }

    fn node(&mut self, node: &[u8], depth: u32) -> Option<Vec<u8>> {
        edit_fields(node, &mut |field, attribute| {
            if field != NODE_ATTRIBUTE {
                return Some(Edit::Keep);
            }
            let attribute = edit_fields(attribute, &mut |field, payload| match field {
                ATTRIBUTE_TENSOR | ATTRIBUTE_TENSORS => self.tensor(payload),
                ATTRIBUTE_GRAPH | ATTRIBUTE_GRAPHS => self.graph(payload, depth + 1).map(Edit::Replace),
                _ => Some(Edit::Keep),
            });
            attribute.map(Edit::Replace)
        })
    }

    /// Puts the values of a tensor into it, if they are elsewhere.
    fn tensor(&mut self, tensor: &[u8]) -> Option<Edit> {
        if fields(tensor).filter(|field| field.number == TENSOR_DATA_LOCATION).last().and_then(|field| field.value) != Some(EXTERNAL) {
            return Some(Edit::Keep);
        }
        self.found = true;
        let values = self.values(tensor).map_err(|error| self.failed = Some(error)).ok()?;
        let mut inlined = edit_fields(tensor, &mut |field, _| {
            Some(if matches!(field, TENSOR_EXTERNAL_DATA | TENSOR_RAW_DATA) { Edit::Drop } else { Edit::Keep })
        })?;
        push_bytes(&mut inlined, TENSOR_RAW_DATA, &values);
        // The last value of a field counts.
        push_number(&mut inlined, TENSOR_DATA_LOCATION, DEFAULT);
        Some(Edit::Replace(inlined))
    }

    /// Reads the values of a tensor from where it says that they are.
    fn values(&mut self, tensor: &[u8]) -> Result<Vec<u8>> {
        let wrong = |(expected, found): (String, String)| Error::Model { path: self.model.into(), expected, found };
        let ExternalData { location, offset, length } = ExternalData::of(tensor).map_err(wrong)?;
        let file = self.model.with_file_name(location);
        let name = file.display();
        let unreadable = |error: std::io::Error| wrong((format!("external data in {name}"), error.to_string()));
        let metadata = std::fs::metadata(&file).map_err(unreadable)?;
        if !metadata.is_file() {
            // To open a pipe would wait for somebody who writes to it.
            return Err(wrong((format!("external data in {name}"), "no regular file".into())));
        }
        let length = length.unwrap_or(metadata.len().saturating_sub(offset));
        if offset.checked_add(length).is_none_or(|end| end > metadata.len()) {
            let expected = format!("{length} bytes of external data from {offset} on in {name}");
            return Err(wrong((expected, format!("{} bytes", metadata.len()))));
        }
        if length > MAX_BYTES - self.loaded {
            return Err(wrong((format!("at most {MAX_BYTES} bytes of external data"), format!("{} and more", self.loaded + length))));
        }
        let values = read(&file, offset, length).map_err(unreadable)?;
        self.loaded += length;
        Ok(values)
    }
}

/// Where the values of a tensor are.
struct ExternalData<'a> {
    /// Path of the file from the model's folder on.
    location: &'a str,
    offset: u64,
    /// None for all that follows.
    length: Option<u64>,
}

impl<'a> ExternalData<'a> {
    /// What the tensor says, or what it should say and what it does.
    fn of(tensor: &'a [u8]) -> std::result::Result<Self, (String, String)> {
        let text = |entry: &'a [u8], number| {
            let field = fields(entry).find(|field| field.number == number)?;
            std::str::from_utf8(field.payload?).ok()
        };
        let entries = || fields(tensor).filter(|field| field.number == TENSOR_EXTERNAL_DATA).filter_map(|field| field.payload);
        let value = |key: &str| entries().find(|entry| text(entry, ENTRY_KEY) == Some(key)).and_then(|entry| text(entry, ENTRY_VALUE));
        let location = value("location").unwrap_or_default();
        if !is_below(location) {
            return Err(("external data in its own folder".into(), format!("{location:?}")));
        }
        let number = |key: &str| {
            let wrong = |text: &str| (format!("{key} of the external data {location} as a number"), format!("{text:?}"));
            value(key).map(|text| text.parse::<u64>().map_err(|_| wrong(text))).transpose()
        };
        Ok(Self { location, offset: number("offset")?.unwrap_or(0), length: number("length")? })
    }
}

/// True for the path of a file in a folder or one below it, as far as the path tells: links are followed.
fn is_below(location: &str) -> bool {
    let named = Path::new(location).components().filter(|part| *part != Component::CurDir);
    let mut named = named.map(|part| matches!(part, Component::Normal(_))).peekable();
    named.peek().is_some() && named.all(|normal| normal)
}

fn read(file: &Path, offset: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut values = Vec::new();
    file.take(length).read_to_end(&mut values)?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(parts: &[(u64, &[u8])]) -> Vec<u8> {
        let mut message = Vec::new();
        parts.iter().for_each(|(number, payload)| push_bytes(&mut message, *number, payload));
        message
    }

    /// A tensor whose values lie in `location`.
    fn external(location: &str) -> Vec<u8> {
        let entry = message(&[(ENTRY_KEY, b"location"), (ENTRY_VALUE, location.as_bytes())]);
        let mut tensor = message(&[(TENSOR_EXTERNAL_DATA, &entry)]);
        push_number(&mut tensor, TENSOR_DATA_LOCATION, EXTERNAL);
        tensor
    }

    /// A model whose constant node, in a branch of another node, is `tensor`.
    fn nested(tensor: &[u8]) -> Vec<u8> {
        let constant = message(&[(NODE_ATTRIBUTE, &message(&[(ATTRIBUTE_TENSOR, tensor)]))]);
        let branch = message(&[(GRAPH_NODE, &constant)]);
        let node = message(&[(NODE_ATTRIBUTE, &message(&[(ATTRIBUTE_GRAPH, &branch)]))]);
        message(&[(MODEL_GRAPH, &message(&[(GRAPH_NODE, &node)]))])
    }

    #[test]
    fn constants_of_inner_graphs_are_read_too() {
        let folder = std::env::temp_dir().join(format!("gst-emotion-inner-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("w.bin"), [1, 2, 3]).unwrap();
        let inlined = inline(&folder.join("net.onnx"), &nested(&external("w.bin"))).unwrap();
        let mut expected = message(&[]);
        push_number(&mut expected, TENSOR_DATA_LOCATION, EXTERNAL);
        push_bytes(&mut expected, TENSOR_RAW_DATA, &[1, 2, 3]);
        push_number(&mut expected, TENSOR_DATA_LOCATION, DEFAULT);
        assert_eq!(inlined, Some(nested(&expected)));
        assert_eq!(inline(&folder.join("net.onnx"), &nested(&[])).unwrap(), None, "nothing to read");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_files_below_the_models_folder_are_read() {
        assert!(is_below("w.bin") && is_below("parts/w.bin") && is_below("./w.bin"));
        for location in ["", "/etc/passwd", "../w.bin", "parts/../../w.bin", "."] {
            assert!(!is_below(location), "{location}");
            assert!(inline(Path::new("/nowhere/net.onnx"), &nested(&external(location))).is_err(), "{location}");
        }
    }

    #[test]
    fn graphs_without_end_are_not_followed() {
        let mut graph = Vec::new();
        for _ in 0..5_000 {
            let attribute = message(&[(ATTRIBUTE_GRAPH, &graph)]);
            graph = message(&[(GRAPH_NODE, &message(&[(NODE_ATTRIBUTE, &attribute)]))]);
        }
        assert_eq!(inline(Path::new("/nowhere/net.onnx"), &message(&[(MODEL_GRAPH, &graph)])).unwrap(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = inline(Path::new("/nowhere/net.onnx"), &bytes);
            let _ = inline(Path::new("/nowhere/net.onnx"), &nested(&bytes));
        }
    }
}
