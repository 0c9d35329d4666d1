//! The reasoning efforts, with their names and budgets.

/// How hard a model reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// No reasoning.
    None,
    /// The least that the model supports.
    Minimal,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// The most that the model supports: OpenAI's `xhigh`, Anthropic's `max`.
    Max,
}

impl Effort {
    /// All efforts, in ascending order.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Max,
    ];

    /// The budget in tokens that replaces an effort in dialects without efforts. Low to high are the
    /// values of Google's own OpenAI-compatible endpoint
    /// (<https://ai.google.dev/gemini-api/docs/openai>); `max` is the maximum of Gemini's models.
    #[must_use]
    pub const fn budget_tokens(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal => 512,
            Self::Low => 1_024,
            Self::Medium => 8_192,
            Self::High => 24_576,
            Self::Max => 32_768,
        }
    }

    /// Returns the lowest effort with at least this budget.
    #[must_use]
    pub fn from_budget(tokens: u64) -> Self {
        Self::ALL
            .into_iter()
            .find(|effort| tokens <= effort.budget_tokens())
            .unwrap_or(Self::Max)
    }

    /// OpenAI's name of the effort.
    #[must_use]
    pub const fn openai_name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Max => "xhigh",
        }
    }

    /// Parses OpenAI's or Anthropic's name of an effort.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "max" => Some(Self::Max),
            _ => Self::ALL
                .into_iter()
                .find(|effort| effort.openai_name() == word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_round_trips_through_budget() {
        for effort in Effort::ALL {
            assert_eq!(Effort::from_budget(effort.budget_tokens()), effort);
            assert_eq!(Effort::parse(effort.openai_name()), Some(effort));
        }
        assert_eq!(Effort::from_budget(u64::MAX), Effort::Max);
        assert_eq!(Effort::from_budget(2_000), Effort::Medium);
        assert_eq!(Effort::parse("max"), Some(Effort::Max));
        assert_eq!(Effort::parse("hard"), None);
    }
}
