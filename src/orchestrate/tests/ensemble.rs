use super::*;

fn ensemble(more: &Value) -> Value {
    let mut ensemble = json!({"members": [{"model": "a"}, {"model": "b"}, {"model": "c"}]});
    ensemble.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    json!({"ensemble": ensemble})
}

fn judged() -> Value {
    ensemble(&json!({"combine": "best_of_n", "judge": {"model": "judge", "rubric": "It rhymes."}}))
}

#[test]
fn members_are_asked_at_once_what_the_client_has_asked_with_what_is_changed_for_them() {
    let mut rule = ensemble(&json!({"combine": "longest"}));
    rule["ensemble"]["members"][1] =
        json!({"model": "b", "request": {"system": "Be bold.", "temperature": 1.5, "max_tokens": 50}});
    let mut request = says("Hi");
    request["stream"] = json!(true);
    request["stream_options"] = json!({"include_usage": true});
    request["seed"] = json!(7);
    let play = Play::begin(&rule, &request);
    let user = json!({"role": "user", "content": "Hi"});
    let bodies: Vec<_> = play.open.iter().map(|(_, body, _)| body.clone()).collect();
    let plain = |model| json!({"model": model, "messages": [user], "seed": 7});
    let mut bold = plain("b");
    bold["messages"] = json!([{"role": "system", "content": "Be bold."}, user]);
    bold["temperature"] = json!(1.5);
    bold["max_completion_tokens"] = json!(50);
    assert_eq!(bodies, [plain("a"), bold, plain("c")]);
}

#[test]
fn the_majority_is_heard_whoever_answers_first() {
    let rule = ensemble(&json!({"combine": "vote", "vote": {"by": "number"}}));
    for order in [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]] {
        let mut play = Play::begin(&rule, &says("6 * 7?"));
        for model in order {
            assert_eq!(play.end, None);
            play.say(model, if model == "a" { "41" } else { "It is 42." });
        }
        let (text, report) = play.replied();
        assert_eq!((text, &report["ensemble"]["chosen"]), ("It is 42.", &json!(1)));
    }
}

#[test]
fn a_weight_is_worth_so_many_votes() {
    let mut rule = ensemble(&json!({"combine": "vote"}));
    rule["ensemble"]["members"][0]["weight"] = json!(3);
    let mut play = Play::begin(&rule, &says("Yes or no?"));
    for (model, text) in [("a", "Yes."), ("b", "no"), ("c", "No")] {
        play.say(model, text);
    }
    assert_eq!(play.replied().0, "Yes.");
}

#[test]
fn votes_that_agree_need_not_wait_for_others() {
    let mut play = Play::begin(&ensemble(&json!({"combine": "vote", "quorum": 2})), &says("Yes or no?"));
    play.say("a", "yes");
    assert_eq!(play.end, None);
    play.say("b", "no");
    assert_eq!(play.end, None, "they do not agree");
    let mut play = Play::begin(&ensemble(&json!({"combine": "vote", "quorum": 2})), &says("Yes or no?"));
    play.say("c", "yes");
    play.say("b", "Yes");
    let (text, report) = play.replied();
    assert_eq!((text, &report["ensemble"]["members"][0]["outcome"]), ("Yes", &json!("not_waited_for")));
}

