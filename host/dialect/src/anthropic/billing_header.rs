//! The line for Anthropic's billing with which Claude Code begins its instructions. It has a digest of the request, so no
//! other provider could find a prompt that begins with it in its cache (anthropics/claude-code#68900,
//! waybarrios/vllm-mlx#277, musistudio/claude-code-router#1343).

use crate::ir::TranslationReport;

/// Returns instructions without the line.
pub(crate) fn without_billing_header<'t>(text: &'t str, report: &mut TranslationReport) -> &'t str {
    if !text.starts_with(BILLING_HEADER) {
        return text;
    }
    report.warn("system", "dropped: the line for Anthropic's billing");
    text.split_once('\n')
        .map_or("", |(_, rest)| rest.trim_start_matches('\n'))
}

/// The beginning of the line.
const BILLING_HEADER: &str = "x-anthropic-billing-header:";
