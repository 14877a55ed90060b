use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400;
/// 2024-03-31 12:00 UTC, a Sunday.
const NOON: i64 = 1_711_886_400;

fn commit(number: usize, secs: i64, utc_offset: i32) -> RetentionFacts {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(number as u64).to_le_bytes());
    RetentionFacts {
        id: CommitId::new(id),
        time: Timestamp { secs, nanos: 0 },
        utc_offset,
        host: "here".to_owned(),
        paths: vec![b"/home".to_vec()],
        tags: Vec::new(),
    }
}

/// Commits at these times in UTC, newest first.
fn at(times: &[i64]) -> Vec<RetentionFacts> {
    times.iter().enumerate().map(|(number, secs)| commit(number, *secs, 0)).collect()
}

/// Reasons of each commit as text, seen from after all of them.
fn shown(policy: &RetentionPolicy, commits: &[RetentionFacts]) -> Vec<String> {
    let text =
        |verdict: &Verdict| verdict.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let now = Timestamp { secs: i64::MAX, nanos: 0 };
    policy.judge(commits, now).iter().map(text).collect()
}

fn newest(count: u32) -> Option<Quota> {
    Some(Quota::Newest(count))
}

fn age(text: &str) -> Option<Age> {
    Some(text.parse().unwrap())
}

#[test]
fn rules_add_up_and_name_their_reasons() {
    let commits = at(&[NOON, NOON - 3600, NOON - DAY, NOON - 2 * DAY, NOON - 40 * DAY]);
    let policy =
        RetentionPolicy { last: newest(1), daily: newest(2), monthly: newest(2), ..Default::default() };
    assert_eq!(shown(&policy, &commits), ["last; daily; monthly", "", "daily", "", "monthly"]);
    let policy = RetentionPolicy { last: Some(Quota::All), ..policy };
    assert!(shown(&policy, &commits).iter().all(|reasons| reasons.starts_with("last")));
}

#[test]
fn a_rule_that_has_room_left_keeps_the_oldest_commit_too() {
    let commits = at(&[NOON, NOON - 60, NOON - 120]);
    let policy = RetentionPolicy { daily: newest(2), ..Default::default() };
    assert_eq!(shown(&policy, &commits), ["daily", "", "oldest daily"]);
    let policy = RetentionPolicy { daily: newest(1), ..Default::default() };
    assert_eq!(shown(&policy, &commits), ["daily", "", ""]);
    let policy = RetentionPolicy { yearly: Some(Quota::All), ..Default::default() };
    assert_eq!(shown(&policy, &commits), ["yearly", "", "oldest yearly"]);
    let policy = RetentionPolicy { within_daily: age("1d"), ..Default::default() };
    assert_eq!(shown(&policy, &commits), ["daily within 1d", "", "oldest daily within 1d"]);
    let policy = RetentionPolicy { within_daily: age("1d"), ..Default::default() };
    let older = at(&[NOON, NOON - 60, NOON - 120, NOON - 3 * DAY]);
    assert_eq!(shown(&policy, &older), ["daily within 1d", "", "", ""]);
}

#[test]
fn ages_are_measured_by_the_calendar_from_the_newest_commit() {
    // A month before 31 March is 29 February, in this year.
    let cut = NOON - 31 * DAY;
    let commits = at(&[NOON, cut + 1, cut, cut - 1]);
    let policy = RetentionPolicy { within: age("1m"), ..Default::default() };
    assert_eq!(shown(&policy, &commits), ["within 1m", "within 1m", "", ""]);
    let policy = RetentionPolicy { within: age("1y2m1w3h"), ..Default::default() };
    assert_eq!(shown(&policy, &commits)[3], "within 1y2m7d3h");
    let policy = RetentionPolicy { within: age("4294967295y"), ..Default::default() };
    assert!(shown(&policy, &commits).iter().all(|reasons| !reasons.is_empty()));
}

#[test]
fn a_commit_of_the_future_does_not_make_the_others_old() {
    let commits = at(&[NOON + 1000 * DAY, NOON - DAY, NOON - 3 * DAY]);
    let policy = RetentionPolicy { within: age("2d"), ..Default::default() };
    let now = Timestamp { secs: NOON, nanos: 0 };
    let kept = |now| policy.judge(&commits, now).iter().map(Verdict::is_kept).collect::<Vec<_>>();
    assert_eq!(kept(now), [true, true, false].to_vec());
    assert_eq!(kept(commits[0].time), [true, false, false].to_vec());
    assert_eq!(kept(Timestamp { secs: 0, nanos: 0 }), [true; 3].to_vec());
}

