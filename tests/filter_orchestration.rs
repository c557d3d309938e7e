//! The whole filter on a fake Envoy: several calls that make one answer, each of which comes back as a request of its own. What each
//! way does with answers in which order is told without a host in `src/orchestrate/tests`.

mod support;

use serde_json::{Value, json};
use support::{Envoy, Held, Now, Request, Response, Sent, chat, completion, stream, worker, world};

const ORCHESTRATION: &str = "orchestration";

/// Models a to c that answer together, d that is the route's own, and judges, plans or writes.
fn configuration(route: &Value, more: &Value) -> String {
    let names = ["a", "b", "c", "d"];
    let of_each = |value: &dyn Fn(&str) -> Value| -> Value {
        names.iter().map(|name| ((*name).to_owned(), value(name))).collect::<serde_json::Map<_, _>>().into()
    };
    let mut several = json!({"targets": [{"model": "d"}]});
    several.as_object_mut().unwrap().extend(route.as_object().cloned().unwrap());
    let text = json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]});
    let mut document = json!({
        "providers": of_each(&|name| json!({"vendor": "openai", "base_url": format!("https://{name}.example/v1"), "api_key": "none"})),
        "models": of_each(&|name| json!({"provider": name, "price": {"input": 1, "output": 2}})),
        "routes": {"several": several},
        "tools": {"search": {
            "cluster": "searching", "path": "/search?q={query}", "description": "Finds.", "parameters": text, "timeout_ms": 300,
        }},
        "auth": {"anonymous": {"consumer": "anonymous"}},
        "health": "off",
    });
    document.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    document.to_string()
}

/// An answer in the form that was asked for.
fn said(sent: &Sent, text: &str) -> Response {
    match sent.json()["stream"].as_bool() {
        Some(true) => Response::stream(stream(&[&text.replace('"', "\\\"")])),
        _ => Response::json(200, completion(&text.replace('"', "\\\""))),
    }
}

/// An Envoy whose providers say these texts, one after another and the last one for ever; `down` fails, `silent` never answers, and who
/// says `dear` has used five thousand tokens, `slow` takes five seconds.
fn envoy(configuration: &str, texts: &[(&str, &[&str])]) -> Envoy {
    let mut envoy = Envoy::new(configuration);
    for (cluster, texts) in texts {
        let mut left: Vec<String> = texts.iter().rev().map(|text| (*text).to_owned()).collect();
        envoy.script(cluster, move |sent| {
            let text = if left.len() > 1 { left.pop().unwrap() } else { left[0].clone() };
            match text.as_str() {
                "down" => Response::error(500, "no"),
                "silent" => Response::silence(),
                "slow" => {
                    world(|world| world.now += 5_000_000_000);
                    said(sent, "slow")
                }
                "dear" => Response::json(200, completion("dear").replace("_tokens\":1,", "_tokens\":5000,")),
                text if sent.cluster == "searching" => {
                    Response::json(200, json!({"found": text}).to_string())
                }
                text => said(sent, text),
            }
        });
    }
    envoy
}

fn several(rule: &Value, texts: &[(&str, &[&str])]) -> Envoy {
    envoy(&configuration(&json!({ORCHESTRATION: rule}), &json!({})), texts)
}

/// The text of an answer, its usage, and what is told of how it was made.
fn read(answer: &support::Answer, streamed: bool) -> (String, (u64, u64), Value) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let last = if streamed { answer.chunks().pop().unwrap() } else { answer.json() };
    let text = match streamed {
        true => answer.said(),
        false => last["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned(),
    };
    let tokens = |key: &str| last["usage"][key].as_u64().unwrap();
    (text, (tokens("prompt_tokens"), tokens("completion_tokens")), last["x_modelgate"].clone())
}

