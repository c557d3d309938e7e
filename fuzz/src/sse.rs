//! Server-sent events: a stream cut anywhere gives the same frames.

use crate::input::{Input, pieces};
use modelgate::sse::{Frame, Splitter, TooLong};

#[derive(Debug, PartialEq)]
struct Seen {
    raw: Vec<u8>,
    name: Vec<u8>,
    data: Option<Vec<u8>>,
    stray: Vec<u8>,
}

fn seen(frame: &Frame<'_>) -> Seen {
    if let Some(std::borrow::Cow::Borrowed(data)) = &frame.data {
        assert_eq!(frame.raw.get(frame.data_at..frame.data_at + data.len()), Some(*data));
    }
    let stray = frame.stray();
    assert_eq!(frame.strays, !stray.is_empty(), "{:?}", frame.raw);
    Seen {
        raw: frame.raw.to_vec(),
        name: frame.name.to_vec(),
        data: frame.data.as_ref().map(|data| data.to_vec()),
        stray,
    }
}

fn split(limit: usize, pieces: &[&[u8]]) -> (Vec<Seen>, Result<(), TooLong>) {
    let (mut splitter, mut frames) = (Splitter::new(limit), Vec::new());
    for piece in pieces {
        let pushed = splitter.push(piece, |frame| frames.push(seen(&frame)));
        assert!(splitter.held() <= limit);
        if pushed.is_err() {
            return (frames, pushed);
        }
    }
    splitter.finish(|frame| frames.push(seen(&frame)));
    (frames, Ok(()))
}

pub fn target(data: &[u8]) {
    let mut input = Input(data);
    let (limit, cuts) = (input.one_of(&[1, 16, 200]), input.byte());
    let text = input.0;
    let (whole, _) = split(usize::MAX, &[text]);
    assert_eq!(whole.iter().flat_map(|frame| &frame.raw).copied().collect::<Vec<_>>(), text);
    for pieces in [pieces(text, cuts), text.chunks(1).collect()] {
        assert_eq!(split(usize::MAX, &pieces).0, whole);
        let (some, all) = split(limit, &pieces);
        assert!(
            whole.starts_with(&some) && (all.is_err() || some.len() == whole.len()),
            "{some:?} of {whole:?}"
        );
    }
}
