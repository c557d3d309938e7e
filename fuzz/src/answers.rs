//! A provider's answer of any kind, whole and in pieces: the client gets the same, and it is sound.

use crate::input::{Input, pieces};
use crate::support::replay::{Asked, attempt, play, screened};
use crate::support::soundness::check_answer;
use modelgate::config::Vendor;

pub fn target(data: &[u8]) {
    let mut input = Input(data);
    // One of each dialect, and those of OpenAI's kin that have words of their own.
    let vendor = input.one_of(Vendor::ALL);
    let kind = input.below(8);
    let asked = Asked { stream: kind & 1 != 0, include_usage: kind & 2 != 0, functions: kind & 4 != 0 };
    let status = input.one_of(&[200, 400, 429, 500, 413]);
    let content_type = input.one_of(&["text/event-stream", "application/json", "text/plain"]);
    let begin = if input.is_set() { screened } else { attempt };
    let cuts = input.byte();
    let body = &input.0[..input.0.len().min(32 * 1024)];
    let whole = play(begin(vendor, asked), status, content_type, [body].into_iter());
    let shown =
        || format!("{vendor:?} {asked:?} {status} {content_type}:\n{}", String::from_utf8_lossy(body));
    if let Err(why) = check_answer(vendor, asked, &whole) {
        panic!("{why}\n{}\n->\n{}", shown(), String::from_utf8_lossy(&whole.body));
    }
    let cut = play(begin(vendor, asked), status, content_type, pieces(body, cuts).into_iter());
    let same = (cut.status, &cut.body, cut.outcome == whole.outcome) == (whole.status, &whole.body, true);
    assert!(
        same,
        "{}\n-> whole {:?}\n{}\n-> in pieces {:?}\n{}",
        shown(),
        whole.outcome,
        String::from_utf8_lossy(&whole.body),
        cut.outcome,
        String::from_utf8_lossy(&cut.body)
    );
}
