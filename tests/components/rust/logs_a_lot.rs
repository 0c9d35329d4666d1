//! Writes a log line that is too long, and then a thousand more.

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Target};
use jackfield_plugin::log::{Level, write};
use jackfield_test_components::request;

struct LogsALot;

impl Executor for LogsALot {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        // Three bytes each, so that the limit of 1,024 bytes is inside a character.
        write(Level::Warn, &"\u{20AC}".repeat(2_000));
        for line in 1..=1_000 {
            write(Level::Warn, &format!("line {line}"));
        }
        Ok(request(&target).relay())
    }
}

jackfield_plugin::export_executor!(LogsALot);
