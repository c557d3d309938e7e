//! Orchestrations from their first calls to the client's answer, without a host.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod agent;
mod ensemble;

use super::*;
use crate::config::Config;
use serde_json::{Value, json};

/// An orchestration of one request, and the calls that are on their way.
pub(super) struct Play {
    pub it: Orchestration,
    pub now: Timestamp,
    /// By tag, oldest first, each with its body and how long it may take.
    pub open: Vec<(u32, Value, u32)>,
    /// What has come of it, in the end.
    pub end: Option<End>,
}

/// What came of an orchestration.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    /// The body that the client gets: JSON, or a stream as it is.
    Reply(Result<Value, String>),
    /// The body that is forwarded, and what was used before.
    Forward(Value, Before),
}

/// What the configuration says of an orchestration, and who asks. Models are named by what they are asked as, a to f and `judge`; f is
/// dear. There are the tools `search`, `add` and `secret`, the last for others.
pub(super) fn rules(orchestration: &Value) -> (Rc<config::Orchestration>, Rc<Consumer>) {
    let mut models: serde_json::Map<String, Value> = ["a", "b", "c", "d", "e", "f", "judge"]
        .map(|name| (name.to_owned(), json!({"provider": "p"})))
        .into_iter()
        .collect();
    models["f"]["price"] = json!({"input": 1_000, "output": 1_000});
    let text = json!({"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]});
    let numbers = json!({"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}});
    let tools = json!({
        "search": {
            "cluster": "searching", "path": "/search?q={query}", "description": "Finds pages.", "parameters": text,
            "timeout_ms": 3_000, "max_bytes": 100,
        },
        "add": {
            "cluster": "adding", "method": "post", "path": "/add", "description": "Adds.", "parameters": numbers,
        },
        "secret": {
            "cluster": "searching", "path": "/secret/{query}", "description": "Knows.", "parameters": text,
            "consumers": ["somebody"],
        },
        "page": {"cluster": "searching", "path": "/page/{query}", "description": "Reads.", "parameters": text},
    });
    let document = json!({
        "providers": {"p": {"vendor": "openai", "api_key": {"value": "k"}}},
        "models": models,
        "tools": tools,
        "consumers": {"somebody": {}},
        "auth": {"anonymous": {"consumer": "anyone"}},
        "routes": {"several": {"targets": [{"model": "a"}], "orchestration": orchestration}},
    });
    let config = Config::parse(document.to_string().as_bytes(), &|_| None).unwrap();
    let rules = Rc::clone(config.routes()[0].orchestration.as_ref().unwrap());
    (rules, Rc::clone(config.auth().anonymous().unwrap()))
}

impl Play {
    /// Begins with this rule and this request, which gets the model `several`.
    pub fn begin(orchestration: &Value, request: &Value) -> Self {
        let mut request = request.clone();
        request["model"] = json!("several");
        let is = |value: &Value| value.as_bool().unwrap_or(false);
        let (rules, consumer) = rules(orchestration);
        let commission = Commission {
            rules,
            consumer,
            body: request.to_string().into_bytes(),
            request_id: "r1".to_owned(),
            stream: is(&request["stream"]),
            include_usage: is(&request["stream_options"]["include_usage"]),
            functions: false,
            held_bytes: 1 << 20,
        };
        let now = Timestamp::from_seconds(1_000_000);
        let (it, act) = Orchestration::begin(commission, now);
        let mut play = Self { it, now, open: Vec::new(), end: None };
        play.act(act);
        play
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Call(asks) => {
                for (ask, timeout_ms) in asks {
                    let body = match ask.to {
                        To::Models(body) => serde_json::from_slice(&body).unwrap(),
                        To::Service { tool, path, body } => {
                            let body = body.map(|body| serde_json::from_slice::<Value>(&body).unwrap());
                            json!({"model": &*tool.name, "path": path, "body": body})
                        }
                    };
                    self.open.push((ask.tag, body, timeout_ms));
                }
            }
            Act::Reply(finished) => {
                let text = String::from_utf8(finished.body).unwrap();
                self.end = Some(End::Reply(serde_json::from_str(&text).map_err(|_| text)));
            }
            Act::Forward(body, before) => {
                self.end = Some(End::Forward(serde_json::from_slice(&body).unwrap(), before));
            }
        }
    }

    /// The models and tools that are being asked, oldest call first.
    pub fn asked(&self) -> Vec<&str> {
        self.open.iter().map(|(_, body, _)| body["model"].as_str().unwrap()).collect()
    }

    /// The oldest open call to this model is answered with this status and body.
    pub fn receive(&mut self, model: &str, status: u16, body: &Value) {
        let at = self.open.iter().position(|(_, body, _)| body["model"] == model).expect("it is asked");
        let (tag, ..) = self.open.remove(at);
        let body = body.to_string();
        let cost = (status == 200).then(|| NanoUsd::new(1_000));
        let received = Received { status, body: body.as_bytes(), provider: "p", model, cost };
        if let Some(act) = self.it.take(tag, &received, self.now) {
            self.act(act);
        }
    }

    /// The same with an answer that has these words, ten tokens of prompt and five of its own.
    pub fn say(&mut self, model: &str, words: &str) {
        self.receive(model, 200, &completion(words));
    }

    /// The same with an error.
    pub fn fail(&mut self, model: &str) {
        self.receive(model, 503, &json!({"error": {"code": "overloaded", "message": "no"}}));
    }

    /// The text that the client gets, and the report.
    pub fn replied(&self) -> (&str, &Value) {
        let Some(End::Reply(Ok(body))) = &self.end else { panic!("no reply: {:?}", self.end) };
        (body["choices"][0]["message"]["content"].as_str().unwrap(), &body["x_modelgate"])
    }

    /// The request that is forwarded.
    pub fn forwarded(&self) -> (&Value, &Before) {
        let Some(End::Forward(body, before)) = &self.end else { panic!("not forwarded: {:?}", self.end) };
        (body, before)
    }
}

/// An answer with these words.
pub(super) fn completion(words: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    })
}

/// A request of one user's turn.
pub(super) fn says(text: &str) -> Value {
    json!({"messages": [{"role": "user", "content": text}]})
}
