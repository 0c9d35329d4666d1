//! Every patch means what RFC 6902 says, and touches nothing else.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn at<'t>(text: &'t str, pointer: &str) -> Option<&'t str> {
    find(text.as_bytes(), pointer)
        .ok()
        .flatten()
        .map(|range| &text[range])
}

fn patched(text: &str, patches: &[Patch]) -> Result<String, PatchError> {
    let out = apply(&Bytes::copy_from_slice(text.as_bytes()), patches)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn add(path: &str, value: &str) -> Patch {
    Patch::Add {
        path: path.into(),
        value: value.into(),
    }
}

fn replace(path: &str, value: &str) -> Patch {
    Patch::Replace {
        path: path.into(),
        value: value.into(),
    }
}

fn remove(path: &str) -> Patch {
    Patch::Remove { path: path.into() }
}

#[test]
fn finds_values_verbatim() {
    let text = " { \"a\" : [ 1.50 , {\"b~/c\":\"\\u0041\"} ] , \"\" : null } ";
    assert_eq!(at(text, "/a/0"), Some("1.50"));
    assert_eq!(at(text, "/a/1/b~0~1c"), Some("\"\\u0041\""));
    assert_eq!(at(text, "/"), Some("null"));
    assert_eq!(at(text, ""), Some(text.trim()));
    for nowhere in ["/b", "/a/2", "/a/-", "/a/00", "/a/+0", "/a/0/0", "/a/1/b"] {
        assert_eq!(at(text, nowhere), None, "{nowhere}");
    }
}

#[test]
fn matches_escaped_member_names() {
    assert_eq!(at(r#"{"mod\u0065l":1}"#, "/model"), Some("1"));
    let twice = find(br#"{"model":1,"mod\u0065l":2}"#, "/model");
    assert!(matches!(twice, Err(JsonError::Duplicate { name }) if name == "model"));
}

#[test]
fn rejects_duplicate_members_only_on_the_path() {
    assert_eq!(at(r#"{"a":1,"a":2,"b":3}"#, "/b"), Some("3"));
    let twice = find(br#"{"a":{"b":1},"a":{"b":1}}"#, "/a/b");
    assert!(matches!(twice, Err(JsonError::Duplicate { name }) if name == "a"));
}

#[test]
fn rejects_invalid_json_and_pointers() {
    for text in [
        "",
        "{",
        "{}x",
        "{\"a\":1,}",
        "[1 2]",
        "{\"b\":tru}",
        "{\"b\":\"\n\"}",
    ] {
        assert!(
            matches!(find(text.as_bytes(), "/a"), Err(JsonError::Syntax { .. })),
            "{text}"
        );
        assert!(
            matches!(find(text.as_bytes(), ""), Err(JsonError::Syntax { .. })),
            "{text}"
        );
    }
    assert!(matches!(
        find(b"{\"b\":\"\xff\"}", "/a"),
        Err(JsonError::NotUtf8)
    ));
    for pointer in ["a", "/~", "/~2", "/a~/b"] {
        assert!(
            matches!(find(b"{}", pointer), Err(JsonError::Pointer { .. })),
            "{pointer}"
        );
    }
}

#[test]
fn deep_nesting_is_an_error_not_a_stack_overflow() {
    let deep = "[".repeat(1 << 20);
    assert!(find(deep.as_bytes(), &"/0".repeat(1 << 16)).is_err());
    let whole = format!("{}{}", "[".repeat(1 << 16), "]".repeat(1 << 16));
    assert_eq!(at(&whole, ""), Some(whole.as_str()));
    assert!(find(whole.as_bytes(), &"/0".repeat(1 << 10)).is_err());
}

#[test]
fn patch_changes_only_its_bytes() -> Outcome {
    let text = "{ \"a\" : 1.0 , \"b\":[ 1 , 2 ],\"c\":{ } }";
    let cases = [
        (
            replace("/a", " \"x\" "),
            "{ \"a\" : \"x\" , \"b\":[ 1 , 2 ],\"c\":{ } }",
        ),
        (add("/a", "2"), "{ \"a\" : 2 , \"b\":[ 1 , 2 ],\"c\":{ } }"),
        (
            add("/d\"", "2"),
            "{ \"a\" : 1.0 , \"b\":[ 1 , 2 ],\"c\":{ },\"d\\\"\":2 }",
        ),
        (
            add("/c/d", "2"),
            "{ \"a\" : 1.0 , \"b\":[ 1 , 2 ],\"c\":{\"d\":2 } }",
        ),
        (
            add("/b/0", "9"),
            "{ \"a\" : 1.0 , \"b\":[ 9,1 , 2 ],\"c\":{ } }",
        ),
        (
            add("/b/2", "9"),
            "{ \"a\" : 1.0 , \"b\":[ 1 , 2,9 ],\"c\":{ } }",
        ),
        (
            add("/b/-", "9"),
            "{ \"a\" : 1.0 , \"b\":[ 1 , 2,9 ],\"c\":{ } }",
        ),
        (remove("/a"), "{ \"b\":[ 1 , 2 ],\"c\":{ } }"),
        (remove("/b/1"), "{ \"a\" : 1.0 , \"b\":[ 1 ],\"c\":{ } }"),
        (remove("/c"), "{ \"a\" : 1.0 , \"b\":[ 1 , 2 ] }"),
    ];
    for (patch, expected) in cases {
        assert_eq!(
            patched(text, std::slice::from_ref(&patch))?,
            expected,
            "{patch:?}"
        );
    }
    Ok(())
}

#[test]
fn patches_apply_in_order() -> Outcome {
    let patches = [
        replace("/model", "\"b\""),
        add("/o", "{}"),
        add("/o/u", "true"),
        remove("/model"),
    ];
    assert_eq!(
        patched(r#"{"model":"a"}"#, &patches)?,
        r#"{"o":{"u":true}}"#
    );
    assert_eq!(patched("not read", &[])?, "not read");
    Ok(())
}

#[test]
fn rejects_patch_without_target() {
    for patch in [
        replace("/x", "1"),
        remove("/x"),
        remove("/a/-"),
        replace("/a/2", "1"),
        add("/a/3", "1"),
        add("/a/01", "1"),
        add("/x/y", "1"),
        add("/n/y", "1"),
    ] {
        let refused = patched(r#"{"a":[1,2],"n":1}"#, std::slice::from_ref(&patch));
        assert!(
            matches!(refused, Err(PatchError::Missing { .. })),
            "{patch:?}"
        );
    }
    assert!(matches!(
        patched("{}", &[remove("")]),
        Err(PatchError::Root)
    ));
    assert!(matches!(
        patched("{}", &[add("/a", "1 2")]),
        Err(PatchError::Value { .. })
    ));
    assert!(matches!(
        patched("{", &[add("/a", "1")]),
        Err(PatchError::Json { .. })
    ));
    let many = vec![add("/a", "1"); PATCHES_MAX + 1];
    assert!(matches!(
        patched("{}", &many),
        Err(PatchError::TooMany { .. })
    ));
}

/// A value, and one of its texts: white space wherever it may stand.
fn value() -> impl Strategy<Value = (Value, String)> {
    let blank = prop_oneof![Just(""), Just(" "), Just("\n\t")];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c\"\\\\/~é\u{1}]{0,3}".prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-c~/\"]{0,2}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    (tree, blank).prop_map(|(value, blank)| {
        let text = spaced(&value, blank);
        (value, text)
    })
}

fn spaced(value: &Value, blank: &str) -> String {
    let parts = |parts: Vec<String>| parts.join(&format!("{blank},{blank}"));
    match value {
        Value::Array(items) => {
            let items = items.iter().map(|item| spaced(item, blank)).collect();
            format!("[{blank}{}{blank}]", parts(items))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!(
                    "{}{blank}:{blank}{}",
                    Value::from(name.as_str()),
                    spaced(value, blank)
                )
            };
            format!(
                "{{{blank}{}{blank}}}",
                parts(members.iter().map(member).collect())
            )
        }
        scalar => scalar.to_string(),
    }
}

/// Pointers to everything in a value, and to places just beside.
fn pointers(value: &Value, prefix: &str, out: &mut Vec<String>) {
    out.push(prefix.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{prefix}/{index}"), out);
            }
            out.push(format!("{prefix}/{}", items.len()));
            out.push(format!("{prefix}/-"));
        }
        Value::Object(members) => {
            for (name, member) in members {
                let token = name.replace('~', "~0").replace('/', "~1");
                pointers(member, &format!("{prefix}/{token}"), out);
            }
            out.push(format!("{prefix}/new"));
        }
        _ => out.push(format!("{prefix}/0")),
    }
}

/// What RFC 6902 says, on a tree; none where the patch has no place.
fn model(mut whole: Value, patch: &Patch) -> Option<Value> {
    let given = |text: &str| serde_json::from_str::<Value>(text).ok();
    let path = patch.path();
    let Some((parent, token)) = path.rsplit_once('/') else {
        return match patch {
            Patch::Add { value, .. } | Patch::Replace { value, .. } => given(value),
            Patch::Remove { .. } => None,
        };
    };
    let token = token.replace("~1", "/").replace("~0", "~");
    match (whole.pointer_mut(parent)?, patch) {
        (Value::Object(members), Patch::Add { value, .. }) => {
            members.insert(token, given(value)?);
        }
        (Value::Object(members), Patch::Replace { value, .. }) => {
            *members.get_mut(&token)? = given(value)?
        }
        (Value::Object(members), Patch::Remove { .. }) => {
            members.remove(&token)?;
        }
        (Value::Array(items), Patch::Add { value, .. }) => {
            let index = if token == "-" {
                items.len()
            } else {
                token.parse().ok()?
            };
            if index > items.len() {
                return None;
            }
            items.insert(index, given(value)?);
        }
        (Value::Array(items), Patch::Replace { value, .. }) => {
            *items.get_mut(token.parse::<usize>().ok()?)? = given(value)?;
        }
        (Value::Array(items), Patch::Remove { .. }) => {
            let index = token.parse().ok().filter(|index| *index < items.len())?;
            items.remove(index);
        }
        _ => return None,
    }
    Some(whole)
}

/// How many bytes two texts share at their beginning and at their end.
fn shared(one: &[u8], other: &[u8]) -> (usize, usize) {
    let start = one
        .iter()
        .zip(other)
        .take_while(|(one, other)| one == other)
        .count();
    let end = one
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(one, other)| one == other)
        .count();
    (start, end)
}

proptest! {
    #[test]
    fn find_matches_serde_pointer((value, text) in value()) {
        let mut all = Vec::new();
        pointers(&value, "", &mut all);
        for pointer in all {
            let found = at(&text, &pointer).map(serde_json::from_str::<Value>).transpose();
            let found = found.ok().flatten();
            prop_assert_eq!(found.as_ref(), value.pointer(&pointer), "{}", pointer);
        }
    }

    #[test]
    fn apply_matches_rfc_6902_and_touches_nothing_else(
        (whole, text) in value(),
        (_, new) in value(),
        pick in any::<prop::sample::Index>(),
    ) {
        let mut all = Vec::new();
        pointers(&whole, "", &mut all);
        let path = pick.get(&all);
        for patch in [add(path, &new), replace(path, &new), remove(path)] {
            let out = patched(&text, std::slice::from_ref(&patch));
            let expected = model(whole.clone(), &patch);
            let read = out.as_ref().ok().map(|out| serde_json::from_str::<Value>(out)).transpose();
            prop_assert_eq!(&read.ok().flatten(), &expected, "{:?} on {}", patch, text);
            let Ok(out) = out else { continue };
            // What changed may be the value that was there with its name and comma, and no more.
            let (start, end) = shared(text.as_bytes(), out.as_bytes());
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            let around = find(text.as_bytes(), parent).ok().flatten().unwrap_or_default();
            prop_assert!(start >= around.start && text.len() - end <= around.end);
            if let (Patch::Replace { .. }, Ok(Some(target))) = (&patch, find(text.as_bytes(), path)) {
                prop_assert_eq!(&out[..target.start], &text[..target.start]);
                prop_assert!(out.ends_with(&text[target.end..]));
            }
        }
    }

    #[test]
    fn never_panics(text in prop::collection::vec(any::<u8>(), 0..64), path in "[/a0~-]{0,6}", new in "[\\[\\]{}\",:1 ]{0,8}") {
        let _ = find(&text, &path).is_ok();
        let text = Bytes::from(text);
        for patch in [add(&path, &new), replace(&path, &new), remove(&path)] {
            let _ = apply(&text, &[patch]).is_ok();
        }
    }

    #[test]
    fn never_panics_on_json_like_text(text in "[\\[\\]{}\",:1a \\\\]{0,24}", path in "[/a0~-]{0,6}") {
        let found = find(text.as_bytes(), &path);
        if let Ok(Some(range)) = found {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text[range]).is_ok());
        }
        let _ = patched(&text, &[remove(&path)]).is_ok();
    }
}

#[test]
fn compact_removes_space_between_tokens_only() {
    let text = "{ \"a b\" : [ 1 , \"\\\" x\" ],\n\"c\\\\\" : 1 }";
    let expected = "{\"a b\":[1,\"\\\" x\"],\"c\\\\\":1}";
    assert_eq!(compact(text), expected);
}
