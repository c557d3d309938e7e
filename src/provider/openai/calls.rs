//! The tool calls of one choice, put together from fragments.
//!
//! OpenAI numbers its fragments and says id and name once. Others leave out the index or give every
//! call the same one, repeat id and name or send them empty, send whole calls, no ids, arguments as
//! an object, or `{}` before the real arguments. So a fragment is matched by whatever it has.

use crate::chat::{Delta, Event};
use crate::fnv;
use crate::json::{Kind, Text, Value};
use crate::provider::Emit;

/// The calls of one choice.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    announced: u32,
}

#[derive(Debug, Default)]
struct Call {
    /// The provider's number of it.
    index: Option<u64>,
    /// The provider's id of it; may be empty.
    id: Text<'static>,
    /// The id that the client knows it by.
    known_as: Text<'static>,
    /// The client's number of it, once it has a name.
    number: Option<u32>,
    name: Text<'static>,
    custom: bool,
    /// Arguments that came before the name.
    early: Text<'static>,
    arguments: Arguments,
}

/// Where a call belongs.
pub(super) struct Place<'p> {
    pub choice: u32,
    /// The answer's id: ids that have to be made up are made from it.
    pub answer: &'p [u8],
    /// The fragment is a whole call.
    pub whole: bool,
}

impl Calls {
    /// Reads one entry of `tool_calls`.
    pub fn read(&mut self, value: Value<'_>, place: &Place<'_>, emit: Emit<'_>) {
        let Some(fragment) = Fragment::read(value) else { return };
        let found = if place.whole { None } else { self.find(&fragment) };
        let at = found.unwrap_or_else(|| {
            self.calls.push(Call { index: fragment.index, custom: fragment.custom, ..Call::default() });
            self.calls.len().saturating_sub(1)
        });
        if let Some(name) = &fragment.name {
            self.announce(at, name, &fragment, place, emit);
        }
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.id.is_empty()
            && let Some(id) = fragment.id
        {
            call.id = id.into_owned();
        }
        let Some(arguments) = fragment.arguments else { return };
        match call.number {
            Some(number) => call.say(number, arguments, place.choice, emit),
            None => call.early.push(&arguments),
        }
    }

    /// The call that a fragment continues, if it is not a new one.
    fn find(&self, fragment: &Fragment<'_>) -> Option<usize> {
        let same_id = |call: &Call| fragment.id.as_ref().is_some_and(|id| call.id.means(id));
        let agrees =
            |call: &Call| call.index == fragment.index || call.index.is_none() || fragment.index.is_none();
        if let Some(at) = self.calls.iter().position(|call| same_id(call) && agrees(call)) {
            return Some(at);
        }
        let last = self.calls.len().checked_sub(1)?;
        let at = match fragment.index {
            Some(_) => {
                let bare = fragment.id.is_none() && fragment.name.is_none();
                let numbered = self.calls.iter().rposition(|call| call.index == fragment.index);
                numbered.or(Some(last).filter(|_| bare))?
            }
            None => last,
        };
        let call = self.calls.get(at).filter(|call| call.number.is_some());
        // Another id is another call, and so is a name after a call that is complete.
        let another = call.is_some_and(|call| {
            let other_id = fragment.id.is_some() && !call.id.is_empty();
            let unnumbered = fragment.index.is_none() && fragment.id.is_some();
            let other = |name: &Text<'_>| {
                other_id || unnumbered || call.arguments.complete() || !call.name.means(name)
            };
            fragment.name.as_ref().map_or(other_id, other)
        });
        (!another).then_some(at)
    }

    /// A call that has a name now is told of, once.
    fn announce(
        &mut self,
        at: usize,
        name: &Text<'_>,
        fragment: &Fragment<'_>,
        place: &Place<'_>,
        emit: Emit<'_>,
    ) {
        let number = self.announced;
        let said = self.calls.get(at).map(|call| call.id.clone()).filter(|id| !id.is_empty());
        let said = fragment.id.as_ref().map(Text::borrow).or(said);
        let taken = |id: &Text<'_>| self.calls.iter().any(|call| call.known_as.means(id));
        let id = said.filter(|id| !taken(id)).map(Text::into_owned);
        let id = id.unwrap_or_else(|| Text::of(&made_up(place, number)).into_owned());
        let Some(call) = self.calls.get_mut(at).filter(|call| call.number.is_none()) else { return };
        call.number = Some(number);
        call.known_as = id.clone();
        call.name = name.clone().into_owned();
        self.announced = number.saturating_add(1);
        let delta = Delta::Call {
            index: number,
            id,
            name: name.borrow(),
            custom: call.custom,
            signature: fragment.signature.clone(),
        };
        emit(Event::Delta { choice: place.choice, delta });
        let early = std::mem::take(&mut call.early);
        if !early.is_empty() {
            call.say(number, early, place.choice, emit);
        }
    }
}

