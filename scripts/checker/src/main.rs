//! `scripts/check-config`: says what is wrong with configurations, all of it at once, and ends with 1 if something is.

use check_config::{Circumstances, Gravity, Validator, check, validate};
use clap::Parser;
use modelgate_words::time::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Looks at configurations before they go live: those of Envoy with modelgate in them, files of xDS resources, or modelgate's own.
#[derive(Parser)]
#[command(name = "check-config")]
struct Arguments {
    /// Warnings are errors
    #[arg(long)]
    strict: bool,
    /// Warn of keys that are not in the environment
    #[arg(long)]
    environment: bool,
    /// Have this Envoy look at each bootstrap file too
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,
    /// The filter, for files that name it by a path that is not there
    #[arg(long, value_name = "PATH")]
    wasm: Option<PathBuf>,
    /// Print the JSON Schema of modelgate's configuration, and nothing else
    #[arg(long)]
    schema: bool,
    /// YAML, or JSON where a name ends in .json
    #[arg(required_unless_present = "schema", value_name = "FILE")]
    files: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.schema {
        print!("{}", check_config::schema::text());
        return ExitCode::SUCCESS;
    }
    let environment = |name: &str| std::env::var(name).ok();
    let circumstances = Circumstances {
        environment: arguments.environment.then_some(&environment),
        now: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(timestamp),
    };
    let validator = arguments.envoy.map(|envoy| Validator { envoy, wasm: arguments.wasm });
    let mut is_bad = false;
    for file in &arguments.files {
        let report = check(file, &circumstances);
        report.lines.iter().for_each(|(_, line)| println!("{line}"));
        let (errors, warnings) = (report.count(Gravity::Error), report.count(Gravity::Warning));
        let by_envoy = validator.as_ref().filter(|_| errors == 0 && report.is_bootstrap);
        let refused = by_envoy.and_then(|validator| validate(validator, file).err());
        refused.iter().flatten().for_each(|line| println!("{line}"));
        is_bad |= errors > 0 || refused.is_some() || arguments.strict && warnings > 0;
        if errors == 0 && refused.is_none() {
            let told = match warnings {
                0 => String::new(),
                1 => ", with 1 warning".to_owned(),
                more => format!(", with {more} warnings"),
            };
            println!("{file} is valid{}{told}", if by_envoy.is_some() { ", to Envoy too" } else { "" });
        }
    }
    if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn timestamp(since_1970: Duration) -> Timestamp {
    Timestamp::from_millis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}
