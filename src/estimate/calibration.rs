//! What one model's usage reports have taught about its tokenizer: a factor for each kind of content.
//!
//! It is a Kalman filter of the plainest sort: factors, how much each is doubted, and how the doubts hang together. A report
//! moves those factors that the request had much of and that are doubted most; what a deployment never sends stays as it was
//! believed at first, but for what all kinds have in common. Errors are relative, so a long request teaches no more than a
//! short one; reports that are far off (a prompt that the provider did not count whole, one with a hidden text) pull no
//! harder than those at the edge of what was to be expected.

use super::makeup::{KINDS, Makeup};
use super::start::Family;

type Row = [f32; KINDS];

/// The state of one model. It is a value to keep in shared data: [`to_bytes`](Self::to_bytes), [`read`](Self::read).
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    family: Family,
    factors: Row,
    /// The covariance of the factors.
    doubts: [Row; KINDS],
    /// How many reports were learned from.
    seen: u32,
}

/// The relative error of an estimate whose factors are right: texts of one kind differ.
const NOISE: f32 = 0.06;
/// Short texts differ more: this, divided by the tokens, is the variance on top of [`NOISE`].
const NOISE_OF_SHORT: f32 = 1.0;
/// An error of so many standard deviations is the largest that is believed.
const BELIEVED: f32 = 2.5;

/// The first byte of the state's bytes.
const VERSION: u8 = 1;
/// Version, count, factors, and the half of the covariance that is not the other's mirror image; little-endian.
const LENGTH: usize = 1 + 4 + 4 * (KINDS + KINDS * (KINDS + 1) / 2);

impl Calibration {
    /// A model of `family` of which no report was seen.
    #[must_use]
    pub fn new(family: Family) -> Self {
        let beliefs = family.beliefs();
        let mut doubts = beliefs.map(|one| beliefs.map(|other| one.shared * other.shared));
        for (doubt, belief) in diagonal(&mut doubts).zip(beliefs) {
            *doubt += belief.alone * belief.alone;
        }
        Self { family, factors: beliefs.map(|belief| belief.factor), doubts, seen: 0 }
    }

    /// The state in `bytes`; a new one if there are none, or not of a state of this version.
    #[must_use]
    pub fn read(bytes: &[u8], family: Family) -> Self {
        Self::parse(bytes, family).unwrap_or_else(|| Self::new(family))
    }

    fn parse(bytes: &[u8], family: Family) -> Option<Self> {
        let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
        let (version, rest) = bytes.split_first()?;
        let (seen, rest) = rest.split_first_chunk()?;
        let mut numbers = rest.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        if *version != VERSION || !numbers.clone().all(f32::is_finite) {
            return None;
        }
        let mut factors = Row::default();
        for (factor, belief) in factors.iter_mut().zip(family.beliefs()) {
            *factor = numbers.next()?.clamp(belief.range.0, belief.range.1);
        }
        let mut upper = [Row::default(); KINDS];
        for (index, row) in upper.iter_mut().enumerate() {
            for doubt in row.iter_mut().skip(index) {
                *doubt = numbers.next()?;
            }
        }
        let mut doubts = upper;
        for (index, row) in upper.iter().enumerate() {
            for (mirrored, doubt) in doubts.iter_mut().zip(row).skip(index) {
                *mirrored.get_mut(index)? = *doubt;
            }
        }
        Some(Self { family, factors, doubts, seen: u32::from_le_bytes(*seen) })
    }

