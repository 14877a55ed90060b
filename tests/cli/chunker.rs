//! Repositories of either chunker, from outside.

use std::fs;

use warp::format::config::{ChunkerParams, Config};
use warp::testing::Rng;

use crate::environment::TestEnvironment;

const NAMES: [&str; 3] = ["chonkers", "seqcdc", "seqcdc-published"];

fn environment() -> TestEnvironment {
    TestEnvironment::new().with("WARP_PASSWORD", "secret")
}

/// Output of a run that must succeed.
fn output(env: &TestEnvironment, args: &[&str]) -> Vec<u8> {
    let output = env.run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn the_chunker_is_chosen_at_init_and_named_by_init_and_stats() {
    for name in NAMES {
        let env = environment();
        let init = output(&env, &["init", "--json", "--chunker", name, "--chunk-size", "fine"]);
        let init: serde_json::Value = serde_json::from_slice(&init).unwrap();
        let unit = if name == "chonkers" { 16_384 } else { 8192 };
        assert_eq!((&init["chunker"], &init["chunk_unit"]), (&name.into(), &unit.into()));
        env.done(&["commit", "--allow-empty"]);
        let stats = output(&env, &["stats", "--json"]);
        let stats: serde_json::Value = serde_json::from_slice(&stats).unwrap();
        assert_eq!((&stats["chunker"], &stats["chunk_unit"]), (&name.into(), &unit.into()));
    }
    let env = environment();
    env.done(&["init", "--chunker", "seqcdc"]);
    let stats = String::from_utf8(output(&env, &["stats"])).unwrap();
    assert!(stats.contains("\nChunker:               seqcdc, pieces of about 16.0 KiB\n"), "{stats}");
    let env = environment();
    env.done(&["init"]);
    let stats = String::from_utf8(output(&env, &["stats"])).unwrap();
    assert!(stats.contains("\nChunker:               chonkers, pieces of at most 64.0 KiB\n"), "{stats}");
}

#[test]
fn an_unknown_chunker_or_size_is_refused_with_those_that_there_are() {
    let env = environment();
    let refused = |args: &[&str]| {
        let output = env.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let news = refused(&["init", "--chunker", "rabin"]);
    assert!(NAMES.iter().all(|name| news.contains(name)), "{news}");
    let news = refused(&["init", "--chunk-size", "17"]);
    assert!(["default", "backup", "fine"].iter().all(|name| news.contains(name)), "{news}");
    let news = refused(&["init", "--chunker", "seqcdc-published", "--chunk-size", "backup"]);
    assert!(news.contains("--chunk-size default or fine"), "{news}");
    assert!(!env.work().join(".warp").exists(), "nothing was made");
}

/// Everything that a repository is asked for, of a tree with a large file, an edit of it, a hole and a stream.
#[test]
fn every_command_works_with_every_chunker() {
    for name in NAMES {
        let env = environment();
        env.done(&["init", "--chunker", name]);
        let mut content = Rng::new(21).bytes(3 << 20);
        env.write("work/text", "one\n");
        fs::write(env.work().join("large"), &content).unwrap();
        fs::File::create(env.work().join("hole")).unwrap().set_len(1 << 40).unwrap();
        env.done(&["commit", "-m", "first"]);
        let old = content.clone();
        content.splice(1 << 20..1 << 20, *b"an insertion");
        fs::write(env.work().join("large"), &content).unwrap();
        assert!(String::from_utf8(output(&env, &["status"])).unwrap().contains("large"));
        assert!(String::from_utf8(output(&env, &["diff", "--stat"])).unwrap().contains("large"));
        env.done(&["commit", "-m", "second"]);
        assert_eq!(output(&env, &["cat", "HEAD~1:large"]), old);
        assert_eq!(output(&env, &["cat", "HEAD:large"]), content);
        let listed = output(&env, &["diff", "--json", "--stat", "HEAD~1", "HEAD", "--", "large"]);
        let first = listed.split(|byte| *byte == b'\n').next().unwrap();
        let change: serde_json::Value = serde_json::from_slice(first).unwrap();
        assert_eq!(
            (change["path"].as_str(), change["message_type"].as_str()),
            (Some("large"), Some("change"))
        );
        let new = change["bytes"]["new"].as_u64().expect("a number of bytes");
        assert!(new > 0 && new < 512 << 10, "{name}: an insertion of 12 bytes is {new} new ones");
        assert!(output(&env, &["archive", "HEAD"]).len() < content.len() + (1 << 20), "the hole is left out");
        assert_eq!(String::from_utf8(output(&env, &["ls"])).unwrap(), "hole\nlarge\ntext\n");
        assert!(String::from_utf8(output(&env, &["find", "large"])).unwrap().contains("large"));
        env.done(&["checkout", "HEAD~1", "--", "large"]);
        assert_eq!(fs::read(env.work().join("large")).unwrap(), old);
        env.done(&["restore", "--source", "HEAD", "--target", "../target", "--verify"]);
        assert_eq!(fs::read(env.home().join("target/large")).unwrap(), content);
        assert_eq!(fs::metadata(env.home().join("target/hole")).unwrap().len(), 1 << 40);
    }
}

#[test]
fn a_recovery_sheet_brings_the_chunker_back() {
    for name in NAMES {
        let env = environment();
        env.write("work/text", "one\n");
        env.done(&["init", "--chunker", name]);
        env.done(&["commit"]);
        fs::write(env.home().join("sheet"), output(&env, &["key", "export"])).unwrap();
        fs::remove_dir_all(env.work().join(".warp/config")).unwrap();
        env.write("new", "another\n");
        env.done(&["key", "recover", "--sheet", "../sheet", "--new-password-file", "../new"]);
        let env = env.with("WARP_PASSWORD", "another");
        let stats = String::from_utf8(output(&env, &["stats"])).unwrap();
        assert!(stats.contains(&format!(" {name}, ")), "{stats}");
        env.write("work/text", "two\n");
        env.done(&["commit"]);
        assert_eq!(output(&env, &["cat", "HEAD:text"]), b"two\n");
    }
}

#[test]
fn what_an_unknown_chunker_cut_can_be_read_and_not_added_to() {
    let env = environment();
    env.write("work/text", "one\n");
    env.done(&["init"]);
    env.done(&["commit"]);
    let alter = |chunker: ChunkerParams| {
        for entry in fs::read_dir(env.work().join(".warp/config")).unwrap() {
            let path = entry.unwrap().path();
            let config = Config { chunker, ..Config::decode(&fs::read(&path).unwrap()).unwrap() };
            fs::remove_file(&path).unwrap();
            fs::write(&path, config.encode().unwrap()).unwrap();
        }
    };
    for (algorithm, unit, why) in [
        (9, 65_536, "chunker 9 is unknown to this version of warp"),
        (3, 12_288, "the unit of seqcdc is a power of two from 4096 to 262144 bytes, not 12288"),
    ] {
        alter(ChunkerParams { algorithm, unit });
        env.write("work/text", "two\n");
        for args in [&["commit"][..], &["commit", "--dry-run"], &["status"], &["diff"]] {
            let output = env.run(args);
            let news = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{args:?}: {news}");
            assert!(news.contains(why) && news.contains("install a newer warp"), "{args:?}: {news}");
        }
        assert_eq!(output(&env, &["cat", "HEAD:text"]), b"one\n");
        let target = format!("../target-{algorithm}");
        env.done(&["restore", "--source", "HEAD", "--target", &target, "--verify"]);
        env.done(&["stats"]);
    }
    alter(ChunkerParams { algorithm: 9, unit: 65_536 });
    let stats = String::from_utf8(output(&env, &["stats"])).unwrap();
    assert!(stats.contains("number 9, which this version does not know"), "{stats}");
}
