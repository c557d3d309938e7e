//! The conversation in a vendor's words.
//!
//! Most messages go over byte for byte. One is rewritten, member by member, only if something in it
//! has to change: a role or member the vendor does not know, or what an answer of another provider
//! left in it (reasoning, signatures), which is nobody else's business.

use super::quirks::{Quirks, Reasoning};
use super::request::{has_cached_parts, without};
use crate::chat::{Content, Message, Request, Role};
use crate::fnv;
use crate::json::{self, Object, Text, Value};
use std::borrow::Cow;

/// Writes the list of messages.
pub(super) fn write(
    quirks: &Quirks,
    request: &Request<'_>,
    dropped: &mut Vec<Cow<'static, str>>,
    out: &mut Vec<u8>,
) {
    let messages = &request.messages;
    let mut before = None;
    let mut written = 0_usize;
    json::array(out, |list| {
        // A turn is what lies between two messages of the user.
        for turn in messages.chunk_by(|_, next| next.role != Role::User) {
            let with_tools = turn.iter().any(|message| !message.tool_calls.is_empty());
            for message in turn {
                written = written.saturating_add(1);
                let last = written == messages.len();
                let role = spoken_by(quirks, message.role, before);
                let writer = Writer { quirks, message, role, with_tools, last };
                if quirks.messages.mistral && role == Role::User && before == Some(Role::Tool) {
                    list.raw(br#"{"role":"assistant","content":"OK"}"#);
                }
                if writer.changes() {
                    list.object(|out| writer.write(dropped, out));
                } else {
                    list.raw(message.value.raw());
                }
                before = Some(role);
            }
        }
    });
}

/// The role as the vendor may hear it after the one before.
fn spoken_by(quirks: &Quirks, role: Role, before: Option<Role>) -> Role {
    let role = if role == Role::Developer && !quirks.messages.developer { Role::System } else { role };
    let answered = matches!(before, Some(Role::Assistant | Role::Tool));
    if quirks.messages.mistral && role == Role::System && answered { Role::User } else { role }
}

/// What becomes of one member of a message.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Keep,
    Drop,
    /// Its value under another name.
    Rename(&'static str),
    Role,
    Google,
    Calls,
    CallId,
    Parts,
    RefusalAsContent,
}

struct Writer<'w, 'd> {
    quirks: &'w Quirks,
    message: &'w Message<'d>,
    role: Role,
    /// Tools were called in the turn it belongs to.
    with_tools: bool,
    last: bool,
}

impl<'d> Writer<'_, 'd> {
    fn changes(&self) -> bool {
        let keeps = |(key, value): (Value<'d>, Value<'d>)| {
            key.text().is_none_or(|key| self.fate(&key, value) == Fate::Keep)
        };
        !self.message.value.entries().all(keeps) || self.blank().is_some() || self.prefix()
    }

    fn write(&self, dropped: &mut Vec<Cow<'static, str>>, out: &mut Object<'_>) {
        for (key, value) in self.message.value.entries() {
            let Some(key) = key.text() else { continue };
            match self.fate(&key, value) {
                Fate::Keep => out.member(&key, value.raw()),
                Fate::Drop => self.note(&key, value, dropped),
                Fate::Rename(name) => out.raw(name, value.raw()),
                Fate::Role => out.string("role", word(self.role)),
                Fate::Google => self.google(value, out),
                Fate::Calls => self.calls(value, out),
                Fate::CallId => out.string("tool_call_id", &nine(self.message.tool_call_id.as_ref())),
                Fate::Parts => parts(value, out),
                Fate::RefusalAsContent => {
                    let refusal = self.message.refusal.as_ref().map(Text::borrow).unwrap_or_default();
                    out.text("content", &refusal);
                }
            }
        }
        if let Some(key) = self.blank() {
            // Not empty: that counts as missing with some models.
            out.string(key, " ");
        }
        if self.prefix() {
            out.bool("prefix", true);
        }
    }

    fn fate(&self, key: &Text<'_>, value: Value<'d>) -> Fate {
        let (message, quirks) = (self.message, self.quirks);
        let keep_if = |keep: bool| if keep { Fate::Keep } else { Fate::Drop };
        let strict = quirks.messages.strict && message.role == Role::Assistant;
        match key.decode().as_ref() {
            "role" if self.role != message.role => Fate::Role,
            "name" => keep_if(!quirks.messages.nameless),
            name @ ("reasoning_content" | "reasoning") => self.reasoning(name, value),
            "reasoning_details" => keep_if(quirks.replay.details),
            "thinking_blocks" => Fate::Drop,
            "extra_content" if quirks.replay.google => match value.get("google") {
                Some(_) if value.entries().count() == 1 => Fate::Keep,
                Some(_) => Fate::Google,
                None => Fate::Drop,
            },
            "extra_content" => Fate::Drop,
            "cache_control" => keep_if(quirks.replay.cache_control),
            "content" if has_cached_parts(&message.content) && !quirks.replay.cache_control => Fate::Parts,
            "content" if strict && matches!(message.content, Content::None) && message.refusal.is_some() => {
                Fate::RefusalAsContent
            }
            "tool_calls" if value.items().next().is_none() => {
                keep_if(quirks.canonical || quirks.messages.mistral)
            }
            "tool_calls" if quirks.messages.mistral || self.sealed_calls(value) => Fate::Calls,
            "tool_call_id" if quirks.messages.mistral => Fate::CallId,
            "role" | "content" | "tool_calls" | "prefix" => Fate::Keep,
            _ => keep_if(!strict),
        }
    }

    fn reasoning(&self, name: &str, value: Value<'d>) -> Fate {
        let theirs = match self.quirks.replay.reasoning {
            Reasoning::Always(key) => key,
            Reasoning::ToolTurns(key) | Reasoning::ToolTurnsAlways(key) if self.with_tools => key,
            _ => return Fate::Drop,
        };
        // Both names for one text: the first counts.
        let twice = name == "reasoning" && self.message.value.get("reasoning_content").is_some();
        match value.text() {
            Some(_) if twice => Fate::Drop,
            Some(_) if name == theirs => Fate::Keep,
            Some(_) => Fate::Rename(theirs),
            None => Fate::Drop,
        }
    }

    /// The name of the reasoning that must be there and is not.
    fn blank(&self) -> Option<&'static str> {
        let calls = self.message.role == Role::Assistant && !self.message.tool_calls.is_empty();
        match self.quirks.replay.reasoning {
            Reasoning::ToolTurnsAlways(key) if calls && self.message.reasoning.is_none() => Some(key),
            _ => None,
        }
    }

    /// Mistral goes on from a last message of the assistant only if it is marked.
    fn prefix(&self) -> bool {
        let unmarked = self.message.value.get("prefix").is_none() && self.message.tool_calls.is_empty();
        self.quirks.messages.mistral && self.last && self.role == Role::Assistant && unmarked
    }

    /// Whether a call carries what must not go to this vendor.
    fn sealed_calls(&self, calls: Value<'d>) -> bool {
        !self.quirks.replay.google && calls.items().any(|call| call.get("extra_content").is_some())
    }

    fn calls(&self, calls: Value<'d>, out: &mut Object<'_>) {
        out.array("tool_calls", |list| {
            for call in calls.items() {
                list.object(|out| {
                    for (key, value) in call.entries() {
                        let Some(key) = key.text() else { continue };
                        if key == "id" && self.quirks.messages.mistral {
                            out.string("id", &nine(value.text().as_ref()));
                        } else if key != "extra_content" || self.quirks.replay.google {
                            out.member(&key, value.raw());
                        }
                    }
                });
            }
        });
    }

    fn google(&self, extra: Value<'d>, out: &mut Object<'_>) {
        if let Some(google) = extra.get("google") {
            out.object("extra_content", |extra| extra.raw("google", google.raw()));
        }
    }

    /// Notes the loss of what the client itself said; echoes are no loss.
    fn note(&self, key: &Text<'_>, value: Value<'d>, dropped: &mut Vec<Cow<'static, str>>) {
        if *key == "name" && !value.is_null() && !dropped.iter().any(|name| name == "messages[].name") {
            dropped.push(Cow::Borrowed("messages[].name"));
        }
    }
}

fn parts(content: Value<'_>, out: &mut Object<'_>) {
    out.array("content", |parts| {
        for part in content.items() {
            if part.get("cache_control").is_some() {
                parts.object(|out| without(part, "cache_control", out));
            } else {
                parts.raw(part.raw());
            }
        }
    });
}

fn word(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
        Role::Function => "function",
    }
}

/// A tool call's id as Mistral wants it: nine letters or digits, the same for the same id.
fn nine(id: Option<&Text<'_>>) -> String {
    let id = id.map(Text::decode).unwrap_or_default();
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.into_owned();
    }
    let mut hash = fnv::of(id.as_bytes());
    let digit = |_| {
        let digit = char::from_digit(u32::try_from(hash % 36).unwrap_or(0), 36).unwrap_or('0');
        hash /= 36;
        digit
    };
    (0..9).map(digit).collect()
}
