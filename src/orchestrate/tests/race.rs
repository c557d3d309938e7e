use super::*;

fn race(more: &Value) -> Value {
    let mut race = json!({"targets": [{"model": "a"}, {"model": "b"}, {"model": "c"}]});
    race.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    json!({"race": race})
}

fn outcomes(report: &Value) -> Vec<&str> {
    let targets = report["race"]["targets"].as_array().unwrap();
    targets.iter().map(|target| target["outcome"].as_str().unwrap()).collect()
}

#[test]
fn the_first_good_answer_counts() {
    let mut play = Play::begin(&race(&json!({"stagger_ms": 0})), &says("Hi"));
    assert_eq!(play.asked(), ["a", "b", "c"]);
    play.fail("b");
    assert_eq!(play.end, None);
    play.say("c", "fast");
    let (text, report) = play.replied();
    assert_eq!((text, outcomes(report)), ("fast", vec!["cancelled", "503:overloaded", "ok"]));
    assert_eq!(report["race"]["winner"], 2);
}

#[test]
fn the_next_starts_when_the_one_before_is_late() {
    let known = Known { name: "a".into(), price: None, late_ms: Some(730) };
    let mut play = Play::knowing(vec![known], &race(&json!({})), &says("Hi"));
    assert_eq!(play.asked(), ["a", "nobody"]);
    assert_eq!(play.open[1].2, 730, "nineteen of twenty of its answers are there by then");
    play.fail("nobody");
    assert_eq!(play.asked(), ["a", "b", "nobody"]);
    assert_eq!(play.open[2].2, 2_000, "nothing is known of it");
    play.say("a", "late but good");
    let (text, report) = play.replied();
    assert_eq!((text, outcomes(report)), ("late but good", vec!["ok", "cancelled", "not_started"]));
}

#[test]
fn nobody_waits_for_whoever_is_out() {
    let mut play = Play::begin(&race(&json!({"stagger_ms": 500})), &says("Hi"));
    play.fail("a");
    assert_eq!(play.asked(), ["nobody", "b", "nobody"]);
    play.fail("nobody");
    assert_eq!(play.asked(), ["b", "nobody"], "that wait was for somebody else");
    play.fail("nobody");
    assert_eq!(play.asked(), ["b", "c"]);
    play.fail("b");
    play.fail("c");
    assert_eq!(play.forwarded().0["model"], "several", "the route's own targets answer");
}

#[test]
fn an_answer_that_does_not_fit_wins_no_race_where_answers_are_checked() {
    let mut request = says("Hi");
    request["response_format"] = json!({"type": "json_object"});
    let rule = race(&json!({"stagger_ms": 0}));
    let mut play = Play::both(&rule, &json!(true), &request);
    play.say("b", "Well.");
    assert_eq!(play.end, None);
    play.say("c", "So: {}");
    let (text, report) = play.replied();
    assert_eq!((text, outcomes(report)), ("{}", vec!["cancelled", "misfit", "ok"]));
    let mut play = Play::both(&rule, &json!(true), &request);
    play.say("a", "Well.");
    play.say("b", "No.");
    play.say("c", "Hm.");
    assert_eq!(play.asked(), ["several"], "the route's own targets are asked, and that is checked");
    play.answer("a", "{}");
    assert_eq!(play.replied().0, "{}");
}

#[test]
fn any_answer_is_better_than_none() {
    let mut cut = completion("cut o");
    cut["choices"][0]["finish_reason"] = json!("length");
    let mut play = Play::begin(&race(&json!({"stagger_ms": 0})), &says("Hi"));
    play.receive("b", 200, &cut);
    play.fail("a");
    play.fail("c");
    assert_eq!(play.replied().0, "cut o");
}
