use super::*;
use proptest::prelude::*;

/// The first turn of a conversation.
fn first() -> Tree {
    json!({
        "model": "chat",
        "stream": true,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Use the tools."}]},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://e.x/i.png", "detail": "low"}}
            ]}
        ],
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}},
            {"type": "function", "function": {"name": "go", "description": "Goes."}}
        ]
    })
}

/// Later turns of it.
fn later() -> Vec<Tree> {
    vec![
        json!({"role": "assistant", "content": "I look.", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}]}),
        json!({"role": "tool", "tool_call_id": "c", "content": "a cat"}),
        json!({"role": "assistant", "content": "A cat."}),
        json!({"role": "system", "content": "The user is impatient."}),
        json!({"role": "user", "content": "Sure?"}),
    ]
}

#[test]
fn a_conversation_has_one_key_as_it_grows() {
    let mut body = first();
    let key = key_of(&body);
    for turn in later() {
        body["messages"].as_array_mut().unwrap().push(turn);
        assert_eq!(key_of(&body), key, "{body}");
    }
    for (name, value) in [
        ("model", json!("gpt-mini")),
        ("temperature", json!(1)),
        ("stream", json!(false)),
        ("max_tokens", json!(9)),
        ("metadata", json!({"turn": "9"})),
    ] {
        body[name] = value;
        assert_eq!(key_of(&body), key, "{name}");
    }
}

#[test]
fn another_beginning_is_another_conversation() {
    let mut keys = vec![key_of(&first())];
    for (place, value) in [
        ("/messages/0/content", json!("Be brief!")),
        ("/messages/0/content", json!("")),
        ("/messages/1/content/0/text", json!("Use no tools.")),
        ("/messages/2/content/0/text", json!("What is that?")),
        ("/messages/2/content/1/image_url/url", json!("https://e.x/j.png")),
        ("/messages/2/content", json!("What is this?")),
        ("/tools/0/function/name", json!("see")),
        ("/tools/1/function/description", json!("Walks.")),
        ("/tools/0/function/parameters", json!({})),
        ("/tools", json!([])),
    ] {
        let mut body = first();
        *body.pointer_mut(place).unwrap() = value;
        keys.push(key_of(&body));
    }
    for left_out in 0..3 {
        let mut body = first();
        body["messages"].as_array_mut().unwrap().remove(left_out);
        keys.push(key_of(&body));
    }
    let mut body = first();
    body["tools"].as_array_mut().unwrap().swap(0, 1);
    keys.push(key_of(&body));
    with(&first().to_string(), |request| {
        for (route, consumer, explicit) in [
            ("chat", "acm", None),
            ("cha", "acme", None),
            ("chata", "cme", None),
            ("acme", "chat", None),
            ("chat", "acme", Some("")),
            ("chat", "acme", Some("a")),
            ("chat", "acmea", Some("")),
        ] {
            keys.push(Key::of(request, route, consumer, explicit));
        }
    });
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(key), "{at}");
    }
}

#[test]
fn what_moves_from_one_part_to_another_makes_another_conversation() {
    let said = |messages: &[(&str, &str)]| {
        let messages: Vec<_> =
            messages.iter().map(|(role, content)| json!({"role": role, "content": content})).collect();
        key_of(&json!({"model": "chat", "messages": messages}))
    };
    let keys = [
        said(&[("user", "ab")]),
        said(&[("system", "ab")]),
        said(&[("system", "a"), ("user", "b")]),
        said(&[("system", "a"), ("system", "b")]),
        said(&[("system", "a"), ("assistant", "b")]),
        said(&[("system", "ab"), ("user", "")]),
        said(&[("system", ""), ("user", "ab")]),
    ];
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(key), "{at}");
    }
}

#[test]
fn an_explicit_key_is_all_that_counts() {
    let of = |body: &Tree, explicit| {
        with(&body.to_string(), |request| Key::of(request, "chat", "acme", Some(explicit)))
    };
    let other = json!({"model": "chat", "messages": [{"role": "user", "content": "Hello"}]});
    assert_eq!(of(&first(), "thread-1"), of(&other, "thread-1"));
    assert_ne!(of(&first(), "thread-1"), of(&first(), "thread-2"));
}

#[test]
fn how_later_turns_and_members_that_do_not_count_are_spaced_does_not_matter() {
    let beginning = r#"{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}"#;
    let of = |body: &str| with(body, |request| Key::of(request, "chat", "acme", None));
    let key = of(&format!(r#"{{"model":"chat","messages":[{beginning}]}}"#));
    for body in [
        r#"{"model":"chat","messages":[BEGINNING,{"role":"assistant","content":"Yes?"}]}"#,
        r#"{ "messages" : [ BEGINNING ,	{"content" : "Yes?", "role":"assistant"}
            , {"role":"user","content" :"Well"} ] , "model" : "chat" }"#,
    ] {
        assert_eq!(of(&body.replace("BEGINNING", beginning)), key, "{body}");
    }
}

#[test]
fn a_mark_for_a_cache_that_moves_on_leaves_the_conversation_what_it_is() {
    let mark = json!({"type": "ephemeral"});
    let key = key_of(&first());
    for place in ["/messages/0", "/messages/2", "/messages/2/content/0", "/messages/2/content/1"] {
        let mut body = first();
        body.pointer_mut(place).unwrap()["cache_control"] = mark.clone();
        assert_eq!(key_of(&body), key, "{place}");
    }
    let mut body = first();
    body["messages"][0]["content"] = json!([{"type": "text", "text": "Be brief.", "cache_control": mark}]);
    assert_eq!(key_of(&body), key, "a string becomes a part, so that there is room for a mark");
}

#[test]
fn no_more_than_a_window_of_each_part_is_looked_at() {
    let body = |system: &str, tool: &str, user: &str| {
        key_of(&json!({
            "model": "chat",
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "tools": [{"type": "function", "function": {"name": "f", "description": tool}}]
        }))
    };
    let long = "x".repeat(17_000);
    let longer = format!("{long}y");
    let key = body(&long, &long, &long);
    assert_eq!(body(&longer, &longer, &longer), key, "nobody looks so far");
    let early = format!("y{long}");
    for (system, tool, user) in [(&early, &long, &long), (&long, &early, &long), (&long, &long, &early)] {
        assert_ne!(body(system, tool, user), key, "each part has a window of its own");
    }
}

#[test]
fn a_conversation_in_which_no_user_speaks_has_a_key() {
    let only = |content: &str| {
        key_of(&json!({"model": "chat", "messages": [{"role": "system", "content": content}]}))
    };
    assert_ne!(only("a"), only("b"));
    assert_eq!(only("a"), only("a"));
}

proptest! {
    #[test]
    fn whatever_comes_later_the_key_stays_and_whatever_comes_first_changes_it(
        system in "\\PC{0,40}", user in "\\PC{0,40}", other in "\\PC{0,40}",
        later in prop::collection::vec(("user|assistant|system", "\\PC{1,40}"), 0..6),
    ) {
        let body = |system: &str, user: &str, later: &[(String, String)]| {
            let mut messages = vec![json!({"role": "system", "content": system}), json!({"role": "user", "content": user})];
            messages.extend(later.iter().map(|(role, content)| json!({"role": role, "content": content})));
            key_of(&json!({"model": "chat", "messages": messages}))
        };
        let key = body(&system, &user, &[]);
        prop_assert_eq!(body(&system, &user, &later), key);
        prop_assert_eq!(body(&system, &other, &later) == key, user == other);
        prop_assert_eq!(body(&other, &user, &later) == key, system == other);
    }
}
