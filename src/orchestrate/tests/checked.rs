use super::*;

fn person() -> Value {
    json!({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"], "additionalProperties": false})
}

/// A request for a person.
fn wants(schema: &Value) -> Value {
    let mut request = says("Who?");
    request["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "it", "schema": schema}});
    request
}

/// A request with a function.
fn offers(parameters: &Value) -> Value {
    let mut request = says("Look.");
    request["tools"] = json!([{"type": "function", "function": {"name": "look", "parameters": parameters}}]);
    request
}

fn called(name: &str, arguments: &str) -> Value {
    let mut answer = completion("");
    answer["choices"][0] = json!({"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}]}});
    answer
}

fn checked() -> Play {
    Play::begin(&json!(true), &wants(&person()))
}

/// What is asked of whom.
fn asked(play: &Play) -> (&Value, Vec<&str>, Vec<&str>) {
    let [(tag, body, _)] = &play.open[..] else { panic!("{:?}", play.open) };
    let among = &play.among[tag];
    (body, among.only.iter().map(|it| &**it).collect(), among.not.iter().map(|it| &**it).collect())
}

const GOOD: &str = r#"{"name":"Ada","age":36}"#;

#[test]
fn what_fits_at_once_is_the_answer_and_nothing_is_told() {
    let mut play = Play::begin(&json!(true), &{
        let mut request = wants(&person());
        request["seed"] = json!(7);
        request["stream_options"] = json!({"include_usage": true});
        request
    });
    let mut body = wants(&person());
    body["model"] = json!("several");
    body["seed"] = json!(7);
    assert_eq!(asked(&play), (&body, vec![], vec![]));
    play.answer("a", GOOD);
    let (text, report) = play.replied();
    assert_eq!((text, report), (GOOD, &json!({"cost_usd": 0.000001})));
}

#[test]
fn what_was_obviously_meant_is_mended_and_everything_else_passes() {
    for (text, meant, change) in [
        ("Sure!\n```json\n{\"name\":\"Ada\",\"age\":36}\n```", GOOD, "extracted"),
        (r#"{"name":"Ada","age":"36"}"#, GOOD, "retyped `age`"),
        (r#"{"name":"Ada","age":36,"sex":"f"}"#, GOOD, "dropped `sex`"),
    ] {
        let mut play = checked();
        let mut answer = completion(text);
        answer["system_fingerprint"] = json!("fp");
        play.receive_any("a", 200, &answer);
        let (replied, report) = play.replied();
        assert_eq!(
            (replied, &report["check"]),
            (meant, &json!({"attempts": 1, "changes": [change]})),
            "{text}"
        );
        let Some(End::Reply(Ok(body))) = &play.end else { panic!() };
        assert_eq!(body["system_fingerprint"], "fp");
    }
}

#[test]
fn the_same_model_is_told_what_is_wrong_and_then_others_have_their_turn() {
    let mut play = checked();
    play.answer("a", r#"{"name":7,"age":"old"}"#);
    assert_eq!(play.blamed, ["a"]);
    let (body, only, not) = asked(&play);
    assert_eq!((only, not), (vec!["a"], vec![]));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": "Who?"},
            {"role": "assistant", "content": r#"{"name":7,"age":"old"}"#},
            {"role": "user", "content": "That is not what was asked for:\n- `name`: expected a string, found 7\n- `age`: expected an integer, found \"old\"\nAnswer again, with nothing but the corrected JSON."},
        ])
    );
    play.answer("a", "I would rather not");
    let (body, only, not) = asked(&play);
    assert_eq!(
        (&body["messages"], only, not),
        (&json!([{"role": "user", "content": "Who?"}]), vec![], vec!["a", "a"])
    );
    play.answer("b", GOOD);
    let (text, report) = play.replied();
    assert_eq!(text, GOOD);
    assert_eq!(report["check"], json!({"attempts": 3, "violations": ["expected JSON, found none"]}));
    assert_eq!(report["cost_usd"], 0.000003);
    let Some(End::Reply(Ok(body))) = &play.end else { panic!() };
    assert_eq!(body["usage"]["prompt_tokens"], 30);
}

#[test]
fn after_three_answers_that_do_not_fit_there_is_an_error_that_says_what_was_paid() {
    let mut play = checked();
    for model in ["a", "a", "b"] {
        play.answer(model, r#"{"name":"Ada"}"#);
    }
    let body = play.refused(502);
    assert_eq!(
        body["error"],
        json!({"type": "server_error", "code": "invalid_answer", "param": null,
            "message": "no answer has the form that was asked for, after 3 attempts: `age`: expected this required member, found nothing"})
    );
    assert_eq!(
        (&body["x_modelgate"]["cost_usd"], &body["usage"]["completion_tokens"]),
        (&json!(0.000003), &json!(15))
    );
    assert_eq!(play.headers["x-should-retry"], "false");
    assert_eq!(play.blamed, ["a", "a", "b"]);
}

#[test]
fn how_often_is_asked_is_configured() {
    let mut play = Play::begin(&json!({"attempts": 1}), &wants(&person()));
    play.answer("a", "no");
    play.refused(502);
    let mut play = Play::begin(&json!({"attempts": 4}), &wants(&person()));
    for model in ["a", "a", "b"] {
        play.answer(model, "no");
    }
    assert_eq!(asked(&play).1, ["b"], "whoever comes next is told what is wrong as well");
    play.answer("b", GOOD);
    assert_eq!(play.replied().0, GOOD);
}

#[test]
fn nobody_is_left_after_the_first_where_a_route_has_no_other() {
    let mut play = checked();
    play.answer("a", "no");
    play.answer("a", "no");
    let none = json!({"error": {"code": "no_provider", "message": "nobody"}});
    play.receive_any("", 503, &none);
    let (body, only, not) = asked(&play);
    assert_eq!((only, not), (vec![], vec!["a", "a"]), "somebody may take the schema as an instruction");
    assert_eq!(body.get("response_format"), None);
    play.receive_any("", 503, &none);
    let message = play.refused(502)["error"]["message"].clone();
    assert!(message.as_str().unwrap().contains("after 2 attempts: expected JSON"), "{message}");
}

#[test]
fn where_nobody_takes_a_schema_it_is_an_instruction() {
    let mut play = checked();
    play.receive_any("", 400, &json!({"error": {"code": "unsupported_parameter", "message": "no"}}));
    let (body, ..) = asked(&play);
    let said = body["messages"][0]["content"].as_str().unwrap();
    assert!(said.ends_with(&person().to_string()) && body.get("response_format").is_none(), "{body}");
    play.answer("c", "```\n{\"name\":\"Ada\",\"age\":36}\n```");
    let (text, report) = play.replied();
    assert_eq!(text, GOOD);
    assert_eq!(report["check"], json!({"attempts": 1, "instructed": true, "changes": ["extracted"]}));
}

#[test]
fn an_error_of_the_first_call_is_the_client_s_as_it_is() {
    for (status, code) in [(429, "rate_limit_exceeded"), (400, "unknown"), (503, "overloaded")] {
        let mut play = checked();
        let error = json!({"error": {"code": code, "message": "no"}});
        play.receive_any("", status, &error);
        assert_eq!(play.refused(status), error);
    }
}

#[test]
fn a_repair_that_fails_is_the_next_one_s_turn() {
    let mut play = checked();
    play.answer("a", "no");
    play.receive_any("", 503, &json!({"error": {"code": "overloaded", "message": "no"}}));
    assert_eq!(asked(&play).2, ["a"]);
    play.answer("b", GOOD);
    assert_eq!(play.replied().0, GOOD);
}

#[test]
fn arguments_are_checked_and_mended() {
    let mut play = Play::begin(&json!(true), &offers(&person()));
    play.receive_any("a", 200, &called("look", r#"{"name":"Ada","age":"36"}"#));
    let Some(End::Reply(Ok(body))) = &play.end else { panic!("{:?}", play.end) };
    assert_eq!(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], GOOD);
    assert_eq!(body["x_modelgate"]["check"]["changes"], json!(["retyped `age`"]));

    let mut play = Play::begin(&json!(true), &offers(&person()));
    play.receive_any("a", 200, &called("look", "{}"));
    let (body, only, _) = asked(&play);
    assert_eq!(only, ["a"]);
    let told = &body["messages"][2];
    assert_eq!((&told["role"], &told["tool_call_id"]), (&json!("tool"), &json!("c1")));
    assert!(
        told["content"].as_str().unwrap().contains("- look(): `name`: expected this required member"),
        "{told}"
    );
    assert_eq!(body["messages"][1], called("look", "{}")["choices"][0]["message"]);
    play.receive_any("a", 200, &called("see", "{}"));
    assert_eq!(asked(&play).2, ["a", "a"]);
    play.answer("b", "There is nothing to look at.");
    assert_eq!(play.replied().1["check"]["violations"], json!(["see(): there is no such function"]));
}

#[test]
fn calls_of_the_legacy_form_are_checked_too() {
    let mut request = says("Look.");
    request["functions"] = json!([{"name": "look", "parameters": person()}]);
    let mut play = Play::begin(&json!(true), &request);
    let mut answer = called("", "");
    let call = json!({"name": "look", "arguments": "{}"});
    answer["choices"][0]["message"] = json!({"role": "assistant", "content": null, "function_call": call});
    play.receive_any("a", 200, &answer);
    let turn = &asked(&play).0["messages"][2];
    assert_eq!((&turn["role"], &turn["name"]), (&json!("function"), &json!("look")));
}

#[test]
fn any_object_will_do_where_that_is_asked_for() {
    let mut request = says("JSON!");
    request["response_format"] = json!({"type": "json_object"});
    let mut play = Play::begin(&json!(true), &request);
    play.answer("a", "[1]");
    play.answer("a", "Here: {\"a\": 1}");
    assert_eq!(play.replied().0, "{\"a\": 1}");
}

#[test]
fn whoever_declines_is_not_asked_again_and_what_was_cut_is_asked_of_others() {
    let mut play = checked();
    let mut declines = completion("");
    declines["choices"][0]["message"] = json!({"role": "assistant", "content": null, "refusal": "No."});
    play.receive_any("a", 200, &declines);
    let Some(End::Reply(Ok(body))) = &play.end else { panic!("{:?}", play.end) };
    assert_eq!(body["choices"][0]["message"]["refusal"], "No.");

    let mut cut = completion(r#"{"name":"A"#);
    cut["choices"][0]["finish_reason"] = json!("length");
    let mut play = checked();
    play.receive_any("a", 200, &cut);
    assert_eq!(asked(&play).2, ["a"]);
    play.answer("b", GOOD);
    assert_eq!(play.replied().0, GOOD);
    let mut play = checked();
    for model in ["a", "b", "c"] {
        play.receive_any(model, 200, &cut);
    }
    assert_eq!(play.replied().0, r#"{"name":"A"#, "the client is told by finish_reason");
}

#[test]
fn what_cannot_be_judged_passes_and_that_is_said() {
    for (schema, why) in [
        (json!({"$ref": "#"}), "a `$ref` of the schema leads back to itself"),
        (json!({"$ref": "#/$defs/none"}), "a `$ref` of the schema leads to nothing in it"),
        (json!({"type": 5, "properties": 7, "allOf": [1]}), "the schema is not a JSON Schema"),
    ] {
        let mut play = Play::begin(&json!(true), &wants(&schema));
        play.answer("a", "{}");
        let (text, report) = play.replied();
        assert_eq!((text, &report["check"]), ("{}", &json!({"attempts": 1, "unchecked": why})), "{schema}");
    }
}

#[test]
fn a_stream_has_what_was_checked() {
    let mut request = wants(&person());
    request["stream"] = json!(true);
    request["stream_options"] = json!({"include_usage": true});
    let mut play = Play::begin(&json!(true), &request);
    assert_eq!((asked(&play).0.get("stream"), asked(&play).0.get("stream_options")), (None, None));
    play.answer("a", "no");
    play.answer("a", r#"{"name":"Ada","age":"36"}"#);
    let Some(End::Reply(Err(stream))) = &play.end else { panic!("{:?}", play.end) };
    assert!(stream.contains(r#""content":"{\"name\":\"Ada\",\"age\":36}""#), "{stream}");
    assert!(stream.contains(r#""prompt_tokens":20"#) && stream.contains(r#""attempts":2"#), "{stream}");
    assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
}

#[test]
fn nothing_is_asked_after_the_money_or_the_time_is_spent() {
    let mut play = Play::begin(&json!({"max_cost_usd": 0.000001}), &wants(&person()));
    play.answer("a", "no");
    assert!(play.refused(502)["error"]["message"].as_str().unwrap().contains("after 1 attempt: "));
    let mut play = Play::begin(&json!({"timeout_ms": 5_000}), &wants(&person()));
    play.now = play.now.after(4_000);
    play.answer("a", "no");
    assert_eq!(play.open[0].2, 1_000);
    play.now = play.now.after(1_000);
    play.receive_any("", 504, &json!({"error": {"code": "timeout", "message": "late"}}));
    play.refused(502);
}

#[test]
fn an_ensemble_s_answers_are_good_if_they_fit_and_what_comes_of_it_is_checked() {
    let ensemble = |combine: &str| json!({"ensemble": {"members": [{"model": "a"}, {"model": "b"}], "combine": combine, "model": "d"}});
    let mut play = Play::both(&ensemble("longest"), &json!(true), &wants(&person()));
    play.say("a", r#"{"name":"Ada","age":"36"}"#);
    play.say("b", "I would say that it is Ada, who was 36 years of age.");
    let (text, report) = play.replied();
    assert_eq!((text, &report["ensemble"]["members"][1]["outcome"]), (GOOD, &json!("misfit")));

    let mut play = Play::both(&ensemble("longest"), &json!(true), &wants(&person()));
    play.say("a", "no");
    play.say("b", "not at all");
    assert_eq!(asked(&play).0["model"], "several", "the route's own targets answer, and that is checked");
    play.answer("c", GOOD);
    let (text, report) = play.replied();
    assert_eq!((text, report["ensemble"].is_object()), (GOOD, true));

    let mut play = Play::both(&ensemble("fuse"), &json!(true), &wants(&person()));
    play.say("a", GOOD);
    play.say("b", GOOD);
    assert_eq!(asked(&play).0["model"], "d");
    play.answer("d", "Ada");
    assert_eq!(
        asked(&play).0["messages"].as_array().unwrap().len(),
        4,
        "a system prompt with drafts and three turns"
    );
    play.answer("d", GOOD);
    assert_eq!(play.replied().1["check"]["attempts"], 2);
}

#[test]
fn an_ensemble_s_calls_are_looked_at_unless_the_check_leaves_them_alone() {
    let parameters = json!({"type": "object", "properties": {"at": {"type": "integer"}}, "required": ["at"], "additionalProperties": false});
    let ensemble =
        json!({"ensemble": {"members": [{"model": "a"}, {"model": "b"}], "combine": "first_valid"}});
    for (tools, winner, outcome) in [(true, r#"{"at":2}"#, "misfit"), (false, r#"{"where":1}"#, "ok")] {
        let mut play = Play::both(&ensemble, &json!({"tools": tools}), &offers(&parameters));
        play.receive("a", 200, &called("look", r#"{"where":1}"#));
        if tools {
            play.receive("b", 200, &called("look", r#"{"at":"2"}"#));
        }
        let Some(End::Reply(Ok(answer))) = &play.end else { panic!("{:?}", play.end) };
        let arguments = &answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"];
        assert_eq!(arguments, winner, "{answer}");
        assert_eq!(answer["x_modelgate"]["ensemble"]["members"][0]["outcome"], outcome, "{answer}");
    }
}
