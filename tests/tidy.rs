//! Looks after the house: rooms import only what they may, fixtures are read, nothing is left half done.
//!
//! The table below is the one of ARCHITECTURE.md. Long files and functions are listed (`cargo test --test tidy --
//! --nocapture`) as places to look at, and fail nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const WORDS: &[&str] = &["id", "limits", "isa", "observe", "mutants"];
const KERNELS: &[&str] = &["chunk", "chonkers", "merkle", "compress", "crypto", "erasure"];

/// A room and what it may import, besides the words and itself.
const ROOMS: &[(&str, &[&[&str]])] = &[
    ("id", &[]),
    ("limits", &[]),
    ("isa", &[]),
    ("observe", &[]),
    ("mutants", &[]),
    ("chunk", &[]),
    ("chonkers", &[&["chunk"]]),
    ("merkle", &[]),
    ("compress", &[]),
    ("crypto", &[]),
    ("erasure", &[]),
    ("format", &[]),
    ("store", &[]),
    ("cas", &[KERNELS, &["format", "store"]]),
    ("worktree", &[]),
    ("repo", &[KERNELS, &["format", "store", "cas"]]),
    ("sync", &[&["merkle", "erasure", "format"]]),
    ("ops", &[KERNELS, &["format", "store", "cas", "worktree", "repo", "sync"]]),
    ("net", &[&["format", "store", "sync", "ops"]]),
    ("testing", &[KERNELS, &["format", "store", "cas", "worktree", "repo", "sync", "ops", "net"]]),
];

/// The binary's room: it knows the library by its public names (`warp::`) only.
const BINARY: &str = "cli";

/// What code outside tests must not contain, by room. (`store/os_vfs.rs` is the disk.)
const FORBIDDEN_IN_KERNELS: &[&str] = &["std::fs", "std::time", "std::thread", "tokio::"];
const FORBIDDEN_ABOVE_THE_VFS: &[&str] = &["std::fs", "fs::File", "OpenOptions"];
const FORBIDDEN_IN_THE_LIBRARY: &[&str] = &["println!", "print!(", "env::var", "home_dir("];

const LONG_FILE: usize = 800;
const LONG_FUNCTION: usize = 70;
const LONG_MAIN: usize = 20;

#[test]
fn rooms_import_only_what_the_table_allows() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let room = source.room();
        if room == "lib" {
            continue;
        }
        let (code, tests) = source.code_and_tests();
        for name in imports(&code) {
            if !may_import(&room, &name, false) {
                faults.push(format!("{}: {room} must not import {name}", source.path.display()));
            }
        }
        for name in imports(&tests) {
            if !may_import(&room, &name, true) {
                faults.push(format!("{}: tests of {room} must not import {name}", source.path.display()));
            }
        }
    }
    none(&faults);
}

#[test]
fn every_room_stands_in_the_table() {
    let known: BTreeSet<_> = ROOMS.iter().map(|(room, _)| *room).chain(["lib", "main", BINARY]).collect();
    let rooms: BTreeSet<_> = sources("src").iter().map(Source::room).collect();
    let unknown: Vec<_> = rooms.iter().filter(|room| !known.contains(room.as_str())).cloned().collect();
    none(&unknown);
    assert!(rooms.len() > 10, "only {rooms:?} were found: is this the right folder?");
}

#[test]
fn kernels_have_no_files_clocks_or_threads_and_only_the_vfs_writes() {
    let mut faults = Vec::new();
    for source in sources("src") {
        let room = source.room();
        let forbidden = match room.as_str() {
            room if KERNELS.contains(&room) || room == "format" => FORBIDDEN_IN_KERNELS,
            "store" if source.path.ends_with("os_vfs.rs") => &[],
            "store" | "cas" | "repo" => FORBIDDEN_ABOVE_THE_VFS,
            _ => &[],
        };
        let in_library = ![BINARY, "main", "testing"].contains(&room.as_str());
        let everywhere = if in_library { FORBIDDEN_IN_THE_LIBRARY } else { &[] };
        let (code, _) = source.code_and_tests();
        for word in forbidden.iter().chain(everywhere).filter(|word| code.contains(**word)) {
            faults.push(format!("{}: {room} must not use {word}", source.path.display()));
        }
    }
    none(&faults);
}

