//! Allocates memory in `prepare` until an allocation fails, and aborts. For the model `politely` it
//! survives the failure; for `some` it allocates 40 MiB. The header `x-mebibytes` has the allocated size.

use jackfield_plugin::executor::{Descriptor, Executor, Failure, Plan, Target};
use jackfield_test_components::request;

struct Hoards;

impl Executor for Hoards {
    fn describe() -> Descriptor {
        Descriptor::new("1.0.0", "openai-chat")
    }

    fn prepare(target: Target) -> Result<Plan, Failure> {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        let mebibytes = match target.model.as_str() {
            "politely" => {
                while let Some(more) = mebibyte() {
                    hoard.push(more);
                }
                hoard.len()
            }
            "some" => {
                hoard.resize_with(SOME_MEBIBYTES, || Vec::with_capacity(MEBIBYTE));
                hoard.len()
            }
            _ => loop {
                hoard.push(Vec::with_capacity(MEBIBYTE));
            },
        };
        let mebibytes = mebibytes.to_string();
        Ok(request(&target)
            .header("x-mebibytes", mebibytes.as_bytes())
            .relay())
    }
}

fn mebibyte() -> Option<Vec<u8>> {
    let mut more = Vec::new();
    more.try_reserve_exact(MEBIBYTE).ok()?;
    Some(more)
}

const MEBIBYTE: usize = 1 << 20;
const SOME_MEBIBYTES: usize = 40;

jackfield_plugin::export_executor!(Hoards);
