//! The dialect `openai-chat`: chat completions as OpenAI documents them, and as the many providers that
//! speak them really send them.

mod answer;
mod chunk;
mod render;
mod stream;
mod usage;

pub use answer::read_answer;
pub use render::{error_kind, model_list, render_error, render_stream_error};
pub use stream::StreamObserver;
