//! Counts as a provider reports them. Providers differ in which counts are inside of which: reasoning inside
//! of the output (OpenAI) or beside it (xAI, Gemini), cached tokens inside of the input (OpenAI) or beside it
//! (gateways before Claude). The provider's own total decides.

use crate::Usage;

/// The counts of a provider.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReportedUsage {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cached_input: u64,
    pub(crate) cache_write_input: u64,
    pub(crate) reasoning: u64,
    /// Input of the tools that the provider runs.
    pub(crate) tool_input: u64,
    /// The sum by the provider's arithmetic; 0 if it is unknown.
    pub(crate) total: u64,
}

/// The counts that are beside input and output, as a set of the bits below.
type Beside = u8;

const REASONING: Beside = 1;
const CACHE_WRITE: Beside = 1 << 1;
const CACHED: Beside = 1 << 2;
const TOOL_INPUT: Beside = 1 << 3;

/// OpenAI's arithmetic: input and output include all other counts.
pub(crate) const INSIDE: Beside = 0;

/// Gemini's arithmetic: the total is the sum of prompt, candidates, tool use and thoughts
/// (<https://ai.google.dev/api/generate-content#UsageMetadata>).
pub(crate) const BESIDE_GEMINI: Beside = REASONING | TOOL_INPUT;

/// All differences from a provider's documented arithmetic, the most likely ones first: fewer counts before
/// more, and reasoning before the cache.
const DIFFERENCES: [Beside; 16] = [0, 1, 2, 4, 8, 6, 3, 5, 9, 10, 12, 7, 11, 13, 14, 15];

impl ReportedUsage {
    /// Returns the usage by the arithmetic that the total confirms; without a total, by the `documented` one,
    /// unless a part would be larger than its whole. Tokens that only the total has are output: the providers
    /// that leave some out (Gemini's API for OpenAI's clients) leave out reasoning.
    pub(crate) fn resolve(self, documented: Beside) -> Usage {
        let candidates = DIFFERENCES.map(|difference| documented ^ difference);
        let mut possible = candidates
            .into_iter()
            .filter_map(|beside| self.usage(beside));
        let adds_up = |usage: &Usage| sum(usage) == self.total;
        let confirmed = possible.clone().find(adds_up);
        if let Some(usage) = confirmed {
            return usage;
        }
        let usage = possible.next().unwrap_or_default();
        let missing = self.total.saturating_sub(sum(&usage));
        Usage {
            output: usage.output.saturating_add(missing),
            ..usage
        }
    }

    /// Returns the usage by one arithmetic; `None` if a part is larger than its whole.
    fn usage(self, beside: Beside) -> Option<Usage> {
        let count_if = |bit: Beside, count: u64| if beside & bit == 0 { 0 } else { count };
        let usage = Usage {
            input: self
                .input
                .saturating_add(count_if(CACHED, self.cached_input))
                .saturating_add(count_if(CACHE_WRITE, self.cache_write_input))
                .saturating_add(count_if(TOOL_INPUT, self.tool_input)),
            output: self
                .output
                .saturating_add(count_if(REASONING, self.reasoning)),
            cached_input: self.cached_input,
            cache_write_input: self.cache_write_input,
            reasoning: self.reasoning,
        };
        (usage == usage.bounded()).then_some(usage)
    }
}

fn sum(usage: &Usage) -> u64 {
    usage.input.saturating_add(usage.output)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Splits of tokens, and what a provider of some arithmetic reports of them.
    #[derive(Clone, Copy, Debug)]
    struct Split {
        fresh: u64,
        cached: u64,
        written: u64,
        tools: u64,
        text: u64,
        reasoning: u64,
    }

    prop_compose! {
        fn split()(
            fresh in 0..9_999_u64,
            cached in 0..9_999_u64,
            written in 0..999_u64,
            tools in 0..999_u64,
            text in 0..9_999_u64,
            reasoning in 0..9_999_u64,
        ) -> Split {
            Split { fresh, cached, written, tools, text, reasoning }
        }
    }

    impl Split {
        fn total(self) -> u64 {
            self.input() + self.text + self.reasoning
        }

        fn input(self) -> u64 {
            self.fresh + self.cached + self.written + self.tools
        }

        fn reported(self, beside: Beside) -> ReportedUsage {
            let inside = |bit: Beside, count: u64| if beside & bit == 0 { count } else { 0 };
            ReportedUsage {
                input: self.fresh
                    + inside(CACHED, self.cached)
                    + inside(CACHE_WRITE, self.written)
                    + inside(TOOL_INPUT, self.tools),
                output: self.text + inside(REASONING, self.reasoning),
                cached_input: self.cached,
                cache_write_input: self.written,
                reasoning: self.reasoning,
                tool_input: self.tools,
                total: self.total(),
            }
        }
    }

    proptest! {
        /// Whatever the arithmetic, the usage has the provider's total.
        #[test]
        fn usage_adds_up_to_total(split in split(), beside in 0..16_u8, documented in 0..16_u8) {
            let usage = split.reported(beside).resolve(documented);
            prop_assert_eq!(sum(&usage), split.total());
            prop_assert_eq!(usage, usage.bounded());
        }

        /// The documented arithmetic needs no total.
        #[test]
        fn total_is_optional(split in split(), documented in 0..16_u8) {
            let reported = split.reported(documented);
            let usage = reported.resolve(documented);
            prop_assert_eq!(usage.input, split.input());
            prop_assert_eq!(usage.output, split.text + split.reasoning);
            let without = ReportedUsage { total: 0, ..reported };
            // A part that does not fit into its whole is beside it, whatever the documents say.
            if without.usage(documented).is_some() {
                prop_assert_eq!(without.resolve(documented), usage);
            }
        }

        /// No counts make a part larger than its whole, or the sum overflow.
        #[test]
        fn odd_counts_are_bounded(counts in any::<[u64; 7]>(), documented in 0..16_u8) {
            let [input, output, cached_input, cache_write_input, reasoning, tool_input, total] = counts;
            let reported = ReportedUsage {
                input, output, cached_input, cache_write_input, reasoning, tool_input, total,
            };
            let usage = reported.resolve(documented);
            prop_assert_eq!(usage, usage.bounded());
        }
    }

    #[test]
    fn counts_missing_tokens_as_output() {
        // Gemini's API for OpenAI's clients has no count of the thoughts.
        let reported = ReportedUsage {
            input: 20,
            output: 198,
            total: 623,
            ..ReportedUsage::default()
        };
        let usage = reported.resolve(INSIDE);
        assert_eq!((usage.input, usage.output, usage.reasoning), (20, 603, 0));
    }

    #[test]
    fn ignores_total_that_is_too_small() {
        let reported = ReportedUsage {
            input: 20,
            output: 10,
            reasoning: 4,
            total: 7,
            ..ReportedUsage::default()
        };
        let usage = reported.resolve(INSIDE);
        assert_eq!((usage.input, usage.output, usage.reasoning), (20, 10, 4));
    }
}
