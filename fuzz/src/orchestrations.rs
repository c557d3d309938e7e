//! Several calls that make one answer, whatever planners, judges, models and tools answer them: it ends, each call is sound, and so is
//! what the client gets.

use crate::input::Input;
use crate::support::openai_client as client;
use modelgate::config::{Config, How};
use modelgate::orchestrate::{Act, Commission, Orchestration, Received, To};
use modelgate::time::Timestamp;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::rc::Rc;

thread_local! {
    static CONFIG: Config = Config::parse(document().to_string().as_bytes(), &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
}

fn document() -> Value {
    let model = |name: &str| (name.to_owned(), json!({"provider": "p"}));
    let models: serde_json::Map<_, _> = ["a", "b", "c", "d", "judge"].map(model).into_iter().collect();
    let query = json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]});
    let numbers = json!({"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "array", "items": {"type": "integer"}}}});
    let agent = |more: Value| {
        let mut agent = json!({
            "planner": "a", "synthesis": "d", "tools": ["search", "add"], "max_steps": 4,
            "models": [{"model": "b", "description": "Quick."}, {"model": "c", "description": "Good.", "capabilities": ["prose"]}],
            "validator": {"model": "judge", "rubric": "It names a year."},
        });
        agent.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        json!({"targets": [{"model": "a"}], "orchestration": {"agent": agent}})
    };
    let of = |way: &str, rules: Value| json!({"targets": [{"model": "a"}], "orchestration": {way: rules, "report": true}});
    let members = json!([{"model": "a"}, {"model": "b", "weight": 2}, {"model": "c"}]);
    let judge = json!({"model": "judge", "rubric": "It is right."});
    json!({
        "providers": {"p": {"vendor": "openai", "api_key": "none"}},
        "models": models,
        "auth": {"anonymous": {"consumer": "anyone"}},
        "tools": {
            "search": {"cluster": "s", "path": "/search?q={query}", "description": "Finds.", "parameters": query, "max_bytes": 100},
            "add": {"cluster": "s", "method": "post", "path": "/add", "description": "Adds.", "parameters": numbers},
        },
        "routes": {
            "agent": agent(json!({})),
            "careful": agent(json!({"autonomy": "approve", "max_rounds": 2})),
            "best": of("ensemble", json!({"members": members, "combine": "best_of_n", "judge": judge})),
            "vote": of("ensemble", json!({"members": members, "combine": "vote", "vote": {"by": "json", "field": "answer"}})),
            "fuse": of("ensemble", json!({"members": members, "combine": "fuse", "model": "d", "quorum": 2})),
            "cascade": of("cascade", json!({"stages": [{"model": "a"}, {"model": "b"}, {"model": "c"}],
                "accept": {"min_length": 2, "by": "judge", "threshold": 0.7, "judge": judge}})),
            "race": of("race", json!({"targets": [{"model": "a"}, {"model": "b"}], "stagger_ms": 800})),
            "checked": {"targets": [{"model": "a"}], "check": {"attempts": 3, "tools": true, "report": true}},
        },
    })
}

fn request(how: usize) -> Value {
    let mut request = json!({"model": "several", "messages": [{"role": "user", "content": "Who was it?"}]});
    if how & 1 != 0 {
        request["stream"] = json!(true);
        request["stream_options"] = json!({"include_usage": how & 2 != 0});
    }
    let schema = json!({"type": "object", "properties": {"answer": {"type": ["string", "integer"]}}, "required": ["answer"]});
    if how & 4 != 0 {
        request["response_format"] =
            json!({"type": "json_schema", "json_schema": {"name": "s", "schema": schema}});
    }
    if how & 8 != 0 {
        request["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]);
    }
    request
}

/// What is answered to a call: most parts of an input are what a model says, some are bodies as they are.
fn body(kind: u8, said: &[u8]) -> (u16, Vec<u8>) {
    let completion = |message: Value, finish: &str| {
        let choice = json!({"index": 0, "message": message, "finish_reason": finish});
        let usage = json!({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7});
        let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage});
        (200, body.to_string().into_bytes())
    };
    let text = String::from_utf8_lossy(said);
    match kind {
        b'r' => (200, said.to_vec()),
        b'e' => (503, said.to_vec()),
        b'c' => {
            let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": text}});
            completion(json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
        }
        b'l' => completion(json!({"role": "assistant", "content": text}), "length"),
        _ => completion(json!({"role": "assistant", "content": text}), "stop"),
    }
}

pub fn target(data: &[u8]) {
    let mut input = Input(data);
    let (route, how, order) = (input.byte(), input.below(16), input.byte());
    CONFIG.with(|config| play(config, usize::from(route.wrapping_sub(b'0')), how, order, input));
}

fn play(config: &Config, route: usize, how: usize, order: u8, mut input: Input<'_>) {
    let routes = config.routes();
    let route = &routes[route % routes.len()];
    let check = route.check.clone().filter(|_| how & 12 != 0);
    let Some(rules) = route.orchestration.clone().or(check) else { return };
    let tools = matches!(&rules.how, How::Checked(_));
    let request = request(if tools { how } else { how & 7 });
    let (stream, include_usage) = (how & 1 != 0, how & 3 == 3);
    let commission = Commission {
        rules,
        check: None,
        consumer: Rc::clone(config.auth().anonymous().expect("anybody may ask")),
        body: request.to_string().into_bytes(),
        request_id: "r1".to_owned(),
        stream,
        include_usage,
        functions: false,
        held_bytes: 1 << 16,
        models: Vec::new(),
    };
    let mut now = Timestamp::from_seconds(1_700_000_000);
    let (mut it, act) = Orchestration::begin(commission, now);
    let mut open: VecDeque<u32> = VecDeque::new();
    let mut act = Some(act);
    for _ in 0..200 {
        match act.take() {
            Some(Act::Call(asks)) => {
                for (ask, _) in asks {
                    match &ask.to {
                        To::Models(body) | To::Targets(body, _) => assert!(json_of(body).is_object()),
                        To::Nobody => {}
                        To::Service { path, body, .. } => {
                            assert!(
                                path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()),
                                "{path}"
                            );
                            body.as_ref().map(|body| json_of(body));
                        }
                    }
                    open.push_back(ask.tag);
                }
            }
            Some(Act::Reply(finished)) => {
                let body = &finished.body;
                let sound = match finished.status {
                    200 if stream => client::stream(body, include_usage).map(drop),
                    200 => client::completion(body).map(drop),
                    _ => client::error(body).map(drop),
                };
                // What stands in the arguments of a call is the model's affair.
                if let Some(why) = sound.err().filter(|why| !why.starts_with("arguments")) {
                    panic!("{why}\n{}", String::from_utf8_lossy(body));
                }
                return;
            }
            Some(Act::Forward(body, _)) => {
                assert!(json_of(&body).is_object());
                return;
            }
            None => {}
        }
        it.blamed();
        json_of(&it.report());
        let latest = order & 1 != 0;
        let tag = if latest { open.pop_back() } else { open.pop_front() };
        let tag = tag.expect("it waits for something that was asked");
        now = now.after(u64::from(order) * 100);
        let part = input.part();
        let (kind, said) = part.split_first().map_or((b'e', part), |(kind, said)| (*kind, said));
        let (status, body) = body(kind, said);
        let received = Received { status, body: &body, provider: "p", model: "m", ..Received::default() };
        act = it.take(tag, &received, now);
    }
    panic!("it does not end");
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(body)))
}
