//! What a request may use, and what it has used: reserved before it is forwarded, settled when it is over.
//!
//! How long the prompt is and how long the answer will be is estimated, from what models and consumers were seen to do
//! before; when the request is over, what providers say was used takes the place of that. What they did not say, because
//! the stream was cut or the client left, is counted by what was delivered, and labelled as estimated.

use super::needs::{Asked, Asks};
use super::recent::Remembered;
use super::{Asking, Memory, Reply, notes};
use crate::chat::Usage;
use crate::config::{Config, Consumer, Model};
use crate::cost::{self, Provenance};
use crate::error::ApiError;
use crate::estimate::{Calibration, Family, Makeup};
use crate::money::NanoUsd;
use crate::quota::{self, Actual, Ask, Denied, HolderId, Refusal, Reservation, Standing};
use crate::store::{Store, update};
use crate::time::Timestamp;
use std::rc::Rc;

/// How many tokens more a stream reserves at least when it outgrows what it has: not for each word anew.
const LEAST_MORE: u64 = 32;
/// Nothing is lost but one lesson among many.
const ATTEMPTS: u32 = 4;
/// After so many reports of a model its way to count is known,
const ENOUGH: u32 = 256;
/// and it is learned from one request in so many, by the millisecond that they come in.
const RARELY: u64 = 8;

/// Where it is counted.
#[derive(Clone, Copy)]
pub struct Books<'a> {
    /// What all workers share.
    pub store: &'a dyn Store,
    /// The time.
    pub now: Timestamp,
    /// Which instance of the VM this is; saying so makes sure that it is known to be alive.
    pub holder: &'a dyn Fn() -> HolderId,
    /// What this worker remembers.
    pub memory: &'a Memory,
}

impl<'a> Books<'a> {
    /// What all workers share as it was a moment ago, for what only estimates hang on.
    pub(super) fn recent(self) -> Remembered<'a> {
        self.memory.recent.of(self.store, self.now)
    }
}

/// What a request has reserved.
#[derive(Debug, PartialEq)]
pub struct Meter {
    consumer: Rc<Consumer>,
    /// The models of the plan's targets.
    models: Vec<Rc<Model>>,
    reservation: Reservation,
    makeup: Makeup,
    input: u64,
    output: u64,
    images: u64,
    /// Where a limit may end a stream: what watches over it.
    watch: Option<Watch>,
    learns: Learns,
}

/// Of what its usage is a lesson, if a provider reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Learns {
    /// How the model counts prompts.
    input: bool,
    /// How long its answers to this consumer are.
    output: bool,
}

/// Watches that a stream does not outgrow what is reserved for it.
#[derive(Debug, PartialEq)]
struct Watch {
    /// Tokens of the answer that are reserved.
    reserved: u64,
    /// How the model of this attempt counts, from 0; read when its stream begins.
    counts: Option<(usize, Calibration)>,
}

/// What one attempt has used.
#[derive(Clone, Copy, Debug)]
pub enum Used {
    /// It came to no answer.
    Nothing,
    /// The provider said so.
    Reported(Usage),
    /// The provider said so before the answer came to its end, and this was said until then.
    Partly(Usage, Makeup),
    /// This was said, and nobody has counted it.
    Said(Makeup),
    /// It was made in another VM: nothing is known of it.
    Unseen,
}

/// What an attempt has used, and at whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Which attempt, from 0.
    pub attempt: usize,
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
    /// What they cost; none if the model has no price.
    pub cost: Option<NanoUsd>,
    /// Who says so.
    pub provenance: Provenance,
}

/// What a request has used in all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statement {
    /// What each attempt has used; those that have used nothing are not among them.
    pub items: Vec<Item>,
    /// Tokens of prompts.
    pub input: u64,
    /// Tokens of answers.
    pub output: u64,
    /// What they cost; none if a model has no price.
    pub cost: Option<NanoUsd>,
    /// Who says so; none where nothing was used.
    pub provenance: Option<Provenance>,
}

