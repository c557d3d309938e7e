//! Content rules: what must not be asked, or not be answered, or only without some of its words.

use super::catalog::{Catalog, Named};
use super::check::{Check, within};
use super::consumer::{Auth, Consumer};
use super::pattern::{Builder, Program};
use super::shape::words;
use super::{Model, raw};
use crate::fnv;
use crate::names::{self, RegionName, RouteName, RuleName};
use std::ops::RangeInclusive;
use std::rc::Rc;

/// The most rules.
const MOST_RULES: usize = 64;
/// The most keywords and patterns of a rule.
const MOST_KEYWORDS: usize = 10_000;
const MOST_PATTERNS: usize = 256;
/// How much of a text may be held back, in bytes.
const WINDOWS: RangeInclusive<u64> = 16..=65_536;
/// How much is held back where nothing is said of that.
const WINDOW: u64 = 1_024;
/// What stands in the place of what is taken out.
const REPLACEMENT: &str = "[redacted]";
/// A longer replacement, in bytes, would be a text of its own.
const MOST_REPLACEMENT: usize = 256;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRule {
    /// What it is called.
    pub name: RuleName,
    /// Which texts it looks at.
    pub applies_to: AppliesTo,
    /// What becomes of what it finds.
    pub action: Action,
    /// What stands in the place of what is redacted.
    pub replacement: Rc<str>,
    /// How much of an answer it may hold back, in bytes.
    pub window: usize,
    /// What it looks for.
    pub program: Program,
    /// Only for these consumers, or those of these tiers; no list is all.
    consumers: Names,
    tiers: Names,
    /// Only for requests to these routes.
    routes: Names,
    /// Only where one of these models serves.
    models: Names,
    /// Only where a model serves that runs in one of these.
    regions: Names,
    /// Tells it from what it was before a change of the configuration.
    pub mark: u64,
}

/// Which texts a rule looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppliesTo {
    /// What is asked.
    Input,
    /// What is answered.
    Output,
    /// Both.
    #[default]
    Both,
    /// Neither: only what the access log is told of them.
    Log,
}

/// What becomes of what a rule finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is not asked, or not answered.
    Deny,
    /// It is taken out.
    Redact,
}

words! { AppliesTo: "input" => AppliesTo::Input, "output" => AppliesTo::Output, "both" => AppliesTo::Both, "log" => AppliesTo::Log }
words! { Action: "deny" => Action::Deny, "redact" => Action::Redact }

/// Names that a rule is only for; all if there is none.
type Names = Vec<Rc<str>>;

fn has(list: &[Rc<str>], one: Option<&str>) -> bool {
    list.is_empty() || one.is_some_and(|one| list.iter().any(|known| **known == *one))
}

impl ContentRule {
    /// One by which what this finds is taken out of what is told to the log, however long it is.
    pub(super) fn of_log(name: RuleName, program: Program) -> Self {
        let (applies_to, action) = (AppliesTo::Log, Action::Redact);
        let (replacement, window, mark) = (REPLACEMENT.into(), usize::MAX, 0);
        let [consumers, tiers, routes, models, regions] = Default::default();
        Self {
            name,
            applies_to,
            action,
            replacement,
            window,
            program,
            consumers,
            tiers,
            routes,
            models,
            regions,
            mark,
        }
    }

    /// Whether it looks at what is asked.
    pub fn is_for_input(&self) -> bool {
        matches!(self.applies_to, AppliesTo::Input | AppliesTo::Both)
    }

    /// Whether it looks at what is answered.
    pub fn is_for_output(&self) -> bool {
        matches!(self.applies_to, AppliesTo::Output | AppliesTo::Both)
    }

    /// Whether it concerns what this consumer asks of this route, or of no route.
    pub fn concerns(&self, consumer: &Consumer, route: Option<&RouteName>) -> bool {
        has(&self.consumers, Some(consumer.name.as_str()))
            && has(&self.tiers, Some(consumer.tier.name.as_str()))
            && has(&self.routes, route.map(RouteName::as_str))
    }

    /// Whether it concerns what this model serves.
    pub fn concerns_model(&self, model: &Model) -> bool {
        has(&self.models, Some(model.name.as_str()))
            && has(&self.regions, model.region.as_ref().map(RegionName::as_str))
    }

    /// Whether it is only for some of the models.
    pub fn is_for_some_models(&self) -> bool {
        !self.models.is_empty() || !self.regions.is_empty()
    }
}

