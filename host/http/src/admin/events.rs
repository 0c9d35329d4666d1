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

use super::{Admin, refuse, shape};
use crate::limits::{EVENT_PAUSE, EVENT_READERS_MAX};

pub(super) async fn events(State(admin): State<Arc<Admin>>) -> Response<Body> {
    let Ok(place) = Arc::clone(&admin.event_readers).try_acquire_owned() else {
        let message = format!("{EVENT_READERS_MAX} readers listen already; end one of them");
        return refuse(StatusCode::TOO_MANY_REQUESTS, "too_many_readers", &message);
    };
    let mut stopping = admin.stopping.subscribe();
    let stopped = async move {
        // An error means that the admin API is gone.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let events =
        told(admin.parts.dispatcher.auth().subscribe(), place).take_until(Box::pin(stopped));
    let silence = KeepAlive::new().interval(EVENT_PAUSE);
    Sse::new(events).keep_alive(silence).into_response()
}

/// The events until the reader is too slow, which is the last that it is told.
fn told(
    events: Events,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(Some((events, place)), |reader| async move {
        let (mut events, place) = reader?;
        match events.next().await? {
            Ok(event) => {
                let data = shape::event(&event).to_string();
                let told = Event::default().event(event.kind.label()).data(data);
                Some((Ok(told), Some((events, place))))
            }
            Err(missed) => {
                tracing::warn!(missed, "admin: a reader of events was too slow");
                let data = json!({ "missed": missed }).to_string();
                Some((Ok(Event::default().event("lagged").data(data)), None))
            }
        }
    })
}
