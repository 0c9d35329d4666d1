//! Every limit on a call, with its unit and its reason.

use std::time::Duration;

/// The largest non-streaming response that is buffered until it is complete, in bytes. While it is
/// buffered, the call can still fail over. Most responses have a few KiB.
pub const BUFFERED_RESPONSE_BYTES_MAX: usize = 256 << 10;

/// What all calls together hold by default, in bytes: request bodies, and responses until they are passed on. A
/// thousand calls of coding tools with 500 KiB each, or eight of the largest bodies; a machine with 1 GiB holds it.
pub const MEMORY_BYTES_MAX: usize = 512 << 20;

/// The smallest whole response whose memory counts until the client has it, in bytes. Smaller ones are not worth an
/// allocation each.
pub(crate) const SENT_RESPONSE_BYTES_MIN: usize = 64 << 10;

/// How much of a stream is buffered until its first content, in bytes. Chunks without content and
/// comments take a few hundred.
pub const PREAMBLE_BYTES_MAX: usize = 64 << 10;

/// How much of a body is read to recognize a stream by its first bytes. Few providers send more white space
/// before it.
pub const STREAM_SNIFF_BYTES_MAX: usize = 4 << 10;

/// How much of an error response is read, in bytes. Clients and classification get no more.
pub const ERROR_BODY_BYTES_MAX: usize = 64 << 10;

/// The shortest secret, in bytes, that is looked for in headers. Servers without keys take any, such as `none` or
/// `ollama`, which would be found in harmless headers. Real keys have 20 and more.
pub(crate) const HEADER_SECRET_BYTES_MIN: usize = 16;

/// The shortest beginning of a secret, in bytes, that counts as the secret where the end of a text cuts it
/// off. Many keys begin with the same few characters, such as `sk-ant-`.
pub(crate) const SECRET_BEGINNING_BYTES_MIN: usize = 8;

/// Limit for reading the body of an error response. The status has failed the attempt already, and the
/// next attempt waits for the body.
pub const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest response that a plugin reads or writes as a whole, in bytes. Memory holds several copies.
pub const WHOLE_RESPONSE_BYTES_MAX: usize = 32 << 20;

/// The largest response to a raw request that is read as a whole, in bytes. Lists of models and files, and
/// usage reports, have some hundred KiB; memory holds two copies and a JSON text.
pub const RAW_RESPONSE_BYTES_MAX: usize = 8 << 20;

/// Limit for a provider's list of models, from the request to the end of the response. Nothing waits for it, and
/// aggregators need seconds to render theirs.
pub const MODEL_LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// The most models that a list may have. The largest aggregators have some hundred; each is a name in the index of each
/// credential.
pub const DISCOVERED_MODELS_MAX: usize = 5_000;

/// Requests of one attempt: the plan's, and further ones that the plugin's reply plans.
pub const ROUND_TRIPS_MAX: u32 = 4;

/// Further requests of one attempt that wait before they are sent, to look at a job: one a second for ten minutes, which
/// is the default deadline of a call.
pub const DELAYED_REQUESTS_MAX: u32 = 600;

/// The shortest wait before such a request. A guest that sets less waits so long.
pub const REQUEST_DELAY_MIN: Duration = Duration::from_millis(100);

/// Schemes that sign one request. Providers know one; each can take a millisecond of RSA.
pub const SCHEMES_MAX: usize = 2;

/// How often a selector may ask a call to wait.
pub const SELECTOR_WAITS_MAX: u32 = 8;

/// How often a picked credential may become unavailable before it is leased. Other calls lease at the
/// same time; beyond this limit the call fails.
pub const LEASE_RACES_MAX: u32 = 8;

/// Limit for a whole refresh. Calls wait for it.
pub const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);

/// Limit for a request of a login and its response. A person waits for it; a poll that takes longer is repeated.
pub const TOKEN_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest response of a token endpoint, in bytes. Tokens have a few KiB.
pub const TOKEN_RESPONSE_BYTES_MAX: usize = 256 << 10;

