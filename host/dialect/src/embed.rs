//! Embeddings: texts become vectors. A small common form, and OpenAI's and Google's APIs read into it and
//! written from it. Like the rest of the crate it drops nothing without a warning.

#[cfg(test)]
mod tests;

/// A request for embeddings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedRequest {
    /// The model, as the client calls it.
    pub model: String,
    /// The texts, each to become a vector.
    pub texts: Vec<String>,
    /// How many numbers each vector is to have.
    pub dimensions: Option<u64>,
    /// How the answer is to spell them. Only OpenAI's clients choose.
    pub encoding: Encoding,
    /// What the vectors are for, in Google's words, such as `RETRIEVAL_QUERY`.
    pub task_type: Option<String>,
    /// The title of the document that the texts are of.
    pub title: Option<String>,
    /// The end user, as the client calls them.
    pub user: Option<String>,
    /// Whether the answer is a list: Google's `embedContent` has one vector alone.
    pub list: bool,
}

/// How an answer spells vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Base64 of 32-bit floats, the least significant byte first.
    Base64,
    /// Numbers.
    #[default]
    Float,
}

/// An answer with embeddings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbedResponse {
    /// A vector for each text, in order.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read, if the provider says so.
    pub input_tokens: Option<u64>,
}
