//! Several calls that make one answer, and answers that are checked: what is read, and what is said of each mistake.

use super::*;

/// A route of each kind, and one that checks.
fn document() -> Value {
    json!({
        "providers": {"openai": {"allow_unlisted": true}},
        "models": {"big": {"provider": "openai"}, "small": {"provider": "openai"}},
        "tasks": {},
        "routes": {
            "e": {"targets": [{"model": "big"}], "orchestration": {"ensemble": {
                "members": [{"model": "big", "timeout_ms": 800, "weight": 2}, {"model": "small"}], "combine": "longest",
            }}},
            "c": {"targets": [{"model": "big"}], "orchestration": {"cascade": {"stages": [{"model": "small"}, {"model": "big"}]}}},
            "r": {"targets": [{"model": "big"}], "orchestration": {"race": {"targets": [{"model": "small"}, {"model": "big"}]}}},
            "k": {"targets": [{"model": "big"}], "check": {"attempts": 2}},
        },
    })
}

fn with(place: &str, value: Value) -> Value {
    let mut document = document();
    let (parent, key) = place.rsplit_once('/').unwrap();
    document.pointer_mut(parent).and_then(Value::as_object_mut).expect("a map").insert(key.to_owned(), value);
    document
}

fn route(document: &Value, name: &str) -> Rc<Route> {
    let config = parse(document).unwrap();
    let Some(Named::Route(route)) = config.named(name) else { panic!("a route") };
    Rc::clone(route)
}

#[test]
fn what_is_not_said_is_as_documented() {
    let orchestration = route(&document(), "e").orchestration.clone().unwrap();
    assert_eq!((orchestration.timeout_ms, orchestration.call_timeout_ms), (120_000, 60_000));
    assert_eq!((orchestration.max_cost, orchestration.report), (None, true));
    let How::Ensemble(ensemble) = &orchestration.how else { panic!("an ensemble") };
    let members: Vec<_> = ensemble.members.iter().map(|it| (&*it.model, it.weight, it.timeout_ms)).collect();
    assert_eq!(members, [("big", 2, Some(800)), ("small", 1, None)]);
    assert_eq!((ensemble.quorum, ensemble.min_responses), (None, 1));
    let How::Cascade(cascade) = &route(&document(), "c").orchestration.as_ref().unwrap().how.clone() else {
        panic!("a cascade")
    };
    assert_eq!((cascade.threshold, &cascade.measure, cascade.min_length), (700, &None, 0));
}

#[test]
fn answers_are_checked_by_what_is_said() {
    let checks = |said: Value| {
        let check = route(&with("/routes/k/check", said), "k").check.clone()?;
        let How::Checked(rules) = &check.how else { panic!("a check") };
        Some((rules.attempts, rules.tools, check.timeout_ms, check.call_timeout_ms, check.report))
    };
    assert_eq!(checks(json!(false)), None);
    assert_eq!(checks(json!(true)), Some((3, true, 120_000, 60_000, true)));
    assert_eq!(checks(json!({})), checks(json!(true)));
    let rules =
        json!({"attempts": 1, "tools": false, "timeout_ms": 9, "call_timeout_ms": 8, "report": false});
    assert_eq!(checks(rules), Some((1, false, 9, 8, false)));
}

