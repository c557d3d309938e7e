//! The key of an answer: what was asked, of whom, and who may see the answer.
//!
//! Two requests have one key if nothing that could shape the answer tells them apart. So whatever is
//! not known to be without influence is part of the key, also what nobody here has heard of: at
//! worst an answer is made twice.

use super::canonical::Canonical;
use crate::chat::{Content, Part, Request, Role};
use crate::config::Target;
use crate::json::{Kind, Text, Value};
use std::fmt;

/// Names one answer: the SHA-256 of a canonical form of what led to it.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The `index`th of its four numbers, which are as good as random and independent.
    pub(super) fn part(&self, index: usize) -> u64 {
        self.0.as_chunks().0.get(index).map_or(0, |part| u64::from_le_bytes(*part))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:016x}…)", self.part(0).swap_bytes())
    }
}

/// Who may be given an answer that is kept.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scope<'s> {
    /// Only the consumer who paid for it.
    Consumer(&'s str),
    /// Everybody of the same tier.
    Tier(&'s str),
    /// Everybody whose scope is this one.
    Shared,
}

/// What a request is besides its body.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// Who may see the answer.
    pub scope: Scope<'s>,
    /// What the model that was asked for is called in the catalog: a model's or a route's name,
    /// whatever alias of it was used.
    pub name: &'s str,
    /// Who of those that the name stands for may answer this consumer, in the configured order and
    /// not in that of the moment. So when a route is changed, answers of what it was before are no
    /// answers of it any more, and none reaches a consumer for whom its model is not.
    pub targets: &'s [Target],
    /// What tells the content rules that look at the answer, and the check of its form, from others; 0 where there are none. What was
    /// kept under some is nothing for those under others.
    pub rules: u64,
}

/// The keys of one request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keys {
    /// Of the whole request.
    pub exact: Key,
    /// Of all but what the user said last: requests that have it in common may mean the same.
    pub context: Key,
}

/// Members of the body that do not shape the answer; `docs/cache.md` says why of each.
pub(super) const WITHOUT_INFLUENCE: [&str; 9] = [
    // What it stands for is in the key.
    "model",
    // How the answer is delivered.
    "stream",
    "stream_options",
    // What the provider does with it afterwards. With `true` a request is not answered from here.
    "store",
    "metadata",
    // Who is behind the client, for the provider's abuse detection.
    "user",
    "safety_identifier",
    // Where the provider looks for its own cached prompts, and for how long it keeps them.
    "prompt_cache_key",
    "prompt_cache_retention",
];

/// Members whose `null` means that they are not there: OpenAI's API reference allows it, and so does
/// this gateway where it reads them.
const NULLABLE: [&str; 24] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "service_tier",
    "stop",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "verbosity",
];

impl Keys {
    /// The keys of a request.
    #[must_use]
    pub fn of<'d>(request: &Request<'d>, subject: &Subject<'_>) -> Self {
        let said = said_last(request);
        let mut context = Canonical::begin("modelgate cache context 1", said);
        subject.hash(&mut context);
        context.object(request.value, &has_no_influence, &|context, name, value| {
            if name.says("messages") {
                let is_absent = |_, value: Value<'d>| value.is_null();
                let member = |context: &mut Canonical<'d>, _, value| context.value(value);
                context.array(value, &|context, message| context.object(message, &is_absent, &member));
            } else {
                context.value(value);
            }
        });
        let context = context.finish();
        let mut exact = Canonical::begin("modelgate cache answer 1", None);
        exact.key(&context);
        if let Some(said) = said {
            exact.value(said);
        }
        Self { exact: exact.finish(), context }
    }
}

/// What the user said last, where it is plain text and the end of the conversation.
#[must_use]
pub fn question<'d>(request: &Request<'d>) -> Option<Text<'d>> {
    said_last(request)?.text()
}

fn said_last<'d>(request: &Request<'d>) -> Option<Value<'d>> {
    let message = request.messages.last().filter(|message| message.role == Role::User)?;
    match &message.content {
        Content::Text(_) => message.value.get("content"),
        Content::Parts(parts) => match parts.as_slice() {
            [(Part::Text(_), part)] => part.get("text"),
            _ => None,
        },
        Content::None => None,
    }
}

/// Whether a member of the body does not shape the answer.
fn has_no_influence(name: Value<'_>, value: Value<'_>) -> bool {
    let is_one_of = |names: &[&str]| names.iter().any(|known| name.says(known));
    is_one_of(&WITHOUT_INFLUENCE) || value.is_null() && is_one_of(&NULLABLE) || is_default(name, value)
}

/// Whether a member says what every provider does where it is left out. Other defaults of OpenAI's
/// (`temperature`, `top_p`, the penalties) are not those of every provider of its dialect.
fn is_default(name: Value<'_>, value: Value<'_>) -> bool {
    match value.kind() {
        Kind::Number => name.says("n") && value.u64() == Some(1),
        Kind::Bool => name.says("logprobs") && value.bool() == Some(false),
        Kind::Object => {
            let only = || value.entries().nth(1).is_none();
            name.says("response_format") && value.get("type").is_some_and(|kind| kind.says("text")) && only()
        }
        _ => false,
    }
}

impl Subject<'_> {
    fn hash(&self, into: &mut Canonical<'_>) {
        match self.scope {
            Scope::Consumer(name) => {
                into.tag(b'c');
                into.plain(name);
            }
            Scope::Tier(name) => {
                into.tag(b't');
                into.plain(name);
            }
            Scope::Shared => into.tag(b's'),
        }
        into.plain(self.name);
        if self.rules != 0 {
            into.tag(b'r');
            into.number(self.rules);
        }
        for target in self.targets {
            into.tag(b'>');
            into.plain(target.model.provider.name.as_str());
            into.plain(target.model.upstream.as_str());
            // Providers that want a limit are given this one where the client has none.
            into.number(target.model.max_output_tokens.unwrap_or(u64::MAX));
        }
    }
}
