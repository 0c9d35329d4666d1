//! Every limit on a call, with its unit and its reason.

use std::time::Duration;

/// How much of an answer that is no stream is held back until it is complete, in bytes. Held back,
/// it may still fail over; most answers are a few KiB.
pub const BUFFERED_RESPONSE_BYTES_MAX: usize = 256 << 10;

/// How much of a stream is held back until its first content, in bytes. Role-only chunks and
/// comments take a few hundred.
pub const PREAMBLE_BYTES_MAX: usize = 64 << 10;

/// How much of an error answer is read, in bytes. It is shown to the client and to classifiers.
pub const ERROR_BODY_BYTES_MAX: usize = 64 << 10;

/// How long the body of an error answer is waited for. By its status the credential has failed
/// already, and the next one is not tried before.
pub const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// An answer that a guest sees whole, or makes whole, in bytes. It is in memory several times.
pub const WHOLE_RESPONSE_BYTES_MAX: usize = 32 << 20;

/// Requests that one attempt may send: a plan and the further ones that its reply asks for.
pub const ROUND_TRIPS_MAX: u32 = 4;

/// How often a selector may ask to be asked again in one call.
pub const SELECTOR_WAITS_MAX: u32 = 8;

/// How often the credential that was picked may turn out to be taken meanwhile, before the call is
/// counted as having no candidate.
pub const LEASE_RACES_MAX: u32 = 8;

/// How long a refresh may take, in all. Calls wait for it.
pub const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);

/// An answer of a token endpoint, in bytes. Tokens have a few KiB.
pub const REFRESH_RESPONSE_BYTES_MAX: usize = 256 << 10;

/// The most by which a wait between rounds is drawn out, so that calls that failed together part.
pub const ROUND_JITTER_MAX: Duration = Duration::from_secs(2);

/// Calls that the journal keeps. With their steps they hold a few MiB, and a person who asks about
/// a call asks soon.
pub const CALL_RECORDS_MAX: usize = 1_000;

/// Steps that the journal keeps of one call: three rounds over a pool of ten, with their picks.
pub const CALL_STEPS_MAX: usize = 64;

/// How long a provider may take to close a stream that has said that it is over.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a client of a committed stream hears nothing, before it is told that its answer is still
/// coming. Proxies and load balancers between cut silent connections after a minute or less; half of
/// the shortest usual one, 30 s.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How many credentials a call may come to whose executors cannot be told it, before it gives up. They are
/// met only where several providers serve a model, and those of one are alike.
pub const INCOMPATIBLE_MAX: usize = 256;

/// Counts of tokens that the host makes at once. Each has a core to itself for up to a second.
pub const ESTIMATES_MAX: usize = 2;

/// The largest body that is translated on the threads that serve everybody, in bytes: a few milliseconds
/// of work. Larger ones, most of them pictures, are translated elsewhere.
pub const TRANSLATED_INLINE_BYTES_MAX: usize = 256 << 10;
