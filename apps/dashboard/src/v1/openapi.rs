// SPDX-License-Identifier: MIT OR Apache-2.0
//! The description of `/v1` in OpenAPI 3.1. Its schemas are made from the types of requests and responses.

use std::sync::LazyLock;

use axum::Json;
use emotion_records::{FaceLine, FrameLine, SummaryLine};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::about::{Health, Models};
use super::faces::Faces;
use super::film::EndLine;
use super::film::NDJSON;
use super::jobs::JobStatus;
use super::options::{FilmOptions, PictureOptions};
use super::problem::{PROBLEM_JSON, Problem};
use super::sources::{FollowOptions, Sources};
use crate::sources::switches::Switches;

/// The document.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// Statuses that every request may have: without the token, and from pages of other sites.
const COMMON: [u16; 2] = [401, 403];
/// Statuses of requests with a file.
const OF_FILES: [u16; 8] = [400, 408, 413, 415, 422, 429, 500, 503];

const JSON: &str = "application/json";
const OCTETS: &str = "application/octet-stream";

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// An address with a method.
struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    query: Vec<SchemaOf>,
    body: Option<(&'static str, SchemaOf)>,
    answers: Vec<(u16, &'static str, Option<SchemaOf>)>,
    problems: Vec<u16>,
}

fn operation(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation { method, path, id, summary, query: Vec::new(), body: None, answers: Vec::new(), problems: Vec::new() }
}

impl Operation {
    fn query<T: JsonSchema>(mut self) -> Self {
        self.query.push(T::json_schema);
        self
    }

    fn body(self, media: &'static str, schema: SchemaOf) -> Self {
        Self { body: Some((media, schema)), ..self }
    }

    fn json<T: JsonSchema>(self, status: u16) -> Self {
        self.answer(status, JSON, Some(|generator| generator.subschema_for::<T>()))
    }

    fn answer(mut self, status: u16, media: &'static str, schema: Option<SchemaOf>) -> Self {
        self.answers.push((status, media, schema));
        self
    }

    fn problems(self, problems: &[u16]) -> Self {
        Self { problems: problems.to_vec(), ..self }
    }
}

/// What takes a picture or a film.
fn of_files() -> [Operation; 2] {
    let film = "The faces of a film, which is the body: as it is examined, or with `Prefer: respond-async` as a job";
    [
        operation("post", "/v1/faces", "findFaces", "The faces of a picture, which is the body")
            .query::<PictureOptions>()
            .body(OCTETS, file)
            .json::<Faces>(200)
            .problems(&OF_FILES),
        operation("post", "/v1/videos", "examineVideo", film)
            .query::<PictureOptions>()
            .query::<FilmOptions>()
            .body(OCTETS, file)
            .answer(200, NDJSON, Some(lines))
            .json::<JobStatus>(202)
            .problems(&OF_FILES),
    ]
}

/// What is about a job.
fn of_jobs() -> [Operation; 3] {
    let (job, result) = ("/v1/jobs/{id}", "/v1/jobs/{id}/result");
    [
        operation("get", job, "getJob", "A film that is examined without a connection").json::<JobStatus>(200).problems(&[400, 404]),
        operation("get", result, "getResult", "Its records, once it has ended")
            .answer(200, NDJSON, Some(lines))
            .problems(&[400, 404, 409, 500]),
        operation("delete", job, "deleteJob", "Ends it and deletes its files").answer(204, "", None).problems(&[400, 404]),
    ]
}

/// What is about a source.
fn of_sources() -> [Operation; 4] {
    let follow = "The records of the faces of a source from now on, up to five frames a second";
    [
        operation("get", "/v1/sources", "listSources", "The sources of the server").json::<Sources>(200),
        operation("get", "/v1/sources/{id}/faces", "followFaces", follow)
            .query::<FollowOptions>()
            .answer(200, "text/event-stream", Some(events))
            .problems(&[400, 404, 503]),
        operation("get", "/v1/sources/{id}/summary", "getSummary", "The totals of its last whole second")
            .json::<SummaryLine>(200)
            .problems(&[400, 404, 503]),
        operation("patch", "/v1/sources/{id}/switches", "setSwitches", "Sets the switches that the body has")
            .body(JSON, changes)
            .json::<Switches>(200)
            .problems(&[400, 404, 408, 413, 415, 422, 500]),
    ]
}

/// What is about the server.
fn of_server() -> [Operation; 2] {
    [
        operation("get", "/v1/models", "listModels", "The networks").json::<Models>(200).problems(&[500]),
        operation("get", "/v1/health", "getHealth", "Whether the server answers").json::<Health>(200),
    ]
}

/// A file of any kind.
fn file(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({"type": "string", "format": "binary"})
}

/// The records of a film.
fn lines(generator: &mut SchemaGenerator) -> Schema {
    let lines = [generator.subschema_for::<FaceLine>(), generator.subschema_for::<FrameLine>(), generator.subschema_for::<EndLine>()];
    let about = "A JSON object a line: one for each face on each examined frame, or for a frame without faces; the last one is the end.";
    text(about, &json!({"oneOf": lines}))
}

/// The records of a source.
fn events(generator: &mut SchemaGenerator) -> Schema {
    text("Server-sent events; the data of each is a record.", &json!(generator.subschema_for::<FaceLine>()))
}

/// Lines or events, of which each is one of `line`.
fn text(about: &str, line: &Value) -> Schema {
    schemars::json_schema!({"type": "string", "description": about, "contentMediaType": "application/json", "contentSchema": line})
}

/// Any of the switches, as a schema with a name.
fn changes(_: &mut SchemaGenerator) -> Schema {
    Schema::new_ref("#/components/schemas/SwitchChange".into())
}

/// The schema of [`Switches`] without those that stay.
fn switch_change(switches: &Value) -> Value {
    let mut change = switches.clone();
    let keys = change.as_object_mut().expect("a schema of an object");
    keys.remove("required");
    keys.insert("description".into(), "The switches to set. The others stay.".into());
    change
}

/// `GET /v1/openapi.json`.
pub async fn serve() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for operation in of_files().into_iter().chain(of_jobs()).chain(of_sources()).chain(of_server()) {
        let described = describe(&operation, &mut generator);
        let methods = paths.entry(operation.path).or_insert_with(|| json!({}));
        methods[operation.method] = described;
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "emotion-dashboard",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Faces and their apparent expressions, in pictures, films and live",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "The secret of --token, if the server has one."}},
            "schemas": generator.take_definitions(true),
        },
    });
    let schemas = &mut document["components"]["schemas"];
    schemas["SwitchChange"] = switch_change(&schemas["Switches"]);
    name_choices(&mut document);
    document
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut described = json!({"operationId": operation.id, "summary": operation.summary});
    let parameters = parameters(operation);
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some((media, schema)) = operation.body {
        described["requestBody"] = json!({"required": true, "content": {media: {"schema": schema(generator)}}});
    }
    let mut responses = Map::new();
    for (status, media, schema) in &operation.answers {
        let content = schema.map(|schema| json!({*media: {"schema": schema(generator)}}));
        let mut answer = json!({"description": name_of(*status)});
        content.into_iter().for_each(|content| answer["content"] = content);
        links(operation.id, *status).into_iter().for_each(|links| answer["links"] = links);
        responses.insert(status.to_string(), answer);
    }
    for status in COMMON.iter().chain(&operation.problems) {
        responses.insert(status.to_string(), problem(*status, generator));
    }
    described["responses"] = responses.into();
    described
}

