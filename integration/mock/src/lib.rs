//! Mock LLM providers for tests and benchmarks: OpenAI, Anthropic and Gemini wire formats, strict about what they
//! accept, misbehaving on command, replaying recordings, and remembering what they were asked.
mod answer;
mod anthropic;
mod ask;
mod control;
mod dialect;
mod directives;
mod embeddings;
mod exchange;
mod failure;
mod gemini;
mod ids;
mod instance;
mod lanes;
mod openai;
mod playback;
mod record;
mod replay;
mod route;
mod server;

pub use server::{Server, listen};
