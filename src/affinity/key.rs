//! What makes two requests turns of one conversation: that their prompts begin alike.

use crate::chat::{Content, Message, Part, Request, Role};

/// So many bytes of each part tell conversations apart. Those that are the same as far as that are as good as one: what a
/// cache holds of one it holds of the other.
const WINDOW: usize = 16 * 1024;

/// Names a conversation: a hash that chance does not make of two. It is no seal, because there is nothing to be had: whose
/// conversations have one key share a target that all of them may ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key(pub(super) u64);

impl Key {
    /// The conversation that a request is a turn of, by what comes first in it and stays the same: the system prompt, the
    /// tools, and what the user has said first. Whoever knows better says so by `explicit`.
    #[must_use]
    pub fn of(request: &Request<'_>, route: &str, consumer: &str, explicit: Option<&str>) -> Self {
        if let Some(explicit) = explicit {
            return Self::named(route, consumer, explicit);
        }
        let mut prefix = Prefix::of(route, consumer);
        prefix.request(request);
        Self(prefix.hash)
    }

    /// What a consumer calls so on a route.
    #[must_use]
    pub fn named(route: &str, consumer: &str, explicit: &str) -> Self {
        let mut prefix = Prefix::of(route, consumer);
        prefix.begin(b'k');
        prefix.take(explicit.as_bytes());
        Self(prefix.hash)
    }

    /// The hash.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A hash that is being made.
struct Prefix {
    hash: u64,
    /// How many bytes of the part are still looked at.
    left: usize,
}

impl Prefix {
    fn of(route: &str, consumer: &str) -> Self {
        let mut prefix = Self { hash: 1, left: WINDOW };
        for name in [route, consumer] {
            prefix.take(name.as_bytes());
        }
        prefix
    }

    fn request(&mut self, request: &Request<'_>) {
        self.begin(b's');
        for message in &request.messages {
            let is_first_turn = message.role == Role::User;
            if is_first_turn {
                self.begin(b'u');
            }
            if is_first_turn || matches!(message.role, Role::System | Role::Developer) {
                self.message(message);
            }
            if is_first_turn {
                break;
            }
        }
        self.begin(b't');
        request.tools.iter().for_each(|tool| self.take(tool.value.raw()));
    }

    /// Begins a part, with a byte that no text has.
    fn begin(&mut self, part: u8) {
        self.left = WINDOW;
        self.take(&[0xFF, part]);
    }

    /// Takes what a message says, without marks for Anthropic's cache: clients put them at the end of what they send, so the
    /// first turn has one as long as it is the last. To put one on a string, they make a part of it.
    #[inline(never)]
    fn message(&mut self, message: &Message<'_>) {
        match &message.content {
            Content::None => {}
            Content::Text(text) => self.take(text.as_bytes()),
            Content::Parts(parts) => parts.iter().for_each(|(part, value)| match part {
                Part::Text(said) | Part::Image { url: said, .. } => self.take(said.as_bytes()),
                _ => self.take(value.raw()),
            }),
        }
    }

    /// Takes what is in the window's reach of a text, eight bytes at a time. No text has a zero, and each one's last eight bytes
    /// end with one; so it is clear where one ends and the next begins.
    #[inline(never)]
    fn take(&mut self, text: &[u8]) {
        if self.left == 0 {
            return;
        }
        let seen = text.get(..self.left).unwrap_or(text);
        self.left = self.left.saturating_sub(seen.len());
        let (words, rest) = seen.as_chunks();
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        for word in words.iter().chain([&last]) {
            // Each step can be undone, so that no two words lead to the same number.
            let hash = (self.hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.hash = hash ^ (hash >> 32);
        }
    }
}
