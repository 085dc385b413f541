// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the server is: its networks and its health.

use axum::Json;
use axum::extract::State;
use emotion_scan::Network;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::Api;
use super::problem::Problem;

/// The networks of the server.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Models {
    /// Each network, in the order in which a picture passes them.
    networks: Vec<Network>,
}

/// A server that answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Health {
    /// `ok`.
    status: &'static str,
    /// Version of the program.
    version: &'static str,
    /// Number of sources.
    sources: usize,
}

/// `GET /v1/models`. The first time, the networks are loaded.
pub async fn models(State(api): State<Api>) -> Result<Json<Models>, Problem> {
    let networks = spawn_blocking(move || api.analysers.networks()).await.map_err(Problem::internal)??;
    Ok(Json(Models { networks }))
}

/// `GET /v1/health`.
pub async fn health(State(api): State<Api>) -> Json<Health> {
    Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION"), sources: api.dashboard.sources.all().len() })
}