/// Whether what requests use is counted at all: there are limits or prices.
pub(super) fn is_on(config: &Config) -> bool {
    config.has_limits() || config.has_prices()
}

impl Meter {
    /// Reserves what the request is expected to use of all limits that concern it.
    ///
    /// # Errors
    /// The reply to one that is not admitted.
    pub(super) fn open(
        asks: &Asks<'_>,
        models: Vec<Rc<Model>>,
        asking: Asking<'_>,
        config: &Config,
        books: Books<'_>,
    ) -> Result<Option<Box<Self>>, Reply> {
        let Asking { consumer, record, .. } = asking;
        let Some(first) = models.first().filter(|_| is_on(config)) else { return Ok(None) };
        let images = asks.images();
        let family = family(first);
        let makeup = asks.makeup(first);
        let price = config.price(first);
        let mut ask = Ask {
            consumer: asker(consumer),
            tier: &consumer.tier.name,
            model: first,
            input: 0,
            output: 0,
            cost: NanoUsd::ZERO,
            now: books.now,
            holder: (books.holder)(),
        };
        let mut learns = Learns::default();
        if config.has_limits() {
            let counts = calibration(first, family, books);
            let expected = asks.expected_output(first, consumer, books);
            (ask.input, ask.output) = (counts.tokens(&makeup).max(1), expected.tokens);
            // Who knows enough learns from one answer in some.
            let now_and_then = books.now.millis().is_multiple_of(RARELY);
            learns = Learns {
                input: counts.seen() < ENOUGH || now_and_then,
                output: !expected.is_known || now_and_then,
            };
            ask.cost =
                price.map_or(NanoUsd::ZERO, |price| cost::expected(&price, ask.input, ask.output, images));
            if let Some(limit) = quota::in_money(config.limits(), &ask)
                && let Some(model) = models.iter().find(|model| config.price(model).is_none())
            {
                let message = format!(
                    "the limit \"{}\" is in money, and the model '{}' has no price",
                    limit.name, model.name
                );
                return Err(ApiError::new(503, "server_error", message).coded("price_unknown").into());
            }
        } else if matches!(asks.asked(), Asked::Embeddings(_)) {
            ask.input = calibration(first, family, books).tokens(&makeup).max(1);
        }
        let (input, output) = (ask.input, ask.output);
        match quota::admit(books.store, config.limits(), &ask) {
            Ok(reservation) => {
                let consumer = Rc::clone(consumer);
                let reserved = reservation.stops_after(input, output);
                let watch = reserved.map(|reserved| Watch { reserved, counts: None });
                let meter = Box::new(Self {
                    consumer,
                    models,
                    reservation,
                    makeup,
                    input,
                    output,
                    images,
                    watch,
                    learns,
                });
                notes::admitted(record, &meter);
                Ok(Some(meter))
            }
            Err(refusal) => {
                notes::refused(record, &refusal);
                Err(refused(*refusal, books))
            }
        }
    }

    /// How many tokens its input is expected to have; 0 for a chat where nothing is limited.
    pub(super) fn input(&self) -> u64 {
        self.input
    }

    /// How many images are in the request.
    pub(super) fn images(&self) -> u64 {
        self.images
    }

    /// How the limits stand that concern the request.
    pub(super) fn standings(&self) -> &[Standing] {
        self.reservation.standings()
    }

    /// The same, for its answer's headers.
    #[must_use]
    pub fn standing(&self) -> Vec<(&'static str, String)> {
        quota::rate_limit(self.standings())
    }

    /// By which limits it would not have been admitted that only observe.
    pub(super) fn would_refuse(&self) -> &[Denied] {
        self.reservation.observed()
    }

    /// The limits that only observe, and would have refused the request.
    #[must_use]
    pub fn observed(&self) -> String {
        let names: Vec<_> = self.would_refuse().iter().map(|denied| denied.limit.name.as_str()).collect();
        names.join(",")
    }

