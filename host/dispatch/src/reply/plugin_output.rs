//! Whose fault it is that a response through a plugin is not what its dialect demands: the plugin's if it wrote it, the
//! provider's if the plugin passed on what the provider sent.

use bytes::Bytes;
use jackfield_dialect::Dialect;
use serde::de::IgnoredAny;

use super::stream::{ENDED_EARLY, StreamError};
use crate::call::Operation;
use crate::negotiation::NegotiatedCall;
use crate::plan::Frame;

/// Whether a plugin passes on frames of the provider or writes its own.
#[derive(Default)]
pub(super) struct OutputOrigin {
    got_bytes: bool,
    returned_frames: bool,
    returned_own_frames: bool,
    /// The plugin ended the response before the provider did.
    ended_first: bool,
    /// What the latest call got.
    latest: Vec<Bytes>,
}

/// Why what a plugin returned cannot be written for the client.
pub(super) enum WrongOutput {
    /// A frame, or the whole body.
    Content {
        error: StreamError,
        /// What the plugin returned. `None` if it is too long.
        returned: Option<Bytes>,
    },
    /// The stream ended before it was complete.
    EndedEarly,
}

/// Who is to blame for wrong output.
pub(super) enum Blamed {
    /// The plugin: what it did, without any of the content.
    Plugin(String),
    /// The provider, or the connection to it.
    Provider(StreamError),
}

impl WrongOutput {
    /// The beginning of what the plugin returned, for the call's record.
    pub(super) fn beginning(&self) -> Option<Bytes> {
        match self {
            Self::Content { returned, .. } => {
                let returned = returned.as_ref()?;
                Some(returned.slice(..returned.len().min(BEGINNING_BYTES_MAX)))
            }
            Self::EndedEarly => None,
        }
    }
}

/// How much of wrong output is in the record of a call, in bytes: enough to see what it is.
const BEGINNING_BYTES_MAX: usize = 256;

impl OutputOrigin {
    /// Notes what one call got and returned. A plugin that leaves frames out still passes on the others.
    pub(super) fn note(&mut self, got: Vec<Bytes>, returned: &[Frame], ended_first: bool) {
        self.ended_first |= ended_first;
        self.got_bytes |= got.iter().any(|bytes| !bytes.is_empty());
        self.returned_frames |= !returned.is_empty();
        if !self.returned_own_frames {
            // Frames keep their order, so one pass finds all of them.
            let mut rest = got.iter();
            let mut is_passed_on = |frame: &Frame| rest.any(|bytes| *bytes == frame.data);
            self.returned_own_frames = !returned.iter().all(&mut is_passed_on);
        }
        self.latest = got;
    }

    /// Whether the plugin wrote the response. One that returned nothing of what it got wrote an empty one.
    fn is_own(&self) -> bool {
        self.returned_own_frames || (self.got_bytes && !self.returned_frames)
    }

    /// Whether the plugin wrote this part of the response: one that writes some frames may pass on others.
    fn wrote(&self, part: Option<&[u8]>) -> bool {
        self.is_own() && !part.is_some_and(|part| self.latest.iter().any(|got| got == part))
    }

    pub(super) fn blame(&self, wrong: WrongOutput, negotiated: &NegotiatedCall) -> Blamed {
        match wrong {
            WrongOutput::Content {
                error: error @ StreamError::Upstream(_),
                returned,
            } if self.wrote(returned.as_deref()) => Blamed::Plugin(match returned {
                Some(returned) => describe(negotiated, &returned),
                None => error.message(),
            }),
            // An error that it passes on from the provider, whose wording it may change.
            WrongOutput::Content { error, .. } => Blamed::Provider(error),
            WrongOutput::EndedEarly if self.is_own() && self.ended_first => {
                Blamed::Plugin("it ended the response before it was complete".to_owned())
            }
            // Not a transport error: the connection is sound. Either the plugin left the end out, or the provider.
            WrongOutput::EndedEarly => Blamed::Provider(StreamError::invalid_response(ENDED_EARLY)),
        }
    }
}

/// Says what is wrong with a body or a frame, for the plugin's author.
fn describe(negotiated: &NegotiatedCall, returned: &[u8]) -> String {
    let call = negotiated.call();
    let dialect = negotiated.upstream_dialect();
    let part = match call.stream {
        Some(_) => "frame",
        None => "body",
    };
    if returned.trim_ascii().is_empty() {
        return format!("it returned an empty {part}");
    }
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(returned) {
        return format!("it returned a {part} that is not JSON: {error}");
    }
    let why = match (call.stream, call.operation) {
        (None, Operation::Generate) => decode_problem(dialect, returned),
        (None, Operation::CountTokens | Operation::Embed(_)) => "it is no JSON object",
        (Some(_), _) => "it is no event of it, or the end of a stream without content",
    };
    let dialect = dialect.name();
    format!("it returned a {part} that is not of the dialect {dialect}: {why}")
}

/// Names what a whole response lacks.
fn decode_problem(dialect: Dialect, body: &[u8]) -> &'static str {
    match dialect.codec().decode_response(body) {
        Err(malformed) => malformed.0,
        Ok(_) => "it has neither content nor a finish reason",
    }
}
