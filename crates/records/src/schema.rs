// SPDX-License-Identifier: MIT OR Apache-2.0
//! The JSON schemas of the records that their types do not have by themselves.

use std::borrow::Cow;

use schemars::transform::Transform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

use crate::{ByLabel, Text, Utc};

/// Adds the `type` of a record to its schema.
#[derive(Clone, Copy, Debug)]
pub struct Tag(pub &'static str);

impl Transform for Tag {
    fn transform(&mut self, schema: &mut Schema) {
        let schema = schema.ensure_object();
        let properties = schema.entry("properties").or_insert_with(|| json!({}));
        properties["type"] = json!({"type": "string", "const": self.0});
        let required = schema.entry("required").or_insert_with(|| json!([]));
        required.as_array_mut().expect("a list of names").insert(0, json!("type"));
    }
}

/// Implements a schema that stands where it is used.
macro_rules! inline {
    ([$($generics:tt)*] $type:ty, $name:literal, $schema:expr) => {
        impl<$($generics)*> JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                schema(generator)
            }
        }
    };
}

inline!([] Text<'_>, "Text", |_| json_schema!({"type": "string"}));
inline!([] Utc, "Utc", |_| json_schema!({"type": "string", "format": "date-time"}));
inline!([K, T: JsonSchema] ByLabel<K, T>, "ByLabel", |generator| {
    let value = generator.subschema_for::<T>();
    json_schema!({"type": "object", "additionalProperties": value})
});
