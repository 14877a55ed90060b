//! Which paths of a tree are meant.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::OpsError;

/// Which paths of a tree are meant. The default means all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// A path stands for itself and everything below it; one with `*`, `?` or `[` also for every path that it matches
    /// as a pattern, in which `*` and `?` match `/`, too, and `\` takes the meaning of the next character away.
    /// Slashes in front and behind say nothing. None: everything.
    pub paths: Vec<Vec<u8>>,
    /// Patterns in gitignore's syntax; only what one of them matches, and what lies below it, is meant. The last that
    /// matches decides, and `!` turns its meaning around. None: everything.
    pub includes: Vec<String>,
    /// Patterns in gitignore's syntax of what is not meant after all, with everything below it.
    pub excludes: Vec<String>,
}

/// What a walk does at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It is meant. Below a directory, ask again.
    Yes,
    /// Neither it nor anything below it is meant.
    No,
    /// This directory is not meant, but something below it may be.
    Descend,
}

/// A [`Selection`], ready to be asked.
#[derive(Debug)]
pub struct Selector {
    all: bool,
    prefixes: Vec<Vec<u8>>,
    globs: GlobSet,
    /// What every match of a pattern begins with, one for each.
    glob_starts: Vec<Vec<u8>>,
    includes: Gitignore,
    excludes: Gitignore,
}

impl Selection {
    /// Makes the patterns ready.
    ///
    /// # Errors
    /// [`OpsError::Usage`] for a pattern that is none, or that is not UTF-8.
    pub fn compile(&self) -> Result<Selector, OpsError> {
        let clean: Vec<Vec<u8>> = self.paths.iter().map(|path| clean(path)).collect();
        let mut globs = GlobSetBuilder::new();
        let mut glob_starts = Vec::new();
        for path in clean.iter().filter(|path| has_wildcard(path)) {
            globs.add(path_glob(path)?);
            glob_starts.push(literal_start(path));
        }
        let failed = |error| OpsError::Usage { why: format!("cannot use the patterns: {error}") };
        Ok(Selector {
            all: clean.is_empty() || clean.iter().any(Vec::is_empty),
            prefixes: clean,
            globs: globs.build().map_err(failed)?,
            glob_starts,
            includes: patterns(&self.includes)?,
            excludes: patterns(&self.excludes)?,
        })
    }

    /// Whether everything is meant.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

impl Selector {
    /// Whether the entry at `path` is meant. Names in it are bytes with `/` between them and none in front; the root of
    /// the tree is the empty path.
    pub fn wanted(&self, path: &[u8], is_dir: bool) -> Wanted {
        if self.all && self.includes.is_empty() && self.excludes.is_empty() {
            return Wanted::Yes;
        }
        let inner = if is_dir { Wanted::Descend } else { Wanted::No };
        if self.is_excluded(path, is_dir) {
            return Wanted::No;
        }
        match self.by_path(path) {
            Wanted::Yes if self.is_included(path, is_dir) => Wanted::Yes,
            Wanted::Yes | Wanted::Descend => inner,
            Wanted::No => Wanted::No,
        }
    }

    fn by_path(&self, path: &[u8]) -> Wanted {
        let is_hit =
            |at: &[u8]| self.prefixes.iter().any(|prefix| prefix == at) || self.globs.is_match(as_path(at));
        if self.all || upwards(path).any(is_hit) {
            return Wanted::Yes;
        }
        let dir = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        let leads = self.prefixes.iter().any(|prefix| prefix.starts_with(&dir))
            || self.glob_starts.iter().any(|start| start.starts_with(&dir) || path.starts_with(start));
        if leads { Wanted::Descend } else { Wanted::No }
    }

    fn is_included(&self, path: &[u8], is_dir: bool) -> bool {
        if self.includes.is_empty() {
            return true;
        }
        let verdict = |at: &[u8]| match self.includes.matched(as_path(at), is_dir || at.len() < path.len()) {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        };
        upwards(path).find_map(verdict) == Some(true)
    }

