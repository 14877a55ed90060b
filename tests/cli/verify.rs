//! `warp verify`: single pack files, whole and damaged.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use warp::testing::Rng;

use crate::environment::TestEnvironment;

/// The largest pack of a commit, away from its repository.
fn pack(len: usize, init: &[&str]) -> (TestEnvironment, PathBuf) {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    fs::write(env.work().join("file"), Rng::new(1).bytes(len)).unwrap();
    env.done(&[&["init", "--bare", "../repo"], init].concat());
    env.done(&["-r", "../repo", "commit", "."]);
    let packs = fs::read_dir(env.home().join("repo/packs")).unwrap().map(|pack| pack.unwrap().path());
    let largest = packs.max_by_key(|pack| pack.metadata().unwrap().len()).unwrap();
    let alone = env.home().join("alone.warp");
    fs::copy(largest, &alone).unwrap();
    fs::remove_dir_all(env.home().join("repo")).unwrap();
    (env, alone)
}

fn verify(env: &TestEnvironment, pack: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let output = env.run(&[&["--json", "verify", pack.to_str().unwrap()], more].concat());
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_pack_is_verified_without_repository_and_password() {
    let (env, pack) = pack(3 << 20, &[]);
    let env = env.with("WARP_PASSWORD", "");
    let (code, report) = verify(&env, &pack, &[]);
    assert_eq!((code, &report["ok"]), (Some(0), &Value::Bool(true)), "{report}");
    assert_eq!(report["checked_shards"], report["shards"]);
    assert_eq!(report["finds_one_percent"], 1.0);
    let output = env.run(&["verify", pack.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("no errors found\n"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("log names was not checked: `warp check` does that"), "{said}");
}

#[test]
fn damage_is_told_by_shard_and_whether_it_can_be_healed() {
    let (env, pack) = pack(3 << 20, &[]);
    let whole = fs::read(&pack).unwrap();
    let (_, clean) = verify(&env, &pack, &[]);
    let (shards, parity) = (clean["shards"].as_u64().unwrap(), clean["parity_shards"].as_u64().unwrap());
    let start = 256 + 8 * shards as usize;
    for (damaged, can_be_healed) in [(1, true), (parity, true), (parity + 1, false)] {
        let mut bytes = whole.clone();
        (0..damaged).for_each(|shard| bytes[start + 65_536 * shard as usize] ^= 1);
        fs::write(&pack, bytes).unwrap();
        let (code, report) = verify(&env, &pack, &[]);
        assert_eq!(code, Some(1));
        assert_eq!(report["damaged_shards"], Value::from((0..damaged).collect::<Vec<_>>()));
        assert_eq!(report["can_be_healed"], can_be_healed, "{report}");
    }
}

#[test]
fn damage_at_every_place_is_found() {
    let (env, pack) = pack(40_000, &[]);
    let whole = fs::read(&pack).unwrap();
    let places =
        (0..whole.len()).step_by(whole.len() / 40).chain([0, 300, whole.len() - 300, whole.len() - 1]);
    for place in places {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x80;
        fs::write(&pack, bytes).unwrap();
        let (code, report) = verify(&env, &pack, &[]);
        assert_eq!((code, &report["can_be_healed"]), (Some(1), &Value::Bool(true)), "{place}: {report}");
        let wrong =
            report["damaged_shards"].as_array().unwrap().len() + report["faults"].as_array().unwrap().len();
        assert_eq!(wrong, 1, "{place}: {report}");
    }
    for (bytes, heals) in
        [(&whole[..whole.len() - 1], true), (&whole[1..], true), (&whole[..whole.len() / 2], false)]
    {
        fs::write(&pack, bytes).unwrap();
        let (code, report) = verify(&env, &pack, &[]);
        assert_eq!((code, &report["can_be_healed"]), (Some(1), &Value::Bool(heals)), "{report}");
        assert!(report["faults"].to_string().contains("bytes instead of"), "{report}");
    }
}

#[test]
fn a_sample_looks_at_so_many_shards_and_says_what_that_finds() {
    let (env, pack) = pack(3 << 20, &[]);
    let (code, report) = verify(&env, &pack, &["--sample", "5"]);
    assert_eq!((code, &report["checked_shards"]), (Some(0), &Value::from(5)), "{report}");
    let shards = report["shards"].as_f64().unwrap();
    assert!((report["finds_one_percent"].as_f64().unwrap() - 5.0 / shards).abs() < 1e-9, "{report}");

    let mut bytes = fs::read(&pack).unwrap();
    let len = bytes.len();
    bytes[len / 10..len / 10 * 9].fill(0);
    fs::write(&pack, bytes).unwrap();
    // That 12 of so many shards are all of the fifth that is whole has a chance below 10^-7.
    let (code, report) = verify(&env, &pack, &["--sample", "12"]);
    assert_eq!((code, &report["checked_shards"]), (Some(1), &Value::from(12)), "{report}");
    assert_eq!(report["can_be_healed"], Value::Null);
}

#[test]
fn a_pack_without_parity_is_read_whole_and_cannot_be_healed() {
    let (env, pack) = pack(100_000, &["--parity", "none"]);
    let (code, report) = verify(&env, &pack, &["--sample", "1"]);
    assert_eq!((code, &report["checked_shards"]), (Some(0), &report["shards"]), "{report}");
    let mut bytes = fs::read(&pack).unwrap();
    bytes[50_000] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let (code, report) = verify(&env, &pack, &["--sample", "1"]);
    assert_eq!((code, &report["can_be_healed"]), (Some(1), &Value::Bool(false)), "{report}");
}

#[test]
fn what_is_no_pack_is_refused() {
    let env = TestEnvironment::new();
    env.write("work/text", "a few words\n");
    env.write("work/empty", "");
    for (name, why) in [
        ("text", "its header at either end"),
        ("empty", "its header at either end"),
        (".", "is not a file"),
        ("gone", "gone"),
    ] {
        let output = env.run(&["verify", name]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains(why), "{name}: {said}");
    }
    assert_eq!(env.run(&["verify", "--sample", "0", "text"]).status.code(), Some(2));
}
