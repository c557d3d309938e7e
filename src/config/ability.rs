//! What a request may ask of a model besides answering a text, and what the catalog says a model cannot do.

/// One thing that some models can and some cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ability {
    /// Images in the prompt.
    Image,
    /// Audio in the prompt.
    Audio,
    /// Files in the prompt.
    File,
    /// Calls of tools.
    Tools,
    /// Several of them at once, where the request insists.
    ParallelToolCalls,
    /// Calls that match the tool's schema for certain.
    Strict,
    /// An answer that is JSON.
    JsonObject,
    /// An answer that matches a JSON schema.
    JsonSchema,
    /// Reasoning to a given extent.
    Reasoning,
    /// Streams.
    Streaming,
}

impl Ability {
    /// All of them, each with its word in the configuration and the member of a request that asks for it.
    pub const ALL: [(Self, &'static str, &'static str); 10] = [
        (Self::Image, "image", "messages"),
        (Self::Audio, "audio", "messages"),
        (Self::File, "file", "messages"),
        (Self::Tools, "tools", "tools"),
        (Self::ParallelToolCalls, "parallel_tool_calls", "parallel_tool_calls"),
        (Self::Strict, "strict", "tools"),
        (Self::JsonObject, "json_object", "response_format"),
        (Self::JsonSchema, "json_schema", "response_format"),
        (Self::Reasoning, "reasoning", "reasoning_effort"),
        (Self::Streaming, "streaming", "stream"),
    ];
}

/// Some abilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Abilities(u16);

impl Abilities {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// These and one more, if `is_so`.
    #[must_use]
    pub const fn with(self, ability: Ability, is_so: bool) -> Self {
        Self(self.0 | (is_so as u16) << ability as u8)
    }

    /// These but one.
    #[must_use]
    pub const fn without(self, ability: Ability) -> Self {
        Self(self.0 & !(1 << ability as u8))
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each with its word in the configuration and the member of a request that asks for it.
    pub fn each(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let has = move |ability: Ability| !self.and(Self::NONE.with(ability, true)).is_empty();
        Ability::ALL
            .into_iter()
            .filter(move |(ability, ..)| has(*ability))
            .map(|(_, word, member)| (word, member))
    }
}
