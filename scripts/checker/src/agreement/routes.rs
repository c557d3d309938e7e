//! The routes on which providers are asked: how an attempt finds its cluster, how the next one comes, how much is buffered.

use super::{DEFAULT_BUFFER, Look, Provider, entries, has_cluster};
use crate::yaml::{Node, Place};
use std::rc::Rc;

/// What the filter makes of failures that the next target is to answer, besides 5xx.
const RETRIABLE: [i64; 2] = [408, 429];

impl Look<'_> {
    /// Listeners with the gateway, and their routes.
    pub fn managers(&mut self) {
        let envoy = self.envoy;
        for (listener, manager) in envoy.managers().filter(|(_, manager)| envoy.has_gateway(manager)) {
            let path = format!("listeners.{}", listener.word("name").unwrap_or_default());
            self.buffer(listener, "response_bytes", &path, Some(DEFAULT_BUFFER));
            let of_listener =
                listener.get("per_connection_buffer_limit_bytes").and_then(|size| size.number());
            for host in envoy.virtual_hosts(manager) {
                let name = host.word("name").unwrap_or_default();
                for (position, route) in
                    host.get("routes").map_or(&[][..], |routes| routes.items()).iter().enumerate()
                {
                    let path = format!("virtual_hosts.{name}.routes[{position}]");
                    self.route((host, route), &path, of_listener.unwrap_or(DEFAULT_BUFFER));
                }
            }
        }
    }

    /// A route on which providers are asked.
    fn route(&mut self, (host, route): (&Node, &Node), path: &str, of_listener: i64) {
        let Some(action) = route.get("route") else { return };
        let matcher = action.at(&["inline_cluster_specifier_plugin", "extension", "typed_config"]);
        let matcher = matcher.filter(|matcher| matcher.is_type("MatcherClusterSpecifier"));
        let alone = action.word("cluster");
        match (matcher, alone) {
            (Some(matcher), _) => self.rows(matcher, path),
            (None, Some(cluster)) if self.providers.iter().any(|provider| provider.cluster == cluster) => {
                for provider in self.providers.iter().filter(|provider| provider.cluster != cluster) {
                    let found = format!(
                        "requests go to the cluster {cluster} only, and the provider {} is elsewhere",
                        provider.name
                    );
                    let expected = "a matcher with a row for each provider, as in envoy/envoy.yaml";
                    self.findings.error(
                        action.place("cluster"),
                        &format!("{path}.route.cluster"),
                        &found,
                        expected,
                    );
                }
            }
            _ => return,
        }
        let sizes = [
            (route, "request_body_buffer_limit"),
            (route, "per_request_buffer_limit_bytes"),
            (host, "request_body_buffer_limit"),
            (host, "per_request_buffer_limit_bytes"),
        ];
        let said =
            sizes.into_iter().find_map(|(node, key)| Some((node.place(key), node.get(key)?.number()?)));
        let (at, size) = said.unwrap_or((route.at, of_listener));
        self.large_enough(at, &format!("{path}.request_body_buffer_limit"), size, "request_bytes");
        if action.word("timeout").is_none_or(|text| text.trim_end_matches('s').parse() != Ok(0.0)) {
            let found = action.word("timeout").unwrap_or("there is none, so it is 15s");
            let expected = "0s: a stream goes on for as long as it flows";
            self.findings.warning(action.place("timeout"), &format!("{path}.route.timeout"), found, expected);
        }
        if matcher.is_some() && self.falls_back() {
            let policy = action.get("retry_policy").or_else(|| host.get("retry_policy"));
            match policy {
                Some(policy) => self.retries(policy, &format!("{path}.route.retry_policy")),
                None => {
                    let expected = "one with refresh_cluster_on_retry: each retry is the plan's next target";
                    let path = format!("{path}.route.retry_policy");
                    self.findings.error(
                        action.at,
                        &path,
                        "there is none, and routes have several targets",
                        expected,
                    );
                }
            }
        }
    }

    /// The matcher that finds a cluster for each attempt.
    fn rows(&mut self, matcher: &Node, path: &str) {
        let Some(tree) = matcher.at(&["cluster_matcher", "matcher_tree"]) else { return };
        let key = tree.at(&["input", "typed_config"]).filter(|input| input.is_type("FilterStateInput"));
        let path = format!("{path}.exact_match_map");
        if let Some(input) = key.filter(|input| input.word("key") != Some("wasm.next")) {
            let found = format!("{:?}", input.word("key").unwrap_or_default());
            let expected = "wasm.next: where the filter says which cluster is next";
            self.findings.error(input.place("key"), &format!("{path}.key"), &found, expected);
        }
        let Some(map) = tree.at(&["exact_match_map", "map"]) else { return };
        for Provider { name, cluster, .. } in &self.providers {
            if map.get(cluster).is_none() {
                let found = format!("there is no row for {cluster:?}, the cluster of the provider {name}");
                let rows = map.entries().iter().map(|(_, row, _)| row.as_str());
                let expected = "a row for each provider's cluster";
                self.findings.unknown(map.at, &path, (cluster, &found), expected, rows);
            }
        }
        for (at, row, action) in map.entries() {
            let target = action.at(&["action", "typed_config", "cluster"]).and_then(|cluster| cluster.text());
            if self.providers.iter().all(|provider| provider.cluster != row) {
                let expected = "the cluster of a provider";
                self.findings.warning(
                    *at,
                    &format!("{path}.{row}"),
                    "no provider has this cluster",
                    expected,
                );
            } else if let Some(target) = target {
                self.leads_home(*at, &format!("{path}.{row}"), row, target);
            }
        }
    }

    /// A row need not lead to the cluster of its name, but not to another provider's: that one would get the key.
    fn leads_home(&mut self, at: Place, path: &str, row: &str, target: &str) {
        if target != row && self.providers.iter().any(|provider| provider.cluster == target) {
            let found = format!("it leads to {target:?}, the cluster of another provider");
            self.findings.error(at, path, &found, &format!("{row:?}: the other would get the key"));
        } else if target != row && self.envoy.knows_clusters {
            has_cluster(self.envoy, self.findings, (at, path), target);
        }
    }

    /// Whether a request may be tried more than once.
    fn falls_back(&self) -> bool {
        entries(self.document, "routes").any(|(_, _, route)| {
            let targets = route.get("targets").map_or(&[][..], |targets| targets.items());
            let tries = |target: &Rc<Node>| target.get("tries").and_then(|tries| tries.number());
            targets.len() > 1 || targets.iter().any(|target| tries(target) > Some(1))
        })
    }

    fn retries(&mut self, policy: &Node, path: &str) {
        let stays = matches!(self.document.root.word("fallback"), Some("calls" | "none"));
        if !stays && policy.get("refresh_cluster_on_retry").and_then(|flag| flag.flag()) != Some(true) {
            let at = policy.place("refresh_cluster_on_retry");
            let expected = "true: otherwise a retry goes to the target that has failed";
            self.findings.error(at, &format!("{path}.refresh_cluster_on_retry"), "it is not true", expected);
        }
        let on: Vec<_> = policy.word("retry_on").unwrap_or_default().split(',').map(str::trim).collect();
        for wanted in ["5xx", "retriable-status-codes"] {
            if !on.contains(&wanted) {
                let expected =
                    "5xx and retriable-status-codes: by those the filter says that a target has failed";
                let found = format!("it lacks {wanted}");
                self.findings.error(policy.place("retry_on"), &format!("{path}.retry_on"), &found, expected);
            }
        }
        let codes = policy.get("retriable_status_codes").map_or(&[][..], |codes| codes.items());
        for wanted in RETRIABLE {
            if !codes.iter().any(|code| code.number() == Some(wanted)) {
                let (at, path) =
                    (policy.place("retriable_status_codes"), format!("{path}.retriable_status_codes"));
                self.findings.error(at, &path, &format!("it lacks {wanted}"), "408 and 429, and 529 besides");
            }
        }
        let has_limit = self.document.root.at(&["timeouts", "first_token_ms"]).is_some();
        if policy.get("per_try_timeout").is_none() && !has_limit {
            let expected = "a limit on the time to the first token, here or as timeouts.first_token_ms";
            self.findings.warning(policy.at, &format!("{path}.per_try_timeout"), "there is none", expected);
        }
        for provider in &self.providers {
            let Some(cluster) = self.envoy.cluster(provider.cluster) else { continue };
            let thresholds =
                cluster.at(&["circuit_breakers", "thresholds"]).map_or(&[][..], |list| list.items());
            if !thresholds.iter().any(|threshold| threshold.get("max_retries").is_some()) {
                let expected = "max_retries: Envoy's default of 3 at a time ends fallback under load";
                let path = format!("clusters.{}.circuit_breakers", provider.cluster);
                self.findings.warning(
                    cluster.place("circuit_breakers"),
                    &path,
                    "there are no max_retries",
                    expected,
                );
            }
        }
    }
}
