//! One call from admitted to last byte, and the ports that others implement. It knows neither HTTP
//! servers and clients nor WebAssembly.

mod affinity;
mod attempt;
mod budgets;
mod call;
mod pick;
mod classify;
mod clock;
mod token_estimate;
mod context;
mod raw_request;
mod dispatcher;
mod error;
mod exchange;
mod fallback;
mod plugin_stream;
pub mod call_log;
pub mod limits;
mod outbound;
pub mod plan;
pub mod port;
mod progress;
mod passthrough;
mod refresher;
mod relay;
mod transcode;
mod scrub;
pub mod snapshot;
mod source;
mod translation;
mod writer;

pub use affinity::AffinityKey;
pub use call::{ClientResponse, ResponseBody, ResponseStream, BodyError, Call, Embed, StreamFraming, Operation};
pub use classify::or_default_rules;
pub use clock::Clock;
pub use raw_request::RawRequest;
pub use dispatcher::{Dispatcher, DispatcherParts};
pub use error::{CallError, ErrorResponse, UpstreamFailure};
pub use fallback::{Condition, Fallback};
pub use refresher::PlannedRefresher;
