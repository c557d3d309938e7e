//! Envoy's configuration: where in it the filter's roles are, and what there is of listeners, routes and clusters.
//!
//! A file is a bootstrap, a file of xDS resources, or a plugin configuration alone. What a file refers to by its path
//! (`path_config_source`) belongs to it; Envoy's own `--mode validate` does not look into those.

use crate::finding::Findings;
use crate::yaml::{self, Dialect, Node};
use std::fs;
use std::path::Path;
use std::rc::Rc;

/// The files that were read: the one that is looked at, and those that it refers to.
#[derive(Default)]
pub struct Files(Vec<Source>);

struct Source {
    name: String,
    text: String,
}

/// What was found in a file and those that it refers to.
pub struct Envoy {
    pub root: Rc<Node>,
    /// What xDS would hand over, from files.
    resources: Vec<Rc<Node>>,
    pub plugins: Vec<Plugin>,
    pub listeners: Vec<Rc<Node>>,
    pub clusters: Vec<Rc<Node>>,
    /// Whether those are all listeners there are: nothing else hands over any.
    pub knows_listeners: bool,
    /// Whether those are all clusters there are.
    pub knows_clusters: bool,
}

/// What the filter does where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Gateway,
    Provider,
    Watcher,
    /// A role that there is not.
    Unknown,
}

/// One place in which the filter is.
#[derive(Debug, Clone)]
pub struct Plugin {
    pub role: Role,
    /// Envoy's `PluginConfig`.
    pub node: Rc<Node>,
}

impl Files {
    /// What a file is called.
    pub fn name(&self, file: usize) -> &str {
        self.0.get(file).map_or("", |source| &source.name)
    }

    /// What is in a file.
    pub fn text(&self, file: usize) -> &str {
        self.0.get(file).map_or("", |source| &source.text)
    }

    /// How numbers of a file are meant.
    pub fn dialect(&self, file: usize) -> Dialect {
        if self.name(file).ends_with(".json") { Dialect::Json } else { Dialect::Yaml }
    }

    /// Reads one more file.
    fn load(&mut self, path: &str, findings: &mut Findings) -> Option<Rc<Node>> {
        let file = self.0.len();
        let read = fs::read_to_string(path);
        self.0.push(Source { name: path.to_owned(), text: read.as_ref().cloned().unwrap_or_default() });
        let begin = yaml::Place { file, line: 1, column: 1 };
        if let Err(why) = read {
            findings.error(begin, "file", &format!("it cannot be read: {why}"), "");
            return None;
        }
        let root = yaml::parse(self.text(file), file);
        root.map_err(|fault| findings.error(fault.at, "file", &format!("it is not YAML: {}", fault.why), ""))
            .ok()
    }
}

impl Envoy {
    /// What is in the file, and in those to which it refers. None if it cannot be read.
    pub fn read(path: &str, files: &mut Files, findings: &mut Findings) -> Option<Self> {
        let root = files.load(path, findings)?;
        let mut resources = root.get("resources").map_or(Vec::new(), |resources| resources.items().to_vec());
        for source in files_named(&root) {
            let Some(name) = source.text() else { continue };
            // As it is named; where that is a place on another machine, the file of that name beside the one that names it, or in a
            // folder of that name there.
            let named = Path::new(name);
            let folder = named.parent().and_then(Path::file_name).map(Path::new);
            let file = Path::new(named.file_name().unwrap_or_default());
            let in_folder = folder.map_or(file.to_owned(), |folder| folder.join(file));
            let [beside, below] = [file, &in_folder].map(|place| Path::new(path).with_file_name(place));
            let found = [named, &beside, &below].into_iter().find(|path| path.is_file());
            let Some(found) = found.and_then(Path::to_str) else {
                let found = format!("there is no file {name:?}, here or beside this one");
                findings.warning(
                    source.at,
                    "path_config_source.path",
                    &found,
                    "a file that can be looked at too",
                );
                continue;
            };
            if files.0.iter().all(|source| source.name != found)
                && let Some(loaded) = files.load(found, findings)
            {
                resources.extend(loaded.get("resources").map_or(Vec::new(), |found| found.items().to_vec()));
            }
        }
        let of = |section: &str, name: &str| {
            let fixed =
                root.at(&["static_resources", section]).map_or(Vec::new(), |list| list.items().to_vec());
            let handed = resources.iter().filter(|resource| resource.is_type(name)).cloned();
            fixed.into_iter().chain(handed).collect::<Vec<_>>()
        };
        let (listeners, clusters) = (of("listeners", "Listener"), of("clusters", "Cluster"));
        let knows = |config: &str| {
            let config = root.at(&["dynamic_resources", config]);
            root.get("static_resources").is_some()
                && config.is_none_or(|config| config.get("path_config_source").is_some())
        };
        let (knows_listeners, knows_clusters) = (knows("lds_config"), knows("cds_config"));
        let mut plugins = Vec::new();
        [&root].into_iter().chain(&resources).for_each(|node| collect(node, &mut Vec::new(), &mut plugins));
        Some(Self { root, resources, plugins, listeners, clusters, knows_listeners, knows_clusters })
    }

    /// Whether it is a plugin configuration and nothing of Envoy's.
    pub fn is_bare(&self) -> bool {
        let sections =
            ["static_resources", "dynamic_resources", "resources", "admin", "node", "bootstrap_extensions"];
        sections.iter().all(|section| self.root.get(section).is_none())
    }

