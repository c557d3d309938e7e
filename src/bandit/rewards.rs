//! The rewards of an arm, in three sums that fade, and what they let one expect.

/// An arm is taken to have brought one reward of 1 before it was known: who is believed to be good is tried.
const BELIEVED: f32 = 1.0;
/// And what it brings is taken to differ as much as anything from 0 to 1 can, until it is seen how much it does.
const BELIEVED_VARIANCE: f32 = 0.25;
/// So little says nothing any more.
const FORGOTTEN: f32 = 0.001;
/// No observations weigh more together: those of the longest half-life come to a seventh of it.
const MOST_WEIGHT: f32 = 1_000_000.0;
/// In more observations than this there are hardly enough digits for one to fade.
const LONGEST_HALF_LIFE: u32 = 100_000;

/// Rewards that were observed. Squares are never more than rewards, and those never more than observations, because all three
/// fade by the same steps.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Rewards {
    /// How many there were.
    pub weight: f32,
    pub sum: f32,
    /// The sum of their squares.
    pub squares: f32,
}

/// Which part of an observation is left after another one; less than 1.
#[inline(never)]
pub(super) fn left(half_life: u32) -> f32 {
    (-1.0 / half_life.clamp(1, LONGEST_HALF_LIFE) as f32).exp2()
}

impl Rewards {
    /// Of one observation.
    pub fn of(reward: f32) -> Self {
        Self { weight: 1.0, sum: reward, squares: reward * reward }
    }

    /// What was kept, if that can have been observed.
    pub fn checked(self) -> Option<Self> {
        let Self { weight, sum, squares } = self;
        let may_be = 0.0 <= squares && squares <= sum && sum <= weight && weight <= MOST_WEIGHT;
        (may_be && !self.is_forgotten()).then_some(self)
    }

    pub fn add(&mut self, others: Self) {
        self.weight += others.weight;
        self.sum += others.sum;
        self.squares += others.squares;
    }

    pub fn fade(&mut self, left: f32) {
        self.weight *= left;
        self.sum *= left;
        self.squares *= left;
    }

    pub fn is_forgotten(&self) -> bool {
        self.weight < FORGOTTEN
    }

    /// A reward that the arm might bring on average, so far as that is known: what was believed and seen of it, give or take
    /// something that is the less the more was seen and the less that differed.
    ///
    /// What chance adds has half of the variance that one who knows no better than this would give it: where old observations
    /// fade nobody ever is sure of anything, and who doubts that much tries the worse arms too often. In simulations this
    /// costs about a fifth less, and a change is followed as fast.
    #[inline(never)]
    pub fn draw(&self, chance: &mut dyn FnMut() -> f64) -> f32 {
        let weight = self.weight + BELIEVED;
        let mean = (self.sum + BELIEVED) / weight;
        let scatter =
            if self.is_forgotten() { 0.0 } else { self.squares - self.sum * self.sum / self.weight };
        let variance = (scatter.max(0.0) + BELIEVED_VARIANCE) / weight;
        // Nearly normal, with a variance of a half: each of the six adds a twelfth.
        let deviation = (0..6).map(|_| chance() as f32).sum::<f32>() - 3.0;
        mean + deviation * (variance / weight).sqrt()
    }
}
