use super::*;
use crate::chat::Usage;
use proptest::prelude::*;

fn key(byte: u8) -> Key {
    Key::from_bytes([byte; 32])
}

pub(super) fn entry(completion: &str) -> Entry {
    Entry {
        keys: Keys { exact: key(1), context: key(2) },
        made: 1_700_000_000,
        provider: "openai".to_owned(),
        model: "gpt-5".to_owned(),
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
    let long = Entry { model: "é".repeat(200), ..whole.clone() };
    for entry in [whole, bare] {
        assert_eq!(Entry::from_bytes(entry.to_bytes(), &key(1)), Some(entry.clone()));
        assert_eq!(Entry::from_bytes(entry.to_bytes(), &key(2)), None, "it is the answer to something else");
    }
    let read = Entry::from_bytes(long.to_bytes(), &key(1)).unwrap();
    assert_eq!(read.model, "é".repeat(127), "a name has at most 255 bytes");
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
        prop_assert_eq!(Entry::from_bytes(changed.clone(), &key(1)).is_some(), changed == bytes);
        prop_assert_eq!(Entry::from_bytes(bytes[..cut.index(bytes.len())].to_vec(), &key(1)), None);
        prop_assert_eq!(Entry::from_bytes([bytes, vec![with]].concat(), &key(1)), None);
    }

    #[test]
    fn foreign_bytes_are_no_entry(bytes in prop::collection::vec(any::<u8>(), 0..300), version in 0..3_u8) {
        prop_assert_eq!(Entry::from_bytes([vec![version], bytes].concat(), &key(1)), None);
    }
}

#[test]
fn what_cannot_be_streamed_is_no_stream() {
    for broken in ["", "{", "[]", "{}", r#"{"choices":[]}"#] {
        assert_eq!(entry(broken).stream(false, false), None, "{broken}");
    }
}
