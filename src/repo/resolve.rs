//! From what people write to a commit.

use crate::format::dirtree::Timestamp;
use crate::id::CommitId;

use super::workdir::Head;
use super::{RepoError, Repository, VersionTimeline, when};

/// Fewest hex digits that are taken for the beginning of an id.
const PREFIX_MIN: usize = 4;

/// What `HEAD`, `latest` and times mean while a revision is resolved.
#[derive(Debug, Clone, Default)]
pub struct ResolveContext {
    /// Where the working directory stands, if there is one.
    pub head: Option<Head>,
    /// Now.
    pub now: Timestamp,
    /// `latest` means: of this host.
    pub host: Option<String>,
    /// `latest` means: of exactly these source paths; empty: of any.
    pub paths: Vec<Vec<u8>>,
    /// `latest` means: with all these tags.
    pub tags: Vec<String>,
}

/// One step behind the name in a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// `~N`: N first parents up.
    Up(u64),
    /// `^N`: the N-th parent.
    Parent(u64),
    /// `@{…}`: where the ref stood.
    At(String),
}

impl Repository {
    /// Finds the commit that `revision` names: `HEAD`, a branch, a tag, a remote's branch as in `origin/main`, `latest`, the beginning of an id (4 digits or
    /// more), each followed by any of `~N`, `^`, `^N`, `@{N}`, `@{DATE}`.
    ///
    /// # Errors
    /// [`RepoError::NoRevision`], [`RepoError::Ambiguous`].
    pub fn resolve(&self, revision: &str, context: &ResolveContext) -> Result<CommitId, RepoError> {
        let missing = |why: &str| RepoError::NoRevision { spec: revision.to_owned(), why: why.to_owned() };
        let (name, steps) = parse(revision).ok_or_else(|| missing("it cannot be read"))?;
        let mut steps = steps.into_iter().peekable();
        let mut at = match steps.next_if(|step| matches!(step, Step::At(_))) {
            Some(Step::At(when)) => self.stood(name, &when, context, revision)?,
            _ => self.named(name, context, revision)?,
        };
        let timeline = self.timeline();
        for step in steps {
            let (times, which) = match step {
                Step::Up(times) => (times, 1),
                Step::Parent(0) => continue,
                Step::Parent(which) => (1, which),
                Step::At(_) => return Err(missing("@{…} must follow a branch or HEAD")),
            };
            for _ in 0..times {
                let index = usize::try_from(which - 1).unwrap_or(usize::MAX);
                let parent =
                    *timeline.parents(at).get(index).ok_or_else(|| missing("history is not that long"))?;
                if !timeline.is_live(parent) {
                    return Err(missing(&forgotten(parent, &timeline)));
                }
                at = parent;
            }
        }
        Ok(at)
    }

    fn named(&self, name: &str, context: &ResolveContext, spec: &str) -> Result<CommitId, RepoError> {
        let timeline = self.timeline();
        let missing = |why: String| RepoError::NoRevision { spec: spec.to_owned(), why };
        match name {
            "HEAD" | "@" => match &context.head {
                None => {
                    Err(missing("a repository without a working directory has no HEAD; try `latest`".into()))
                }
                Some(Head::Detached(id)) if timeline.is_live(*id) => Ok(*id),
                Some(Head::Detached(id)) => Err(missing(forgotten(*id, &timeline))),
                Some(Head::Branch(branch)) => timeline
                    .branch(branch)
                    .ok_or_else(|| missing(format!("branch {branch} has no commit yet"))),
            },
            "latest" => self.latest(context, spec),
            _ => {
                let refs = timeline.refs();
                let full = ["", "heads/", "tags/", "remotes/"]
                    .iter()
                    .find_map(|group| refs.get(&format!("{group}{name}")));
                full.map_or_else(|| self.by_prefix(name, spec), |id| Ok(*id))
            }
        }
    }

    fn by_prefix(&self, text: &str, spec: &str) -> Result<CommitId, RepoError> {
        let missing = |why: &str| RepoError::NoRevision { spec: spec.to_owned(), why: why.to_owned() };
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || text.len() > 64 {
            return Err(missing("no branch, tag or commit has this name"));
        }
        if text.len() < PREFIX_MIN {
            return Err(missing("the beginning of an id needs 4 digits or more"));
        }
        let text = text.to_ascii_lowercase();
        let state = self.state();
        let fits = |id: &CommitId| id.to_hex().starts_with(&text);
        let mut found = self.timeline().commits();
        found.retain(fits);
        match found[..] {
            [] => Err(match state.parents.keys().find(|id| fits(id)) {
                Some(gone) => missing(&forgotten(*gone, &self.timeline())),
                None => missing("no branch, tag or commit has this name"),
            }),
            [one] => Ok(one),
            _ => Err(RepoError::Ambiguous { spec: spec.to_owned(), candidates: found }),
        }
    }

