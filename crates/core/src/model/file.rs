// SPDX-License-Identifier: MIT OR Apache-2.0
//! ONNX files, their descriptions and checksums.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::description::ModelDescription;
use crate::error::{Error, Result};

/// An ONNX file in memory, with its description if there is one.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// The path it was read from, or a text in its place; quoted by errors.
    pub path: PathBuf,
    /// The ONNX graph.
    pub bytes: Cow<'static, [u8]>,
    /// Its description.
    pub description: Option<ModelDescription>,
    /// The SHA-256 of the file, in hex; of a file with external data that of the graph with the data in it.
    pub sha256: String,
    /// The SHA-256 of the description's text, in hex; `None` without a description.
    pub description_sha256: Option<String>,
}

/// A description and the SHA-256 of its text.
type Described = (ModelDescription, String);

impl ModelFile {
    /// Reads `path` and the description beside it: `X.toml` for `X.onnx`, else `model.toml` in the same folder. Weights
    /// stored in other files ("external data") are read from files in the model's folder whose names end in `data`, whatever the
    /// working directory is. The checksum covers the ONNX file alone.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read. [`Error::Model`] if the description is invalid, if the checksum differs, or
    /// if external data is missing, too short or in a file of another kind or folder.
    pub fn open(path: &Path) -> Result<Self> {
        let read = |source| Error::Io { path: path.into(), source };
        let bytes = std::fs::read(path).map_err(read)?;
        let candidates = [path.with_extension("toml"), path.with_file_name("model.toml")];
        let description = candidates.iter().find(|file| file.is_file()).map(|file| read_description(file)).transpose()?;
        let model = Self::verified(path.into(), bytes.into(), description)?;
        match super::external::inline(path, &model.bytes)? {
            Some(inlined) => Ok(Self { sha256: sha256(&inlined), bytes: inlined.into(), ..model }),
            None => Ok(model),
        }
    }

    /// A model that is compiled in; errors quote `name` as its path.
    ///
    /// # Errors
    /// [`Error::Model`] if the description is invalid or the checksum differs.
    pub fn embedded(name: &str, bytes: &'static [u8], description: &str) -> Result<Self> {
        let path = PathBuf::from(format!("(compiled in) {name}"));
        let described = parse_description(&path, description)?;
        Self::verified(path, bytes.into(), Some(described))
    }

    /// A model whose checksum is that of its description, if it has one.
    fn verified(path: PathBuf, bytes: Cow<'static, [u8]>, described: Option<Described>) -> Result<Self> {
        let (description, description_sha256) = described.unzip();
        let declared = description.as_ref().and_then(|description: &ModelDescription| description.sha256.clone());
        let found = sha256(&bytes);
        match declared.filter(|sum| !sum.is_empty()) {
            Some(expected) if !found.eq_ignore_ascii_case(&expected) => {
                let expected = format!("sha256 {}", expected.escape_debug());
                Err(Error::Model { path, expected, found: format!("sha256 {found}") })
            }
            _ => Ok(Self { path, bytes, description, sha256: found, description_sha256 }),
        }
    }
}

/// The SHA-256 of `bytes`, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_description(path: &Path) -> Result<Described> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), source })?;
    parse_description(path, &text)
}

fn parse_description(path: &Path, text: &str) -> Result<Described> {
    Ok((ModelDescription::parse(path, text)?, sha256(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_checksum_names_the_file_and_both_sums() {
        let description = "name = 'tiny'\ntask = 'face'\nsha256 = '00'\n[input]\nname = 'input'";
        let error = ModelFile::embedded("tiny", b"abc", description).unwrap_err().to_string();
        assert!(error.contains("(compiled in) tiny: expected sha256 00, found sha256 ba7816bf"), "{error}");
    }
}
