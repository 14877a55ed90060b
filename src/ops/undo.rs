//! `undo`: take the last commit of a branch back.

use crate::id::CommitId;
use crate::repo::{Draft, RefLogEntry, RefMove, Repository};

use super::OpsError;

/// What was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoOutcome {
    /// The commit that the branch stood on.
    pub undone: CommitId,
    /// Where the branch stands now; `None`: it has no commit any more.
    pub now: Option<CommitId>,
    /// The branch.
    pub branch: String,
}

/// Moves a branch back to where it stood before its last commit or amendment. A branch that had no commit before is
/// unborn again.
///
/// Files are left alone, and the commit stays live: the reflog still names it.
///
/// # Errors
/// [`OpsError::Refused`] when the branch has no commit, or something other than a commit moved it last; when another
/// writer moves it meanwhile, or the repository fails.
pub fn undo(repo: &Repository, branch: &str) -> Result<UndoOutcome, OpsError> {
    let timeline = repo.timeline();
    let name = format!("heads/{branch}");
    let refused = |why: String| OpsError::Refused { why };
    let Some(undone) = timeline.branch(branch) else {
        return Err(refused(format!("branch {branch} has no commit to undo")));
    };
    let last = timeline.reflog(&name).into_iter().next().filter(|last| last.new == Some(undone));
    let last = last.ok_or_else(|| refused(format!("the history of branch {branch} is not known")))?;
    if !is_commit(&last) {
        let why = format!(
            "the last thing that moved branch {branch} was no commit but {:?}; `warp branch --force` moves it anywhere",
            last.message
        );
        return Err(refused(why));
    }
    if last.old.is_some_and(|old| !timeline.is_live(old)) {
        return Err(refused(format!("the commit that branch {branch} stood on before was forgotten")));
    }
    let draft = Draft {
        based_on: last.old.into_iter().collect(),
        refs: vec![RefMove { name, old: Some(undone), new: last.old }],
        message: format!("undo: {}", last.message),
        ..Draft::default()
    };
    repo.append(&mut |_| Ok(draft.clone()))?;
    Ok(UndoOutcome { undone, now: last.old, branch: branch.to_owned() })
}

/// Whether `commit` moved the ref.
fn is_commit(movement: &RefLogEntry) -> bool {
    let verb = movement.message.split(':').next().unwrap_or_default();
    verb == "commit" || verb.starts_with("commit (")
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{commit_tree, commit_with, repository, request};
    use super::*;
    use crate::repo::{ErrorKind, ResolveContext};

    fn refused(repo: &Repository, branch: &str) -> String {
        let error = undo(repo, branch).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        error.to_string()
    }

    #[test]
    fn a_commit_an_amendment_and_the_first_commit_can_be_undone_and_stay_findable() {
        let dir = tempfile::tempdir().unwrap();
        let repo = repository();
        std::fs::write(dir.path().join("a"), "1").unwrap();
        let first = commit_tree(&repo, dir.path(), 1);
        std::fs::write(dir.path().join("a"), "2").unwrap();
        let second = commit_tree(&repo, dir.path(), 2);
        let amended = commit_with(
            &repo,
            crate::ops::CommitRequest {
                amend: true,
                message: "better".to_owned(),
                ..request(dir.path(), "main", 3)
            },
        );
        let amended = amended.commit.unwrap();

        let done = undo(&repo, "main").unwrap();
        assert_eq!(done, UndoOutcome { undone: amended, now: Some(second), branch: "main".to_owned() });
        assert_eq!(repo.timeline().branch("main"), Some(second));
        assert_eq!(repo.resolve("main@{1}", &ResolveContext::default()).unwrap(), amended);
        assert!(repo.timeline().is_live(amended) && repo.version(amended).is_ok());
        assert_eq!(repo.timeline().reflog("heads/main")[0].message, "undo: commit (amend): better");

        assert!(refused(&repo, "main").contains("undo: commit (amend)"));
        std::fs::write(dir.path().join("a"), "3").unwrap();
        let third = commit_tree(&repo, dir.path(), 4);
        assert_eq!(repo.version(third).unwrap().commit.parents, [second]);
        assert_eq!(undo(&repo, "main").unwrap().now, Some(second));
        assert!(repo.timeline().is_live(first));
    }

    #[test]
    fn undoing_the_first_commit_leaves_the_branch_unborn() {
        let dir = tempfile::tempdir().unwrap();
        let repo = repository();
        let first = commit_tree(&repo, dir.path(), 1);
        let done = undo(&repo, "main").unwrap();
        assert_eq!(done, UndoOutcome { undone: first, now: None, branch: "main".to_owned() });
        assert!(repo.timeline().refs().is_empty());
        assert!(refused(&repo, "main").contains("no commit to undo"));
        let again = commit_tree(&repo, dir.path(), 2);
        assert_eq!(repo.version(again).unwrap().commit.parents, []);
    }

    #[test]
    fn what_was_no_commit_is_not_undone() {
        let dir = tempfile::tempdir().unwrap();
        let repo = repository();
        let commit = commit_tree(&repo, dir.path(), 1);
        repo.branch_create("other", commit, false).unwrap();
        let before = repo.timeline().refs().clone();
        assert!(refused(&repo, "other").contains("created at"));
        assert!(refused(&repo, "nowhere").contains("nowhere"));
        assert_eq!(*repo.timeline().refs(), before);
    }
}
