//! Carries out calls, from the admitted request to the last byte of the response, and defines the ports
//! that other crates implement. It knows neither HTTP servers and clients nor WebAssembly.

mod affinity;
mod attempt;
mod call;
pub mod call_log;
mod classify;
mod client_digest;
mod client_head;
mod clock;
mod connection_headers;
mod context;
mod dispatcher;
mod error;
mod error_chain;
mod expired_token;
mod fallback;
mod forwarded_headers;
mod head_times;
mod header_pattern;
mod large_body;
pub mod limits;
mod memory;
mod model_discovery;
mod model_name;
mod negotiation;
mod pick;
pub mod plan;
mod plugin_fault;
pub mod port;
mod progress;
mod provider_budgets;
mod provider_traits;
mod quota_headers;
mod random;
mod raw_request;
mod raw_response;
mod refresher;
mod reply;
mod request;
mod requester;
mod response_headers;
mod retry_policy;
mod routing;
mod scrub;
mod sees;
mod signatures;
pub mod snapshot;
mod timeouts;
mod token_endpoint;
mod token_estimate;
mod unknown_model;

pub use affinity::AffinityKey;
pub use call::{
    BodyError, Call, ClientResponse, Embed, FailedStream, Operation, ResponseBody, ResponseStream,
    StreamFraming,
};
pub use classify::{UNCLASSIFIED, or_default_rules};
pub use client_digest::ClientDigest;
pub use clock::Clock;
pub use dispatcher::{Dispatcher, DispatcherParts};
pub use error::{
    CallError, ErrorResponse, NoCredential, NoCredentialReason, ReportedError, UpstreamFailure,
};
pub use error_chain::error_chain;
pub use fallback::{Condition, Fallback};
pub use header_pattern::{HeaderPattern, HeaderPatternError};
pub use memory::{CLIENT_SHARE_OF_FREE, HeldMemory, MEMORY_RETRY_AFTER, MemoryBudget, MemoryFull};
pub use provider_traits::{ProviderTraits, TraitsConfig};
pub use quota_headers::{QuotaHeaders, ResetForm};
pub use raw_request::RawRequest;
pub use raw_response::RawResponse;
pub use refresher::PlannedRefresher;
pub use sees::Sees;
pub use token_endpoint::TokenEndpointResponse;
pub use unknown_model::UnknownModel;
