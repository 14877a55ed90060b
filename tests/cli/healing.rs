//! Packs that rot on the disk: what is restored is the same, and a warning says which pack it is.

use std::fs;
use std::path::PathBuf;

use warp::testing::{Rng, assert_same_tree};

use crate::environment::TestEnvironment;

/// A commit of some files, of `len` bytes in all, and its packs.
fn committed(len: usize, init: &[&str]) -> (TestEnvironment, Vec<PathBuf>) {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    fs::create_dir_all(env.work().join("sub/deep")).unwrap();
    fs::write(env.work().join("one"), Rng::new(1).bytes(len / 2)).unwrap();
    fs::write(env.work().join("sub/two"), Rng::new(2).bytes(len - len / 2)).unwrap();
    fs::write(env.work().join("sub/deep/three"), "a few words\n").unwrap();
    env.done(&[&["init", "--bare", "../repo"], init].concat());
    env.done(&["-r", "../repo", "commit", "."]);
    let packs = fs::read_dir(env.home().join("repo/packs")).unwrap();
    let packs = packs.map(|pack| pack.unwrap().path()).collect();
    (env, packs)
}

/// Restores the commit elsewhere; returns the exit code and what was said. A success must be the tree itself.
fn restored(env: &TestEnvironment) -> (Option<i32>, String) {
    let target = env.home().join("target");
    let to = target.to_str().unwrap();
    let output = env.run(&["-q", "-r", "../repo", "restore", "--source", "latest", "--target", to]);
    if output.status.code() == Some(0) {
        assert_same_tree(&env.work(), &target.join(env.work().strip_prefix("/").unwrap()));
    }
    if target.exists() {
        fs::remove_dir_all(target).unwrap();
    }
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A 40th of the bytes, at `start`, as something else.
fn damaged(bytes: &[u8], start: usize, kind: &str) -> Vec<u8> {
    let run = bytes.len() / 40;
    let (start, mut out) = (start.min(bytes.len() - run), bytes.to_vec());
    match kind {
        "random" => out[start..start + run].copy_from_slice(&Rng::new(5).bytes(run)),
        "zeros" => out[start..start + run].fill(0),
        "cut" => drop(out.drain(start..start + run)),
        other => panic!("{other}"),
    }
    out
}

#[test]
fn a_damaged_40th_of_any_pack_is_healed_for_reading_and_said() {
    for len in [500, 40_000, 3 << 20] {
        let (env, packs) = committed(len, &[]);
        assert_eq!(restored(&env), (Some(0), String::new()));
        for pack in packs {
            let bytes = fs::read(&pack).unwrap();
            let name = format!("warning: packs/{}", pack.file_name().unwrap().to_str().unwrap());
            for (kind, start) in [
                ("random", bytes.len() / 3),
                ("zeros", bytes.len() / 2),
                ("cut", bytes.len() / 3),
                ("zeros", 0),
                ("cut", 0),
                ("random", bytes.len()),
                ("cut", bytes.len()),
            ] {
                fs::write(&pack, damaged(&bytes, start, kind)).unwrap();
                let (code, said) = restored(&env);
                let what = format!("{kind} at {start} of {}", bytes.len());
                assert_eq!(code, Some(0), "{what}: {said}");
                assert!(said.lines().count() <= 1, "{what}: once for each pack, not {said}");
                assert!(said.is_empty() || said.starts_with(&name), "{what}: {said}");
                // What lies behind a cut is not where it was, so reading cannot miss it.
                assert!(!said.is_empty() || start != 0 || kind != "cut", "{what}: nothing was said");
            }
            fs::write(&pack, bytes).unwrap();
        }
    }
}

#[test]
fn what_rots_in_the_blocks_of_a_large_pack_is_said_also_as_json() {
    let (env, packs) = committed(3 << 20, &[]);
    let pack = packs.iter().max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap();
    let bytes = fs::read(pack).unwrap();
    fs::write(pack, damaged(&bytes, bytes.len() / 2, "random")).unwrap();
    let (code, said) = restored(&env);
    assert_eq!(code, Some(0));
    assert!(said.contains("shards are damaged, and") && said.contains("can be healed"), "{said}");
    let target = env.home().join("target");
    let args = ["--json", "-r", "../repo", "restore", "--target", target.to_str().unwrap()];
    let output = env.run(&args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.lines().find(|line| line.contains("shards are damaged")).unwrap();
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(value["message_type"], "warning");
    assert!(fs::read(pack).unwrap() != bytes, "reading repairs nothing on the disk");
}

#[test]
fn a_pack_of_which_too_much_is_lost_is_named_with_what_it_could_bear() {
    let (env, packs) = committed(300_000, &[]);
    for pack in &packs {
        let mut bytes = fs::read(pack).unwrap();
        let len = bytes.len();
        bytes[len / 5..len / 2].fill(0);
        fs::write(pack, bytes).unwrap();
    }
    let (code, said) = restored(&env);
    assert_ne!(code, Some(0));
    let name = packs[0].file_name().unwrap().to_str().unwrap();
    assert!(said.contains(name) && said.contains("at most 2 can be healed"), "{said}");
}

#[test]
fn without_parity_damage_is_found_and_not_healed() {
    let (env, packs) = committed(300_000, &["--parity", "none"]);
    let bytes = fs::read(&packs[0]).unwrap();
    assert_eq!(bytes.len() % 1024, 0, "no parity and tables go beside what is padded");
    fs::write(&packs[0], damaged(&bytes, bytes.len() / 3, "random")).unwrap();
    assert_ne!(restored(&env).0, Some(0));
}

#[test]
fn the_share_of_parity_can_be_set_and_wrong_ones_are_refused() {
    let (env, _) = committed(500, &["--parity", "10%"]);
    let config = |args: &[&str]| env.transcript(&[&["-r", "../repo", "config"], args].concat());
    let repository = "--repository";
    insta::assert_snapshot!(
        [
            config(&["get", repository, "parity"]),
            config(&["set", repository, "parity", "none"]),
            config(&["get", repository, "parity"]),
            config(&["set", repository, "parity", "3"]),
            config(&["set", repository, "parity", "51%"]),
        ]
        .concat(),
        @r#"
        $ warp -r ../repo config get --repository parity
        10%
        [exit 0]
        $ warp -r ../repo config set --repository parity none
        [exit 0]
        $ warp -r ../repo config get --repository parity
        none
        [exit 0]
        $ warp -r ../repo config set --repository parity 3
        ! error: parity is wrong
        !   caused by: "3" is no share of parity: use none, or 1% to 50%
        [exit 2]
        $ warp -r ../repo config set --repository parity 51%
        ! error: parity is wrong
        !   caused by: "51%" is no share of parity: use none, or 1% to 50%
        [exit 2]
        "#
    );
}
