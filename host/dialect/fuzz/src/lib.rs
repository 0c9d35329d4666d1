//! The checks of the fuzz targets. Each check decodes its input in every applicable way, and panics where
//! the crate breaks a documented property. Inputs are plain: a message that a client or a provider sends is a
//! seed without conversion.

pub mod embed;
pub mod json;
pub mod sse;

mod response;
mod bound;
mod order;
mod request;
mod signatures;
mod stream;

use jackfield_dialect::ir::ResponseContext;
use jackfield_dialect::{RequestHead, Dialect, ProviderError, translate_error};

/// Decodes the input as a request, a response, an error, a token count and a stream of this dialect. Encodes
/// each result in every dialect.
pub fn check(dialect: Dialect, data: &[u8]) {
    request::check(dialect, data);
    signatures::check(dialect, data);
    response::check(dialect, data);
    stream::check(dialect, data);
    if let Some(error) = ProviderError::read(data) {
        for to in Dialect::ALL {
            let translated = translate_error(to, 429, &error);
            assert!(ProviderError::read(&translated).is_some(), "{to}: the translated error cannot be read");
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

/// Returns the request head that the host would read. `stream` depends on the length of the input, so that
/// the fuzzer tests both values.
fn request_head(data: &[u8]) -> RequestHead<'static> {
    RequestHead {
        model: "model".into(),
        stream: data.len() % 2 == 1,
    }
}

/// Returns the context of a response. `include_usage` depends on the length of the input. The tool name
/// `custom` is in the dictionaries.
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