/// How long before its end a token of a login is refreshed if its executor declares no lead. It is a small part of
/// a token's usual hour, and leaves time for retries. The operator's `refresh.lead` overrides it.
pub const LOGIN_REFRESH_LEAD: Duration = Duration::from_mins(5);

/// The largest jitter of a wait between rounds. Jitter spreads calls that failed at the same time.
pub const ROUND_JITTER_MAX: Duration = Duration::from_secs(2);

/// Calls in the call log. With their steps they take a few MiB.
pub const CALL_RECORDS_MAX: usize = 1_000;

/// Steps of one call in the call log: enough for three rounds over ten credentials.
pub const CALL_STEPS_MAX: usize = 64;

/// After this time without the head of its response, a credential counts as slow, and new calls prefer
/// others. It is the default of `timeouts.first-byte`: most heads come within seconds.
pub const SLOW_AFTER: Duration = Duration::from_secs(60);

/// An attempt has at least this many times the usual time of its model's heads, while another credential
/// is available: most slow heads come within twice the usual time.
pub const HEAD_TIME_FACTOR: u32 = 2;

/// Models whose usual head times are stored. Few configurations name a thousand.
pub const HEAD_TIMES_MAX: usize = 4_096;

/// How long a provider may take to close a stream after its last event.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a client may leave what waits for it unread. An SDK that still wants the response reads at once.
pub const CLIENT_STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Interval of keep-alive comments in a committed stream without events. Proxies and load balancers
/// close idle connections after 30 s or more; this is half of that.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// How many credentials with an incompatible executor a call skips before it fails. They occur only
/// where several providers serve a model.
pub const INCOMPATIBLE_MAX: usize = 256;

/// How long a call waits for an executor that is being compiled after the start. A plugin in Rust takes about a second,
/// and clients wait for that rather than repeat the call; one in Python takes up to 31 s, which is too long.
pub const PLUGIN_COMPILING_WAIT: Duration = Duration::from_secs(5);

/// When a client may repeat a call whose executor is still being compiled after [`PLUGIN_COMPILING_WAIT`].
pub const PLUGIN_COMPILING_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The interval at which a waiting call looks whether its executor is compiled.
pub const PLUGIN_COMPILING_POLL: Duration = Duration::from_millis(50);

/// How long the answer to a call waits whose plugin is suspended. A client that repeats it at once makes two calls a
/// second for each of its connections, which costs next to nothing.
pub const SUSPENDED_RESPONSE_DELAY: Duration = Duration::from_millis(500);

/// Such answers that wait at a time. Each holds a connection and a body. Further ones are not delayed.
pub const SUSPENDED_RESPONSES_MAX: usize = 1_024;

/// Token estimates that run at the same time. Each occupies a core for up to a second.
pub const ESTIMATES_MAX: usize = 2;

/// The largest body that is translated on an async worker thread, in bytes: a few milliseconds of work.
/// Larger ones, most of which contain images, are translated on the blocking pool.
pub const TRANSLATED_INLINE_BYTES_MAX: usize = 256 << 10;

/// The large bodies that are rewritten at the same time, in bytes: one of the largest that clients may send by default,
/// or sixty conversations of a MiB, more than there are cores. A rewritten body takes a few times its size meanwhile.
pub const PARALLEL_BODIES_BYTES_MAX: usize = 64 << 20;

/// The most values, of which each item and each member is one, of a body that is translated. A value takes up to 300
/// bytes while it is translated, so all of them take at most 150 MiB, however large the body is. A long session of a
/// coding tool has some ten thousand.
pub const TRANSLATED_VALUES_MAX: usize = 1 << 19;

/// The most pairs of a dialect and a model for which a provider's traits are remembered. A configuration has
/// fewer models of one provider; the traits of more are resolved in each call.
pub(crate) const RESOLVED_TRAITS_MAX: usize = 4_096;

/// Signatures of providers that are remembered with their origin. A session with tools has some hundreds; an entry
/// takes about 50 bytes, so all of them take 4 MiB.
pub const SIGNATURES_MAX: usize = 1 << 16;

/// Signatures that are remembered as refused. Only sessions that changed the provider have them, and each such
/// session is refused once.
pub const REFUSED_SIGNATURES_MAX: usize = 1 << 14;
