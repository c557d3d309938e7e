//! Reads `google.protobuf.Struct`: what Envoy 1.40 hands to a plugin whose configuration is written in place as YAML.
//!
//! Strict on purpose: a field that a `Struct` does not have, a value of no kind, a key given twice or a number that JSON
//! cannot say is refused, so that bytes of any other kind are not taken for a configuration.
//! The format: <https://protobuf.dev/programming-guides/encoding/> and `google/protobuf/struct.proto`.

use crate::json;
use std::fmt;

/// Values may be nested this deep. The configuration needs six levels.
const MAX_DEPTH: u32 = 64;

/// Why bytes are not a `Struct` that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A length or a number goes beyond the end.
    Truncated,
    /// A varint of more than 64 bits.
    Varint,
    /// A field that the message does not have, or of another type.
    Field,
    /// A string that is not UTF-8.
    Utf8,
    /// A value of no kind, or an entry without a value.
    NoValue,
    /// NaN or an infinity.
    NotFinite,
    /// Nested too deep.
    Depth,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the bytes end in the middle of a field",
            Self::Varint => "a number of more than 64 bits",
            Self::Field => "a field that google.protobuf.Struct does not have",
            Self::Utf8 => "a string that is not UTF-8",
            Self::NoValue => "a value of no kind",
            Self::NotFinite => "a number that is not finite",
            Self::Depth => "values nested too deep",
        })
    }
}

impl std::error::Error for Malformed {}

/// The JSON text of the object that the bytes of a `google.protobuf.Struct` stand for.
///
/// Protobuf's only number is a double; one that is whole becomes an integer again. A key that is there twice stays so.
///
/// # Errors
/// Whatever the bytes are: it says what they are not, and never panics.
pub fn to_json(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(bytes.len());
    object(&mut out, bytes, MAX_DEPTH)?;
    Ok(out)
}

/// `message Struct { map<string, Value> fields = 1; }`
fn object(out: &mut Vec<u8>, bytes: &[u8], depth: u32) -> Result<(), Malformed> {
    parts(out, bytes, [b'{', b'}'], &|out, entry| entry_of(out, entry, depth))
}

/// `message ListValue { repeated Value values = 1; }`
fn list(out: &mut Vec<u8>, bytes: &[u8], depth: u32) -> Result<(), Malformed> {
    parts(out, bytes, [b'[', b']'], &|out, value| value_of(out, value, depth))
}

type Part<'p> = dyn Fn(&mut Vec<u8>, &[u8]) -> Result<(), Malformed> + 'p;

/// The messages in field 1, with commas between them.
fn parts(out: &mut Vec<u8>, bytes: &[u8], [open, close]: [u8; 2], part: &Part<'_>) -> Result<(), Malformed> {
    out.push(open);
    for (at, field) in Fields(bytes).enumerate() {
        let (1, Payload::Bytes(message)) = field? else { return Err(Malformed::Field) };
        if at > 0 {
            out.push(b',');
        }
        part(out, message)?;
    }
    out.push(close);
    Ok(())
}

/// A map's entry is a message of its own: `{ string key = 1; Value value = 2; }`. A key that is empty may be left out.
fn entry_of(out: &mut Vec<u8>, bytes: &[u8], depth: u32) -> Result<(), Malformed> {
    let (mut key, mut value) = ("", None);
    for field in Fields(bytes) {
        match field? {
            (1, Payload::Bytes(text)) => key = string(text)?,
            (2, Payload::Bytes(bytes)) => value = Some(bytes),
            _ => return Err(Malformed::Field),
        }
    }
    json::string(out, key);
    out.push(b':');
    value_of(out, value.ok_or(Malformed::NoValue)?, depth)
}

/// `message Value`: a `oneof` of null = 1, number = 2, string = 3, bool = 4, struct = 5, list = 6; the last one counts.
fn value_of(out: &mut Vec<u8>, bytes: &[u8], depth: u32) -> Result<(), Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed::Depth)?;
    let begin = out.len();
    let mut has_kind = false;
    for field in Fields(bytes) {
        out.truncate(begin);
        has_kind = true;
        match field? {
            (1, Payload::Varint(_)) => out.extend_from_slice(b"null"),
            (2, Payload::Fixed64(bits)) => number(out, f64::from_bits(bits))?,
            (3, Payload::Bytes(text)) => json::string(out, string(text)?),
            (4, Payload::Varint(truth)) => out.extend_from_slice(if truth == 0 { b"false" } else { b"true" }),
            (5, Payload::Bytes(fields)) => object(out, fields, depth)?,
            (6, Payload::Bytes(values)) => list(out, values, depth)?,
            _ => return Err(Malformed::Field),
        }
    }
    if has_kind { Ok(()) } else { Err(Malformed::NoValue) }
}

fn string(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::Utf8)
}