#[test]
fn days_are_those_of_the_place_where_a_commit_was_made() {
    let midnight = NOON + 12 * 3600;
    let utc = [commit(0, midnight + 60, 0), commit(1, midnight - 60, 0)];
    let policy = RetentionPolicy { daily: Some(Quota::Newest(2)), ..Default::default() };
    assert_eq!(shown(&policy, &utc), ["daily", "daily"]);
    let west = utc.map(|commit| RetentionFacts { utc_offset: -7200, ..commit });
    assert_eq!(shown(&policy, &west), ["daily", "oldest daily"]);
    // Of a host that travels: the middle one lies in the next day already, and does not split the day around it.
    let travelled =
        [commit(0, midnight - 60, 0), commit(1, midnight - 120, 3600), commit(2, midnight - 180, 0)];
    let policy = RetentionPolicy { daily: newest(2), ..Default::default() };
    assert_eq!(shown(&policy, &travelled), ["daily", "daily", ""]);
}

#[test]
fn weeks_begin_on_monday_and_belong_to_the_year_of_their_thursday() {
    // 2024-12-30 is a Monday, in week 1 of 2025.
    let monday = 1_735_516_800;
    let week = |secs| Period::Week.of(Timestamp { secs, nanos: 0 }, 0);
    assert_eq!([monday - 1, monday, monday + 7 * DAY - 1].map(week), [(2024, 52), (2025, 1), (2025, 1)]);
    let quarter = |secs| Period::Quarter.of(Timestamp { secs, nanos: 0 }, 0);
    assert_eq!([NOON, NOON + DAY, monday].map(quarter), [(2024, 0), (2024, 1), (2024, 3)]);
}

#[test]
fn tags_and_ids_keep_whatever_its_time() {
    let mut commits = at(&[NOON, NOON - 1, NOON - 2, NOON - 3]);
    commits[1].tags = vec!["a".to_owned(), "b".to_owned()];
    commits[2].tags = vec!["a".to_owned()];
    let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let policy = |lists: &[&str]| RetentionPolicy {
        tags: lists.iter().map(|text| list(text)).collect(),
        ..Default::default()
    };
    assert_eq!(shown(&policy(&["a"]), &commits), ["", "tagged a", "tagged a", ""]);
    assert_eq!(shown(&policy(&["b,a"]), &commits), ["", "tagged b,a", "", ""]);
    assert_eq!(shown(&policy(&["b", "c"]), &commits), ["", "tagged b", "", ""]);
    assert_eq!(shown(&policy(&[""]), &commits), ["without tags", "", "", "without tags"]);
    let policy = RetentionPolicy { ids: [commits[3].id].into(), ..Default::default() };
    assert_eq!(shown(&policy, &commits), ["", "", "", "id"]);
}

#[test]
fn a_policy_without_a_rule_that_keeps_anything_is_empty() {
    let zero = RetentionPolicy {
        last: newest(0),
        weekly: newest(0),
        within: age("0d"),
        within_yearly: age("0y"),
        ..Default::default()
    };
    assert!(RetentionPolicy::default().is_empty() && zero.is_empty());
    assert_eq!(shown(&zero, &at(&[NOON])), [""]);
    assert_eq!(zero.to_string(), "nothing");
    for policy in [
        RetentionPolicy { last: Some(Quota::All), ..Default::default() },
        RetentionPolicy { yearly: newest(1), ..Default::default() },
        RetentionPolicy { within: age("1h"), ..Default::default() },
        RetentionPolicy { within_weekly: age("1h"), ..Default::default() },
        RetentionPolicy { tags: vec![vec!["a".to_owned()]], ..Default::default() },
        RetentionPolicy { ids: [CommitId::new([1; 32])].into(), ..Default::default() },
    ] {
        assert!(!policy.is_empty(), "{policy}");
    }
    let policy =
        RetentionPolicy { last: newest(3), daily: newest(7), within: age("1m"), ..Default::default() };
    assert_eq!(policy.to_string(), "the last 3, 7 daily and all within 1m");
}

