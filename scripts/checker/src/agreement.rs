//! What the plugin configuration and Envoy's have to agree on: each of them is valid alone, and together they would not serve.

use crate::document::Document;
use crate::envoy::{Envoy, Plugin, Role};
use crate::finding::Findings;
use crate::yaml::{Node, Place};
use modelgate_config::{Bounds, Vendor};
use std::rc::Rc;

/// Envoy's own limit for what it buffers of a connection, where nothing is said.
const DEFAULT_BUFFER: i64 = 1024 * 1024;
/// What the filter makes of failures that the next target is to answer, besides 5xx.
const RETRIABLE: [i64; 2] = [408, 429];

struct Look<'a> {
    envoy: &'a Envoy,
    document: &'a Document,
    findings: &'a mut Findings,
    providers: Vec<Provider<'a>>,
}

/// A provider, as far as Envoy is concerned.
#[derive(Clone, Copy)]
struct Provider<'a> {
    name: &'a str,
    cluster: &'a str,
    at: Place,
}

/// Looks at one document and the Envoy in which it is.
pub fn check(envoy: &Envoy, document: &Document, findings: &mut Findings) {
    let providers = entries(document, "providers").map(|(at, name, raw)| Provider {
        name,
        cluster: raw.word("cluster").unwrap_or(name),
        at: document
            .place(raw.entries().iter().find(|(_, key, _)| key == "cluster").map_or(*at, |(at, ..)| *at)),
    });
    let providers = providers.collect();
    let mut look = Look { envoy, document, findings, providers };
    look.variables();
    if envoy.knows_clusters {
        look.clusters();
        look.internal();
        look.watcher();
    }
    look.managers();
    look.tokens();
}

/// Looks at the places in which the filter is, whatever its document says.
pub fn check_plugins(envoy: &Envoy, findings: &mut Findings) {
    let Some(first) = envoy.plugins.first() else { return };
    let vm = |plugin: &Plugin| plugin.node.get("vm_config").cloned();
    for plugin in &envoy.plugins {
        let node = &plugin.node;
        if plugin.role == Role::Unknown {
            let said = node.word("root_id").unwrap_or_default();
            let roles = ["gateway", "provider", "watcher"];
            let found = format!("unknown role {said:?}");
            findings.unknown(
                node.place("root_id"),
                "root_id",
                (said, &found),
                "gateway, provider or watcher",
                roles.into_iter(),
            );
            continue;
        }
        let stops = node.get("allow_on_headers_stop_iteration").and_then(|flag| flag.flag()) == Some(true);
        if plugin.role != Role::Watcher && !stops {
            let at = node.place("allow_on_headers_stop_iteration");
            let expected = "true: the filter waits for the body before it lets the headers go";
            findings.error(at, "allow_on_headers_stop_iteration", "it is not true", expected);
        }
        let opens = node.get("fail_open").and_then(|flag| flag.flag()) == Some(true);
        match node.word("failure_policy") {
            _ if opens => {
                let expected = "failure_policy: FAIL_RELOAD; without the filter a request is anybody's";
                findings.error(node.place("fail_open"), "fail_open", "true", expected);
            }
            Some("FAIL_RELOAD") => {}
            Some(policy @ "FAIL_OPEN") => {
                let expected = "FAIL_RELOAD; without the filter a request is anybody's";
                findings.error(node.place("failure_policy"), "failure_policy", policy, expected);
            }
            policy => {
                let expected = "FAIL_RELOAD; otherwise a VM that was trapped stays dead";
                let found = policy.unwrap_or("there is none");
                findings.warning(node.place("failure_policy"), "failure_policy", found, expected);
            }
        }
        let Some(machine) = vm(plugin) else {
            findings.error(node.at, "vm_config", "there is none", "the VM in which the filter runs");
            continue;
        };
        let of_first = vm(first);
        let id = |vm: &Node| vm.word("vm_id").unwrap_or_default().to_owned();
        if id(&machine).is_empty() {
            let expected = "one id for all roles: what they count is kept under it";
            findings.error(machine.place("vm_id"), "vm_config.vm_id", "there is none", expected);
        } else if let Some(other) = of_first.as_ref().filter(|other| id(other) != id(&machine)) {
            let expected = format!("{:?}, as elsewhere: what the roles count is kept under it", id(other));
            findings.error(
                machine.place("vm_id"),
                "vm_config.vm_id",
                &format!("{:?}", id(&machine)),
                &expected,
            );
        } else if of_first.is_some_and(|other| !other.says_the_same(&machine)) {
            let expected =
                "the same as elsewhere: otherwise the roles run in VMs of their own, and usage is estimated";
            findings.warning(machine.at, "vm_config", "it differs from that of another role", expected);
        }
    }
    for (_, manager) in envoy.managers() {
        misplaced(
            envoy,
            manager.get("http_filters").map_or(&[], |filters| filters.items()),
            Role::Gateway,
            findings,
        );
    }
    for cluster in &envoy.clusters {
        misplaced(envoy, Envoy::upstream_filters(cluster), Role::Provider, findings);
    }
}

