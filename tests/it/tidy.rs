//! Is the house in order? `src/lib.rs` lists the modules from ground to edge, and a module uses only modules above it. Every
//! outside crate has its home. No file is a barn.
//!
//! Read from the text, so one `use crate::module::…` line per module keeps this honest. Comments and tests may name anything.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a file before its tests.
const MAX_LINES: usize = 600;

/// Where an outside crate may be named.
#[derive(Clone, Copy)]
enum Home {
    /// Words that everybody uses.
    Anywhere,
    /// These modules.
    In(&'static [&'static str]),
}

use Home::{Anywhere, In};

const EDGES_WITH_HTTP: Home = In(&["wire", "mcp", "check", "gateway", "web", "config", "serve"]);

/// Every dependency and its home.
const HOMES: [(&str, Home); 42] = [
    // ground
    ("getrandom", In(&["entropy"])),
    ("hmac", In(&["secret"])),
    ("pasetors", In(&["seal"])),
    ("serde", Anywhere),
    ("serde_json", Anywhere),
    ("sha2", In(&["entropy", "secret", "oauth", "web"])),
    ("subtle", In(&["secret", "oauth", "account", "access", "store", "web"])),
    ("thiserror", Anywhere),
    ("zeroize", In(&["secret", "seal", "oauth", "account", "keys", "store", "app", "control"])),
    ("base64", Anywhere),
    // domain
    ("arc_swap", In(&["token", "app", "mcp", "gateway"])),
    ("argon2", In(&["account"])),
    ("ed25519_dalek", In(&["keys"])),
    ("papaya", In(&["token", "app", "gateway"])),
    ("ring", In(&["oauth", "account", "wire"])),
    ("url", In(&["oauth", "access", "wire", "check", "web", "cli"])),
    // store
    ("bincode", In(&["store"])),
    ("redb", In(&["store"])),
    // edges
    ("askama", In(&["web"])),
    ("axum", EDGES_WITH_HTTP),
    ("axum_extra", In(&["web"])),
    ("bytes", In(&["wire", "mcp", "gateway", "web"])),
    ("clap", In(&["cli"])),
    ("http_body_util", In(&["wire", "gateway"])),
    ("httparse", In(&["gateway"])),
    ("httpdate", In(&["check"])),
    ("hyper", EDGES_WITH_HTTP),
    ("hyper_rustls", In(&["wire", "gateway"])),
    ("hyper_util", In(&["wire", "gateway", "serve"])),
    ("jiff", In(&["mcp", "web", "cli"])),
    ("qrcode", In(&["web"])),
    ("rust_embed", In(&["web"])),
    ("rustls", In(&["wire"])),
    ("serde_html_form", In(&["web"])),
    ("strsim", In(&["config"])),
    ("tokio", In(&["wire", "mcp", "check", "gateway", "web", "control", "upkeep", "serve", "demo", "fixture", "cli"])),
    ("toml", In(&["config"])),
    ("tower", In(&["wire", "mcp", "gateway", "web", "serve"])),
    ("tracing", Anywhere),
    ("tracing_subscriber", In(&["telemetry"])),
    ("webpki_roots", In(&["wire"])),
    ("rustix", In(&["store", "gateway", "control"])),
];

/// Where an operation is run so that the answer to being busy is JSON; everywhere else in `web` it is a page.
const ANSWERS_PROGRAMS: [&str; 6] =
    ["client.rs", "introspect.rs", "leaked_token.rs", "register.rs", "revoke.rs", "token.rs"];

/// A source file without its comments and tests.
struct Source {
    path: PathBuf,
    /// The module of `src/lib.rs` that it belongs to.
    module: String,
    /// How many modules it lies below the crate's root.
    depth: usize,
    lines: Vec<String>,
}