/// Where an id of a response leads to.
fn links(operation: &str, status: u16) -> Option<Value> {
    let (id, others): (_, &[&str]) = match (operation, status) {
        ("examineVideo", 202) => ("$response.body#/id", &["getJob", "getResult", "deleteJob"]),
        ("listSources", _) => ("$response.body#/sources/0/id", &["followFaces", "getSummary", "setSwitches"]),
        _ => return None,
    };
    Some(others.iter().map(|other| ((*other).to_owned(), json!({"operationId": other, "parameters": {"id": id}}))).collect())
}

/// A response with a [`Problem`].
fn problem(status: u16, generator: &mut SchemaGenerator) -> Value {
    let schema = generator.subschema_for::<Problem>();
    let mut answer = json!({"description": name_of(status), "content": {PROBLEM_JSON: {"schema": schema}}});
    if [409, 429, 503].contains(&status) {
        answer["headers"] = json!({"Retry-After": {"description": "When to try again, in seconds.", "schema": {"type": "integer"}}});
    }
    answer
}

fn name_of(status: u16) -> &'static str {
    axum::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}

/// The parameters in the path, the query and the head.
fn parameters(operation: &Operation) -> Vec<Value> {
    let mut parameters = Vec::new();
    if operation.path.contains("{id}") {
        let schema = if operation.path.contains("/jobs/") {
            json!({"type": "string"})
        } else {
            json!({"type": "integer", "minimum": 0, "maximum": u32::MAX})
        };
        parameters.push(json!({"name": "id", "in": "path", "required": true, "schema": schema}));
    }
    for query in &operation.query {
        let mut generator = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
        let query = query(&mut generator);
        for (name, schema) in query.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut schema = schema.clone();
            // What is left out is not sent as null.
            if let Some(kind) = schema.pointer("/type/0").cloned() {
                schema["type"] = kind;
            }
            let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            parameters.push(json!({"name": name, "in": "query", "description": about, "schema": schema}));
        }
    }
    if operation.answers.iter().any(|(status, ..)| *status == 202) {
        let about = "`respond-async` makes it a job.";
        parameters.push(json!({"name": "Prefer", "in": "header", "description": about, "schema": {"type": "string"}}));
    }
    parameters
}

