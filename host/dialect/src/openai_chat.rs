//! The dialect `openai-chat`: chat completions as OpenAI documents them, and as the many providers that
//! speak them really send them.

mod answer;
mod chunk;
mod render;
mod request;
mod stream;
mod usage;

pub use crate::{ErrorBody, Observed, ProviderError, Usage};
pub use answer::Answer;
pub use render::{error_kind, model_list, render_error, render_stream_error};
pub use request::{MODEL_BYTES_MAX, Request, RequestError};
pub use stream::StreamObserver;
