//! What of whose refs goes where: git's refspecs and leases.

use crate::id::CommitId;
use crate::repo::{Head, LogState, RepoError, Repository, ResolveContext};

use super::super::OpsError;

/// A refspec of a push: `main`, `main:other`, `+main`, `:gone`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefSpec {
    /// It may move a ref to where it does not go forward.
    pub force: bool,
    /// What is pushed: a branch, a tag or another revision; `None`: the ref is deleted.
    pub from: Option<String>,
    /// Where to; `None`: to the ref of the same name.
    pub to: Option<String>,
}

/// What a ref of the receiver must stand on, or it is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// Every ref that is pushed: on what was fetched last.
    All,
    /// A branch: on what was fetched last.
    Fetched(String),
    /// A branch or tag: on this commit; `None`: it must not be there.
    At(String, Option<String>),
}

/// A ref of the receiver, and what shall become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// What is pushed, as people name it; empty where a ref is deleted.
    pub from: String,
    /// Full name of the ref at the receiver.
    pub name: String,
    /// Where it shall stand; `None`: it is deleted.
    pub new: Option<CommitId>,
    /// Also where it does not go forward.
    pub force: bool,
    /// It must stand here (`Some(None)`: nowhere), and then it may go anywhere.
    pub expected: Option<Option<CommitId>>,
}

fn usage<T>(why: String) -> Result<T, OpsError> {
    Err(OpsError::Usage { why })
}

impl RefSpec {
    /// Reads a refspec.
    ///
    /// # Errors
    /// [`OpsError::Usage`] for what is none.
    pub fn parse(text: &str) -> Result<Self, OpsError> {
        let (force, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        let (from, to) = rest.split_once(':').map_or((rest, None), |(from, to)| (from, Some(to)));
        let without_refs = |name: &str| name.strip_prefix("refs/").unwrap_or(name).to_owned();
        match (from, to) {
            ("", None | Some("")) => usage(format!("{text:?} names nothing to push")),
            (_, Some("")) => usage(format!("{text:?} does not say where to: write NAME, or NAME:BRANCH")),
            _ if to.is_some_and(|to| to.contains(':')) => usage(format!("{text:?} has more than one colon")),
            (from, to) => Ok(Self {
                force,
                from: Some(without_refs(from)).filter(|from| !from.is_empty()),
                to: to.map(without_refs),
            }),
        }
    }

    /// What it comes to: its source in `local`, its target among what `remote` has.
    ///
    /// # Errors
    /// When there is no such revision, or it does not say where it goes.
    pub fn resolve(
        &self,
        local: &Repository,
        context: &ResolveContext,
        remote: &LogState,
    ) -> Result<RefUpdate, OpsError> {
        let Some(from) = &self.from else {
            let to = self.to.as_deref().unwrap_or_default();
            let is_tag = remote.refs.contains_key(&format!("tags/{to}"));
            let is_branch = remote.refs.contains_key(&format!("heads/{to}"));
            let name = grouped(to, if is_tag && !is_branch { "tags" } else { "heads" });
            return Ok(RefUpdate { from: String::new(), name, new: None, force: self.force, expected: None });
        };
        let full = full_name(from, local, context.head.as_ref());
        let new = match full.as_ref().and_then(|full| local.timeline().refs().get(full).copied()) {
            Some(id) => id,
            None => local.resolve(from, context)?,
        };
        let group = full.as_ref().filter(|full| full.starts_with("tags/")).map_or("heads", |_| "tags");
        let name = match (&self.to, &full) {
            (Some(to), _) => grouped(to, group),
            (None, Some(full)) => full.clone(),
            (None, None) => {
                return usage(format!(
                    "{from} is neither a branch nor a tag: say where to, as in {from}:BRANCH"
                ));
            }
        };
        let from = full.as_deref().map_or(&from[..], short_name).to_owned();
        Ok(RefUpdate { from, name, new: Some(new), force: self.force, expected: None })
    }
}

/// Full name of a branch or tag that people name; `None`: there is none.
fn full_name(name: &str, local: &Repository, head: Option<&Head>) -> Option<String> {
    if matches!(name, "HEAD" | "@") {
        let Some(Head::Branch(branch)) = head else { return None };
        return Some(format!("heads/{branch}"));
    }
    let timeline = local.timeline();
    let full = ["", "heads/", "tags/"].map(|group| format!("{group}{name}"));
    let is_own = |full: &String| full.starts_with("heads/") || full.starts_with("tags/");
    full.into_iter().find(|full| is_own(full) && timeline.refs().contains_key(full))
}

/// A full name of what may be one already.
fn grouped(name: &str, group: &str) -> String {
    let is_full = name.starts_with("heads/") || name.starts_with("tags/");
    if is_full { name.to_owned() } else { format!("{group}/{name}") }
}

/// A ref's name for people: without its group.
pub fn short_name(full: &str) -> &str {
    ["heads/", "tags/", "remotes/"].iter().find_map(|group| full.strip_prefix(group)).unwrap_or(full)
}

/// Says where refs must stand, of a remote of this name whose branches were fetched into `local`.
///
/// # Errors
/// [`OpsError::Refused`] when nothing was fetched for a branch; when there is no such revision.
pub fn apply_leases(
    updates: &mut [RefUpdate],
    leases: &[Lease],
    (local, context): (&Repository, &ResolveContext),
    remote: Option<&str>,
) -> Result<(), OpsError> {
    let timeline = local.timeline();
    let fetched = |full: &str| {
        let branch = full.strip_prefix("heads/").unwrap_or(full);
        let at =
            remote.and_then(|remote| timeline.refs().get(&format!("remotes/{remote}/{branch}")).copied());
        at.map(Some).ok_or_else(|| OpsError::Refused {
            why: format!(
                "nothing is known of where {branch} stood: `warp fetch` first, or say it with --force-with-lease={branch}:COMMIT"
            ),
        })
    };
    for lease in leases {
        let (name, at) = match lease {
            Lease::All => {
                let branches = updates.iter_mut().filter(|of| of.name.starts_with("heads/"));
                for update in branches.filter(|update| update.expected.is_none()) {
                    update.expected = Some(fetched(&update.name)?);
                }
                continue;
            }
            Lease::Fetched(name) => (name, None),
            Lease::At(name, at) => (name, Some(at)),
        };
        let is_it = |update: &&mut RefUpdate| update.name == *name || short_name(&update.name) == name;
        for update in updates.iter_mut().filter(is_it) {
            update.expected = Some(match at {
                None => fetched(&update.name)?,
                Some(at) => at.as_ref().map(|at| local.resolve(at, context)).transpose()?,
            });
        }
    }
    Ok(())
}

impl Lease {
    /// Reads what follows `--force-with-lease`: nothing, `REF`, `REF:COMMIT`, or `REF:` for a ref that must not be there.
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            _ if text.is_empty() => Self::All,
            None => Self::Fetched(text.to_owned()),
            Some((name, at)) => Self::At(name.to_owned(), Some(at.to_owned()).filter(|at| !at.is_empty())),
        }
    }
}

