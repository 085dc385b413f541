// SPDX-License-Identifier: MIT OR Apache-2.0
//! The HTTP interface: the page, its API and downloads.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{FromRef, Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::downloads::{download, make_report, snapshot};
use super::refused::{self, Answer, Refused, find, unknown};
use super::{feed, guard, listing, metrics, page, receiver, viewer};
use crate::dashboard::Dashboard;
use crate::sources::input::{Choices, Input, Kind, clean_name};
use crate::sources::registry::Registry;
use crate::sources::source::Command;
use crate::v1;

/// Of three connections, this many are reserved for WebSockets, the others for requests. A viewer has one WebSocket for the
/// list and one for each source.
const SOCKETS_PER_THREE: usize = 2;
/// Maximum size of a viewer's message.
const MAX_MESSAGE_BYTES: usize = 256;
/// Default length of a timeline, in seconds.
const TIMELINE_SECONDS: u64 = 600;

/// State that the handlers share.
#[derive(Clone)]
struct App {
    dashboard: Arc<Dashboard>,
    sockets: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
}

impl FromRef<App> for Arc<Dashboard> {
    fn from_ref(app: &App) -> Self {
        app.dashboard.clone()
    }
}

impl FromRef<App> for Arc<Registry> {
    fn from_ref(app: &App) -> Self {
        app.dashboard.sources.clone()
    }
}

/// The server cannot listen on the address.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {error}")]
pub struct ListenError {
    address: SocketAddr,
    error: io::Error,
}

/// Serves until the process is told to stop.
///
/// # Errors
/// If the server cannot listen on the address.
pub async fn run(dashboard: Arc<Dashboard>) -> Result<(), ListenError> {
    let address = dashboard.options.listen;
    let failed = |error| ListenError { address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    println!("http://{address}/");
    let stop = async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok()?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        Some(())
    };
    dashboard.fleet.follow();
    let max_connections = emotion_http::max_connections();
    let max_requests = max_connections - max_connections * SOCKETS_PER_THREE / 3;
    let router = router(dashboard.clone(), max_connections);
    tokio::select! {
        () = emotion_http::serve_streams(listener, router, max_requests, guard::HEADERS, v1::has) => {}
        () = dashboard.watch() => {}
        _ = stop => {}
    }
    Ok(())
}

/// The routes of a server with so many connections and WebSockets.
pub fn router(dashboard: Arc<Dashboard>, max_connections: usize) -> Router {
    let max_sockets = max_connections * SOCKETS_PER_THREE / 3;
    let page = if dashboard.options.api_only { Router::new() } else { page_and_api(dashboard.clone(), max_sockets) };
    // A program that follows a source keeps a connection for requests.
    page.merge(v1::router(dashboard.clone(), (max_connections - max_sockets) / 2))
        .merge(Router::new().route("/metrics", get(measured)).with_state(dashboard.sources.clone()))
        .fallback(unknown_address)
        .layer(middleware::from_fn_with_state(dashboard, guard::check))
}

async fn unknown_address(uri: Uri) -> Response {
    if v1::has(&uri) { v1::unknown(&uri).into_response() } else { Refused(StatusCode::NOT_FOUND, "not found".into()).into_response() }
}

/// The page, and what it asks for.
fn page_and_api(dashboard: Arc<Dashboard>, max_sockets: usize) -> Router {
    let sockets = Arc::new(Semaphore::new(max_sockets));
    let app = App { dashboard, sockets, uploads: Arc::new(Semaphore::new(receiver::MAX_UPLOADS)) };
    page::router()
        .route("/api/list", get(follow_list))
        .route("/api/overview", get(follow_overview))
        .route("/api/cameras/{id}/timeline", get(camera_timeline))
        .route("/api/upload", get(receive_upload))
        .route("/api/choices", get(choices))
        .route("/api/sources", get(sources).post(add))
        .route("/api/sources/{id}", delete(remove))
        .route("/api/sources/{id}/start", post(start))
        .route("/api/sources/{id}/stop", post(stop))
        .route("/api/sources/{id}/switches", post(switch))
        .route("/api/sources/{id}/faces/{face}/calibrate", post(calibrate))
        .route("/api/sources/{id}/faces/{face}/reset-baseline", post(reset_baseline))
        .route("/api/sources/{id}/timeline", get(timeline))
        .route("/api/sources/{id}/watch", get(watch))
        .route("/api/sources/{id}/feed", get(feed))
        .route("/api/sources/{id}/snapshot.jpg", get(snapshot))
        .route("/api/sources/{id}/report.html", get(make_report))
        .route("/api/sources/{id}/records/{name}", get(download))
        .with_state(app)
}

