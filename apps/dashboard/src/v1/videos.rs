// SPDX-License-Identifier: MIT OR Apache-2.0
//! `POST /v1/videos`: the records of a film while it is examined.

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::film::NDJSON;
use super::options::{FilmOptions, PictureOptions, Plan};
use super::problem::Problem;
use super::{Api, body, film, jobs};
use crate::sources::upload::Upload;

/// Frames whose records wait for a client that reads slowly.
const FRAMES_AHEAD: usize = 64;

/// Examines the film in the body, at once or as a job.
pub async fn examine(
    State(api): State<Api>,
    frames: Result<Query<PictureOptions>, QueryRejection>,
    film_options: Result<Query<FilmOptions>, QueryRejection>,
    headers: HeaderMap,
    film: Body,
) -> Result<Response, Problem> {
    let is_job = wants_job(&headers);
    let options = frames.and_then(|Query(frames)| Ok((frames, film_options?.0)));
    let plan = options.map_err(Problem::from).and_then(|(frames, film)| Plan::of_film(frames, film));
    let admitted = plan.and_then(|plan| {
        let turn = if is_job { api.jobs.check_room().map(|()| None) } else { api.analysers.film().map(Some) };
        Ok((plan, turn?))
    });
    let (plan, turn) = match admitted {
        Ok(admitted) => admitted,
        Err(problem) => {
            body::waste(&headers, film).await;
            return Err(problem);
        }
    };
    let upload = body::receive(&api.dashboard, &headers, film).await?;
    match turn {
        Some(turn) => stream(api, plan, upload, turn).await,
        None => jobs::begin(api, plan, upload).await.map(|job| (StatusCode::ACCEPTED, job).into_response()),
    }
}

/// True if the client does not wait for the result (RFC 7240).
fn wants_job(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    preferences.map(str::trim).any(|preference| preference.eq_ignore_ascii_case("respond-async"))
}

/// The records of a film, each as soon as it is there. The examination ends when the client is gone.
async fn stream(api: Api, plan: Plan, upload: Upload, turn: OwnedSemaphorePermit) -> Result<Response, Problem> {
    let ((opened, is_opened), (lines, received)) = (oneshot::channel(), mpsc::channel(FRAMES_AHEAD));
    spawn_blocking(move || {
        let film = film::open(&plan, &upload);
        // Before the client sees the end: its next film finds room.
        let finish = || drop((turn, upload));
        match film {
            Ok(film) => {
                let write = |text: Vec<u8>| lines.blocking_send(Bytes::from(text)).is_ok();
                if opened.send(Ok(())).is_ok() {
                    film::examine(&api.analysers, &plan, film, &film::Progress::default(), write);
                }
                finish();
                drop(lines);
            }
            Err(problem) => {
                finish();
                // Fails if the client is gone.
                drop(opened.send(Err(problem)));
            }
        }
    });
    is_opened.await.map_err(Problem::internal)??;
    let lines =
        unfold(received, async |mut received| received.recv().await.map(|text| (Ok::<_, std::convert::Infallible>(text), received)));
    Ok(([(CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response())
}
