// SPDX-License-Identifier: MIT OR Apache-2.0
//! Films that are examined without a connection: their state, their records, and their end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use emotion_core::export::Utc;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::Api;
use super::film::{self, NDJSON, Progress};
use super::options::Plan;
use super::problem::Problem;
use crate::sources::source::random_key;
use crate::sources::upload::Upload;
use crate::web::stream;

/// Maximum number of jobs, those that have ended included.
const MAX_JOBS: usize = 32;
/// How long a job is kept after its end.
const KEPT: Duration = Duration::from_secs(3600);
/// Maximum size of the records of a job.
const MAX_RESULT_BYTES: u64 = 1 << 30;
/// When to try again if there are too many jobs, in seconds.
const ROOM_SECONDS: u32 = 60;
/// When to ask for a result again, in seconds.
const RESULT_SECONDS: u32 = 5;
/// The extension of the file with the records.
const EXTENSION: &str = "ndjson";

/// The jobs, by their ids.
#[derive(Debug, Default)]
pub struct Jobs(Mutex<BTreeMap<String, Arc<Job>>>);

/// A film that is examined.
#[derive(Debug)]
struct Job {
    progress: Progress,
    is_deleted: watch::Sender<bool>,
    stage: Mutex<Stage>,
    records: Upload,
}

#[derive(Clone, Debug)]
enum Stage {
    Queued,
    Running,
    Ended { problem: Option<Problem>, expires: Utc },
}

/// A film that is examined without a connection.
#[derive(Debug, Serialize, JsonSchema)]
pub struct JobStatus {
    /// Its id. Only who has it can see the job.
    id: String,
    /// What happens to it.
    state: JobState,
    /// The examined share of the film, 0..1; null if the file does not say how long it is.
    progress: Option<f64>,
    /// Number of examined frames.
    frames: u64,
    /// Number of faces on them.
    faces: u64,
    /// Why the film was not examined to its end.
    problem: Option<Problem>,
    /// When it is deleted, in RFC 3339; null until it has ended.
    #[schemars(with = "Option<String>")]
    expires: Option<String>,
}

/// What happens to a job.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum JobState {
    /// It waits for others.
    Queued,
    /// It is examined.
    Running,
    /// It has been examined to its end.
    Done,
    /// It could not be examined to its end.
    Failed,
}

impl Jobs {
    /// Checks that there is room for one more.
    ///
    /// # Errors
    /// If there are too many.
    pub fn check_room(&self) -> Result<(), Problem> {
        room_beside(&self.0.lock())
    }

    fn add(&self, id: &str, job: &Arc<Job>) -> Result<(), Problem> {
        let mut jobs = self.0.lock();
        room_beside(&jobs)?;
        jobs.insert(id.to_owned(), job.clone());
        Ok(())
    }

    fn find(&self, id: &str) -> Result<Arc<Job>, Problem> {
        let unknown = || Problem::new(StatusCode::NOT_FOUND, "there is no such job; it may have expired");
        self.0.lock().get(id).cloned().ok_or_else(unknown)
    }

    fn remove(&self, id: &str) {
        if let Some(job) = self.0.lock().remove(id) {
            job.is_deleted.send_replace(true);
        }
    }
}

/// Checks that there is room for one more job beside these.
fn room_beside(jobs: &BTreeMap<String, Arc<Job>>) -> Result<(), Problem> {
    let full = || Problem::new(StatusCode::TOO_MANY_REQUESTS, "there are too many jobs; delete those that have ended");
    (jobs.len() < MAX_JOBS).then_some(()).ok_or_else(|| full().again_after(ROOM_SECONDS))
}

impl Job {
    fn status(&self, id: String) -> JobStatus {
        let (state, problem, expires) = match self.stage.lock().clone() {
            Stage::Queued => (JobState::Queued, None, None),
            Stage::Running => (JobState::Running, None, None),
            Stage::Ended { problem: None, expires } => (JobState::Done, None, Some(expires)),
            Stage::Ended { problem, expires } => (JobState::Failed, problem, Some(expires)),
        };
        let (frames, faces) = (self.progress.frames.load(Ordering::Relaxed), self.progress.faces.load(Ordering::Relaxed));
        let progress = if matches!(state, JobState::Done) { Some(1.0) } else { self.progress.share() };
        JobStatus { id, state, progress, frames, faces, problem, expires: expires.map(|at| at.to_string()) }
    }