    /// Whether a limit may end the stream, so that it has to be asked whether it may go on.
    #[must_use]
    pub fn watches(&self) -> bool {
        self.watch.is_some()
    }

    /// What the stream of an attempt, counted from 1, has used, if it has to end after it has said so much. Where it may go
    /// on, what is not reserved yet is reserved first, some of it in advance.
    pub fn exhausted(
        &mut self,
        attempt: usize,
        said: &Makeup,
        config: &Config,
        books: Books<'_>,
    ) -> Option<Usage> {
        let model = attempt.checked_sub(1).and_then(|at| self.models.get(at));
        let (Some(watch), Some(model)) = (&mut self.watch, model) else { return None };
        let counts = match watch.counts.take() {
            Some((of, counts)) if of == attempt => counts,
            _ => calibration(model, family(model), books),
        };
        let completion = counts.tokens(said);
        watch.counts = Some((attempt, counts));
        let beyond = completion.checked_sub(watch.reserved).filter(|beyond| *beyond > 0)?;
        let output = beyond.max(watch.reserved / 4).max(LEAST_MORE);
        let of = |completion| Usage { completion, ..Usage::default() };
        let cost = config.price(model).map_or(NanoUsd::ZERO, |price| {
            let [with, without] = [output, 0].map(|output| cost::cost(&price, &of(output), 0).nanos());
            NanoUsd::new(with.saturating_sub(without))
        });
        let more = Actual { input: 0, output, cost };
        match quota::extend(books.store, &mut self.reservation, more, books.now) {
            Ok(()) => {
                watch.reserved = watch.reserved.saturating_add(output);
                None
            }
            Err(stopped) => {
                books.memory.unsettled.borrow_mut().extend(stopped.unsettled);
                Some(Usage { prompt: self.input, ..of(completion) })
            }
        }
    }

    /// Gives back what was reserved for a request that never reached a provider.
    pub fn release(self, books: Books<'_>) {
        let Err(unsettled) = quota::release(books.store, self.reservation, books.now) else { return };
        books.memory.unsettled.borrow_mut().push(unsettled);
    }

    /// Settles with what the attempts have used, in their order.
    pub fn settle(self, used: &[Used], config: &Config, books: Books<'_>) -> Statement {
        let mut statement = Statement { cost: Some(NanoUsd::ZERO), ..Statement::default() };
        for (attempt, (used, model)) in used.iter().zip(&self.models).enumerate() {
            let Some((usage, provenance)) = self.usage(used, model, books) else { continue };
            if let Used::Reported(usage) = used {
                self.learn(model, usage, books);
            }
            let Usage { prompt: input, completion: output, .. } = usage;
            let cost = config.price(model).map(|price| cost::cost(&price, &usage, self.images));
            statement.add(Item { attempt, input, output, cost, provenance });
        }
        let Statement { input, output, cost, .. } = statement;
        let actual = Actual { input, output, cost: cost.unwrap_or_default() };
        if let Err(unsettled) = quota::settle(books.store, self.reservation, actual, books.now) {
            books.memory.unsettled.borrow_mut().push(unsettled);
        }
        statement
    }

    /// What the attempts have used so far, in their order.
    #[must_use]
    pub fn so_far(&self, used: &[Used], books: Books<'_>) -> Usage {
        let each = used.iter().zip(&self.models).filter_map(|(used, model)| self.usage(used, model, books));
        each.fold(Usage::default(), |sum, (usage, _)| sum.plus(&usage))
    }

