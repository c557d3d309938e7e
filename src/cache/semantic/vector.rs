//! Vectors of what a text means, with a byte for each number.
//!
//! A byte is precise enough: rounding moves a cosine by a thousandth or two. The loop is written so
//! that compilers make 128-bit SIMD of it, in wasm too.

/// The most numbers a vector has; the largest models in use have 4096.
pub const MOST_DIMENSIONS: usize = 4096;

/// A direction. What it is compared by is the cosine of an angle, so its length does not count.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// Each is an `i8`.
    numbers: Vec<u8>,
    length: f32,
}

impl Vector {
    /// The direction of these numbers; none if they are no direction, or too many.
    #[must_use]
    pub fn of(numbers: &[f32]) -> Option<Self> {
        let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        let all_finite = numbers.iter().all(|number| number.is_finite());
        if numbers.len() > MOST_DIMENSIONS || !all_finite || largest <= 0.0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the quotient is within -1 and 1, and the cast saturates"
        )]
        let byte = |number: &f32| ((number / largest * f32::from(i8::MAX)).round() as i8).cast_unsigned();
        let numbers: Vec<u8> = numbers.iter().map(byte).collect();
        let length = products(&numbers, &numbers).1.sqrt();
        Some(Self { numbers, length })
    }

    /// Its numbers, each an `i8`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.numbers
    }

    /// The cosine of the angle to the vector with these numbers, from -1 to 1; 0 where there is none.
    #[must_use]
    pub fn cosine(&self, other: &[u8]) -> f32 {
        if other.len() != self.numbers.len() {
            return 0.0;
        }
        let (product, square) = products(&self.numbers, other);
        if square > 0.0 { product / (self.length * square.sqrt()) } else { 0.0 }
    }
}

/// The product of two vectors, and that of the second with itself.
fn products(a: &[u8], b: &[u8]) -> (f32, f32) {
    let number = |byte: &u8| i32::from(byte.cast_signed());
    // No more than 4096 numbers of a byte: the sums fit.
    let sums = a.iter().zip(b).fold((0_i32, 0_i32), |(product, square), (a, b)| {
        (product.wrapping_add(number(a) * number(b)), square.wrapping_add(number(b) * number(b)))
    });
    #[expect(clippy::cast_precision_loss, reason = "four digits are enough")]
    let precise = (sums.0 as f32, sums.1 as f32);
    precise
}
