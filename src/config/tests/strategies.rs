//! Strategies, weights, priorities, constraints and qualities: what is read, and what is refused.

use super::*;
use crate::config::{Constraints, Strategy};
use crate::money::NanoUsd;

fn document(model: &Value, route: &Value, more: &Value) -> Value {
    let mut document = json!({
        "providers": {"p": {"vendor": "openai", "api_key": {"value": "k"}}},
        "models": {"a": {"provider": "p"}, "b": {"provider": "p"}},
        "routes": {"r": {"targets": [{"model": "a"}, {"model": "b"}]}},
        "auth": {"anonymous": {"consumer": "anonymous"}},
    });
    for (place, more) in [("/models/a", model), ("/routes/r", route), ("", more)] {
        let place = document.pointer_mut(place).unwrap().as_object_mut().unwrap();
        place.extend(more.as_object().unwrap().clone());
    }
    document
}

fn read(model: &Value, route: &Value, more: &Value) -> Result<Config, String> {
    let document = document(model, route, more);
    Config::parse(document.to_string().as_bytes(), &|_| None).map_err(|problems| problems.to_string())
}

#[test]
fn a_route_is_read_with_all_that_it_may_say() {
    let targets = json!([{"model": "a", "weight": 3, "priority": 1}, {"model": "b", "tries": 2}]);
    let route = json!({
        "strategy": "weighted", "targets": targets, "explore": 0.1,
        "constraints": {"max_cost_usd": 0.25, "max_latency_ms": 1500, "min_quality": 0.375},
    });
    let config = read(&json!({"quality": {"default": 0.5, "code": 0.9}}), &route, &json!({})).unwrap();
    let route = &config.routes()[0];
    let targets: Vec<_> = route.targets.iter().map(|it| (it.weight, it.priority, it.tries)).collect();
    assert_eq!(
        (route.strategy, route.explore, targets),
        (Strategy::Weighted, 100, vec![(3, 1, 1), (1, 0, 2)])
    );
    let (max_cost, max_latency_ms) = (Some(NanoUsd::new(250_000_000)), Some(1_500));
    assert_eq!(route.constraints, Constraints { max_cost, max_latency_ms, min_quality: Some(375) });
    let quality = &route.targets[0].model.quality;
    let known = [Some("code"), Some("chat"), None].map(|task| quality.at(task));
    assert_eq!(known, [Some(900), Some(500), Some(500)]);
    assert_eq!(route.targets[1].model.quality.at(Some("code")), None);
}

#[test]
fn every_strategy_has_its_word() {
    for word in
        ["priority", "round_robin", "weighted", "latency", "least_cost", "quality", "intent", "adaptive"]
    {
        let more = json!({"pricing": {"default": {"input": 1, "output": 2}}});
        let config = read(&json!({"quality": 1}), &json!({"strategy": word}), &more).unwrap();
        assert_eq!(config.routes()[0].strategy.as_str(), word);
    }
}

