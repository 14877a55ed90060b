//! Retention: which commits a policy keeps, and why.
//!
//! A kernel: facts about commits in, verdicts out; no clock, no store. The rules are those that users of restic know:
//! the newest commit of each of the last N days, weeks and so on; all that is not older than some time before the newest
//! one; all with certain tags. While there are fewer days (or weeks, …) than a rule asks for, it keeps the oldest commit as
//! well, so that history grows to the length that was asked for instead of being cut short on the way.

mod age;
mod calendar;
mod group;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::str::FromStr;

use crate::format::dirtree::Timestamp;
use crate::id::CommitId;

pub use age::Age;
pub use calendar::Period;
pub use group::{GroupBy, GroupKey, RetentionGroup, group_commits};

/// How many commits a rule keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// So many; 0 keeps none and is the same as no rule.
    Newest(u32),
    /// All.
    All,
}

/// What a policy knows of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionFacts {
    /// The commit.
    pub id: CommitId,
    /// When it was made.
    pub time: Timestamp,
    /// Offset of local time from UTC then, in seconds: days and weeks are those of the place where it was made.
    pub utc_offset: i32,
    /// The host that it is of.
    pub host: String,
    /// What it was made of.
    pub paths: Vec<Vec<u8>>,
    /// Its labels.
    pub tags: Vec<String>,
}

/// Which commits of a group are kept: those that any rule wants.
///
/// # Examples
/// ```
/// use warp::format::dirtree::Timestamp;
/// use warp::id::CommitId;
/// use warp::repo::{KeepReason, Period, Quota, RetentionFacts, RetentionPolicy};
///
/// // Three commits a day apart, newest first.
/// let commits: Vec<RetentionFacts> = [3, 2, 1]
///     .map(|day| RetentionFacts {
///         id: CommitId::new([day; 32]),
///         time: Timestamp { secs: i64::from(day) * 86_400, nanos: 0 },
///         utc_offset: 0,
///         host: "here".to_owned(),
///         paths: Vec::new(),
///         tags: Vec::new(),
///     })
///     .into();
/// let policy = RetentionPolicy { daily: Some(Quota::Newest(2)), ..RetentionPolicy::default() };
/// let verdicts = policy.judge(&commits, commits[0].time);
/// assert_eq!(verdicts[0].reasons, [KeepReason::Newest(Period::Day)]);
/// assert!(verdicts[1].is_kept() && !verdicts[2].is_kept());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetentionPolicy {
    /// The newest commits.
    pub last: Option<Quota>,
    /// The newest commit of each of the last hours that have one.
    pub hourly: Option<Quota>,
    /// The same for days.
    pub daily: Option<Quota>,
    /// The same for weeks, which begin on Monday.
    pub weekly: Option<Quota>,
    /// The same for months.
    pub monthly: Option<Quota>,
    /// The same for quarters of a year.
    pub quarterly: Option<Quota>,
    /// The same for years.
    pub yearly: Option<Quota>,
    /// All commits that are younger than this, seen from the newest one.
    pub within: Option<Age>,
    /// The newest commit of each hour, of those that are younger than this, seen from the newest one.
    pub within_hourly: Option<Age>,
    /// The same for days.
    pub within_daily: Option<Age>,
    /// The same for weeks.
    pub within_weekly: Option<Age>,
    /// The same for months.
    pub within_monthly: Option<Age>,
    /// The same for quarters of a year.
    pub within_quarterly: Option<Age>,
    /// The same for years.
    pub within_yearly: Option<Age>,
    /// All commits that have every tag of any of these lists. The empty text stands for having no tag.
    pub tags: Vec<Vec<String>>,
    /// These commits.
    pub ids: BTreeSet<CommitId>,
}

