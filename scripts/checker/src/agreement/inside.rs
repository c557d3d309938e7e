//! What the gateway asks itself, by way of an internal listener of the same Envoy, and what it asks Envoy.

use super::{Look, entries, has_cluster};
use crate::envoy::Role;
use crate::yaml::{Node, Place};
use std::rc::Rc;

impl Look<'_> {
    /// What in the document has the gateway ask itself, if anything does.
    fn asks_itself(&self) -> Option<(Place, String)> {
        let root = &self.document.root;
        if root.word("fallback") == Some("calls") {
            return Some((root.place("fallback"), "fallback".to_owned()));
        }
        for path in [["cache", "embedder"], ["task_model", "model"]] {
            if root.at(&path).is_some() {
                let section = root.get(path[0])?;
                return Some((section.place(path[1]), path.join(".")));
            }
        }
        entries(self.document, "routes").find_map(|(_, name, route)| {
            let ways = ["orchestration", "check", "continuation"].into_iter();
            let mut ways = ways.filter(|way| route.get(way).is_some_and(|way| way.flag() != Some(false)));
            ways.next().map(|way| (route.place(way), format!("routes.{name}.{way}")))
        })
    }

    /// The way by which the gateway asks itself.
    pub fn internal(&mut self) {
        let Some((at, path)) = self.asks_itself() else { return };
        let at = self.document.place(at);
        let name = self.document.root.word("internal_cluster").unwrap_or("modelgate_internal");
        let Some(cluster) = self.envoy.cluster(name) else {
            let found = format!("the gateway asks itself something for it, and there is no cluster {name:?}");
            let expected = "one that leads to an internal listener with the gateway, as in envoy/envoy.yaml";
            return self.findings.error(at, &path, &found, expected);
        };
        if self.envoy.knows_listeners {
            self.comes_back(cluster, name);
        }
    }

    /// Whether a cluster leads to an internal listener with the gateway.
    fn comes_back(&mut self, cluster: &Node, name: &str) {
        let place = (cluster.at, format!("clusters.{name}"));
        let groups = cluster.at(&["load_assignment", "endpoints"]).map_or(&[][..], |groups| groups.items());
        let endpoints =
            groups.iter().filter_map(|group| group.get("lb_endpoints")).flat_map(|list| list.items());
        let mut named = endpoints.filter_map(|endpoint| {
            endpoint.at(&["endpoint", "address", "envoy_internal_address", "server_listener_name"])?.text()
        });
        let Some(named) = named.next() else {
            let expected = "an envoy_internal_address: an internal listener with the gateway";
            return self.findings.error(
                place.0,
                &place.1,
                "the gateway would not ask itself by it",
                expected,
            );
        };
        let listener = self.envoy.listeners.iter().find(|listener| listener.word("name") == Some(named));
        let Some(listener) = listener.filter(|listener| listener.get("internal_listener").is_some()) else {
            let found = format!("there is no internal listener {named:?}");
            let known = self.envoy.listeners.iter().filter_map(|listener| listener.word("name"));
            let expected = "a listener with internal_listener: {}";
            return self.findings.unknown(place.0, &place.1, (named, &found), expected, known);
        };
        let mut managers = self.envoy.managers().filter(|(other, _)| Rc::ptr_eq(other, listener));
        if !managers.any(|(_, manager)| self.envoy.has_gateway(manager)) {
            let expected = "a filter with root_id: gateway";
            self.findings.error(
                listener.at,
                &format!("listeners.{named}"),
                "the gateway is not there",
                expected,
            );
        }
        let extensions = self.envoy.root.get("bootstrap_extensions").map_or(&[][..], |list| list.items());
        let is_there = extensions
            .iter()
            .filter_map(|one| one.get("typed_config"))
            .any(|one| one.is_type("InternalListener"));
        if !is_there {
            let expected = "envoy.bootstrap.internal_listener, which internal listeners need";
            self.findings.error(
                self.envoy.root.at,
                "bootstrap_extensions",
                "there is no InternalListener",
                expected,
            );
        }
    }

    /// Who asks Envoy how its clusters are doing.
    pub fn watcher(&mut self) {
        let watches = self.envoy.plugins.iter().find(|plugin| plugin.role == Role::Watcher);
        let said = self.document.root.at(&["health", "admin_cluster"]);
        match (said.and_then(|name| name.text()), watches) {
            (Some(name), watches) => {
                let at = self.document.find("health.admin_cluster");
                has_cluster(self.envoy, self.findings, (at, "health.admin_cluster"), name);
                if watches.is_none() {
                    let expected = "a WasmService with root_id: watcher in bootstrap_extensions";
                    self.findings.warning(at, "health.admin_cluster", "nobody asks it", expected);
                }
            }
            (None, Some(watcher)) => {
                let expected = "health.admin_cluster, by which it asks";
                self.findings.warning(watcher.node.at, "root_id", "the watcher has nobody to ask", expected);
            }
            (None, None) => {}
        }
    }
}
