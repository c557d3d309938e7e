//! Envoy's own look at a configuration, `--mode validate`, and what of its log says why it refuses one.

use crate::envoy::{Envoy, Files};
use crate::finding::Findings;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

/// More lines of a log say the same in other words.
const MOST_LINES: usize = 5;

/// Which Envoy looks.
pub struct Validator {
    /// Its executable.
    pub envoy: PathBuf,
    /// The filter, for configurations that name it by a path that is not there.
    pub wasm: Option<PathBuf>,
}

/// Has Envoy look at a bootstrap file.
///
/// # Errors
/// Why it refuses the file, a line each.
pub fn validate(validator: &Validator, path: &str) -> Result<(), Vec<String>> {
    let failed = |why: String| vec![format!("{path}: error: Envoy: {why}")];
    let text = with_the_filter(validator, path).map_err(failed)?;
    let end = if path.ends_with(".json") { "json" } else { "yaml" };
    let copy = env::temp_dir().join(format!("check-config-{}.{end}", process::id()));
    fs::write(&copy, text).map_err(|why| failed(format!("a copy cannot be written: {why}")))?;
    let arguments = ["--mode", "validate", "--log-level", "warning", "-c"];
    let done = Command::new(&validator.envoy).args(arguments).arg(&copy).output();
    let _ = fs::remove_file(&copy);
    let done = done.map_err(|why| failed(format!("{} cannot be run: {why}", validator.envoy.display())))?;
    if done.status.success() {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&done.stderr).replace(&copy.display().to_string(), path);
    Err(reasons(&log).into_iter().map(|why| format!("{path}: error: Envoy: {why}")).collect())
}

/// The file's text, with the filter where it is.
fn with_the_filter(validator: &Validator, path: &str) -> Result<String, String> {
    let mut files = Files::default();
    let envoy = Envoy::read(path, &mut files, &mut Findings::default());
    let Some(envoy) = envoy else { return Err("it cannot be read".to_owned()) };
    let mut text = files.text(0).to_owned();
    for plugin in &envoy.plugins {
        let name = plugin.node.at(&["vm_config", "code", "local", "filename"]);
        let Some(name) = name.and_then(|name| name.text()).filter(|name| !Path::new(name).exists()) else {
            continue;
        };
        let Some(wasm) = &validator.wasm else { return Err(format!("there is no filter at {name}")) };
        text = text.replace(name, &wasm.display().to_string());
    }
    Ok(text)
}

/// What a log says that ended with a refusal, without times and places in Envoy's sources.
fn reasons(log: &str) -> Vec<String> {
    let grave = |level: &str| -> Vec<String> {
        let mark = format!("[{level}]");
        let mut lines: Vec<String> = Vec::new();
        for line in log.lines().filter_map(|line| line.split_once(&mark)) {
            let said = line.1.split("] ").last().unwrap_or_default().trim().to_owned();
            if !said.is_empty() && !lines.contains(&said) {
                lines.push(said);
            }
        }
        lines
    };
    let mut lines = [grave("critical"), grave("error")].concat();
    if lines.is_empty() {
        lines = log.lines().rev().filter(|line| !line.trim().is_empty()).take(1).map(str::to_owned).collect();
    }
    lines.truncate(MOST_LINES);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_log_the_reason_is_shown() {
        let log = "[2026-11-30 21:00:00.000][7][error][wasm] [source/extensions/common/wasm/wasm.cc:1] Plugin configured not\n\
                   [2026-11-30 21:00:00.000][7][critical][main] [source/server/config_validation/server.cc:76] error initializing configuration 'a.yaml': no such field: 'clustr'\n";
        assert_eq!(
            reasons(log),
            ["error initializing configuration 'a.yaml': no such field: 'clustr'", "Plugin configured not"]
        );
        assert_eq!(reasons("what?\n\n"), ["what?"]);
    }
}
