// SPDX-License-Identifier: MIT OR Apache-2.0
//! Weights that an ONNX file stores in other files ("external data").
//!
//! ONNX Runtime gets each model as bytes in memory. It does not know the model's folder and would look for external data in
//! the working directory of the process. This module therefore reads the data from the model's folder and stores it in the
//! graph. (ONNX Runtime's setting `session.model_external_initializers_file_folder_path` would tell it the folder. Versions
//! before 1.21 ignore it, and it allows any file below the folder.)

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::onnx::{Edit, MODEL_GRAPH, edit_fields, fields, push_bytes, push_number};
use crate::model::search_path::is_plain_name;

/// Field numbers of `onnx.proto` that lead to the tensors of a graph, and those of a tensor's fields.
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
const LOCATION_DEFAULT: u64 = 0;
const LOCATION_EXTERNAL: u64 = 1;

/// Maximum depth of nested graphs that are searched. Protocol buffer parsers refuse deeper messages.
const MAX_DEPTH: u32 = 20;
/// Maximum size of all external data, in bytes: a protocol buffer message holds no more.
const MAX_BYTES: u64 = i32::MAX as u64;

/// The model `bytes` of the file `path` with all external data stored in it. `None` if there is no external data, or if
/// `bytes` is not a protocol buffer message.
///
/// # Errors
/// [`Error::Model`] if a file is missing, too short, too large, or not one that [`is_data_beside`] allows.
pub(super) fn inline(path: &Path, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut loader = Loader { model: path, loaded_bytes: 0, error: None, found_external: false };
    let inlined = edit_fields(bytes, &mut |field, graph| match field {
        MODEL_GRAPH => loader.graph(graph, 0).map(Edit::Replace),
        _ => Some(Edit::Keep),
    });
    match loader.error {
        Some(error) => Err(error),
        None => Ok(inlined.filter(|_| loader.found_external)),
    }
}

/// Replaces external tensors while the edit visits the graph.
struct Loader<'a> {
    model: &'a Path,
    /// Number of bytes of external data that were read so far.
    loaded_bytes: u64,
    /// The error that aborted the edit.
    error: Option<Error>,
    /// Set if any tensor has external data.
    found_external: bool,
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

    /// Stores the values in the tensor if they are in another file.
    fn tensor(&mut self, tensor: &[u8]) -> Option<Edit> {
        // If a field occurs more than once, the last value counts.
        let location = fields(tensor).filter(|field| field.number == TENSOR_DATA_LOCATION).last().and_then(|field| field.value);
        if location != Some(LOCATION_EXTERNAL) {
            return Some(Edit::Keep);
        }
        self.found_external = true;
        let values = self.values(tensor).map_err(|error| self.error = Some(error)).ok()?;
        let mut inlined = edit_fields(tensor, &mut |field, _| {
            Some(if matches!(field, TENSOR_EXTERNAL_DATA | TENSOR_RAW_DATA) { Edit::Drop } else { Edit::Keep })
        })?;
        push_bytes(&mut inlined, TENSOR_RAW_DATA, &values);
        // Overrides the location that is still in the tensor: `edit_fields` visits length-delimited fields only.
        push_number(&mut inlined, TENSOR_DATA_LOCATION, LOCATION_DEFAULT);
        Some(Edit::Replace(inlined))
    }

    /// Reads the values of a tensor from the file that it names.
    fn values(&mut self, tensor: &[u8]) -> Result<Vec<u8>> {
        let model_error = |(expected, found): (String, String)| Error::Model { path: self.model.into(), expected, found };
        let ExternalData { location, offset, length } = ExternalData::of(tensor).map_err(model_error)?;
        let file = self.model.with_file_name(location);
        let name = file.display();
        let unreadable = |error: std::io::Error| model_error((format!("external data in {name}"), error.to_string()));
        let metadata = std::fs::metadata(&file).map_err(unreadable)?;
        if !metadata.is_file() {
            // Opening a named pipe would block until another process writes to it.
            return Err(model_error((format!("external data in {name}"), "something other than a regular file".into())));
        }
        let length = length.unwrap_or(metadata.len().saturating_sub(offset));
        if offset.checked_add(length).is_none_or(|end| end > metadata.len()) {
            let expected = format!("{length} bytes of external data at offset {offset} of {name}");
            return Err(model_error((expected, format!("{} bytes", metadata.len()))));
        }
        if length > MAX_BYTES - self.loaded_bytes {
            return Err(model_error((
                format!("at most {MAX_BYTES} bytes of external data"),
                format!("at least {}", self.loaded_bytes + length),
            )));
        }
        let values = read(&file, offset, length).map_err(unreadable)?;
        self.loaded_bytes += length;
        Ok(values)
    }
}

/// Where the values of a tensor are.
struct ExternalData<'a> {
    /// Name of the file, in the model's folder.
    location: &'a str,
    offset: u64,
    /// `None` for all bytes up to the end of the file.
    length: Option<u64>,
}

