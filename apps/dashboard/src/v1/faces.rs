// SPDX-License-Identifier: MIT OR Apache-2.0
//! `POST /v1/faces`: a picture to its faces.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use emotion_core::export::GeometryFields;
use emotion_core::export::ndjson::face_line;
use emotion_records::FaceLine;
use emotion_scan::findings::Kind;
use emotion_scan::sequence::Seen;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::analysis::Analysers;
use super::options::{PictureOptions, Plan};
use super::problem::Problem;
use super::{Api, body};
use crate::sources::upload::Upload;

/// A picture and its faces.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Faces<'a> {
    /// The picture.
    picture: Picture,
    /// The faces, as `emotionexport` writes them; `box` and landmarks are in 0..1 of the picture.
    faces: Vec<FaceLine<'a>>,
}

/// A picture.
#[derive(Debug, Serialize, JsonSchema)]
struct Picture {
    /// Width in pixels, turned upright as the file says.
    width: u32,
    /// Height in pixels, likewise.
    height: u32,
    /// Degrees by which it was turned clockwise before it was searched. Boxes refer to the picture before this turn.
    turn: u16,
}

/// Examines the picture in the body.
pub async fn examine(
    State(Api { dashboard, analysers, .. }): State<Api>,
    query: Result<Query<PictureOptions>, QueryRejection>,
    headers: HeaderMap,
    picture: Body,
) -> Result<Response, Problem> {
    let admitted = query.map_err(Problem::from).and_then(|Query(options)| Ok((Plan::from(options), analysers.admit()?)));
    let (plan, _room) = match admitted {
        Ok(admitted) => admitted,
        Err(problem) => {
            body::waste(&headers, picture).await;
            return Err(problem);
        }
    };
    let upload = body::receive(&dashboard, &headers, picture).await?;
    let turn = analysers.picture().await?;
    let examined = move || {
        let _turn = turn;
        examine_picture(&analysers, &plan, &upload)
    };
    let text = spawn_blocking(examined).await.map_err(Problem::internal)??;
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

/// The faces of a picture, as JSON. Of an animation, the first picture is examined.
fn examine_picture(analysers: &Arc<Analysers>, plan: &Plan, upload: &Upload) -> Result<String, Problem> {
    upload.check_kind(Kind::Photo)?;
    let mut sequence = plan.open(upload)?;
    let none = || Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "expected a picture, found none");
    let seen = analysers.with(plan.wanted, |analyser| sequence.next_frame(analyser)?.ok_or_else(none))?;
    serde_json::to_string(&answer(plan, &seen)).map_err(Problem::internal)
}

fn answer<'a>(plan: &'a Plan, seen: &'a Seen) -> Faces<'a> {
    let report = plan.report(seen);
    let faces = seen.faces.iter().map(|face| face_line(&report, face, GeometryFields::Auto)).collect();
    Faces { picture: Picture { width: seen.size.width, height: seen.size.height, turn: seen.direction.degrees() }, faces }
}
