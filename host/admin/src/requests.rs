//! What was decided of the last calls: one by its id, or the newest.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Admin, error_response};

/// The newest calls first.
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<Value> {
    let recent = admin.parts.dispatcher.call_log().recent(LIST_MAX);
    Json(json!({ "requests": recent }))
}

/// One call, by the id in its answer's header `x-jackfield-request-id`.
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Response<Body> {
    match admin.parts.dispatcher.call_log().get(&id) {
        Some(record) => Json(record).into_response(),
        None => error_response(
            StatusCode::NOT_FOUND,
            "unknown-request",
            "there was no such request, or it was too long ago",
        ),
    }
}

/// How many are listed: a screen or two.
const LIST_MAX: usize = 50;
