//! The two forms of a vector: numbers, and base64 of them as 32-bit floats, little-endian.

use crate::base64;
use crate::json::{Kind, Value};
use std::io::Write;

/// A form of vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// An array of numbers.
    #[default]
    Float,
    /// A string.
    Base64,
}

/// A vector in an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector(pub Vec<f32>);

impl Encoding {
    /// The form that a value is in; none if it is no vector by how it begins.
    #[must_use]
    pub fn of(value: Value<'_>) -> Option<Self> {
        match value.kind() {
            Kind::Array => {
                value.items().next().filter(|first| first.kind() == Kind::Number).map(|_| Self::Float)
            }
            Kind::String => value.text().filter(|text| !text.is_empty()).map(|_| Self::Base64),
            _ => None,
        }
    }
}

impl Vector {
    /// Reads a vector in either form; none if it is not one.
    #[must_use]
    pub fn read(value: Value<'_>) -> Option<Self> {
        let numbers: Vec<f32> = match Encoding::of(value)? {
            Encoding::Float => value.items().map(number).collect::<Option<_>>()?,
            Encoding::Base64 => {
                let bytes = base64::decode(&value.text()?.decode())?;
                let (numbers, rest) = bytes.as_chunks();
                rest.is_empty().then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())?
            }
        };
        let is_one = !numbers.is_empty() && numbers.iter().all(|number| number.is_finite());
        is_one.then_some(Self(numbers))
    }

    /// How many numbers a vector has, in either form; none if it is not one. Numbers are not read for it.
    #[must_use]
    pub fn length(value: Value<'_>) -> Option<usize> {
        match Encoding::of(value)? {
            Encoding::Base64 => Some(Self::read(value)?.0.len()),
            Encoding::Float => value.items().try_fold(0_usize, |length, item| {
                (item.kind() == Kind::Number).then(|| length.saturating_add(1))
            }),
        }
    }

    /// Writes it in a form.
    pub fn write(&self, out: &mut Vec<u8>, encoding: Encoding) {
        match encoding {
            Encoding::Float => {
                out.push(b'[');
                for (at, number) in self.0.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    // Writing to memory cannot fail.
                    let _ = write!(out, "{number}");
                }
                out.push(b']');
            }
            Encoding::Base64 => {
                let bytes: Vec<u8> = self.0.iter().flat_map(|number| number.to_le_bytes()).collect();
                out.push(b'"');
                base64::encode(out, &bytes);
                out.push(b'"');
            }
        }
    }
}

fn number(value: Value<'_>) -> Option<f32> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "vectors are 32-bit; what is too large becomes infinite, and is refused"
    )]
    let number = value.f64()? as f32;
    Some(number)
}
