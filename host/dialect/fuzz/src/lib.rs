//! What the fuzz targets check. Each takes bytes, reads them as everything that they may be, and panics
//! where the crate breaks a promise. Inputs are plain: a file that a client or a provider could send is
//! a seed as it is.

pub mod embed;
pub mod json;
pub mod sse;

mod response;
mod bound;
mod order;
mod request;
mod stream;

use jackfield_dialect::ir::ResponseContext;
use jackfield_dialect::{RequestHead, Dialect, ProviderError, translate_error};

/// Reads the input as a request, an answer, an error, a count and a stream of this dialect, and tells what
/// it says in every dialect.
pub fn check(dialect: Dialect, data: &[u8]) {
    request::check(dialect, data);
    response::check(dialect, data);
    stream::check(dialect, data);
    if let Some(error) = ProviderError::read(data) {
        for to in Dialect::ALL {
            let translated = translate_error(to, 429, &error);
            assert!(ProviderError::read(&translated).is_some(), "{to}: no error");
        }
    }
    let format = dialect.codec().token_count();
    if let Some(tokens) = format.and_then(|format| format.decode_response(data)) {
        for codec in Dialect::ALL.map(Dialect::codec) {
            if let Some(format) = codec.token_count() {
                let written = codec.encode_token_count(tokens);
                assert_eq!(format.decode_response(&written), Some(tokens));
            }
        }
    }
}

/// What the host would have read of the request. Part of it depends on the input, so that both ways
/// are taken.
fn request_head(data: &[u8]) -> RequestHead<'static> {
    RequestHead {
        model: "model".into(),
        stream: data.len() % 2 == 1,
    }
}

/// What a client could be owed. The names are in the dictionaries.
fn response_context(data: &[u8]) -> ResponseContext {
    ResponseContext {
        id: "call-1".to_owned(),
        created: 1_780_000_000,
        model: "model".to_owned(),
        include_usage: data.len() % 2 == 1,
        custom_tools: vec!["custom".to_owned()],
        ..ResponseContext::default()
    }
}
