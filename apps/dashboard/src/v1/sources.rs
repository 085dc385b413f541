// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sources of this server: what they are, their records as they come, and their switches.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{self, error::RecvError};

use super::Api;
use super::problem::Problem;
use crate::sources::source::{Description, RECORDS, Source};
use crate::sources::switches::Switches;
use crate::web::{change, find};

/// When to ask for a summary again if there is none yet, in seconds.
const SUMMARY_SECONDS: u32 = 1;
/// When to try again to follow a source if too many do, in seconds.
const ROOM_SECONDS: u32 = 30;

/// The sources of the server.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sources {
    /// Each source, by its id.
    sources: Vec<Description>,
}

/// How long a source is followed.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct FollowOptions {
    /// Number of records after which the response ends; without it, it goes on.
    limit: Option<u64>,
}

/// A client that follows a source.
struct Follower {
    lines: broadcast::Receiver<String>,
    left: u64,
    source: std::sync::Weak<Source>,
    _room: OwnedSemaphorePermit,
}

/// `GET /v1/sources`.
pub async fn list(State(api): State<Api>) -> Json<Sources> {
    Json(Sources { sources: api.dashboard.sources.list() })
}

/// The source of an id in an address.
fn source(api: &Api, id: Result<Path<u32>, PathRejection>) -> Result<Arc<Source>, Problem> {
    Ok(find(&api.dashboard.sources, id?.0)?)
}

/// `GET /v1/sources/{id}/faces`: the records of faces as server-sent events, from now on. A slow client misses some. While individual faces
/// are hidden, there are none.
pub async fn follow(
    State(api): State<Api>,
    id: Result<Path<u32>, PathRejection>,
    options: Result<Query<FollowOptions>, QueryRejection>,
) -> Result<Response, Problem> {
    let (source, Query(options)) = (source(&api, id)?, options?);
    if !source.allows(RECORDS[0]) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "individual faces are hidden"));
    }
    let full = |_| Problem::busy("too many clients follow sources", ROOM_SECONDS);
    let room = api.followers.clone().try_acquire_owned().map_err(full)?;
    let (lines, source) = (source.lines.subscribe(), Arc::downgrade(&source));
    let follower = Follower { lines, left: options.limit.unwrap_or(u64::MAX), source, _room: room };
    let events =
        unfold(follower, async |mut follower| Some((Ok::<_, Infallible>(Event::default().data(follower.next().await?)), follower)));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Follower {
    /// The next record that may be seen; `None` if the source is gone.
    async fn next(&mut self) -> Option<String> {
        self.left = self.left.checked_sub(1)?;
        loop {
            match self.lines.recv().await {
                Ok(line) if self.source.upgrade()?.allows(RECORDS[0]) => return Some(line),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// `GET /v1/sources/{id}/summary`: the record of the last whole second.
pub async fn summary(State(api): State<Api>, id: Result<Path<u32>, PathRejection>) -> Result<Response, Problem> {
    let summary = source(&api, id)?.summary.lock().clone();
    let none = || Problem::busy("the source has no whole second yet", SUMMARY_SECONDS);
    Ok(([(CONTENT_TYPE, "application/json")], summary.ok_or_else(none)?).into_response())
}

/// `PATCH /v1/sources/{id}/switches`: sets the switches that the request has, and answers with all of them.
pub async fn switch(
    State(api): State<Api>,
    id: Result<Path<u32>, PathRejection>,
    changes: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Result<Json<Switches>, Problem> {
    let source = source(&api, id)?;
    change(&api.dashboard.sources, &source, changes?.0).await?;
    Ok(Json(source.switches()))
}
