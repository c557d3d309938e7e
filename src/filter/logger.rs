//! Lines of the `log` crate go to Envoy's log, and so does what a panic says before it traps.

use super::abi;
use log::{LevelFilter, Log, Metadata, Record};

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            abi::log(record.level(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Begins to log, from `info` on.
pub fn start() {
    // If there is a logger already it is this one.
    _ = log::set_logger(&Logger);
    log::set_max_level(LevelFilter::Info);
    #[cfg(target_family = "wasm")]
    std::panic::set_hook(Box::new(|panic| abi::log(log::Level::Error, &panic.to_string())));
}
