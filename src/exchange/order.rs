//! In which order those who may answer are tried: by what the route says, by what speaks for each of them, and by how they are
//! doing.

use super::lesson::{self, Lesson};
use super::needs::Asks;
use super::prices::{Prices, usual};
use super::trials::give_back;
use super::{Asking, Books};
use crate::affinity::{self, Key};
use crate::classify::Verdict;
use crate::config::{Affinity, Config, Constraints, Route, Strategy, Target};
use crate::health::{Circuit, Probe, View};
use crate::route::{Candidates, Excluded, Merits, Unresolved, Why, by_priority};
use std::rc::Rc;

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
    pub asking: Asking<'r>,
    /// What kind of request it is, if that is known.
    pub verdict: Option<&'r Verdict>,
    /// What the client wants whoever answers to keep to.
    pub constraints: Constraints,
    /// The conversation that it is a turn of.
    pub conversation: &'r dyn Fn(&Route) -> Option<Key>,
}

impl Terms<'_> {
    /// The task; empty where tasks are not told apart.
    pub fn task(&self) -> &str {
        self.verdict.map_or("", |verdict| verdict.task.as_str())
    }
}

/// Who is tried in which order, and why.
pub(super) struct Decision<'a> {
    pub permit: Permit<'a>,
    /// What is learned from the attempts, where it is.
    pub lesson: Option<Lesson>,
    /// The conversation that stays with whoever answers, where one does.
    pub bond: Option<(Key, affinity::Rules)>,
    /// Of each candidate, in their order; empty where there was nothing to decide.
    pub standings: Vec<Standing>,
}

/// How a candidate stands.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    pub view: View,
    pub merits: Merits,
}

/// Puts those who may answer into the order in which they are tried. Where there is but one, it is tried however it is doing.
/// If it is only `looked` at, nobody's turn is over by it, and nobody is given a permission.
///
/// # Errors
/// If none of them keeps to the constraints.
pub(super) fn arrange<'a>(
    asked: &str,
    candidates: &mut Candidates,
    terms: &Terms<'_>,
    (config, looked): (&Config, bool),
    books: Books<'a>,
) -> Result<Decision<'a>, Unresolved> {
    let route = candidates.route.clone();
    let of_route = route.as_ref().map(|route| {
        let min_quality = terms.verdict.and_then(|verdict| *route.bars.get(verdict.complexity as usize)?);
        route.constraints.and(Constraints { min_quality, ..Constraints::default() })
    });
    let of_route = of_route.unwrap_or_default();
    let constraints = of_route.and(terms.constraints);
    let strategy = route.as_ref().map_or(Strategy::Priority, |route| route.strategy);
    let permit = Permit { probe: None, books };
    let knows_some = |target: &Target| !target.model.languages.is_empty();
    let is_alone = candidates.targets.len() < 2 && !candidates.targets.iter().any(knows_some);
    if constraints.is_empty() && is_alone && !looked {
        return Ok(Decision { permit, lesson: None, bond: None, standings: Vec::new() });
    }
    let views = views(&candidates.targets, books);
    let in_money = matches!(strategy, Strategy::LeastCost | Strategy::Intent | Strategy::Adaptive);
    let is_asked = in_money || constraints.max_cost.is_some() || looked;
    let prices = Prices { is_asked, usual: usual(views.iter().filter_map(|view| view.tokens)), config };
    let merits = |(target, view): (&Target, &View)| prices.merits(&target.model, view, terms, books);
    let merits: Vec<_> = candidates.targets.iter().zip(&views).map(merits).collect();
    let language = terms.verdict.and_then(|verdict| verdict.language.code());
    let keeps = exclude(candidates, &merits, constraints, language);
    if keeps.is_empty() {
        return Err(Unresolved::nobody(asked, std::mem::take(&mut candidates.excluded)));
    }
    // Turns are for those who may be tried now: whoever is left alone neither has one nor pays for it.
    let at_hand =
        |at: &usize| views.get(*at).is_some_and(|view| !matches!(view.circuit, Circuit::Open { .. }));
    let (mut order, rest): (Vec<usize>, Vec<usize>) = keeps.into_iter().partition(at_hand);
    if let Some(route) = &route {
        let targets: Vec<_> = order.iter().filter_map(|at| candidates.targets.get(*at)).collect();
        let merits: Vec<_> = order.iter().filter_map(|at| merits.get(*at).copied()).collect();
        let places = match strategy {
            Strategy::Adaptive => {
                let mut places = draw(route, terms, &targets, looked, books);
                by_priority(&mut places, &targets);
                places
            }
            _ if looked => books.memory.turns.borrow().clone().order(route, &targets, &merits),
            _ => books.memory.turns.borrow_mut().order(route, &targets, &merits),
        };
        order = places.into_iter().filter_map(|place| order.get(place).copied()).collect();
    }
    let bond = route.as_ref().and_then(|route| bond(route, terms));
    if let Some((key, rules)) = &bond
        && let Some(bond) = affinity::find(books.store, *key, rules, books.now)
    {
        let merits = |at: usize| merits.get(at).copied().unwrap_or(Merits::UNKNOWN);
        prices.stay(&bond, rules, in_money, &mut order, &candidates.targets, &merits);
    }
    order.extend(rest);
    let name = |at: &usize| candidates.targets.get(*at).map(|target| target.model.name.as_str());
    let names: Vec<_> = order.iter().filter_map(name).collect();
    let arranged = match looked {
        true => books.memory.targets.borrow().outlook(&names, books.now),
        false => books.memory.targets.borrow_mut().arrange(books.store, &names, books.now),
    };
    let order: Vec<usize> = arranged.order.iter().filter_map(|place| order.get(*place).copied()).collect();
    let standing = |at: &usize| Some(Standing { view: *views.get(*at)?, merits: *merits.get(*at)? });
    let standings: Vec<_> = order.iter().filter_map(standing).collect();
    candidates.targets = order.iter().filter_map(|at| candidates.targets.get(*at).cloned()).collect();
    let first = candidates.targets.first().map(|target| target.model.name.shared());
    let permit = Permit { probe: first.zip(arranged.probe), books };
    let lesson = route.filter(|_| strategy == Strategy::Adaptive && !looked);
    let lesson = lesson.map(|route| prices.lesson(&route, candidates, &standings, terms));
    Ok(Decision { permit, lesson, bond, standings })
}

