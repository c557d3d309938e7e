//! What a request was worth that an arm has served.

/// Something that a request took, its cost or its time, compared with what is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Toll {
    /// How much of a reward it can take, from 0 to 1.
    pub weight: f32,
    /// How much it was, in any unit.
    pub amount: f32,
    /// How much is usual, in the same unit. Where that is not known, or is nothing, nothing is taken.
    pub usual: f32,
}

/// The reward of a request, from 0 to 1: 0 if it failed, or else 1 less what its cost and its time take. What is usual takes
/// half of its weight, what is twice that two thirds, and half of that one third, so that there is a difference however large
/// or small it is.
///
/// With weights that are 1 together, or more, a success that is dear and slow is worth as little as a failure.
#[must_use]
pub fn reward(is_success: bool, cost: Toll, time: Toll) -> f32 {
    if is_success { (1.0 - cost.takes() - time.takes()).clamp(0.0, 1.0) } else { 0.0 }
}

impl Toll {
    fn takes(self) -> f32 {
        let is_known = self.usual > 0.0 && self.usual < f32::INFINITY && self.weight > 0.0;
        // Nothing, or no number, is nothing: what is usual is then infinitely more.
        if is_known { self.weight.min(1.0) / (1.0 + self.usual / self.amount.max(0.0)) } else { 0.0 }
    }
}
