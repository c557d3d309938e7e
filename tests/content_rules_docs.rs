//! What `docs/content-rules.md` shows happens.

use modelgate::config::Config;
use modelgate::rules::{Fired, Screen};
use serde_json::{Value, json};

const DOCUMENTATION: &str = include_str!("../docs/content-rules.md");

#[test]
fn the_example_does_what_its_table_says() {
    let (_, example) = DOCUMENTATION.split_once("```yaml content-rules\n").expect("an example");
    let (example, after) = example.split_once("\n```\n").expect("a fence that ends");
    let mut document: Value = yaml_serde::from_str(example).expect("YAML");
    document["providers"] = json!({"openai": {"allow_unlisted": true}});
    document["auth"] = json!({"anonymous": {"consumer": "anonymous"}});
    let config = Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned())).expect("valid");
    let screen = Screen::of(config.content_rules().to_vec()).expect("rules");
    let rows = after.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let rows: Vec<_> = rows.take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let (text, expected) = (cells.next().expect("a text"), cells.next().expect("what comes of it"));
        let (mut screened, mut out) = (screen.text(), String::new());
        let result = screened.push(text, &mut out).and_then(|()| screened.finish(&mut out));
        let got = match result {
            Ok(()) => out,
            Err(Fired(rule)) => format!("denied by {rule}"),
        };
        assert_eq!(got, expected, "{text}");
    }
}
