//! Rust sources as tokens, so that words inside comments and strings are never taken for code.

use std::error::Error;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::source::SourceFile;

/// One identifier and the line that it stands on, from 1.
pub(crate) struct Identifier {
    pub(crate) name: String,
    pub(crate) line: usize,
}

/// The tokens of a file.
///
/// # Errors
/// If the text is not made of Rust's tokens.
pub(crate) fn tokens(file: &SourceFile) -> Result<TokenStream, Box<dyn Error>> {
    // The lexer keeps the text of each file for line numbers; those of earlier files are not needed.
    proc_macro2::extra::invalidate_current_thread_spans();
    let tokens = file.text.parse::<TokenStream>();
    tokens.map_err(|error| format!("{}: {error}", file.path).into())
}

/// All identifiers, in the order of the text.
pub(crate) fn identifiers(tokens: TokenStream, found: &mut Vec<Identifier>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => identifiers(group.stream(), found),
            TokenTree::Ident(ident) => found.push(Identifier {
                name: ident.to_string().trim_start_matches("r#").to_owned(),
                line: ident.span().start().line,
            }),
            TokenTree::Literal(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// The tokens without the items behind `#[cfg(test)]`, at every depth.
pub(crate) fn without_tests(tokens: TokenStream) -> TokenStream {
    let mut remaining = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_hash = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#');
        let is_test = tokens.peek().is_some_and(is_cfg_test);
        if is_hash && is_test {
            // The attribute, and the item up to its body or its semicolon.
            for token in tokens.by_ref().skip(1) {
                let ends = match &token {
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    TokenTree::Punct(punct) => punct.as_char() == ';',
                    TokenTree::Ident(_) | TokenTree::Literal(_) => false,
                };
                if ends {
                    break;
                }
            }
            continue;
        }
        remaining.push(match token {
            TokenTree::Group(group) => {
                let inside = without_tests(group.stream());
                TokenTree::Group(Group::new(group.delimiter(), inside))
            }
            token => token,
        });
    }
    remaining.into_iter().collect()
}

fn is_cfg_test(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    group.stream().to_string().replace(' ', "") == "cfg(test)"
}