#[test]
fn what_people_write_is_understood_or_refused_by_name() {
    assert_eq!("2y5m7d3h".parse(), Ok(Age { years: 2, months: 5, days: 7, hours: 3 }));
    assert_eq!("1d2w".parse(), Ok(Age { days: 15, ..Age::default() }));
    assert_eq!("2y5m7d3h".parse::<Age>().unwrap().to_string(), "2y5m7d3h");
    for wrong in ["", "d", "3", "3x", "-3d", "3 d", "99999999999d", "4294967295w", "4294967295d1d"] {
        assert!(wrong.parse::<Age>().unwrap_err().contains(&format!("{wrong:?}")), "{wrong}");
    }
    assert_eq!(("7".parse(), "unlimited".parse()), (Ok(Quota::Newest(7)), Ok(Quota::All)));
    for wrong in ["", "-1", "many", "4294967296"] {
        assert!(wrong.parse::<Quota>().is_err(), "{wrong}");
    }
    assert_eq!("tags,host".parse(), Ok(GroupBy { host: true, paths: false, tags: true }));
    assert_eq!(("none".parse(), "".parse()), (Ok(GroupBy::NONE), Ok(GroupBy::NONE)));
    assert_eq!(GroupBy::default().to_string().parse(), Ok(GroupBy::default()));
    assert!("host,user".parse::<GroupBy>().unwrap_err().contains("user"));
}

#[test]
fn groups_hold_what_belongs_together_newest_first() {
    let mut commits = at(&[1, 3, 2, 3]);
    commits[1].host = "there".to_owned();
    commits[2].paths = vec![b"/b".to_vec(), b"/a".to_vec()];
    commits[3].paths = vec![b"/a".to_vec(), b"/b".to_vec()];
    let ids = |by| -> Vec<Vec<u8>> {
        group_commits(commits.clone(), by)
            .iter()
            .map(|group| group.commits.iter().map(|commit| commit.id.as_bytes()[0]).collect())
            .collect()
    };
    assert_eq!(ids(GroupBy::default()), [vec![3, 2], vec![0], vec![1]]);
    assert_eq!(ids(GroupBy::NONE), [vec![1, 3, 2, 0]]);
    assert_eq!(ids(GroupBy { host: true, ..GroupBy::NONE }), [vec![3, 2, 0], vec![1]]);
}

