//! Answers of every provider on their way through the cache: what was let go to one client is taken down and served to
//! clients of either kind, who have the same answer in the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support {
    pub mod openai_client;
    pub mod recordings;
    pub mod replay;
}

use modelgate::cache::{Entry, Key, Keys, Origin, Recorder};
use modelgate::sse::Splitter;
use modelgate::time::Timestamp;
use support::openai_client::{self as client, Seen};
use support::recordings::{Row, rows};
use support::replay::{Asked, STREAM_WITH_USAGE, WHOLE, attempt, play};

const LIMIT: usize = 1 << 20;

/// What a client got whose answer was let go, and what was taken down of it.
struct Passed {
    seen: Seen,
    entry: Option<Entry>,
}

fn pass(row: &Row, asked: Asked) -> Option<Passed> {
    let got = play(attempt(row.vendor, asked), row.status, &row.content_type, row.body.chunks(100));
    if got.status != 200 {
        return None;
    }
    let seen = if asked.stream {
        client::stream(&got.body, asked.include_usage)
    } else {
        client::completion(&got.body)
    };
    let seen = seen.unwrap_or_else(|why| panic!("{}: {why}", row.id));
    let n = u64::try_from(seen.choices.len()).unwrap();
    let mut recorder = Recorder::new(n, LIMIT, asked.functions);
    if asked.stream {
        let mut splitter = Splitter::new(LIMIT);
        let mut take = |frame: modelgate::sse::Frame<'_>| recorder.chunk(&frame.data.unwrap_or_default());
        got.body.chunks(77).for_each(|piece| splitter.push(piece, &mut take).unwrap());
    } else {
        recorder.answer(&got.body);
    }
    let keys = Keys { exact: Key::from_bytes([1; 32]), context: Key::from_bytes([2; 32]) };
    let origin = Origin { provider: "p", model: "model", dropped: "" };
    let entry = recorder.finish(keys, origin, None, Timestamp::from_seconds(1_700_000_000));
    // As it comes back from where it is kept.
    let entry = entry.map(|entry| Entry::from_bytes(entry.to_bytes(), &keys).expect("an entry"));
    Some(Passed { seen, entry })
}

/// Whether the recorded client offered the legacy `functions`.
fn offers_functions(row: &Row) -> bool {
    let request = row.request.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    request.is_some_and(|request| request.contains("\"functions\""))
}

/// Compares what clients do with an answer.
fn assert_same(id: &str, served: &Seen, original: &Seen) {
    assert_eq!((&served.id, &served.model), (&original.id, &original.model), "{id}");
    assert_eq!(served.usage, original.usage, "{id}");
    assert_eq!(served.choices.len(), original.choices.len(), "{id}");
    for (served, original) in served.choices.iter().zip(&original.choices) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        assert_eq!(text(&served.content), text(&original.content), "{id}");
        assert_eq!(served.reasoning, original.reasoning, "{id}");
        assert_eq!(served.refusal, original.refusal, "{id}");
        assert_eq!(served.calls, original.calls, "{id}");
        assert_eq!(served.message["function_call"], original.message["function_call"], "{id}");
        assert_eq!(served.finish, original.finish, "{id}");
        assert_eq!(served.signatures, original.signatures, "{id}");
    }
}

#[test]
fn an_answer_of_any_provider_is_the_same_one_from_the_cache() {
    let (mut kept, mut passed) = (0, 0);
    for row in rows() {
        for asked in [WHOLE, STREAM_WITH_USAGE] {
            if asked.stream != row.stream && row.stream {
                continue;
            }
            let asked = Asked { functions: offers_functions(&row), ..asked };
            let Some(Passed { seen, entry }) = pass(&row, asked) else { continue };
            let ended = |reason: &Option<String>| {
                matches!(reason.as_deref(), Some("stop" | "tool_calls" | "function_call"))
            };
            let whole = seen.error.is_none() && (seen.done || !asked.stream);
            let expected = whole && seen.choices.iter().all(|choice| ended(&choice.finish));
            passed += usize::from(expected);
            let Some(entry) = entry else { continue };
            assert!(expected, "{} is kept although it is not whole", row.id);
            kept += 1;
            assert_same(&row.id, &client::completion(&entry.completion).unwrap(), &seen);
            let stream = entry.stream(true, asked.functions).unwrap();
            let streamed = client::stream(&stream, true).unwrap_or_else(|why| panic!("{}: {why}", row.id));
            assert!(streamed.done, "{}", row.id);
            assert_same(&row.id, &streamed, &seen);
            let without = client::stream(&entry.stream(false, asked.functions).unwrap(), false).unwrap();
            assert_eq!(without.usage, None, "{}", row.id);
        }
    }
    println!("{kept} of {passed} whole answers are kept");
    assert!(kept * 10 >= passed * 9, "only {kept} of {passed} whole answers are kept");
}
