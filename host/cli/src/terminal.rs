//! Output on a terminal. Logs go through tracing instead.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};

use crate::log::escape_controls;

/// Prints a line on standard output. A closed output is not an error: `jackfield .. | head` must not
/// fail.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints a line on standard error.
pub(crate) fn eprint(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Prints rows as aligned columns below their heads.
pub(crate) fn print_table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        // Programs split the lines by columns, so that lines must not wrap at the terminal's width.
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(heads)
        .add_rows(rows.iter().map(|row| row.each_ref().map(|cell| escape_controls(cell))));
    for line in table.lines() {
        print(&format!(" {}", line.trim_end()));
    }
}