async fn sources(State(dashboard): State<Arc<Dashboard>>) -> Json<Value> {
    Json(listing::of(&dashboard))
}

async fn measured(State(registry): State<Arc<Registry>>) -> Response {
    ([(CONTENT_TYPE, emotion_supervise::metrics::CONTENT_TYPE)], metrics::of(&registry)).into_response()
}

async fn choices(State(dashboard): State<Arc<Dashboard>>) -> Json<Choices> {
    Json(Choices::find(&dashboard.options.media))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSource {
    kind: Kind,
    #[serde(default)]
    address: String,
    #[serde(default)]
    name: String,
}

/// Answers with the id of the new source and, if it is a browser's camera, the key that allows to send pictures.
async fn add(State(dashboard): State<Arc<Dashboard>>, new: Result<Json<NewSource>, JsonRejection>) -> Answer {
    let Json(new) = new?;
    let input = Input::from_request(new.kind, new.address.trim(), &dashboard.options.media);
    let input = input.map_err(|error| Refused(StatusCode::BAD_REQUEST, error.to_string()))?;
    let name = clean_name(&new.name).unwrap_or_else(|| input.name());
    // It may delete records of earlier sources.
    let added = tokio::task::spawn_blocking(move || dashboard.sources.add(input, name)).await;
    let added = added.map_err(Refused::internal)?;
    let source = added.map_err(|error| Refused(StatusCode::CONFLICT, error.to_string()))?;
    let key = (new.kind == Kind::Browser).then_some(&source.key);
    Ok((StatusCode::CREATED, Json(json!({ "id": source.id, "key": key }))).into_response())
}

async fn remove(State(registry): State<Arc<Registry>>, Path(id): Path<u32>) -> Answer {
    if registry.remove(id) { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(unknown(id)) }
}

async fn start(State(registry): State<Arc<Registry>>, Path(id): Path<u32>) -> Answer {
    command(&registry, id, Command::Start)
}

async fn stop(State(registry): State<Arc<Registry>>, Path(id): Path<u32>) -> Answer {
    command(&registry, id, Command::Stop)
}

async fn calibrate(State(registry): State<Arc<Registry>>, Path((id, face)): Path<(u32, u32)>) -> Answer {
    command(&registry, id, Command::Calibrate(face))
}

async fn reset_baseline(State(registry): State<Arc<Registry>>, Path((id, face)): Path<(u32, u32)>) -> Answer {
    command(&registry, id, Command::ResetBaseline(face))
}

fn command(registry: &Registry, id: u32, command: Command) -> Answer {
    find(registry, id)?.command(command);
    Ok(StatusCode::NO_CONTENT.into_response())
}

type Change = Map<String, Value>;

/// Sets the switches that the request has.
async fn switch(State(registry): State<Arc<Registry>>, Path(id): Path<u32>, change: Result<Json<Change>, JsonRejection>) -> Answer {
    let source = find(&registry, id)?;
    refused::change(&registry, &source, change?.0).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
struct TimelineQuery {
    from: Option<u64>,
    to: Option<u64>,
    points: Option<u64>,
}

impl TimelineQuery {
    /// `from`, `to` and `points`, by default of the last minutes.
    fn range(&self, registry: &Registry) -> (u64, u64, u64) {
        let to = self.to.unwrap_or_else(|| registry.now_ms() / 1000 + 1);
        (self.from.unwrap_or_else(|| to.saturating_sub(TIMELINE_SECONDS)), to, self.points.unwrap_or(TIMELINE_SECONDS))
    }
}

/// The seconds `from..to` since 1970, in at most `points` points.
async fn timeline(State(registry): State<Arc<Registry>>, Path(id): Path<u32>, Query(query): Query<TimelineQuery>) -> Answer {
    let source = find(&registry, id)?;
    let (from, to, points) = query.range(&registry);
    Ok(Json(source.with_live(|live| live.history.timeline(from, to, points))).into_response())
}

async fn camera_timeline(State(dashboard): State<Arc<Dashboard>>, Path(id): Path<u32>, Query(query): Query<TimelineQuery>) -> Answer {
    let (from, to, points) = query.range(&dashboard.sources);
    let timeline = dashboard.fleet.timeline(id, from, to, points);
    timeline
        .map(|timeline| Json(timeline).into_response())
        .ok_or_else(|| Refused(StatusCode::NOT_FOUND, format!("there is no camera {id}")))
}

async fn follow_list(State(app): State<App>, upgrade: WebSocketUpgrade) -> Answer {
    let dashboard = app.dashboard.clone();
    app.upgrade(upgrade, MAX_MESSAGE_BYTES, |socket| viewer::follow_list(socket, dashboard))
}

async fn follow_overview(State(app): State<App>, upgrade: WebSocketUpgrade) -> Answer {
    let dashboard = app.dashboard.clone();
    app.upgrade(upgrade, MAX_MESSAGE_BYTES, |socket| viewer::follow_overview(socket, dashboard))
}

#[derive(Deserialize)]
struct UploadQuery {
    name: String,
}

async fn receive_upload(State(app): State<App>, Query(query): Query<UploadQuery>, upgrade: WebSocketUpgrade) -> Answer {
    let turn = app.uploads.clone().try_acquire_owned();
    let turn = turn.map_err(|_| Refused(StatusCode::SERVICE_UNAVAILABLE, "too many files are being sent".into()))?;
    let dashboard = app.dashboard.clone();
    app.upgrade(upgrade, receiver::MAX_CHUNK_BYTES, async move |socket| {
        receiver::receive(socket, dashboard, query.name).await;
        drop(turn);
    })
}

async fn watch(State(app): State<App>, Path(id): Path<u32>, upgrade: WebSocketUpgrade) -> Answer {
    let source = find(&app.dashboard.sources, id)?;
    // A viewer does not hold the source itself, so that it is dropped when it is removed.
    let (pictures, readings) = (source.pictures.subscribe(), source.readings.subscribe());
    app.upgrade(upgrade, MAX_MESSAGE_BYTES, |socket| viewer::watch(socket, pictures, readings))
}

#[derive(Deserialize)]
struct FeedQuery {
    key: String,
}

async fn feed(State(app): State<App>, Path(id): Path<u32>, Query(query): Query<FeedQuery>, upgrade: WebSocketUpgrade) -> Answer {
    let source = find(&app.dashboard.sources, id)?;
    if source.input != Input::Browser || query.key != source.key {
        return Err(Refused(StatusCode::FORBIDDEN, "only the browser that added this source can send pictures".into()));
    }
    let source = Arc::downgrade(&source);
    app.upgrade(upgrade, feed::MAX_BYTES, |socket| feed::receive(socket, source))
}

impl App {
    /// Begins a WebSocket whose messages have at most `max_bytes`, if there is room for one more. It counts until `talk` ends.
    fn upgrade<T: Future<Output = ()> + Send + 'static>(
        &self,
        upgrade: WebSocketUpgrade,
        max_bytes: usize,
        talk: impl FnOnce(WebSocket) -> T + Send + 'static,
    ) -> Answer {
        let permit = self.sockets.clone().try_acquire_owned();
        let permit = permit.map_err(|_| Refused(StatusCode::SERVICE_UNAVAILABLE, "too many viewers".into()))?;
        let upgrade = upgrade.max_message_size(max_bytes).max_frame_size(max_bytes);
        Ok(upgrade.on_upgrade(async move |socket| {
            talk(socket).await;
            drop(permit);
        }))
    }
}
