use super::*;
use crate::config::Price;

fn cascade(accept: &Value) -> Value {
    json!({"cascade": {"stages": [{"model": "a"}, {"model": "b"}, {"model": "c"}], "accept": accept}})
}

fn verdicts(report: &Value) -> Vec<&str> {
    let stages = report["cascade"]["stages"].as_array().unwrap();
    stages.iter().map(|stage| stage["verdict"].as_str().unwrap()).collect()
}

/// What is told of it, whatever has come of it.
fn told(play: &Play) -> Value {
    json!({"cascade": serde_json::from_slice::<Value>(&play.it.report()).unwrap()})
}

#[test]
fn the_cheapest_is_believed_and_nobody_else_is_asked() {
    let mut play = Play::begin(&cascade(&json!({})), &says("Capital of France?"));
    assert_eq!(play.asked(), ["a"]);
    play.say("a", "Paris.");
    let (text, report) = play.replied();
    assert_eq!((text, verdicts(report)), ("Paris.", vec!["believed"]));
}

#[test]
fn what_is_not_to_be_believed_goes_on_to_the_next() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut answer = completion("Paris.");
        change(&mut answer["choices"][0]);
        answer
    };
    let call = |arguments: &str| json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]);
    for (verdict, status, answer) in [
        ("failed", 503, json!({"error": {"code": "overloaded"}})),
        (
            "refused",
            200,
            with(&|choice| {
                choice["message"] = json!({"role": "assistant", "content": null, "refusal": "No."})
            }),
        ),
        ("cut_off", 200, with(&|choice| choice["finish_reason"] = json!("length"))),
        ("too_short", 200, completion("Hm.")),
        ("no_match", 200, completion("It may be Lyon.")),
        (
            "bad_arguments",
            200,
            with(&|choice| choice["message"] = json!({"content": null, "tool_calls": call("{\"x\": ")})),
        ),
    ] {
        let mut play = Play::begin(
            &cascade(&json!({"min_length": 5, "pattern": "[Pp]aris|P"})),
            &says("Capital of France?"),
        );
        play.receive("a", status, &answer);
        assert_eq!(play.asked(), ["b"], "{verdict}");
        play.say("b", "It is Paris.");
        let (text, report) = play.replied();
        assert_eq!((text, verdicts(report)), ("It is Paris.", vec![verdict, "believed"]));
    }
}

