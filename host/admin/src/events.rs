//! `GET /events`: streams what happens to credentials and plugins, for as long as the reader keeps up.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{select, unfold};
use futures_util::{Stream, StreamExt};
use jackfield_auth::Events;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::ApiError;
use crate::limits::EVENT_KEEP_ALIVE_INTERVAL;
use crate::plugins::PluginEvents;
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
    let credentials = credential_frames(admin.parts.dispatcher.auth().subscribe());
    let plugins = plugin_frames(admin.parts.plugins.subscribe());
    let frames = select(credentials.boxed(), plugins.boxed());
    let events = event_stream(frames, permit).take_until(Box::pin(stopped));
    let keep_alive = KeepAlive::new().interval(EVENT_KEEP_ALIVE_INTERVAL);
    Ok(Sse::new(events).keep_alive(keep_alive))
}

/// A frame, or the number of events that the reader was too slow to receive.
type NextFrame = Result<Event, u64>;

fn credential_frames(events: Events) -> impl Stream<Item = NextFrame> {
    unfold(events, |mut events| async {
        let next = events.next().await?;
        let next = next.map(|event| frame(event.kind.label(), &views::event(&event)));
        Some((next, events))
    })
}

fn plugin_frames(events: PluginEvents) -> impl Stream<Item = NextFrame> {
    events.map(|next| next.map(|(name, event)| frame(name, &event)))
}

/// Returns the frames. A reader that is too slow gets `lagged` as its last event: it has to read the
/// credentials and the plugins again, since it cannot know what it lost.
fn event_stream(
    frames: impl Stream<Item = NextFrame> + Unpin,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    // The permit is part of the state, so that the end of the stream releases it, also if the reader leaves.
    unfold(Some((frames, permit)), |reader| async move {
        let (mut frames, permit) = reader?;
        match frames.next().await? {
            Ok(frame) => Some((Ok(frame), Some((frames, permit)))),
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
