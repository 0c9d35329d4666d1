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

#[cfg(test)]
mod tests {
    use super::*;

    /// A section: its id, its size, its content.
    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id], &leb(content.len() as u64)[..], content].concat()
    }

    /// A number as WebAssembly writes it (LEB128).
    fn leb(mut number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let low = (number & 0x7f) as u8;
            number >>= 7;
            if number == 0 {
                bytes.push(low);
                return bytes;
            }
            bytes.push(low | 0x80);
        }
    }

    /// A module with functions that have bodies of these sizes.
    fn module(bodies: &[usize]) -> Vec<u8> {
        let count = leb(bodies.len() as u64);
        let types = vec![0; bodies.len()];
        let body = |bytes: &usize| {
            let mut body = vec![0x01; *bytes];
            body[0] = 0;
            body[bytes - 1] = 0x0b;
            [leb(*bytes as u64), body].concat()
        };
        let bodies: Vec<u8> = bodies.iter().flat_map(body).collect();
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, &[1, 0x60, 0, 0]),
            section(3, &[&count[..], &types].concat()),
            section(10, &[&count[..], &bodies].concat()),
        ]
        .concat()
    }

    fn component(modules: &[Vec<u8>]) -> Vec<u8> {
        let modules: Vec<u8> = modules.iter().flat_map(|it| section(1, it)).collect();
        [b"\0asm\x0d\0\x01\0".to_vec(), modules].concat()
    }

    #[test]
    fn counts_all_modules_of_a_component() {
        let half = module(&vec![2; FUNCTIONS_MAX as usize / 2]);
        assert_eq!(
            check_size(&component(&[half.clone(), half.clone()])),
            Ok(())
        );
        let one_more = component(&[half.clone(), half, module(&[2])]);
        let error = check_size(&one_more).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it has 50001 functions, and at most 50000 are compiled; split it, or build it for size"
        );
    }

    #[test]
    fn refuses_much_code_and_large_functions() {
        let large = FUNCTION_BYTES_MAX as usize;
        assert_eq!(check_size(&component(&[module(&[large])])), Ok(()));
        let error = check_size(&component(&[module(&[large + 1])])).unwrap_err();
        assert_eq!(error.what, "bytes in one function");
        let error = check_size(&component(&[module(&[large; 16])])).unwrap_err();
        assert_eq!(error.what, "bytes of code");
    }

    #[test]
    fn passes_what_is_cut_off() {
        let whole = component(&[module(&[2, 2])]);
        for end in 8..whole.len() {
            assert_eq!(check_size(&whole[..end]), Ok(()));
        }
    }
}
