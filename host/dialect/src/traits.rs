//! What a server and a family of models take: data with sources, by which encoders shape requests. Of a request that
//! is in the provider's own dialect already, they change only what a source says that the server refuses.

mod relay;
mod resolve;
mod rows;
mod schema;
mod shape;
mod short_names;
mod values;

pub use relay::ShapedRelay;
pub use resolve::{ResolvedTraits, TraitOrigin, TraitScope, glob, resolve};
pub use rows::{TraitRow, TraitSource, parse_rows, rows, servers};
pub use values::{
    ContentForm, EffortWord, FirstTurn, ImagePlaces, LastTurn, NameAlphabet, ReasoningMember,
    ReasoningRequest, ReasoningReturn, ResponseFormats, SamplingMembers, SystemMessages,
    ThinkingForm, ThinkingOff, TokenLimitMember, ToolChoiceWords,
};

use serde::{Deserialize, Serialize};

/// One member of [`Traits`], for manuals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraitMember {
    /// The name of the field.
    pub name: &'static str,
    /// What it means.
    pub description: &'static str,
}

impl TraitMember {
    /// The name as rows and the configuration spell it.
    #[must_use]
    pub fn key(&self) -> String {
        self.name.replace('_', "-")
    }
}

macro_rules! traits {
    ($( $(#[doc = $doc:literal])+ $name:ident: $kind:ty = $default:expr; )+) => {
        /// What a server takes for a model. The default is the narrow set that every OpenAI-compatible
        /// server takes.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Traits {
            $( $(#[doc = $doc])+ pub $name: $kind, )+
        }

        impl Default for Traits {
            fn default() -> Self {
                Self { $( $name: $default, )+ }
            }
        }

        /// Some of the members of [`Traits`]: of a built-in row, or of the configuration.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub struct TraitSet {
            $(
                $(#[doc = $doc])+
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<$kind>,
            )+
        }

        impl Traits {
            /// Every member, in the order of the manual.
            pub const MEMBERS: &'static [TraitMember] = &[
                $( TraitMember {
                    name: stringify!($name),
                    description: concat!($($doc, "\n"),+),
                }, )+
            ];

            /// Sets the members that `set` has.
            pub fn apply(&mut self, set: &TraitSet) {
                $( if let Some(value) = &set.$name { self.$name = value.clone(); } )+
            }
        }
    };
}

traits! {
    /// How the texts of one message are written.
    content: ContentForm = ContentForm::Text;
    /// Where instructions may be in the conversation.
    system: SystemMessages = SystemMessages::First;
    /// Which turn a conversation may begin with.
    first_turn: FirstTurn = FirstTurn::Any;
    /// Which turn a conversation may end with.
    last_turn: LastTurn = LastTurn::Any;
    /// Whether a user's text may follow the result of a tool directly. Otherwise a turn of the assistant is between
    /// them.
    user_after_result: bool = true;
    /// Where images may be.
    images: ImagePlaces = ImagePlaces::UserTurns;
    /// Whether documents are taken, such as PDFs.
    documents: bool = true;
    /// The member for the limit of tokens.
    token_limit: TokenLimitMember = TokenLimitMember::MaxTokens;
    /// Whether `stream_options` is taken. Providers that refuse it send the usage anyway.
    stream_options: bool = true;
    /// Whether `seed` is taken.
    seed: bool = true;
    /// Which of the sampling members `temperature`, `top_p` and the penalties are taken.
    sampling: SamplingMembers = SamplingMembers::All;
    /// The highest temperature, in hundredths.
    temperature_max_percent: u16 = 200;
    /// The most texts in `stop`; 0 where the member is refused.
    stop_texts_max: u16 = 4;
    /// The most characters of a text in `stop`; 0 for no limit.
    stop_chars_max: u16 = 0;
    /// Whether OpenAI's custom tools are taken. Otherwise they become functions of one text.
    custom_tools: bool = false;
    /// Which tool choices are taken.
    tool_choice: ToolChoiceWords = ToolChoiceWords::All;
    /// Whether a tool's schema needs `type` and `properties`.
    schema_properties_required: bool = true;
    /// Whether each property in a tool's schema needs a `type`.
    schema_types_required: bool = false;
    /// Whether a schema may have `type` beside `anyOf`. Otherwise the type is in each of the items.
    schema_type_beside_any_of: bool = true;
    /// Whether each array in a tool's schema needs `items`.
    schema_items_required: bool = false;
    /// Whether schemas may have bounds, such as `minimum` and `maxItems`. Otherwise the description says
    /// them.
    schema_bounds: bool = true;
    /// Whether schemas may have `$ref`. Otherwise what it refers to is written in its place.
    schema_refs: bool = true;
    /// The most characters of a tool's name.
    tool_name_chars_max: u16 = 64;
    /// The characters of a tool's name.
    tool_name_alphabet: NameAlphabet = NameAlphabet::Word;
    /// The fewest characters of a tool call's id.
    call_id_chars_min: u16 = 1;
    /// The most characters of a tool call's id.
    call_id_chars_max: u16 = 64;
    /// The characters of a tool call's id.
    call_id_alphabet: NameAlphabet = NameAlphabet::Any;
    /// How a request asks for reasoning.
    reasoning_request: ReasoningRequest = ReasoningRequest::Effort;
    /// Whether a request with tools may ask for an effort.
    effort_with_tools: bool = true;
    /// The reasoning efforts that are taken. Others become the nearest. Empty for all.
    efforts: Vec<EffortWord> = Vec::new();
    /// The member of a message that carries reasoning.
    reasoning_member: ReasoningMember = ReasoningMember::ReasoningContent;
    /// Whether the reasoning of earlier turns comes back to the provider.
    reasoning_return: ReasoningReturn = ReasoningReturn::Allowed;
    /// The formats of a response that are taken.
    response_formats: ResponseFormats = ResponseFormats::Schema;
    /// Whether `strict` is taken, in tools and formats.
    strict: bool = false;
    /// Whether `parallel_tool_calls` is taken.
    parallel_tool_calls: bool = false;
    /// Whether `service_tier` is taken.
    service_tier: bool = false;
    /// Whether `prompt_cache_key` is taken.
    prompt_cache_key: bool = false;
    /// Whether `verbosity` is taken.
    verbosity: bool = false;
    /// Whether the other members are taken that only OpenAI's dialects have: `metadata`, `store`,
    /// `safety_identifier`, `prompt_cache_retention`, `logit_bias` and so on.
    openai_members: bool = false;
    /// Whether `user` is taken.
    user: bool = false;
    /// The fewest characters of `user`; shorter ones are left out.
    user_chars_min: u16 = 1;
    /// The most characters of `user`; longer ones become a digest.
    user_chars_max: u16 = 64;
    /// How a request of Anthropic's or Gemini's API says how much the model thinks.
    thinking: ThinkingForm = ThinkingForm::Unknown;
    /// How thinking is switched off.
    thinking_off: ThinkingOff = ThinkingOff::Off;
    /// The fewest tokens of a budget for thinking, unless it is off.
    thinking_budget_min: u32 = 0;
    /// The most tokens of a budget for thinking.
    thinking_budget_max: u32 = 32_768;
    /// Whether the provider caches only the prompts up to marks. Then marks are set where the client sets none.
    cache_marks: bool = false;
    /// Whether an effort may be less than low.
    effort_minimal: bool = true;
    /// The members that the server refuses in requests in its own dialect, too. They are left out.
    relay_members_refused: Vec<String> = Vec::new();
    /// The members of messages that the server refuses in requests in its own dialect, too. They are left out.
    relay_message_members_refused: Vec<String> = Vec::new();
    /// Whether the server refuses ids of calls in another form also in its own dialect. Then they are replaced.
    relay_call_ids: bool = false;
    /// Whether the server refuses a conversation with calls for a message without reasoning also in its own dialect. Then
    /// an empty one is added.
    relay_reasoning_required: bool = false;
    /// Whether the server refuses instructions amid the conversation also in its own dialect. Then they go into the
    /// user's turns.
    relay_system_as_user: bool = false;
    /// Whether the line for Anthropic's billing, with which Claude Code begins its instructions, goes to the server in
    /// its own dialect, too. It differs in each request, so that other providers find no prompt in their caches.
    relay_billing_line: bool = true;
}

impl Traits {
    /// What takes everything that a dialect has: for tests, and where no provider is known.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            content: ContentForm::List,
            system: SystemMessages::Anywhere,
            images: ImagePlaces::Everywhere,
            token_limit: TokenLimitMember::MaxCompletionTokens,
            stop_texts_max: u16::MAX,
            custom_tools: true,
            schema_properties_required: false,
            tool_name_chars_max: u16::MAX,
            tool_name_alphabet: NameAlphabet::Any,
            call_id_chars_max: u16::MAX,
            strict: true,
            parallel_tool_calls: true,
            service_tier: true,
            prompt_cache_key: true,
            verbosity: true,
            openai_members: true,
            user: true,
            user_chars_max: u16::MAX,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests;
