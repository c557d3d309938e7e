//! A candidate's function calls: whole ones, and ones whose arguments arrive in pieces.

use super::ids;
use super::partial::{Arguments, BadPath};
use crate::chat::{Delta, Event};
use crate::json::{Text, Value};
use crate::provider::Emit;

/// The calls of one candidate.
#[derive(Debug, Default)]
pub(super) struct Calls {
    candidate: u32,
    count: u32,
    open: Option<Open>,
}

/// A call whose arguments are still coming.
#[derive(Debug)]
struct Open {
    id: Option<Text<'static>>,
    name: Text<'static>,
    signature: Option<Text<'static>>,
    arguments: Arguments,
    /// Arguments that came whole after all.
    whole: Option<Vec<u8>>,
}

impl Calls {
    /// The calls of that candidate.
    pub fn of(candidate: u32) -> Self {
        Self { candidate, ..Self::default() }
    }

    /// Reads one `functionCall`. `answer` is what the answer is known by.
    pub fn read(
        &mut self,
        call: Value<'_>,
        signature: Option<Text<'_>>,
        answer: u64,
        emit: Emit<'_>,
    ) -> Result<(), BadPath> {
        let [id, name, args, pieces, continues] =
            super::fields(call, ["id", "name", "args", "partialArgs", "willContinue"]);
        let continues = continues.and_then(Value::bool) == Some(true);
        let id = id.and_then(Value::text).filter(|id| !id.is_empty());
        if let Some(name) = name.and_then(Value::text).filter(|name| !name.is_empty()) {
            self.close(answer, emit);
            if !continues && pieces.is_none() {
                self.emit(id, name, signature, args.map(Value::raw), answer, emit);
                return Ok(());
            }
            self.open = Some(Open {
                id: id.map(Text::into_owned),
                name: name.into_owned(),
                signature: signature.map(Text::into_owned),
                arguments: Arguments::default(),
                whole: None,
            });
        } else if let Some(open) = &mut self.open {
            open.signature = open.signature.take().or(signature.map(Text::into_owned));
            open.id = open.id.take().or(id.map(Text::into_owned));
        }
        // What has no name and goes on from nothing is no call.
        let Some(open) = &mut self.open else { return Ok(()) };
        for piece in pieces.into_iter().flat_map(Value::items) {
            open.arguments.take(piece)?;
        }
        if let Some(args) = args.filter(|args| args.entries().next().is_some()) {
            open.whole = Some(args.raw().to_vec());
        }
        if !continues {
            self.close(answer, emit);
        }
        Ok(())
    }

    /// The open call, if there is one, is complete.
    pub fn close(&mut self, answer: u64, emit: Emit<'_>) {
        if let Some(open) = self.open.take() {
            let arguments = open.whole.unwrap_or_else(|| open.arguments.to_json());
            self.emit(open.id, open.name, open.signature, Some(&arguments), answer, emit);
        }
    }

    fn emit(
        &mut self,
        id: Option<Text<'_>>,
        name: Text<'_>,
        signature: Option<Text<'_>>,
        arguments: Option<&[u8]>,
        answer: u64,
        emit: Emit<'_>,
    ) {
        let (choice, index) = (self.candidate, self.count);
        self.count = self.count.saturating_add(1);
        let made;
        let id = match id {
            Some(id) => ids::shown(&id),
            None => {
                made = ids::made(answer, choice, index);
                Text::of(&made)
            }
        };
        emit(Event::Delta { choice, delta: Delta::Call { index, id, name, custom: false, signature } });
        if let Some(arguments) = arguments {
            let compact = compact(arguments);
            let fragment = Text::of(&compact);
            emit(Event::Delta { choice, delta: Delta::Arguments { index, fragment } });
        }
    }
}

/// JSON without the white space between its values.
fn compact(json: &[u8]) -> String {
    let mut out = Vec::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        if in_string || !byte.is_ascii_whitespace() {
            out.push(*byte);
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_goes_but_for_that_in_strings() {
        let json = br#"{ "a b" : [ 1 , "x \" y\\" ] , "c":{ } }"#;
        assert_eq!(compact(json), r#"{"a b":[1,"x \" y\\"],"c":{}}"#);
    }
}