/// The shortest digits that mean this double, so those that were written.
fn number(out: &mut Vec<u8>, double: f64) -> Result<(), Malformed> {
    if !double.is_finite() {
        return Err(Malformed::NotFinite);
    }
    // Of two zeros the one without a sign.
    json::number(out, double + 0.0);
    Ok(())
}

enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

/// The fields of one message, in their order; after an error there are no more.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Payload<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Payload<'a>), Malformed> {
        let tag = self.varint()?;
        let payload = match tag & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
                Payload::Bytes(self.take(length)?)
            }
            _ => return Err(Malformed::Field),
        };
        Ok((tag >> 3, payload))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.fixed()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return Err(Malformed::Varint);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::Varint)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    fn decode(bytes: &[u8]) -> Result<Value, Malformed> {
        to_json(bytes).map(|text| serde_json::from_slice(&text).unwrap())
    }

    fn number(double: f64) -> Result<Value, Malformed> {
        let mut text = Vec::new();
        super::number(&mut text, double).map(|()| serde_json::from_slice(&text).unwrap())
    }

    /// What Envoy's protobuf library would write for this JSON.
    pub(crate) fn encode(value: &Value) -> Vec<u8> {
        let Value::Object(map) = value else { panic!("a Struct is an object") };
        map.iter()
            .flat_map(|(key, value)| {
                field(1, [field(1, key.as_bytes().to_vec()), field(2, encode_value(value))].concat())
            })
            .collect()
    }

    fn encode_value(value: &Value) -> Vec<u8> {
        match value {
            Value::Null => vec![0x08, 0],
            Value::Number(number) => [&[0x11][..], &number.as_f64().unwrap().to_le_bytes()].concat(),
            Value::String(text) => field(3, text.as_bytes().to_vec()),
            Value::Bool(truth) => vec![0x20, u8::from(*truth)],
            Value::Object(_) => field(5, encode(value)),
            Value::Array(values) => {
                field(6, values.iter().flat_map(|value| field(1, encode_value(value))).collect())
            }
        }
    }

    fn field(number: u8, payload: Vec<u8>) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = payload.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn the_bytes_envoy_was_seen_to_hand_over_are_read() {
        let bytes = b"\x0a\x0e\x0a\x04mode\x12\x06\x1a\x04plan";
        assert_eq!(decode(bytes), Ok(json!({"mode": "plan"})));
        assert_eq!(encode(&json!({"mode": "plan"})), bytes);
        assert_eq!(decode(b""), Ok(json!({})));
    }

    #[test]
    fn whole_numbers_become_integers_and_others_stay() {
        for (double, expected) in [
            (0.0, json!(0)),
            (-0.0, json!(0)),
            (33_554_432.0, json!(33_554_432)),
            (-5.0, json!(-5)),
            (0.25, json!(0.25)),
            (9_007_199_254_740_992.0, json!(9_007_199_254_740_992_u64)),
            (1e300, serde_json::from_str(&format!("1{}", "0".repeat(300))).unwrap()),
        ] {
            assert_eq!(number(double), Ok(expected));
        }
        for double in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(number(double), Err(Malformed::NotFinite));
        }
    }

    #[test]
    fn what_is_not_a_struct_is_refused_with_the_reason() {
        let nested = (0..100).fold(json!(1), |inner, _| json!({ "a": inner }));
        for (bytes, why) in [
            (b"\x0a".to_vec(), Malformed::Truncated),
            (b"\x0a\x05\x0a".to_vec(), Malformed::Truncated),
            (b"\x0a\x80".to_vec(), Malformed::Truncated),
            (vec![0xff; 20], Malformed::Varint),
            (b"\x08\x01".to_vec(), Malformed::Field),
            (b"\x12\x00".to_vec(), Malformed::Field),
            (b"\x0d\x00\x00\x00\x00".to_vec(), Malformed::Field),
            (b"\x0a\x03\x0a\x01a".to_vec(), Malformed::NoValue),
            (b"\x0a\x05\x0a\x01a\x12\x00".to_vec(), Malformed::NoValue),
            (b"\x0a\x07\x0a\x01\xff\x12\x02\x08\x00".to_vec(), Malformed::Utf8),
            (encode(&nested), Malformed::Depth),
        ] {
            assert_eq!(decode(&bytes), Err(why), "{bytes:x?}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (any::<i32>(), 1..4).prop_map(|(n, d)| number(f64::from(n) / f64::from(d)).unwrap()),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                objects(inner).prop_map(Value::Object),
            ]
        })
    }

    fn objects(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(map in objects(values())) {
            let value = Value::Object(map);
            prop_assert_eq!(decode(&encode(&value)), Ok(value));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_damaged_struct_never_panics(map in objects(values()), at in any::<prop::sample::Index>(), with in any::<u8>()) {
            let mut bytes = encode(&Value::Object(map));
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                let _ = decode(&bytes[..at]);
                bytes[at] = with;
                let _ = decode(&bytes);
            }
        }
    }
}
