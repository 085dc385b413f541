// SPDX-License-Identifier: MIT OR Apache-2.0
//! The interface `/v1` for other programs: pictures and films in, records out, and the sources of this server.
//!
//! A file of a client is deleted with its request or its job. `docs/stability.md` promises what is here.

mod problem;
mod body;
mod analysis;
mod options;
mod faces;
mod film;
mod jobs;
mod videos;
mod sources;
mod about;
mod openapi;
mod page;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::Uri;
use axum::routing::{get, patch, post};
use tokio::sync::Semaphore;

use crate::dashboard::Dashboard;
pub use problem::{Problem, unknown};

/// The first part of all addresses.
const PREFIX: &str = "/v1";
/// Maximum size of a body that is JSON.
const MAX_JSON_BYTES: usize = 8 << 10;

/// True for the addresses of this interface.
pub fn has(uri: &Uri) -> bool {
    uri.path().strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// State that the handlers share.
#[derive(Clone)]
struct Api {
    dashboard: Arc<Dashboard>,
    analysers: Arc<analysis::Analysers>,
    jobs: Arc<jobs::Jobs>,
    /// Room for clients that follow a source.
    followers: Arc<Semaphore>,
}

impl FromRef<Api> for Arc<Dashboard> {
    fn from_ref(api: &Api) -> Self {
        api.dashboard.clone()
    }
}

/// The routes, for at most `max_followers` clients that follow sources.
pub fn router<S>(dashboard: Arc<Dashboard>, max_followers: usize) -> Router<S> {
    let api = Api { dashboard, analysers: Arc::default(), jobs: Arc::default(), followers: Arc::new(Semaphore::new(max_followers)) };
    Router::new()
        .route(PREFIX, get(page::show))
        .route("/v1/openapi.json", get(openapi::serve))
        .route("/v1/health", get(about::health))
        .route("/v1/models", get(about::models))
        .route("/v1/faces", post(faces::examine))
        .route("/v1/videos", post(videos::examine))
        .route("/v1/jobs/{id}", get(jobs::show).delete(jobs::delete))
        .route("/v1/jobs/{id}/result", get(jobs::result))
        .route("/v1/sources", get(sources::list))
        .route("/v1/sources/{id}/faces", get(sources::follow))
        .route("/v1/sources/{id}/summary", get(sources::summary))
        .route("/v1/sources/{id}/switches", patch(sources::switch))
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .with_state(api)
}
