// SPDX-License-Identifier: MIT OR Apache-2.0
//! The models that are compiled in, and models by name: from the search path, else from here.

use super::file::ModelFile;
use super::search_path::SearchPath;
use crate::error::{Error, Result};
use emotion_models::MODELS;

/// Name of the default face detector.
pub const FACE: &str = "face";
/// Name of the expression model.
pub const EXPRESSION: &str = "expression";
/// Name of the model of face geometry.
pub const GEOMETRY: &str = "face-geometry";
/// End of the names of models in 8 bits.
const INT8: &str = "-int8";

impl ModelFile {
    /// The default model of a kind, [`EXPRESSION`] or [`GEOMETRY`]: the one of this name on the search path, else one that is
    /// compiled in, in 8 bits if `runs_on_cpu` and this processor multiplies bytes faster than floating-point numbers.
    ///
    /// # Errors
    /// Those of [`ModelFile::named`].
    pub fn default_of(name: &str, search: &SearchPath, runs_on_cpu: bool) -> Result<Self> {
        let is_replaced = search.model(name, "model.onnx").is_ok();
        let in_8_bits = runs_on_cpu && !is_replaced && has_fast_bytes();
        if in_8_bits { Self::named(&format!("{name}{INT8}"), search) } else { Self::named(name, search) }
    }

    /// The names of the models that are compiled in.
    pub fn embedded_names() -> impl Iterator<Item = &'static str> {
        MODELS.iter().map(|model| model.name)
    }

    /// The model `name`: the file `NAME/model.onnx` in the first folder of the search path that has it, else the model of
    /// this name that is compiled in.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is neither, with the names that are compiled in; [`Error::ModelName`] if `name` is a path;
    /// those of [`ModelFile::open`].
    pub fn named(name: &str, search: &SearchPath) -> Result<Self> {
        let embedded = MODELS.iter().find(|model| model.name == name);
        match (search.model(name, "model.onnx"), embedded) {
            (Ok(path), _) => Self::open(&path),
            (Err(_), Some(model)) => Self::embedded(&format!("{name}/model.onnx"), model.onnx, model.description),
            (Err(Error::NotFound { what, looked, .. }), None) => {
                let names = MODELS.each_ref().map(|model| model.name).join(", ");
                let remedy = format!("Give the path of an ONNX file, or the name of a model that is compiled in: {names}");
                Err(Error::NotFound { what, looked, remedy })
            }
            (Err(error), None) => Err(error),
        }
    }
}

/// True if ONNX Runtime is known to multiply bytes faster than floating-point numbers on this processor: with AVX2, which
/// every processor with VNNI has too, and with ARM's dot products.
fn has_fast_bytes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("dotprod");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    false
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
    fn the_default_model_depends_on_processor_provider_and_search_path() {
        for kind in [EXPRESSION, GEOMETRY] {
            let name = |search: &SearchPath, runs_on_cpu| {
                let model = ModelFile::default_of(kind, search, runs_on_cpu).unwrap();
                model.description.expect("a description").name
            };
            let fastest = if has_fast_bytes() { format!("{kind}{INT8}") } else { kind.to_owned() };
            assert_eq!(name(&SearchPath::default(), true), fastest);
            assert_eq!(name(&SearchPath::default(), false), kind);
            let own =
                SearchPath { model_folders: vec![concat!(env!("CARGO_MANIFEST_DIR"), "/../../models").into()], ..SearchPath::default() };
            assert_eq!(name(&own, true), kind, "a model of that name on the search path replaces the one compiled in");
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = ModelFile::named("smile", &SearchPath::default()).unwrap_err().to_string();
        assert!(error.contains("model smile") && error.contains("expression, expression-int8"), "{error}");
        assert!(matches!(ModelFile::named("../face", &SearchPath::default()), Err(Error::ModelName { .. })));
    }
}