#[test]
fn nothing_is_left_half_done() {
    // Spelt in two parts, or this file would find itself.
    let marks =
        [["to", "do!("], ["unimple", "mented!("], ["db", "g!("], ["FIX", "ME"], ["TO", "DO"], ["XX", "X:"]];
    let mut faults = Vec::new();
    for source in ["src", "tests", "benches", "examples", "fuzz"].into_iter().flat_map(sources) {
        for mark in marks.map(|parts| parts.concat()) {
            if source.text.contains(&mark) {
                faults.push(format!("{}: {mark}", source.path.display()));
            }
        }
    }
    none(&faults);
}

#[test]
fn every_fixture_is_read_by_a_test() {
    let code: String = ["src", "tests", "fuzz"]
        .into_iter()
        .flat_map(sources)
        .map(|source| source.text)
        .collect::<Vec<_>>()
        .join("\n");
    let stems: BTreeSet<_> = sources("tests").iter().map(Source::stem).collect();
    let unread: Vec<_> = ["src", "tests"]
        .into_iter()
        .flat_map(files)
        .filter(|path| path.extension().is_none_or(|extension| extension != "rs"))
        .filter(|path| !path.ends_with("tests/run") && !is_read(path, &code, &stems))
        .map(|path| path.display().to_string())
        .collect();
    none(&unread);
}

#[test]
fn main_only_parses_runs_and_exits() {
    let main = fs::read_to_string(root().join("src/main.rs")).expect("src/main.rs");
    assert!(main.lines().count() <= LONG_MAIN, "src/main.rs has {} lines", main.lines().count());
}

#[test]
fn long_files_and_functions_are_listed() {
    for source in ["src", "tests", "benches", "fuzz"].into_iter().flat_map(sources) {
        let lines = source.text.lines().count();
        if lines > LONG_FILE {
            println!("{}: {lines} lines", source.path.display());
        }
        for (name, lines) in functions(&source.text).into_iter().filter(|(_, lines)| *lines > LONG_FUNCTION) {
            println!("{}: fn {name}: {lines} lines", source.path.display());
        }
    }
}

#[test]
fn imports_are_found_in_every_spelling() {
    let text = "use crate::id::ChunkId;\nuse crate::{\n    cas::{self, Sealer},\n    ops, store,\n};\nfn f() { crate::repo::open() }";
    assert_eq!(imports(text), ["cas", "id", "ops", "repo", "store"].map(str::to_owned).into());
    assert_eq!(imports("use super::super::net::Client;"), ["net".to_owned()].into());
    assert_eq!(imports("//! See [`x`](crate::ops).\nuse super::inner; // crate::cas"), BTreeSet::new());
}

#[test]
fn the_table_is_read_as_written() {
    for (room, name, may) in [
        ("store", "id", true),
        ("store", "store", true),
        ("store", "format", false),
        ("chonkers", "chunk", true),
        ("chunk", "chonkers", false),
        ("ops", "worktree", true),
        ("repo", "worktree", false),
        ("cas", "testing", false),
        ("cli", "cli", true),
        ("main", "cli", true),
        ("cli", "ops", false),
    ] {
        assert_eq!(may_import(room, name, false), may, "{room} imports {name}");
    }
    assert!(may_import("cas", "testing", true) && !may_import("cas", "repo", true));
}

#[test]
fn functions_are_measured_from_their_name_to_their_end() {
    let text = "pub(crate) const fn a() {\n}\nimpl X {\n    async fn b<T>(\n        t: T,\n    ) {\n        if t {\n        }\n    }\n}\nfn c();\n";
    assert_eq!(functions(text), [("a".to_owned(), 2), ("b".to_owned(), 6)]);
}

