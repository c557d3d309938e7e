//! The canonical words of a chat: what every dialect is read into and written from.
//!
//! A [`Request`] is a checked view of the client's body. An answer, streamed or whole, is a
//! sequence of [`Event`]s: readers of the providers' dialects make them, writers ([`ChunkWriter`],
//! [`CompletionWriter`]) put them into the client's. So a dialect is one reader and one writer, and
//! what must hold for every answer (one role, one finish per choice, arguments that are JSON) is
//! seen to once, in the writers.

mod answer;
mod chunks;
mod completion;
mod costs;
mod degraded;
mod event;
mod glance;
mod message;
mod reader;
mod request;
mod reread;
mod said;

pub use chunks::ChunkWriter;
pub use completion::CompletionWriter;
pub use costs::{Before, Costs};
pub use degraded::degraded;
pub use event::{Delta, Event, FinishReason, Thinking, Usage};
pub use glance::{Glance, Glancer};
pub use message::{Content, Message, Part, Role, ToolCall};
pub(crate) use reader::Reader;
pub use request::{Effort, Request, ResponseFormat, Tool, ToolChoice, ToolKind};
pub use reread::{reread, streamed};
pub use said::{Form, said};

/// The `content-type` of an answer that is one JSON text.
pub const JSON: &str = "application/json";
/// The `content-type` of one that is a stream.
pub const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

#[cfg(test)]
mod tests;