    fn is_excluded(&self, path: &[u8], is_dir: bool) -> bool {
        let is_out =
            |at: &[u8]| self.excludes.matched(as_path(at), is_dir || at.len() < path.len()).is_ignore();
        !self.excludes.is_empty() && upwards(path).any(is_out)
    }
}

/// The path and all directories above it but the root.
fn upwards(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let above = (0..path.len()).rev().filter(|&at| path[at] == b'/').map(|at| &path[..at]);
    std::iter::once(path).filter(|path| !path.is_empty()).chain(above)
}

fn as_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

/// The path without empty names and `.`.
fn clean(path: &[u8]) -> Vec<u8> {
    let names: Vec<&[u8]> =
        path.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".").collect();
    names.join(&b'/')
}

fn has_wildcard(path: &[u8]) -> bool {
    path.iter().any(|byte| b"*?[".contains(byte))
}

fn path_glob(path: &[u8]) -> Result<globset::Glob, OpsError> {
    let shown = String::from_utf8_lossy(path);
    let text = std::str::from_utf8(path)
        .map_err(|_| OpsError::Usage { why: format!("the pattern {shown:?} is not UTF-8") })?;
    let glob = GlobBuilder::new(&without_braces(text)).backslash_escape(true).build();
    glob.map_err(|error| OpsError::Usage { why: format!("the pattern {shown:?}: {}", error.kind()) })
}

