//! What a model said in one chunk of a canonical stream, or in a whole answer, for counting it.
//!
//! What is passed on as it came is not parsed (see [`glance`](super::glance)); what of it was said is found by the keys it
//! stands under.

use memchr::{memchr, memchr3, memmem};

/// Where it stands what was said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// In each `delta` of a stream's chunks.
    Chunks,
    /// In each `message` of a whole answer.
    Whole,
}

impl Form {
    fn key(self) -> &'static [u8] {
        match self {
            Self::Chunks => br#""delta""#,
            Self::Whole => br#""message""#,
        }
    }
}

/// Hands over the inside of each string in which `data` holds something that was said: text, reasoning, a refusal, the name
/// and the arguments of a call. In pieces of JSON that is broken, nothing or less is found.
pub fn said<'d>(data: &'d [u8], form: Form, each: &mut dyn FnMut(&'d [u8])) {
    for at in memmem::find_iter(data, form.key()) {
        let after = data.get(at.saturating_add(form.key().len())..).unwrap_or_default().trim_ascii_start();
        if let Some(delta) = after.strip_prefix(b":").map(<[u8]>::trim_ascii_start) {
            in_delta(delta, each);
        }
    }
}

/// The strings of one object, and of those in it.
fn in_delta<'d>(delta: &'d [u8], each: &mut dyn FnMut(&'d [u8])) {
    let (mut rest, mut depth, mut key) = (delta, 0_usize, &b""[..]);
    let mut reasoning: Option<&[u8]> = None;
    while let Some((mark, after)) =
        memchr3(b'"', b'{', b'}', rest).and_then(|at| rest.get(at..)).and_then(<[u8]>::split_first)
    {
        rest = after;
        match mark {
            b'{' => depth = depth.saturating_add(1),
            b'}' => depth = depth.saturating_sub(1),
            _ => {
                let Some((inside, after)) = string(rest) else { return };
                rest = after;
                if rest.trim_ascii_start().first() == Some(&b':') {
                    key = inside;
                } else if is_said(key) && !inside.is_empty() {
                    each(inside);
                } else if matches!(key, b"reasoning_content" | b"reasoning") && !inside.is_empty() {
                    // Some servers say it under both.
                    if **reasoning.get_or_insert(key) == *key {
                        each(inside);
                    }
                }
            }
        }
        if depth == 0 {
            return;
        }
    }
}

fn is_said(key: &[u8]) -> bool {
    matches!(key, b"content" | b"refusal" | b"name" | b"arguments" | b"input")
}

/// The inside of a string whose first quote was read, and what comes after it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0_usize;
    loop {
        let quote = memchr(b'"', text.get(from..)?)?.checked_add(from)?;
        let (inside, after) = text.split_at_checked(quote)?;
        let backslashes = inside.iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes.is_multiple_of(2) {
            return Some((inside, after.get(1..)?));
        }
        from = quote.checked_add(1)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{ChunkWriter, Delta, Event};
    use crate::json::Text;
    use proptest::prelude::*;

    fn all(data: &str) -> Vec<String> {
        let mut found = Vec::new();
        said(data.as_bytes(), Form::Chunks, &mut |inside| {
            found.push(String::from_utf8_lossy(inside).into_owned())
        });
        found
    }

    fn chunk(delta: &str) -> String {
        format!(
            r#"{{"id":"content","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":"stop"}}],"usage":null}}"#
        )
    }

    #[test]
    fn what_was_said_is_found_by_its_keys() {
        let call = r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"look_up","arguments":"{\"a\": 1}"}}]}"#;
        for (delta, expected) in [
            (r#"{"role":"assistant","content":"","refusal":null}"#, vec![]),
            (r#"{"content":" the"}"#, vec![" the"]),
            (r#"{ "content" : "a \"b\" \\" }"#, vec![r#"a \"b\" \\"#]),
            (r#"{"content":"}\","}"#, vec![r#"}\","#]),
            (r#"{"reasoning_content":"Hm"}"#, vec!["Hm"]),
            (r#"{"reasoning":"Hm","reasoning_content":"Hm"}"#, vec!["Hm"]),
            (r#"{"reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm"}]}"#, vec!["Hm"]),
            (
                r#"{"reasoning_content":"Hm","extra_content":{"anthropic":{"thinking_blocks":[{"thinking":"Hm"}]}}}"#,
                vec!["Hm"],
            ),
            (r#"{"refusal":"No"}"#, vec!["No"]),
            (call, vec!["look_up", r#"{\"a\": 1}"#]),
            ("{}", vec![]),
            ("null", vec![]),
        ] {
            assert_eq!(all(&chunk(delta)), expected, "{delta}");
        }
        let two = r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"},"index":1}]}"#;
        assert_eq!(all(two), ["a", "b"]);
        for broken in
            [r#"{"delta":{"content":"a"#, r#"{"delta":"#, r#""delta""#, "", "[DONE]", r#"{"delta":{"content"#]
        {
            assert!(all(broken).is_empty(), "{broken}");
        }
    }

    #[test]
    fn what_a_whole_answer_says_is_in_its_messages() {
        let answer = br#"{"model":"content","choices":[{"index":0,"message":{"role":"assistant","content":"a \"b\"","reasoning_content":"Hm","tool_calls":[{"id":"call_1","type":"function","function":{"name":"look_up","arguments":"{}"}}],"annotations":[{"delta":{"content":"x"}}]},"logprobs":{"content":[]}},{"message":{"content":null,"refusal":"No"}}]}"#;
        let mut found = Vec::new();
        said(answer, Form::Whole, &mut |inside| found.push(String::from_utf8_lossy(inside).into_owned()));
        assert_eq!(found, [r#"a \"b\""#, "Hm", "look_up", "{}", "x", "No"]);
        said(br#"{"error":{"message":"content"}}"#, Form::Whole, &mut |inside| panic!("{inside:?}"));
    }

    proptest! {
        /// Whatever a model says, also JSON of chunks, it is found whole and once.
        #[test]
        fn every_text_is_found_where_the_writer_put_it(text in r#"([\\"a-z:{}\[\] é😀]|"delta":\{"content":"x"\}){1,20}"#, reasons in any::<bool>()) {
            let mut out = Vec::new();
            let mut writer = ChunkWriter::new("chatcmpl-1", "m", 1, false);
            let inside = Text::of(&text);
            let delta = if reasons { Delta::Reasoning(inside.borrow()) } else { Delta::Text(inside.borrow()) };
            writer.write(Event::Delta { choice: 0, delta }, &mut out);
            let found = all(&String::from_utf8(out).unwrap());
            prop_assert_eq!(found, [String::from_utf8_lossy(inside.as_bytes()).into_owned()]);
        }

        #[test]
        fn no_bytes_make_it_fail(data in r#"("delta":|[{}"\\:, ]|"content":|a){0,60}"#) {
            all(&data);
        }
    }
}
