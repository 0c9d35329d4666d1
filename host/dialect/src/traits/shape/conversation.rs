//! Instructions, images, and the order of the turns.

use crate::ir::{Part, Request, Role, TranslationReport, Turn, loss};
use crate::traits::{
    FirstTurn, ImagePlaces, LastTurn, ReasoningMember, ReasoningReturn, SystemMessages, Traits,
};

/// Shapes the conversation.
pub(super) fn shape(request: &mut Request, traits: &Traits, report: &mut TranslationReport) {
    match traits.system {
        SystemMessages::Anywhere => {}
        SystemMessages::First => fold_instructions(request, report),
        SystemMessages::None => {
            if !request.system.is_empty() {
                report.warn("system", "changed: sent in the first turn of the user");
                let parts = std::mem::take(&mut request.system);
                let turn = Turn {
                    role: Role::System,
                    parts,
                };
                request.turns.insert(0, turn);
            }
            fold_instructions(request, report);
        }
    }
    if traits.reasoning_return == ReasoningReturn::Refused
        || traits.reasoning_member == ReasoningMember::None
    {
        drop_reasoning(request, report);
    }
    match traits.images {
        ImagePlaces::Everywhere | ImagePlaces::UserTurns => {}
        ImagePlaces::None => {
            let is_image = |part: &Part| matches!(part, Part::Image(_));
            if replace(request, is_image, IMAGE_TEXT) {
                report.warn("image_url", loss::IMAGES_REPLACED);
            }
        }
    }
    if !traits.documents {
        let is_document = |part: &Part| matches!(part, Part::Document(_));
        if replace(request, is_document, DOCUMENT_TEXT) {
            report.warn("file", loss::DOCUMENTS_REPLACED);
        }
    }
    if traits.first_turn == FirstTurn::User
        && request
            .turns
            .first()
            .is_some_and(|turn| turn.role == Role::Assistant)
    {
        report.warn("messages", loss::FIRST_USER_ADDED);
        request.turns.insert(0, user_turn(loss::FIRST_USER_TEXT));
    }
    if traits.last_turn == LastTurn::User
        && request
            .turns
            .last()
            .is_some_and(|turn| turn.role == Role::Assistant)
    {
        report.warn(
            "messages",
            "changed: a user's turn was added after the last one",
        );
        request.turns.push(user_turn(LAST_USER_TEXT));
    }
}

fn user_turn(text: &str) -> Turn {
    Turn {
        role: Role::User,
        parts: vec![Part::text(text)],
    }
}

/// The form of instructions in a user's turn.
pub(in crate::traits) fn instructions_in_user_turn(text: &str) -> String {
    format!("<system>\n{text}\n</system>")
}

/// Moves instructions inside of the conversation into the user's turn at their place: the beginning of the prompt
/// stays the same from call to call, so that the provider finds it in its cache.
fn fold_instructions(request: &mut Request, report: &mut TranslationReport) {
    if !request.turns.iter().any(|turn| turn.role == Role::System) {
        return;
    }
    report.warn(loss::INSTRUCTIONS, loss::INSTRUCTIONS_IN_USER_TURN);
    let turns = std::mem::take(&mut request.turns);
    for mut turn in turns {
        if turn.role == Role::System {
            turn.role = Role::User;
            for part in &mut turn.parts {
                if let Part::Text { text, .. } = part {
                    *text = instructions_in_user_turn(text);
                }
            }
        }
        match request.turns.last_mut() {
            Some(last) if last.role == turn.role => last.parts.append(&mut turn.parts),
            _ => request.turns.push(turn),
        }
    }
    for turn in request
        .turns
        .iter_mut()
        .filter(|turn| turn.role == Role::User)
    {
        // Results come first. The sort is stable.
        turn.parts
            .sort_by_key(|part| !matches!(part, Part::ToolResult(_)));
    }
}

fn drop_reasoning(request: &mut Request, report: &mut TranslationReport) {
    for turn in request
        .turns
        .iter_mut()
        .filter(|turn| turn.role == Role::Assistant)
    {
        let given = turn.parts.len();
        turn.parts
            .retain(|part| !matches!(part, Part::Reasoning(_)));
        if turn.parts.len() < given {
            report.warn(
                loss::REASONING,
                "dropped: the provider takes no reasoning back",
            );
        }
    }
    request.turns.retain(|turn| !turn.parts.is_empty());
}

/// Replaces parts of the user by a text that says so: without one, the model would answer about what it cannot see.
/// Returns whether there are any.
fn replace(request: &mut Request, is_replaced: fn(&Part) -> bool, text: &str) -> bool {
    let mut replaced = false;
    let mut replace = |part: &mut Part| {
        if is_replaced(part) {
            *part = Part::text(text);
            replaced = true;
        }
    };
    for turn in request
        .turns
        .iter_mut()
        .filter(|turn| turn.role != Role::Assistant)
    {
        for part in &mut turn.parts {
            match part {
                Part::ToolResult(result) => result.parts.iter_mut().for_each(&mut replace),
                part => replace(part),
            }
        }
    }
    replaced
}

/// In place of a document.
const DOCUMENT_TEXT: &str = "[A document was here. You cannot read documents.]";

/// In place of an image.
const IMAGE_TEXT: &str = "[An image was here. You cannot see images.]";

/// The last turn where the provider refuses one of the assistant.
const LAST_USER_TEXT: &str = "(Continue.)";
