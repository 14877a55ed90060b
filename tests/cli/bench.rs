//! Measuring the machine.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::environment::TestEnvironment;

/// Arguments with which a run takes no time.
const QUICK: [&str; 5] = ["bench", "--size", "64K", "--seconds", "0.001"];

fn files_in_work(env: &TestEnvironment) -> usize {
    std::fs::read_dir(env.work()).unwrap().count()
}

/// The document of a run, which must succeed.
fn document(env: &TestEnvironment, args: &[&str]) -> Value {
    let output = env.run(&[&QUICK, args, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "nothing is drawn where there is no terminal: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one document: {text}");
    serde_json::from_str(&text).unwrap()
}

/// A result without what the clock says.
fn described(result: &Value) -> String {
    let keys: Vec<_> = result.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["best", "data", "group", "median", "name", "ratio", "rounds", "threads", "unit"],
        "{result}"
    );
    let text = |key: &str| result[key].as_str().unwrap_or("-").to_owned();
    let ratio = if result["ratio"].is_null() { "" } else { ", with ratio" };
    format!("{}: {}, {}, {}{ratio}", text("group"), text("name"), text("data"), text("unit"))
}

#[test]
fn the_json_document_has_these_fields_and_results() {
    let env = TestEnvironment::new();
    let document = document(&env, &["--dir", ".", "--threads", "2"]);
    let mut keys: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    insta::assert_snapshot!(keys.join(" "), @"cores isa message_type not_measured processor program_version results size version");
    assert_eq!((&document["message_type"], &document["version"]), (&"bench".into(), &1.into()));
    assert_eq!(document["size"], 65536);
    let results = document["results"].as_array().unwrap();
    let lines: Vec<_> = results.iter().filter(|result| result["threads"] == 1).map(described).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    chunk: chonkers, random, bytes/s
    chunk: seqcdc, random, bytes/s
    chunk: chonkers, text, bytes/s
    chunk: seqcdc, text, bytes/s
    chunk: chonkers, half, bytes/s
    chunk: seqcdc, half, bytes/s
    hash: blake3, random, bytes/s
    merkle: blake3 root, random, bytes/s
    compress: zstd -7, compress, text, bytes/s, with ratio
    compress: zstd -7, decompress, text, bytes/s, with ratio
    compress: zstd 1, compress, text, bytes/s, with ratio
    compress: zstd 1, decompress, text, bytes/s, with ratio
    compress: zstd 3 (default), compress, text, bytes/s, with ratio
    compress: zstd 3 (default), decompress, text, bytes/s, with ratio
    compress: zstd 6, compress, text, bytes/s, with ratio
    compress: zstd 6, decompress, text, bytes/s, with ratio
    compress: zstd 9, compress, text, bytes/s, with ratio
    compress: zstd 9, decompress, text, bytes/s, with ratio
    compress: zstd 12, compress, text, bytes/s, with ratio
    compress: zstd 12, decompress, text, bytes/s, with ratio
    compress: zstd 15, compress, text, bytes/s, with ratio
    compress: zstd 15, decompress, text, bytes/s, with ratio
    compress: zstd 19, compress, text, bytes/s, with ratio
    compress: zstd 19, decompress, text, bytes/s, with ratio
    compress: zstd 3 (default), compress, half, bytes/s, with ratio
    compress: zstd 3 (default), decompress, half, bytes/s, with ratio
    compress: zstd 3 (default), compress, random, bytes/s, with ratio
    erasure: reed-solomon, make parity, random, bytes/s
    erasure: reed-solomon, heal, random, bytes/s
    cipher: xchacha20-poly1305, seal, random, bytes/s
    cipher: xchacha20-poly1305, open, random, bytes/s
    kdf: argon2id, 8 KiB, 1 passes, -, derivations/s
    disk: write and sync, -, bytes/s
    disk: read back, -, bytes/s
    disk: create files of 1 KiB, -, files/s
    ");
    let twice: Vec<_> = results.iter().filter(|result| result["threads"] == 2).map(described).collect();
    let in_memory = lines.iter().filter(|line| !line.starts_with("disk"));
    assert!(twice.iter().eq(in_memory), "all but the disk is measured on both numbers of threads: {twice:?}");
    for result in results {
        let [best, median] = ["best", "median"].map(|key| result[key].as_f64().unwrap());
        assert!(best >= median && median > 0.0, "{result}");
        assert!((1..=5).contains(&result["rounds"].as_u64().unwrap()), "{result}");
    }
    assert_eq!(files_in_work(&env), 0, "nothing is left in the directory");
}

#[test]
fn the_table_says_what_was_not_measured_and_how_to_measure_it() {
    let env = TestEnvironment::new();
    let output = env.run(&[&QUICK[..], &["--threads", "1"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "nothing is drawn where there is no terminal: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("warp ") && lines[0].contains(" core"), "{}", lines[0]);
    assert!(lines[2].ends_with("one thread") && !text.contains("2 threads"), "{text}");
    for group in ["chunk", "hash", "merkle", "compress", "erasure", "cipher", "kdf"] {
        assert!(
            lines.iter().any(|line| line.starts_with(&format!("{group} "))),
            "{group} is missing: {text}"
        );
    }
    assert_eq!(lines.last(), Some(&"disk: not measured (name a directory on it with --dir)"));
}

#[test]
fn only_measures_what_it_names() {
    let env = TestEnvironment::new();
    let document = document(&env, &["--only", "hash,cipher", "--threads", "1"]);
    let results = document["results"].as_array().unwrap();
    let names: Vec<_> = results.iter().map(|result| result["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["blake3", "xchacha20-poly1305, seal", "xchacha20-poly1305, open"]);
    assert_eq!(document["not_measured"].as_array().unwrap().len(), 0);
}

#[test]
fn an_unknown_name_is_refused_with_the_known_ones() {
    let env = TestEnvironment::new();
    let output = env.run(&["bench", "--only", "hash,speed"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let known = "[possible values: chunk, hash, merkle, compress, erasure, cipher, kdf, disk]";
    assert!(said.contains("'speed'") && said.contains(known), "{said}");
}

#[test]
fn arguments_that_cannot_be_meant_are_refused() {
    let env = TestEnvironment::new();
    for args in [
        &["--only", "disk"][..],
        &["--only", "hash", "--dir", "."],
        &["--size", "10"],
        &["--size", "8G"],
        &["--seconds", "0"],
        &["--seconds", "NaN"],
        &["--rounds", "3"],
        &["hash"],
    ] {
        assert_eq!(env.run(&[&["bench"], args].concat()).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_disk_without_room_or_a_missing_directory_is_an_error_and_leaves_nothing() {
    let env = TestEnvironment::new();
    let full = env.run(&["bench", "--only", "disk", "--dir", ".", "--size", "7E"]);
    assert_eq!(full.status.code(), Some(1), "{full:?}");
    assert!(String::from_utf8_lossy(&full.stderr).contains("not enough room in "), "{full:?}");
    let missing = env.run(&["bench", "--only", "disk", "--dir", "missing"]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    assert_eq!(files_in_work(&env), 0);
}

#[test]
fn an_interrupted_measurement_of_the_disk_leaves_nothing() {
    let env = TestEnvironment::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_warp"))
        .args(["bench", "--only", "disk", "--dir", ".", "--size", "256M"])
        .env_clear()
        .env("HOME", env.home())
        .current_dir(env.work())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while files_in_work(&env) == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "the measurement never began");
        std::thread::sleep(Duration::from_millis(2));
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(files_in_work(&env), 0);
}
