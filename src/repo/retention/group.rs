//! Groups: a policy is applied to the commits of each host and source on its own.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::RetentionFacts;

/// What the commits of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupBy {
    /// Their host.
    pub host: bool,
    /// Their source paths.
    pub paths: bool,
    /// Their tags.
    pub tags: bool,
}

/// What the commits of one group have in common: `None` where groups do not heed it. Paths and tags are sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct GroupKey {
    /// Their host.
    pub host: Option<String>,
    /// Their source paths.
    pub paths: Option<Vec<Vec<u8>>>,
    /// Their tags.
    pub tags: Option<Vec<String>>,
}

/// Commits that a policy is applied to together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionGroup {
    /// What they have in common.
    pub key: GroupKey,
    /// The commits, newest first.
    pub commits: Vec<RetentionFacts>,
}

impl GroupBy {
    /// All commits are one group.
    pub const NONE: Self = Self { host: false, paths: false, tags: false };

    fn key(self, commit: &RetentionFacts) -> GroupKey {
        GroupKey {
            host: self.host.then(|| commit.host.clone()),
            paths: self.paths.then(|| sorted(&commit.paths)),
            tags: self.tags.then(|| sorted(&commit.tags)),
        }
    }
}

impl Default for GroupBy {
    /// By host and paths.
    fn default() -> Self {
        Self { host: true, paths: true, tags: false }
    }
}

/// Sorts commits into groups, these by what they have in common. Of commits of one time the one that comes first in
/// `commits` counts as newer.
pub fn group_commits(commits: impl IntoIterator<Item = RetentionFacts>, by: GroupBy) -> Vec<RetentionGroup> {
    let mut groups: BTreeMap<GroupKey, Vec<RetentionFacts>> = BTreeMap::new();
    for commit in commits {
        groups.entry(by.key(&commit)).or_default().push(commit);
    }
    let sorted = groups.into_iter().map(|(key, mut commits)| {
        commits.sort_by_key(|commit| Reverse(commit.time));
        RetentionGroup { key, commits }
    });
    sorted.collect()
}

fn sorted<T: Ord + Clone>(list: &[T]) -> Vec<T> {
    let mut list = list.to_vec();
    list.sort();
    list
}

impl FromStr for GroupBy {
    type Err = String;

    /// Any of `host`, `paths`, `tags` with commas between them, or `none`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut by = Self::NONE;
        if ["none", ""].contains(&text) {
            return Ok(by);
        }
        for word in text.split(',') {
            match word.trim() {
                "host" => by.host = true,
                "paths" | "path" => by.paths = true,
                "tags" | "tag" => by.tags = true,
                word => return Err(format!("{word:?} is none of host, paths, tags; or say `none`")),
            }
        }
        Ok(by)
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.host, "host"), (self.paths, "paths"), (self.tags, "tags")];
        let words: Vec<&str> = words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
        f.write_str(&if words.is_empty() { "none".to_owned() } else { words.join(",") })
    }
}