#[test]
fn the_judge_decides_by_the_rubric() {
    let mut play = Play::begin(&judged(), &says("A poem"));
    for (model, text) in [("a", "one"), ("b", "two"), ("c", "three")] {
        play.say(model, text);
    }
    assert_eq!(play.asked(), ["judge", "judge", "judge"]);
    let body = play.open[1].1.clone();
    assert!(body["messages"][0]["content"].as_str().unwrap().contains("It rhymes."));
    let shown = body["messages"][1]["content"].as_str().unwrap();
    assert!(shown.contains("user: A poem") && shown.contains("<answer>\ntwo\n</answer>"), "{shown}");
    play.say("judge", r#"{"score": 6}"#);
    play.say("judge", "8.5/10");
    play.say("judge", "3");
    let (text, report) = play.replied();
    assert_eq!(text, "two");
    let scores: Vec<_> =
        report["ensemble"]["members"].as_array().unwrap().iter().map(|it| it["score"].clone()).collect();
    assert_eq!(scores, [json!(6), json!(8.5), json!(3)]);
}

#[test]
fn a_judge_who_says_nothing_of_use_is_asked_once_more_and_then_agreement_decides() {
    let mut play = Play::begin(&judged(), &says("A poem"));
    for (model, text) in [("a", "red roses"), ("b", "red roses bloom"), ("c", "a car")] {
        play.say(model, text);
    }
    for _ in 0..3 {
        play.say("judge", "I cannot say");
    }
    assert_eq!(play.asked().len(), 3, "each once more");
    play.fail("judge");
    play.say("judge", "Hm");
    play.say("judge", "");
    let (text, report) = play.replied();
    assert_eq!((text, &report["ensemble"]["combine"]), ("red roses", &json!("agreement")));
}

#[test]
fn a_model_writes_one_answer_of_all_and_the_client_gets_it_as_it_comes() {
    let mut request = says("Why?");
    request["stream"] = json!(true);
    let mut play = Play::begin(&ensemble(&json!({"combine": "fuse", "model": "d"})), &request);
    play.say("a", "Because.");
    play.fail("b");
    play.say("c", "By chance.");
    let (body, before) = play.forwarded();
    assert_eq!((&body["model"], &body["stream"]), (&json!("d"), &json!(true)));
    let system = body["messages"][0]["content"].as_str().unwrap();
    assert!(system.contains("<draft number=\"1\">\nBecause.\n</draft>"), "{system}");
    assert!(system.contains("<draft number=\"2\">\nBy chance.\n</draft>"), "{system}");
    assert_eq!((before.usage.prompt, before.usage.completion), (20, 10));
    assert_eq!(before.cost, Some(NanoUsd::new(2_000)));
}

#[test]
fn the_longest_or_the_first_good_answer_is_taken() {
    let mut play = Play::begin(&ensemble(&json!({"combine": "longest"})), &says("Hi"));
    for (model, text) in [("a", "ööö"), ("b", "four"), ("c", "x")] {
        play.say(model, text);
    }
    assert_eq!(play.replied().0, "four");
    let mut play = Play::begin(&ensemble(&json!({"combine": "first_valid"})), &says("Hi"));
    play.fail("a");
    let mut cut = completion("cut o");
    cut["choices"][0]["finish_reason"] = json!("length");
    play.receive("c", 200, &cut);
    assert_eq!(play.end, None, "an answer that was cut is not good");
    play.say("b", "good");
    assert_eq!(play.replied().0, "good");
}

#[test]
fn whoever_fails_is_left_out_and_listed() {
    let mut play = Play::begin(&judged(), &says("A poem"));
    play.fail("a");
    play.receive("b", 200, &json!({"choices": []}));
    play.say("c", "alone");
    let (text, report) = play.replied();
    assert_eq!(text, "alone", "nobody has to judge who is alone");
    let outcomes: Vec<_> =
        report["ensemble"]["members"].as_array().unwrap().iter().map(|it| it["outcome"].clone()).collect();
    assert_eq!(outcomes, [json!("503:overloaded"), json!("no_answer"), json!("ok")]);
}

#[test]
fn too_few_answers_leave_it_to_the_route() {
    let mut play = Play::begin(&ensemble(&json!({"combine": "longest", "min_responses": 2})), &says("Hi"));
    play.fail("a");
    play.say("b", "one");
    play.fail("c");
    let (body, before) = play.forwarded();
    assert_eq!((&body["model"], before.usage.prompt), (&json!("several"), 10));
}

#[test]
fn the_bill_is_the_sum_of_all_calls() {
    let mut play = Play::begin(&judged(), &says("A poem"));
    for model in ["a", "b", "c"] {
        play.say(model, model);
    }
    for _ in 0..3 {
        play.say("judge", "5");
    }
    let Some(End::Reply(Ok(body))) = &play.end else { panic!() };
    assert_eq!(body["usage"]["prompt_tokens"], 60);
    assert_eq!(body["usage"]["completion_tokens"], 30);
    assert_eq!(body["x_modelgate"]["cost_usd"], 0.000006);
}

#[test]
fn a_stream_has_the_answer_and_all_usage() {
    let mut request = says("Hi");
    request["stream"] = json!(true);
    request["stream_options"] = json!({"include_usage": true});
    let mut play = Play::begin(&ensemble(&json!({"combine": "longest"})), &request);
    for (model, text) in [("a", "short"), ("b", "the longest"), ("c", "x")] {
        play.say(model, text);
    }
    let Some(End::Reply(Err(stream))) = &play.end else { panic!("{:?}", play.end) };
    assert!(stream.contains(r#""content":"the longest""#), "{stream}");
    assert!(
        stream.contains(r#""prompt_tokens":30"#) && stream.contains(r#""x_modelgate":{"cost_usd""#),
        "{stream}"
    );
    assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
}

#[test]
fn no_call_is_made_after_the_money_or_the_time_is_spent() {
    let mut rule = judged();
    rule["max_cost_usd"] = json!(0.000002);
    let mut play = Play::begin(&rule, &says("A poem"));
    for (model, text) in [("a", "red roses"), ("b", "red roses bloom"), ("c", "a car")] {
        play.say(model, text);
    }
    assert_eq!(play.replied().0, "red roses", "they agree, and nobody is paid to judge");

    let mut rule = judged();
    rule["timeout_ms"] = json!(5_000);
    let mut play = Play::begin(&rule, &says("A poem"));
    assert!(play.open.iter().all(|(.., ms)| *ms == 5_000));
    play.say("a", "a");
    play.say("b", "b");
    play.now = play.now.after(4_000);
    play.say("c", "c");
    assert!(play.open.iter().all(|(.., ms)| *ms == 1_000), "no call takes longer than what is left");
    play.now = play.now.after(1_000);
    for _ in 0..3 {
        play.fail("judge");
    }
    assert_eq!(play.replied().1["ensemble"]["combine"], "agreement");
}

#[test]
fn a_member_may_have_a_deadline_of_its_own_within_that_of_all() {
    let mut rule = ensemble(&json!({"combine": "longest"}));
    rule["call_timeout_ms"] = json!(2_000);
    rule["ensemble"]["members"][0]["timeout_ms"] = json!(300);
    rule["ensemble"]["members"][1]["timeout_ms"] = json!(9_000);
    let mut play = Play::begin(&rule, &says("Hi"));
    let deadlines: Vec<_> = play.open.iter().map(|(.., ms)| *ms).collect();
    assert_eq!(deadlines, [300, 2_000, 2_000]);
    play.now = play.now.after(300);
    play.receive("a", 504, &json!({"error": {"code": "timeout", "message": "late"}}));
    play.say("b", "in time");
    play.say("c", "now");
    let (text, report) = play.replied();
    assert_eq!((text, &report["ensemble"]["members"][0]["outcome"]), ("in time", &json!("504:timeout")));
}

#[test]
fn what_may_not_be_held_counts_as_failed() {
    let mut play = Play::begin(&ensemble(&json!({"combine": "longest"})), &says("Hi"));
    play.say("a", "short");
    play.say("b", &"long".repeat(300_000));
    play.say("c", "no");
    let (text, report) = play.replied();
    assert_eq!((text, &report["ensemble"]["members"][1]["outcome"]), ("short", &json!("too_long")));
}

#[test]
fn enough_good_answers_are_not_waited_for_in_any_way_of_combining() {
    for combine in [json!({"combine": "longest"}), json!({"combine": "fuse", "model": "d"})] {
        let mut rule = ensemble(&combine);
        rule["ensemble"]["quorum"] = json!(2);
        let mut play = Play::begin(&rule, &says("Hi"));
        play.say("c", "Well.");
        assert!(play.end.is_none());
        play.say("a", "Hello there.");
        match &play.end {
            Some(End::Reply(_)) => assert_eq!(play.replied().0, "Hello there."),
            _ => assert_eq!(play.forwarded().0["model"], "d"),
        }
    }
}

#[test]
fn no_model_writes_the_answer_after_the_money_is_spent() {
    let mut rule = ensemble(&json!({"combine": "fuse", "model": "d"}));
    rule["max_cost_usd"] = json!(0.000_001);
    let mut play = Play::begin(&rule, &says("Hi"));
    for (model, words) in [("a", "Hello."), ("b", "Hello."), ("c", "Bonjour.")] {
        play.say(model, words);
    }
    let (text, report) = play.replied();
    assert_eq!((text, &report["ensemble"]["combine"]), ("Hello.", &json!("agreement")));
}
