//! Conversations are written as words: who speaks (`s`ystem, `d`eveloper, `u`ser, `a`ssistant, `t`ool, `f`unction), and behind that, in
//! one digit each, which calls an assistant makes or a result answers. `a/1` is a legacy `function_call`. What goes is in brackets.

use super::*;
use crate::json::{Document, Surrogates};
use proptest::prelude::*;
use serde_json::{Value as Tree, json};
use std::cell::Cell;
use std::ops::RangeInclusive;

/// A word as a message, of so many tokens.
fn message(word: &str, tokens: u64) -> Tree {
    let (speaker, ids) = word.split_at(1);
    let role = match speaker {
        "s" => "system",
        "d" => "developer",
        "u" => "user",
        "a" => "assistant",
        "t" => "tool",
        "f" => "function",
        other => panic!("nobody is {other}"),
    };
    let mut message = json!({"role": role, "content": "\"Hi\", [they] said, {\\", "x_tokens": tokens});
    if let Some(name) = ids.strip_prefix('/') {
        message["function_call"] = json!({"name": name, "arguments": "{}"});
    } else if speaker == "a" && !ids.is_empty() {
        let call =
            |id| json!({"id": id, "type": "function", "function": {"name": "look_up", "arguments": "{}"}});
        message["tool_calls"] = ids.chars().map(|id| call(id.to_string())).collect();
    } else if !ids.is_empty() {
        message[if speaker == "t" { "tool_call_id" } else { "name" }] = json!(ids);
    }
    message
}

fn tokens(message: &Message<'_>) -> u64 {
    message.value.get("x_tokens").unwrap().u64().unwrap()
}

fn trimmed(body: &[u8], room: u64) -> Option<Trimmed> {
    let document = Document::parse(body, Surrogates::Paired).unwrap();
    trim(&Request::read(document.root()).unwrap(), body, room, &tokens)
}

/// A request of messages of one token each, and of those of them that are not in brackets.
fn marked(conversation: &str) -> (Tree, Tree) {
    let (mut all, mut left, mut goes) = (Vec::new(), Vec::new(), false);
    for (place, word) in conversation.split_whitespace().enumerate() {
        goes |= word.starts_with('[');
        let mut message = message(word.trim_matches(['[', ']']), 1);
        message["x_place"] = json!(place);
        if !goes {
            left.push(message.clone());
        }
        all.push(message);
        goes &= !word.ends_with(']');
    }
    let request = |messages: Vec<Tree>| json!({"model": "m", "messages": messages, "stream": true});
    (request(all), request(left))
}

/// What is left, and no more, is what is not in brackets, whichever of these rooms there is.
fn assert_left(rooms: RangeInclusive<u64>, conversation: &str) {
    let (body, left) = marked(conversation);
    let count = |request: &Tree| request["messages"].as_array().unwrap().len();
    for room in rooms {
        let found = trimmed(body.to_string().as_bytes(), room).unwrap();
        assert_eq!(String::from_utf8(found.body).unwrap(), left.to_string(), "{conversation} in {room}");
        assert_eq!(found.messages, count(&body) - count(&left), "{conversation} in {room}");
    }
}

#[test]
fn as_many_of_the_oldest_turns_go_as_need_to() {
    for (rooms, conversation) in [
        (6..=9, "s u a u a u"),
        (4..=5, "s [u a] u a u"),
        (2..=3, "s [u a u a] u"),
        // What instructs stays wherever it stands.
        (4..=5, "d [u] s [a] u a"),
        (3..=4, "[u a] s d u"),
        (2..=2, "s s"),
        // Whoever speaks several times in a row is answered once, whatever was instructed meanwhile.
        (4..=6, "[u u a] u u a u"),
        (3..=5, "[u a u u a] u u u"),
        (4..=6, "[u] s s [u a] s u"),
        // The turn that is answered may have come far.
        (5..=7, "[u a u a1 t1] u a1 t1 a23 t2"),
        (4..=5, "s [u a] u a12 t1"),
        // Nobody has asked for a greeting.
        (3..=3, "[a] u a u"),
        (3..=3, "s [a] u a"),
        (2..=2, "a12 t1"),
    ] {
        assert_left(rooms, conversation);
    }
}