#[test]
fn a_person_who_comes_when_much_is_going_on_reads_a_page() {
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.module == "web" && !source.path.ends_with("web/operate.rs"))
        .filter(|source| {
            let name = source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            !(source.path.parent().is_some_and(|folder| folder.ends_with("web/oauth"))
                && ANSWERS_PROGRAMS.contains(&name))
        })
        .filter(|source| source.lines.iter().any(|line| line.contains("blocking::run")))
        .map(|source| source.path)
        .collect();
    assert!(wrong.is_empty(), "use web::operate, which makes a page of being busy: {wrong:?}");
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let order = modules();
    let place = |module: &str| order.iter().position(|known| known == module);
    let mut wrong = Vec::new();
    for source in sources() {
        let own = place(&source.module).unwrap_or_else(|| panic!("{} is not in src/lib.rs", source.module));
        for (number, line) in source.lines.iter().enumerate() {
            let mut report = |what: &str| {
                wrong.push(format!("{}:{}: {what}: {}", source.path.display(), number + 1, line.trim()));
            };
            for used in named_after("crate::", line) {
                match place(used) {
                    Some(used) if used <= own => {}
                    Some(_) => report("points upward"),
                    None => report("name one module of src/lib.rs in each use"),
                }
                if [(&*source.module, used), (used, &*source.module)].contains(&("gateway", "web")) {
                    report("gateway and web do not use each other");
                }
            }
            if line.contains(&"super::".repeat(source.depth)) {
                report("leaves its module by super; write crate::");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_outside_crate_stays_in_its_home() {
    let homes = BTreeMap::from(HOMES);
    let mut wrong: Vec<String> = dependencies()
        .into_iter()
        .filter(|name| !homes.contains_key(name.as_str()))
        .map(|name| format!("Cargo.toml: {name} has no home in tests/it/tidy.rs"))
        .collect();
    let mut used = Vec::new();
    for source in sources() {
        for (number, line) in source.lines.iter().enumerate() {
            for (name, home) in &homes {
                if named(name, line) {
                    used.push(*name);
                    if matches!(home, In(modules) if !modules.contains(&&*source.module)) {
                        wrong.push(format!(
                            "{}:{}: {name} is not at home in {}",
                            source.path.display(),
                            number + 1,
                            source.module
                        ));
                    }
                }
            }
        }
    }
    wrong
        .extend(homes.keys().filter(|name| !used.contains(name)).map(|name| format!("Cargo.toml: {name} is not used")));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn no_file_is_a_barn() {
    let large: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.lines.len() > MAX_LINES)
        .map(|source| {
            format!("{}: {} lines before its tests, at most {MAX_LINES}", source.path.display(), source.lines.len())
        })
        .collect();
    assert!(large.is_empty(), "\n{}\n", large.join("\n"));
}

#[test]
fn the_map_tells_of_every_module() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let map: String = text.lines().filter_map(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("\n");
    let mut rest = map.as_str();
    for module in modules() {
        let row = format!("| [`{module}`] |");
        let at = rest.find(&row).unwrap_or_else(|| panic!("the map in src/lib.rs has no row {row} in its place"));
        rest = &rest[at + row.len()..];
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The modules of `src/lib.rs`, from ground to edge.
fn modules() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(ToOwned::to_owned).collect()
}

/// The names of `[dependencies]`, as Rust writes them.
fn dependencies() -> Vec<String> {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut section = "";
    let mut names = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && !section.contains("dev-")
            && let Some((name, _)) = line.split_once(" = ")
            && !line.starts_with('#')
        {
            names.push(name.replace('-', "_"));
        }
    }
    names
}

/// Every file of `src` but the two roots and tests.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    files.sort();
    let tests: Vec<PathBuf> = files.iter().flat_map(|file| test_files_of(file)).collect();
    files.retain(|file| !tests.iter().any(|test| file == test || file.starts_with(test.with_extension(""))));
    files.iter().filter_map(|file| source(file)).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The files of the modules that a file declares for tests only.
fn test_files_of(file: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(file).unwrap();
    let folder = if file.ends_with("mod.rs") { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    let lines: Vec<&str> = text.lines().collect();
    let declared = lines.windows(2).filter(|pair| pair[0].trim() == "#[cfg(test)]");
    let names = declared.filter_map(|pair| pair[1].split_once("mod ")?.1.strip_suffix(';'));
    names.map(|name| folder.join(name).with_extension("rs")).collect()
}

fn source(file: &Path) -> Option<Source> {
    let path = file.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
    if parts.last() == Some(&"mod") {
        parts.pop();
    }
    if matches!(parts[..], ["lib" | "main"]) {
        return None;
    }
    let text = fs::read_to_string(file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let is_tests =
        |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && pair[1].ends_with('{') && pair[1].contains("mod ");
    let end = lines.windows(2).position(is_tests).unwrap_or(lines.len());
    let code = |line: &&str| line.split("//").next().unwrap_or_default().to_owned();
    Some(Source {
        path: Path::new("src").join(file.strip_prefix(root().join("src")).unwrap()),
        module: parts[0].to_owned(),
        depth: parts.len(),
        lines: lines[..end].iter().map(code).collect(),
    })
}

/// What follows each `prefix` in `line`, up to the end of the name.
fn named_after<'a>(prefix: &'a str, line: &'a str) -> impl Iterator<Item = &'a str> {
    let starts = line.match_indices(prefix).map(|(at, _)| at).filter(|at| !line[..*at].ends_with(is_part_of_name));
    starts.map(move |at| {
        let rest = &line[at + prefix.len()..];
        &rest[..rest.find(|c| !is_part_of_name(c)).unwrap_or(rest.len())]
    })
}

/// Whether a path in `line` begins with the outside crate `name`.
fn named(name: &str, line: &str) -> bool {
    let in_path = line.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = &line[..at];
        !before.ends_with(is_part_of_name) && !before.ends_with(':')
    });
    in_path || line.trim_start().starts_with(&format!("use {name} as")) || line.trim() == format!("use {name};")
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