/// Turns lists of constants into choices, which more generators of clients know.
fn name_choices(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(name_choices),
        Value::Object(object) => {
            object.values_mut().for_each(name_choices);
            let names =
                object.get("oneOf").and_then(Value::as_array).and_then(|choices| choices.iter().map(constants).collect::<Option<Vec<_>>>());
            if let Some(names) = names {
                object.remove("oneOf");
                object.insert("type".into(), "string".into());
                object.insert("enum".into(), names.concat().into());
            }
        }
        _ => {}
    }
}

/// The texts that a schema allows, if it is nothing but a constant or a choice.
fn constants(schema: &Value) -> Option<Vec<Value>> {
    let constant = schema.get("const").filter(|constant| constant.is_string()).map(|constant| vec![constant.clone()]);
    constant.or_else(|| schema.get("enum")?.as_array().cloned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use test_support::promises;

    use super::*;

    /// A line for each property of a schema, with its type or what it refers to.
    fn properties<'a>(name: &'a str, schema: &'a Value) -> impl Iterator<Item = String> + 'a {
        let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
        schema["properties"].as_object().into_iter().flatten().map(move |(key, property)| {
            let kind = ["type", "$ref", "anyOf", "enum"].iter().find_map(|kind| property.get(kind)).unwrap_or(&Value::Null);
            let always = if required.contains(&json!(key)) { "" } else { ", may be absent" };
            format!("{name}.{key}: {kind}{always}")
        })
    }

    #[test]
    fn addresses_parameters_and_fields_are_kept() {
        let mut lines = BTreeSet::new();
        for (path, methods) in DOCUMENT["paths"].as_object().unwrap() {
            for (method, described) in methods.as_object().unwrap() {
                let place = format!("{} {path}", method.to_uppercase());
                let statuses = described["responses"].as_object().unwrap().keys().filter(|status| status.starts_with('2'));
                lines.extend(statuses.map(|status| format!("{place} answers {status}")));
                let parameters = described["parameters"].as_array().into_iter().flatten();
                lines.extend(parameters.map(|parameter| format!("{place} takes {} {}", parameter["in"], parameter["name"])));
            }
        }
        let schemas = DOCUMENT["components"]["schemas"].as_object().unwrap();
        lines.extend(schemas.iter().flat_map(|(name, schema)| properties(name, schema)));
        promises::assert_kept("v1", lines);
    }

    #[test]
    fn every_reference_is_there() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Array(values) => values.iter().for_each(|value| references(value, found)),
                Value::Object(object) => {
                    found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    object.values().for_each(|value| references(value, found));
                }
                _ => {}
            }
        }
        let mut found = Vec::new();
        references(&DOCUMENT, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            assert!(DOCUMENT.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    #[test]
    fn records_have_their_type_and_the_keys_that_are_always_written() {
        let face = &DOCUMENT["components"]["schemas"]["FaceLine"];
        assert_eq!(face["properties"]["type"], json!({"type": "string", "const": "face"}));
        let required: Vec<&str> = face["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(["type", "box", "time_s", "scores", "utc"].iter().all(|key| required.contains(key)), "{required:?}");
        assert!(!["misplaced", "baseline", "pose", "recording_time"].iter().any(|key| required.contains(key)), "{required:?}");
        assert_eq!(face["properties"]["reason"]["type"], Value::Null, "a choice or null");
    }
}