/// Number of the period that a local second falls into, by arithmetic on days since 1970.
fn slow_period(period: Period, secs: i64, utc_offset: i32) -> i64 {
    let local = secs + i64::from(utc_offset);
    let days = local.div_euclid(DAY);
    // Months by counting: from 1970 year by year, month by month.
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut month, mut left) = (1970, 0, days);
    let len = |year: i64, month: i64| match month {
        1 => 28 + i64::from(leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    while left < 0 {
        year -= 1;
        left += 365 + i64::from(leap(year));
    }
    while left >= len(year, month) {
        left -= len(year, month);
        month += 1;
        (year, month) = (year + month / 12, month % 12);
    }
    match period {
        Period::Hour => local.div_euclid(3600),
        Period::Day => days,
        // 1970 began on a Thursday.
        Period::Week => (days + 3).div_euclid(7),
        Period::Month => year * 12 + month,
        Period::Quarter => year * 4 + month / 3,
        Period::Year => year,
    }
}

/// Which commits a rule of a period keeps: the last periods are looked up one by one.
fn slow_quota(commits: &[RetentionFacts], period: Period, count: usize) -> Vec<bool> {
    let number = |commit: &RetentionFacts| slow_period(period, commit.time.secs, commit.utc_offset);
    let mut newest: BTreeMap<i64, usize> = BTreeMap::new();
    for (at, commit) in commits.iter().enumerate().rev() {
        newest.insert(number(commit), at);
    }
    let mut places: Vec<usize> = newest.into_values().collect();
    places.sort_unstable();
    let room_left = count > places.len();
    places.truncate(count);
    let oldest = commits.len() - 1;
    (0..commits.len()).map(|at| places.contains(&at) || (room_left && at == oldest)).collect()
}

fn policy_of(period: Period, quota: Option<Quota>, within: Option<Age>) -> RetentionPolicy {
    let (mut policy, at) =
        (RetentionPolicy::default(), Period::ALL.iter().position(|p| *p == period).unwrap());
    let RetentionPolicy { hourly, daily, weekly, monthly, quarterly, yearly, .. } = &mut policy;
    *[hourly, daily, weekly, monthly, quarterly, yearly][at] = quota;
    let RetentionPolicy { within_hourly: h, within_daily: d, within_weekly: w, within_monthly: m, .. } =
        &mut policy;
    if at < 4 {
        *[h, d, w, m][at] = within;
    } else if at == 4 {
        policy.within_quarterly = within;
    } else {
        policy.within_yearly = within;
    }
    policy
}

/// Commits over some stretch of time, many of them close together, of a host that may travel.
fn histories() -> impl Strategy<Value = Vec<RetentionFacts>> {
    let stretch = prop_oneof![Just(7200_i64), Just(5 * DAY), Just(90 * DAY), Just(1500 * DAY)];
    let zones = prop_oneof![Just(vec![0]), Just(vec![3600, 7200]), Just(vec![-39_600, 0, 45_900])];
    (stretch, zones, -2_000_000_000_i64..2_000_000_000).prop_flat_map(|(stretch, zones, start)| {
        let one = (0..stretch, proptest::sample::select(zones));
        proptest::collection::vec(one, 1..40).prop_map(move |mut made| {
            made.sort_by_key(|(secs, _)| std::cmp::Reverse(*secs));
            let made = made.into_iter().enumerate();
            made.map(|(number, (secs, zone))| commit(number, start + secs, zone)).collect()
        })
    })
}

fn kept(policy: &RetentionPolicy, commits: &[RetentionFacts]) -> Vec<bool> {
    policy.judge(commits, commits[0].time).iter().map(Verdict::is_kept).collect()
}

proptest! {
    #[test]
    fn a_rule_of_a_period_keeps_what_looking_up_every_period_finds(
        commits in histories(), count in 0_u32..12, period in proptest::sample::select(&Period::ALL[..]),
    ) {
        let policy = policy_of(period, newest(count), None);
        let wanted = match count {
            0 => vec![false; commits.len()],
            count => slow_quota(&commits, period, count as usize),
        };
        prop_assert_eq!(kept(&policy, &commits), wanted);
        let all = policy_of(period, Some(Quota::All), None);
        prop_assert_eq!(kept(&all, &commits), slow_quota(&commits, period, usize::MAX));
    }

    #[test]
    fn a_rule_within_an_age_keeps_what_looking_at_every_pair_finds(
        commits in histories(), days in 0_u32..100, hours in 0_u32..50,
        period in proptest::sample::select(&Period::ALL[..]),
    ) {
        let age = Age { days, hours, ..Age::default() };
        let from = commits[0].time.secs - i64::from(days) * DAY - i64::from(hours) * 3600;
        let young = |commit: &RetentionFacts| commit.time.secs > from && !age.is_zero();
        let number = |commit: &RetentionFacts| slow_period(period, commit.time.secs, commit.utc_offset);
        let wanted: Vec<bool> = (0..commits.len()).map(|at| {
            let is_newest = commits[..at].iter().all(|newer| number(newer) != number(&commits[at]));
            young(&commits[at]) && (is_newest || at + 1 == commits.len())
        }).collect();
        prop_assert_eq!(kept(&policy_of(period, None, Some(age)), &commits), wanted);
        let all = RetentionPolicy { within: Some(age), ..Default::default() };
        prop_assert_eq!(kept(&all, &commits), commits.iter().map(young).collect::<Vec<_>>());
    }

    #[test]
    fn rules_only_add_and_a_second_run_over_what_is_left_forgets_nothing_kept_for_its_period(
        commits in histories(), last in 0_u32..5, daily in 1_u32..8, monthly in 0_u32..5,
    ) {
        let policy = RetentionPolicy {
            last: newest(last), daily: newest(daily), monthly: newest(monthly), ..Default::default()
        };
        let both = kept(&policy, &commits);
        let single = [
            RetentionPolicy { last: newest(last), ..Default::default() },
            RetentionPolicy { daily: newest(daily), ..Default::default() },
            RetentionPolicy { monthly: newest(monthly), ..Default::default() },
        ].map(|policy| kept(&policy, &commits));
        let any: Vec<bool> = (0..commits.len()).map(|at| single.iter().any(|kept| kept[at])).collect();
        prop_assert_eq!(&both, &any);
        let left: Vec<RetentionFacts> =
            commits.iter().zip(&both).filter(|(_, kept)| **kept).map(|(commit, _)| commit.clone()).collect();
        prop_assert!(!left.is_empty());
        prop_assert!(kept(&policy, &left).iter().all(|kept| *kept), "a second run forgets more");
    }

    #[test]
    fn no_time_or_offset_stops_it(secs in any::<[i64; 3]>(), offset in any::<[i32; 3]>(), ages in any::<[u32; 4]>()) {
        let mut commits: Vec<_> = (0..3).map(|at| commit(at, secs[at], offset[at])).collect();
        commits.sort_by_key(|commit| std::cmp::Reverse(commit.time));
        let [years, months, days, hours] = ages;
        let within = Some(Age { years, months, days, hours });
        for period in Period::ALL {
            let policy = RetentionPolicy { within, ..policy_of(period, newest(2), within) };
            prop_assert!(policy.judge(&commits, commits[1].time)[0].is_kept());
        }
    }
}
