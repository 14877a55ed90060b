//! Members that were lost or damaged are made whole again.

use warp::store::{BlobName, StorageBackend};
use warp::testing::Rng;

use crate::world::{MEMBERS, Trick, World, assert_clean, commit, restored};

#[test]
fn any_lost_member_is_rebuilt_on_a_new_one_also_the_leader() {
    for lost in 0..MEMBERS {
        let (mut world, commits) = World::with_two_commits();
        world.lose(lost);
        let report = world.mend(false);
        assert_eq!(report.members[lost].right, 0);
        assert!(!report.is_clean() && report.lost.is_empty());
        assert!(report.spare.keys().eq([&1]), "{:?}", report.spare);

        let report = world.mend(true);
        assert!(report.is_clean(), "{lost}: {report:?}");
        assert!(report.spare.keys().eq([&2]), "{:?}", report.spare);
        assert!(world.mend(false).is_clean(), "{lost}");

        // It carries its part: two others may go now, and the next commit takes it in.
        let (repo, observer) = world.open().unwrap();
        let newest = commit(&repo, &world.tree(3, 50_000));
        assert_eq!(observer.notices(), [] as [String; 0], "{lost}");
        drop(repo);
        world.set((lost + 1) % MEMBERS, Trick::Dead);
        world.set((lost + 2) % MEMBERS, Trick::Dead);
        let (repo, _) = world.open().unwrap();
        for (commit, tree) in commits.iter().cloned().chain([(newest, world.tree(3, 50_000))]) {
            assert_eq!(restored(&repo, commit, &tree), Ok(()), "{lost}");
        }
    }
}

#[test]
fn whatever_rots_at_up_to_two_members_is_found_named_and_written_as_it_was() {
    let (base, commits) = World::with_two_commits();
    let mut rng = Rng::new(17);
    for round in 0..40 {
        let world = base.fork();
        let mut hit = Vec::new();
        for member in [round % MEMBERS, (round + 1 + round / MEMBERS) % MEMBERS] {
            let store = &world.members[member].inner;
            let folder = *rng.pick(&["shards/", "index/", "log/", "config/"]);
            let name = rng.pick(&store.names(folder).unwrap()).clone();
            let mut bytes = store.get(&name, u64::MAX).unwrap();
            match rng.below(3) {
                0 => bytes.truncate(rng.below(bytes.len())),
                1 => {
                    let at = rng.below(bytes.len());
                    bytes[at] ^= 1 << rng.below(8);
                }
                _ => {
                    assert!(store.delete(&name).unwrap());
                    hit.push((member, name));
                    continue;
                }
            }
            store.overwrite(&name, bytes);
            hit.push((member, name));
        }
        let (repo, _) = world.open().unwrap_or_else(|error| panic!("{hit:?}: {error}"));
        assert_eq!(restored(&repo, commits[1].0, &commits[1].1), Ok(()), "{hit:?}");
        drop(repo);
        let report = world.mend(true);
        assert!(report.is_clean(), "{hit:?}: {report:?}");
        assert!(world.mend(false).is_clean(), "{hit:?}");
        for (member, before) in base.members.iter().zip(&world.members) {
            for folder in ["shards/", "index/", "log/", "config/"] {
                assert_eq!(all(&member.inner, folder), all(&before.inner, folder), "{hit:?}");
            }
        }
    }
}

#[test]
fn packs_with_too_few_shards_are_counted_as_lost_and_left_alone() {
    let (world, _) = World::with_two_commits();
    let store = &world.members;
    let shard = store[0].inner.names("shards/").unwrap()[0].clone();
    let pack = shard.as_str().split('-').next().unwrap().to_owned();
    for (number, member) in store.iter().enumerate().take(3) {
        let name = BlobName::new(&format!("{pack}-{number:02}")).unwrap();
        assert!(member.inner.delete(&name).unwrap());
    }
    for repair in [false, true] {
        let report = world.mend(repair);
        assert_eq!(report.lost.len(), 1);
        assert!(!report.is_clean() && report.members[0].missing == 1);
    }
}

#[test]
fn a_repaired_repository_is_clean_by_its_own_check() {
    let (mut world, _) = World::with_two_commits();
    world.lose(0);
    world.lose(3);
    assert!(world.mend(true).is_clean());
    let (repo, _) = world.open().unwrap();
    assert_clean(&repo);
}

fn all(store: &dyn StorageBackend, folder: &str) -> Vec<(BlobName, Vec<u8>)> {
    let names = store.names(folder).unwrap();
    names.into_iter().map(|name| (name.clone(), store.get(&name, u64::MAX).unwrap())).collect()
}
