use super::*;
use crate::cache::semantic::Question;
use crate::config::{CachePolicy, Exact, Semantic, Similarity, When};

const DETERMINISTIC: CachePolicy =
    CachePolicy { exact: Some(Exact { when: When::Deterministic, ttl: 100 }), semantic: None };
const ALWAYS: CachePolicy =
    CachePolicy { exact: Some(Exact { when: When::Always, ttl: 100 }), semantic: None };

fn similar(ttl: u64) -> Option<Semantic> {
    Some(Semantic { threshold: Similarity::SAFE, ttl })
}

fn handling(body: &Tree, policy: CachePolicy, control: &str) -> Handling {
    let control = Control::read([control.as_bytes()]);
    with(&body.to_string(), |request| Handling::of(request, policy, control))
}

#[test]
fn deterministic_requests_are_answered_again_and_others_where_it_is_said() {
    let exact = Handling { exact: Some(100), keep: Some(100), ..Handling::default() };
    for (member, value, is_deterministic) in [
        ("temperature", json!(0), true),
        ("temperature", json!(0.0), true),
        ("temperature", json!(-0.0), true),
        ("temperature", json!(0.1), false),
        ("temperature", json!(null), false),
        ("n", json!(3), true),
        ("stream", json!(true), true),
        ("store", json!(false), true),
        ("modalities", json!(["text"]), true),
        ("tools", json!([{"type": "function", "function": {"name": "f"}}]), true),
        ("tools", json!([{"type": "web_search_20250305"}]), false),
        ("web_search_options", json!({}), false),
    ] {
        let mut body = asking("hi");
        body[member] = value;
        let expected = if is_deterministic { exact.clone() } else { Handling::default() };
        assert_eq!(handling(&body, DETERMINISTIC, ""), expected, "{body}");
        assert_eq!(handling(&body, ALWAYS, ""), exact.clone(), "{body}");
        assert_eq!(handling(&body, CachePolicy::default(), ""), Handling::default(), "{body}");
    }
}

#[test]
fn what_is_for_more_than_an_answer_goes_past_the_cache() {
    for (member, value) in [("store", json!(true)), ("modalities", json!(["text", "audio"]))] {
        let mut body = asking("hi");
        body[member] = value;
        let handling = handling(&body, CachePolicy { semantic: similar(9), ..ALWAYS }, "");
        assert_eq!((handling.without_answer(), handling), (Status::Bypass, Handling::default()), "{body}");
    }
}

#[test]
fn questions_are_compared_only_where_there_is_one() {
    let policy = CachePolicy { exact: None, semantic: similar(50) };
    let asks = "How do ticks look?";
    let mut body = asking(asks);
    body["temperature"] = json!(1);
    let semantic = Some((Similarity::SAFE, 50));
    let expected =
        Handling { semantic, keep: Some(50), question: Question::read(asks), ..Handling::default() };
    assert!(expected.question.is_some());
    assert_eq!(handling(&body, policy, ""), expected);
    assert_eq!(expected.without_answer(), Status::Miss);
    let both = CachePolicy { semantic: similar(500), ..ALWAYS };
    assert_eq!(handling(&body, both, "").keep, Some(500), "for as long as either may want it");
    body["messages"] = json!([{"role": "user", "content": asks}, {"role": "assistant", "content": "ho"}]);
    assert_eq!(handling(&body, policy, ""), Handling::default());
    assert_eq!(handling(&asking("hi"), policy, ""), Handling::default(), "too little to be compared");
}

#[test]
fn what_the_client_says_holds() {
    let body = asking("How do ticks look?");
    let policy = CachePolicy { semantic: similar(200), ..ALWAYS };
    let all = handling(&body, policy, "");
    assert_eq!(all.exact, Some(100));
    let kept_only = Handling { keep: Some(200), question: all.question.clone(), ..Handling::default() };
    for (control, expected, status) in [
        ("", all.clone(), Status::Miss),
        (
            "max-age=5",
            Handling { exact: Some(5), semantic: Some((Similarity::SAFE, 5)), ..all.clone() },
            Status::Miss,
        ),
        (
            "min-fresh=20",
            Handling { exact: Some(80), semantic: Some((Similarity::SAFE, 180)), ..all.clone() },
            Status::Miss,
        ),
        ("no-cache", kept_only, Status::Bypass),
        ("no-store", Handling::default(), Status::Bypass),
        ("no-store, no-cache", Handling::default(), Status::Bypass),
        ("only-if-cached", Handling { only_if_cached: true, ..all.clone() }, Status::Miss),
        (
            "only-if-cached, no-store",
            Handling { only_if_cached: true, ..Handling::default() },
            Status::Bypass,
        ),
    ] {
        let handling = handling(&body, policy, control);
        assert_eq!((handling.without_answer(), handling), (status, expected), "{control}");
    }
    let error = not_cached();
    assert_eq!((error.status, error.code.as_deref()), (504, Some("not_cached")));
}
