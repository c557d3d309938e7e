//! Whether and how the model is asked to think about this request.
//!
//! `reasoning_effort` is a wish. Where thinking cannot be had (a forced tool call excludes it; an
//! older model continues a tool loop only from its own signed thinking; the answer is too short for
//! any) the request goes without, and says so.

use super::models::{Model, Off, Thinking};
use crate::chat::{Effort, Message, Request, Role};
use crate::json::{Object, Value};

/// The least budget the API takes.
const LEAST_BUDGET: u64 = 1024;

/// What is said about thinking.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thought {
    /// Whether the model may think, and so has to be given its earlier thinking back.
    pub on: bool,
    /// The `thinking` member.
    says: Option<Says>,
    /// `output_config.effort`.
    pub effort: Option<Effort>,
    /// `reasoning_effort` is not honoured, or not to the letter.
    pub lost: bool,
}

#[derive(Clone, Copy, Debug)]
enum Says {
    Disabled,
    BetweenTools,
    Adaptive,
    Budget(u64),
}

const OFF: Thought = Thought { on: false, says: None, effort: None, lost: false };

impl Thought {
    /// Decides; `forced` says that a tool must be called.
    pub fn on(request: &Request<'_>, model: &Model, max_tokens: u64, forced: bool) -> Self {
        let wanted = request.reasoning_effort;
        let asked = wanted.filter(|effort| *effort != Effort::None);
        match model.thinking {
            Thinking::Never => Self { lost: asked.is_some(), ..OFF },
            Thinking::Budget => {
                let Some(effort) = asked else { return OFF };
                let budget = budget(effort).min(max_tokens.saturating_sub(1));
                if forced || budget < LEAST_BUDGET || in_unsigned_loop(&request.messages) {
                    return Self { lost: true, ..OFF };
                }
                Self { on: true, says: Some(Says::Budget(budget)), ..OFF }
            }
            Thinking::Adaptive { off, above_high } => match (wanted, asked) {
                _ if forced && off != Off::Impossible => Self { lost: asked.is_some(), ..turned(off) },
                (Some(_), None) => turned(off),
                (_, Some(effort)) => {
                    let known = known_effort(effort, above_high);
                    let lost = known < effort && effort != Effort::Minimal;
                    Self { on: true, says: Some(Says::Adaptive), effort: Some(known), lost }
                }
                (None, None) => Self { on: off != Off::Default, ..OFF },
            },
        }
    }

    /// Writes the `thinking` member, if there is anything to say.
    pub fn write(&self, body: &mut Object<'_>) {
        let Some(says) = self.says else { return };
        body.object("thinking", |thinking| match says {
            Says::Disabled => thinking.string("type", "disabled"),
            Says::BetweenTools => thinking.string("type", "between_tools"),
            Says::Adaptive => {
                thinking.string("type", "adaptive");
                // Newer models leave the text out otherwise, and clients who ask for reasoning read it.
                thinking.string("display", "summarized");
            }
            Says::Budget(tokens) => {
                thinking.string("type", "enabled");
                thinking.number("budget_tokens", tokens);
            }
        });
    }
}

fn turned(off: Off) -> Thought {
    match off {
        Off::Default => OFF,
        Off::Disabled => Thought { says: Some(Says::Disabled), ..OFF },
        Off::BetweenTools => Thought { on: true, says: Some(Says::BetweenTools), ..OFF },
        Off::Impossible => Thought { on: true, effort: Some(Effort::Low), lost: true, ..OFF },
    }
}

/// The nearest effort the model knows that is not above the one asked for; `low` is the least.
fn known_effort(asked: Effort, above_high: &[Effort]) -> Effort {
    let known = [Effort::Low, Effort::Medium, Effort::High].iter().chain(above_high);
    known.copied().filter(|effort| *effort <= asked).max().unwrap_or(Effort::Low)
}

/// LiteLLM's and agentgateway's budgets, so that a client that moves here finds what it had.
fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::None => 0,
        Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 2048,
        Effort::High => 4096,
        Effort::Xhigh => 8192,
        Effort::Max => 16_384,
    }
}

/// Whether the conversation stands in a tool loop none of whose steps came back with its thinking.
fn in_unsigned_loop(messages: &[Message<'_>]) -> bool {
    let mut steps = messages
        .iter()
        .rev()
        .skip_while(|message| message.role != Role::Assistant)
        .take_while(|message| message.role != Role::User)
        .filter(|message| message.role == Role::Assistant)
        .peekable();
    steps.peek().is_some_and(|last| !last.tool_calls.is_empty())
        && !steps.any(|step| step.thinking_blocks.iter().any(|block| is_signed(*block)))
}

/// Whether the API would take the block back: with its signature, or withheld as a whole.
pub(super) fn is_signed(block: Value<'_>) -> bool {
    let proof = match block.get("type").and_then(Value::text) {
        Some(kind) if kind == "thinking" => "signature",
        Some(kind) if kind == "redacted_thinking" => "data",
        _ => return false,
    };
    block.get(proof).and_then(Value::text).is_some_and(|proof| !proof.is_empty())
}

/// Writes a block as it came, in the members the API knows.
pub(super) fn write_block(block: Value<'_>, out: &mut Object<'_>) {
    let withheld = block.get("data").is_some();
    out.string("type", if withheld { "redacted_thinking" } else { "thinking" });
    let text = |key: &str| block.get(key).and_then(Value::text).unwrap_or_default();
    if withheld {
        out.text("data", &text("data"));
    } else {
        out.text("thinking", &text("thinking"));
        out.text("signature", &text("signature"));
    }
}