#[test]
fn only_what_is_declared_under_cfg_test_is_for_tests() {
    let text = [
        "mod a;",
        "#[cfg(test)]\nmod kit;",
        "#[cfg(test)]\npub(super) mod tests;",
        "#[cfg(test)]\nmod inner {\n}",
        "#[cfg(feature = \"testing\")]\nmod b;\n",
    ]
    .join("\n");
    let source = |path: &str| Source { path: path.into(), text: text.clone(), is_for_tests: false };
    assert_eq!(
        test_modules(&source("src/ops/mod.rs")),
        [Path::new("src/ops/kit"), Path::new("src/ops/tests")]
    );
    assert_eq!(test_modules(&source("src/a/b.rs")), [Path::new("src/a/b/kit"), Path::new("src/a/b/tests")]);

    let kit = Source { is_for_tests: true, ..source("src/ops/kit.rs") };
    let (code, tests) = kit.code_and_tests();
    assert!(code.is_empty() && tests == kit.text);
    let (code, tests) = source("src/ops/tests.rs").code_and_tests();
    assert!(code.contains("mod kit;") && tests.contains("mod inner {"), "a name alone makes no test");

    let of_tests =
        |name: &str| sources("src").iter().find(|file| file.path.ends_with(name)).map(|f| f.is_for_tests);
    assert_eq!(of_tests("src/ops/testkit.rs"), Some(true));
    assert_eq!(of_tests("src/worktree/tests/scan.rs"), Some(true), "below a module for tests");
    assert_eq!(of_tests("src/worktree/scan.rs"), Some(false));
}

/// A Rust file.
struct Source {
    path: PathBuf,
    text: String,
    /// Declared under `#[cfg(test)]` in another file, or below a file that is: it may import the test equipment, and is
    /// no part of the library.
    is_for_tests: bool,
}

impl Source {
    /// The first component below `src`.
    fn room(&self) -> String {
        let inner = self.path.strip_prefix("src").unwrap_or(&self.path);
        let first = inner.components().next().expect("a file has a name");
        first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
    }

    fn stem(&self) -> String {
        self.path.file_stem().expect("a file has a name").to_string_lossy().into_owned()
    }

    /// The lines for everyone and the lines for tests: the module under `#[cfg(test)]` at a file's end, or the whole of a
    /// file that is only for tests.
    fn code_and_tests(&self) -> (String, String) {
        if self.is_for_tests {
            return (String::new(), self.text.clone());
        }
        let starts = self.text.match_indices("\n#[cfg(test)]\n");
        let module = |at: &usize| {
            let mut lines = self.text[*at..].lines().skip(2).skip_while(|line| line.starts_with("#["));
            lines.next().is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
        };
        let at = starts.map(|(at, _)| at).find(module).unwrap_or(self.text.len());
        (without_comments(&self.text[..at]), self.text[at..].to_owned())
    }
}

/// Every import that `room` may make, tests having the test equipment besides.
fn may_import(room: &str, name: &str, in_tests: bool) -> bool {
    if room == BINARY || room == "main" {
        return name == BINARY;
    }
    let allowed = ROOMS.iter().find(|(known, _)| *known == room).map_or(&[][..], |(_, allowed)| allowed);
    name == room
        || WORDS.contains(&name)
        || allowed.iter().any(|names| names.contains(&name))
        || (in_tests && name == "testing")
}

/// The first names after `crate::`, and rooms reached through `super::`.
fn imports(text: &str) -> BTreeSet<String> {
    let text = without_comments(text);
    let mut names = BTreeSet::new();
    for (at, mark) in text.match_indices("crate::") {
        let rest = &text[at + mark.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_heads(group)),
            None => names.extend(identifier(rest)),
        }
    }
    for (at, mark) in text.match_indices("super::super::") {
        let name = identifier(&text[at + mark.len()..]);
        names.extend(
            name.filter(|name| ROOMS.iter().any(|(room, _)| room == name) && !WORDS.contains(&name.as_str())),
        );
    }
    names
}

