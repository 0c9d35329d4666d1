//! Embeddings: texts become vectors.