impl Check<'_> {
    pub(super) fn content_rules(
        &mut self,
        catalog: &Catalog,
        auth: &Auth,
        raw: Vec<raw::ContentRule>,
    ) -> Vec<Rc<ContentRule>> {
        if raw.len() > MOST_RULES {
            let (found, expected) = (format!("{} rules", raw.len()), format!("at most {MOST_RULES}"));
            self.problems.add("content_rules", found, expected);
        }
        let mut rules: Vec<Rc<ContentRule>> = Vec::new();
        for (position, raw) in raw.iter().enumerate() {
            let path = format!("content_rules[{position}]");
            let Some(rule) = self.content_rule(catalog, auth, &path, raw) else { continue };
            if rules.iter().any(|other| other.name == rule.name) {
                let found = format!("{:?} is already the name of a rule", rule.name);
                self.problems.add(format!("{path}.name"), found, "a name that no other rule has");
            }
            rules.push(Rc::new(rule));
        }
        rules
    }

    fn content_rule(
        &mut self,
        catalog: &Catalog,
        auth: &Auth,
        path: &str,
        raw: &raw::ContentRule,
    ) -> Option<ContentRule> {
        let name = self.name(RuleName::parse(&raw.name), &format!("{path}.name"), &raw.name);
        let [consumers, tiers, routes, models, regions] = [
            ("consumers", &raw.consumers),
            ("tiers", &raw.tiers),
            ("routes", &raw.routes),
            ("models", &raw.models),
            ("regions", &raw.regions),
        ]
        .map(|(section, raw)| self.names(catalog, auth, (path, section), raw.as_deref()));
        let window = raw.window.unwrap_or(WINDOW);
        if !WINDOWS.contains(&window) {
            self.problems.add(format!("{path}.window"), window.to_string(), within(&WINDOWS));
        }
        let replacement = raw.replacement.as_deref().unwrap_or(REPLACEMENT);
        if raw.replacement.is_some() && raw.action == Action::Deny {
            let found = "nothing is put in the place of what is denied";
            self.problems.add(format!("{path}.replacement"), found, "no replacement, or action: redact");
        }
        if replacement.len() > MOST_REPLACEMENT {
            let found = format!("{} bytes", replacement.len());
            self.problems.add(format!("{path}.replacement"), found, format!("at most {MOST_REPLACEMENT}"));
        }
        let program = self.program(path, raw);
        Some(ContentRule {
            mark: mark(raw),
            name: name?,
            applies_to: raw.applies_to,
            action: raw.action,
            replacement: replacement.into(),
            window: usize::try_from(window).ok()?,
            program: program?,
            consumers,
            tiers,
            routes,
            models,
            regions,
        })
    }

    /// What a rule looks for.
    fn program(&mut self, path: &str, raw: &raw::ContentRule) -> Option<Program> {
        if raw.keywords.is_empty() && raw.patterns.is_empty() {
            self.problems.add(path, "it has neither keywords nor patterns", "at least one");
        }
        for (key, count, most) in
            [("keywords", raw.keywords.len(), MOST_KEYWORDS), ("patterns", raw.patterns.len(), MOST_PATTERNS)]
        {
            if count > most {
                self.problems.add(
                    format!("{path}.{key}"),
                    format!("there are {count}"),
                    format!("at most {most}"),
                );
                return None;
            }
        }
        let mut builder = Builder::default();
        let keywords = raw.keywords.iter().map(|text| ("keywords", text)).enumerate();
        for (at, (key, text)) in
            keywords.chain(raw.patterns.iter().map(|text| ("patterns", text)).enumerate())
        {
            let is_keyword = key == "keywords";
            let added = if is_keyword { builder.keyword(text) } else { builder.pattern(text) };
            if let Err(why) = added {
                let expected =
                    if is_keyword { "words" } else { "a regular expression; see docs/content-rules.md" };
                self.problems.add(format!("{path}.{key}[{at}]"), format!("{text:?}: {why}"), expected);
            }
        }
        builder.build()
    }

    /// The names in a list, of what is in the section that the list is called by.
    fn names(
        &mut self,
        catalog: &Catalog,
        auth: &Auth,
        (path, section): (&str, &str),
        raw: Option<&[String]>,
    ) -> Names {
        let mut found = Names::new();
        let path = format!("{path}.{section}");
        if raw.is_some_and(<[_]>::is_empty) {
            self.problems.add(&*path, "there is none", "at least one, or to be left out for all");
        }
        for (at, name) in raw.unwrap_or_default().iter().enumerate() {
            let path = format!("{path}[{at}]");
            let named = catalog.names.get(name.as_str());
            let known: Option<Rc<str>> = match (section, named) {
                ("consumers", _) => {
                    auth.consumers.get_key_value(name.as_str()).map(|(name, _)| Rc::clone(name))
                }
                ("tiers", _) => auth.tiers.get_key_value(name.as_str()).map(|(name, _)| Rc::clone(name)),
                ("routes", Some(Named::Route(route))) => Some(route.name.shared()),
                ("models", Some(Named::Model(model))) => Some(model.name.shared()),
                ("models", _) => {
                    self.unknown_model(catalog, path, name);
                    continue;
                }
                ("regions", _) => {
                    found.extend(self.region(path, name).map(|region| region.shared()));
                    continue;
                }
                _ => None,
            };
            if known.is_none() && !self.is_refused(section, name) {
                let all: Vec<&str> = match section {
                    "consumers" => auth.consumers.keys().map(|name| &**name).collect(),
                    "tiers" => auth.tiers.keys().map(|name| &**name).collect(),
                    _ => catalog.routes.iter().map(|route| route.name.as_str()).collect(),
                };
                let (nearest, kind) = (names::nearest(name, all), section.trim_end_matches('s'));
                let found = format!("unknown {kind} {name:?}");
                self.problems.add_with_nearest(path, found, format!("one of {section}"), nearest);
            }
            found.extend(known);
        }
        found
    }
}

/// A hash of all that makes a rule do what it does.
fn mark(raw: &raw::ContentRule) -> u64 {
    let mut mark = fnv::of(&[raw.applies_to as u8, raw.action as u8]);
    mark = fnv::extend(mark, &raw.window.unwrap_or(WINDOW).to_le_bytes());
    let mut say = |text: &String| mark = fnv::extend(fnv::extend(mark, text.as_bytes()), &[0xFF]);
    say(&raw.name);
    raw.replacement.iter().for_each(&mut say);
    for list in [&raw.keywords, &raw.patterns] {
        list.iter().for_each(&mut say);
    }
    mark
}