    /// The settings of an HTTP filter, its own or those that are handed over for it.
    pub fn settings(&self, filter: &Node) -> Option<Rc<Node>> {
        if let Some(settings) = filter.get("typed_config") {
            return Some(Rc::clone(settings));
        }
        let name = filter.get("config_discovery").and(filter.word("name"))?;
        let handed = self.resources.iter().find(|resource| resource.word("name") == Some(name))?;
        handed.get("typed_config").cloned()
    }

    /// The filter's role as which this HTTP filter is there, if it is that filter.
    pub fn role(&self, filter: &Node) -> Option<Role> {
        let settings = self.settings(filter)?;
        let node = settings.is_type("Wasm").then(|| settings.get("config")).flatten()?;
        role(node)
    }

    /// The settings of every HTTP connection manager, with its listener.
    pub fn managers(&self) -> impl Iterator<Item = (&Rc<Node>, &Rc<Node>)> {
        self.listeners
            .iter()
            .flat_map(|listener| managers_of(listener).map(move |manager| (listener, manager)))
    }

    /// Whether this HTTP filter is the filter in this role, or may be: what it is, is handed over by something that is no file.
    pub fn may_be(&self, filter: &Node, role: Role) -> bool {
        self.role(filter) == Some(role) || self.is_unknown(filter)
    }

    /// Whether nothing is known of an HTTP filter but its name.
    pub fn is_unknown(&self, filter: &Node) -> bool {
        filter.get("config_discovery").is_some() && self.settings(filter).is_none()
    }

    /// Whether there are filters of which nothing is known but the names.
    pub fn hands_over_filters(&self) -> bool {
        let downstream = self.managers().flat_map(|(_, manager)| filters_of(manager));
        let upstream = self.clusters.iter().flat_map(|cluster| Self::upstream_filters(cluster));
        let has_more = self.root.get("static_resources").is_some() && !self.knows_listeners;
        has_more || downstream.chain(upstream).any(|filter| self.is_unknown(filter))
    }

    /// Whether a manager has the gateway among its filters.
    pub fn has_gateway(&self, manager: &Node) -> bool {
        filters_of(manager).iter().any(|filter| self.may_be(filter, Role::Gateway))
    }

    /// The virtual hosts of a manager, its own or those that are handed over for it.
    pub fn virtual_hosts<'e>(&'e self, manager: &'e Node) -> impl Iterator<Item = &'e Rc<Node>> {
        let name = manager.at(&["rds", "route_config_name"]).and_then(|name| name.text());
        let handed = self.resources.iter().filter(move |resource| {
            name.is_some() && resource.is_type("RouteConfiguration") && resource.word("name") == name
        });
        let routes = manager.get("route_config").into_iter().chain(handed);
        routes.filter_map(|routes| routes.get("virtual_hosts")).flat_map(|hosts| hosts.items())
    }

    /// The cluster of this name.
    pub fn cluster(&self, name: &str) -> Option<&Rc<Node>> {
        self.clusters.iter().find(|cluster| cluster.word("name") == Some(name))
    }

    /// The upstream HTTP filters of a cluster.
    pub fn upstream_filters(cluster: &Node) -> &[Rc<Node>] {
        let options = cluster.get("typed_extension_protocol_options");
        let options = options.and_then(|options| {
            options.entries().iter().find(|(_, name, _)| name.ends_with("HttpProtocolOptions"))
        });
        options.and_then(|(.., options)| options.get("http_filters")).map_or(&[], |filters| filters.items())
    }
}

/// The HTTP filters of a manager.
pub fn filters_of(manager: &Node) -> &[Rc<Node>] {
    manager.get("http_filters").map_or(&[], |filters| filters.items())
}

/// The paths of files that hand something over.
fn files_named(node: &Rc<Node>) -> Vec<Rc<Node>> {
    let mut files: Vec<_> = node.at(&["path_config_source", "path"]).into_iter().cloned().collect();
    files.extend(node.children().flat_map(files_named));
    files
}

fn managers_of(listener: &Node) -> impl Iterator<Item = &Rc<Node>> {
    let chains = listener.get("filter_chains").map_or(&[][..], |chains| chains.items());
    let chains = chains.iter().chain(listener.get("default_filter_chain"));
    let filters = chains.filter_map(|chain| chain.get("filters")).flat_map(|filters| filters.items());
    filters
        .filter_map(|filter| filter.get("typed_config"))
        .filter(|config| config.is_type("HttpConnectionManager"))
}

/// Every place in which the filter is, each once.
fn collect(node: &Rc<Node>, seen: &mut Vec<*const Node>, plugins: &mut Vec<Plugin>) {
    let is_shared = Rc::strong_count(node) > 1;
    if is_shared && seen.contains(&Rc::as_ptr(node)) {
        return;
    }
    if is_shared {
        seen.push(Rc::as_ptr(node));
    }
    match role(node) {
        Some(role) => plugins.push(Plugin { role, node: Rc::clone(node) }),
        None => node.children().for_each(|child| collect(child, seen, plugins)),
    }
}

/// Which role a `PluginConfig` gives the filter; none if it is none, or another filter's.
fn role(node: &Node) -> Option<Role> {
    if node.get("vm_config").is_none() && node.get("configuration").is_none() {
        return None;
    }
    let vm = node.get("vm_config");
    let names = [node.word("name"), vm.and_then(|vm| vm.word("vm_id"))];
    match node.word("root_id") {
        Some("gateway") => Some(Role::Gateway),
        Some("provider") => Some(Role::Provider),
        Some("watcher") => Some(Role::Watcher),
        Some("idle") => None,
        _ => names.iter().flatten().any(|name| name.contains("modelgate")).then_some(Role::Unknown),
    }
}
