//! Removing what a target holds and the commit does not.

use crate::repo::Repository;
use crate::worktree::{RelPath, Target};

use super::super::selection::Wanted;
use super::super::walk::is_dir;
use super::super::{OpsError, tree};
use super::{Job, Report, RestoreRequest};

/// Finds what the target holds, the job wants and the commit does not have, and removes it after asking.
pub(super) fn remove(
    repo: &Repository,
    request: &RestoreRequest,
    job: &Job<'_>,
    target: &Target,
    report: &Report<'_>,
) -> Result<u64, OpsError> {
    let extras = find(repo, job, target)?;
    let count = extras.len() as u64;
    let refused =
        request.confirm_delete.as_ref().is_some_and(|ask| count > 0 && !ask(&request.target, count));
    if refused {
        return Err(OpsError::Refused {
            why: format!(
                "{count} entries of {} would be removed; nothing was changed",
                request.target.display()
            ),
        });
    }
    let mut removed = 0;
    for path in extras {
        let path = RelPath::new(path.split(|&byte| byte == b'/'))?;
        match target.remove_all(&path) {
            Ok(()) => removed += 1,
            Err(error) => report.problem(path.as_path(), &error),
        }
    }
    Ok(removed)
}

/// Paths that the target has beyond the commit; of a directory, only itself.
pub(super) fn find(repo: &Repository, job: &Job<'_>, target: &Target) -> Result<Vec<Vec<u8>>, OpsError> {
    let mut extras = Vec::new();
    // A list of what is to do: a tree may be deeper than a thread's stack.
    let mut todo = vec![(job.root.clone(), RelPath::root())];
    while let Some((dir, path)) = todo.pop() {
        let kept = tree::read_dir(repo.chunks(), tree::dir_node(&dir))?;
        for (name, stat) in target.list_dir(&path)? {
            let below = path.join(&name)?;
            let wanted = (job.wanted)(below.as_bytes(), stat.is_dir());
            let found = kept.binary_search_by(|entry| entry.name.as_slice().cmp(&name)).ok();
            match (found.map(|index| &kept[index]), wanted) {
                (_, Wanted::No) => {}
                (None, Wanted::Yes) => extras.push(below.as_bytes().to_vec()),
                (Some(entry), _) if stat.is_dir() && is_dir(entry) => todo.push((entry.clone(), below)),
                _ => {}
            }
        }
    }
    extras.sort_unstable();
    Ok(extras)
}
