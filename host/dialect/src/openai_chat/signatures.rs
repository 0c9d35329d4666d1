//! Signatures in requests that are not translated: OpenRouter's `reasoning_details`, and the signature of a call in
//! `extra_content`, as Google's endpoint of this dialect has it.

use std::sync::LazyLock;

use serde_json::value::RawValue;

use crate::foreign_signatures::{SignatureEdit, SignatureMembers, SignedPart};
use crate::ir::Signature;
use crate::json::{Entry, entries, items, members, string};

/// The members with signatures.
pub(super) static MEMBERS: LazyLock<[SignatureMembers; 2]> = LazyLock::new(|| {
    [
        SignatureMembers::new(&["signature", SIGNATURE], "signature"),
        SignatureMembers::new(&["data"], "data").only_with(DETAILS),
    ]
});

const DETAILS: &str = "reasoning_details";
const SIGNATURE: &str = "thought_signature";
const EXTRA: &str = "extra_content";

/// Removes the details of reasoning and the signatures of calls that are dropped.
pub(super) fn strip(root: &RawValue, edit: &mut SignatureEdit<'_>) {
    let root = entries(root);
    let Some(messages) = root.iter().find(|entry| entry.is("messages")) else {
        return;
    };
    for message in items(messages.value, usize::MAX) {
        let Ok(found) = members(message.get(), [DETAILS, "tool_calls"]) else {
            continue;
        };
        let [details, calls] = found.values;
        if let Some(details) = details {
            strip_details(message, details, edit);
        }
        let calls = calls.map_or_else(Vec::new, |calls| items(calls, usize::MAX));
        for (index, call) in calls.into_iter().enumerate() {
            strip_call(call, index == 0, edit);
        }
    }
}

fn strip_details(message: &RawValue, details: &RawValue, edit: &mut SignatureEdit<'_>) {
    let list = items(details, usize::MAX);
    let is_removed: Vec<bool> = list
        .iter()
        .map(|detail| {
            let found = members(detail.get(), ["signature", "data"]).ok();
            let [signature, data] = found.map(|found| found.values).unwrap_or_default();
            let mut texts = [data, signature].into_iter().flatten().filter_map(string);
            let signature = texts.find(|text| !text.is_empty());
            edit.drops(&SignedPart {
                signature,
                json: detail.get(),
            })
        })
        .collect();
    if !is_removed.contains(&true) {
        return;
    }
    edit.warn_dropped("messages.reasoning_details");
    if is_removed.contains(&false) {
        edit.text.remove_items(&list, &is_removed);
    } else {
        edit.text
            .remove_entries(&entries(message), |entry| entry.is(DETAILS));
    }
}

fn strip_call(call: &RawValue, is_first: bool, edit: &mut SignatureEdit<'_>) {
    let call_entries = entries(call);
    let extra = call_entries.iter().find(|entry| entry.is(EXTRA));
    let signature = extra.and_then(signature);
    let text = signature.and_then(string);
    if text.as_deref() == Some(Signature::PLACEHOLDER) {
        return;
    }
    let is_signed = text.is_some();
    let part = SignedPart {
        signature: text,
        json: call.get(),
    };
    // Google's endpoint demands a signature as its own API does.
    let wants_one = is_first && edit.model.to_ascii_lowercase().contains("gemini-3");
    if !(is_signed || wants_one) || !edit.drops(&part) {
        return;
    }
    edit.warn_dropped("messages.tool_calls.extra_content");
    if !wants_one {
        return edit
            .text
            .remove_entries(&call_entries, |entry| entry.is(EXTRA));
    }
    let google = format!(
        r#"{{"google":{{"{SIGNATURE}":"{}"}}}}"#,
        Signature::PLACEHOLDER
    );
    match extra {
        Some(extra) => edit.text.replace(extra.value, google),
        None if call_entries.is_empty() => {}
        None => edit
            .text
            .append_members(call, &format!("\"{EXTRA}\":{google}")),
    }
}

fn signature<'a>(extra: &Entry<'a>) -> Option<&'a RawValue> {
    let [google] = members(extra.value.get(), ["google"]).ok()?.values;
    let [signature] = members(google?.get(), [SIGNATURE]).ok()?.values;
    signature
}
