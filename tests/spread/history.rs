//! Whose log counts: the leader's, and without it the longest one that proves itself.

use warp::observe::Silent;
use warp::ops;
use warp::store::{BlobName, StorageBackend};

use crate::common::request;
use crate::world::{MEMBERS, Trick, World, assert_clean, commit, restored, told};

fn entry(number: usize) -> BlobName {
    BlobName::new(&format!("log/{number:010}")).unwrap()
}

fn last(world: &World, member: usize) -> usize {
    world.members[member].inner.names("log/").unwrap().len()
}

#[test]
fn without_the_leader_everything_is_read_and_nothing_is_written() {
    let (world, commits) = World::with_two_commits();
    world.set(0, Trick::Dead);
    let (repo, observer) = world.open().unwrap();
    assert!(observer.notices().iter().any(|text| text.starts_with("member 0 leads the group")));
    for (commit, tree) in &commits {
        assert_eq!(restored(&repo, *commit, tree), Ok(()));
    }
    let error = told(&ops::commit(&repo, request(&world.tree(3, 1000)), &Silent).map(drop).unwrap_err());
    assert!(error.contains("member 0") && error.contains("warp repair --group"), "{error}");
    world.heal();
    let report = world.mend(false);
    assert!(report.is_clean(), "something was written: {report:?}");
}

#[test]
fn a_follower_that_lacks_entries_is_brought_up_to_the_leader_on_opening() {
    let (world, commits) = World::with_two_commits();
    let whole = last(&world, 0);
    for number in [whole, whole - 1] {
        assert!(world.members[2].inner.delete(&entry(number)).unwrap());
    }
    let (repo, observer) = world.open().unwrap();
    assert_eq!(last(&world, 2), whole);
    assert_eq!(observer.notices(), [] as [String; 0]);
    assert_eq!(restored(&repo, commits[1].0, &commits[1].1), Ok(()));
    assert!(world.mend(false).is_clean());
}

#[test]
fn a_follower_with_another_history_is_told_of_and_not_used() {
    let (world, commits) = World::with_two_commits();
    // The log of a repository of other keys, as long as this one, and a longer one.
    for more in [0, 2] {
        let world = world.fork();
        let (other, _) = World::with_two_commits();
        let (repo, _) = other.open().unwrap();
        for version in 0..more {
            commit(&repo, &other.tree(20 + version, 1000));
        }
        for name in other.members[3].inner.names("log/").unwrap() {
            let bytes = other.members[3].inner.get(&name, u64::MAX).unwrap();
            world.members[3].inner.overwrite(&name, bytes);
        }
        let (repo, observer) = world.open().unwrap();
        let notices = observer.notices();
        let is_told = |text: &String| text.starts_with("member 3 has another log than the leader");
        assert!(notices.iter().any(is_told), "{more}: {notices:?}");
        let newest = commit(&repo, &world.tree(3, 1000));
        drop(repo);
        // Without the leader it is not followed either.
        world.set(0, Trick::Dead);
        let (repo, _) = world.open().unwrap();
        assert_eq!(repo.timeline().branch("main"), Some(newest), "{more}");
        assert_eq!(restored(&repo, commits[1].0, &commits[1].1), Ok(()), "{more}");
        world.heal();
        let report = world.mend(true);
        assert!(report.is_clean(), "{more}: {report:?}");
        assert!(world.mend(false).is_clean(), "{more}");
    }
}

#[test]
fn a_leader_that_was_brought_back_to_an_older_state_is_told_of_and_the_newer_log_is_read() {
    let (world, commits) = World::with_two_commits();
    let whole = last(&world, 0);
    assert!(world.members[0].inner.delete(&entry(whole)).unwrap());
    let (repo, observer) = world.open().unwrap();
    let is_told = |text: &String| text.starts_with("member 0 leads the group, and lacks entries");
    assert!(observer.notices().iter().any(is_told), "{:?}", observer.notices());
    assert_eq!(repo.timeline().branch("main"), Some(commits[1].0));
    assert!(ops::commit(&repo, request(&world.tree(3, 1000)), &Silent).is_err(), "a fork of the history");
    drop(repo);
    assert!(world.mend(true).is_clean());
    let (repo, _) = world.open().unwrap();
    commit(&repo, &world.tree(3, 1000));
    assert_clean(&repo);
    assert!((0..MEMBERS).all(|member| last(&world, member) == whole + 1));
}

#[test]
fn an_entry_that_stands_at_the_leader_counts_though_no_follower_took_it() {
    let (world, _) = World::with_two_commits();
    let (repo, observer) = world.open().unwrap();
    let head = last(&world, 0);
    (1..MEMBERS).for_each(|member| world.set(member, Trick::Dead));
    let done =
        repo.append(&mut |_| Ok(warp::repo::Draft { message: "alone".to_owned(), ..Default::default() }));
    assert_eq!(done.unwrap().number, head as u64 + 1);
    let lags = observer.notices().into_iter().filter(|text| text.contains("lags behind the leader")).count();
    assert_eq!(lags, MEMBERS - 1);
    world.heal();
    drop(world.open().unwrap());
    assert!((0..MEMBERS).all(|member| last(&world, member) == head + 1));
}
