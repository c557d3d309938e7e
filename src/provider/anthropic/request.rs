//! A chat completions request in Anthropic's words.
//!
//! First everything is decided, as views of the request ([`Plan`]), then it is written in one go: so
//! the question whether a target can serve a request is answered by the same code that translates it.

use super::messages::Conversation;
use super::models::{self, Model, Sampling};
use super::thinking::Thought;
use super::tools::Tools;
use crate::chat::Request;
use crate::error::ApiError;
use crate::json::{self, Kind, Object, Text, Value};
use crate::provider::{Outgoing, Target};

/// Members that are translated, or say nothing that an answer could depend on.
const KNOWN: [&str; 22] = [
    "model",
    "messages",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "n",
    "reasoning_effort",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    "service_tier",
    "web_search_options",
];

/// Everything that goes into the body.
#[derive(Debug)]
pub(super) struct Plan<'r> {
    target: Target<'r>,
    max_tokens: u64,
    conversation: Conversation<'r>,
    tools: Tools<'r>,
    thought: Thought,
    stop: Vec<&'r Text<'r>>,
    temperature: Option<f64>,
    top_p: Option<Value<'r>>,
    top_k: Option<Value<'r>>,
    user: Option<Text<'r>>,
    tier: Option<&'static str>,
    stream: bool,
    /// Nearly what the body will take.
    size: usize,
    outgoing: Outgoing,
}

impl<'r> Plan<'r> {
    /// Decides how the request is put to the target.
    ///
    /// # Errors
    /// 400 `unsupported_parameter` for what the target cannot honour, and 400 for what cannot be translated.
    pub fn of(request: &'r Request<'r>, target: Target<'r>) -> Result<Self, ApiError> {
        let model = models::named(target.model);
        let mut outgoing = Outgoing::default();
        one_text_choice(request)?;
        let tools = Tools::of(request, &model, &mut outgoing)?;
        let most = target.max_output_tokens.unwrap_or(u64::MAX);
        let default = target.max_output_tokens.unwrap_or(model.max_output);
        let max_tokens = request.max_tokens.unwrap_or(default).min(most);
        let thought = Thought::on(request, &model, max_tokens, tools.forced());
        if thought.lost {
            super::lose(&mut outgoing, "reasoning_effort");
        }
        let conversation = Conversation::of(request, &thought, &mut outgoing)?;
        if conversation.ends_with_assistant() && !model.prefill {
            let message =
                "this model does not go on from an assistant message; end with a user or tool message";
            return Err(ApiError::unsupported("messages", message));
        }
        let mut plan = Self {
            target,
            max_tokens,
            conversation,
            tools,
            thought,
            stop: request.stop.iter().filter(|stop| !stop.is_blank()).collect(),
            temperature: request.temperature.map(|temperature| temperature.min(1.0)),
            top_p: request.get("top_p"),
            top_k: request.get("top_k"),
            user: None,
            tier: None,
            stream: request.stream,
            size: request.value.raw().len(),
            outgoing,
        };
        if plan.stop.len() < request.stop.len() {
            super::lose(&mut plan.outgoing, "stop");
        }
        // Anthropic ends at 1; nearest to what was asked is no refusal, but not said in silence.
        if request.temperature.is_some_and(|temperature| temperature > 1.0) {
            super::lose(&mut plan.outgoing, "temperature");
        }
        if request.get("web_search_options").is_some_and(|search| search.get("search_context_size").is_some())
        {
            super::lose(&mut plan.outgoing, "web_search_options.search_context_size");
        }
        plan.sample(&model);
        plan.identify(request);
        plan.lose_the_rest(request);
        Ok(plan)
    }

    /// Keeps what the model takes of the sampling parameters.
    fn sample(&mut self, model: &Model) {
        let fixed = model.sampling == Sampling::Fixed;
        // Leaving out what is the default anyway is no loss.
        if fixed || self.thought.on {
            if self.temperature.take().is_some_and(|temperature| temperature < 1.0) {
                super::lose(&mut self.outgoing, "temperature");
            }
            if self.top_k.take().is_some() {
                super::lose(&mut self.outgoing, "top_k");
            }
        }
        let top_p = self.top_p.and_then(Value::f64);
        let taken = match model.sampling {
            Sampling::Fixed => false,
            _ if self.thought.on => top_p >= Some(0.95),
            Sampling::Either => self.temperature.is_none(),
            Sampling::Both => true,
        };
        if !taken && self.top_p.take().is_some() && top_p != Some(1.0) {
            super::lose(&mut self.outgoing, "top_p");
        }
    }

