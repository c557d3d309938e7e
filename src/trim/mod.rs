//! What is left out of a conversation that no model has room for.
//!
//! Whole turns go, the oldest first and as few as needed: what a user said, and all that follows until a user speaks again. A
//! turn cut in two would leave an answer without its question, or a tool's result without its call, which providers refuse. What
//! tells a model how to behave stays wherever it stands, and so does the turn that is to be answered. What stays passes byte for byte.

use crate::chat::{Message, Request, Role};
use crate::json::{omissions, splice};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A conversation that has room.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trimmed {
    /// The request's body without what was left out.
    pub body: Vec<u8>,
    /// How many messages were left out; none, if there was room for all.
    pub messages: usize,
}

/// Leaves out the oldest turns of `request`, whose text is `body`, until the rest has room: until its messages are no more
/// than `room` tokens, each as many as `tokens` says. That is asked once for each message.
///
/// None if the instructions and the turn that is to be answered are more than that.
pub fn trim(
    request: &Request<'_>,
    body: &[u8],
    room: u64,
    tokens: &dyn Fn(&Message<'_>) -> u64,
) -> Option<Trimmed> {
    let (turns, mut used) = turns(&request.messages, tokens);
    let has_room = |turn: &&Turn| {
        used = used.saturating_add(turn.tokens);
        used <= room
    };
    let stay = turns.iter().rev().take_while(has_room).count();
    if stay == 0 && used > room {
        return None;
    }
    let (go, stay) = turns.split_at_checked(turns.len().checked_sub(stay)?)?;
    let begin = stay.first().map_or(0, |turn| turn.begin);
    let goes = |at| at < begin && !request.messages.get(at).is_some_and(instructs);
    let edits = request.get("messages").map(|messages| omissions(messages, goes)).unwrap_or_default();
    Some(Trimmed { body: splice(body, edits), messages: go.iter().map(|turn| turn.messages).sum() })
}

/// What goes together or stays together.
struct Turn {
    /// The place of its first message.
    begin: usize,
    /// How many messages it has, instructions aside.
    messages: usize,
    /// How many tokens those are.
    tokens: u64,
}

impl Turn {
    fn add(&mut self, messages: usize, tokens: u64) {
        self.messages = self.messages.saturating_add(messages);
        self.tokens = self.tokens.saturating_add(tokens);
    }
}

/// The turns of a conversation, and how many tokens its instructions are. What comes before the first user is a turn too.
fn turns(messages: &[Message<'_>], tokens: &dyn Fn(&Message<'_>) -> u64) -> (Vec<Turn>, u64) {
    let mut turns = Vec::new();
    let mut instructions = 0_u64;
    let mut asked = false;
    // Which message has made a call. Ids need not be unique: a result is that of the latest call of its id before it.
    let mut calls: BTreeMap<Cow<'_, str>, usize> = BTreeMap::new();
    for (at, message) in messages.iter().enumerate() {
        let tokens = tokens(message);
        if instructs(message) {
            instructions = instructions.saturating_add(tokens);
            continue;
        }
        let asks = message.role == Role::User;
        if turns.is_empty() || asks && !asked {
            turns.push(Turn { begin: at, messages: 0, tokens: 0 });
        }
        asked = asks;
        if let Some(call) = message.tool_call_id.as_ref().and_then(|id| calls.get(&id.decode())) {
            join(&mut turns, *call);
        }
        calls.extend(message.tool_calls.iter().map(|call| (call.id.decode(), at)));
        if let Some(turn) = turns.last_mut() {
            turn.add(1, tokens);
        }
    }
    (turns, instructions)
}

/// Makes one turn of that with the message at `place` and all after it: a user has spoken between a call and its result.
fn join(turns: &mut Vec<Turn>, place: usize) {
    while let Some(later) = turns.pop_if(|turn| turn.begin > place) {
        if let Some(turn) = turns.last_mut() {
            turn.add(later.messages, later.tokens);
        }
    }
}

/// Whether a message tells the model how to behave, which does not end with a turn.
fn instructs(message: &Message<'_>) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

#[cfg(test)]
mod tests;