/// The conversation that a request is a turn of, on a route where those stay together.
fn bond(route: &Route, terms: &Terms<'_>) -> Option<(Key, affinity::Rules)> {
    let Affinity { ttl_ms, switch_cost } = route.affinity?;
    let rules = affinity::Rules { ttl: ttl_ms, switch_cost: f32::from(switch_cost) / 1_000.0 };
    Some(((terms.conversation)(route)?, rules))
}

/// The order that a bandit gives, by what it has learned.
fn draw(route: &Route, terms: &Terms<'_>, targets: &[&Target], looked: bool, books: Books<'_>) -> Vec<usize> {
    let subject = (route.name.as_str(), terms.task());
    let names: Vec<_> = targets.iter().map(|target| target.model.name.as_str()).collect();
    let bandit = books.memory.bandit.borrow();
    let mut rules = lesson::rules(route);
    if looked {
        rules.explore = 0.0;
    }
    bandit.order(subject, &names, &rules, &mut || books.memory.chance())
}

fn views(targets: &[Target], books: Books<'_>) -> Vec<View> {
    let table = books.memory.targets.borrow();
    targets.iter().map(|target| table.view(target.model.name.as_str(), books.now)).collect()
}

/// Leaves out who does not know the language, or does not keep to the constraints; the positions of those who do.
fn exclude(
    candidates: &mut Candidates,
    merits: &[Merits],
    constraints: Constraints,
    language: Option<&'static str>,
) -> Vec<usize> {
    let mut keeps = Vec::with_capacity(candidates.targets.len());
    for (at, (target, merits)) in candidates.targets.iter().zip(merits).enumerate() {
        let knows = |code: &&str| target.model.languages.is_empty() || target.model.languages.contains(code);
        let why = language.filter(|code| !knows(code)).map(Why::Language);
        match why.or_else(|| merits.breaks(constraints).map(Why::Breaks)) {
            None => keeps.push(at),
            Some(why) => {
                let (model, provider) = (target.model.name.clone(), target.model.provider.name.clone());
                candidates.excluded.push(Excluded { model, provider, why });
            }
        }
    }
    keeps
}
