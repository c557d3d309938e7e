//! What the plugin configuration and Envoy's have to agree on: each of them is valid alone, and together they would not serve.

pub mod plugins;
mod routes;

use crate::document::Document;
use crate::envoy::{Envoy, Role};
use crate::finding::Findings;
use crate::yaml::{Node, Place};
use modelgate_config::{Bounds, Vendor};
use std::rc::Rc;

/// Envoy's own limit for what it buffers of a connection, where nothing is said.
const DEFAULT_BUFFER: i64 = 1024 * 1024;

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

/// The entries of a section of the document.
fn entries<'d>(
    document: &'d Document,
    section: &str,
) -> impl Iterator<Item = (&'d Place, &'d str, &'d Node)> {
    let entries = document.root.get(section).map_or(&[][..], |section| section.entries());
    entries.iter().map(|(at, name, node)| (at, name.as_str(), &**node))
}

impl Look<'_> {
    /// Variables that hold keys, and that a VM does not get.
    fn variables(&mut self) {
        let machines = self.envoy.plugins.iter().filter(|plugin| plugin.role != Role::Watcher);
        machines
            .filter_map(|plugin| plugin.node.get("vm_config"))
            .for_each(|machine| self.variables_of(machine));
    }

    fn variables_of(&mut self, machine: &Node) {
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
        entries(self.document, "routes").find_map(|(_, name, route)| {
            let ways = ["orchestration", "check", "continuation"].into_iter();
            let mut ways = ways.filter(|way| route.get(way).is_some_and(|way| way.flag() != Some(false)));
            ways.next().map(|way| (route.place(way), format!("routes.{name}.{way}")))
        })
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
