//! The rules that concern something, and a text that is looked at by all of them.

use super::run::{Run, Scratch};
use crate::config::{Action, ContentRule};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Where matches begin and end.
type Found = VecDeque<(usize, usize)>;

/// Rules that look at the same texts.
#[derive(Debug)]
pub struct Screen {
    rules: Vec<Rc<ContentRule>>,
    /// Whether what one finds may end a text; otherwise it is only taken out.
    denies: bool,
    scratch: RefCell<Scratch>,
    /// Which of them have found something.
    fired: Cell<u64>,
}

/// Something was said that must not be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fired(pub Rc<str>);

/// A text that is looked at as it comes.
#[derive(Debug)]
pub struct Screened {
    screen: Rc<Screen>,
    /// For each rule how far it is, and what it has found that was not let go: disjoint spans in their order.
    runs: Vec<(Run, Found)>,
    /// What was not let go.
    held: String,
    /// Where that begins, in bytes of the text.
    base: usize,
    /// Where what was redacted last ends; none before that.
    covered: Option<usize>,
}

impl Screen {
    /// That of these rules; none if there is none.
    #[must_use]
    pub fn of(rules: Vec<Rc<ContentRule>>) -> Option<Rc<Self>> {
        Self::with(rules, true)
    }

    /// That of these rules, none of which denies.
    #[must_use]
    pub fn redacting(rules: Vec<Rc<ContentRule>>) -> Option<Rc<Self>> {
        Self::with(rules, false)
    }

    fn with(rules: Vec<Rc<ContentRule>>, denies: bool) -> Option<Rc<Self>> {
        let nodes = rules.iter().map(|rule| rule.program.nodes.len()).max()?;
        Some(Rc::new(Self { rules, denies, scratch: RefCell::new(Scratch::new(nodes)), fired: Cell::new(0) }))
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &[Rc<ContentRule>] {
        &self.rules
    }

    /// A text that is to be looked at.
    #[must_use]
    pub fn text(self: &Rc<Self>) -> Screened {
        let runs = self.rules.iter().map(|_| Default::default()).collect();
        Screened { screen: Rc::clone(self), runs, held: String::new(), base: 0, covered: None }
    }

    /// Those that have found something so far.
    pub fn fired(&self) -> impl Iterator<Item = &Rc<ContentRule>> {
        let fired = self.fired.get();
        self.rules.iter().enumerate().filter(move |(at, _)| fired & bit(*at) != 0).map(|(_, rule)| rule)
    }

    /// Whether any has found something.
    #[must_use]
    pub fn has_fired(&self) -> bool {
        self.fired.get() != 0
    }

    #[cfg(test)]
    pub(super) fn looked_at(&self) -> u64 {
        self.scratch.borrow().looked_at
    }
}

fn bit(at: usize) -> u64 {
    u32::try_from(at).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or(0)
}

/// The names of rules, as a list for a header or the access log.
#[must_use]
pub fn names<'r>(rules: impl Iterator<Item = &'r Rc<ContentRule>>) -> String {
    let mut list = String::new();
    for rule in rules {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(rule.name.as_str());
    }
    list
}

impl Screened {
    /// Reads more of the text, and adds to `out` what can be let go.
    ///
    /// # Errors
    /// The rule by which nothing more of it must be let go.
    pub fn push(&mut self, text: &str, out: &mut String) -> Result<(), Fired> {
        self.held.push_str(text);
        self.read(Some(text))?;
        self.let_go(out);
        Ok(())
    }

    /// Whether anything of it was taken out.
    #[must_use]
    pub fn is_redacted(&self) -> bool {
        self.covered.is_some()
    }

    /// The text is over: adds the rest of it to `out`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, out: &mut String) -> Result<(), Fired> {
        self.read(None)?;
        self.let_go(out);
        Ok(())
    }

    /// Has every rule read what comes next, or hear that nothing does.
    fn read(&mut self, text: Option<&str>) -> Result<(), Fired> {
        let Self { screen, runs, held, base, .. } = self;
        let scratch = &mut *screen.scratch.borrow_mut();
        for (at, (rule, (run, found))) in screen.rules.iter().zip(runs).enumerate() {
            let mut has_found = false;
            let mut each = |start: usize, end: usize| {
                has_found = true;
                let start = start.max(boundary(held, *base, end.saturating_sub(rule.window)));
                note(found, start, end);
            };
            match text {
                Some(text) => run.push(&rule.program, scratch, text, &mut each),
                None => run.finish(&rule.program, scratch, &mut each),
            }
            if has_found {
                screen.fired.set(screen.fired.get() | bit(at));
                if rule.action == Action::Deny && screen.denies {
                    return Err(Fired(rule.name.shared()));
                }
            }
        }
        Ok(())
    }

    /// Lets go of what no match can reach any more.
    fn let_go(&mut self, out: &mut String) {
        let end = self.base.saturating_add(self.held.len());
        let mut limit = end;
        for (rule, (run, _)) in self.screen.rules.iter().zip(&self.runs) {
            if let Some(open) = run.open() {
                limit = limit.min(open.max(boundary(&self.held, self.base, end.saturating_sub(rule.window))));
            }
        }
        let mut done = self.base;
        while let Some((at, start)) = self.next_found().filter(|(_, start)| *start < limit) {
            let found = self.runs.get_mut(at).and_then(|(_, found)| found.pop_front());
            let Some((_, end)) = found else { break };
            // What overlaps or touches goes with what was redacted before it.
            if self.covered.is_none_or(|covered| start > covered) {
                out.push_str(self.between(done, start));
                let rule = self.screen.rules.get(at);
                out.push_str(rule.map_or("", |rule| &rule.replacement));
            }
            self.covered = self.covered.max(Some(end));
            done = done.max(end);
        }
        out.push_str(self.between(done, limit));
        done = done.max(limit).min(end);
        self.held.drain(..done.saturating_sub(self.base));
        self.base = done;
    }

    /// What was found first of what was not let go: by which rule, and where it begins.
    fn next_found(&self) -> Option<(usize, usize)> {
        let firsts = self.runs.iter().enumerate().filter_map(|(at, (_, found))| Some((at, found.front()?.0)));
        firsts.min_by_key(|(_, start)| *start)
    }

    fn between(&self, from: usize, to: usize) -> &str {
        let at = |place: usize| place.saturating_sub(self.base);
        self.held.get(at(from)..at(to)).unwrap_or_default()
    }
}

/// Adds a span to those that were found before it, of which none ends later.
fn note(found: &mut Found, mut start: usize, end: usize) {
    while let Some((earlier, _)) = found.back().copied().filter(|(_, last)| *last >= start) {
        start = start.min(earlier);
        found.pop_back();
    }
    found.push_back((start, end));
}

/// The place, or the next one at which a character begins in what is held, which begins at `base`.
fn boundary(held: &str, base: usize, place: usize) -> usize {
    let Some(within) = place.checked_sub(base) else { return place };
    let beyond = (within..held.len()).take_while(|at| !held.is_char_boundary(*at)).count();
    place.saturating_add(beyond)
}
