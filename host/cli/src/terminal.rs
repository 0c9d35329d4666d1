//! What people are told on a terminal. Logs are not: they go through tracing.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};

/// A line on standard output. Where nobody reads it, it is lost, and that is no error.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line on standard error.
pub(crate) fn eprint(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Rows as aligned columns, below their heads.
pub(crate) fn print_table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        // Whoever reads it with a program splits by columns, whatever the terminal's width.
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(heads)
        .add_rows(rows);
    for line in table.lines() {
        print(&format!(" {}", line.trim_end()));
    }
}
