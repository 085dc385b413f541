// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors of `/v1`, as RFC 9457 defines them.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use emotion_photo_reader::Error as PhotoError;
use emotion_scan::Failure;
use schemars::JsonSchema;
use serde::Serialize;

use crate::sources::upload::UploadError;
use crate::web::Refused;

/// The media type.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request has no result (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    r#type: &'static str,
    /// The name of the status.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong, for people.
    detail: String,
    /// When to try again, in seconds.
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    /// A problem with a status and what is wrong.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { r#type: "about:blank", title, status: status.as_u16(), detail: detail.into(), retry_after: None }
    }

    /// The same with the time after which another try is worth it.
    pub fn again_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// All processors are busy.
    pub fn busy(detail: &str, seconds: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).again_after(seconds)
    }

    /// Something that the client is not to blame for.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Refused> for Problem {
    fn from(Refused(status, detail): Refused) -> Self {
        Self::new(status, detail)
    }
}

/// Whose fault it is that a file was not examined.
impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match &failure {
            Failure::Photo(PhotoError::TooManyPixels(_) | PhotoError::TooManyBytes { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Failure::Other
            | Failure::Unknown
            | Failure::NoDecoder(_)
            | Failure::NoMxfVideo
            | Failure::PixelFormat
            | Failure::DeepRawVideo => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Failure::Photo(PhotoError::Damaged { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            Failure::Photo(PhotoError::Io { .. }) | Failure::Analysis(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Failure::Photo(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, failure.to_string())
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Unreadable(error) => Failure::from(error).into(),
            UploadError::Io(error) => Self::internal(error),
            other => Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, other.to_string()),
        }
    }
}

/// Rejections of axum, which have a status and a text.
macro_rules! from_rejections {
    ($($rejection:ty),*) => {$(
        impl From<$rejection> for Problem {
            fn from(rejection: $rejection) -> Self {
                Self::new(rejection.status(), rejection.body_text())
            }
        }
    )*};
}

from_rejections!(JsonRejection, PathRejection, QueryRejection);

/// The answer to an address that is not there.
pub fn unknown(uri: &Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no {}; GET /v1 shows what there is", uri.path()))
}

/// The answer to a method that an address does not have.
pub async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this address has other methods")
}