/// Why a commit is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeepReason {
    /// It is one of the newest.
    Last,
    /// It is the newest of its hour, day, ….
    Newest(Period),
    /// It is the oldest of all, and there are fewer hours, days, … than the rule asks for.
    Oldest(Period),
    /// It is young enough.
    Within(Age),
    /// It is young enough, and the newest of its hour, day, ….
    NewestWithin(Period, Age),
    /// It is young enough, and the oldest of all.
    OldestWithin(Period, Age),
    /// It has these tags.
    Tags(Vec<String>),
    /// The policy names it.
    Id,
    /// A tag of the repository names it: the tag's name.
    Tag(String),
    /// A branch stands on it: the branch's name.
    Branch(String),
    /// A branch of a remote stands on it, or did when it was fetched: the remote and the branch, as in `origin/main`.
    Remote(String),
    /// The working directory stands on it, on no branch.
    Head,
    /// A key that may only append has brought it, too short a time ago: until then it counts for nothing, and pushes no other out.
    Unsettled,
    /// It is the parent of a commit that was made while commits were being chosen.
    Parent,
}

/// What becomes of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Every reason to keep it; none: it is forgotten.
    pub reasons: Vec<KeepReason>,
}

impl Verdict {
    /// Whether there is a reason to keep it.
    pub fn is_kept(&self) -> bool {
        !self.reasons.is_empty()
    }
}

impl RetentionPolicy {
    /// Whether no rule keeps anything, whatever commits there are.
    pub fn is_empty(&self) -> bool {
        self.last_quota() == Some(0)
            && self.quotas().is_empty()
            && self.ages().is_empty()
            && self.within.is_none_or(|age| age.is_zero())
            && self.tags.is_empty()
            && self.ids.is_empty()
    }

    /// Judges the commits of one group, which must come newest first; the verdicts have their order.
    ///
    /// `now` guards against clocks that were wrong: ages are measured from the newest commit that is not in its future. If
    /// all are, each of them counts as young.
    pub fn judge(&self, commits: &[RetentionFacts], now: Timestamp) -> Vec<Verdict> {
        let mut verdicts: Vec<Verdict> =
            commits.iter().map(|commit| self.regardless_of_time(commit)).collect();
        let mut keep = |at: usize, reason| verdicts[at].reasons.push(reason);
        let last = self.last_quota().unwrap_or(commits.len()).min(commits.len());
        (0..last).for_each(|at| keep(at, KeepReason::Last));
        for (period, quota) in self.quotas() {
            newest_of_each(commits, period, quota, &mut keep);
        }
        let latest = commits.iter().find(|commit| commit.time <= now);
        let young = |age: Age| {
            let from = latest.and_then(|latest| age.before(latest.time, latest.utc_offset));
            commits.partition_point(|commit| from.is_none_or(|from| commit.time > from))
        };
        if let Some(age) = self.within.filter(|age| !age.is_zero()) {
            (0..young(age)).for_each(|at| keep(at, KeepReason::Within(age)));
        }
        for (period, age) in self.ages() {
            newest_within(commits, period, (young(age), age), &mut keep);
        }
        verdicts
    }

    /// What is to be kept for its tags or its id.
    fn regardless_of_time(&self, commit: &RetentionFacts) -> Verdict {
        let lists = self.tags.iter().filter(|list| has_tags(&commit.tags, list));
        let mut reasons: Vec<KeepReason> = lists.map(|list| KeepReason::Tags(list.clone())).collect();
        reasons.extend(self.ids.contains(&commit.id).then_some(KeepReason::Id));
        Verdict { reasons }
    }

    /// How many of the newest are kept; `None`: all.
    fn last_quota(&self) -> Option<usize> {
        match self.last {
            None => Some(0),
            Some(Quota::Newest(count)) => Some(count as usize),
            Some(Quota::All) => None,
        }
    }

    /// The rules of periods that keep something.
    fn quotas(&self) -> Vec<(Period, Quota)> {
        let rules = [self.hourly, self.daily, self.weekly, self.monthly, self.quarterly, self.yearly];
        let rules = Period::ALL.into_iter().zip(rules);
        rules
            .filter_map(|(period, rule)| Some((period, rule.filter(|rule| *rule != Quota::Newest(0))?)))
            .collect()
    }

    /// The rules of periods within an age that keep something.
    fn ages(&self) -> Vec<(Period, Age)> {
        let rules = [
            self.within_hourly,
            self.within_daily,
            self.within_weekly,
            self.within_monthly,
            self.within_quarterly,
            self.within_yearly,
        ];
        let rules = Period::ALL.into_iter().zip(rules);
        rules.filter_map(|(period, age)| Some((period, age.filter(|age| !age.is_zero())?))).collect()
    }
}

