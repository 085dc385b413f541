// SPDX-License-Identifier: MIT OR Apache-2.0
//! The models that are compiled in, and models by name: from the search path, else from here.

use super::file::ModelFile;
use super::search_path::SearchPath;
use crate::error::{Error, Result};

/// Name of the default face detector.
pub const FACE: &str = "face";
/// Name of the default expression model.
pub const EXPRESSION: &str = "expression";

struct EmbeddedModel {
    name: &'static str,
    bytes: &'static [u8],
    description: &'static str,
}

macro_rules! embedded {
    ($($name:literal),+) => {
        [$(EmbeddedModel {
            name: $name,
            bytes: include_bytes!(concat!("../../models/", $name, "/model.onnx")),
            description: include_str!(concat!("../../models/", $name, "/model.toml")),
        }),+]
    };
}

static MODELS: [EmbeddedModel; 5] = embedded!("expression", "expression-int8", "expression-tiny", "face", "face-refiner");

impl ModelFile {
    /// The model `name`: the file `NAME/model.onnx` in the first folder of the search path that has it, else the model of
    /// this name that is compiled in.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is neither, with the names that are compiled in; [`Error::Config`] if `name` is a path;
    /// those of [`ModelFile::open`].
    pub fn named(name: &str, search: &SearchPath) -> Result<Self> {
        let embedded = MODELS.iter().find(|model| model.name == name);
        match (search.model(name, "model.onnx"), embedded) {
            (Ok(path), _) => Self::open(&path),
            (Err(_), Some(model)) => Self::embedded(&format!("{name}/model.onnx"), model.bytes, model.description),
            (Err(Error::NotFound { what, looked, .. }), None) => {
                let names = MODELS.each_ref().map(|model| model.name).join(", ");
                let remedy = format!("Give the path of an ONNX file, or the name of a model that is compiled in: {names}");
                Err(Error::NotFound { what, looked, remedy })
            }
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_compiled_in_model_has_a_valid_description_and_the_described_checksum() {
        for model in &MODELS {
            let found = ModelFile::named(model.name, &SearchPath::default()).unwrap();
            let description = found.description.expect("a description");
            assert!(description.sha256.is_some_and(|sum| sum.len() == 64), "{}", model.name);
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = ModelFile::named("smile", &SearchPath::default()).unwrap_err().to_string();
        assert!(error.contains("model smile") && error.contains("expression-int8, expression-tiny"), "{error}");
        assert!(matches!(ModelFile::named("../face", &SearchPath::default()), Err(Error::Config(_))));
    }
}
