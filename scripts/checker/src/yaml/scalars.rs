//! What Envoy's reader makes of what stands there without quotes.

use super::Dialect;

/// JSON text of a text.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// JSON text of what stands there without quotes.
pub fn plain(text: &str, dialect: Dialect) -> String {
    if is_null(text) {
        return "null".to_owned();
    }
    if dialect == Dialect::Json && text.parse::<serde_json::Number>().is_ok() {
        return text.to_owned();
    }
    match (truth(text), whole(text)) {
        (Some(truth), _) => truth.to_string(),
        (None, Some(number)) if i32::try_from(number).is_ok() => number.to_string(),
        (None, Some(number)) => quoted(&number.to_string()),
        (None, None) => quoted(text),
    }
}

pub fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// What Envoy's reader takes for a truth: all in lower case, all in upper case, or with one capital.
pub fn truth(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let mut rest = text.chars();
    let first = rest.next()?;
    let rest = rest.as_str();
    let has_known_case = text == lower
        || text == text.to_ascii_uppercase()
        || first.is_ascii_uppercase() && rest == rest.to_ascii_lowercase();
    match &*lower {
        "y" | "yes" | "true" | "on" if has_known_case => Some(true),
        "n" | "no" | "false" | "off" if has_known_case => Some(false),
        _ => None,
    }
}

/// Whole numbers as C++ reads them: in octal after a zero.
pub fn whole(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}
