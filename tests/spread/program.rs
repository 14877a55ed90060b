//! The real program, and six folders.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use warp::testing::{Rng, assert_same_tree, edit_tree, make_tree};

use crate::common::program::{Home, news};
use crate::world::MEMBERS;

struct World {
    home: Home,
}

impl World {
    /// A working directory `ann` with a commit, and a group of six folders that it knows as `nas`.
    fn new() -> Self {
        let world = Self { home: Home::bare() };
        make_tree(&world.path("ann/tree"), 7, 25).unwrap();
        fs::write(world.path("ann/large"), Rng::new(3).bytes(2_000_000)).unwrap();
        world.home.done(&["init", &world.at("ann")]);
        world.ann(&["commit", "-q", "-m", "one"]);
        let members = world.members();
        world.ann(&[&["remote", "add", "--create", "--spread", "4+2", "nas"][..], &refs(&members)].concat());
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn members(&self) -> Vec<String> {
        (0..MEMBERS).map(|number| self.at(&format!("member {number}"))).collect()
    }

    fn try_ann(&self, args: &[&str]) -> Output {
        self.home.run(&[&["-r", &self.at("ann")], args].concat())
    }

    fn ann(&self, args: &[&str]) -> String {
        let output = self.try_ann(args);
        assert_eq!(output.status.code(), Some(0), "warp {args:?}: {}", news(&output));
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
    }

    /// Takes a member away, or brings it back.
    fn hide(&self, number: usize) {
        fs::rename(self.path(&format!("member {number}")), self.path(&format!("hidden {number}"))).unwrap();
    }

    fn show(&self, number: usize) {
        fs::rename(self.path(&format!("hidden {number}")), self.path(&format!("member {number}"))).unwrap();
    }
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[test]
fn six_folders_two_of_them_gone_bring_back_what_was_pushed_and_a_lost_one_is_rebuilt() {
    let world = World::new();
    world.ann(&["push", "nas"]);
    assert!(world.ann(&["push", "nas"]).contains("up-to-date"));
    edit_tree(&world.path("ann/tree"), 9, 20).unwrap();
    world.ann(&["commit", "-q", "-m", "two"]);
    world.ann(&["push", "nas"]);
    assert!(!world.path("member 2/packs").read_dir().unwrap().any(|_| true), "a whole pack lies at a member");

    // Any two are gone: a clone has everything.
    let members = world.members();
    for (one, two) in [(0, 3), (4, 5)] {
        world.hide(one);
        world.hide(two);
        let copy = format!("copy-{one}");
        let target = world.at(&copy);
        let cloned = [&["clone", "--spread", "4+2"][..], &refs(&members), &[&target]].concat();
        world.home.done(&cloned);
        assert_same_tree(&world.path("ann/tree"), &world.path(&copy).join("tree"));
        let told = world.try_ann(&["check", "--group", "nas"]);
        assert_eq!(told.status.code(), Some(1));
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.contains("0 more members may be lost"), "{told}");
        // Nothing is pushed to a group that lacks members, unless they may be missing.
        fs::write(world.path("ann/large"), Rng::new(one as u64 + 10).bytes(300_000)).unwrap();
        world.ann(&["commit", "-q", "-m", "more"]);
        assert_ne!(world.try_ann(&["push", "nas"]).status.code(), Some(0), "without {one} and {two}");
        world.show(one);
        world.show(two);
    }
    world.hide(5);
    world.ann(&["push", "--allow-missing", "1", "nas"]);
    world.show(5);

    // A member goes, and comes back elsewhere.
    let told = world.ann(&["repair", "--group", "nas"]);
    assert!(told.contains("2 more members may be lost"), "{told}");
    fs::remove_dir_all(world.path("member 1")).unwrap();
    world.ann(&["repair", "--group", "nas", "--replace", &members[1], &world.at("new")]);
    assert!(world.ann(&["remote", "-v"]).contains(&world.at("new")));
    let told = world.ann(&["check", "--group", "nas", "--read-data"]);
    assert!(told.contains("2 more members may be lost"), "{told}");

    // Rot is found by the one look, and mended by the other.
    let shards = world.path("new/shards").read_dir().unwrap();
    let shard = shards.map(|shard| shard.unwrap().path()).next().unwrap();
    let mut bytes = fs::read(&shard).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&shard, bytes).unwrap();
    assert_eq!(world.try_ann(&["check", "--group", "nas", "--read-data"]).status.code(), Some(1));
    let told = world.ann(&["repair", "--group", "nas"]);
    assert!(told.contains("1 brought back"), "{told}");
}

#[test]
fn a_group_without_a_name_is_pushed_to_fetched_from_and_worked_in() {
    let world = World::new();
    let members = world.members();
    world.ann(&[&["push", "--spread", "4+2"][..], &refs(&members), &["main"]].concat());
    world.ann(&["fetch", "nas"]);
    assert!(world.ann(&["log", "nas/main"]).contains("one"));
    let place = members.iter().map(|place| format!(" file://{}", place.replace(' ', "%20")));
    let place = format!("spread:4+2{}", place.collect::<String>());
    let on = |args: &[&str]| world.home.done(&[&["-r", &place], args].concat());
    assert!(on(&["log"]).contains("one"));
    on(&["check", "--read-data"]);
    on(&["restore", "--source", "main", "--target", &world.at("out")]);
    assert_same_tree(&world.path("ann/tree"), &world.path("out/tree"));
    for wrong in [&members[..5], &members[..]] {
        let output = world.try_ann(&[&["push", "--spread", "5+3"][..], &refs(wrong)].concat());
        assert!(!output.status.success() && news(&output).contains("8 "), "{}", news(&output));
    }
}
