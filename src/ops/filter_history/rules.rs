//! What is dropped: patterns, as a commit heeds them, and paths.

use std::collections::BTreeSet;

use crate::cas::ChunkStore;
use crate::format::commit::Commit;
use crate::id::CommitId;
use crate::repo::Repository;
use crate::worktree::PathPatterns;

use super::super::walk::clean;
use super::super::{OpsError, tree};
use super::RewriteRequest;

/// What is dropped from every tree.
#[derive(Debug)]
pub(super) struct Rules {
    patterns: PathPatterns,
    /// Paths of the tree, each with all below it.
    paths: BTreeSet<Vec<u8>>,
}

/// Where patterns apply in the tree of a commit: below each of its sources, as if they stood in a file in that directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sources(BTreeSet<Vec<u8>>);

/// Bytes of a path in front of the part that patterns speak of; `None`: they do not apply there.
pub(super) type Base = Option<usize>;

impl Rules {
    pub(super) fn new(request: &RewriteRequest) -> Result<Self, OpsError> {
        let RewriteRequest { exclude_files, excludes, iexcludes, .. } = request;
        let patterns = PathPatterns::new(exclude_files, excludes, iexcludes)?;
        let paths: BTreeSet<Vec<u8>> = request.paths.iter().map(|path| clean(path)).collect();
        let usage = |why: &str| Err(OpsError::Usage { why: why.to_owned() });
        if paths.contains(&Vec::new()) {
            return usage("the whole tree cannot be dropped from a commit; `warp forget` takes commits away");
        }
        if paths.is_empty() && patterns.is_empty() {
            return usage("nothing says what to drop: name a pattern or a path");
        }
        Ok(Self { patterns, paths })
    }

    /// Whether the entry at `path` is dropped. `base` is that of the directory which it lies in.
    pub(super) fn drop(&self, sources: &Sources, path: &[u8], base: Base, is_dir: bool) -> bool {
        if self.paths.contains(path) {
            return true;
        }
        match base {
            Some(base) => self.patterns.exclude(&path[base..], is_dir),
            // A file that is a source itself has nothing but its name.
            None if !is_dir && sources.0.contains(path) => {
                let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
                self.patterns.exclude(name, false)
            }
            None => false,
        }
    }

    /// Whether anything below this directory may be dropped.
    pub(super) fn reach(&self, dir: &[u8]) -> bool {
        if !self.patterns.is_empty() || dir.is_empty() {
            return true;
        }
        let below = [dir, b"/"].concat();
        self.paths.range(below.clone()..).next().is_some_and(|path| path.starts_with(&below))
    }
}

impl Sources {
    /// Those of a commit: the root of the tree in a working directory; otherwise the paths that it was made of, if the tree has
    /// any of them.
    pub(super) fn of(
        repo: &Repository,
        chunks: &ChunkStore,
        (id, commit): (CommitId, &Commit),
    ) -> Result<Self, OpsError> {
        let mut sources = BTreeSet::new();
        for path in commit.paths.iter().map(|path| clean(path)).filter(|_| !repo.has_worktree()) {
            match tree::find_path(chunks, id, &commit.root, &path) {
                Ok(_) => {
                    sources.insert(path);
                }
                Err(OpsError::NoPath { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if sources.is_empty() {
            sources.insert(Vec::new());
        }
        Ok(Self(sources))
    }

    /// The base of what lies in the directory at `path`, itself in one with the base `above`.
    pub(super) fn base(&self, path: &[u8], above: Base) -> Base {
        let begins = || self.0.contains(path).then(|| if path.is_empty() { 0 } else { path.len() + 1 });
        above.or_else(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(excludes: &[&str], paths: &[&str]) -> Result<Rules, OpsError> {
        Rules::new(&RewriteRequest {
            excludes: excludes.iter().map(|text| (*text).to_owned()).collect(),
            paths: paths.iter().map(|text| text.as_bytes().to_vec()).collect(),
            ..RewriteRequest::default()
        })
    }

    fn sources(paths: &[&str]) -> Sources {
        Sources(paths.iter().map(|path| path.as_bytes().to_vec()).collect())
    }

    #[test]
    fn patterns_speak_of_paths_below_the_source() {
        let (rules, of) = (rules(&["/cache", "*.o", "!keep.o"], &[]).unwrap(), sources(&["home/ann"]));
        let base = of.base(b"home/ann", of.base(b"home", of.base(b"", None)));
        assert_eq!((of.base(b"home", None), base), (None, Some(9)));
        assert!(rules.drop(&of, b"home/ann/cache", base, true));
        assert!(!rules.drop(&of, b"home/ann/x/cache", base, true));
        assert!(rules.drop(&of, b"home/ann/x/y.o", base, false));
        assert!(!rules.drop(&of, b"home/ann/x/keep.o", base, false));
        assert!(!rules.drop(&of, b"home", None, true), "what leads to a source is none of it");

        let of = sources(&["etc/dump.o"]);
        assert!(rules.drop(&of, b"etc/dump.o", None, false), "a source that is a file");
        assert_eq!(sources(&[""]).base(b"", None), Some(0));
    }

    #[test]
    fn paths_are_those_of_the_tree_with_all_below_them() {
        let (rules, of) = (rules(&[], &["/a//b/", "a/c.d"]).unwrap(), sources(&[""]));
        assert!(rules.drop(&of, b"a/b", Some(0), true) && rules.drop(&of, b"a/c.d", Some(0), false));
        assert!(!rules.drop(&of, b"b", Some(0), true));
        assert!(rules.reach(b"") && rules.reach(b"a") && !rules.reach(b"a/b") && !rules.reach(b"a/c"));
        assert!(!rules.reach(b"b"));
    }

    #[test]
    fn nothing_and_everything_are_refused() {
        for (excludes, paths) in [(&[][..], &[][..]), (&["#comment"], &[]), (&[], &["/"]), (&["x"], &["./"])]
        {
            assert!(matches!(rules(excludes, paths), Err(OpsError::Usage { .. })), "{excludes:?} {paths:?}");
        }
        assert!(rules(&["[z-a]"], &[]).is_err());
    }
}
