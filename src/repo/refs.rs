//! Branches and tags.

use crate::id::{CommitId, NamespaceId};

use super::log::{Draft, namespace};
use super::state::{LogState, RefMove};
use super::{RepoError, Repository};

/// Refuses names that would be ambiguous, unreadable or dangerous: git's rules for refs.
///
/// # Errors
/// [`RepoError::RefName`] with the rule that is broken.
pub fn check_ref_name(name: &str) -> Result<(), RepoError> {
    let wrong = |why| Err(RepoError::RefName { name: name.to_owned(), why });
    if name.is_empty() || name.len() > 200 {
        return wrong("it must have 1 to 200 bytes");
    }
    if name.split('/').any(|part| part.is_empty() || part.starts_with('.') || part.ends_with(".lock")) {
        return wrong("no part of it may be empty, begin with a dot or end with .lock");
    }
    if name.starts_with('-') || name.ends_with('.') || name.contains("..") || name.contains("@{") {
        return wrong("it must not begin with -, end with a dot, or hold `..` or `@{`");
    }
    if name.chars().any(|c| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c)) {
        return wrong("it must not hold spaces, control characters or any of ~^:?*[\\");
    }
    if ["HEAD", "@", "latest"].contains(&name) {
        return wrong("this word has a meaning of its own");
    }
    Ok(())
}

impl Repository {
    /// Groups of refs, with the opaque ids under which a server without keys knows them: `heads`, `tags`, `heads/HOST` and so on, of all refs that
    /// there are.
    pub fn namespaces(&self) -> Vec<(String, NamespaceId)> {
        let state = self.state();
        let mut names: Vec<&str> = state.refs.keys().map(|name| namespace(name)).collect();
        names.extend(["heads", "tags"]);
        names.sort_unstable();
        names.dedup();
        let keyring = self.chunks().vault().keyring();
        names.into_iter().map(|name| (name.to_owned(), keyring.namespace_id(name))).collect()
    }

    /// Makes a branch; `force` moves one that exists.
    ///
    /// # Errors
    /// [`RepoError::RefExists`] without `force`; [`RepoError::RefName`].
    pub fn branch_create(&self, name: &str, at: CommitId, force: bool) -> Result<(), RepoError> {
        self.ref_create("heads", name, at, force)
    }

    /// Deletes a branch and returns where it stood.
    ///
    /// # Errors
    /// [`RepoError::Unmerged`] if commits would be on no branch or tag, unless `force`; [`RepoError::NoRef`].
    pub fn branch_delete(&self, name: &str, force: bool) -> Result<CommitId, RepoError> {
        let full = format!("heads/{name}");
        if !force && self.holds_alone(&full) {
            return Err(RepoError::Unmerged { name: name.to_owned() });
        }
        self.ref_delete(&full, "branch: deleted")
    }

    /// Renames a branch; `force` replaces one that has the new name.
    ///
    /// # Errors
    /// [`RepoError::NoRef`], [`RepoError::RefExists`], [`RepoError::RefName`].
    pub fn branch_rename(&self, old: &str, new: &str, force: bool) -> Result<(), RepoError> {
        check_ref_name(new)?;
        let (from, to) = (format!("heads/{old}"), format!("heads/{new}"));
        self.append(&mut |state| {
            let at = standing(state, &from)?;
            let there = state.refs.get(&to).copied();
            if there.is_some() && !force {
                return Err(RepoError::RefExists { name: to.clone() });
            }
            let moves = [
                RefMove { name: from.clone(), old: Some(at), new: None },
                RefMove { name: to.clone(), old: there, new: Some(at) },
            ];
            Ok(Draft {
                refs: moves.to_vec(),
                message: format!("branch: renamed {old} to {new}"),
                ..Draft::default()
            })
        })?;
        Ok(())
    }

    /// Makes a tag; `force` moves one that exists.
    ///
    /// # Errors
    /// [`RepoError::RefExists`] without `force`; [`RepoError::RefName`].
    pub fn tag_create(&self, name: &str, at: CommitId, force: bool) -> Result<(), RepoError> {
        self.ref_create("tags", name, at, force)
    }

    /// Deletes a tag and returns where it stood.
    ///
    /// # Errors
    /// [`RepoError::NoRef`].
    pub fn tag_delete(&self, name: &str) -> Result<CommitId, RepoError> {
        self.ref_delete(&format!("tags/{name}"), "tag: deleted")
    }

    /// Forgets where a branch of a remote stood, as in `origin/main`, and returns where that was. The next fetch tells it again.
    ///
    /// # Errors
    /// [`RepoError::NoRef`].
    pub fn remote_branch_forget(&self, name: &str) -> Result<CommitId, RepoError> {
        self.ref_delete(&format!("remotes/{name}"), "branch: forgotten")
    }

    fn ref_create(&self, group: &str, name: &str, at: CommitId, force: bool) -> Result<(), RepoError> {
        check_ref_name(name)?;
        let full = format!("{group}/{name}");
        self.append(&mut |state| {
            let old = state.refs.get(&full).copied();
            if old.is_some() && !force {
                return Err(RepoError::RefExists { name: full.clone() });
            }
            if !state.is_live(&at) {
                return Err(RepoError::NoRevision {
                    spec: at.to_hex(),
                    why: "it is no live commit".to_owned(),
                });
            }
            Ok(Draft {
                refs: vec![RefMove { name: full.clone(), old, new: Some(at) }],
                message: format!(
                    "{}: created at {}",
                    if group == "heads" { "branch" } else { "tag" },
                    at.short()
                ),
                ..Draft::default()
            })
        })?;
        Ok(())
    }

    fn ref_delete(&self, full: &str, message: &str) -> Result<CommitId, RepoError> {
        let mut stood = None;
        self.append(&mut |state| {
            let at = standing(state, full)?;
            stood = Some(at);
            Ok(Draft {
                refs: vec![RefMove { name: full.to_owned(), old: Some(at), new: None }],
                message: message.to_owned(),
                ..Draft::default()
            })
        })?;
        Ok(stood.expect("the entry was built"))
    }

    /// Whether the branch reaches a live commit that no other ref reaches.
    fn holds_alone(&self, full: &str) -> bool {
        let timeline = self.timeline();
        let others = timeline.refs().iter().filter(|(name, _)| *name != full).map(|(_, id)| *id);
        let reached = timeline.ancestors(others);
        timeline.refs().get(full).is_some_and(|at| !timeline.ancestors([*at]).is_subset(&reached))
    }
}

fn standing(state: &LogState, full: &str) -> Result<CommitId, RepoError> {
    state.refs.get(full).copied().ok_or_else(|| RepoError::NoRef { name: full.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_git_refuses_are_refused() {
        for good in ["main", "laptop/home/alice", "v1.0", "ünïcode", "a-b_c"] {
            assert!(check_ref_name(good).is_ok(), "{good}");
        }
        for bad in [
            "", "a..b", "-x", ".hidden", "a/.b", "a//b", "a b", "a\nb", "x~1", "x^", "a:b", "HEAD", "@{1}",
            "a.lock", "latest", "a/",
        ] {
            assert!(check_ref_name(bad).is_err(), "{bad}");
        }
    }
}
