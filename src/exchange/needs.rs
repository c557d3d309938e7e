//! What a chat request needs of a model besides an answer to a text. It is read off the request only if the catalog says of a
//! model that it cannot do something, or how much it has room for.

use super::meter::{calibration, family};
use crate::chat::{Content, Effort, Part, Request, ResponseFormat, ToolKind};
use crate::config::{Abilities, Ability, Model};
use crate::estimate::Makeup;
use crate::store::Store;
use std::cell::OnceCell;

/// No image is more tokens, and nothing that a provider adds to a request is.
const MOST_OF_AN_IMAGE: u64 = 4096;

/// A request, and what has been read off it.
pub(super) struct Asks<'r> {
    request: &'r Request<'r>,
    abilities: OnceCell<Abilities>,
    makeup: OnceCell<Makeup>,
}

impl<'r> Asks<'r> {
    pub fn of(request: &'r Request<'r>) -> Self {
        Self { request, abilities: OnceCell::new(), makeup: OnceCell::new() }
    }

    /// What it asks for besides an answer to a text.
    pub fn abilities(&self) -> Abilities {
        *self.abilities.get_or_init(|| abilities(self.request))
    }

    /// How many tokens prompt and answer need of this model, where that is more than `window`. The prompt is estimated, and an
    /// estimate may be a tenth too high: what may have room is tried.
    pub fn more_than(&self, model: &Model, window: u64, store: &dyn Store) -> Option<u64> {
        let answer = self.request.max_tokens.unwrap_or(1);
        // No text has more tokens than bytes.
        let images = self.request.images().saturating_add(1).saturating_mul(MOST_OF_AN_IMAGE);
        let most = (self.request.value.raw().len() as u64).saturating_add(images).saturating_add(answer);
        if most <= window {
            return None;
        }
        let family = family(model);
        let makeup = self.makeup.get_or_init(|| Makeup::read(self.request));
        let makeup = makeup.served_by(self.request, family, model.upstream.as_str());
        let prompt = calibration(model, family, store).tokens(&makeup);
        let least = prompt.saturating_sub(prompt / 10).saturating_add(answer);
        (least > window).then(|| prompt.saturating_add(answer))
    }
}

fn abilities(request: &Request<'_>) -> Abilities {
    let parts = || {
        request.messages.iter().flat_map(|message| match &message.content {
            Content::Parts(parts) => parts.as_slice(),
            Content::None | Content::Text(_) => &[],
        })
    };
    let has = |is: fn(&Part<'_>) -> bool| parts().any(|(part, _)| is(part));
    let tools = || request.tools.iter().filter(|tool| tool.kind != ToolKind::Other);
    let format = &request.response_format;
    Abilities::NONE
        .with(Ability::Image, has(|part| matches!(part, Part::Image { .. })))
        .with(Ability::Audio, has(|part| matches!(part, Part::Audio { .. })))
        .with(Ability::File, has(|part| matches!(part, Part::File { .. })))
        .with(Ability::Tools, !request.tools.is_empty())
        .with(
            Ability::ParallelToolCalls,
            request.parallel_tool_calls == Some(true) && tools().next().is_some(),
        )
        .with(Ability::Strict, tools().any(|tool| tool.strict == Some(true)))
        .with(Ability::JsonObject, matches!(format, ResponseFormat::JsonObject))
        .with(Ability::JsonSchema, matches!(format, ResponseFormat::JsonSchema { .. }))
        .with(Ability::Reasoning, request.reasoning_effort.is_some_and(|effort| effort != Effort::None))
        .with(Ability::Streaming, request.stream)
}
