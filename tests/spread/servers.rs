//! Six server processes.

use std::fs;
use std::path::{Path, PathBuf};

use warp::testing::assert_same_tree;

use crate::common::program::news;
use crate::servers_world::World;
use crate::world::MEMBERS;

/// Damages the shards that a server holds: it answers, and what it sends is wrong.
fn damage(root: &Path) {
    let shards: Vec<_> =
        fs::read_dir(root.join("team/thesis/shards")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!shards.is_empty(), "{} holds no shards", root.display());
    for shard in shards {
        let mut bytes = fs::read(&shard).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(shard, bytes).unwrap();
    }
}

#[test]
fn six_servers_two_of_them_killed_or_one_lying_bring_a_repository_back() {
    let dir = tempfile::tempdir().unwrap();
    let roots: Vec<PathBuf> = (0..=MEMBERS).map(|number| dir.path().join(format!("root {number}"))).collect();
    let mut servers: Vec<World> = roots.iter().map(|root| World::with_root(root)).collect();
    let urls: Vec<String> = servers.iter().map(|world| world.server.url("team/thesis")).collect();
    let group: Vec<&str> = urls[..MEMBERS].iter().map(String::as_str).collect();

    let ann = servers[0].client("ann");
    ann.write("tree/large", 5_000_000, 1);
    ann.init();
    ann.commit();
    ann.done(&[&["remote", "add", "--create", "--spread", "4+2", "origin"][..], &group].concat());
    ann.done(&["push", "origin", "main"]);
    ann.write("tree/other", 300_000, 2);
    ann.commit();
    ann.done(&["push"]);
    assert!(ann.done(&["check", "--group", "origin", "--read-data"]).contains("2 more members may be lost"));

    // The leader and another one are killed.
    for number in [0, 4] {
        servers[number].server.kill();
    }
    let bob = servers[1].client("bob");
    let to = bob.path("clone");
    let clone = [&["clone", "--spread", "4+2"][..], &group, &[to.to_str().unwrap()]].concat();
    let output = bob.run(&clone);
    assert!(output.status.success(), "{}", news(&output));
    assert_same_tree(&ann.path("work/tree"), &to.join("tree"));
    for number in [0, 4] {
        let said = news(&output);
        assert!(said.contains(&format!("{} failed", urls[number])), "{said}");
        servers[number].server.start();
    }

    // One is dead and one lies.
    servers[5].server.kill();
    damage(&roots[2]);
    let eve = servers[1].client("eve");
    let to = eve.path("clone");
    let clone = [&["clone", "--spread", "4+2"][..], &group, &[to.to_str().unwrap()]].concat();
    let output = eve.run(&clone);
    assert!(output.status.success(), "{}", news(&output));
    assert!(news(&output).contains(&format!("{} is damaged or lies", urls[2])), "{}", news(&output));
    assert_same_tree(&ann.path("work/tree"), &to.join("tree"));

    // The liar is mended, and another server takes the place of the dead one.
    ann.done(&["repair", "--group", "origin", "--replace", &urls[5], &urls[MEMBERS]]);
    assert!(ann.done(&["check", "--group", "origin", "--read-data"]).contains("2 more members may be lost"));
    ann.write("tree/third", 200_000, 3);
    ann.commit();
    ann.done(&["push"]);
    assert!(ann.done(&["check", "--group", "origin", "--read-data"]).contains("2 more members may be lost"));
}
