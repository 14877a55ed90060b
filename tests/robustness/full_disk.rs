//! Disks without room, for the repository and for what is restored.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use warp::testing::Rng;

use crate::common::program::{Home, news};

/// A small file system in memory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, said aloud, where mounting is not allowed.
    fn mount(at: PathBuf, kib: usize) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at)),
            _ => {
                println!("SKIPPED: mounting a small disk needs root");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What cannot be unmounted now goes as soon as nobody uses it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn grow(source: &Path) {
    fs::create_dir_all(source).unwrap();
    let mut rng = Rng::new(5);
    for number in 0..8 {
        fs::write(source.join(format!("{number}")), rng.bytes(512 << 10)).unwrap();
    }
}

/// Fails with exit code 1 and says that there is no room.
fn fails_for_want_of_room(home: &Home, args: &[&str]) {
    let output = home.run(args);
    let news = news(&output);
    assert_eq!(output.status.code(), Some(1), "warp {args:?}: {news}");
    assert!(news.contains("o space left"), "it does not say that the disk is full: {news}");
    assert!(!news.contains("panicked"), "{news}");
}

#[test]
fn a_full_disk_under_the_repository_as_root_fails_the_commit_and_nothing_else() {
    for kib in [300, 700, 1500, 3000] {
        let mut home = Home::bare();
        let disk = home.path("disk");
        let Some(_mounted) = SmallDisk::mount(disk.clone(), kib) else { return };
        home.repo = disk.join("repo");
        home.done(&["init", "--bare", home.repo.to_str().unwrap()]);
        let (small, large) = (home.path("small"), home.path("large"));
        fs::create_dir(&small).unwrap();
        fs::write(small.join("file"), "before the disk was full").unwrap();
        grow(&large);
        home.done(&["commit", small.to_str().unwrap()]);
        let log = home.done(&["log", "--oneline"]);
        for _ in 0..2 {
            fails_for_want_of_room(&home, &["commit", large.to_str().unwrap()]);
            assert_eq!(home.done(&["log", "--oneline"]), log);
            home.restored_is("latest", &small, &small);
        }
        let remount = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&disk).status().unwrap();
        assert!(remount.success());
        home.done(&["commit", large.to_str().unwrap()]);
        home.restored_is("latest", &large, &large);
    }
}

#[test]
fn a_full_disk_under_the_target_as_root_fails_the_restore_which_succeeds_with_room() {
    let home = Home::new();
    let large = home.path("large");
    grow(&large);
    home.done(&["commit", large.to_str().unwrap()]);
    for kib in [64, 1000, 3500] {
        let disk = home.path(&format!("disk-{kib}"));
        let Some(_mounted) = SmallDisk::mount(disk.clone(), kib) else { return };
        let target = disk.join("out");
        let args = ["restore", "--source", "latest", "--target", target.to_str().unwrap(), "--verify"];
        fails_for_want_of_room(&home, &args);
        let remount = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&disk).status().unwrap();
        assert!(remount.success());
        home.done(&args);
        warp::testing::assert_same_tree(&large, &target.join(large.strip_prefix("/").unwrap()));
    }
}
