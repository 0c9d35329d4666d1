//! Names and ids in the length and the alphabet that a server takes: the same name always becomes the same other
//! one, so that prompts stay the same from call to call.

use std::collections::BTreeSet;

use super::{NameAlphabet, Traits};

impl NameAlphabet {
    /// Whether a name may have this character.
    fn has(self, letter: char) -> bool {
        match self {
            Self::Any => true,
            Self::Alphanumeric => letter.is_ascii_alphanumeric(),
            Self::Word | Self::WordAfterLetter => {
                letter.is_ascii_alphanumeric() || "_-".contains(letter)
            }
            Self::WordDotColon => letter.is_ascii_alphanumeric() || "_-.:".contains(letter),
        }
    }

    /// Whether a name may begin so.
    fn begins(self, name: &str) -> bool {
        match self {
            Self::WordDotColon => {
                name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            }
            Self::WordAfterLetter => name.starts_with(|it: char| it.is_ascii_alphabetic()),
            Self::Alphanumeric | Self::Any | Self::Word => true,
        }
    }
}

/// What a server takes as a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameRule {
    pub(crate) alphabet: NameAlphabet,
    pub(crate) chars_min: u16,
    pub(crate) chars_max: u16,
}

impl NameRule {
    /// What a server takes as the id of a tool call.
    pub(crate) fn of_call_ids(traits: &Traits) -> Self {
        Self {
            alphabet: traits.call_id_alphabet,
            chars_min: traits.call_id_chars_min,
            chars_max: traits.call_id_chars_max,
        }
    }

    /// Whether a name is taken as it is.
    pub(crate) fn takes(self, name: &str) -> bool {
        let length = name.chars().count();
        length >= usize::from(self.chars_min)
            && length <= usize::from(self.chars_max)
            && self.alphabet.begins(name)
            && name.chars().all(|letter| self.alphabet.has(letter))
    }

    /// Returns the name that stands for another: as much of it as fits, and a digest. It is not among `used`.
    pub(crate) fn replacement(self, name: &str, used: &BTreeSet<String>) -> String {
        let max = usize::from(self.chars_max).max(1);
        let digits = DIGEST_CHARS.min(max);
        let joint = if self.alphabet.has('_') && max > digits {
            "_"
        } else {
            ""
        };
        let lead_chars = max - digits - joint.len();
        let letter = |it| if self.alphabet.has(it) { it } else { '_' };
        let lead: String = match self.alphabet {
            // No letter of it can stand for another one.
            NameAlphabet::Alphanumeric => String::new(),
            _ if self.alphabet.begins(name) => name.chars().take(lead_chars).map(letter).collect(),
            _ => format!("t_{name}")
                .chars()
                .take(lead_chars)
                .map(letter)
                .collect(),
        };
        let mut attempt = 0_u64;
        loop {
            let digest = digest(&format!("{attempt}{name}"));
            let short = digest.chars().take(digits.max(self.filling(&lead, joint)));
            let mut short = format!("{lead}{joint}{}", short.collect::<String>());
            if !self.alphabet.begins(&short) {
                // A digest may begin with a digit.
                short.replace_range(..1, "t");
            }
            attempt += 1;
            if !used.contains(&short) || attempt > ATTEMPTS_MAX {
                return short;
            }
        }
    }

    /// How many characters are missing after the beginning.
    fn filling(self, lead: &str, joint: &str) -> usize {
        usize::from(self.chars_min).saturating_sub(lead.chars().count() + joint.len())
    }
}

/// Returns a digest of a text, 32 hexadecimal digits: its 128-bit FNV-1a hash, mixed once more so that the first
/// digits depend on every byte. It hides nothing.
pub(crate) fn digest(text: &str) -> String {
    let mix = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME);
    let hash = text.bytes().fold(FNV_OFFSET, mix);
    let hash = (hash ^ (hash >> 64)).wrapping_mul(GOLDEN_RATIO);
    format!("{:032x}", hash ^ (hash >> 64))
}

/// <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv-21>.
const FNV_OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// The fractional part of the golden ratio, in 128 bits.
const GOLDEN_RATIO: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// The digits of a digest in a name: two of a request's names get the same ones in one of 10^10 cases.
const DIGEST_CHARS: usize = 9;

/// Names of one or two characters may have no free one left.
const ATTEMPTS_MAX: u64 = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_beginning_of_long_name() {
        let rule = NameRule {
            alphabet: NameAlphabet::Word,
            chars_min: 1,
            chars_max: 20,
        };
        let long = "mcp.server__search_everything";
        let short = rule.replacement(long, &BTreeSet::new());
        assert!(short.starts_with("mcp_server_"), "{short}");
        assert_eq!(short.len(), 20);
        assert_eq!(short, rule.replacement(long, &BTreeSet::new()));
        let taken = BTreeSet::from([short.clone()]);
        assert_ne!(short, rule.replacement(long, &taken));
    }

    #[test]
    fn first_digits_depend_on_every_byte() {
        let names = (0..200).flat_map(|at| [format!("tool_{at}"), format!("{at}_tool")]);
        let first: BTreeSet<String> = names
            .map(|it| digest(&it)[..DIGEST_CHARS].to_owned())
            .collect();
        assert_eq!(first.len(), 400);
    }

    proptest! {
        #[test]
        fn replacement_obeys_rule(
            name in ".{0,90}",
            alphabet in prop::sample::select(vec![NameAlphabet::Any, NameAlphabet::Alphanumeric, NameAlphabet::Word, NameAlphabet::WordAfterLetter, NameAlphabet::WordDotColon]),
            max in 9_u16..80,
            exact in any::<bool>(),
        ) {
            let chars_min = if exact { max.min(32) } else { 1 };
            let rule = NameRule { alphabet, chars_min, chars_max: max };
            let short = rule.replacement(&name, &BTreeSet::new());
            prop_assert!(rule.takes(&short), "{short}");
        }
    }
}