#[test]
fn the_stricter_of_two_constraints_holds() {
    let constraints = |cost: Option<u64>, ms, quality| Constraints {
        max_cost: cost.map(NanoUsd::new),
        max_latency_ms: ms,
        min_quality: quality,
    };
    let (one, other) = (constraints(Some(5), None, Some(300)), constraints(Some(7), Some(9), Some(400)));
    assert_eq!(one.and(other), constraints(Some(5), Some(9), Some(400)));
    assert_eq!(other.and(one), one.and(other));
    assert_eq!(one.and(Constraints::default()), one);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let of_route = |route: Value| (json!({}), route, json!({}));
    for ((model, route, more), expected) in [
        (
            of_route(json!({"strategy": "fastest"})),
            "routes.r.strategy: unknown value `fastest`: expected one of `priority`, `round_robin`, `weighted`, `latency`, `least_cost`, `quality`, `intent`, `adaptive`",
        ),
        (
            of_route(json!({"strategy": "weighted", "targets": [{"model": "a", "weight": 0}]})),
            "routes.r.targets: all weights are 0: expected a weight above 0 for at least one of them",
        ),
        (
            of_route(json!({"targets": [{"model": "a", "weight": 2}]})),
            "routes.r.strategy: \"priority\", by which weights mean nothing: expected weighted, or no weights",
        ),
        (
            of_route(json!({"targets": [{"model": "a", "priority": 101}]})),
            "routes.r.targets[0].priority: 101: expected a whole number from 0 to 100",
        ),
        (
            (json!({}), json!({"strategy": "latency"}), json!({"health": "off"})),
            "routes.r.strategy: \"latency\", and health is off: nobody would know who does well",
        ),
        (
            of_route(json!({"strategy": "least_cost"})),
            "routes.r.strategy: \"least_cost\", and no target has a price: expected models.*.price of its targets",
        ),
        (
            of_route(json!({"strategy": "intent"})),
            "routes.r.strategy: \"intent\", and no target has a quality: expected models.*.quality of its targets",
        ),
        (
            of_route(json!({"adaptive": {"cost": 0.5, "latency": 0.5, "half_life": 0}})),
            "routes.r.adaptive.cost: cost and latency are 1 or more together: expected less than 1: an answer is worth more than none\n\
             routes.r.adaptive.half_life: 0: expected a whole number from 1 to 100000",
        ),
        (
            of_route(json!({"affinity": {"ttl": 0, "switch_cost": 2}})),
            "routes.r.affinity.ttl: 0: expected a whole number from 1 to 86400\n\
             routes.r.affinity.switch_cost: 2: expected a number from 0 to 1",
        ),
        (
            of_route(json!({"experiment": {"arms": {"one": {"share": 100}}}})),
            "routes.r.experiment.arms: 1: expected at least two arms",
        ),
        (
            of_route(json!({"experiment": {"arms": {"one": {"share": 60}, "other": {"share": 39.5}}}})),
            "routes.r.experiment.arms: the shares are 99.5 together: expected 100",
        ),
        (
            of_route(
                json!({"experiment": {"by": "tier", "arms": {"one": {"share": 60}, "other": {"share": 40, "targets": [{"model": "x"}]}}}}),
            ),
            "routes.r.experiment.by: unknown value `tier`: expected `consumer` or `conversation`",
        ),
        (
            of_route(
                json!({"experiment": {"arms": {"one": {"share": 60, "targets": []}, "other": {"share": 40, "targets": [{"model": "x"}]}}}}),
            ),
            "routes.r.experiment.arms.one.targets: there is none: expected at least one target\n\
             routes.r.experiment.arms.other.targets[0].model: unknown model \"x\": expected a model, an alias or provider/model; nearest: \"a\", \"b\"",
        ),
        (
            of_route(
                json!({"targets": [{"model": "a", "as_fallback": {"temperature": 3, "max_tokens": 0, "reasoning_effort": "hi"}}]}),
            ),
            "routes.r.targets[0].as_fallback.reasoning_effort: unknown value `hi`: expected one of `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`",
        ),
        (
            of_route(
                json!({"targets": [{"model": "a", "as_fallback": {"temperature": 3, "max_tokens": 0}}, {"model": "b", "as_fallback": {"system": " "}}]}),
            ),
            "routes.r.targets[0].as_fallback.temperature: 3: expected a number from 0 to 2\n\
             routes.r.targets[0].as_fallback.max_tokens: 0: expected a number of tokens, at least 1\n\
             routes.r.targets[1].as_fallback: it changes nothing: expected something of system, temperature, max_tokens, reasoning_effort and tools: strip",
        ),
        (of_route(json!({"explore": 0.6})), "routes.r.explore: 0.6: expected a share, from 0 to 0.5"),
        (
            of_route(json!({"constraints": {"max_cost_usd": 0, "max_latency_ms": 0, "min_quality": 2}})),
            "routes.r.constraints.max_cost_usd: 0: expected an amount in USD, more than 0\n\
             routes.r.constraints.max_latency_ms: 0: expected a whole number from 1 to 86400000\n\
             routes.r.constraints.min_quality: 2: expected a number from 0 to 1",
        ),
        (
            of_route(json!({"constraints": {"min_quality": {"simple": 0.1, "easy": 0.2}}})),
            "routes.r.constraints.min_quality.easy: unknown key `easy`: expected one of `simple`, `standard`, `hard`\n\
             routes.r.constraints.min_quality: there are no tasks: expected tasks, if need be an empty map: how hard a request looks is told with them",
        ),
        (
            of_route(json!({"constraints": {"max_cost_usd": "cheap"}})),
            "routes.r.constraints.max_cost_usd: invalid type: string \"cheap\": expected a number",
        ),
        (
            (json!({"quality": {"coding": 1}}), json!({}), json!({})),
            "models.a.quality.coding: unknown task `coding`: expected default, or a task; nearest: \"code\"",
        ),
        (
            (json!({"quality": 1.5}), json!({}), json!({})),
            "models.a.quality: 1.5: expected a number from 0 to 1",
        ),
        (
            of_route(json!({"targets": [{"model": "r"}]})),
            "routes.r.targets[0].model: \"r\" is a route: expected a model, an alias or provider/model; nearest: \"a\", \"b\"",
        ),
        (of_route(json!({"targets": []})), "routes.r.targets: there is none: expected at least one target"),
    ] {
        assert_eq!(read(&model, &route, &more).unwrap_err(), expected, "{route}");
    }
}
