//! Counts the values of a JSON text without a tree.

/// Returns how many values a JSON text has, up to `count_max` and one: itself, each item and each member. Of a text that
/// is no JSON the number has no meaning.
#[must_use]
pub fn count_values(json: &[u8], count_max: usize) -> usize {
    let (mut count, mut rest) = (1, json);
    while count <= count_max {
        // Each comma separates two values, and each bracket may have one behind it.
        let Some(at) = rest
            .iter()
            .position(|byte| matches!(byte, b'"' | b',' | b'[' | b'{'))
        else {
            return count;
        };
        let is_string = rest.get(at) == Some(&b'"');
        rest = rest.get(at + 1..).unwrap_or_default();
        if is_string {
            rest = after_string(rest);
        } else {
            count += 1;
        }
    }
    count
}

/// Returns what is behind a string whose opening quotation mark is before the text.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let is_end = rest.get(at) == Some(&b'"');
        // A backslash escapes the next character.
        rest = rest
            .get(at + if is_end { 1 } else { 2 }..)
            .unwrap_or_default();
        if is_end {
            return rest;
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn values(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(values).sum(),
            Value::Object(members) => members.values().map(values).sum(),
            _ => 0,
        }
    }

    /// The number of arrays and objects without a value in them.
    fn empty(value: &Value) -> usize {
        match value {
            Value::Array(items) if items.is_empty() => 1,
            Value::Object(members) if members.is_empty() => 1,
            Value::Array(items) => items.iter().map(empty).sum(),
            Value::Object(members) => members.values().map(empty).sum(),
            _ => 0,
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(Value::from),
            "[a,\\[{\"\\\\]{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map("[a,\"]{0,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn stops_after_the_limit() {
        assert_eq!(count_values(b"[1,2,3,4,5,6]", 3), 4);
        assert_eq!(count_values(b"\"never ended", 3), 1);
    }

    proptest! {
        #[test]
        fn counts_each_value_and_empty_ones_twice(value in value()) {
            let json = value.to_string();
            prop_assert_eq!(count_values(json.as_bytes(), usize::MAX), values(&value) + empty(&value));
        }

        #[test]
        fn no_text_panics(text in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(count_values(&text, usize::MAX) <= text.len() + 1);
        }
    }
}
