//! Embeddings: the common form of requests and responses. The formats of OpenAI's and Google's APIs are
//! in their dialects' modules.

#[cfg(test)]
mod tests;

/// A request for embeddings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedRequest {
    /// The model, by the client's name.
    pub model: String,
    /// The texts. Each gets a vector.
    pub texts: Vec<String>,
    /// The number of dimensions of the vectors.
    pub dimensions: Option<u64>,
    /// How the response encodes the vectors. Only OpenAI's clients can choose.
    pub encoding: Encoding,
    /// The purpose of the vectors, by Google's names, such as `RETRIEVAL_QUERY`.
    pub task_type: Option<String>,
    /// The title of the document that the texts belong to.
    pub title: Option<String>,
    /// The client's id of the end user.
    pub user: Option<String>,
    /// Whether the response is a list: Google's `embedContent` returns a single vector.
    pub list: bool,
}

/// How a response encodes vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Base64 of little-endian 32-bit floats.
    Base64,
    /// Numbers.
    #[default]
    Float,
}

/// A response with embeddings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbedResponse {
    /// One vector for each text, in the same order.
    pub vectors: Vec<Vec<f32>>,
    /// The number of input tokens, if the provider sent it.
    pub input_tokens: Option<u64>,
}