/// Filters that have another role than that of their place.
fn misplaced(envoy: &Envoy, filters: &[Rc<Node>], role: Role, findings: &mut Findings) {
    for filter in filters {
        let found = envoy.role(filter).filter(|found| *found != role && *found != Role::Unknown);
        let node = envoy.settings(filter).and_then(|settings| settings.get("config").cloned());
        if let (Some(_), Some(node)) = (found, node) {
            let expected = match role {
                Role::Provider => "provider, in a cluster",
                _ => "gateway, in a listener",
            };
            findings.error(
                node.place("root_id"),
                "root_id",
                node.word("root_id").unwrap_or_default(),
                expected,
            );
        }
    }
}

/// The entries of a section of the document.
fn entries<'d>(
    document: &'d Document,
    section: &str,
) -> impl Iterator<Item = (&'d Place, &'d str, &'d Node)> {
    let entries = document.root.get(section).map_or(&[][..], |section| section.entries());
    entries.iter().map(|(at, name, node)| (at, name.as_str(), &**node))
}

impl Look<'_> {
    /// Variables that hold keys, and that the VM does not get.
    fn variables(&mut self) {
        let machines = self.envoy.plugins.iter().filter_map(|plugin| plugin.node.get("vm_config"));
        let Some(machine) = machines.into_iter().next() else { return };
        let environment = machine.get("environment_variables");
        let listed = environment.and_then(|environment| environment.get("host_env_keys"));
        let listed = listed.map_or(&[][..], |keys| keys.items()).iter().filter_map(|key| key.text());
        let set = environment.and_then(|environment| environment.get("key_values"));
        let set = set.map_or(&[][..], |values| values.entries()).iter().map(|(_, name, _)| name.as_str());
        let known: Vec<_> = listed.chain(set).collect();
        let mut wanted = Vec::new();
        for (at, name, raw) in entries(self.document, "providers") {
            let path = format!("providers.{name}.api_key");
            match raw.get("api_key") {
                Some(key) => {
                    wanted.extend(key.word("env").map(|variable| (key.place("env"), path, variable)))
                }
                None => {
                    let vendor = Vendor::named(raw.word("vendor").unwrap_or(name));
                    let variable = vendor.and_then(Vendor::default_key_variable);
                    wanted.extend(variable.map(|variable| (*at, path, variable)));
                }
            }
        }
        for (_, name, raw) in entries(self.document, "tools") {
            let headers = raw.get("headers").map_or(&[][..], |headers| headers.entries());
            for (_, header, value) in headers {
                let path = format!("tools.{name}.headers.{header}");
                wanted.extend(value.word("env").map(|variable| (value.place("env"), path, variable)));
            }
        }
        for (at, path, variable) in wanted {
            if !known.contains(&variable) {
                let found = format!("the plugin gets no variable {variable}");
                let expected = "one of vm_config.environment_variables.host_env_keys";
                let at = self.document.place(at);
                self.findings.unknown(at, &path, (variable, &found), expected, known.iter().copied());
            }
        }
    }

    /// Clusters that the document names.
    fn clusters(&mut self) {
        for Provider { name, cluster, at } in self.providers.clone() {
            let path = format!("providers.{name}.cluster");
            if !has_cluster(self.envoy, self.findings, (at, &path), cluster) {
                continue;
            }
            let Some(there) = self.envoy.cluster(cluster) else { continue };
            let filters = Envoy::upstream_filters(there);
            if !filters.iter().any(|filter| self.envoy.role(filter) == Some(Role::Provider)) {
                let found = format!("the provider {name} is there, and no filter with root_id: provider");
                let expected = "one in its http_filters: requests would go as they came";
                self.findings.error(there.at, &format!("clusters.{cluster}"), &found, expected);
            }
            self.buffer(there, "response_bytes", &format!("clusters.{cluster}"), None);
        }
        for (_, name, raw) in entries(self.document, "tools") {
            if let Some(cluster) = raw.word("cluster") {
                let at = self.document.place(raw.place("cluster"));
                has_cluster(self.envoy, self.findings, (at, &format!("tools.{name}.cluster")), cluster);
            }
        }
    }

    /// A buffer that is smaller than what the plugin is to hold of a body.
    fn buffer(&mut self, node: &Node, bound: &str, path: &str, default: Option<i64>) {
        let key = "per_connection_buffer_limit_bytes";
        let Some(size) = node.get(key).and_then(|size| size.number()).or(default) else { return };
        self.large_enough(node.place(key), &format!("{path}.{key}"), size, bound);
    }

    fn large_enough(&mut self, at: Place, path: &str, size: i64, bound: &str) {
        let wanted = self.bound(bound);
        if size < wanted {
            let expected = format!("at least {wanted}, as much as bounds.{bound}");
            self.findings.error(at, path, &size.to_string(), &expected);
        }
    }

    /// How much the plugin holds of a body at most.
    fn bound(&self, bound: &str) -> i64 {
        let default = if bound == "request_bytes" {
            Bounds::default().request_bytes
        } else {
            Bounds::default().response_bytes
        };
        let said = self.document.root.at(&["bounds", bound]).and_then(|bytes| bytes.number());
        said.unwrap_or(i64::try_from(default).unwrap_or(i64::MAX))
    }

    /// What in the document has the gateway ask itself, if anything does.
    fn asks_itself(&self) -> Option<(Place, String)> {
        let root = &self.document.root;
        for path in [["cache", "embedder"], ["task_model", "model"]] {
            if root.at(&path).is_some() {
                let section = root.get(path[0])?;
                return Some((section.place(path[1]), path.join(".")));
            }
        }
        let routes = entries(self.document, "routes").find_map(|(_, name, route)| {
            let ways = ["orchestration", "check", "continuation"].into_iter();
            let mut ways = ways.filter(|way| route.get(way).is_some_and(|way| way.flag() != Some(false)));
            ways.next().map(|way| (route.place(way), format!("routes.{name}.{way}")))
        });
        routes
    }

    /// The way by which the gateway asks itself.
    fn internal(&mut self) {
        let Some((at, path)) = self.asks_itself() else { return };
        let at = self.document.place(at);
        let name = self.document.root.word("internal_cluster").unwrap_or("modelgate_internal");
        let Some(cluster) = self.envoy.cluster(name) else {
            let found = format!("the gateway asks itself something for it, and there is no cluster {name:?}");
            let expected = "one that leads to an internal listener with the gateway, as in envoy/envoy.yaml";
            return self.findings.error(at, &path, &found, expected);
        };
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
    fn watcher(&mut self) {
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

    /// Listeners with the gateway, and their routes.
    fn managers(&mut self) {
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
            if let Some(target) = target.filter(|target| target != row) {
                let found = format!("it leads to the cluster {target:?}");
                let expected =
                    format!("{row:?}: the provider's filter there would say it for another provider");
                self.findings.error(*at, &format!("{path}.{row}"), &found, &expected);
            }
            if self.providers.iter().all(|provider| provider.cluster != row) {
                let expected = "the cluster of a provider";
                self.findings.warning(
                    *at,
                    &format!("{path}.{row}"),
                    "no provider has this cluster",
                    expected,
                );
            }
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
        if policy.get("refresh_cluster_on_retry").and_then(|flag| flag.flag()) != Some(true) {
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

    /// Whether the tokens that the document speaks of are verified.
    fn tokens(&mut self) {
        let Some(payload) = self.document.root.at(&["auth", "jwt", "payload"]) else { return };
        let Some(name) = payload.text() else { return };
        let filters: Vec<_> = self
            .envoy
            .managers()
            .filter(|(_, manager)| self.envoy.has_gateway(manager))
            .filter_map(|(_, manager)| manager.get("http_filters"))
            .flat_map(|filters| filters.items())
            .collect();
        let settings: Option<Vec<_>> = filters.iter().map(|filter| self.envoy.settings(filter)).collect();
        // What is handed over by something else than a file is not known.
        let Some(settings) = settings.filter(|settings| !settings.is_empty()) else { return };
        let verifiers = settings.iter().filter(|settings| settings.is_type("JwtAuthentication"));
        let issuers = verifiers.filter_map(|settings| settings.get("providers"));
        let issuers: Vec<_> = issuers.flat_map(|issuers| issuers.entries()).collect();
        let kept: Vec<_> =
            issuers.iter().filter_map(|(.., issuer)| issuer.word("payload_in_metadata")).collect();
        if !kept.contains(&name) {
            let at = self.document.find("auth.jwt.payload");
            let found = format!("no filter jwt_authn before the gateway keeps a payload as {name:?}");
            let expected = "the payload_in_metadata of one of its providers";
            self.findings.unknown(at, "auth.jwt.payload", (name, &found), expected, kept.iter().copied());
        }
    }
}

/// Whether there is this cluster; if not, that is noted.
fn has_cluster(envoy: &Envoy, findings: &mut Findings, (at, path): (Place, &str), name: &str) -> bool {
    let is_there = envoy.cluster(name).is_some();
    if !is_there {
        let known = envoy.clusters.iter().filter_map(|cluster| cluster.word("name"));
        let found = format!("Envoy has no cluster {name:?}");
        findings.unknown(at, path, (name, &found), "one of its clusters", known);
    }
    is_there
}