impl Call {
    fn say(&mut self, number: u32, fragment: Text<'_>, choice: u32, emit: Emit<'_>) {
        if self.custom || self.arguments.take(&fragment) {
            emit(Event::Delta { choice, delta: Delta::Arguments { index: number, fragment } });
        }
    }
}

/// How far the arguments of a call have come.
#[derive(Debug, Default)]
struct Arguments {
    /// Something that stands for no arguments came; it is kept back, because the real ones may
    /// follow, and made up for where they do not.
    none: bool,
    begun: bool,
    /// An object was opened.
    opened: bool,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Arguments {
    /// Whether they are a whole JSON object.
    fn complete(&self) -> bool {
        if self.begun { self.opened && self.depth == 0 } else { self.none }
    }

    /// Whether the fragment goes on.
    fn take(&mut self, fragment: &Text<'_>) -> bool {
        let plain = fragment.decode();
        if !self.begun {
            match plain.trim() {
                "" => return false,
                "{}" | "null" => {
                    self.none = true;
                    return false;
                }
                _ => {}
            }
        } else if self.complete() {
            // The same again, or white space.
            return false;
        }
        self.begun = true;
        for byte in plain.bytes() {
            match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => {
                    self.opened = true;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        true
    }
}

/// What an entry of `tool_calls` says; `null` and empty strings say nothing.
struct Fragment<'d> {
    index: Option<u64>,
    id: Option<Text<'d>>,
    name: Option<Text<'d>>,
    arguments: Option<Text<'d>>,
    custom: bool,
    signature: Option<Text<'d>>,
}

impl<'d> Fragment<'d> {
    fn read(value: Value<'d>) -> Option<Self> {
        if value.kind() != Kind::Object {
            return None;
        }
        let function = value.get("function");
        let custom = value.get("custom").filter(|_| function.is_none());
        let body = function.or(custom).unwrap_or(value);
        let said = |object: Value<'d>, key: &str| object.get(key)?.text().filter(|text| !text.is_empty());
        let arguments = body.get(if custom.is_some() { "input" } else { "arguments" });
        Some(Self {
            index: value.get("index").and_then(Value::u64),
            id: said(value, "id"),
            name: said(body, "name"),
            arguments: arguments.and_then(as_text),
            custom: custom.is_some(),
            signature: value
                .get("extra_content")
                .and_then(|extra| said(extra.get("google")?, "thought_signature")),
        })
    }
}

/// Arguments are JSON in a string; some send them as the JSON itself.
fn as_text(arguments: Value<'_>) -> Option<Text<'_>> {
    match arguments.kind() {
        Kind::String => arguments.text(),
        Kind::Object => std::str::from_utf8(arguments.raw()).ok().map(Text::of),
        _ => None,
    }
}

/// An id for a call that has none or another call's: unique over all answers, as far as theirs are.
fn made_up(place: &Place<'_>, number: u32) -> String {
    format!("call_{:016x}{:02x}{number:02x}", fnv::of(place.answer), place.choice)
}
