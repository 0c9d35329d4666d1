//! `GET /events`: streams what happens to credentials, for as long as the reader keeps up.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt};
use jackfield_auth::Events;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::ApiError;
use crate::limits::EVENT_KEEP_ALIVE_INTERVAL;
use crate::types::Lagged;
use crate::{Admin, views};

pub(crate) async fn events(State(admin): State<Arc<Admin>>) -> Result<impl IntoResponse, ApiError> {
    let permit = Arc::clone(&admin.event_readers).try_acquire_owned();
    // An error, not a wait: a reader that waits for a permit would look like one without events.
    let permit = permit.map_err(|_| ApiError::TooManyReaders)?;
    let mut stopping = admin.stopping.subscribe();
    let stopped = async move {
        // An error means that `Admin` was dropped, which ends the stream as well.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let events = event_stream(admin.parts.dispatcher.auth().subscribe(), permit)
        .take_until(Box::pin(stopped));
    let keep_alive = KeepAlive::new().interval(EVENT_KEEP_ALIVE_INTERVAL);
    Ok(Sse::new(events).keep_alive(keep_alive))
}

/// Returns the events as frames. A reader that is too slow gets `lagged` as its last event: it has to
/// read the credentials again, since it cannot know what it lost.
fn event_stream(
    events: Events,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    // The permit is part of the state, so that the end of the stream releases it, also if the reader leaves.
    unfold(Some((events, permit)), |reader| async move {
        let (mut events, permit) = reader?;
        match events.next().await? {
            Ok(event) => {
                let frame = frame(event.kind.label(), &views::event(&event));
                Some((Ok(frame), Some((events, permit))))
            }
            Err(skipped) => {
                tracing::warn!(skipped, "admin: a reader of events was too slow");
                Some((Ok(frame("lagged", &Lagged { skipped })), None))
            }
        }
    })
}

fn frame(name: &str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name);
    match event.json_data(data) {
        Ok(event) => event,
        Err(error) => {
            // Plain data with text keys: writing it as JSON cannot fail.
            tracing::error!(%error, name, "admin: an event could not be written as JSON");
            Event::default().event(name)
        }
    }
}