impl<'a> ExternalData<'a> {
    /// Parses the entries of a tensor. The error is what was expected, and what was found.
    fn of(tensor: &'a [u8]) -> std::result::Result<Self, (String, String)> {
        let text = |entry: &'a [u8], number| {
            let field = fields(entry).find(|field| field.number == number)?;
            std::str::from_utf8(field.payload?).ok()
        };
        let entries = || fields(tensor).filter(|field| field.number == TENSOR_EXTERNAL_DATA).filter_map(|field| field.payload);
        let value = |key: &str| entries().find(|entry| text(entry, ENTRY_KEY) == Some(key)).and_then(|entry| text(entry, ENTRY_VALUE));
        let location = value("location").unwrap_or_default();
        if !is_data_beside(location) {
            let expected = "external data in a file beside it, whose name ends in \"data\" and does not begin with a dot";
            return Err((expected.into(), format!("{location:?}")));
        }
        let number = |key: &str| {
            let not_a_number = |text: &str| (format!("{key} of the external data {location} as a number"), format!("{text:?}"));
            value(key).map(|text| text.parse::<u64>().map_err(|_| not_a_number(text))).transpose()
        };
        Ok(Self { location, offset: number("offset")?.unwrap_or(0), length: number("length")? })
    }
}

/// True if `location` names a file in the model's own folder that is meant as external data: its name ends in `data`, as those of
/// the usual exporters do (`model.onnx.data`, `model.onnx_data`), and the file is not hidden. What a network computes from a file
/// may reveal the file, so a model must not choose any other one. Symbolic links are followed: whoever makes them in the model's
/// folder chooses the files.
fn is_data_beside(location: &str) -> bool {
    let name = location.strip_prefix("./").unwrap_or(location);
    is_plain_name(name) && !name.starts_with('.') && name.ends_with("data")
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

    /// A tensor with external data in `location`.
    fn external(location: &str) -> Vec<u8> {
        let entry = message(&[(ENTRY_KEY, b"location"), (ENTRY_VALUE, location.as_bytes())]);
        let mut tensor = message(&[(TENSOR_EXTERNAL_DATA, &entry)]);
        push_number(&mut tensor, TENSOR_DATA_LOCATION, LOCATION_EXTERNAL);
        tensor
    }

    /// A model with `tensor` as a constant in a subgraph of a node.
    fn nested(tensor: &[u8]) -> Vec<u8> {
        let constant = message(&[(NODE_ATTRIBUTE, &message(&[(ATTRIBUTE_TENSOR, tensor)]))]);
        let branch = message(&[(GRAPH_NODE, &constant)]);
        let node = message(&[(NODE_ATTRIBUTE, &message(&[(ATTRIBUTE_GRAPH, &branch)]))]);
        message(&[(MODEL_GRAPH, &message(&[(GRAPH_NODE, &node)]))])
    }

    #[test]
    fn external_data_of_subgraphs_is_read() {
        let folder = std::env::temp_dir().join(format!("gst-emotion-inner-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("w.data"), [1, 2, 3]).unwrap();
        let inlined = inline(&folder.join("net.onnx"), &nested(&external("w.data"))).unwrap();
        let mut expected = message(&[]);
        push_number(&mut expected, TENSOR_DATA_LOCATION, LOCATION_EXTERNAL);
        push_bytes(&mut expected, TENSOR_RAW_DATA, &[1, 2, 3]);
        push_number(&mut expected, TENSOR_DATA_LOCATION, LOCATION_DEFAULT);
        assert_eq!(inlined, Some(nested(&expected)));
        assert_eq!(inline(&folder.join("net.onnx"), &nested(&[])).unwrap(), None, "no external data");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_data_beside_the_model_is_read() {
        for location in ["w.data", "./w.data", "model.onnx.data", "model.onnx_data", "data"] {
            assert!(is_data_beside(location), "{location}");
        }
        let elsewhere = ["", ".", "/etc/w.data", "../w.data", "parts/w.data", "parts/../w.data", ".git/data", "w.data/"];
        for location in elsewhere.into_iter().chain([".data", "./.data", "id_ed25519", "model.onnx", "w.data.key", "..data"]) {
            assert!(!is_data_beside(location), "{location}");
            let refused = inline(Path::new("/nowhere/net.onnx"), &nested(&external(location))).unwrap_err().to_string();
            assert!(
                refused.contains("net.onnx") && refused.contains("ends in \"data\"") && refused.contains(&format!("{location:?}")),
                "{refused}"
            );
        }
    }

    #[test]
    fn deeply_nested_graphs_are_not_searched() {
        let mut graph = Vec::new();
        for _ in 0..5_000 {
            let attribute = message(&[(ATTRIBUTE_GRAPH, &graph)]);
            graph = message(&[(GRAPH_NODE, &message(&[(NODE_ATTRIBUTE, &attribute)]))]);
        }
        assert_eq!(inline(Path::new("/nowhere/net.onnx"), &message(&[(MODEL_GRAPH, &graph)])).unwrap(), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_edited_or_refused(bytes: Vec<u8>) {
            let _ = inline(Path::new("/nowhere/net.onnx"), &bytes);
            let _ = inline(Path::new("/nowhere/net.onnx"), &nested(&bytes));
        }
    }
}
