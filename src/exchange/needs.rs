//! What a request needs of a model, and how much of it: what it asks for besides an answer to a text, and how many tokens. It is
//! read off the request once, and only if the catalog, a limit or a strategy has use for it.

use super::Books;
use super::meter::{calibration, family};
use crate::chat::{Content, Effort, Part, Request, ResponseFormat, ToolKind};
use crate::config::{Abilities, Ability, Consumer, Model};
use crate::embeddings;
use crate::estimate::{Calibration, Makeup};
use crate::quota;
use crate::quota::learn::Expected;
use std::cell::OnceCell;

/// No image is more tokens, and nothing that a provider adds to a request is.
const MOST_OF_AN_IMAGE: u64 = 4096;

/// How sure an expectation is to suffice for the answer: so many answers of a thousand are not longer.
const SURE: u16 = 900;

/// A request, by what is asked of a model.
#[derive(Clone, Copy)]
pub(super) enum Asked<'r> {
    Chat(&'r Request<'r>),
    Embeddings(&'r embeddings::Request<'r>),
}

/// A request, and what has been read off it.
pub(super) struct Asks<'r> {
    asked: Asked<'r>,
    abilities: OnceCell<Abilities>,
    makeup: OnceCell<Makeup>,
}

impl<'r> Asks<'r> {
    pub fn of(asked: Asked<'r>) -> Self {
        Self { asked, abilities: OnceCell::new(), makeup: OnceCell::new() }
    }

    /// What is asked.
    pub fn asked(&self) -> Asked<'r> {
        self.asked
    }

    /// Whether it asks for a stream.
    pub fn stream(&self) -> bool {
        matches!(self.asked, Asked::Chat(request) if request.stream)
    }

    /// What it asks for besides an answer to a text.
    pub fn abilities(&self) -> Abilities {
        *self.abilities.get_or_init(|| match self.asked {
            Asked::Chat(request) => abilities(request),
            Asked::Embeddings(_) => Abilities::NONE,
        })
    }

    /// How many images are in it.
    pub fn images(&self) -> u64 {
        match self.asked {
            Asked::Chat(request) => request.images(),
            Asked::Embeddings(_) => 0,
        }
    }

    /// What it is made of, where this model serves it.
    pub fn makeup(&self, model: &Model) -> Makeup {
        let makeup = *self.makeup.get_or_init(|| match self.asked {
            Asked::Chat(request) => Makeup::read(request),
            Asked::Embeddings(request) => Makeup::of_input(&request.input),
        });
        match self.asked {
            Asked::Chat(request) => makeup.served_by(request, family(model), model.upstream.as_str()),
            Asked::Embeddings(_) => makeup,
        }
    }

    /// How many tokens the prompt has for this model, about.
    pub fn prompt(&self, model: &Model, books: Books<'_>) -> u64 {
        self.counts(model, books).tokens(&self.makeup(model))
    }

    /// How this model counts.
    pub fn counts(&self, model: &Model, books: Books<'_>) -> Calibration {
        calibration(model, family(model), books)
    }

    /// How many tokens the answers of this model may have at most, all choices together, where that is known.
    pub fn most_output(&self, model: &Model) -> Option<u64> {
        let Asked::Chat(request) = self.asked else { return Some(0) };
        let most = request.max_tokens.or(model.max_output_tokens);
        most.map(|most| most.saturating_mul(request.n))
    }

    /// How many answers it asks for.
    pub fn choices(&self) -> u64 {
        match self.asked {
            Asked::Chat(request) => request.n,
            Asked::Embeddings(_) => 1,
        }
    }

    /// How long the answers will be, all choices together.
    pub fn expected_output(&self, model: &Model, consumer: &Consumer, books: Books<'_>) -> Expected {
        if let Asked::Embeddings(_) = self.asked {
            return Expected { tokens: 0, is_known: true };
        }
        let prior = quota::learn::prior(model.max_output_tokens);
        let (consumer, model, most) = (consumer.name.as_str(), model.name.as_str(), self.most_output(model));
        quota::learn::expected(&books.recent(), consumer, model, SURE, prior, most)
    }

    /// How many tokens prompt and answer need of this model, where that is more than `window`. The prompt is estimated, and an
    /// estimate may be a tenth too high: what may have room is tried.
    pub fn more_than(&self, model: &Model, window: u64, books: Books<'_>) -> Option<u64> {
        let Asked::Chat(request) = self.asked else { return None };
        let answer = request.max_tokens.unwrap_or(1);
        // No text has more tokens than bytes.
        let images = request.images().saturating_add(1).saturating_mul(MOST_OF_AN_IMAGE);
        let most = (request.value.raw().len() as u64).saturating_add(images).saturating_add(answer);
        if most <= window {
            return None;
        }
        let prompt = self.prompt(model, books);
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