/// That there is no such revision.
pub(super) fn no_revision(spec: &str, why: &str) -> OpsError {
    RepoError::NoRevision { spec: spec.to_owned(), why: why.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refspecs_are_read_as_git_reads_them() {
        let spec = |force, from: Option<&str>, to: Option<&str>| RefSpec {
            force,
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        for (text, wanted) in [
            ("main", spec(false, Some("main"), None)),
            ("+main", spec(true, Some("main"), None)),
            ("main:other", spec(false, Some("main"), Some("other"))),
            ("+HEAD~1:a/b", spec(true, Some("HEAD~1"), Some("a/b"))),
            (":gone", spec(false, None, Some("gone"))),
            ("refs/heads/a:refs/tags/b", spec(false, Some("heads/a"), Some("tags/b"))),
        ] {
            assert_eq!(RefSpec::parse(text).unwrap(), wanted, "{text}");
        }
        for wrong in ["", "+", ":", "+:", "a:", "a:b:c"] {
            assert!(matches!(RefSpec::parse(wrong), Err(OpsError::Usage { .. })), "{wrong}");
        }
    }

    #[test]
    fn leases_are_read_as_git_reads_them() {
        let at = |at: Option<&str>| Lease::At("main".to_owned(), at.map(str::to_owned));
        assert_eq!(Lease::parse(""), Lease::All);
        assert_eq!(Lease::parse("main"), Lease::Fetched("main".to_owned()));
        assert_eq!(Lease::parse("main:1f3a"), at(Some("1f3a")));
        assert_eq!(Lease::parse("main:"), at(None));
    }
}