#[test]
fn every_mistake_is_told_where_it_is() {
    let check = "/routes/k/check";
    let (all, ensemble) = ("/routes/e/orchestration", "/routes/e/orchestration/ensemble");
    let (accept, race) = ("/routes/c/orchestration/cascade/accept", "/routes/r/orchestration/race");
    for (place, value, told) in [
        (check, json!("yes"), "routes.k.check: "),
        (check, json!({"attempts": 0}), "routes.k.check.attempts: 0: expected a whole number from 1 to 8"),
        (check, json!({"attempts": 9}), "routes.k.check.attempts: 9"),
        (check, json!({"attempts": -1}), "routes.k.check.attempts"),
        (check, json!({"attempts": "many"}), "routes.k.check.attempts"),
        (check, json!({"attempt": 3}), "routes.k.check.attempt: unknown key `attempt`"),
        (check, json!({"tools": "all"}), "routes.k.check.tools"),
        (
            check,
            json!({"timeout_ms": 0}),
            "routes.k.check.timeout_ms: 0: expected a whole number from 1 to 600000",
        ),
        (check, json!({"call_timeout_ms": 600_001}), "routes.k.check.call_timeout_ms: 600001"),
        (
            check,
            json!({"max_cost_usd": 0}),
            "routes.k.check.max_cost_usd: 0: expected an amount in USD, more than 0",
        ),
        (check, json!({"report": 1}), "routes.k.check.report"),
        (check, json!([]), "routes.k.check"),
        (all, json!({}), "routes.e.orchestration: no way is said: expected one of `ensemble`"),
        ("/routes/e/orchestration/timeout_ms", json!(0), "routes.e.orchestration.timeout_ms: 0"),
        ("/routes/e/orchestration/max_cost_usd", json!(-1), "routes.e.orchestration.max_cost_usd: -1"),
        (
            "/routes/e/orchestration/when",
            json!({"share": 101}),
            "when.share: 101: expected a percentage, from 0 to 100",
        ),
        ("/routes/e/orchestration/when", json!({"tasks": ["kode"]}), "when.tasks[0]: unknown task \"kode\""),
        ("/routes/e/orchestration/when", json!({"tiers": ["a b"]}), "when.tiers[0]"),
        ("/routes/e/orchestration/ensemble/members", json!([]), "ensemble.members: 0: expected from 1 to 8"),
        (
            ensemble,
            json!({"members": [{"model": "bigg"}], "combine": "longest"}),
            "members[0].model: unknown model \"bigg\"",
        ),
        (ensemble, json!({"members": [{"model": "e"}], "combine": "longest"}), "it names itself"),
        (
            ensemble,
            json!({"members": [{"model": "big", "timeout_ms": 0}], "combine": "longest"}),
            "ensemble.members[0].timeout_ms: 0: expected a whole number from 1 to 600000",
        ),
        (
            ensemble,
            json!({"members": [{"model": "big", "weight": 0}], "combine": "longest"}),
            "members[0].weight: 0",
        ),
        (ensemble, json!({"members": [{"model": "big"}], "combine": "best"}), "unknown value `best`"),
        (
            ensemble,
            json!({"members": [{"model": "big"}], "combine": "fuse"}),
            "ensemble.model: there is none",
        ),
        (
            ensemble,
            json!({"members": [{"model": "big"}], "combine": "best_of_n"}),
            "ensemble.judge: there is none",
        ),
        (
            ensemble,
            json!({"members": [{"model": "big"}], "combine": "vote", "vote": {"by": "json"}}),
            "ensemble.vote.field: there is none",
        ),
        ("/routes/e/orchestration/ensemble/quorum", json!(3), "ensemble.quorum: 3"),
        ("/routes/e/orchestration/ensemble/min_responses", json!(3), "ensemble.min_responses: 3"),
        (accept, json!({"threshold": 1.5}), "cascade.accept.threshold"),
        (accept, json!({"pattern": "("}), "cascade.accept.pattern: \"(\""),
        (accept, json!({"by": "samples", "samples": 1}), "cascade.accept.samples: 1"),
        (accept, json!({"by": "judge"}), "cascade.accept.judge: there is none"),
        ("/routes/c/orchestration/cascade/stages", json!([{"model": "big"}]), "cascade.stages: one alone"),
        (race, json!({"targets": [{"model": "big"}]}), "race.targets: one alone"),
        (
            race,
            json!({"targets": [{"model": "big"}, {"model": "small"}], "stagger_ms": 600_001}),
            "race.stagger_ms: 600001",
        ),
    ] {
        let problems = problems(&with(place, value.clone()));
        assert!(problems.iter().any(|problem| problem.contains(told)), "{told} in {problems:?}, of {value}");
    }
}
