//! Tests of the built-in rows.

use super::*;
use crate::Dialect;

#[test]
fn parses_every_file() {
    for text in rows::FILES {
        parse_rows(text).unwrap();
    }
}

#[test]
fn unknown_server_gets_narrow_set() {
    let traits = Traits::built_in(Dialect::OpenaiChat, "unknown.example", "m");
    assert_eq!(traits, Traits::default());
    let traits = Traits::built_in(Dialect::OpenaiChat, "api.openai.com", "m");
    assert!(traits.custom_tools);
}
