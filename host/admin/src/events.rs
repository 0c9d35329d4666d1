//! What happens to credentials, as server-sent events for as long as the reader keeps up.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt};
use jackfield_auth::Events;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::{Admin, error_response, views};
use crate::limits::{EVENT_KEEP_ALIVE_INTERVAL, EVENT_READERS_MAX};

pub(super) async fn events(State(admin): State<Arc<Admin>>) -> Response<Body> {
    let Ok(permit) = Arc::clone(&admin.event_readers).try_acquire_owned() else {
        let message = format!("{EVENT_READERS_MAX} readers listen already; end one of them");
        return error_response(StatusCode::TOO_MANY_REQUESTS, "too_many_readers", &message);
    };
    let mut stopping = admin.stopping.subscribe();
    let stopped = async move {
        // An error means that the admin API is gone.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let events = event_stream(admin.parts.dispatcher.auth().subscribe(), permit)
        .take_until(Box::pin(stopped));
    let keep_alive = KeepAlive::new().interval(EVENT_KEEP_ALIVE_INTERVAL);
    Sse::new(events).keep_alive(keep_alive).into_response()
}

/// The events until the reader is too slow, which is the last that it is told.
fn event_stream(
    events: Events,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(Some((events, permit)), |reader| async move {
        let (mut events, permit) = reader?;
        match events.next().await? {
            Ok(event) => {
                let data = views::event(&event).to_string();
                let frame = Event::default().event(event.kind.label()).data(data);
                Some((Ok(frame), Some((events, permit))))
            }
            Err(skipped) => {
                tracing::warn!(skipped, "admin: a reader of events was too slow");
                let data = json!({ "missed": skipped }).to_string();
                Some((Ok(Event::default().event("lagged").data(data)), None))
            }
        }
    })
}
