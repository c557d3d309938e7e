//! How evenly the pieces of a stream come.

/// The pieces of a stream, as they come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pace {
    /// When the last one came, in nanoseconds; 0 before the first.
    last: u64,
    /// How long after the one before it.
    gap: Option<u64>,
    /// By how much gaps differ from those before them.
    jitter: Option<u64>,
}

impl Pace {
    /// A piece has come at this time, in nanoseconds.
    #[must_use]
    pub fn beat(self, now: u64) -> Self {
        if self.last == 0 {
            return Self { last: now, ..self };
        }
        let gap = now.saturating_sub(self.last);
        // RFC 3550, section 6.4.1: the mean deviation, smoothed by a sixteenth.
        let jitter = self.gap.map(|before| {
            let differs = gap.abs_diff(before);
            match self.jitter {
                None => differs,
                Some(jitter) => (jitter - jitter / 16).saturating_add(differs / 16),
            }
        });
        Self { last: now, gap: Some(gap), jitter }
    }

    /// By how much the time between two pieces differs from the one before, on average, in microseconds; none of fewer than three
    /// pieces.
    #[must_use]
    pub fn jitter_us(self) -> Option<u64> {
        self.jitter.map(|nanos| nanos / 1_000)
    }
}
