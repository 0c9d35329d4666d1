//! What people are told on a terminal. Logs are not: they go through tracing.

use std::io::Write;

/// A line on standard output. Where nobody reads it, it is lost, and that is no error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line on standard error.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Rows as aligned columns, below their heads.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) {
    let mut widths = heads.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        say(format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end());
    };
    line(heads);
    rows.iter()
        .for_each(|row| line(row.each_ref().map(String::as_str)));
}
