//! How long an answer will be: what to reserve for it, learned from the answers there were.
//!
//! For each subject (a consumer, or a route) and model, a histogram of answers' tokens, four parts to each doubling, so that a
//! length is known to a fourth. Old answers fade: when it is full everything counts half. There is a fixed number of
//! histograms; who finds that of another in its place, who has been there lately, learns nothing and is not told the
//! other's. So what it says is never more than an estimate, and nothing is refused by it alone.

use super::bytes::Reader;
use super::keys;
use crate::store::{Contended, Store, update};
use crate::time::{MINUTE, Timestamp};

/// What an answer counts when it is new.
const WEIGHT: u16 = 64;
/// When all answers together count this much, each counts half from then on: so that of the last 256 or so.
const FULL: u32 = 256 * WEIGHT as u32;
/// What was believed before counts as this many answers.
const PRIOR: u32 = 2 * WEIGHT as u32;
/// Up to two million tokens.
const PARTS: usize = 80;
/// A histogram that nobody has added to for this long is given to somebody else, in milliseconds.
const FORGOTTEN: u64 = 60 * MINUTE;
/// The form of a histogram, its first byte.
const VERSION: u8 = 1;
/// Nothing is lost but one answer among many.
const ATTEMPTS: u32 = 4;

/// What to expect of a model of which nothing is known: a part of the longest answer it can give, because hardly one
/// is.
#[must_use]
pub fn prior(max_output_tokens: Option<u64>) -> u64 {
    max_output_tokens.map_or(1_024, |most| (most / 16).clamp(256, 4_096))
}

/// How long an answer is expected to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Tokens.
    pub tokens: u64,
    /// Whether as many answers are known as ever are at a time.
    pub is_known: bool,
}

/// How many tokens an answer will not exceed in `per_mille` of a thousand cases, after what was learned for the subject and
/// the model; `prior` is what was believed before, and `most` what the request allows.
#[must_use]
pub fn expected(
    store: &dyn Store,
    subject: &str,
    model: &str,
    per_mille: u16,
    prior: u64,
    most: Option<u64>,
) -> Expected {
    let (key, owner) = keys::learned(subject, model);
    let value = store.get(&key);
    let known = value.and_then(|(value, _)| Histogram::read(&value)).filter(|known| known.owner == owner);
    let tokens = known.as_ref().map_or(prior, |known| known.quantile(per_mille, prior));
    Expected {
        tokens: tokens.min(most.unwrap_or(u64::MAX)),
        // Half of what is full is left when it is halved.
        is_known: known.is_some_and(|known| known.total() >= FULL / 2),
    }
}

/// Adds an answer to what is known.
///
/// # Errors
/// If too many others did at the same time.
pub fn learn(
    store: &dyn Store,
    subject: &str,
    model: &str,
    output: u64,
    now: Timestamp,
) -> Result<(), Contended> {
    let (key, owner) = keys::learned(subject, model);
    update(store, &key, ATTEMPTS, |old| {
        let known = match old.and_then(Histogram::read) {
            Some(known) if known.owner == owner => known,
            Some(known) if !known.is_forgotten(now) => return ((), None),
            _ => Histogram { owner, last: now, parts: [0; PARTS] },
        };
        ((), Some(known.with(output, now).to_bytes()))
    })
}

struct Histogram {
    /// The hash of the subject and the model.
    owner: u64,
    /// When the last answer was added.
    last: Timestamp,
    parts: [u16; PARTS],
}