fn ask(envoy: &mut Envoy, streamed: bool) -> (String, (u64, u64), Value) {
    let more = if streamed { r#","stream":true,"stream_options":{"include_usage":true}"# } else { "" };
    let answer = envoy.ask(Request::chat(chat("several", more)));
    read(&answer, streamed)
}

fn members() -> Value {
    json!([{"model": "a"}, {"model": "b"}, {"model": "c"}])
}

fn ensemble(more: &Value) -> Value {
    let mut ensemble = json!({"members": members()});
    ensemble.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    json!({"ensemble": ensemble})
}

fn cascade(accept: &Value) -> Value {
    json!({"cascade": {"stages": members(), "accept": accept}})
}

fn agent(more: &Value) -> Value {
    let mut agent = json!({
        "planner": "d", "synthesis": "c", "tools": ["search"],
        "models": [{"model": "a", "description": "Quick."}, {"model": "b", "description": "Slow."}],
    });
    agent.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    json!({"agent": agent})
}

fn plan(steps: &Value) -> String {
    json!({"steps": steps}).to_string()
}

fn step(id: &str, model: &str, needs: &[&str]) -> Value {
    json!({"id": id, "model": model, "task": "Find it.", "needs": needs})
}

/// A way, what each says, whose words the answer has, and who was asked, in order.
type Case<'c> = (Value, Vec<(&'c str, &'c [&'c str])>, &'c str, &'c [&'c str]);

#[test]
fn every_way_makes_one_answer_and_the_bill_is_the_sum_of_its_calls() {
    let searching =
        plan(&json!([{"id": "s", "tool": "search", "arguments": {"query": "x"}}, step("m", "a", &["s"])]));
    let searching = [searching.as_str()];
    let by_field = json!({"combine": "vote", "vote": {"by": "json", "field": "x"}});
    let cases: Vec<Case<'_>> = vec![
        (
            ensemble(&json!({"combine": "longest"})),
            vec![("a", &["one"]), ("b", &["three"]), ("c", &["two"])],
            "three",
            &["a", "b", "c"],
        ),
        (
            ensemble(&json!({"combine": "first_valid"})),
            vec![("a", &["one"]), ("b", &["three"]), ("c", &["two"])],
            "one",
            &["a"],
        ),
        (
            ensemble(&json!({"combine": "vote"})),
            vec![("a", &["No"]), ("b", &["yes."]), ("c", &["Yes"])],
            "yes.",
            &["a", "b", "c"],
        ),
        (
            ensemble(&json!({"combine": "vote", "vote": {"by": "number"}})),
            vec![("a", &["41"]), ("b", &["It is 42"]), ("c", &["42.0"])],
            "It is 42",
            &["a", "b", "c"],
        ),
        (
            ensemble(&by_field),
            vec![("a", &[r#"{"x": 1}"#]), ("b", &[r#"{"x": 2, "y": 1}"#]), ("c", &[r#"{"x": 2}"#])],
            r#"{"x": 2, "y": 1}"#,
            &["a", "b", "c"],
        ),
        (
            ensemble(&json!({"combine": "best_of_n", "judge": {"model": "d"}})),
            vec![
                ("a", &["one"]),
                ("b", &["two"]),
                ("c", &["three"]),
                ("d", &["3", r#"{"score": 9}"#, "hm", "4"]),
            ],
            "two",
            &["a", "b", "c", "d", "d", "d", "d"],
        ),
        (
            ensemble(&json!({"combine": "fuse", "model": "d"})),
            vec![("a", &["one"]), ("b", &["two"]), ("c", &["three"]), ("d", &["all"])],
            "all",
            &["a", "b", "c", "d"],
        ),
        (cascade(&json!({})), vec![("a", &["cheap"])], "cheap", &["a"]),
        (
            cascade(&json!({"min_length": 4})),
            vec![("a", &["hm"]), ("b", &["long enough"])],
            "long enough",
            &["a", "b"],
        ),
        (
            cascade(&json!({"pattern": "[0-9]"})),
            vec![("a", &["hm"]), ("b", &["many"]), ("c", &["whatever"])],
            "whatever",
            &["a", "b", "c"],
        ),
        (
            cascade(&json!({"by": "said"})),
            vec![("a", &[r#"No.\n{"confidence": 0.2}"#]), ("b", &[r#"Yes.\n{"confidence": 0.9}"#])],
            "Yes.",
            &["a", "b"],
        ),
        (
            cascade(&json!({"by": "samples", "samples": 2})),
            vec![("a", &["red", "a blue car"]), ("b", &["green", "green"])],
            "green",
            &["a", "a", "b", "b"],
        ),
        (
            cascade(&json!({"by": "judge", "judge": {"model": "d"}})),
            vec![("a", &["one"]), ("b", &["two"]), ("d", &["2", "8"])],
            "two",
            &["a", "d", "b", "d"],
        ),
        (json!({"race": {"targets": members(), "stagger_ms": 0}}), vec![("a", &["fast"])], "fast", &["a"]),
        (
            json!({"race": {"targets": members()}}),
            vec![("a", &["down"]), ("b", &["second"])],
            "second",
            &["a", "b"],
        ),
        (
            agent(&json!({})),
            vec![("d", &searching), ("searching", &["Ada"]), ("a", &["It was Ada."]), ("c", &["the answer"])],
            "the answer",
            &["d", "searching", "a", "c"],
        ),
        (
            agent(&json!({"autonomy": "plan_only"})),
            vec![("d", &[r#"{"steps":[]}"#])],
            r#"{"steps":[]}"#,
            &["d"],
        ),
    ];
    for (rule, texts, answer, asked) in cases {
        for streamed in [false, true] {
            let mut envoy = several(&rule, &texts);
            let (text, (prompt, completion), told) = ask(&mut envoy, streamed);
            assert_eq!(text, answer, "{rule} {streamed}");
            assert_eq!(envoy.tried(), asked, "{rule} {streamed}");
            // Each answer has used one token and two; who failed has used none, and services have no tokens.
            let calls = asked
                .iter()
                .filter(|who| **who != "searching" && texts.iter().all(|it| *it != (**who, &["down"])))
                .count();
            let calls = calls as u64;
            assert_eq!((prompt, completion), (calls, 2 * calls), "{rule} {streamed}: {told}");
            let micros = told["cost_usd"].as_f64().unwrap() * 1e6;
            assert!((micros - 5.0 * calls as f64).abs() < 1e-6, "{rule}: {told}");
        }
    }
}

#[test]
fn what_several_calls_are_not_for_is_served_by_the_route() {
    let long = "It has to be fast, and to use no memory besides the list itself. ".repeat(3);
    let code = format!("Write a function in Rust that reverses a linked list. {long}");
    let poem = format!("Write a poem about the sea and the moon. {long}");
    for (when, text, more, is_for_it) in [
        (json!({}), &poem, "", true),
        (json!({"tasks": ["code"]}), &code, "", true),
        (json!({"tasks": ["code"]}), &poem, "", false),
        (json!({"tiers": ["default"]}), &poem, "", true),
        (json!({"tiers": ["premium"]}), &poem, "", false),
        (json!({"min_prompt_tokens": 20}), &poem, "", true),
        (json!({"min_prompt_tokens": 5_000}), &poem, "", false),
        (json!({"max_cost_usd": 0.01}), &poem, r#","max_tokens":50"#, true),
        (json!({"max_cost_usd": 0.000_01}), &poem, r#","max_tokens":50"#, false),
        (json!({"share": 0}), &poem, "", false),
        (json!({"share": 100}), &poem, "", true),
        (json!({}), &poem, r#","n":2"#, false),
    ] {
        let mut rule = ensemble(&json!({"combine": "longest"}));
        rule["when"] = when;
        let more_of_all = json!({"tasks": {}, "tiers": {"premium": {}}});
        let texts: [(&str, &[&str]); 4] =
            [("a", &["one"]), ("b", &["two"]), ("c", &["three"]), ("d", &["the route"])];
        let mut envoy = envoy(&configuration(&json!({ORCHESTRATION: rule}), &more_of_all), &texts);
        let answer = envoy.ask(Request::chat(chat("several", more).replace("hi", text)));
        let asked: &[&str] = if is_for_it { &["a", "b", "c"] } else { &["d"] };
        assert_eq!((answer.status, envoy.tried().as_slice()), (200, asked), "{} {more}", rule["when"]);
    }
}

#[test]
fn whatever_fails_something_is_answered() {
    let judged = ensemble(&json!({"combine": "best_of_n", "judge": {"model": "d"}}));
    let fused = ensemble(&json!({"combine": "fuse", "model": "d"}));
    let circle = plan(&json!([step("x", "a", &["y"]), step("y", "a", &["x"])]));
    let (circle, good) = ([circle.as_str()], plan(&json!([step("x", "a", &[])])));
    let (mended, twice) = ([circle[0], good.as_str()], [circle[0], circle[0], "the route"]);
    let searching =
        plan(&json!([{"id": "s", "tool": "search", "arguments": {"query": "x"}}, step("m", "a", &[])]));
    let (searching, left) = ([searching.as_str()], [searching.as_str(), "the route"]);
    let cases: Vec<Case<'_>> = vec![
        // Members that are down, are silent, or all of them.
        (
            ensemble(&json!({"combine": "longest"})),
            vec![("a", &["down"]), ("b", &["silent"]), ("c", &["alone"])],
            "alone",
            &["a", "b", "c"],
        ),
        (
            ensemble(&json!({"combine": "vote"})),
            vec![("a", &["down"]), ("b", &["down"]), ("c", &["down"]), ("d", &["the route"])],
            "the route",
            &["a", "b", "c", "d"],
        ),
        (
            ensemble(&json!({"combine": "longest", "min_responses": 2})),
            vec![("a", &["down"]), ("b", &["down"]), ("c", &["alone"]), ("d", &["the route"])],
            "the route",
            &["a", "b", "c", "d"],
        ),
        // A judge who says nothing of use, or nothing.
        (
            judged.clone(),
            vec![("a", &["red roses"]), ("b", &["red roses bloom"]), ("c", &["a car"]), ("d", &["hm"])],
            "red roses",
            &["a", "b", "c", "d", "d", "d", "d", "d", "d"],
        ),
        (
            judged,
            vec![("a", &["red roses"]), ("b", &["red roses bloom"]), ("c", &["a car"]), ("d", &["down"])],
            "red roses",
            &["a", "b", "c", "d", "d", "d", "d", "d", "d"],
        ),
        (fused, vec![("a", &["down"]), ("b", &["one"]), ("c", &["down"])], "one", &["a", "b", "c"]),
        (
            cascade(&json!({})),
            vec![("a", &["down"]), ("b", &["silent"]), ("c", &["the last"])],
            "the last",
            &["a", "b", "c"],
        ),
        (
            json!({"race": {"targets": members()}}),
            vec![("a", &["down"]), ("b", &["down"]), ("c", &["silent"]), ("d", &["the route"])],
            "the route",
            &["a", "b", "c", "d"],
        ),
        // A planner who says nothing of use, plans in circles, or fails; and tools that are silent or down.
        (
            agent(&json!({})),
            vec![("d", &["I would search.", "Hm.", "the route"])],
            "the route",
            &["d", "d", "d"],
        ),
        (agent(&json!({})), vec![("d", &twice)], "the route", &["d", "d", "d"]),
        (
            agent(&json!({})),
            vec![("d", &mended), ("a", &["found"]), ("c", &["the answer"])],
            "the answer",
            &["d", "d", "a", "c"],
        ),
        (
            agent(&json!({"planner": "b"})),
            vec![("b", &["down"]), ("d", &["the route"])],
            "the route",
            &["b", "d"],
        ),
        (
            agent(&json!({})),
            vec![("d", &searching), ("searching", &["silent"]), ("a", &["found"]), ("c", &["the answer"])],
            "the answer",
            &["d", "searching", "a", "c"],
        ),
        (
            agent(&json!({"models": [{"model": "a", "description": "Quick."}]})),
            vec![("d", &left), ("searching", &["down"]), ("a", &["down"])],
            "the route",
            &["d", "searching", "a", "d"],
        ),
    ];
    for (rule, texts, answer, asked) in cases {
        for streamed in [false, true] {
            let mut envoy = several(&rule, &texts);
            assert_eq!(ask(&mut envoy, streamed).0, answer, "{rule} {streamed}");
            assert_eq!(envoy.tried(), asked, "{rule} {streamed}");
        }
    }
}

#[test]
fn when_money_or_time_is_over_the_best_is_made_of_what_is_there() {
    let judged = |more: &Value| {
        let mut rule = ensemble(&json!({"combine": "best_of_n", "judge": {"model": "d"}}));
        rule.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        rule
    };
    let texts: [(&str, &[&str]); 4] =
        [("a", &["red roses"]), ("b", &["red roses bloom"]), ("c", &["a car"]), ("d", &["9"])];
    let mut paid = several(&judged(&json!({"max_cost_usd": 0.000_015})), &texts);
    let (text, (prompt, _), told) = ask(&mut paid, false);
    assert_eq!((text.as_str(), prompt, &told["ensemble"]["combine"]), ("red roses", 3, &json!("agreement")));
    assert_eq!(paid.tried(), ["a", "b", "c"], "nobody is paid to judge");

    let texts: [(&str, &[&str]); 4] =
        [("a", &["red roses"]), ("b", &["red roses bloom"]), ("c", &["silent"]), ("d", &["9"])];
    let mut late = several(&judged(&json!({"timeout_ms": 700})), &texts);
    let (text, _, told) = ask(&mut late, false);
    assert_eq!((text.as_str(), &told["ensemble"]["combine"]), ("red roses", &json!("agreement")));
    assert!(told["ensemble"]["members"][2]["outcome"].as_str().unwrap().starts_with("504"), "{told}");
    assert!(late.calls.iter().all(|(_, ms)| *ms == 700), "{:?}", late.calls);

    let steps = [step("known", "b", &[]), step("one", "a", &[]), step("two", "b", &["known", "one"])];
    let steps = plan(&json!(steps));
    for (limit, value) in [("max_cost_usd", json!(0.002)), ("timeout_ms", json!(700))] {
        let mut rule = agent(&json!({"max_step_tokens": 1}));
        rule[limit] = value;
        let first: &[&str] = if limit == "timeout_ms" { &["silent"] } else { &["dear"] };
        let mut envoy = several(&rule, &[("d", &[&steps, "the route"]), ("a", first), ("b", &["found"])]);
        let (text, _, told) = ask(&mut envoy, false);
        assert_eq!((text.as_str(), &told["agent"]["why"]), ("the route", &json!("limit")), "{limit}: {told}");
        assert_eq!(envoy.tried(), ["d", "b", "a", "d"]);
        assert!(envoy.last_sent().text().contains("found"), "it is told what was found");
    }
}

#[test]
fn a_plan_is_held_against_how_long_models_have_taken() {
    let mut rule = agent(&json!({}));
    rule["timeout_ms"] = json!(8_000);
    let (twice, once) = (json!([step("x", "a", &[]), step("y", "a", &["x"])]), json!([step("x", "a", &[])]));
    let config = configuration(&json!({ORCHESTRATION: rule}), &json!({"health": {}}));
    let texts: [(&str, &[&str]); 3] =
        [("a", &["slow"]), ("c", &["the answer"]), ("d", &[&plan(&twice), &plan(&once)])];
    let mut envoy = envoy(&config, &texts);
    for _ in 0..20 {
        assert_eq!(envoy.ask(Request::chat(chat("a", ""))).status, 200);
    }
    let (text, _, told) = ask(&mut envoy, false);
    assert_eq!((text.as_str(), &told["agent"]["repairs"]), ("the answer", &json!(1)));
    let problem = told["agent"]["asked"][0]["problem"].as_str().unwrap();
    assert!(problem.contains("until the last is over; 8000 ms are left"), "{problem}");
}

#[test]
fn a_member_who_is_late_is_not_waited_for_longer_than_it_may_take() {
    let mut rule = ensemble(&json!({"combine": "longest"}));
    rule["ensemble"]["members"][0]["timeout_ms"] = json!(250);
    let mut envoy = several(&rule, &[("a", &["silent"]), ("b", &["in time"]), ("c", &["now"])]);
    let before = world(|world| world.now);
    assert_eq!(ask(&mut envoy, false).0, "in time");
    let deadlines: Vec<_> = envoy.calls.iter().map(|(_, ms)| *ms).collect();
    assert_eq!(deadlines, [250, 60_000, 60_000]);
    assert_eq!(world(|world| world.now) - before, 250_000_000);
}

#[test]
fn whoever_is_late_in_a_race_is_overtaken() {
    let rule = json!({"race": {"targets": members(), "stagger_ms": 400}});
    let mut envoy = several(&rule, &[("a", &["late"]), ("b", &["down"]), ("c", &["late too"])]);
    // So the wait is over before anybody has answered.
    envoy.last_first = true;
    let (text, _, told) = ask(&mut envoy, false);
    let outcomes: Vec<_> =
        told["race"]["targets"].as_array().unwrap().iter().map(|it| it["outcome"].clone()).collect();
    assert_eq!(
        (text.as_str(), outcomes[0].clone(), outcomes[2].clone()),
        ("late too", json!("cancelled"), json!("ok"))
    );
    assert_eq!(envoy.tried(), ["c"], "who was started last has answered first");
}

#[test]
fn a_client_that_leaves_ends_what_is_in_flight() {
    let config = configuration(
        &json!({ORCHESTRATION: ensemble(&json!({"combine": "best_of_n", "judge": {"model": "d"}}))}),
        &json!({}),
    );
    let worker = worker(&config);
    let mut held = Held::send(&worker, Request::chat(chat("several", "")));
    assert_eq!(held.now(), Now::Held);
    let calls = world(|world| world.calls.clone());
    assert_eq!(calls.len(), 3);
    // One of them is on its way as a request of its own, and has a plan.
    let mut inner =
        Held::send(&worker, Request { headers: calls[0].headers.clone(), ..Request::chat(&calls[0].body) });
    assert_eq!(inner.now(), Now::Sent);
    held.answer(&calls[1], "200", &completion("one"));
    held.end();
    inner.end();
    // Whoever comes back with the word of a call that is over is nobody.
    let mut late =
        Held::send(&worker, Request { headers: calls[2].headers.clone(), ..Request::chat(&calls[2].body) });
    assert_eq!(late.now(), Now::Answered(401));
    late.end();
    assert_eq!(world(|world| world.calls.len()), 2, "nobody judges for nobody");
    assert_eq!(world(|world| world.errors().join("\n")), "");
}

#[test]
fn routes_answer_for_routes_and_the_log_of_each_call_names_what_it_was_for() {
    let quick = json!({"targets": [{"model": "d"}], ORCHESTRATION: {"race": {"targets": [{"model": "a"}, {"model": "b"}]}}});
    let rule = ensemble(&json!({"combine": "vote", "members": [{"model": "quick"}, {"model": "c"}]}));
    let mut document: Value =
        serde_json::from_str(&configuration(&json!({ORCHESTRATION: rule}), &json!({}))).unwrap();
    document["routes"]["quick"] = quick;
    let mut envoy = envoy(&document.to_string(), &[("a", &["down"]), ("b", &["yes"]), ("c", &["Yes."])]);
    let (text, (prompt, _), _) = ask(&mut envoy, false);
    assert_eq!((text.as_str(), prompt, envoy.tried()), ("yes", 2, vec!["a", "b", "c"]));
    let outer = envoy.logged("calls");
    assert_eq!(
        (envoy.logged("orchestration").as_str(), outer.contains("\"chosen\":0")),
        ("ensemble", true),
        "{outer}"
    );
    let asked_for: Vec<_> =
        envoy.inner.iter().map(|state| state.borrow().get("asked_for").cloned()).collect();
    assert!(asked_for.iter().all(Option::is_some), "{asked_for:?}");
}

#[test]
fn nobody_outside_can_claim_to_be_inside() {
    let mut envoy = several(&ensemble(&json!({"combine": "longest"})), &[]);
    for word in ["", "0", &"0".repeat(32), &"x".repeat(4_000)] {
        let request = Request::chat(chat("several", "")).with("x-modelgate-caller", word);
        assert_eq!(envoy.ask(request).status, 401, "{word}");
    }
    assert!(envoy.sent.is_empty());
}