    /// `metadata.user_id` and `service_tier`.
    fn identify(&mut self, request: &'r Request<'r>) {
        for key in ["safety_identifier", "user"] {
            let Some(id) = request.get(key).and_then(Value::text).filter(|id| !id.is_empty()) else {
                continue;
            };
            if !is_opaque(&id.decode()) {
                super::lose(&mut self.outgoing, key);
            } else if self.user.is_none() {
                self.user = Some(id);
            }
        }
        match request.get("service_tier").and_then(Value::text) {
            Some(tier) if tier == "auto" => self.tier = Some("auto"),
            Some(tier) if tier == "default" => self.tier = Some("standard_only"),
            Some(_) => super::lose(&mut self.outgoing, "service_tier"),
            None => {}
        }
    }

    /// Lists the members that have no counterpart and said something.
    fn lose_the_rest(&mut self, request: &Request<'_>) {
        for (key, value) in request.value.entries() {
            let Some(key) = key.text().filter(|key| !KNOWN.iter().any(|known| key == known)) else {
                continue;
            };
            let key = key.decode();
            let idle = match value.kind() {
                Kind::Null => true,
                Kind::Bool => value.bool() == Some(false),
                Kind::Number => value.f64() == Some(0.0) && key != "seed",
                Kind::String => false,
                Kind::Array => value.items().next().is_none() || key == "modalities",
                Kind::Object => value.entries().next().is_none(),
            };
            if !idle {
                super::lose(&mut self.outgoing, key.into_owned());
            }
        }
    }

    /// Writes the body.
    pub fn write(mut self) -> Outgoing {
        let mut body = Vec::with_capacity(self.size.saturating_add(256));
        json::object(&mut body, |body| {
            body.string("model", self.target.model);
            body.number("max_tokens", self.max_tokens);
            if !self.conversation.system.is_empty() {
                body.array("system", |out| {
                    self.conversation.system.iter().for_each(|block| block.write(out))
                });
            }
            body.array("messages", |messages| self.conversation.write(messages));
            self.tools.write(body);
            if !self.stop.is_empty() {
                body.array("stop_sequences", |list| self.stop.iter().for_each(|stop| list.text(stop)));
            }
            if let Some(temperature) = self.temperature {
                body.number("temperature", temperature);
            }
            for (key, value) in [("top_p", self.top_p), ("top_k", self.top_k)] {
                if let Some(value) = value {
                    body.raw(key, value.raw());
                }
            }
            self.thought.write(body);
            self.write_output_config(body);
            if let Some(user) = &self.user {
                body.object("metadata", |metadata| metadata.text("user_id", user));
            }
            if let Some(tier) = self.tier {
                body.string("service_tier", tier);
            }
            if self.stream {
                body.bool("stream", true);
            }
        });
        self.outgoing.body = body;
        self.outgoing
    }

    fn write_output_config(&self, body: &mut Object<'_>) {
        if self.thought.effort.is_none() && !self.tools.has_format() {
            return;
        }
        body.object("output_config", |config| {
            if let Some(effort) = self.thought.effort {
                config.string("effort", effort.as_str());
            }
            self.tools.write_format(config);
        });
    }
}

/// The answer is one message of text: several, spoken ones and token probabilities are not to be had.
fn one_text_choice(request: &Request<'_>) -> Result<(), ApiError> {
    let unsupported = |param: &'static str, message: &str| Err(ApiError::unsupported(param, message));
    if request.n > 1 {
        return unsupported("n", "this model gives one choice only");
    }
    if request.get("logprobs").and_then(Value::bool) == Some(true) {
        return unsupported("logprobs", "this model does not tell token probabilities");
    }
    if request.get("top_logprobs").and_then(Value::f64).is_some_and(|count| count > 0.0) {
        return unsupported("top_logprobs", "this model does not tell token probabilities");
    }
    let modalities = request.get("modalities").into_iter().flat_map(Value::items).filter_map(Value::text);
    if modalities.into_iter().any(|modality| modality != "text") {
        return unsupported("modalities", "this model answers in text only");
    }
    Ok(())
}

/// Whether the id may be sent: Anthropic wants no names, addresses or numbers of people in it.
fn is_opaque(id: &str) -> bool {
    let digits = id.bytes().filter(u8::is_ascii_digit).count();
    let like_phone = digits >= 7
        && id.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ' | '(' | ')' | '.'));
    id.chars().count() <= 256 && !id.contains('@') && !like_phone
}