impl Histogram {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes.strip_prefix(&[VERSION])?);
        let (owner, last) = (from.u64()?, Timestamp::from_millis(from.u64()?));
        let mut parts = [0; PARTS];
        for part in &mut parts {
            *part = from.u16()?;
        }
        from.0.is_empty().then_some(Self { owner, last, parts })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(17 + 2 * PARTS);
        out.push(VERSION);
        out.extend(self.owner.to_le_bytes());
        out.extend(self.last.millis().to_le_bytes());
        self.parts.iter().for_each(|part| out.extend(part.to_le_bytes()));
        out
    }

    /// Also when it was added to in a future that a clock has come back from.
    fn is_forgotten(&self, now: Timestamp) -> bool {
        now.since(self.last).max(self.last.since(now)) >= FORGOTTEN
    }

    fn with(mut self, output: u64, now: Timestamp) -> Self {
        if self.total() >= FULL {
            self.parts.iter_mut().for_each(|part| *part /= 2);
        }
        if let Some(part) = self.parts.get_mut(part_of(output)) {
            *part = part.saturating_add(WEIGHT);
        }
        self.last = now;
        self
    }

    fn total(&self) -> u32 {
        self.parts.iter().map(|part| u32::from(*part)).sum()
    }

    fn quantile(&self, per_mille: u16, prior: u64) -> u64 {
        let believed = part_of(prior);
        let wanted = (self.total() + PRIOR).saturating_mul(u32::from(per_mille.min(1_000))).div_ceil(1_000);
        let mut below = 0;
        for (part, weight) in self.parts.iter().enumerate() {
            below += u32::from(*weight) + if part == believed { PRIOR } else { 0 };
            if below >= wanted {
                // The prior is one number, not a part.
                return if part == believed { longest(part).min(prior.max(1)) } else { longest(part) };
            }
        }
        prior
    }
}

/// In which part of the histogram such a length is: below four each has its own, then there are four to each doubling.
fn part_of(output: u64) -> usize {
    let Some(octave) = output.checked_ilog2().filter(|octave| *octave >= 2) else {
        return usize::try_from(output).unwrap_or(0);
    };
    let quarter = (output >> (octave - 2)) % 4;
    let part = u64::from(octave - 1) * 4 + quarter;
    usize::try_from(part).unwrap_or(PARTS).min(PARTS - 1)
}