/// Whether a commit with these tags has all of the list.
fn has_tags(tags: &[String], list: &[String]) -> bool {
    list.iter().all(|wanted| if wanted.is_empty() { tags.is_empty() } else { tags.contains(wanted) })
}

/// Keeps the newest commit of each of the last periods and, if there are too few, the oldest of all.
fn newest_of_each(
    commits: &[RetentionFacts],
    period: Period,
    quota: Quota,
    keep: &mut impl FnMut(usize, KeepReason),
) {
    let mut left = match quota {
        Quota::Newest(count) => count as usize,
        Quota::All => usize::MAX,
    };
    // A set, since local times need not fall where times do: hosts travel.
    let mut seen = HashSet::new();
    for (at, commit) in commits.iter().enumerate() {
        if left == 0 {
            return;
        }
        if seen.insert(period.of(commit.time, commit.utc_offset)) {
            left -= 1;
            keep(at, KeepReason::Newest(period));
        } else if at + 1 == commits.len() {
            keep(at, KeepReason::Oldest(period));
        }
    }
}

/// Keeps the newest commit of each period among the first `young` ones and, if all are young, the oldest.
fn newest_within(
    commits: &[RetentionFacts],
    period: Period,
    (young, age): (usize, Age),
    keep: &mut impl FnMut(usize, KeepReason),
) {
    let mut seen = HashSet::new();
    for (at, commit) in commits[..young].iter().enumerate() {
        if seen.insert(period.of(commit.time, commit.utc_offset)) {
            keep(at, KeepReason::NewestWithin(period, age));
        } else if at + 1 == commits.len() {
            keep(at, KeepReason::OldestWithin(period, age));
        }
    }
}

/// A list of tags as a reason.
fn tagged(list: &[String]) -> String {
    let tags = list.join(",");
    if tags.is_empty() { "without tags".to_owned() } else { format!("tagged {tags}") }
}

impl FromStr for Quota {
    type Err = String;

    /// A number, or `unlimited`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "unlimited" | "all" => Ok(Self::All),
            number => number
                .parse()
                .map(Self::Newest)
                .map_err(|_| format!("{text:?} is neither a number from 0 to {} nor `unlimited`", u32::MAX)),
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest(count) => write!(f, "{count}"),
            Self::All => f.write_str("all"),
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last => f.write_str("last"),
            Self::Newest(period) => write!(f, "{}", period.adjective()),
            Self::Oldest(period) => write!(f, "oldest {}", period.adjective()),
            Self::Within(age) => write!(f, "within {age}"),
            Self::NewestWithin(period, age) => write!(f, "{} within {age}", period.adjective()),
            Self::OldestWithin(period, age) => write!(f, "oldest {} within {age}", period.adjective()),
            Self::Tags(tags) => f.write_str(&tagged(tags)),
            Self::Id => f.write_str("id"),
            Self::Tag(name) => write!(f, "tag {name}"),
            Self::Branch(name) => write!(f, "branch {name}"),
            Self::Remote(name) => write!(f, "remote branch {name}"),
            Self::Head => f.write_str("HEAD"),
            Self::Unsettled => f.write_str("came lately from a key that may only append"),
            Self::Parent => f.write_str("parent of a new commit"),
        }
    }
}

impl fmt::Display for RetentionPolicy {
    /// `the last 3, 7 daily and all within 30d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rules: Vec<String> = Vec::new();
        rules.extend(self.last.filter(|last| *last != Quota::Newest(0)).map(|last| match last {
            Quota::Newest(count) => format!("the last {count}"),
            Quota::All => "all".to_owned(),
        }));
        rules.extend(self.quotas().iter().map(|(period, quota)| format!("{quota} {}", period.adjective())));
        rules.extend(self.within.filter(|age| !age.is_zero()).map(|age| format!("all within {age}")));
        rules.extend(self.ages().iter().map(|(period, age)| format!("{} within {age}", period.adjective())));
        rules.extend(self.tags.iter().map(|list| format!("all {}", tagged(list))));
        rules.extend((!self.ids.is_empty()).then(|| format!("{} by id", self.ids.len())));
        match rules.split_last() {
            None => f.write_str("nothing"),
            Some((only, [])) => f.write_str(only),
            Some((last, before)) => write!(f, "{} and {last}", before.join(", ")),
        }
    }
}
