//! What works, and is hardly meant: models that nobody can ask for, budgets over what has no price, limits that are never reached.
//!
//! Only what has no good reason is told, so that a configuration can be kept free of it.

mod limits;

use crate::document::Document;
use crate::finding::Findings;
use crate::yaml::Node;
use modelgate_config::{Config, Consumer, Model, Named, Route, Strategy, Target};
use modelgate_words::names::ConsumerName;
use modelgate_words::time::Timestamp;
use std::rc::Rc;

struct Advice<'a> {
    config: &'a Config,
    document: &'a Document,
    findings: &'a mut Findings,
}

/// Looks at a document that is valid; `now` is for keys that have run out.
pub fn check(config: &Config, document: &Document, now: Option<Timestamp>, findings: &mut Findings) {
    let mut advice = Advice { config, document, findings };
    advice.providers();
    advice.models();
    advice.routes();
    advice.nobody();
    advice.keys(now);
    advice.limits();
    advice.timeouts();
}

impl Advice<'_> {
    fn warn(&mut self, path: &str, found: &str, expected: &str) {
        self.findings.warning(self.document.find(path), path, found, expected);
    }

    fn entries(&self, section: &str) -> Vec<(String, Rc<Node>)> {
        let section = self.document.root.get(section);
        let entries = section.map_or(&[][..], |section| section.entries());
        entries.iter().map(|(_, name, node)| (name.clone(), Rc::clone(node))).collect()
    }

    fn providers(&mut self) {
        let mut idle: Vec<_> = self
            .config
            .providers()
            .filter(|provider| {
                !provider.allow_unlisted && self.config.listed_of(provider.name.as_str()).next().is_none()
            })
            .map(|provider| provider.name.to_string())
            .collect();
        idle.sort();
        for name in idle {
            let expected = "a model of it in models, or allow_unlisted: true";
            self.warn(&format!("providers.{name}"), "it can be asked for nothing", expected);
        }
    }

    fn models(&mut self) {
        for model in self.config.models() {
            if let (Some(output), Some(window)) = (model.max_output_tokens, model.context_window)
                && output > window
            {
                let found = format!("{output}, and the context window is {window}");
                let path = format!("models.{}.max_output_tokens", model.name);
                self.warn(&path, &found, "an answer that has room in it");
            }
        }
    }

    /// Models and routes for which nobody can ask, and that are behind none that somebody can.
    fn nobody(&mut self) {
        let askers = self.askers();
        let named = self.named_by_others();
        let may = |named: &Named| askers.iter().any(|asker| asker.may_ask_for(named));
        let serves = |route: &Rc<Route>, is_named: bool| {
            let fits =
                |asker: &Consumer, model: &Model| asker.may_use(model) && asker.misses(model).is_none();
            let asks = |asker: &Consumer| is_named || asker.may_ask_for(&Named::Route(Rc::clone(route)));
            let served = |asker: &Consumer| route.all().any(|target| fits(asker, &target.model));
            askers.iter().any(|asker| asks(asker) && served(asker))
        };
        let mut told = Vec::new();
        for route in self.config.routes() {
            let path = format!("routes.{}", route.name);
            let is_named = named.iter().any(|name| *name == route.name.as_str());
            if !may(&Named::Route(Rc::clone(route))) && !is_named {
                told.push((path, "nobody may ask for it", "its name in the models of a tier or consumer"));
            } else if !serves(route, is_named) {
                let expected = "a target whose region and tags they may use";
                told.push((path, "none of its targets may answer whoever may ask for it", expected));
            }
        }
        for model in self.config.models() {
            let names = model.aliases.iter().chain([&model.name]).map(|name| name.as_str());
            let is_named = names.clone().any(|name| named.iter().any(|other| other == name));
            let is_target = self
                .config
                .routes()
                .iter()
                .any(|route| route.all().any(|target| target.model.name == model.name));
            if !may(&Named::Model(Rc::clone(model))) && !is_named && !is_target {
                let expected = "a route that has it, or its name in the models of a tier or consumer";
                told.push((
                    format!("models.{}", model.name),
                    "nobody may ask for it, and no route has it",
                    expected,
                ));
            }
        }
        for (path, found, expected) in told {
            self.warn(&path, found, expected);
        }
    }

    /// One of each kind of those who may ask.
    fn askers(&self) -> Vec<Rc<Consumer>> {
        let auth = self.config.auth();
        let mut askers: Vec<_> = auth.anonymous().into_iter().cloned().collect();
        let listed = self.entries("consumers");
        askers.extend(listed.iter().filter_map(|(name, _)| auth.consumer(name)).cloned());
        if auth.jwt().is_some() {
            let tiers = self.entries("tiers");
            let tiers = tiers.iter().map(|(name, _)| Some(name.as_str())).chain([None]);
            let of_tier = |tier| {
                Some(Rc::new(Consumer::unlisted(ConsumerName::parse("-").ok()?, Rc::clone(auth.tier(tier)))))
            };
            askers.extend(tiers.filter_map(of_tier));
        }
        askers
    }

    /// What is asked by the gateway itself, or by models that plan.
    fn named_by_others(&self) -> Vec<String> {
        let root = &self.document.root;
        let mut named = Vec::new();
        for (_, route) in self.entries("routes") {
            route.get("orchestration").into_iter().for_each(|node| models_in(node, &mut named));
        }
        let own = [root.at(&["cache", "embedder"]), root.get("task_model")];
        own.into_iter().flatten().for_each(|node| models_in(node, &mut named));
        named
    }

    fn routes(&mut self) {
        for route in self.config.routes() {
            let path = format!("routes.{}", route.name);
            self.targets(route, &path, &route.targets);
            for arm in route.experiment.iter().flat_map(|experiment| &experiment.arms) {
                self.targets(route, &format!("{path}.experiment.arms.{}", arm.name), &arm.targets);
            }
            let Some(raw) = self.document.root.at(&["routes", route.name.as_str()]).cloned() else {
                continue;
            };
            if raw.get("explore").is_some()
                && !matches!(route.strategy, Strategy::Latency | Strategy::Adaptive)
            {
                let expected = "latency or adaptive, or no explore";
                let found = format!("{:?}, with which nothing is explored", route.strategy.as_str());
                self.warn(&format!("{path}.explore"), &found, expected);
            }
            if raw.get("adaptive").is_some() && route.strategy != Strategy::Adaptive {
                let found = format!("the strategy is {:?}", route.strategy.as_str());
                self.warn(&format!("{path}.adaptive"), &found, "strategy: adaptive");
            }
            if route.continuation && route.all().count() < 2 {
                let expected = "another target, which would go on";
                self.warn(&format!("{path}.continuation"), "the route has one target", expected);
            }
            self.orchestration(&path, &raw);
        }
    }

    fn targets(&mut self, route: &Route, path: &str, targets: &[Target]) {
        let config = self.config;
        for (position, target) in targets.iter().enumerate() {
            let (model, path) = (&target.model, format!("{path}.targets[{position}]"));
            if targets.iter().take(position).any(|other| other.model == *model) {
                self.warn(&format!("{path}.model"), &format!("{} is there twice", model.name), "tries: 2");
            }
            let has_price = config.price(model).is_some();
            let by_price = matches!(route.strategy, Strategy::LeastCost | Strategy::Intent);
            if !has_price && route.constraints.max_cost.is_some() {
                let found = format!("{} has no price, so it never keeps to max_cost_usd", model.name);
                self.warn(&format!("{path}.model"), &found, PRICE);
            } else if !has_price && by_price {
                let found =
                    format!("{} has no price, and the strategy is {}", model.name, route.strategy.as_str());
                self.warn(&format!("{path}.model"), &found, PRICE);
            }
            let by_quality = matches!(route.strategy, Strategy::Quality | Strategy::Intent);
            let has_bar = route.constraints.min_quality.is_some() || route.bars.iter().any(Option::is_some);
            if model.quality.is_unknown() && (by_quality || has_bar) {
                let reason = if has_bar { "it never has min_quality" } else { "the route's order is by it" };
                let found = format!("{} has no quality, and {reason}", model.name);
                self.warn(&format!("{path}.model"), &found, "models.*.quality");
            }
            let most = target.as_fallback.as_ref().and_then(|edits| edits.max_tokens);
            if let (Some(most), Some(output)) = (most, model.max_output_tokens)
                && most > output
            {
                let found = format!("{most}, and an answer of {} has at most {output}", model.name);
                self.warn(&format!("{path}.as_fallback.max_tokens"), &found, "fewer");
            }
        }
    }

    /// Bounds of money around calls whose cost nobody knows.
    fn orchestration(&mut self, path: &str, raw: &Node) {
        let Some(raw) = raw.get("orchestration") else { return };
        let path = format!("{path}.orchestration");
        let number = |key: &str| raw.at(&["agent", key]).and_then(|number| number.number());
        if let (Some(all), Some(step)) = (number("max_tokens"), number("max_step_tokens"))
            && all < step
        {
            let found = format!("{all}, and one step may have {step}");
            self.warn(&format!("{path}.agent.max_tokens"), &found, "as many as several steps need");
        }
        let mut named = Vec::new();
        models_in(raw, &mut named);
        named.sort();
        named.dedup();
        let priceless: Vec<_> = named.into_iter().filter(|name| self.lacks_price(name)).collect();
        for key in ["max_cost_usd", "when.max_cost_usd"] {
            let keys: Vec<_> = key.split('.').collect();
            if raw.at(&keys).is_some() && !priceless.is_empty() {
                let found = format!("{}", Without(&priceless));
                self.warn(&format!("{path}.{key}"), &found, PRICE);
            }
        }
    }

    fn lacks_price(&self, name: &str) -> bool {
        matches!(self.config.meant(name), Some(Named::Model(model)) if self.config.price(&model).is_none())
    }

    fn keys(&mut self, now: Option<Timestamp>) {
        let has_tokens = self.config.auth().jwt().is_some();
        let anonymous = self.config.auth().anonymous().map(|consumer| consumer.name.to_string());
        let consumers = self.entries("consumers");
        for (name, consumer) in &consumers {
            let keys = consumer.get("keys").map_or(&[][..], |keys| keys.items());
            if keys.is_empty() && !has_tokens && anonymous.as_deref() != Some(name) {
                let expected = "keys, or auth.jwt whose tokens name it";
                self.warn(&format!("consumers.{name}"), "nobody can be known as it", expected);
            }
            for (position, key) in keys.iter().enumerate() {
                let until = key.word("not_after").and_then(|text| Timestamp::parse(text).ok());
                if until.zip(now).is_some_and(|(until, now)| until < now) {
                    let path = format!("consumers.{name}.keys[{position}].not_after");
                    self.warn(&path, "the key has run out", "a key less, or a later date");
                }
            }
        }
        for (name, _) in self.entries("tiers") {
            let is_had = consumers.iter().any(|(_, consumer)| consumer.word("tier") == Some(&name));
            if !has_tokens && !is_had && name != "default" {
                let expected = "a consumer with it, or auth.jwt whose tokens name it";
                self.warn(&format!("tiers.{name}"), "nobody belongs to it", expected);
            }
        }
    }

    fn timeouts(&mut self) {
        let timeouts = self.config.timeouts();
        if let Some(first) = timeouts.first_token_ms.filter(|first| *first > timeouts.answer_ms) {
            let found = format!("{first}, and a whole answer may take {}", timeouts.answer_ms);
            self.warn("timeouts.first_token_ms", &found, "less than answer_ms");
        }
    }
}

const PRICE: &str = "models.*.price or pricing.default";

/// Names of what has no price: a few of them.
struct Without<'n>(&'n [String]);

impl std::fmt::Display for Without<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.0.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = self.0.len().saturating_sub(3);
        if more > 0 {
            return write!(f, "{shown} and {more} more have no price");
        }
        write!(f, "{shown} {} no price", if self.0.len() == 1 { "has" } else { "have" })
    }
}

/// The names under keys that name models.
fn models_in(node: &Node, named: &mut Vec<String>) {
    for (_, key, value) in node.entries() {
        if matches!(key.as_str(), "model" | "planner" | "synthesis") {
            named.extend(value.text().map(str::to_owned));
        }
    }
    node.children().for_each(|child| models_in(child, named));
}
