//! How large a component is for the compiler. A small file can take gigabytes and minutes to compile, and a compilation
//! cannot be stopped, so components beyond these limits are not compiled at all.

use wasmparser::{Parser, Payload};

use crate::limits::{CODE_BYTES_MAX, FUNCTION_BYTES_MAX, FUNCTIONS_MAX, IMPORTS_AND_EXPORTS_MAX};

/// What a component has too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has {found} {what}, and at most {most} are compiled; split it, or build it for size")]
pub struct OverSize {
    /// What is counted.
    pub what: &'static str,
    /// How many it has.
    pub found: u64,
    /// How many are allowed.
    pub most: u64,
}

#[derive(Debug, Default)]
struct Size {
    functions: u64,
    imports_and_exports: u64,
    code_bytes: u64,
    function_bytes: u64,
}

/// Checks the size of a component. What is not WebAssembly passes: the compiler says what is wrong with it.
///
/// # Errors
/// The first limit that it exceeds.
pub(crate) fn check_size(component: &[u8]) -> Result<(), OverSize> {
    let mut size = Size::default();
    // All nested modules and components come in one sequence.
    for payload in Parser::new(0).parse_all(component) {
        let Ok(payload) = payload else {
            return Ok(());
        };
        size.add(&payload);
        size.check()?;
    }
    Ok(())
}

impl Size {
    fn add(&mut self, payload: &Payload<'_>) {
        match payload {
            Payload::FunctionSection(functions) => self.functions += u64::from(functions.count()),
            Payload::CodeSectionStart { size, .. } => self.code_bytes += u64::from(*size),
            Payload::CodeSectionEntry(body) => {
                let bytes = body.range().len() as u64;
                self.function_bytes = self.function_bytes.max(bytes);
            }
            Payload::ImportSection(imports) => self.add_names(imports.count()),
            Payload::ExportSection(exports) => self.add_names(exports.count()),
            Payload::ComponentImportSection(imports) => self.add_names(imports.count()),
            Payload::ComponentExportSection(exports) => self.add_names(exports.count()),
            _ => {}
        }
    }

    fn add_names(&mut self, count: u32) {
        self.imports_and_exports += u64::from(count);
    }

    fn check(&self) -> Result<(), OverSize> {
        for (what, found, most) in [
            ("functions", self.functions, FUNCTIONS_MAX),
            (
                "imports and exports",
                self.imports_and_exports,
                IMPORTS_AND_EXPORTS_MAX,
            ),
            ("bytes of code", self.code_bytes, CODE_BYTES_MAX),
            (
                "bytes in one function",
                self.function_bytes,
                FUNCTION_BYTES_MAX,
            ),
        ] {
            if found > most {
                return Err(OverSize { what, found, most });
            }
        }
        Ok(())
    }
}
