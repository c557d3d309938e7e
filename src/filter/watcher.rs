//! The watcher role: asks Envoy's admin interface, every few seconds and once for all workers, which clusters have healthy hosts.
//!
//! It is no filter but a service of Envoy's own (`envoy.bootstrap.wasm` with `singleton`), in a VM of the main thread that has its
//! shared data in common with the filters.

use super::abi::{self, Buffer, Map};
use super::{books, exports};
use crate::config::Config;
use crate::exchange::CLUSTERS;

/// How often Envoy is asked, in milliseconds. What it says holds for three times as long.
pub(super) const TICK: u32 = 5_000;
/// How long its answer is waited for.
const TIMEOUT: u32 = 2_000;

/// Asks.
pub(super) fn ask(config: &Config, context: u32) {
    let Some(cluster) = config.admin_cluster() else { return };
    let headers =
        [(":method", "GET"), (":path", CLUSTERS), (":scheme", "http"), (":authority", "admin.internal")];
    match abi::call(cluster.as_str(), &headers, b"", TIMEOUT) {
        Ok(call) => exports::expect(call, context),
        Err(abi::Refused(status)) => {
            log::warn!("Envoy refused a call to the cluster {cluster}, its admin interface: status {status}");
        }
    }
}

/// The answer is there, `size` bytes of it, or will not come.
pub(super) fn on_answer(is_answered: bool, size: usize) {
    let status = abi::header(Map::CallResponseHeaders, ":status").ok().filter(|_| is_answered);
    if status.as_deref() != Some(b"200") {
        log::warn!("Envoy's admin interface did not say which clusters have healthy hosts");
        return;
    }
    let body = abi::buffer(Buffer::CallResponseBody, 0, size).unwrap_or_default();
    books::hosts(&body);
}
