use super::*;
use crate::chat::Usage;
use crate::time::Timestamp;
use proptest::prelude::*;

fn key(byte: u8) -> Key {
    Key::from_bytes([byte; 32])
}

fn keys() -> Keys {
    Keys { exact: key(1), context: key(2) }
}

pub(super) fn entry(completion: &str) -> Entry {
    Entry {
        keys: keys(),
        made: Timestamp::from_seconds(1_700_000_000),
        provider: "openai".to_owned(),
        model: "gpt-5".to_owned(),
        dropped: "seed,messages[].name".to_owned(),
        usage: Some(Usage {
            prompt: 3,
            completion: 4,
            cached: Some(1),
            prediction: Some((1, 0)),
            ..Usage::default()
        }),
        completion: completion.into(),
    }
}

#[test]
fn an_entry_is_read_as_it_was_written() {
    let whole = entry("{}");
    let bare = Entry { usage: None, provider: String::new(), completion: Vec::new(), ..whole.clone() };
    let long = Entry { model: "é".repeat(40_000), ..whole.clone() };
    for entry in [whole, bare] {
        assert_eq!(Entry::from_bytes(entry.to_bytes(), &entry.keys), Some(entry.clone()));
        for keys in [Keys { exact: key(2), ..entry.keys }, Keys { context: key(1), ..entry.keys }] {
            assert_eq!(
                Entry::from_bytes(entry.to_bytes(), &keys),
                None,
                "it is the answer to something else"
            );
        }
    }
    let read = Entry::from_bytes(long.to_bytes(), &long.keys).unwrap();
    assert_eq!(read.model, "é".repeat(32_767), "a text has at most 65535 bytes");
}

proptest! {
    #[test]
    fn bytes_that_were_changed_anywhere_are_no_entry(
        completion in "[a-z{}]{0,64}", at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let bytes = entry(&completion).to_bytes();
        let mut changed = bytes.clone();
        let at = at.index(bytes.len());
        changed[at] = with;
        prop_assert_eq!(Entry::from_bytes(changed.clone(), &keys()).is_some(), changed == bytes);
        prop_assert_eq!(Entry::from_bytes(bytes[..cut.index(bytes.len())].to_vec(), &keys()), None);
        prop_assert_eq!(Entry::from_bytes([bytes, vec![with]].concat(), &keys()), None);
    }

    #[test]
    fn foreign_bytes_are_no_entry(bytes in prop::collection::vec(any::<u8>(), 0..300), version in 0..3_u8) {
        prop_assert_eq!(Entry::from_bytes([vec![version], bytes].concat(), &keys()), None);
    }
}

#[test]
fn what_cannot_be_streamed_is_no_stream() {
    for broken in ["", "{", "[]", "{}", r#"{"choices":[]}"#] {
        assert_eq!(entry(broken).stream(false, false), None, "{broken}");
    }
}
