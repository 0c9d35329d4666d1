//! One call from admitted to last byte, and the ports that others implement. It knows neither HTTP
//! servers and clients nor WebAssembly.

mod affinity;
mod attempt;
mod budgets;
mod call;
pub mod call_log;
mod classify;
mod clock;
mod context;
mod dispatcher;
mod error;
mod error_chain;
mod exchange;
mod fallback;
pub mod limits;
mod outbound;
mod passthrough;
mod pick;
pub mod plan;
mod plugin_stream;
pub mod port;
mod progress;
mod raw_request;
mod refresher;
mod relay;
mod scrub;
pub mod snapshot;
mod source;
mod token_estimate;
mod transcode;
mod translation;
mod writer;

pub use affinity::AffinityKey;
pub use call::{
    BodyError, Call, ClientResponse, Embed, Operation, ResponseBody, ResponseStream, StreamFraming,
};
pub use classify::or_default_rules;
pub use clock::Clock;
pub use dispatcher::{Dispatcher, DispatcherParts};
pub use error::{CallError, ErrorResponse, UpstreamFailure};
pub use error_chain::error_chain;
pub use fallback::{Condition, Fallback};
pub use raw_request::RawRequest;
pub use refresher::PlannedRefresher;
