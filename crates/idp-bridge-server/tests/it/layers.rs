//! The layers of the server's modules: imports point downwards, and files do not import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The modules of the crate, from top to bottom. Modules of one layer do not import each other.
const LAYERS: &[&[&str]] = &[
    &["fuzzing"],
    &["server"],
    &["probes"],
    &["accept", "router"],
    &["connection", "docs", "health"],
    &["openapi"],
    &["route"],
    &["operator"],
    &["exposition"],
    &["federation", "rest", "verify_email", "webhook"],
    &["pipeline"],
    &["audited"],
    &["state"],
    &["doctor", "reads", "store"],
    &["access", "dispatch", "form", "idempotency", "reset_limit", "tenants", "token_gate"],
    &["html", "log", "request", "revocation", "tenant"],
    &["audit", "auth", "guard", "telemetry", "user_cache"],
    &["origin"],
    &["flights", "metrics", "peer", "recent_calls"],
    &["error", "shared_futures"],
    &[
        "call_record",
        "catch_panic",
        "digest",
        "history",
        "limits",
        "log_filter",
        "process_key",
        "proxy_protocol",
        "response",
        "tls",
        "trace",
    ],
];

/// The path of a module, such as `["federation", "form"]`.
type Module = Vec<String>;

/// Reads the text of each module, without its tests.
fn read_modules(folder: &Path, parent: &[String], modules: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module: Module = parent.iter().cloned().chain([name.clone()]).collect();
        if path.is_dir() {
            read_modules(&path, &module, modules);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests" && name != "lib" {
            let text = std::fs::read_to_string(&path).unwrap();
            modules.insert(module, text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
        }
    }
}

/// Returns the modules that a text names by paths from `crate`, `super` or a child.
fn imports(module: &[String], text: &str, modules: &BTreeMap<Module, String>) -> BTreeSet<Module> {
    let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let parent = module.split_last().unwrap().1;
    let mut prefixes = vec![("crate::".to_owned(), Vec::new()), ("super::".to_owned(), parent.to_vec())];
    let children = modules.keys().filter(|child| child.split_last().unwrap().1 == module);
    prefixes.extend(children.map(|child| (format!("{}::", child.last().unwrap()), child.clone())));
    let mut found = BTreeSet::new();
    for (prefix, base) in prefixes {
        for (start, _) in code.match_indices(&prefix) {
            let before = code[..start].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
                continue;
            }
            let rest = &code[start + prefix.len()..];
            let names = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap().split(',').map(str::trim).collect(),
                None => vec![rest],
            };
            found.extend(names.into_iter().filter_map(|name| resolve(&base, name, modules)));
        }
    }
    found.remove(module);
    found
}

/// Returns the deepest module of a path such as `form::Fields`, relative to `base`.
fn resolve(base: &[String], path: &str, modules: &BTreeMap<Module, String>) -> Option<Module> {
    let mut module = base.to_vec();
    for name in path.split("::").map(|name| name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()) {
        module.push(name.to_owned());
        if !modules.contains_key(&module) {
            module.pop();
            break;
        }
    }
    modules.contains_key(&module).then_some(module)
}

#[test]
fn imports_point_downwards_without_circles() {
    let mut modules = BTreeMap::new();
    read_modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut modules);
    let layer = |module: &Module| {
        let position = LAYERS.iter().position(|layer| layer.contains(&module[0].as_str()));
        position.unwrap_or_else(|| panic!("`{}` is in no layer", module[0]))
    };
    let mut graph: BTreeMap<_, _> =
        modules.iter().map(|(module, text)| (module.clone(), imports(module, text, &modules))).collect();
    assert!(graph.values().map(BTreeSet::len).sum::<usize>() > 150, "imports are found");
    for (module, targets) in &graph {
        for target in targets.iter().filter(|target| target[0] != module[0]) {
            assert!(layer(target) > layer(module), "{module:?} imports {target:?}, which is not below it");
        }
    }
    while let Some(lowest) = graph.iter().find(|(_, targets)| targets.is_empty()).map(|(module, _)| module.clone()) {
        graph.remove(&lowest);
        graph.values_mut().for_each(|targets| {
            targets.remove(&lowest);
        });
    }
    assert!(graph.is_empty(), "these files import each other in a circle: {:#?}", graph.keys());
}
