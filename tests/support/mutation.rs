//! Bodies with a few things wrong in them: values that stand where others are expected, events that come twice or not at all, what
//! does not belong there. By chance that is the same each time.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

/// Numbers that only look random (splitmix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub fn pick<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.below(from.len())]
    }

    /// A range in a text of that length, mostly short.
    pub fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let most = if self.one_in(4) { len } else { 12 };
        start..(start + self.below(most + 1)).min(len)
    }
}

/// Values that stand where others are expected.
pub const STRANGE: [&str; 20] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "1e99",
    "128",
    "4294967296",
    "99999999999999999999",
    "\"\"",
    "\"x\"",
    "\"\\ud83d\"",
    "\"\\u0000\\\"\"",
    "[]",
    "[[]]",
    "[null]",
    "{}",
    "{\"index\":7}",
    "[{\"type\":\"text\",\"text\":\"é\"}]",
];

pub const INTRUDERS: [&str; 14] = [
    "\n\n",
    "\r\n\r\n",
    "data: [DONE]\n\n",
    "\n\ndata: {\"error\":{\"message\":\"m\"}}\n\n",
    "\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n",
    ": comment\n\n",
    "\n\ndata: {}\n\n",
    "\n\ndata: 7\n\n",
    "\n\ndata:\n\n",
    "<html><body>bad</body></html>",
    "\u{feff}",
    "\\",
    "\"",
    "{\"error\":\"text\"}",
];

/// A body with a few things wrong in it.
pub fn mutated(body: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..=chance.below(4) {
        match chance.below(10) {
            // A value becomes another.
            0..=4 => {
                let from = chance.below(body.len() + 1);
                let colon = body[from..].iter().position(|byte| *byte == b':').map(|at| from + at + 1);
                let Some(start) = colon else { continue };
                let end = body[start..].iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b'\n'));
                let end = end.map_or(body.len(), |at| start + at);
                body.splice(start..end, chance.pick(&STRANGE).bytes());
            }
            5 => {
                let range = chance.range(body.len());
                body.drain(range);
            }
            6 => {
                let range = chance.range(body.len());
                let copy = body[range.clone()].to_vec();
                let at = chance.below(body.len() + 1);
                body.splice(at..at, copy);
            }
            7 => {
                let at = chance.below(body.len() + 1);
                body.splice(at..at, chance.pick(&INTRUDERS).bytes());
            }
            // An event comes twice, or not at all.
            8 => {
                let from = chance.below(body.len() + 1);
                let breaks: Vec<usize> = (from..body.len().saturating_sub(1))
                    .filter(|at| body[*at..].starts_with(b"\n\n"))
                    .take(2)
                    .collect();
                let [start, end] = breaks[..] else { continue };
                let event = body[start..end].to_vec();
                if chance.one_in(2) {
                    body.splice(start..start, event);
                } else {
                    body.drain(start..end);
                }
            }
            _ => {
                let at = chance.below(body.len() + 1);
                if let Some(byte) = body.get_mut(at) {
                    *byte = u8::try_from(chance.below(256)).unwrap();
                }
            }
        }
    }
    body
}