#[test]
fn a_call_and_its_results_stay_together() {
    for (rooms, conversation) in [
        (6..=9, "[u a1 t1 a] u a12 t1 t2 a u"),
        (3..=7, "s [u a12 t2 t1 a] u a"),
        (3..=6, "[u a/f ff a] u a u"),
        // A user has spoken before the result came.
        (5..=8, "[u a1 u t1] u a1 u t1 u"),
        (4..=7, "[u a1 u t1] u a1 t1 u"),
        (3..=8, "[u a1 u a u t1] u a u"),
        (3..=9, "[u a12 u t1 u t2 a] u a u"),
        (3..=6, "[u a/f u ff] u a u"),
        // A result in the turn that is answered holds its call.
        (4..=5, "[u a] u a1 u t1"),
        (5..=6, "[u a] u a12 t1 u t2"),
        // Ids are used again: a result is the latest call's.
        (3..=4, "[u a1 t1 u a1] u a1 t1"),
        (5..=6, "[u a1] u a1 u t1 a"),
        // A call that was never answered, and a result of none, hold nobody.
        (2..=3, "[u a1] u a"),
        (2..=3, "[u a1 u t9] u a"),
        (1..=1, "[t9] u"),
    ] {
        assert_left(rooms, conversation);
    }
}

#[test]
fn what_has_to_stay_and_has_no_room_is_not_cut() {
    for (room, conversation) in [
        (0, "u"),
        (1, "s s"),
        (2, "s u a u a"),
        (1, "u a u u"),
        (3, "u a u a1 t1 a"),
        (3, "u a1 u t1"),
        (2, "s a a"),
        (1, "a1 t1"),
    ] {
        assert_eq!(trimmed(marked(conversation).0.to_string().as_bytes(), room), None, "{conversation}");
    }
}

#[test]
fn an_escaped_id_is_the_same_id() {
    let (body, left) = marked("[u a1 u t1] u a u");
    let body = body.to_string().replace(r#""tool_call_id":"1""#, r#""tool_call_id":"\u0031""#);
    let found = trimmed(body.as_bytes(), 6).unwrap();
    assert_eq!(String::from_utf8(found.body).unwrap(), left.to_string());
}

#[test]
fn every_byte_of_what_stays_is_as_it_was() {
    let body = r#" { "messages" :
        [ {"role":"system","content":"\u0042e \"brief\", [please]","x_tokens":1}
        , {"role":"user","content":"a","x_tokens":1},
          {"role": "assistant", "content": "b", "x_tokens":1}
        ,	{"role":"developer","content":[{"type":"text","text":"]},{"}], "x": {"y":[1e5, 2.50]}, "x_tokens":1} ,
          {"role":"user","content":"c","x_tokens":1},
          {"role":"user","content":"d","x_tokens":1, "x" :null} ] , "temperature": 1.0,"model":"m", "messages_2": [] }
"#;
    let left = r#" { "messages" :
        [ {"role":"system","content":"\u0042e \"brief\", [please]","x_tokens":1}
        ,	{"role":"developer","content":[{"type":"text","text":"]},{"}], "x": {"y":[1e5, 2.50]}, "x_tokens":1} ,
          {"role":"user","content":"c","x_tokens":1},
          {"role":"user","content":"d","x_tokens":1, "x" :null} ] , "temperature": 1.0,"model":"m", "messages_2": [] }
"#;
    let found = trimmed(body.as_bytes(), 4).unwrap();
    assert_eq!((String::from_utf8(found.body).unwrap().as_str(), found.messages), (left, 2));
    let found = trimmed(body.as_bytes(), 6).unwrap();
    assert_eq!((String::from_utf8(found.body).unwrap().as_str(), found.messages), (body, 0));
}

#[test]
fn an_estimate_beyond_all_bounds_has_no_room() {
    // 0 stands for more than can be counted.
    let words = [("s", 1), ("u", 0), ("a", 0), ("u", 2), ("a", 3), ("u", 4)];
    let messages: Vec<_> = words.iter().map(|(word, tokens)| message(word, *tokens)).collect();
    let body = json!({"model": "m", "messages": messages}).to_string();
    let document = Document::parse(body.as_bytes(), Surrogates::Paired).unwrap();
    let request = Request::read(document.root()).unwrap();
    let huge = |message: &Message<'_>| tokens(message).checked_sub(1).map_or(u64::MAX, |less| less + 1);
    for (room, left_out) in [(9, Some(4)), (10, Some(2)), (u64::MAX - 1, Some(2)), (4, None)] {
        let found = trim(&request, body.as_bytes(), room, &huge).map(|found| found.messages);
        assert_eq!(found, left_out, "{room}");
    }
}

/// A word of a conversation, and how many tokens it has.
fn words() -> impl Strategy<Value = Vec<(String, u64)>> {
    let word = prop_oneof![
        2 => Just("s".to_owned()),
        1 => Just("d".to_owned()),
        6 => Just("u".to_owned()),
        4 => Just("a".to_owned()),
        4 => "a[1-4]{1,3}",
        6 => "t[1-4]",
        1 => "a/[xy]",
        1 => "f[xy]",
    ];
    prop::collection::vec((word, 0..20_u64), 1..24)
}