/// The first names of a `{a::b, c}` group, given what follows its brace.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut expects) = (0, Vec::new(), true);
    for (at, byte) in group.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => break,
            b'}' => depth -= 1,
            b',' if depth == 0 => expects = true,
            byte if expects && byte.is_ascii_alphabetic() => {
                heads.extend(identifier(&group[at..]));
                expects = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    Some(name).filter(|name| !name.is_empty())
}

/// The text without what stands after `//`: no room name stands in a string with slashes.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        writeln!(code, "{}", line.split("//").next().unwrap_or_default()).expect("a string takes text");
    }
    code
}

/// Whether the code names the file, a folder that it lies in (other than a room's), or (of a snapshot) is its test.
fn is_read(path: &Path, code: &str, stems: &BTreeSet<String>) -> bool {
    if path.extension().is_some_and(|extension| extension == "snap") {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return name.split("__").next().is_some_and(|stem| stems.contains(stem));
    }
    let parts = path.components().skip(1).map(|part| part.as_os_str().to_string_lossy());
    let is_room = |part: &str| ROOMS.iter().any(|(room, _)| *room == part) || part == BINARY;
    parts.filter(|part| part != "fixtures" && !is_room(part)).any(|part| code.contains(part.as_ref()))
}

/// Each function's name and length in lines, relying on rustfmt's indentation.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let is_over =
            |line: &&str| **line == end || (line.trim_end().ends_with(';') && function_name(line).is_some());
        let Some(len) = lines[start..].iter().position(is_over) else { continue };
        if lines[start + len] == end {
            found.push((name, len + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let (before, after) = line.split_once("fn ")?;
    let is_declaration = before.split_whitespace().all(|word| {
        word.starts_with("pub")
            || ["const", "async", "unsafe", "extern", "\"C\"", "crate)", "super)"].contains(&word)
    });
    if is_declaration { identifier(after) } else { None }
}

/// The Rust files below a folder of the repository.
fn sources(folder: &str) -> Vec<Source> {
    let rust =
        files(folder).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(root().join(&path)).expect("source is UTF-8"),
        path,
        is_for_tests: false,
    };
    let mut sources: Vec<_> = rust.map(read).collect();
    let for_tests: Vec<PathBuf> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        source.is_for_tests =
            for_tests.iter().any(|module| source.path.with_extension("").starts_with(module));
    }
    sources
}

/// The files, without their extension, that a file declares with `#[cfg(test)] mod name;`.
fn test_modules(source: &Source) -> Vec<PathBuf> {
    let folder = source.path.parent().expect("a file lies in a folder");
    let folder = if ["mod", "lib", "main"].contains(&source.stem().as_str()) {
        folder.to_owned()
    } else {
        source.path.with_extension("")
    };
    let declarations =
        source.text.match_indices("#[cfg(test)]\n").map(|(at, mark)| &source.text[at + mark.len()..]);
    let names = declarations.filter_map(|rest| {
        let (before, name) = rest.lines().next()?.strip_suffix(';')?.split_once("mod ")?;
        (before.is_empty() || before.starts_with("pub")).then(|| name.to_owned())
    });
    names.map(|name| folder.join(name)).collect()
}

/// The files below a folder of the repository, relative to its root, in order; none if there is no such folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let at = root().join(folder);
    if !at.exists() {
        return Vec::new();
    }
    let mut paths: Vec<_> = walkdir::WalkDir::new(at)
        .into_iter()
        .filter_entry(|entry| !["target", "corpus"].contains(&entry.file_name().to_string_lossy().as_ref()))
        .map(|entry| entry.expect("the repository can be read"))
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(root()).expect("below the root").to_owned())
        .collect();
    paths.sort();
    paths
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
