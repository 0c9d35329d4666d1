//! One call from admitted to last byte, and the ports that others implement. It knows neither HTTP
//! servers and clients nor WebAssembly.

mod affinity;
mod attempt;
mod budgets;
mod call;
mod choose;
mod classify;
mod clock;
mod count;
mod course;
mod direct;
mod dispatcher;
mod error;
mod exchange;
mod fallback;
mod guided;
pub mod journal;
pub mod limits;
mod outbound;
pub mod plan;
pub mod port;
mod progress;
mod raw;
mod refresher;
mod relay;
mod retold;
mod scrub;
pub mod snapshot;
mod source;
mod told;
mod writer;

pub use affinity::AffinityKey;
pub use call::{Answer, AnswerBody, AnswerStream, Broken, Call, Embed, Framing, Operation};
pub use classify::settled;
pub use clock::Clock;
pub use direct::RawRequest;
pub use dispatcher::{Dispatcher, DispatcherParts};
pub use error::{CallError, ErrorAnswer, UpstreamFailure};
pub use fallback::{Condition, Fallback};
pub use refresher::PlannedRefresher;
