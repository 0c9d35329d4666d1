//! The fields and texts of warnings about what a translation loses, shared by the encoders of all
//! dialects. Where the clients' dialects have different names for a field, it has the name of OpenAI's
//! chat.

/// A token budget for reasoning.
pub(crate) const BUDGET: &str = "reasoning.max_tokens";
pub(crate) const BUDGET_AS_EFFORT: &str =
    "changed: the provider's dialect has efforts, not budgets";

/// The signature of a tool call.
pub(crate) const CALL_SIGNATURE: &str = "extra_content";
pub(crate) const CALL_SIGNATURE_DROPPED: &str =
    "dropped: only the provider that signed the call can read it";

/// Requests to cache the prompt up to a place.
pub(crate) const CACHE_CONTROL: &str = "cache_control";

/// The citations of earlier responses.
pub(crate) const CITATIONS: &str = "annotations";

/// Parts that the role of their turn does not allow.
pub(crate) const CONTENT: &str = "messages.content";
pub(crate) const ASSISTANT_CONTENT_DROPPED: &str =
    "dropped: turns of the model cannot hold images, audio or files";

/// The level of detail of an image.
pub(crate) const DETAIL: &str = "image_url.detail";

/// The reasoning effort.
pub(crate) const EFFORT: &str = "reasoning_effort";

/// Instructions inside of the conversation.
pub(crate) const INSTRUCTIONS: &str = "messages.system";
pub(crate) const INSTRUCTIONS_MOVED: &str =
    "changed: moved to the instructions above the conversation";

/// A tool choice that requires a call.
pub(crate) const NO_TOOLS: &str = "dropped: there are no tools";

/// System instructions without any turn.
pub(crate) const SYSTEM_AS_USER: &str =
    "changed: sent as a user's turn, since the provider rejects instructions alone";

/// The model's reasoning.
pub(crate) const REASONING: &str = "reasoning_content";
pub(crate) const REASONING_DROPPED: &str =
    "dropped: only the provider of the reasoning can read it";

/// Whether a tool failed.
pub(crate) const TOOL_FAILURE: &str = "is_error";
pub(crate) const TOOL_FAILURE_AS_TEXT: &str =
    "changed: the failure is a prefix of the result's text";

/// The result of a tool.
pub(crate) const TOOL_RESULT: &str = "tool_result";
pub(crate) const RESULTS_JOINED: &str = "changed: a call has one result, so several became one";
pub(crate) const RESULT_ADDED: &str = "changed: a call without a result got one that says so";
/// The text of the added result.
pub(crate) const RESULT_ADDED_TEXT: &str = "The call was interrupted. It has no result.";

/// A first turn of the user that the client did not send.
pub(crate) const FIRST_USER_ADDED: &str = "changed: a user's turn was added before the first one";
pub(crate) const FIRST_USER_TEXT: &str = "(The conversation begins with your words.)";

/// Instructions inside of the conversation, at a provider that takes them only before it.
pub(crate) const INSTRUCTIONS_IN_USER_TURN: &str =
    "changed: sent in the user's turn, since the provider takes instructions only at the beginning";

/// What traits change.
pub(crate) const REFUSED_BY_MODEL: &str = "dropped: the model does not take it";
pub(crate) const REFUSED_BY_PROVIDER: &str = "dropped: the provider does not take it";
pub(crate) const NAME_SHORTENED: &str = "changed: to a name in the form that the provider takes";
pub(crate) const BOUNDS_DESCRIBED: &str = "changed: the descriptions have the bounds of the values";
pub(crate) const REFS_INLINED: &str = "changed: `$ref` became what it refers to";

/// Images and documents at servers that take none.
pub(crate) const IMAGES_REPLACED: &str = "changed: to a note, because the model takes no images";
pub(crate) const DOCUMENTS_REPLACED: &str =
    "changed: to a note, because the provider takes no documents";
