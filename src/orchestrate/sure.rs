//! How sure a model is of what it has said, by itself: because it says so, or by how likely its words were to it.

use super::Said;
use super::form::{choice_of, message_of};
use super::judge::object;
use super::prompt;
use crate::chat::{Request, ResponseFormat};
use crate::config::{Edits, Measure};
use crate::json::{self, Document, Edit, Surrogates, Value, splice};

/// What a model is told that is to say how sure it is.
const SAY: &str = "After your answer, write on a last line of its own how sure you are that the answer is correct and complete, from 0 to 1, as \
a JSON object and nothing else: {\"confidence\": NUMBER}";

/// The client's request, with what makes its answer measurable; none if that needs no change.
pub(super) fn asked(measure: &Measure, body: &[u8]) -> Option<Vec<u8>> {
    match measure {
        Measure::Said => {
            let edits = Edits { system: Some(SAY.into()), ..Edits::default() };
            prompt::edited(body, &edits)
        }
        Measure::Logprobs => {
            let document = Document::parse(body, Surrogates::Paired).ok()?;
            Some(splice(body, vec![Edit::set(document.root(), "logprobs", b"true")]))
        }
        Measure::Samples(_) | Measure::Judge(_) => None,
    }
}

/// How sure a model says it is, in thousandths.
pub(super) fn said(text: &str) -> Option<u32> {
    let (_, last) = split(text)?;
    let document = Document::parse(object(last)?.as_bytes(), Surrogates::Lone).ok()?;
    let number = document.root().get("confidence").and_then(Value::f64)?;
    (0.0..=1.0).contains(&number).then_some((number * 1_000.0) as u32)
}

/// The answer, and the line that says how sure it is.
fn split(text: &str) -> Option<(&str, &str)> {
    let at = text.rfind("{\"confidence\"").or_else(|| text.rfind("{ \"confidence\""))?;
    text.split_at_checked(at)
}

/// The share of likelihood that each word had on average (the geometric mean), in thousandths, where the provider tells.
pub(super) fn likelihood(completion: &[u8]) -> Option<u32> {
    let document = Document::parse(completion, Surrogates::Lone).ok()?;
    let words = choice_of(document.root())?.get("logprobs")?.get("content")?;
    let (mut sum, mut count) = (0.0_f64, 0.0_f64);
    for logprob in words.items().filter_map(|word| word.get("logprob")?.f64()) {
        sum += logprob.clamp(-100.0, 0.0);
        count += 1.0;
    }
    let mean = (sum / count) as f32;
    (count > 0.0).then(|| ((mean * std::f32::consts::LOG2_E).exp2() * 1_000.0) as u32)
}

/// The answer without what only the measure has asked for.
pub(super) fn stripped(measure: &Measure, said: &Said) -> Said {
    match measure {
        Measure::Said => without_line(said),
        Measure::Logprobs => without_logprobs(said),
        Measure::Samples(_) | Measure::Judge(_) => None,
    }
    .unwrap_or_else(|| said.clone())
}

fn without_line(said: &Said) -> Option<Said> {
    let (text, _) = split(&said.text)?;
    let text = text.trim_end();
    with_text(said, text)
}

/// The same answer with another text.
pub(super) fn with_text(said: &Said, text: &str) -> Option<Said> {
    let document = Document::parse(&said.completion, Surrogates::Lone).ok()?;
    let content = message_of(document.root())?.get("content")?;
    let mut written = Vec::new();
    json::string(&mut written, text);
    let completion = splice(&said.completion, vec![Edit::replace(content, written)]);
    Some(Said { completion, text: text.to_owned(), ..said.clone() })
}

fn without_logprobs(said: &Said) -> Option<Said> {
    let document = Document::parse(&said.completion, Surrogates::Lone).ok()?;
    let logprobs = choice_of(document.root())?.get("logprobs")?;
    let completion = splice(&said.completion, vec![Edit::replace(logprobs, *b"null")]);
    Some(Said { completion, ..said.clone() })
}

impl Said {
    /// Whether it calls a tool with arguments that are not JSON.
    pub(super) fn has_bad_arguments(&self) -> bool {
        let Some(calls) = &self.calls else { return false };
        let Ok(document) = Document::parse(calls, Surrogates::Lone) else { return true };
        let is_bad = |call: Value<'_>| {
            let function = call.get("function").unwrap_or(call);
            let arguments = function.get("arguments").and_then(Value::text);
            arguments.is_some_and(|text| Document::parse(text.decode().as_bytes(), Surrogates::Lone).is_err())
        };
        let root = document.root();
        is_bad(root) || root.items().any(is_bad)
    }
}

/// Whether a client has asked for logprobs itself, and whether for an answer in a form to which nothing may be added.
pub(super) fn leaves_room(body: &[u8], measure: &Measure) -> bool {
    let Ok(document) = Document::parse(body, Surrogates::Paired) else { return false };
    let Ok(request) = Request::read(document.root()) else { return false };
    match measure {
        Measure::Said => matches!(request.response_format, ResponseFormat::Text),
        Measure::Logprobs => request.get("logprobs").and_then(Value::bool) != Some(true),
        Measure::Samples(_) | Measure::Judge(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_model_says_how_sure_it_is_on_its_last_line() {
        for (text, sure) in [
            ("Paris.\n{\"confidence\": 0.9}", Some(900)),
            ("Paris.\n```json\n{ \"confidence\": 1 }\n```", Some(1_000)),
            ("{\"confidence\": 0}", Some(0)),
            ("{\"confidence\": 0.1} is what I said before.\n{\"confidence\": 0.8}", Some(800)),
            ("Paris. {\"confidence\": 7}", None),
            ("Paris. {\"confidence\": \"high\"}", None),
            ("Paris.", None),
        ] {
            assert_eq!(said(text), sure, "{text}");
        }
    }

    #[test]
    fn likelihood_is_that_of_an_average_word() {
        let answer = |logprobs: &[f64]| {
            let content: Vec<_> =
                logprobs.iter().map(|logprob| json!({"token": "t", "logprob": logprob})).collect();
            json!({"choices": [{"logprobs": {"content": content}}]}).to_string()
        };
        for (logprobs, sure) in [
            (&[0.0, 0.0][..], Some(1_000)),
            (&[-0.693_2, -0.693_2], Some(499)),
            (&[0.0, -4.605_2], Some(99)),
            (&[-9e9], Some(0)),
            (&[], None),
        ] {
            assert_eq!(likelihood(answer(logprobs).as_bytes()), sure, "{logprobs:?}");
        }
    }
}
