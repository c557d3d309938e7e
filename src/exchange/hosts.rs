//! What Envoy's admin interface says of clusters: how many of their hosts are healthy.

use super::Memory;
use crate::json::{Document, Surrogates, Value};
use crate::store::{Contended, Store};
use crate::time::Timestamp;

/// What the admin interface is asked for.
pub const CLUSTERS: &str = "/clusters?format=json";

impl Memory {
    /// Takes in what the admin interface has answered, and tells the workers.
    ///
    /// # Errors
    /// If others told something at the same time all along: it is told when Envoy is asked again.
    pub fn hosts(&self, answer: &[u8], store: &dyn Store, now: Timestamp) -> Result<(), Contended> {
        let Ok(document) = Document::parse(answer, Surrogates::Lone) else { return Ok(()) };
        let mut targets = self.targets.borrow_mut();
        for cluster in document.root().get("cluster_statuses").into_iter().flat_map(Value::items) {
            let Some(name) = cluster.get("name").and_then(Value::text) else { continue };
            let (mut healthy, mut total) = (0_u32, 0_u32);
            for host in cluster.get("host_statuses").into_iter().flat_map(Value::items) {
                total = total.saturating_add(1);
                healthy = healthy.saturating_add(u32::from(is_healthy(host)));
            }
            targets.envoy(&name.decode(), healthy, total, now);
        }
        targets.exchange(store, now)
    }
}

/// Whether nothing is said against a host: neither by its health checks, nor by outlier detection, nor by whoever lists it.
fn is_healthy(host: Value<'_>) -> bool {
    let Some(status) = host.get("health_status") else { return true };
    let failed = |key| status.get(key).and_then(Value::bool) == Some(true);
    let listed = status.get("eds_health_status").and_then(Value::text);
    let is_listed_well =
        listed.is_none_or(|listed| ["HEALTHY", "UNKNOWN", "DEGRADED"].iter().any(|word| listed == **word));
    is_listed_well && !failed("failed_outlier_check") && !failed("failed_active_health_check")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::health::Circuit;
    use crate::store::tests::Memory as Shared;
    use serde_json::json;

    #[test]
    fn a_cluster_whose_hosts_are_all_unhealthy_is_left_alone_until_that_is_old_or_not_so() {
        let document = json!({
            "providers": {"p": {"vendor": "openai", "api_key": "none", "cluster": "far"}},
            "models": {"m": {"provider": "p"}},
            "auth": {"anonymous": {"consumer": "anonymous"}},
        });
        let config = Config::parse(document.to_string().as_bytes(), &|_| None).unwrap();
        let at = |seconds: i64| Timestamp::from_seconds(1_700_000_000 + seconds);
        let well = json!({"health_status": {"eds_health_status": "HEALTHY"}});
        let ejected =
            json!({"health_status": {"eds_health_status": "HEALTHY", "failed_outlier_check": true}});
        let checked = json!({"health_status": {"failed_active_health_check": true}});
        let drained = json!({"health_status": {"eds_health_status": "DRAINING"}});
        for (hosts, is_open) in [
            (vec![&well], false),
            (vec![&ejected], true),
            (vec![&ejected, &well], false),
            (vec![&ejected, &checked, &drained], true),
            // A kind of cluster that makes its hosts as it needs them.
            (vec![], false),
        ] {
            let (memory, store) = (Memory::new(1), Shared::default());
            memory.adopt(&config);
            let tell = |hosts: &[&serde_json::Value], seconds| {
                let clusters =
                    json!({"cluster_statuses": [{"name": "near"}, {"name": "far", "host_statuses": hosts}]});
                memory.hosts(clusters.to_string().as_bytes(), &store, at(seconds)).unwrap();
            };
            let is_open_at =
                |seconds| matches!(memory.targets.borrow().circuit("m", at(seconds)), Circuit::Open { .. });
            tell(&hosts, 0);
            assert_eq!((is_open_at(1), is_open_at(20)), (is_open, false), "{hosts:?}");
            tell(&hosts, 30);
            tell(&[&well], 31);
            assert!(!is_open_at(32), "{hosts:?}");
        }
        let (memory, store) = (Memory::new(1), Shared::default());
        for answer in
            ["", "{", "[]", r#"{"cluster_statuses": 7}"#, r#"{"cluster_statuses": [{"name": 7}, 8]}"#]
        {
            memory.hosts(answer.as_bytes(), &store, at(0)).unwrap();
        }
    }
}
