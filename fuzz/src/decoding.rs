//! Bytes that one VM leaves for another: a plan, what is known of a model's way to count.

use crate::input::Input;
use modelgate::estimate::{Calibration, Family, Makeup};
use modelgate::plan::{Plan, Turn};

pub fn target(data: &[u8]) {
    let mut input = Input(data);
    if input.is_set() {
        let mut calibration = Calibration::read(input.0, Family::OpenAi);
        let makeup = Makeup::default();
        let _ = calibration.tokens(&makeup);
        calibration.learn(&makeup, u64::MAX);
        let again = Calibration::read(&calibration.to_bytes(), Family::OpenAi);
        assert_eq!(again.to_bytes(), calibration.to_bytes());
        return;
    }
    let mut bytes = input.0.to_vec();
    if let Some(turn) = Turn::from_bytes(&bytes) {
        turn.advance(&mut bytes);
        let next = Turn::from_bytes(&bytes).expect("it is still one");
        assert_eq!(next.attempt, turn.attempt.saturating_add(1));
    }
    let Some(plan) = Plan::from_bytes(&bytes) else { return };
    assert_eq!(Plan::from_bytes(&plan.to_bytes(7)), Some(plan));
}
