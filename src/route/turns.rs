//! Whose turn it is: the order of a route's targets by its strategy, with what a worker remembers of earlier turns.
//!
//! Each worker keeps its own turns, exactly: so shares are right on every worker, and therefore in all.

use super::merits::Merits;
use crate::config::{Config, Route, Strategy, Target};
use std::rc::Rc;

/// After so many attempts of which nothing was learned, a target is not tried for being unknown any more.
const TRIALS: u32 = 3;

/// What a worker remembers of the turns of its routes.
#[derive(Debug, Clone, Default)]
pub struct Turns(Vec<Turn>);

/// What is remembered of a route.
#[derive(Debug, Clone)]
struct Turn {
    route: Rc<str>,
    /// How much each of its targets has been passed over.
    credits: Vec<i64>,
    /// How many milliseconds may be spent on trying others than the fastest.
    savings: f32,
}

impl Turns {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Forgets the routes that a configuration does not have.
    pub fn adopt(&mut self, config: &Config) {
        let is_named = |turn: &Turn| config.routes().iter().any(|route| route.name == *turn.route);
        self.0.retain(is_named);
    }

    /// The order in which targets of a route are tried, by their positions in `targets`; `merits` are theirs. The turn is
    /// over with this.
    pub fn order(&mut self, route: &Route, targets: &[&Target], merits: &[Merits]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..targets.len()).collect();
        by_priority(&mut order, targets);
        let priority = |at: &usize| targets.get(*at).map(|target| target.priority);
        if route.strategy == Strategy::Priority {
            return order;
        }
        let merits = |at: &usize| merits.get(*at).unwrap_or(&Merits::UNKNOWN);
        let score = |at: &usize| merits(at).score(route.strategy);
        for level in order.chunk_by_mut(|one, other| priority(one) == priority(other)) {
            match route.strategy {
                Strategy::RoundRobin | Strategy::Weighted => self.rotate(route, level, targets),
                _ => sort(level, &|one, other| score(one) < score(other)),
            }
            if route.strategy == Strategy::Latency {
                self.explore(route, level, &merits);
            }
        }
        order
    }

    /// Smooth weighted round robin: whoever was passed over most, in proportion to its weight, is the first, and pays for it.
    fn rotate(&mut self, route: &Route, level: &mut [usize], targets: &[&Target]) {
        let Some(turn) = self.turn(route) else { return };
        turn.credits.resize(route.all().count(), 0);
        let weight = |at: &usize| targets.get(*at).map_or(0, |target| i64::from(target.weight));
        let place = |at: &usize| {
            let target = targets.get(*at)?;
            route.all().position(|other| Rc::ptr_eq(&other.model, &target.model))
        };
        let mut total: i64 = 0;
        for at in level.iter() {
            total = total.saturating_add(weight(at));
            if let Some(credit) = place(at).and_then(|place| turn.credits.get_mut(place)) {
                *credit = credit.saturating_add(weight(at));
            }
        }
        let credit = |at: &usize| place(at).and_then(|place| turn.credits.get(place)).copied().unwrap_or(0);
        let rank = |at: &usize| (weight(at) > 0, credit(at));
        sort(level, &|one, other| rank(one) > rank(other));
        let first = level.first().and_then(place);
        if let Some(credit) = first.and_then(|first| turn.credits.get_mut(first)) {
            *credit = credit.saturating_sub(total);
        }
    }

    /// Lets somebody else go before the fastest from time to time. A target of which nothing is known goes first, one request
    /// at a time as long as there are others, until it is clear that nothing is learned by that. Of the others, the one of which
    /// least is known is tried as soon as a given part of the time that requests take has been saved up for it.
    fn explore<'m>(&mut self, route: &Route, level: &mut [usize], merits: &dyn Fn(&usize) -> &'m Merits) {
        let unknown = |at: &usize| merits(at).latency_ms.is_none();
        let Some(best) = level.first().and_then(|at| merits(at).wait_ms()) else {
            // Nothing is known of anybody.
            return sort(level, &|one, other| merits(one).in_flight < merits(other).in_flight);
        };
        let is_new = |at: &usize| unknown(at) && merits(at).in_flight == 0 && merits(at).begun < TRIALS;
        if let Some(place) = level.iter().position(is_new) {
            return bring_forward(level, place);
        }
        let Some(turn) = self.turn(route) else { return };
        turn.savings += best * f32::from(route.explore) / 1_000.0;
        let samples = |at: &usize| merits(at).samples;
        let others = level.iter().enumerate().skip(1);
        let Some((place, at)) = others.min_by(|(_, one), (_, other)| samples(one).total_cmp(&samples(other)))
        else {
            return;
        };
        let price = merits(at).wait_ms().map_or(best, |wait| wait - best);
        let is_less_known = level.first().is_some_and(|first| samples(at) < samples(first));
        if turn.savings >= price && is_less_known {
            turn.savings -= price;
            bring_forward(level, place);
        }
        turn.savings = turn.savings.min(price.max(best));
    }

    fn turn(&mut self, route: &Route) -> Option<&mut Turn> {
        let place = self.0.iter().position(|turn| route.name == *turn.route);
        let place = place.unwrap_or_else(|| {
            self.0.push(Turn { route: route.name.shared(), credits: Vec::new(), savings: 0.0 });
            self.0.len().saturating_sub(1)
        });
        self.0.get_mut(place)
    }
}

/// Puts those with a lower number before the others, which stay as they are otherwise.
pub fn by_priority(order: &mut [usize], targets: &[&Target]) {
    let priority = |at: &usize| targets.get(*at).map(|target| target.priority);
    sort(order, &|one, other| priority(one) < priority(other));
}

fn bring_forward(level: &mut [usize], place: usize) {
    if let Some(part) = level.get_mut(..=place) {
        part.rotate_right(1);
    }
}

/// Sorts a few, those that are equal staying as they are. The sorting of the library is made for many, and its code is larger than
/// all of this.
fn sort(some: &mut [usize], is_before: &dyn Fn(&usize, &usize) -> bool) {
    for end in 1..some.len() {
        for at in (0..end).rev() {
            match some.get_mut(at..at + 2) {
                Some([one, other]) if is_before(other, one) => std::mem::swap(one, other),
                _ => break,
            }
        }
    }
}
