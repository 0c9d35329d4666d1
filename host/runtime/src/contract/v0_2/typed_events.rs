//! The events of `typed-reply` as those of the host, which checks their order.

use jackfield_dialect::item_events::{ItemBegin, ItemData, ItemEvent};
use jackfield_dispatch::plan::Output;

use super::bindings::{typed_reply, types};
use super::convert::{failure_in, plan_in, usage_in};
use crate::contract::plan_parts::{ContractError, check_length};

pub(super) fn typed_output_in(output: typed_reply::Output) -> Result<Output, ContractError> {
    check_length("events", output.events.len())?;
    let last = output.events.len();
    let next = output.next.map(plan_in);
    let mut found = Output {
        done: output.done,
        next: next.transpose()?.map(Box::new),
        ..Output::default()
    };
    for (number, event) in (1..).zip(output.events) {
        match event {
            typed_reply::Event::Failed(_) if number < last => {
                return Err(ContractError::AfterFailed(number));
            }
            typed_reply::Event::Failed(failure) => {
                found.failure = Some(Box::new(failure_in(failure)));
            }
            event => found.events.extend(event_in(event)),
        }
    }
    Ok(found)
}

/// `None` for an event that this host does not know.
fn event_in(event: typed_reply::Event) -> Option<ItemEvent> {
    Some(match event {
        typed_reply::Event::Response(members) => ItemEvent::Response(members),
        typed_reply::Event::Begin(item) => ItemEvent::Begin(ItemBegin {
            index: item.index,
            candidate: item.candidate,
            kind: item.kind,
            id: item.id,
            name: item.name,
            options: item.options,
        }),
        typed_reply::Event::Delta(delta) => ItemEvent::Delta {
            index: delta.index,
            kind: delta.kind,
            data: match delta.data {
                types::Payload::Text(text) => ItemData::Text(text),
                types::Payload::Bytes(bytes) => ItemData::Bytes(bytes.into()),
            },
        },
        typed_reply::Event::End(index) => ItemEvent::End(index),
        typed_reply::Event::Annotation(mark) => ItemEvent::Annotation {
            index: mark.index,
            kind: mark.kind,
            span: mark.start.zip(mark.end),
            options: mark.options,
        },
        typed_reply::Event::Usage(usage) => ItemEvent::Usage(usage_in(&usage)),
        typed_reply::Event::Finish(finish) => ItemEvent::Finish {
            candidate: finish.candidate,
            reason: finish.reason,
            stop_sequence: finish.stop_sequence,
        },
        typed_reply::Event::Failed(_) | typed_reply::Event::Other(_) => return None,
    })
}