    /// Examines the film, which is deleted then.
    fn run(&self, api: &Api, plan: &Plan, upload: Upload, mut file: File) {
        *self.stage.lock() = Stage::Running;
        let (mut bytes, mut failed) = (0, None);
        let write = |text: Vec<u8>| {
            bytes += text.len() as u64;
            let written = if bytes > MAX_RESULT_BYTES { Err("the records are too long; use `every`".to_owned()) } else { Ok(()) };
            let written = written.and_then(|()| file.write_all(&text).map_err(|error| error.to_string()));
            failed = written.err();
            failed.is_none() && !*self.is_deleted.borrow()
        };
        let examined = film::open(plan, &upload).map(|film| film::examine(&api.analysers, plan, film, &self.progress, write));
        let unwritten = failed.map(|reason| Problem::new(StatusCode::INSUFFICIENT_STORAGE, reason));
        let problem = examined.unwrap_or_else(Some).or(unwritten);
        let end = SystemTime::now() + KEPT;
        let since = end.duration_since(UNIX_EPOCH).unwrap_or_default();
        *self.stage.lock() = Stage::Ended { problem, expires: Utc(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)) };
    }
}

/// A job with its address.
type Begun = ([(HeaderName, String); 1], Json<JobStatus>);

/// Begins a job.
pub async fn begin(api: Api, plan: Plan, upload: Upload) -> Result<Begun, Problem> {
    let folder = api.dashboard.sources.uploads();
    let opened = spawn_blocking(move || Upload::open(&folder, EXTENSION)).await.map_err(Problem::internal)?;
    let (file, records) = opened.map_err(Problem::internal)?;
    let job = Job { progress: Progress::default(), is_deleted: watch::Sender::new(false), stage: Mutex::new(Stage::Queued), records };
    let (id, job) = (random_key(), Arc::new(job));
    api.jobs.add(&id, &job)?;
    let status = job.status(id.clone());
    let location = format!("/v1/jobs/{id}");
    tokio::spawn(async move {
        let mut deleted = job.is_deleted.subscribe();
        let turn = tokio::select! {
            turn = api.analysers.next_film() => turn,
            // Its files do not stay until its turn.
            _ = deleted.wait_for(|is_deleted| *is_deleted) => return,
        };
        let Ok(turn) = turn else { return };
        let running = (api.clone(), job.clone());
        let run = move || {
            let (_turn, (api, job)) = (turn, running);
            job.run(&api, &plan, upload, file);
        };
        let _ = spawn_blocking(run).await;
        drop(job);
        tokio::time::sleep(KEPT).await;
        api.jobs.remove(&id);
    });
    Ok(([(LOCATION, location)], Json(status)))
}

/// `GET /v1/jobs/{id}`.
pub async fn show(State(api): State<Api>, id: Result<Path<String>, PathRejection>) -> Result<Json<JobStatus>, Problem> {
    let Path(id) = id?;
    Ok(Json(api.jobs.find(&id)?.status(id)))
}

/// `GET /v1/jobs/{id}/result`.
pub async fn result(State(api): State<Api>, id: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let job = api.jobs.find(&id?.0)?;
    if !matches!(&*job.stage.lock(), Stage::Ended { .. }) {
        return Err(Problem::new(StatusCode::CONFLICT, "the job has not ended yet").again_after(RESULT_SECONDS));
    }
    let opened = spawn_blocking(move || File::open(job.records.path())).await.map_err(Problem::internal)?;
    let file = opened.map_err(Problem::internal)?;
    Ok(([(CONTENT_TYPE, NDJSON)], stream(Box::new(file), || true)).into_response())
}

/// `DELETE /v1/jobs/{id}`: the examination ends, and its files are deleted.
pub async fn delete(State(api): State<Api>, id: Result<Path<String>, PathRejection>) -> Result<StatusCode, Problem> {
    let Path(id) = id?;
    api.jobs.find(&id)?;
    api.jobs.remove(&id);
    Ok(StatusCode::NO_CONTENT)
}
