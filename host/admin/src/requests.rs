//! `/requests`: the call log.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jackfield_dispatch::call_log::RequestRecord;

use crate::Admin;
use crate::error::ApiError;
use crate::extract::Name;
use crate::types::RequestList;

/// Returns the last calls, the newest first.
pub(crate) async fn list(State(admin): State<Arc<Admin>>) -> Json<RequestList> {
    Json(RequestList {
        requests: admin.parts.dispatcher.call_log().recent(LIST_MAX),
    })
}

/// Returns one call by the `x-jackfield-request-id` of its response.
pub(crate) async fn show(
    State(admin): State<Arc<Admin>>,
    Name(id): Name,
) -> Result<Json<RequestRecord>, ApiError> {
    let record = admin.parts.dispatcher.call_log().get(&id);
    record.map(Json).ok_or(ApiError::RequestNotFound)
}

/// Calls in a list: a screen or two.
const LIST_MAX: usize = 50;
