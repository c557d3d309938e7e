//! In which order those who may answer are tried: by what the route says, by what speaks for each of them, and by how they are
//! doing.

use super::Books;
use super::needs::Asks;
use super::trials::give_back;
use crate::config::{Config, Constraints, Model, Strategy, Target};
use crate::cost;
use crate::health::{Circuit, Probe, View};
use crate::money::NanoUsd;
use crate::route::{Candidates, Excluded, Merits, Unresolved, Why};
use std::rc::Rc;

/// How long an answer is of which nobody knows anything, in tokens.
const USUAL: f32 = 300.0;

/// A target is taken to have answered so many requests of late that nobody has seen: what has failed is forgiven in time.
const BELIEVED: f32 = 1.0;

/// The permission to try a target whose circuit is half open, until somebody takes it: what nobody has taken is given back.
pub(super) struct Permit<'a> {
    probe: Option<(Rc<str>, Probe)>,
    books: Books<'a>,
}

impl Permit<'_> {
    pub fn take(mut self) -> Option<(Rc<str>, Probe)> {
        self.probe.take()
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some((target, probe)) = self.probe.take() {
            give_back(&target, probe, self.books);
        }
    }
}

/// By what targets are put in order for a request.
pub(super) struct Terms<'r> {
    pub asks: &'r Asks<'r>,
    /// Whether it asks for a stream.
    pub stream: bool,
    /// What kind of request it is, if that is known.
    pub task: Option<&'r str>,
    /// What the client wants whoever answers to keep to.
    pub constraints: Constraints,
}

/// Puts those who may answer into the order in which they are tried. Where there is but one, it is tried however it is doing.
///
/// # Errors
/// If none of them keeps to the constraints.
pub(super) fn arrange<'a>(
    asked: &str,
    candidates: &mut Candidates,
    terms: &Terms<'_>,
    config: &Config,
    books: Books<'a>,
) -> Result<Permit<'a>, Unresolved> {
    let route = candidates.route.clone();
    let of_route = route.as_ref().map(|route| route.constraints).unwrap_or_default();
    let constraints = of_route.and(terms.constraints);
    let strategy = route.as_ref().map_or(Strategy::Priority, |route| route.strategy);
    if constraints.is_empty() && candidates.targets.len() < 2 {
        return Ok(Permit { probe: None, books });
    }
    let views = views(&candidates.targets, books);
    let in_money = matches!(strategy, Strategy::LeastCost | Strategy::Intent);
    let prices =
        Prices { is_asked: in_money || constraints.max_cost.is_some(), usual: usual(&views), config };
    let merits: Vec<_> = candidates
        .targets
        .iter()
        .zip(&views)
        .map(|(target, view)| prices.merits(&target.model, view, terms, books))
        .collect();
    let keeps = exclude(candidates, &merits, constraints);
    if keeps.is_empty() {
        return Err(Unresolved::nobody(asked, std::mem::take(&mut candidates.excluded)));
    }
    // Turns are for those who may be tried now: whoever is left alone neither has one nor pays for it.
    let at_hand =
        |at: &usize| views.get(*at).is_some_and(|view| !matches!(view.circuit, Circuit::Open { .. }));
    let (ready, rest): (Vec<usize>, Vec<usize>) = keeps.into_iter().partition(at_hand);
    let mut order = ready.clone();
    if let Some(route) = &route {
        let targets: Vec<_> = ready.iter().filter_map(|at| candidates.targets.get(*at)).collect();
        let merits: Vec<_> = ready.iter().filter_map(|at| merits.get(*at).copied()).collect();
        let places = books.memory.turns.borrow_mut().order(route, &targets, &merits);
        order = places.into_iter().filter_map(|place| ready.get(place).copied()).collect();
    }
    order.extend(rest);
    let ordered: Vec<Target> =
        order.into_iter().filter_map(|at| candidates.targets.get(at).cloned()).collect();
    let names: Vec<_> = ordered.iter().map(|target| target.model.name.as_str()).collect();
    let arranged = books.memory.targets.borrow_mut().arrange(books.store, &names, books.now);
    candidates.targets = arranged.order.iter().filter_map(|at| ordered.get(*at).cloned()).collect();
    let first = candidates.targets.first().map(|target| target.model.name.shared());
    Ok(Permit { probe: first.zip(arranged.probe), books })
}

fn views(targets: &[Target], books: Books<'_>) -> Vec<View> {
    let table = books.memory.targets.borrow();
    targets.iter().map(|target| table.view(target.model.name.as_str(), books.now)).collect()
}

/// Leaves out who does not keep to the constraints; the positions of those who do.
fn exclude(candidates: &mut Candidates, merits: &[Merits], constraints: Constraints) -> Vec<usize> {
    let mut keeps = Vec::with_capacity(candidates.targets.len());
    for (at, (target, merits)) in candidates.targets.iter().zip(merits).enumerate() {
        match merits.breaks(constraints) {
            None => keeps.push(at),
            Some(broken) => {
                let (model, provider) = (target.model.name.clone(), target.model.provider.name.clone());
                candidates.excluded.push(Excluded { model, provider, why: Why::Breaks(broken) });
            }
        }
    }
    keeps
}

/// How long answers are on average, in tokens, as far as anybody's are known.
fn usual(views: &[View]) -> f32 {
    let (mut sum, mut count) = (0.0, 0.0);
    for tokens in views.iter().filter_map(|view| view.tokens) {
        sum += tokens;
        count += 1.0;
    }
    if count > 0.0 { sum / count } else { USUAL }
}

/// What requests are expected to cost.
struct Prices<'c> {
    /// Whether anybody asks.
    is_asked: bool,
    /// How long an answer is of a model of which nobody knows.
    usual: f32,
    config: &'c Config,
}

impl Prices<'_> {
    fn merits(&self, model: &Model, view: &View, terms: &Terms<'_>, books: Books<'_>) -> Merits {
        let latency = if terms.stream { view.first_token } else { view.total };
        Merits {
            latency_ms: latency.map(|latency| latency.mean_ms),
            peak_ms: latency.map_or(0.0, |latency| latency.peak_ms),
            samples: latency.map_or(0.0, |latency| latency.samples),
            success: (view.success * view.samples + BELIEVED) / (view.samples + BELIEVED),
            in_flight: view.in_flight,
            begun: view.begun,
            cost: if self.is_asked { self.cost(model, view, terms.asks, books) } else { None },
            quality: model.quality.at(terms.task),
        }
    }

    /// What a model is expected to take for the request.
    fn cost(&self, model: &Model, view: &View, asks: &Asks<'_>, books: Books<'_>) -> Option<NanoUsd> {
        let price = self.config.price(model)?;
        let expected = view.tokens.unwrap_or(self.usual) as u64;
        let output = expected.saturating_mul(asks.choices()).min(asks.most_output(model).unwrap_or(u64::MAX));
        Some(cost::expected(&price, asks.prompt(model, books.store), output, asks.images()))
    }
}