    /// The state as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION);
        bytes.extend(self.seen.to_le_bytes());
        let upper = self.doubts.iter().enumerate().flat_map(|(index, row)| row.iter().skip(index));
        bytes.extend(self.factors.iter().chain(upper).flat_map(|number| number.to_le_bytes()));
        bytes
    }

    /// How many reports were learned from.
    #[must_use]
    pub fn seen(&self) -> u32 {
        self.seen
    }

    /// How many tokens this model makes of it.
    #[must_use]
    pub fn tokens(&self, makeup: &Makeup) -> u64 {
        // A cast saturates, and makes nothing of what is no number.
        self.predict(makeup).round() as u64
    }

    fn predict(&self, makeup: &Makeup) -> f32 {
        dot(&self.factors, &makeup.parts) + makeup.fixed
    }

    /// Takes in that what is made up so had `tokens` tokens, as the provider reported. Zero is no report.
    pub fn learn(&mut self, makeup: &Makeup, tokens: u64) {
        let predicted = self.predict(makeup);
        if tokens == 0 || !(predicted.is_finite() && predicted >= 1.0) {
            return;
        }
        let error = (tokens as f32 - predicted) / predicted;
        let shares = makeup.parts.map(|part| part / predicted);
        let mut pulls = Row::default();
        for (pull, row) in pulls.iter_mut().zip(&self.doubts) {
            *pull = dot(row, &shares);
        }
        let expected = dot(&pulls, &shares).max(0.0) + NOISE * NOISE + NOISE_OF_SHORT / predicted;
        // Beyond what is believed, the noise is taken to be as much larger: the pull stays the same.
        let exceeds = (error.abs() / (BELIEVED * expected.sqrt())).max(1.0);
        let variance = expected * exceeds;
        let beliefs = self.family.beliefs();
        for ((factor, pull), belief) in self.factors.iter_mut().zip(pulls).zip(beliefs) {
            *factor = (*factor + pull * error / variance).clamp(belief.range.0, belief.range.1);
        }
        for (row, pull) in self.doubts.iter_mut().zip(pulls) {
            for (doubt, other) in row.iter_mut().zip(pulls) {
                *doubt -= pull * other / variance;
            }
        }
        for (doubt, belief) in diagonal(&mut self.doubts).zip(beliefs) {
            // What was doubted least is doubted again in time, but never more than at first.
            *doubt = (*doubt + belief.drift * belief.drift).min(belief.doubt());
        }
        self.seen = self.seen.saturating_add(1);
    }
}

