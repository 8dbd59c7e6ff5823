//! The order of the modules: each uses only modules before it in the table of `src/lib.rs`.
//!
//! Sources are read as text: comments and string literals are taken out, then every path that begins with `crate::`, or
//! with enough `super::` to leave its top-level module, must lead down.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Modules from bottom to top, as the table of `src/lib.rs` lists them.
fn order(lib: &str) -> Vec<String> {
    let row = |line: &str| {
        let cell = line.strip_prefix("//! | ")?.split('|').next()?.trim();
        let name = cell.trim_matches(['[', ']', '`']);
        (cell.contains('`') && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')).then(|| name.to_owned())
    };
    lib.lines().filter_map(row).collect()
}

/// Modules that `src/lib.rs` declares.
fn declared(lib: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let rest = line.strip_prefix("pub ").unwrap_or(line);
        Some(rest.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    lib.lines().filter_map(name).collect()
}

/// The text without comments, and with empty string and character literals.
fn code(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let (mut out, mut i) = (String::with_capacity(text.len()), 0);
    let at = |i: usize| bytes.get(i).copied().unwrap_or('\0');
    while i < bytes.len() {
        if at(i) == '/' && at(i + 1) == '/' {
            while i < bytes.len() && at(i) != '\n' {
                i += 1;
            }
        } else if at(i) == '/' && at(i + 1) == '*' {
            i += 2;
            while i < bytes.len() && !(at(i) == '*' && at(i + 1) == '/') {
                i += 1;
            }
            i += 2;
        } else if at(i) == 'r' && (at(i + 1) == '"' || (at(i + 1) == '#' && at(i + 2) == '"')) {
            let hashes = usize::from(at(i + 1) == '#');
            i += 2 + hashes;
            while i < bytes.len() && !(at(i) == '"' && (hashes == 0 || at(i + 1) == '#')) {
                i += 1;
            }
            i += 1 + hashes;
        } else if at(i) == '"' {
            i += 1;
            while i < bytes.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if at(i) == '\'' && (at(i + 2) == '\'' || at(i + 1) == '\\') {
            // A character, not a lifetime.
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < bytes.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
        } else {
            out.push(at(i));
            i += 1;
        }
    }
    out
}

/// The first names of a path or of a braced list of paths.
fn heads(rest: &str) -> Vec<String> {
    let rest = rest.trim_start();
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut start, mut out) = (0_usize, 0, Vec::new());
    for (i, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                out.push(name(list[start..i].trim()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                out.push(name(list[start..i].trim()));
                start = i + 1;
            }
            _ => {}
        }
    }
    out.retain(|n| !n.is_empty());
    out
}

/// Top-level modules that a file names; `depth` is the number of modules between the file's own and the crate, so that
/// `depth` times `super::` from it is the crate.
fn used(text: &str, depth: usize) -> BTreeSet<String> {
    let text = code(text);
    let mut all = BTreeSet::new();
    let mut take = |prefix: &str, also_inner: bool| {
        for (i, _) in text.match_indices(prefix) {
            let before = text[..i].chars().next_back().unwrap_or(' ');
            let longer = before.is_alphanumeric() || before == '_' || (before == ':' && also_inner);
            if !longer {
                all.extend(heads(&text[i + prefix.len()..]));
            }
        }
    };
    take("crate::", false);
    take(&"super::".repeat(depth), true);
    all
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every use of a module that is not before the user: `file: user uses used`.
fn violations(root: &Path) -> Vec<String> {
    let lib = std::fs::read_to_string(root.join("lib.rs")).expect("src/lib.rs");
    let order = order(&lib);
    let rank: BTreeMap<&str, usize> = order.iter().enumerate().map(|(i, m)| (m.as_str(), i)).collect();
    let mut files = Vec::new();
    sources(root, &mut files);
    let mut wrong = Vec::new();
    for path in files {
        let inside = path.strip_prefix(root).expect("below the root").with_extension("");
        let mut names: Vec<String> = inside.iter().map(|n| n.to_string_lossy().into_owned()).collect();
        if names.last().is_some_and(|n| n == "mod") {
            names.pop();
        }
        let Some(&own) = rank.get(names[0].as_str()) else { continue };
        let text = std::fs::read_to_string(&path).expect("a source file");
        for other in used(&text, names.len()) {
            if rank.get(other.as_str()).is_some_and(|&r| r > own) {
                wrong.push(format!("{}: {} uses {other}", inside.display(), names[0]));
            }
        }
    }
    wrong.sort();
    wrong
}

#[test]
fn every_module_uses_only_modules_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let wrong = violations(&root);
    assert!(wrong.is_empty(), "upward imports:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_of_the_library_lists_every_module_once() {
    let lib = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("src/lib.rs");
    let order = order(&lib);
    let listed: BTreeSet<String> = order.iter().cloned().collect();
    assert_eq!(listed.len(), order.len(), "a module is listed twice");
    assert_eq!(listed, declared(&lib));
}

/// The check must see what it is there for: files with an upward import in each of its forms.
#[test]
fn an_upward_import_is_found() {
    let folder = temp_dir::TempDir::new().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("lib.rs", "//! | [`low`] | x |\n//! | `high` | y |\nmod high;\npub mod low;\n");
    write("high/mod.rs", "use crate::low::Thing;\nuse super::low;\n");
    write("low/mod.rs", "//! Not [`crate::high`], which is text.\nconst S: &str = \"crate::high\";\n");
    assert_eq!(violations(folder.path()), Vec::<String>::new());
    for (name, text) in [
        ("low/mod.rs", "use crate::high::Thing;"),
        ("low/mod.rs", "use crate::{\n    low::{A, B},\n    high::C,\n};"),
        ("low/mod.rs", "use super::high::Thing;"),
        ("low/deep/file.rs", "use super::super::super::high::Thing;"),
        ("low/deep.rs", "fn f() -> crate::high::Thing { todo!() }"),
    ] {
        write(name, text);
        assert_eq!(violations(folder.path()).len(), 1, "{name}: {text}");
        write(name, "");
    }
}