/// The longest that is in a part.
fn longest(part: usize) -> u64 {
    let part = part as u64;
    if part < 4 { part } else { ((part % 4 + 5) << (part / 4 - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Memory;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }

    fn told(store: &Memory, subject: &str, model: &str, per_mille: u16, prior: u64) -> u64 {
        expected(store, subject, model, per_mille, prior, None).tokens
    }

    fn teach(store: &Memory, subject: &str, outputs: impl IntoIterator<Item = u64>) {
        outputs.into_iter().for_each(|output| learn(store, subject, "gpt", output, now()).unwrap());
    }

    #[test]
    fn what_is_not_known_is_what_was_believed_before() {
        let store = Memory::default();
        assert_eq!(told(&store, "acme", "gpt", 900, 1_000), 1_000);
        for (most, believed) in
            [(None, 1_024), (Some(1_000), 256), (Some(32_000), 2_000), (Some(128_000), 4_096)]
        {
            assert_eq!(prior(most), believed);
        }
    }

    #[test]
    fn a_belief_gives_way_to_what_is_seen() {
        let store = Memory::default();
        let mut seen = Vec::new();
        for _ in 0..30 {
            seen.push(told(&store, "acme", "gpt", 900, 4_000));
            teach(&store, "acme", [100]);
        }
        // Nine of ten must be seen to be short: with two that are only believed to be long, that is after eighteen.
        assert!(seen.iter().take(18).all(|told| *told == 4_000), "{seen:?}");
        assert!(seen.iter().skip(18).all(|told| (100..=112).contains(told)), "{seen:?}");
    }

    #[test]
    fn a_quantile_is_known_to_a_fourth() {
        let store = Memory::default();
        teach(&store, "acme", (1..=200).map(|n| n * 10));
        for (per_mille, exact) in [(500, 1_000), (900, 1_800), (990, 1_980)] {
            let told = told(&store, "acme", "gpt", per_mille, 1);
            assert!((exact..=exact * 5 / 4).contains(&told), "{per_mille}: {told}");
        }
        assert_eq!(
            expected(&store, "acme", "gpt", 900, 1, Some(300)).tokens,
            300,
            "it cannot be longer than it may"
        );
    }

    #[test]
    fn old_answers_fade() {
        let store = Memory::default();
        teach(&store, "acme", std::iter::repeat_n(5_000, 1_000));
        assert!(told(&store, "acme", "gpt", 900, 1) >= 5_000);
        teach(&store, "acme", std::iter::repeat_n(50, 1_000));
        assert!(told(&store, "acme", "gpt", 900, 1) <= 60);
    }

    #[test]
    fn each_subject_and_model_learns_for_itself() {
        let store = Memory::default();
        teach(&store, "acme", std::iter::repeat_n(100, 50));
        assert_eq!(told(&store, "umbrella", "gpt", 900, 1_000), 1_000);
        assert_eq!(told(&store, "acme", "claude", 900, 1_000), 1_000);
    }

    /// Two subjects whose histograms have the same key.
    fn rivals() -> (String, String) {
        let key = |subject: &str| keys::learned(subject, "gpt").0;
        let wanted = key("acme");
        let rival = (0..).map(|n| format!("rival-{n}")).find(|rival| key(rival) == wanted);
        ("acme".to_owned(), rival.unwrap())
    }

    #[test]
    fn a_histogram_is_somebody_elses_only_when_it_is_forgotten() {
        let store = Memory::default();
        let (first, second) = rivals();
        teach(&store, &first, std::iter::repeat_n(100, 50));
        teach(&store, &second, std::iter::repeat_n(9_000, 50));
        assert_eq!(told(&store, &second, "gpt", 900, 1_000), 1_000, "it is told nothing of the other's");
        assert!(told(&store, &first, "gpt", 900, 1_000) < 120, "nor does it change that");
        for later in [now().after(FORGOTTEN), now().before(FORGOTTEN)] {
            let store = Memory::default();
            teach(&store, &first, [100]);
            learn(&store, &second, "gpt", 9_000, later).unwrap();
            assert!(told(&store, &second, "gpt", 1, 9_000) >= 9_000);
            assert_eq!(told(&store, &first, "gpt", 900, 1_000), 1_000);
        }
        assert_eq!(store.get(&keys::learned(&first, "gpt").0).unwrap().0.len(), 17 + 2 * PARTS);
    }

    #[test]
    fn keys_are_no_more_than_there_are_slots() {
        let keys: std::collections::HashSet<_> =
            (0..40_000).map(|n| keys::learned(&format!("stranger-{n}"), "gpt").0).collect();
        assert!(keys.len() <= 4096);
    }

    #[test]
    fn what_cannot_be_read_is_begun_anew() {
        for bytes in [&b""[..], b"\x01", b"\x02", &[1; 200]] {
            let store = Memory::default();
            let (key, _) = keys::learned("acme", "gpt");
            store.set(&key, bytes, crate::store::Expected::Absent).unwrap();
            assert_eq!(told(&store, "acme", "gpt", 900, 77), 77);
            teach(&store, "acme", std::iter::repeat_n(100, 50));
            assert!(told(&store, "acme", "gpt", 900, 77) >= 100);
        }
    }

    proptest! {
        #[test]
        fn parts_follow_each_other_without_a_gap(output in 0..2_097_151_u64) {
            let part = part_of(output);
            prop_assert!(output <= longest(part) && longest(part) <= (output + output / 4).max(3));
            prop_assert_eq!(part_of(longest(part)), part);
            prop_assert_eq!(part_of(longest(part) + 1), (part + 1).min(PARTS - 1));
        }

        #[test]
        fn nothing_makes_it_panic(outputs in prop::collection::vec(any::<u64>(), 0..300), per_mille in any::<u16>(), prior in any::<u64>()) {
            let store = Memory::default();
            teach(&store, "acme", outputs);
            let _ = told(&store, "acme", "gpt", per_mille, prior);
        }
    }
}
