// SPDX-License-Identifier: MIT OR Apache-2.0
//! Refusals of requests, as JSON with a message.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::sources::registry::Registry;
use crate::sources::source::Source;
use crate::sources::switches::SwitchError;

/// A refusal with a message, as a response.
pub struct Refused(pub StatusCode, pub String);

impl Refused {
    /// Something that the viewer is not to blame for.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl From<SwitchError> for Refused {
    fn from(error: SwitchError) -> Self {
        let status = if matches!(error, SwitchError::Unknown(_)) { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
        Self(status, error.to_string())
    }
}

/// The response to a request, or its refusal.
pub type Answer = Result<Response, Refused>;

/// Sets the switches of `change`, and keeps those that hide faces over a restart.
pub async fn change(registry: &Arc<Registry>, source: &Arc<Source>, change: Map<String, Value>) -> Result<(), Refused> {
    source.switch(change)?;
    let (registry, source) = (registry.clone(), source.clone());
    let kept = tokio::task::spawn_blocking(move || registry.keep_hidden(&source)).await.unwrap_or_else(|error| Err(error.into()));
    let until_restart = |error| format!("it is switched, but only until the next start: {error}");
    kept.map_err(|error| Refused::internal(until_restart(error)))
}

/// The source with this id.
pub fn find(registry: &Registry, id: u32) -> Result<Arc<Source>, Refused> {
    registry.get(id).ok_or_else(|| unknown(id))
}

/// The refusal of an id that no source has.
pub fn unknown(id: u32) -> Refused {
    Refused(StatusCode::NOT_FOUND, format!("there is no source {id}"))
}