    fn latest(&self, context: &ResolveContext, spec: &str) -> Result<CommitId, RepoError> {
        let commits = self.timeline().commits();
        let any = context.host.is_none() && context.paths.is_empty() && context.tags.is_empty();
        for id in commits {
            if any || self.matches(id, context)? {
                return Ok(id);
            }
        }
        let why = if any { "there is no commit yet" } else { "no commit fits the host, path and tag" };
        Err(RepoError::NoRevision { spec: spec.to_owned(), why: why.to_owned() })
    }

    fn matches(&self, id: CommitId, context: &ResolveContext) -> Result<bool, RepoError> {
        let commit = self.version(id)?.commit;
        Ok(context.host.as_ref().is_none_or(|host| *host == commit.host)
            && (context.paths.is_empty() || context.paths == commit.paths)
            && context.tags.iter().all(|tag| commit.tags.contains(tag)))
    }

    /// Where a ref stood: N movements ago, or at a moment.
    fn stood(
        &self,
        name: &str,
        when: &str,
        context: &ResolveContext,
        spec: &str,
    ) -> Result<CommitId, RepoError> {
        let missing = |why: String| RepoError::NoRevision { spec: spec.to_owned(), why };
        let branch = match (name, &context.head) {
            ("" | "HEAD" | "@", Some(Head::Branch(branch))) => branch.as_str(),
            ("" | "HEAD" | "@", _) => {
                return Err(missing("HEAD is on no branch; name one before the @".into()));
            }
            (name, _) => name,
        };
        let timeline = self.timeline();
        let mut logs =
            ["heads/", "", "remotes/"].iter().map(|group| timeline.reflog(&format!("{group}{branch}")));
        let log = logs.find(|log| !log.is_empty()).unwrap_or_default();
        let found = match when.parse::<usize>() {
            Ok(number) => log.get(number),
            Err(_) => {
                let moment = when::parse(when, context.now, self.client().utc_offset).ok_or_else(|| {
                    missing(format!("{when:?} is no moment; try `2 days ago` or 2026-01-31"))
                })?;
                log.iter().find(|entry| entry.time <= moment)
            }
        };
        let at = found.and_then(|entry| entry.new);
        let at = at.ok_or_else(|| missing(format!("{branch} did not stand anywhere then")))?;
        if timeline.is_live(at) { Ok(at) } else { Err(missing(forgotten(at, &timeline))) }
    }
}

/// Why a forgotten commit is none to work with, and which one is left before it.
fn forgotten(id: CommitId, timeline: &VersionTimeline) -> String {
    match timeline.live_parents(id).first() {
        Some(before) => format!(
            "commit {} was forgotten; the nearest one before it that is left is {}",
            id.short(),
            before.short()
        ),
        None => format!("commit {} was forgotten", id.short()),
    }
}

/// Splits a revision into its name and the steps behind it.
fn parse(revision: &str) -> Option<(&str, Vec<Step>)> {
    let name_len = revision.find(['~', '^']).unwrap_or(revision.len());
    let name_len = revision.find("@{").map_or(name_len, |at| at.min(name_len));
    let (name, mut rest) = revision.split_at(name_len);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, behind) = parse_step(rest)?;
        steps.push(step);
        rest = behind;
    }
    (!name.is_empty() || matches!(steps.first(), Some(Step::At(_)))).then_some((name, steps))
}

fn parse_step(text: &str) -> Option<(Step, &str)> {
    if let Some(inside) = text.strip_prefix("@{") {
        let (when, rest) = inside.split_once('}')?;
        return Some((Step::At(when.to_owned()), rest));
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at(digits);
    let number = if number.is_empty() { 1 } else { number.parse().ok()? };
    match sign {
        "~" => Some((Step::Up(number), rest)),
        "^" => Some((Step::Parent(number), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_split_into_a_name_and_steps() {
        assert_eq!(parse("main"), Some(("main", vec![])));
        assert_eq!(parse("main~3"), Some(("main", vec![Step::Up(3)])));
        assert_eq!(parse("a1b2^^2~"), Some(("a1b2", vec![Step::Parent(1), Step::Parent(2), Step::Up(1)])));
        assert_eq!(
            parse("main@{2 days ago}~1"),
            Some(("main", vec![Step::At("2 days ago".into()), Step::Up(1)]))
        );
        assert_eq!(parse("@{1}"), Some(("", vec![Step::At("1".into())])));
        for wrong in ["", "~1", "main~1x", "main@{1", "main^-1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
