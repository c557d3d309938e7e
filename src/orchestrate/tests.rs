//! Orchestrations from their first calls to the client's answer, without a host.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod agent;
mod cascade;
mod checked;
mod ensemble;
mod race;

use super::*;
use crate::config::Config;
use serde_json::{Value, json};
use std::collections::HashMap;

/// An orchestration of one request, and the calls that are on their way.
pub(super) struct Play {
    pub it: Orchestration,
    pub now: Timestamp,
    /// By tag, oldest first, each with its body and how long it may take.
    pub open: Vec<(u32, Value, u32)>,
    /// Who may answer, by tag, where that is said.
    pub among: HashMap<u32, Among>,
    /// Whose answers were of no use.
    pub blamed: Vec<String>,
    /// The headers of the reply, and its status.
    pub headers: HashMap<&'static str, String>,
    pub status: u16,
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

/// The route that a configuration has with these keys, and who asks. Models are named by what they are asked as, a to f and `judge`; f is
/// dear. There are the tools `search`, `add` and `secret`, the last for others.
fn route(keys: &Value) -> (Rc<config::Route>, Rc<Consumer>) {
    let mut route = json!({"targets": [{"model": "a"}]});
    route.as_object_mut().unwrap().extend(keys.as_object().cloned().unwrap());
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
        "routes": {"several": route},
    });
    let config = Config::parse(document.to_string().as_bytes(), &|_| None).unwrap();
    (Rc::clone(&config.routes()[0]), Rc::clone(config.auth().anonymous().unwrap()))
}

impl Play {
    /// Begins with this rule, of an orchestration or a check, and this request, which gets the model `several`.
    pub fn begin(rule: &Value, request: &Value) -> Self {
        Self::knowing(Vec::new(), rule, request)
    }

    /// The same where this is known of models.
    pub fn knowing(models: Vec<Known>, rule: &Value, request: &Value) -> Self {
        let is_orchestration =
            ["ensemble", "cascade", "race", "agent"].iter().any(|way| rule.get(way).is_some());
        let (route, consumer) =
            route(&json!({if is_orchestration { "orchestration" } else { "check" }: rule}));
        Self::of(
            route.orchestration.clone().or(route.check.clone()).unwrap(),
            None,
            consumer,
            models,
            request,
        )
    }

    /// Begins with an orchestration whose answer is checked.
    pub fn both(orchestration: &Value, check: &Value, request: &Value) -> Self {
        let (route, consumer) = route(&json!({"orchestration": orchestration, "check": check}));
        let How::Checked(check) = &route.check.as_ref().unwrap().how else { panic!() };
        Self::of(route.orchestration.clone().unwrap(), Some(Rc::clone(check)), consumer, Vec::new(), request)
    }

    fn of(
        rules: Rc<config::Orchestration>,
        check: Option<Rc<config::Checked>>,
        consumer: Rc<Consumer>,
        models: Vec<Known>,
        request: &Value,
    ) -> Self {
        let mut request = request.clone();
        request["model"] = json!("several");
        let is = |value: &Value| value.as_bool().unwrap_or(false);
        let commission = Commission {
            rules,
            check,
            consumer,
            body: request.to_string().into_bytes(),
            request_id: "r1".to_owned(),
            stream: is(&request["stream"]),
            include_usage: is(&request["stream_options"]["include_usage"]),
            functions: false,
            held_bytes: 1 << 20,
            models,
        };
        let now = Timestamp::from_seconds(1_000_000);
        let (it, act) = Orchestration::begin(commission, now);
        let (open, among, blamed, headers) = Default::default();
        let mut play = Self { it, now, open, among, blamed, headers, status: 0, end: None };
        play.act(act);
        play
    }

    fn act(&mut self, act: Act) {
        self.blamed.extend(self.it.blamed().map(|model| model.to_string()));
        match act {
            Act::Call(asks) => {
                for (ask, timeout_ms) in asks {
                    let body = match ask.to {
                        To::Models(body) => serde_json::from_slice(&body).unwrap(),
                        To::Targets(body, among) => {
                            self.among.insert(ask.tag, among);
                            serde_json::from_slice(&body).unwrap()
                        }
                        To::Nobody => json!({"model": "nobody"}),
                        To::Service { tool, path, body } => {
                            let body = body.map(|body| serde_json::from_slice::<Value>(&body).unwrap());
                            json!({"model": &*tool.name, "path": path, "body": body})
                        }
                    };
                    self.open.push((ask.tag, body, timeout_ms));
                }
            }
            Act::Reply(finished) => {
                self.status = finished.status;
                self.headers = finished.headers.into_iter().collect();
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
        self.take(at, model, status, body);
    }

    /// The only open call is answered by this model.
    pub fn receive_any(&mut self, model: &str, status: u16, body: &Value) {
        assert_eq!(self.open.len(), 1);
        self.take(0, model, status, body);
    }

    fn take(&mut self, at: usize, model: &str, status: u16, body: &Value) {
        let (tag, ..) = self.open.remove(at);
        let body = body.to_string();
        let cost = (status == 200).then(|| NanoUsd::new(1_000));
        let received =
            Received { status, body: body.as_bytes(), provider: "p", model, cost, retry_after: "" };
        if let Some(act) = self.it.take(tag, &received, self.now) {
            self.act(act);
        }
    }

    /// The same with an answer that has these words, ten tokens of prompt and five of its own.
    pub fn say(&mut self, model: &str, words: &str) {
        self.receive(model, 200, &completion(words));
    }

    /// The only open call is answered by this model with these words.
    pub fn answer(&mut self, model: &str, words: &str) {
        self.receive_any(model, 200, &completion(words));
    }

    /// The body of the error that the client gets, which has this status.
    pub fn refused(&self, status: u16) -> Value {
        let Some(End::Reply(Ok(body))) = &self.end else { panic!("no reply: {:?}", self.end) };
        assert_eq!(self.status, status, "{body}");
        body.clone()
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
