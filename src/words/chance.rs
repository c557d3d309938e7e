//! Numbers that look like chance, and are the same every time: SplitMix64 (Steele, Lea and Flood, 2014). Where chance is needed it is an
//! argument, so whoever has a random number to begin with makes all others of it.

/// A number that looks like no relation of `number`.
#[must_use]
pub const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The next number after a state, which goes on.
#[must_use]
pub const fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed(*state)
}

/// A number from 0 up to 1, of any number.
#[must_use]
pub const fn part(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}
