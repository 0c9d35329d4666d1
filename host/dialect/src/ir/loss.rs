//! The names of what is lost of the common form, and the words for it: the same whichever dialect cannot say
//! it. Where clients' dialects call a thing differently, it has OpenAI's chat's name.

/// A budget for reasoning.
pub(crate) const BUDGET: &str = "reasoning.max_tokens";
pub(crate) const BUDGET_AS_EFFORT: &str = "changed: the provider takes an effort, not a budget";

/// The signature of a call.
pub(crate) const CALL_SIGNATURE: &str = "extra_content";
pub(crate) const CALL_SIGNATURE_DROPPED: &str =
    "dropped: only the provider that signed the call can read it again";

/// What earlier answers cite.
pub(crate) const CITATIONS: &str = "annotations";

/// Parts of a turn that may not stand there.
pub(crate) const CONTENT: &str = "messages.content";
pub(crate) const ASSISTANT_CONTENT_DROPPED: &str =
    "dropped: the model's turns hold no pictures, sounds or files";

/// How closely to look at a picture.
pub(crate) const DETAIL: &str = "image_url.detail";

/// How hard to think.
pub(crate) const EFFORT: &str = "reasoning_effort";

/// Instructions in the midst of a conversation.
pub(crate) const INSTRUCTIONS: &str = "messages.system";
pub(crate) const INSTRUCTIONS_MOVED: &str =
    "changed: moved to the instructions above the conversation";

/// A choice that demands a tool.
pub(crate) const NO_TOOLS: &str = "dropped: there are no tools to choose from";

/// Instructions without a conversation.
pub(crate) const SYSTEM_AS_USER: &str =
    "changed: said by the user, since the provider takes no instructions alone";

/// What the model thought.
pub(crate) const REASONING: &str = "reasoning_content";
pub(crate) const REASONING_DROPPED: &str =
    "dropped: only the provider that thought it can read it again";

/// That a tool failed.
pub(crate) const TOOL_FAILURE: &str = "is_error";
pub(crate) const TOOL_FAILURE_AS_TEXT: &str =
    "changed: the provider is told in words that the tool failed";

/// What a tool answered.
pub(crate) const TOOL_RESULT: &str = "tool_result";
