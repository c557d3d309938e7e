//! The whole filter on a fake host, which checks on the way what must hold of every message: any request, and any answers of providers.

use crate::input::{Input, pieces};
use crate::requests::EVERYTHING;
use crate::support::host::{Envoy, Request, Response};
use crate::support::openai_client as client;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Everything but what has the gateway ask itself, for nobody would answer here, and what takes long to read.
fn configuration() -> String {
    let mut document: Value = serde_json::from_str(EVERYTHING).unwrap();
    let _ = ["task_model", "tasks"].map(|key| document.as_object_mut().unwrap().remove(key));
    document["cache"]["semantic"] = json!({"enabled": false});
    for route in document["routes"].as_object_mut().unwrap().values_mut() {
        let route = route.as_object_mut().unwrap();
        let _ = ["orchestration", "check", "continuation"].map(|key| route.remove(key));
        if let Some(cache) = route.get_mut("cache") {
            cache["semantic"] = json!({"enabled": false});
        }
    }
    document.to_string()
}

thread_local! { static CONFIGURATION: String = configuration(); }

pub fn target(data: &[u8]) {
    let configuration = CONFIGURATION.with(Clone::clone);
    // A thread has a VM and a world of its own: an input finds nothing that others have left.
    let all = std::thread::scope(|threads| threads.spawn(|| serve(&configuration, data)).join());
    all.expect("a panic ends the process");
}

fn serve(configuration: &str, data: &[u8]) {
    let mut input = Input(data);
    let path = input.one_of(&["/v1/chat/completions", "/v1/embeddings", "/v1/route/explain", "/v1/feedback"]);
    let (header, cuts) = (input.below(6), input.byte());
    let request = input.part();
    let mut answers = VecDeque::new();
    while !input.is_empty() && answers.len() < 20 {
        let status = input.one_of(&[200, 200, 400, 401, 429, 500, 503]);
        let is_stream = input.is_set();
        let body = input.part();
        let response = match status {
            200 if is_stream => Response::stream(body).in_pieces(pieces(body, cuts)),
            status => Response::json(status, body).in_pieces(pieces(body, cuts)),
        };
        answers.push_back(response);
    }
    let answers = Rc::new(RefCell::new(answers));
    let mut envoy = Envoy::new(configuration);
    for cluster in ["openai", "anthropic", "azure", "local", "gemini"] {
        let answers = Rc::clone(&answers);
        envoy.script(cluster, move |_| answers.borrow_mut().pop_front().unwrap_or_else(Response::refused));
    }
    let name =
        ["x-modelgate-task", "x-modelgate-max-cost-usd", "cache-control", "content-type", "x-modelgate-cost"];
    let mut sent = Request::new("POST", path)
        .without("authorization")
        .with("content-type", "application/json")
        .with("content-length", request.len().to_string());
    if let Some(name) = name.get(header) {
        sent = sent.with(name, &request[..request.len().min(9)]);
    }
    sent.pieces = pieces(request, cuts).into_iter().map(<[u8]>::to_vec).collect();
    let answer = envoy.ask(sent);
    if answer.status != 200 {
        client::error(&answer.body)
            .unwrap_or_else(|why| panic!("{} {why}: {}", answer.status, answer.text()));
    }
    envoy.tick();
}
