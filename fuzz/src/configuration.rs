//! The plugin's configuration, of any bytes: what is accepted can be served from, and is accepted in its other forms.

use modelgate::config::Config;
use modelgate::exchange::Memory;
use serde_json::Value;

use crate::requests;

fn parse(bytes: &[u8]) -> Option<Config> {
    match Config::parse(bytes, &|name| name.starts_with('O').then(|| "key".to_owned())) {
        Ok(config) => Some(config),
        Err(problems) => {
            assert!(!problems.to_string().is_empty());
            None
        }
    }
}

pub fn target(data: &[u8]) {
    let Some(config) = parse(data) else { return };
    Memory::new(1).adopt(&config);
    requests::serve(&config, r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#.as_bytes(), 0);
    for name in config.names().take(8) {
        let body = serde_json::json!({"model": name, "messages": [{"role": "user", "content": "hi"}]});
        requests::serve(&config, body.to_string().as_bytes(), 0);
    }
    // What JSON says differently, a `Struct` says in the only way that it has. It has no whole numbers beyond those of a double.
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let again = parse(value.to_string().as_bytes());
    assert!(
        again.is_some_and(|again| again.warnings() == config.warnings()),
        "refused as JSON of another form"
    );
    if !value.as_object().is_some_and(serde_json::Map::is_empty) && is_exact(&value) {
        let mut bytes = Vec::new();
        structure(&value, &mut bytes);
        assert!(parse(&bytes).is_some(), "refused as a Struct: {value}");
    }
}

fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_some_and(|number| number.abs() < 9e15),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// `google.protobuf.Struct`.
fn structure(value: &Value, out: &mut Vec<u8>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let mut entry = Vec::new();
        field(1, key.as_bytes(), &mut entry);
        let mut inner = Vec::new();
        encode(value, &mut inner);
        field(2, &inner, &mut entry);
        field(1, &entry, out);
    }
}

/// `google.protobuf.Value`.
fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend([0x08, 0]),
        Value::Number(number) => {
            out.push(0x11);
            out.extend(number.as_f64().unwrap_or_default().to_le_bytes());
        }
        Value::String(text) => field(3, text.as_bytes(), out),
        Value::Bool(is) => out.extend([0x20, u8::from(*is)]),
        Value::Object(_) => {
            let mut inner = Vec::new();
            structure(value, &mut inner);
            field(5, &inner, out);
        }
        Value::Array(items) => {
            let mut list = Vec::new();
            for item in items {
                let mut inner = Vec::new();
                encode(item, &mut inner);
                field(1, &inner, &mut list);
            }
            field(6, &list, out);
        }
    }
}

fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(bytes);
}
