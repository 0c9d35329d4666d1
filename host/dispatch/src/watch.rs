//! What a stream means to the client's dialect: whether it has content, how it ends, and the words
//! for errors. The one place that asks which dialect it is.

use bytes::Bytes;
use jackfield_dialect::openai_chat::{self, Answer, StreamObserver};
use jackfield_dialect::{Dialect, ErrorBody, Observed, ProviderError};

/// Watches the events of one stream.
pub(crate) enum Watch {
    OpenaiChat(StreamObserver),
}

impl Watch {
    pub(crate) fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenaiChat => Self::OpenaiChat(StreamObserver::new()),
        }
    }

    pub(crate) fn observe(&mut self, name: &str, data: &[u8]) -> Observed {
        match self {
            Self::OpenaiChat(observer) => observer.observe(name, data),
        }
    }

    /// Whether the stream came to the end that its dialect demands, with content in it.
    pub(crate) fn completed(&self) -> bool {
        match self {
            Self::OpenaiChat(observer) => observer.completed() && observer.has_content(),
        }
    }
}

/// What a whole answer of good status is worth.
pub(crate) enum Worth {
    Good,
    Error(ProviderError),
    Useless(&'static str),
}

/// Judges a whole answer.
pub(crate) fn worth(dialect: Dialect, body: &[u8]) -> Worth {
    match dialect {
        Dialect::OpenaiChat => match Answer::read(body) {
            Answer::Complete { .. } => Worth::Good,
            Answer::Error(error) => Worth::Error(error),
            Answer::Empty => Worth::Useless("the provider's answer was empty"),
            Answer::Malformed => Worth::Useless("the provider's answer was not what it should be"),
        },
    }
}

/// The one event that ends a stream that failed after it was committed.
pub(crate) fn terminal_error(dialect: Dialect, message: &str) -> Bytes {
    match dialect {
        Dialect::OpenaiChat => openai_chat::render_stream_error(&ErrorBody {
            message,
            kind: "server_error",
            code: Some("upstream_failed"),
            param: None,
            cooldown: None,
        }),
    }
}