/// The pattern with braces that stand for themselves, as everywhere in git.
fn without_braces(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let (mut escaped, mut in_class) = (false, false);
    for c in pattern.chars() {
        match c {
            '{' | '}' if !escaped && !in_class => out.push('\\'),
            '[' if !escaped => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        escaped = c == '\\' && !escaped && !in_class;
        out.push(c);
    }
    out
}

/// What a pattern begins with before its first special character.
fn literal_start(pattern: &[u8]) -> Vec<u8> {
    pattern.iter().copied().take_while(|byte| !b"*?[\\".contains(byte)).collect()
}

fn patterns(lines: &[String]) -> Result<Gitignore, OpsError> {
    let wrong =
        |line: &str, error: ignore::Error| OpsError::Usage { why: format!("the pattern {line:?}: {error}") };
    let mut builder = GitignoreBuilder::new("");
    for line in lines {
        builder.add_line(None, line).map_err(|error| wrong(line, error))?;
    }
    builder.build().map_err(|error| wrong(&lines.join(" "), error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn selector(paths: &[&str], includes: &[&str], excludes: &[&str]) -> Selector {
        let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let paths = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        Selection { paths, includes: strings(includes), excludes: strings(excludes) }.compile().unwrap()
    }

    fn check(selector: &Selector, cases: &[(&str, bool, Wanted)]) {
        for (path, is_dir, wanted) in cases {
            assert_eq!(selector.wanted(path.as_bytes(), *is_dir), *wanted, "{path}");
        }
    }

    use Wanted::{Descend, No, Yes};

    #[test]
    fn nothing_given_means_everything() {
        assert!(Selection::default().is_everything());
        check(&selector(&[], &[], &[]), &[("", true, Yes), ("a", false, Yes), ("a/b", true, Yes)]);
        for root in ["", "/", ".", "./"] {
            check(&selector(&[root, "x"], &[], &[]), &[("", true, Yes), ("a/b", false, Yes)]);
        }
    }

    #[test]
    fn a_path_means_itself_and_what_lies_below_and_leads_there() {
        let cases = [
            ("", true, Descend),
            ("home", true, Descend),
            ("home", false, No),
            ("home/u", true, Yes),
            ("home/u/x/y", false, Yes),
            ("home/u2", true, No),
            ("home/u.d", false, No),
            ("hom", true, No),
        ];
        for path in ["home/u", "/home/u/", "./home//./u"] {
            check(&selector(&[path], &[], &[]), &cases);
        }
    }

    #[test]
    fn wildcards_of_a_path_cross_slashes_and_what_lies_below_a_match_is_meant() {
        let selector = selector(&["src/*.rs", "d?c"], &[], &[]);
        let cases = [
            ("", true, Descend),
            ("src", true, Descend),
            ("src/ops", true, Descend),
            ("src/ops/diff.rs", false, Yes),
            ("src/a.rs/below", false, Yes),
            ("src/a.c", false, No),
            ("doc/x", false, Yes),
            ("x", true, No),
            ("d", true, Descend),
            ("e", true, No),
        ];
        check(&selector, &cases);
    }

    #[test]
    fn a_name_with_wildcards_and_braces_is_found_as_it_is() {
        for path in ["names/*glob?[x]{a,b}!", r"names/\*glob\?\[x\]{a,b}!"] {
            let cases = [("names/*glob?[x]{a,b}!", false, Yes), ("names", true, Descend), ("name", true, No)];
            check(&selector(&[path], &[], &[]), &cases);
        }
        check(&selector(&["*.{a,b}"], &[], &[]), &[("x.a", false, No), ("x.{a,b}", false, Yes)]);
        check(&selector(&["[{}]x"], &[], &[]), &[("{x", false, Yes), ("x", false, No)]);
    }

    #[test]
    fn includes_are_looked_for_everywhere_and_hold_below() {
        let selector = selector(&[], &["*.txt", "/top/", "!secret.txt"], &[]);
        let cases = [
            ("", true, Descend),
            ("a", true, Descend),
            ("a/b.txt", false, Yes),
            ("a/secret.txt", false, No),
            ("a/b.c", false, No),
            ("top", true, Yes),
            ("top", false, No),
            ("top/x/y.c", false, Yes),
            ("a/top", true, Descend),
        ];
        check(&selector, &cases);
    }

    #[test]
    fn excludes_win_and_hold_below() {
        let selector = selector(&["a"], &["*.txt"], &["/a/no/", "x*.txt", "!a/no/yes.txt"]);
        let cases = [
            ("a", true, Descend),
            ("a/1.txt", false, Yes),
            ("a/x1.txt", false, No),
            ("a/no", true, No),
            ("a/no/yes.txt", false, No),
            ("b/1.txt", false, No),
        ];
        check(&selector, &cases);
    }

    #[test]
    fn names_need_not_be_utf8() {
        let bytes = b"caf\xe9/\xff".to_vec();
        let select = |path: &[u8]| Selection { paths: vec![path.to_vec()], ..Selection::default() };
        assert_eq!(select(&bytes).compile().unwrap().wanted(&bytes, false), Yes);
        assert_eq!(select(b"caf?/*").compile().unwrap().wanted(&bytes, false), Yes);
        assert!(matches!(select(b"\xff*").compile(), Err(OpsError::Usage { .. })));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let refused = |paths: &[&str], includes: &[&str]| {
            let paths = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
            let includes = includes.iter().map(|text| (*text).to_owned()).collect();
            let selection = Selection { paths, includes, excludes: Vec::new() };
            matches!(selection.compile(), Err(OpsError::Usage { .. }))
        };
        assert!(refused(&["a[z-a]"], &[]));
        assert!(refused(&[], &["a[z-a]"]));
    }

    proptest! {
        /// Whatever is meant is reached: no directory above it says no.
        #[test]
        fn a_walk_from_the_root_reaches_all_that_is_meant(
            paths in prop::collection::vec("[ab*?/]{1,5}", 0..3),
            includes in prop::collection::vec("!?[ab*?/]{1,5}", 0..3),
            excludes in prop::collection::vec("!?[ab*?/]{1,5}", 0..3),
            names in prop::collection::vec("[ab]{1,2}", 1..5),
        ) {
            let paths = paths.into_iter().map(String::into_bytes).collect();
            let selector = Selection { paths, includes, excludes }.compile();
            prop_assume!(selector.is_ok());
            let selector = selector.unwrap();
            let path = names.join("/");
            if selector.wanted(path.as_bytes(), false) == Yes {
                prop_assert_ne!(selector.wanted(b"", true), No);
                for above in upwards(path.as_bytes()).skip(1) {
                    prop_assert_ne!(selector.wanted(above, true), No);
                }
            }
        }
    }
}
