//! What workers share, spoiled while requests are served: whatever bytes are there, nothing panics, what cannot be read is fresh, and
//! when all that could count is long over a request is served as ever.

use crate::input::Input;
use crate::support::host::{Envoy, Request, Response, Sent, chat, completion, pass, world};
use serde_json::json;

const DAY: u64 = 86_400;

fn configuration() -> String {
    let models = json!({
        "one": {"provider": "a", "price": {"input": 3, "output": 5}},
        "two": {"provider": "b", "price": {"input": 1, "output": 1}},
    });
    let both = json!([{"model": "one"}, {"model": "two"}]);
    json!({
        "providers": {
            "a": {"vendor": "openai", "api_key": {"value": "key"}},
            "b": {"vendor": "openai", "base_url": "https://b.example/v1", "api_key": {"value": "key"}},
        },
        "models": models,
        "routes": {
            "plain": {"targets": both},
            "learns": {"strategy": "adaptive", "targets": both, "affinity": {"ttl": 300}},
            "tries": {"targets": both, "experiment": {"arms": {"x": {"share": 50}, "y": {"share": 50, "targets": [{"model": "two"}]}}}},
            "alike": {"targets": both, "cache": {"exact": {"enabled": false}, "semantic": {"enabled": true}}},
            "kept": {"targets": both, "cache": {"exact": {"enabled": true, "when": "always"}}},
        },
        "auth": {"anonymous": {"consumer": "acme"}},
        "limits": [
            {"name": "tokens", "per": ["consumer", "model"], "tokens": 100_000, "window": "minute"},
            {"name": "requests", "per": ["consumer"], "requests": 600, "window": "minute"},
            {"name": "log", "requests": 100, "window": "hour"},
            {"name": "slots", "concurrent": 3},
            {"name": "daily", "per": ["consumer"], "usd": 100, "window": "day"},
            {"name": "monthly", "usd": 2500, "window": "month"},
        ],
        "cache": {"store": {"entries": 16, "entry_bytes": 4096, "total_bytes": 65536, "questions": 16}},
        "health": {"open": 5},
    })
    .to_string()
}

thread_local! { static CONFIGURATION: String = configuration(); }

pub fn target(data: &[u8]) {
    let configuration = CONFIGURATION.with(Clone::clone);
    let all = std::thread::scope(|threads| threads.spawn(|| serve(&configuration, data)).join());
    all.expect("a panic ends the process");
}

fn answers(sent: &Sent) -> Response {
    match sent.text().contains("fail") {
        true => Response::error(503, "no"),
        // Of shorter prompts nobody has anything in a cache.
        false => {
            Response::json(200, completion("hello").replace("\"prompt_tokens\":1", "\"prompt_tokens\":2000"))
        }
    }
}

/// How the keys begin of what is shared: all of it is there when the first thing is spoiled.
const SHARED: [&str; 10] = [
    "quota holders",
    "quota learned ",
    "quota",
    "health",
    "bandit",
    "served ",
    "tokens ",
    "affinity/",
    "cache/set/",
    "cache/questions/",
];

const ROUTES: [&str; 7] = ["plain", "learns", "tries", "kept", "alike", "one", "two"];

fn question(route: &str, text: &str) -> Request {
    Request::chat(chat(route, "").replace("hi", text))
}

fn serve(configuration: &str, data: &[u8]) {
    let mut input = Input(data);
    let mut envoy = Envoy::new(configuration).cluster("a", answers).cluster("b", answers);
    for route in ROUTES {
        envoy.ask(question(route, "How does a tick look"));
    }
    envoy.tick();
    let keys = world(|world| world.keys());
    let missing = SHARED.iter().find(|kind| !keys.iter().any(|key| key.starts_with(**kind)));
    assert_eq!(missing, None, "nothing of that kind is in {keys:?}");
    for _ in 0..40 {
        if input.is_empty() {
            break;
        }
        match input.below(8) {
            0 => ask(&mut envoy, &mut input, "How does a tick look"),
            1 => ask(&mut envoy, &mut input, "fail"),
            2 => {
                pass([1, 10, 61, 3_600, DAY][input.below(5)]);
                envoy.tick();
            }
            3 => ask(&mut envoy, &mut input, "How does a tick look now, please"),
            4 => {
                let body =
                    json!({"request_id": format!("request-{}", input.below(9)), "rating": 1}).to_string();
                let request = Request::new("POST", "/v1/feedback").with("content-type", "application/json");
                envoy.ask(Request { pieces: vec![body.into_bytes()], ..request });
            }
            _ => spoil(&mut input),
        }
    }
    // Months end, dead workers are missed, circuits close.
    for seconds in [[40 * DAY, 2].as_slice(), &[2; 10], &[400]].concat() {
        pass(seconds);
        envoy.tick();
    }
    envoy.ask(question("plain", "hi"));
    for route in ROUTES {
        let answer = envoy.ask(question(route, "How does a tick look"));
        // What a token bucket is owed may be any number.
        let is_owed = answer.status == 429 && answer.text().contains("\\\"tokens\\\"");
        assert!(answer.status == 200 || is_owed, "{route} {}: {}", answer.status, answer.text());
    }
}

fn ask(envoy: &mut Envoy, input: &mut Input<'_>, text: &str) {
    let route = input.one_of(&ROUTES);
    let answer = envoy.ask(question(route, text));
    assert!([200, 429, 502, 503].contains(&answer.status), "{route} {}: {}", answer.status, answer.text());
}

/// Something of what is shared becomes something else.
fn spoil(input: &mut Input<'_>) {
    let keys = world(|world| world.keys());
    let key = &keys[usize::from(input.byte()) % keys.len()];
    let mut value = world(|world| world.shared(key).map(|(value, _)| value.to_vec())).unwrap_or_default();
    let at = usize::from(input.byte()) % (value.len() + 1);
    match input.below(5) {
        0 => value.truncate(at),
        1 => value.get_mut(at).into_iter().for_each(|byte| *byte = input.byte()),
        2 => value.iter_mut().skip(at).take(8).for_each(|byte| *byte = 0xFF),
        3 => {
            let count = input.below(16);
            value.splice(at..at, (0..count).map(|_| input.byte()));
        }
        _ => {
            let count = usize::from(input.byte());
            value = (0..count).map(|_| input.byte()).collect();
        }
    }
    world(|world| world.share(key, &value, 0));
}