#[test]
fn an_answer_that_has_not_the_form_that_was_asked_for_is_not_believed() {
    let schema = json!({"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]});
    let mut wants = says("How many?");
    wants["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "it", "schema": schema}});
    let mut play = Play::begin(&cascade(&json!({})), &wants);
    play.say("a", "Three, I think.");
    play.say("b", "```json\n{\"x\": \"3\"}\n```");
    let (text, report) = play.replied();
    assert_eq!(
        (text, verdicts(report)),
        (r#"{"x": 3}"#, vec!["misfit", "believed"]),
        "what was meant is mended"
    );

    let mut offers = says("Look.");
    offers["tools"] = json!([{"type": "function", "function": {"name": "look", "parameters": schema}}]);
    let called = |name: &str, arguments: &str| {
        let mut answer = completion("");
        let call = json!({"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}});
        answer["choices"][0]["message"] = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        answer
    };
    let mut play = Play::begin(&cascade(&json!({})), &offers);
    play.receive("a", 200, &called("look", r#"{"x": "many"}"#));
    play.receive("b", 200, &called("search", "{}"));
    assert_eq!(play.forwarded().0["model"], "c");
    assert_eq!(verdicts(&told(&play)), ["bad_arguments", "bad_arguments", "not_checked"]);
    let mut play = Play::begin(&cascade(&json!({})), &offers);
    play.receive("a", 200, &called("look", r#"{"x": 3}"#));
    let Some(End::Reply(Ok(body))) = &play.end else { panic!("{:?}", play.end) };
    assert_eq!(verdicts(&body["x_modelgate"]), ["believed"]);
}

#[test]
fn the_last_one_is_forwarded_as_it_comes() {
    let mut request = says("Why?");
    request["stream"] = json!(true);
    let mut play = Play::begin(&cascade(&json!({"min_length": 9})), &request);
    play.say("a", "Hm.");
    assert_eq!(play.open[0].1.get("stream"), None);
    play.say("b", "Well.");
    let (body, before) = play.forwarded();
    assert_eq!((&body["model"], &body["stream"], before.usage.prompt), (&json!("c"), &json!(true), 20));
    assert_eq!(verdicts(&told(&play)), ["too_short", "too_short", "not_checked"]);
}

#[test]
fn a_model_says_how_sure_it_is_and_the_client_does_not_see_that() {
    let mut play =
        Play::begin(&cascade(&json!({"by": "said", "threshold": 0.8})), &says("Capital of France?"));
    assert!(play.open[0].1["messages"][0]["content"].as_str().unwrap().contains("\"confidence\""));
    play.say("a", "Lyon?\n{\"confidence\": 0.4}");
    play.say("b", "Paris.\n{\"confidence\": 0.95}");
    let (text, report) = play.replied();
    assert_eq!((text, verdicts(report)), ("Paris.", vec!["unsure", "believed"]));
    assert_eq!(report["cascade"]["stages"][1]["confidence"], 0.95);
}

#[test]
fn the_likelihood_of_words_tells_where_the_provider_tells_it() {
    let likely = |logprob: f64| {
        let mut answer = completion("Paris.");
        answer["choices"][0]["logprobs"] = json!({"content": [{"token": "Paris", "logprob": logprob}]});
        answer
    };
    let mut play = Play::begin(&cascade(&json!({"by": "logprobs"})), &says("Capital of France?"));
    assert_eq!(play.open[0].1["logprobs"], true);
    play.receive("a", 200, &likely(-1.0));
    play.receive("b", 200, &likely(-0.1));
    let Some(End::Reply(Ok(body))) = &play.end else { panic!() };
    assert_eq!(body["choices"][0]["logprobs"], Value::Null, "the client has not asked for them");
    assert_eq!(verdicts(&body["x_modelgate"]), ["unsure", "believed"]);
}

#[test]
fn several_answers_that_have_little_in_common_are_not_believed() {
    let mut play =
        Play::begin(&cascade(&json!({"by": "samples", "samples": 3})), &says("Capital of France?"));
    assert_eq!(play.asked(), ["a", "a", "a"]);
    for text in ["Paris", "Lyon", "Marseille"] {
        play.say("a", text);
    }
    assert_eq!(play.asked(), ["b", "b", "b"]);
    for text in ["It is Paris.", "it is Paris", "It is Paris!"] {
        play.say("b", text);
    }
    assert_eq!(play.replied().0, "It is Paris.");
}

#[test]
fn a_judge_tells_and_what_no_judge_has_told_is_not_believed() {
    let rule = cascade(&json!({"by": "judge", "judge": {"model": "judge"}, "threshold": 0.7}));
    let mut play = Play::begin(&rule, &says("Capital of France?"));
    play.say("a", "Lyon");
    play.say("judge", r#"{"score": 2}"#);
    play.say("b", "Paris");
    play.fail("judge");
    assert_eq!(play.forwarded().0["model"], "c");
    assert_eq!(verdicts(&told(&play)), ["unsure", "unsure", "not_checked"]);
    let mut play = Play::begin(&rule, &says("Capital of France?"));
    play.say("a", "Paris");
    play.say("judge", "7");
    assert_eq!(play.replied().0, "Paris");
}

#[test]
fn a_client_who_wants_json_is_not_told_how_sure_the_model_is() {
    let mut request = says("Capital of France?");
    request["response_format"] = json!({"type": "json_object"});
    let mut play = Play::begin(&cascade(&json!({"by": "said"})), &request);
    assert_eq!(play.open[0].1["messages"].as_array().unwrap().len(), 1);
    play.say("a", "{}");
    assert_eq!(play.replied().0, "{}");
}

#[test]
fn it_is_told_what_was_saved() {
    let price = Price {
        input: NanoUsd::new(10_000_000_000),
        output: NanoUsd::new(20_000_000_000),
        ..Price::default()
    };
    let known = Known { name: "c".into(), price: Some(price), late_ms: None };
    let mut play = Play::knowing(vec![known], &cascade(&json!({})), &says("Hi"));
    play.say("a", "Hello.");
    // Ten tokens at 10 and five at 20 USD per million, less what was spent.
    assert_eq!(play.replied().1["cascade"]["saved_usd"], 0.000_199);
}

#[test]
fn the_last_answer_is_better_than_none_when_time_or_money_is_over() {
    let mut rule = cascade(&json!({"min_length": 9}));
    rule["max_cost_usd"] = json!(0.000_001);
    let mut play = Play::begin(&rule, &says("Hi"));
    play.say("a", "Hello.");
    assert_eq!(play.replied().0, "Hello.", "the money is spent");
    rule["max_cost_usd"] = Value::Null;
    let mut play = Play::begin(&rule, &says("Hi"));
    play.now = play.now.after(120_000);
    play.fail("a");
    assert_eq!(play.forwarded().0["model"], "several", "the route's own targets answer");
}

#[test]
fn of_several_samples_the_answer_is_the_one_that_most_have_given() {
    let mut play =
        Play::begin(&cascade(&json!({"by": "samples", "samples": 5})), &says("Capital of France?"));
    for words in ["Lyon.", "Paris.", "Paris.", "Paris.", "Paris."] {
        play.say("a", words);
    }
    let (text, report) = play.replied();
    assert_eq!((text, verdicts(report)), ("Paris.", vec!["believed"]));
}

#[test]
fn calls_are_the_same_whatever_their_ids_are() {
    let called = |id: &str, name: &str| {
        let mut answer = completion("");
        let call = json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
        answer["choices"][0]["message"] = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        answer
    };
    let mut offers = says("Look.");
    let function = |name: &str| json!({"type": "function", "function": {"name": name}});
    offers["tools"] = json!([function("look"), function("see")]);
    let mut play = Play::begin(&cascade(&json!({"by": "samples", "samples": 3, "threshold": 0.5})), &offers);
    for (id, name) in [("c1", "see"), ("c2", "look"), ("c3", "look")] {
        play.receive("a", 200, &called(id, name));
    }
    let Some(End::Reply(Ok(body))) = &play.end else { panic!("{:?}", play.end) };
    assert_eq!(body["choices"][0]["message"]["tool_calls"][0]["id"], "c2");
}

#[test]
fn what_only_the_measure_asked_for_is_not_looked_at() {
    let accept = json!({"by": "said", "min_length": 10, "pattern": "42$"});
    for (words, verdict) in
        [("Hm 42\n{\"confidence\": 1}", "too_short"), ("It is surely 42\n{\"confidence\": 1}", "believed")]
    {
        let mut play = Play::begin(&cascade(&accept), &says("What is it?"));
        play.say("a", words);
        assert_eq!(verdicts(&told(&play))[0], verdict, "{words}");
    }
}

#[test]
fn who_gives_no_probabilities_is_asked_once_more_without() {
    let mut play = Play::begin(&cascade(&json!({"by": "logprobs"})), &says("Capital of France?"));
    let refusal = json!({"error": {"code": "unsupported_parameter", "message": "no logprobs"}});
    play.receive("a", 400, &refusal);
    assert_eq!((play.asked(), play.open[0].1.get("logprobs")), (vec!["a"], None));
    play.say("a", "Paris.");
    assert_eq!(play.replied().0, "Paris.", "nothing speaks against it");

    let mut play = Play::begin(&cascade(&json!({"by": "logprobs"})), &says("Capital of France?"));
    play.receive("a", 400, &refusal);
    play.receive("a", 400, &refusal);
    assert_eq!(play.asked(), ["b"], "once more, not for ever");
}

#[test]
fn the_last_stage_is_not_asked_after_the_money_or_the_time_is_spent() {
    let rule = |key: &str, value: Value| {
        let stages = json!([{"model": "a"}, {"model": "b"}]);
        json!({"cascade": {"stages": stages, "accept": {"min_length": 9}}, key: value})
    };
    let mut play = Play::begin(&rule("max_cost_usd", json!(0.000_001)), &says("Why?"));
    play.say("a", "Hm.");
    let (text, report) = play.replied();
    assert_eq!((text, verdicts(report)), ("Hm.", vec!["too_short"]), "what there is is better than nothing");

    let mut play = Play::begin(&rule("timeout_ms", json!(1_000)), &says("Why?"));
    play.now = play.now.after(1_000);
    play.say("a", "Hm.");
    assert_eq!(play.replied().0, "Hm.");

    let mut play = Play::begin(&rule("max_cost_usd", json!(0.000_001)), &says("Why?"));
    play.fail("a");
    assert_eq!(play.forwarded().0["model"], "b", "where there is nothing somebody has to answer");
}

#[test]
fn who_judged_is_paid_out_of_what_was_saved() {
    let known = |name: &str| Known {
        name: name.into(),
        price: Some(Price {
            input: NanoUsd::new(10_000_000_000),
            output: NanoUsd::new(20_000_000_000),
            ..Price::default()
        }),
        late_ms: None,
    };
    let saved = |accept: &Value, judged: bool| {
        let mut play = Play::knowing(vec![known("c")], &cascade(accept), &says("Capital of France?"));
        play.say("a", "Paris.");
        if judged {
            play.say("d", "9");
        }
        play.replied().1["cascade"]["saved_usd"].as_f64().unwrap()
    };
    let without = saved(&json!({}), false);
    let with = saved(&json!({"by": "judge", "judge": {"model": "d"}}), true);
    assert!((without - with - 0.000_001).abs() < 1e-12, "{without} and {with}");
}
