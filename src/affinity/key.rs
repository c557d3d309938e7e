//! What makes two requests turns of one conversation: that their prompts begin alike.

use crate::chat::{Content, Message, Part, Request, Role};
use crate::json::Value;
use sha2::{Digest, Sha256};

/// So many bytes of each part tell conversations apart. Those that are the same as far as that are as good as one: what a
/// cache holds of one it holds of the other.
const WINDOW: usize = 16 * 1024;
/// Between any two texts. UTF-8 never has it.
const BETWEEN: u8 = 0xFF;

/// Names a conversation: a part of a SHA-256.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key(pub(super) [u8; 16]);

impl Key {
    /// The conversation that a request is a turn of, by what comes first in it and stays the same: the system prompt, the
    /// tools, and what the user has said first. Whoever knows better says so by `explicit`.
    ///
    /// Marks for Anthropic's cache are none of it, because clients put them at the end of what they send, whatever that is:
    /// the first turn has one only as long as it is the last.
    #[must_use]
    pub fn of(request: &Request<'_>, route: &str, consumer: &str, explicit: Option<&str>) -> Self {
        let mut prefix = Prefix { sha: Sha256::new(), left: 0 };
        for name in ["modelgate affinity 1", route, consumer] {
            prefix.begin(b'n');
            prefix.take(name.as_bytes());
        }
        if let Some(explicit) = explicit {
            prefix.begin(b'k');
            prefix.take(explicit.as_bytes());
        } else {
            prefix.request(request);
        }
        let hash: [u8; 32] = prefix.sha.finalize().into();
        Self(hash.first_chunk().copied().unwrap_or_default())
    }
}

/// A hash that is being made.
struct Prefix {
    sha: Sha256,
    /// How many bytes of the part are still looked at.
    left: usize,
}

impl Prefix {
    fn request(&mut self, request: &Request<'_>) {
        self.begin(b's');
        for message in &request.messages {
            match message.role {
                Role::System | Role::Developer => self.message(message),
                Role::User => {
                    self.begin(b'u');
                    self.message(message);
                    break;
                }
                _ => {}
            }
        }
        self.begin(b't');
        request.tools.iter().for_each(|tool| self.members(tool.value));
    }

    /// Begins a part.
    fn begin(&mut self, part: u8) {
        self.sha.update([BETWEEN, part]);
        self.left = WINDOW;
    }

    /// Takes what is in a window's reach of a text.
    fn take(&mut self, text: &[u8]) {
        if self.left > 0 {
            let seen = text.get(..self.left).unwrap_or(text);
            self.left = self.left.saturating_sub(text.len());
            self.sha.update(seen);
            self.sha.update([BETWEEN]);
        }
    }

    /// Takes what a message says. A string and the same as one part of text are one, because clients make one of the other to
    /// put a mark on it.
    fn message(&mut self, message: &Message<'_>) {
        match &message.content {
            Content::None => {}
            Content::Text(text) => self.take(text.as_bytes()),
            Content::Parts(parts) => parts.iter().for_each(|(part, value)| match part {
                Part::Text(text) => self.take(text.as_bytes()),
                _ => self.members(*value),
            }),
        }
    }

    /// Takes the members of an object.
    fn members(&mut self, value: Value<'_>) {
        if self.left > 0 {
            let members = value.entries().filter(|(name, _)| !name.says("cache_control"));
            members.flat_map(|(name, value)| [name, value]).for_each(|value| self.take(value.raw()));
        }
    }
}
