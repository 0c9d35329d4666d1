//! Carries out calls, from the admitted request to the last byte of the response, and defines the ports
//! that other crates implement. It knows neither HTTP servers and clients nor WebAssembly.

mod affinity;
mod attempt;
mod call;
pub mod call_log;
mod classify;
mod clock;
mod context;
mod dispatcher;
mod error;
mod error_chain;
mod expired_token;
mod fallback;
pub mod limits;
mod negotiation;
mod pick;
pub mod plan;
mod plugin_fault;
pub mod port;
mod progress;
mod provider_budgets;
mod raw_request;
mod refresher;
mod reply;
mod request;
mod scrub;
pub mod snapshot;
mod token_estimate;

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