/// The message that a result answers: the latest before it with a call of that id.
fn answers(words: &[(String, u64)], result: usize) -> Option<usize> {
    let id = words[result].0.strip_prefix(['t', 'f'])?;
    words[..result].iter().rposition(|(word, _)| word.starts_with('a') && word.contains(id))
}

fn instructs(word: &str) -> bool {
    matches!(word, "s" | "d")
}

/// Whether all that is said before `place` may go: a user begins there and is not the last to, and nothing after it answers what
/// came before.
fn may_begin(words: &[(String, u64)], place: usize) -> bool {
    let said = |(word, _): &&(String, u64)| !instructs(word);
    let before = words[..place].iter().rfind(said);
    words[place].0 == "u"
        && before.is_some_and(|(word, _)| word != "u")
        && (place..words.len()).all(|at| answers(words, at).is_none_or(|call| call >= place))
}

/// The text of a request, with some white space between its words.
fn written(words: &[(String, u64)], spaces: &[u8]) -> Vec<u8> {
    let mut spaces = spaces.iter().cycle();
    let mut space = move || ["", " ", "\n\t", " \r\n  "][usize::from(*spaces.next().unwrap_or(&0)) % 4];
    let messages = words.iter().enumerate().map(|(place, (word, tokens))| {
        let mut message = message(word, *tokens);
        message["x_place"] = json!(place);
        let text = if place % 3 == 0 {
            serde_json::to_string_pretty(&message)
        } else {
            serde_json::to_string(&message)
        };
        format!("{}{}{}", space(), text.unwrap(), space())
    });
    let messages = messages.collect::<Vec<_>>().join(",");
    format!("{{\"x\": [1.50, \"\\u0041\"], \"messages\": [{messages}],\"model\":\"m\" }}\n").into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn what_is_left_is_the_most_of_the_conversation_that_has_room_and_makes_sense(
        words in words(), room in 0..200_u64, spaces: [u8; 5],
    ) {
        let body = written(&words, &spaces);
        let document = Document::parse(&body, Surrogates::Paired).unwrap();
        let request = Request::read(document.root()).unwrap();
        let asked = Cell::new(0);
        let count = |message: &Message<'_>| {
            asked.set(asked.get() + 1);
            tokens(message)
        };
        let found = trim(&request, &body, room, &count);
        prop_assert_eq!(asked.get(), words.len(), "each message is estimated once");

        // Tried one after the other: what stays if everything said before a place goes.
        let stays = |begin: usize| -> Vec<usize> {
            (0..words.len()).filter(|at| *at >= begin || instructs(&words[*at].0)).collect()
        };
        let has_room = |stays: &Vec<usize>| stays.iter().map(|at| words[*at].1).sum::<u64>() <= room;
        let begins = (0..words.len()).filter(|place| *place == 0 || may_begin(&words, *place));
        let expected = begins.map(stays).find(has_room);
        prop_assert_eq!(found.is_some(), expected.is_some());
        let Some((found, expected)) = found.zip(expected) else { return Ok(()) };

        let left = Document::parse(&found.body, Surrogates::Paired).unwrap();
        let left = Request::read(left.root()).unwrap();
        let place = |message: &Message<'_>| message.value.get("x_place").unwrap().u64().unwrap() as usize;
        let places: Vec<_> = left.messages.iter().map(place).collect();
        prop_assert_eq!(&places, &expected);
        prop_assert_eq!(found.messages, words.len() - places.len());

        // And whatever was tried: all that instructs, the last question and all after it, and only what is whole.
        let last_user = words.iter().rposition(|(word, _)| word == "u").unwrap_or(0);
        for (at, (word, _)) in words.iter().enumerate() {
            let stays = |at: usize| places.binary_search(&at).is_ok();
            prop_assert!(stays(at) || at < last_user && !instructs(word));
            prop_assert!(answers(&words, at).is_none_or(|call| stays(call) == stays(at)));
        }
        let first = places.iter().find(|at| !instructs(&words[**at].0));
        prop_assert!(found.messages == 0 || first.is_some_and(|at| words[*at].0 == "u"));

        // Byte for byte.
        for message in &left.messages {
            prop_assert_eq!(message.value.raw(), request.messages[place(message)].value.raw());
        }
        let around = |body: &[u8], request: &Request<'_>| {
            let messages = request.get("messages").unwrap().span();
            [body[..messages.start].to_vec(), body[messages.end..].to_vec()]
        };
        prop_assert_eq!(around(&found.body, &left), around(&body, &request));
    }
}