fn dot(a: &Row, b: &Row) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn diagonal(rows: &mut [Row; KINDS]) -> impl Iterator<Item = &mut f32> {
    rows.iter_mut().enumerate().filter_map(|(index, row)| row.get_mut(index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::Kind::{self, *};
    use proptest::prelude::*;

    fn made_of(parts: &[(Kind, f32)]) -> Makeup {
        let mut makeup = Makeup { fixed: 4.0, ..Makeup::default() };
        makeup.add(Frame, 4.0);
        parts.iter().for_each(|(kind, tokens)| makeup.add(*kind, *tokens));
        makeup
    }

    fn prose(words: f32) -> Makeup {
        made_of(&[(Latin, words), (Marks, 0.12 * words), (Space, 0.03 * words)])
    }

    fn code(size: f32) -> Makeup {
        made_of(&[(Latin, 0.6 * size), (Marks, 0.3 * size), (Space, 0.1 * size)])
    }

    fn chinese(size: f32) -> Makeup {
        made_of(&[(Han, size), (Kana, 0.1 * size)])
    }

    /// What a model reports that makes `latin`, `marks` and `han` times as much of these kinds, and adds `hidden` tokens.
    fn reported(makeup: &Makeup, [latin, marks, han]: [f32; 3], hidden: f32) -> u64 {
        let extra = |kind, times: f32| makeup.part(kind) * (times - 1.0);
        (makeup.total() + extra(Latin, latin) + extra(Marks, marks) + extra(Han, han) + hidden) as u64
    }

    /// The relative error of an estimate.
    fn off(calibration: &Calibration, makeup: &Makeup, reported: u64) -> f32 {
        (calibration.tokens(makeup) as f32 / reported as f32 - 1.0).abs()
    }

    #[test]
    fn what_nothing_is_known_of_counts_by_the_weights() {
        let makeup = prose(100.0);
        assert_eq!(Calibration::new(Family::OpenAi).tokens(&makeup), makeup.total().round() as u64);
        assert_eq!(Calibration::new(Family::OpenAi).tokens(&Makeup::default()), 0);
        assert!(Calibration::new(Family::Claude).tokens(&chinese(100.0)) > 140);
    }

    #[test]
    fn reports_teach_each_kind_its_factor_and_the_frame_its_size() {
        for (factors, hidden) in [([1.15, 0.8, 1.5], 0.0), ([0.9, 1.3, 0.6], 40.0), ([1.4, 1.4, 2.5], 300.0)]
        {
            let mut calibration = Calibration::new(Family::OpenAi);
            for turn in 0..50_u8 {
                let size = 60.0 + 37.0 * f32::from(turn % 13) * f32::from(turn % 7);
                let makeup = [prose, code, chinese][usize::from(turn % 3)](size);
                calibration.learn(&makeup, reported(&makeup, factors, hidden));
            }
            assert_eq!(calibration.seen(), 50);
            for makeup in [prose, code, chinese].iter().flat_map(|kind| [80.0, 400.0, 5000.0].map(kind)) {
                let off = off(&calibration, &makeup, reported(&makeup, factors, hidden));
                assert!(off < 0.05, "{factors:?} {hidden}: {off} of {makeup:?}");
            }
        }
    }

    #[test]
    fn what_was_never_sent_is_moved_by_what_all_kinds_have_in_common() {
        let mut calibration = Calibration::new(Family::OpenAi);
        for _ in 0..20 {
            calibration.learn(&prose(500.0), 2 * prose(500.0).total() as u64);
        }
        let thai = made_of(&[(Indic, 1000.0)]);
        let believed = calibration.tokens(&thai) as f32 / thai.total();
        assert!((1.1..1.6).contains(&believed), "{believed}");
    }

    #[test]
    fn absurd_reports_do_not_undo_what_was_learned() {
        let mut calibration = Calibration::new(Family::OpenAi);
        let truth = [1.15, 1.2, 1.0];
        for turn in 0..200_u16 {
            let makeup = [prose, code][usize::from(turn % 2)](300.0 + f32::from(turn));
            // Every tenth is of a provider that counts only what was not cached, or hides a document.
            let tokens = match turn % 20 {
                5 => 3,
                15 => 50_000,
                _ => reported(&makeup, truth, 0.0),
            };
            calibration.learn(&makeup, tokens);
        }
        for makeup in [prose(400.0), code(400.0), prose(40.0)] {
            let off = off(&calibration, &makeup, reported(&makeup, truth, 0.0));
            assert!(off < 0.1, "{off} of {makeup:?}");
        }
    }

    #[test]
    fn a_model_that_was_replaced_is_learned_anew() {
        let mut calibration = Calibration::new(Family::OpenAi);
        for _ in 0..2000 {
            calibration.learn(&prose(500.0), reported(&prose(500.0), [1.0, 1.0, 1.0], 0.0));
        }
        let newer = [1.3, 1.3, 1.0];
        for _ in 0..60 {
            calibration.learn(&prose(500.0), reported(&prose(500.0), newer, 0.0));
        }
        let off = off(&calibration, &prose(500.0), reported(&prose(500.0), newer, 0.0));
        assert!(off < 0.05, "{off}");
    }

    #[test]
    fn no_report_and_nothing_to_learn_from_leave_the_state_as_it_is() {
        let mut calibration = Calibration::new(Family::Gemini);
        calibration.learn(&prose(100.0), 0);
        calibration.learn(&Makeup::default(), 17);
        calibration.learn(&made_of(&[(Latin, f32::NAN)]), 17);
        assert_eq!(calibration, Calibration::new(Family::Gemini));
    }

    #[test]
    fn a_state_survives_as_bytes_and_what_is_none_is_a_new_one() {
        let mut calibration = Calibration::new(Family::Mistral);
        for size in [50.0, 100.0, 900.0] {
            calibration.learn(&code(size), (1.3 * code(size).total()) as u64);
        }
        let bytes = calibration.to_bytes();
        assert_eq!(bytes.len(), 545);
        let read = Calibration::read(&bytes, Family::Mistral);
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!((read.seen(), read.tokens(&prose(321.0))), (3, calibration.tokens(&prose(321.0))));
        let changed = |at: usize, to: &[u8]| {
            let mut bytes = bytes.clone();
            bytes.splice(at..at + to.len(), to.iter().copied());
            bytes
        };
        let nan = f32::NAN.to_le_bytes();
        for bad in [vec![], bytes[..544].to_vec(), changed(0, &[2]), changed(5, &nan), changed(541, &nan)] {
            assert_eq!(Calibration::read(&bad, Family::Mistral), Calibration::new(Family::Mistral));
        }
    }

    proptest! {
        /// Nothing that a client sends or a provider reports makes an estimate absurd for good.
        #[test]
        fn any_reports_leave_factors_within_their_range(
            reports in proptest::collection::vec((proptest::array::uniform15(0.0..1e7_f32), any::<u64>()), 0..60),
        ) {
            let mut calibration = Calibration::new(Family::OpenAi);
            for (parts, tokens) in reports {
                calibration.learn(&Makeup { parts, fixed: 4.0 }, tokens);
                calibration = Calibration::read(&calibration.to_bytes(), Family::OpenAi);
            }
            prop_assert!(calibration.doubts.iter().flatten().all(|doubt| doubt.is_finite()));
            let tokens = calibration.tokens(&prose(1000.0)) as f32;
            prop_assert!((200.0..20_000.0).contains(&tokens), "{}", tokens);
        }

        /// Any bytes of the right length are a state or none.
        #[test]
        fn any_bytes_give_a_state_that_works(bytes in proptest::collection::vec(any::<u8>(), 544)) {
            let mut calibration = Calibration::read(&[&[VERSION], &bytes[..]].concat(), Family::OpenAi);
            calibration.learn(&prose(100.0), 150);
            prop_assert!(calibration.tokens(&prose(100.0)) < 10_000);
        }
    }
}