    /// What an attempt at a model has used, and who says so.
    fn usage(&self, used: &Used, model: &Model, books: Books<'_>) -> Option<(Usage, Provenance)> {
        let counts = || calibration(model, family(model), books);
        let prompt = || if self.input > 0 { self.input } else { counts().tokens(&self.makeup) };
        let estimated = |completion| Usage { prompt: prompt(), completion, ..Usage::default() };
        Some(match used {
            Used::Nothing => return None,
            Used::Reported(usage) => (*usage, Provenance::Provider),
            Used::Partly(usage, said) => {
                let completion = usage.completion.max(counts().tokens(said));
                // Some tell both only at the end, and have zeros before.
                let prompt = if usage.prompt > 0 { usage.prompt } else { prompt() };
                (Usage { prompt, completion, ..*usage }, Provenance::Mixed)
            }
            Used::Said(said) => (estimated(counts().tokens(said)), Provenance::Estimated),
            Used::Unseen => (estimated(self.output), Provenance::Estimated),
        })
    }

    /// What a provider reports is how the next estimates get better.
    fn learn(&self, model: &Model, usage: &Usage, books: Books<'_>) {
        let (store, now, family) = (&books.recent(), books.now, family(model));
        let consumer = self.consumer.name.as_str();
        // A lesson that could not be written is one of many.
        if self.learns.output {
            let _ = quota::learn::learn(store, consumer, model.name.as_str(), usage.completion, now);
        }
        if !self.learns.input {
            return;
        }
        let _ = update(store, &calibration_key(model, family), ATTEMPTS, |old| {
            let mut calibration = Calibration::read(old.unwrap_or_default(), family);
            calibration.learn(&self.makeup, usage.prompt);
            ((), Some(calibration.to_bytes()))
        });
    }
}

impl Statement {
    fn add(&mut self, item: Item) {
        self.input = self.input.saturating_add(item.input);
        self.output = self.output.saturating_add(item.output);
        self.cost = self.cost.zip(item.cost).map(|(sum, cost)| sum.saturating_add(cost));
        self.provenance = Some(self.provenance.map_or(item.provenance, |so_far| so_far.and(item.provenance)));
        self.items.push(item);
    }
}

/// What a request has used as far as its providers have said, where what requests use is not counted.
#[must_use]
pub fn reported(used: &[Used]) -> Statement {
    let mut statement = Statement::default();
    for (attempt, used) in used.iter().enumerate() {
        let (usage, provenance) = match used {
            Used::Reported(usage) => (usage, Provenance::Provider),
            Used::Partly(usage, _) => (usage, Provenance::Mixed),
            Used::Nothing | Used::Said(_) | Used::Unseen => continue,
        };
        let Usage { prompt: input, completion: output, .. } = *usage;
        statement.add(Item { attempt, input, output, cost: None, provenance });
    }
    statement
}

fn asker(consumer: &Consumer) -> quota::Consumer<'_> {
    match consumer.listed {
        true => quota::Consumer::Configured(&consumer.name),
        false => quota::Consumer::OfToken(&consumer.name),
    }
}

/// Whose tokenizer counts it.
pub(super) fn family(model: &Model) -> Family {
    Family::of(model.provider.vendor, model.upstream.as_str())
}

/// What is known of how a model counts.
#[inline(never)]
pub(super) fn calibration(model: &Model, family: Family, books: Books<'_>) -> Calibration {
    let known = books.recent().get(&calibration_key(model, family));
    Calibration::read(known.as_ref().map_or(&[], |(bytes, _)| bytes), family)
}

/// A model that only clients have named shares with all others of its family: there is no end of their names.
fn calibration_key(model: &Model, family: Family) -> String {
    match model.listed {
        true => format!("tokens model {}", model.name),
        false => format!("tokens family {family:?}"),
    }
}

fn refused(refusal: Refusal, books: Books<'_>) -> Reply {
    let Refusal { denied, standings, unsettled } = refusal;
    books.memory.unsettled.borrow_mut().extend(unsettled);
    let mut headers = quota::retry_after(&denied, books.now);
    headers.extend(quota::rate_limit(&standings));
    Reply { headers, ..denied.error(books.now).into() }
}
