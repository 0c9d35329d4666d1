//! The limits of this crate, each with its unit and its reason. Limits of one provider's API are beside the
//! code of its dialect.

/// The default maximum length of a server-sent event, in bytes, comments included. A chat event is a few
/// hundred bytes, but an image is sent as one event in base64: this holds 24 MiB of image, more than image
/// models return today. A stream needs that much memory only while such an event arrives.
pub const EVENT_BYTES_MAX: usize = 32 << 20;

/// The maximum length of a model's name in a request, in bytes. Names go into logs, metrics and selectors;
/// the longest in use, those of fine-tuned models, have around a hundred.
pub const MODEL_BYTES_MAX: usize = 256;

/// The maximum number of patches of one [`apply`](crate::json::apply). Each patch reads the whole text,
/// which may be megabytes long; executors change a handful of members.
pub const PATCHES_MAX: usize = 32;

/// The maximum number of warnings of one translation. They go into a header, which must stay small.
pub const WARNINGS_MAX: usize = 32;

/// The maximum length of a signature that is read in pieces, in bytes. Encrypted reasoning has tens of KiB.
pub(crate) const SIGNATURE_BYTES_MAX: usize = 1 << 20;

/// The maximum length of a provider's error message, in bytes. It goes into logs, and some providers put
/// the whole request, or a page of HTML, into it.
pub const ERROR_MESSAGE_BYTES_MAX: usize = 1_024;

/// How much of an error is read that a gateway passes on, in bytes. The cause is at its beginning.
pub(crate) const PASSED_ON_BYTES_MAX: usize = 4 << 10;

/// The maximum length of each other text of a provider's error, and of a finish reason, in bytes. They are
/// codes for programs, of a few words at most.
pub const CODE_BYTES_MAX: usize = 128;

/// The maximum number of steps of the path in a provider's error: deeper than any request is nested.
pub(crate) const ERROR_PATH_STEPS_MAX: usize = 16;

/// The maximum length of text that is tokenized for an estimate, in bytes: more than most context windows
/// hold, and about 0.2 s of work.
pub(crate) const TOKENIZED_BYTES_MAX: usize = 1 << 20;

/// The maximum length of one piece of text for the tokenizer, in bytes. Its time grows faster than the
/// length of a run of one character, and very long runs make it panic.
pub(crate) const TOKENIZED_PIECE_BYTES_MAX: usize = 8 << 10;

/// The maximum number of blocks that are read of one response of `anthropic-messages`: more than any has,
/// and few enough to read quickly.
pub(crate) const BLOCKS_MAX: usize = 65_536;

/// The maximum number of citations of one block of `anthropic-messages`: more than any response has.
pub(crate) const BLOCK_CITATIONS_MAX: usize = 1_024;

/// The maximum number of citations of one response of `gemini`. A search finds about ten pages, and each is
/// cited a few times.
pub(crate) const CITATIONS_MAX: usize = 256;

/// The maximum length of a streamed text of `gemini` that is buffered to compute the spans of its citations,
/// in bytes. Responses with search results have a few pages. The citations of a longer text have no spans.
pub(crate) const CITED_TEXT_BYTES_MAX: usize = 256 << 10;

/// The maximum length of a tool call's arguments in a stream to a client of `gemini`, whose API has
/// them whole in one event, or of `anthropic-messages`, whose clients fail without an object, in bytes. The arguments of a tool that writes a file hold the file; no model writes 4 MiB
/// in one response.
pub(crate) const CALL_ARGUMENTS_BYTES_MAX: usize = 4 << 20;

/// How many bytes of a tool call's arguments are held back before a client of `anthropic-messages` gets a `ping`: what a
/// model writes in some seconds. Clients give up on streams that are silent.
pub(crate) const PING_BYTES: usize = 1 << 10;

/// The maximum length of the id or the model's name in a stream of `openai-chat`, in bytes. It is repeated to
/// the client; the longest in use have around a hundred.
pub(crate) const STREAM_NAME_BYTES_MAX: usize = 512;

/// The maximum length of a stream's text that is held back while a call of `openai-chat` is open, in bytes.
/// Some models write a line break there; a longer text ends the call.
pub(crate) const TEXT_IN_CALL_BYTES_MAX: usize = 64 << 10;

/// The maximum length of the tool calls of an `openai-chat` stream that wait for an earlier one to end, in bytes: the
/// arguments of a tool that writes a file, as in [`CALL_ARGUMENTS_BYTES_MAX`].
pub(crate) const HELD_CALLS_BYTES_MAX: usize = 4 << 20;

/// The maximum number of tool calls or blocks that wait for an earlier one to end. OpenAI's API takes 128 tools, and a
/// model calls a few at once.
pub(crate) const WAITING_PARTS_MAX: usize = 256;

/// The maximum length of the events of an `anthropic-messages` stream that wait for an earlier block to end, in bytes: as
/// [`HELD_CALLS_BYTES_MAX`].
pub(crate) const WAITING_BLOCKS_BYTES_MAX: usize = 4 << 20;

/// The maximum number of calls of one response whose ids are compared. Models make a few at once.
pub(crate) const CALL_IDS_MAX: usize = 1 << 10;

/// The maximum length of a custom tool's arguments that are held back in a stream to a client of
/// `openai-chat`, in bytes. They may hold patches of whole files; no model writes 4 MiB in one response.
pub(crate) const CUSTOM_INPUT_BYTES_MAX: usize = 4 << 20;

/// The maximum length of the record of reasoning details of `openai-chat`, in bytes. The largest records hold
/// the whole reasoning, encrypted, and have some hundred KiB.
pub(crate) const REASONING_RECORD_BYTES_MAX: usize = 1 << 20;

/// The maximum length of what waits for an item of an `openai-responses` stream to end, in bytes: as much as
/// one event may have.
pub(crate) const WAITING_ITEMS_BYTES_MAX: usize = EVENT_BYTES_MAX;

/// The maximum number of items of one response of `openai-responses`, or of an executor that returns events. A
/// model that searches the web makes some hundreds.
pub(crate) const ITEMS_MAX: usize = 1 << 14;

/// The maximum length of a response that is held for the last event of a stream to a client of
/// `openai-responses`, which repeats it, in bytes: the maximum length of an event from a provider.
pub(crate) const HELD_RESPONSE_BYTES_MAX: usize = EVENT_BYTES_MAX;

/// How many times a schema's own length the definitions may have that are written in the place of references. Schemas
/// of real tools refer to a definition a few times; hostile ones would double with each level.
pub(crate) const SCHEMA_GROWTH_MAX: usize = 8;

/// The maximum length of an executor's word that an error quotes, in bytes. The words of the contract have at most 14.
pub(crate) const QUOTED_WORD_BYTES_MAX: usize = 80;
