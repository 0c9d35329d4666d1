//! The example selector: prefers candidates in the region `eu`, then the fewest attempts in progress,
//! then the highest weight, and takes the remaining ones in turn. The host's tests run the same selector
//! in Rust, JavaScript and Python; see ../README.md.

use jackfield_plugin::log::{Level, write};
use jackfield_plugin::selector::{Choice, Descriptor, PickContext, Selector, candidates};
use jackfield_plugin::settings_json;
use serde_json::{Map, Value};

struct ExampleSelector;

impl Selector for ExampleSelector {
    fn describe() -> Descriptor {
        let settings: Map<String, Value> =
            serde_json::from_str(&settings_json()).unwrap_or_default();
        Descriptor::new(match settings.contains_key("label") {
            true => "1.0.0+custom",
            false => "1.0.0",
        })
    }

    fn pick(context: PickContext) -> Choice {
        let PickContext {
            sequence, model, ..
        } = context;
        write(Level::Debug, &format!("pick {sequence} for {model}"));
        match model.as_str() {
            "none" => Choice::None("no credential may serve this model".to_owned()),
            "later" => Choice::WaitMs(250),
            _ => round_robin(&finalists(), sequence),
        }
    }
}

fn round_robin(finalists: &[u32], sequence: u64) -> Choice {
    let turn = sequence.checked_rem(finalists.len() as u64);
    match turn.and_then(|turn| finalists.get(turn as usize)) {
        Some(index) => Choice::Candidate(*index),
        None => Choice::None("there is no candidate".to_owned()),
    }
}

/// Returns the indexes of the candidates among which only the turn decides.
fn finalists() -> Vec<u32> {
    let in_flight = candidates::in_flight();
    let weights = candidates::weights();
    let regions = candidates::attribute("region");

    let mut left: Vec<u32> = (0..candidates::len()).collect();
    if regions.iter().any(|region| region.as_deref() == Some("eu")) {
        left.retain(|index| regions[*index as usize].as_deref() == Some("eu"));
    }
    let least = left.iter().map(|index| in_flight[*index as usize]).min();
    left.retain(|index| Some(in_flight[*index as usize]) == least);
    let most = left.iter().map(|index| weights[*index as usize]).max();
    left.retain(|index| Some(weights[*index as usize]) == most);
    left
}

jackfield_plugin::export_selector!(ExampleSelector);
