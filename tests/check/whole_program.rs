//! The program, on repositories that are whole and on repositories that are not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use warp::testing::Rng;

use crate::common::program::{Home, news};

const STRUCTURE: &[&str] = &["check"];
const FAST: &[&str] = &["check", "--fast"];
const DATA: &[&str] = &["check", "--read-data"];

/// A repository with two large packs, their index, and small packs of later commits with differences.
fn history() -> Home {
    let home = Home::new();
    let source = home.path("source");
    let mut rng = Rng::new(7);
    fs::create_dir_all(source.join("sub")).unwrap();
    fs::write(source.join("large"), rng.bytes(3 << 20)).unwrap();
    for number in 0..6 {
        fs::write(source.join(format!("sub/text-{number}")), rng.text(30_000)).unwrap();
    }
    home.done(&["commit", "-m", "first", source.to_str().unwrap()]);
    for number in 0..2 {
        let path = source.join(format!("sub/text-{number}"));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{}changed{}", &text[..9_000], &text[9_000..])).unwrap();
        home.done(&["commit", "-m", "next", source.to_str().unwrap()]);
    }
    home
}

/// Every file of the repository, by its name in it.
fn files(home: &Home) -> BTreeSet<String> {
    let folders = ["config", "log", "packs", "index"].map(|folder| home.repo.join(folder));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let name = |path: PathBuf| path.strip_prefix(&home.repo).unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| name(entry.unwrap().path())).collect()
}

/// Lines of `--json`.
fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same command with `--json`.
fn json(home: &Home, args: &[&str]) -> Output {
    home.run(&[&["--json"], args].concat())
}

fn assert_no_panic(output: &Output, what: &str) {
    assert!(output.status.code().is_some_and(|code| code < 100), "{what}: {}", news(output));
    assert!(!news(output).contains("panicked"), "{what}: {}", news(output));
}

/// The check fails and names the file.
fn assert_told(home: &Home, args: &[&str], file: &str, what: &str) {
    let output = json(home, args);
    assert_no_panic(&output, what);
    let what = format!("{what}, {args:?}: {}{}", String::from_utf8_lossy(&output.stdout), news(&output));
    assert_eq!(output.status.code(), Some(1), "{what}");
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    // An entry of the log may be known by its number alone.
    let number =
        file.strip_prefix("log/").map(|number| format!("log entry {}", number.trim_start_matches('0')));
    let named = said.contains(file) || number.is_some_and(|number| said.contains(&number));
    assert!(named, "{file} is not named: {what}");
}

fn change(home: &Home, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = home.repo.join(file);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Puts a file back as it was.
fn restored(home: &Home, file: &str, test: impl FnOnce(&Path)) {
    let path = home.repo.join(file);
    let bytes = fs::read(&path).unwrap();
    test(&path);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_whole_repository_passes_in_every_mode() {
    let home = history();
    let before: Vec<_> =
        files(&home).into_iter().map(|file| fs::read(home.repo.join(file)).unwrap()).collect();
    for mode in [
        STRUCTURE,
        FAST,
        DATA,
        &["check", "--read-data-subset", "50%"],
        &["fsck", "--read-data-subset", "1/2"],
    ] {
        let output = home.run(mode);
        assert_eq!(output.status.code(), Some(0), "{mode:?}: {}", news(&output));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "no errors found\n", "{mode:?}");
        let lines = lines(&json(&home, mode));
        let [summary] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((&summary["num_errors"], &summary["packs"]), (&0.into(), &4.into()), "{summary}");
    }
    let summary = &lines(&json(&home, DATA))[0];
    assert_eq!((&summary["packs_read"], &summary["not_checked"]), (&4.into(), &Value::Null));
    assert_eq!(summary["objects"], summary["objects_verified"]);
    assert!(summary["delta_objects"].as_u64().unwrap() > 0, "nothing is a difference: {summary}");
    let said = news(&home.run(STRUCTURE));
    assert!(said.contains("contents of packs were not read: --read-data does that"), "{said}");
    let after: Vec<_> =
        files(&home).into_iter().map(|file| fs::read(home.repo.join(file)).unwrap()).collect();
    assert!(before == after, "a check changed the repository");
}

#[test]
fn the_fast_check_needs_no_password() {
    let home = history();
    let output = home.command(FAST).env_remove("WARP_PASSWORD").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", news(&output));
    let output = home.command(STRUCTURE).env_remove("WARP_PASSWORD").output().unwrap();
    assert_eq!(output.status.code(), Some(12), "{}", news(&output));
}

#[test]
fn a_flipped_byte_anywhere_in_any_file_is_told_by_hashes_alone_and_by_reading_all() {
    let home = history();
    for file in files(&home) {
        let len = fs::metadata(home.repo.join(&file)).unwrap().len() as usize;
        for place in [0, len / 3, len / 2, len - 300.min(len), len - 1] {
            restored(&home, &file, |_| {
                change(&home, &file, |bytes| bytes[place] ^= 0x10);
                let what = format!("{file} flipped at {place} of {len}");
                assert_told(&home, FAST, &file, &what);
                assert_told(&home, DATA, &file, &what);
            });
        }
    }
    assert_eq!(home.run(DATA).status.code(), Some(0));
}

#[test]
fn files_that_are_cut_longer_empty_or_gone_are_told_in_every_mode() {
    let home = history();
    for file in files(&home) {
        for mode in [STRUCTURE, FAST, DATA] {
            restored(&home, &file, |path| {
                change(&home, &file, |bytes| bytes.truncate(bytes.len() - 1));
                assert_told(&home, mode, &file, &format!("{file} is a byte short"));
                change(&home, &file, |bytes| bytes.truncate(bytes.len() / 2));
                assert_told(&home, mode, &file, &format!("{file} is half gone"));
                change(&home, &file, Vec::clear);
                assert_told(&home, mode, &file, &format!("{file} is empty"));
                fs::remove_file(path).unwrap();
                let output = json(&home, mode);
                assert_no_panic(&output, &file);
                // The newest entry of the log is missed by whoever has seen it, and has packs that nothing else names.
                if mode == FAST && file == "log/0000000004" {
                    let summary = &lines(&output)[0];
                    assert_eq!(summary["orphans"].as_array().map(Vec::len), Some(1), "{summary}");
                } else {
                    assert_told(&home, mode, &file, &format!("{file} is gone"));
                }
            });
            restored(&home, &file, |_| {
                change(&home, &file, |bytes| bytes.extend([0; 100]));
                assert_told(&home, mode, &file, &format!("{file} is longer"));
            });
        }
    }
}

#[test]
fn files_in_each_others_place_are_told_in_every_mode() {
    let home = history();
    let all: Vec<String> = files(&home).into_iter().filter(|file| !file.starts_with("config")).collect();
    for pair in all.windows(2) {
        let [first, second] = pair else { unreachable!() };
        let contents = [first, second].map(|file| fs::read(home.repo.join(file)).unwrap());
        fs::write(home.repo.join(first), &contents[1]).unwrap();
        fs::write(home.repo.join(second), &contents[0]).unwrap();
        for mode in [STRUCTURE, FAST, DATA] {
            for file in pair {
                // A log is read no further than it can be opened, but by hashes.
                if !(file.starts_with("log") && mode != FAST) {
                    assert_told(&home, mode, file, &format!("{first} and {second} swapped"));
                }
            }
        }
        fs::write(home.repo.join(first), &contents[0]).unwrap();
        fs::write(home.repo.join(second), &contents[1]).unwrap();
    }
}

#[test]
fn an_older_version_of_a_file_is_told() {
    let home = history();
    let config = "config/0000000001";
    let old = fs::read(home.repo.join(config)).unwrap();
    home.done(&["config", "set", "--repository", "compression", "5"]);
    assert_eq!(home.run(STRUCTURE).status.code(), Some(0));
    for copy in ["config/0000000002", "config/0000000002.copy"] {
        restored(&home, copy, |path| {
            fs::write(path, &old).unwrap();
            let output = json(&home, STRUCTURE);
            assert_eq!(output.status.code(), Some(1), "{}", news(&output));
            let said = lines(&output);
            assert!(said[0]["file"].as_str().unwrap().starts_with("config/0000000002"), "{said:?}");
        });
    }
    // A whole repository that was put back is known only to who has seen more of it.
    let last = home.repo.join("log/0000000004");
    fs::remove_file(last).unwrap();
    let output = home.run(STRUCTURE);
    assert_eq!(output.status.code(), Some(1));
    assert!(news(&output).contains("log entry 4"), "{}", news(&output));
}

#[test]
fn a_lost_copy_of_the_configuration_comes_back_with_the_next_change() {
    let home = history();
    let copy = home.repo.join("config/0000000001.copy");
    fs::remove_file(copy).unwrap();
    let output = home.run(STRUCTURE);
    assert_eq!(output.status.code(), Some(1));
    assert!(news(&output).contains("hint: any change of a setting or key"), "{}", news(&output));
    home.done(&["config", "set", "--repository", "compression", "5"]);
    assert_eq!(home.run(STRUCTURE).status.code(), Some(0));
}

#[test]
fn files_that_the_log_does_not_name_are_told_and_are_no_error() {
    let home = history();
    let stray = "packs/00112233445566778899aabbccddeeff.warp";
    fs::write(home.repo.join(stray), "half a pack").unwrap();
    for mode in [STRUCTURE, FAST, DATA] {
        let output = json(&home, mode);
        assert_eq!(output.status.code(), Some(0), "{}", news(&output));
        assert_eq!(lines(&output)[0]["orphans"], serde_json::json!([stray]));
    }
    let said = news(&home.run(&["-v", "check"]));
    assert!(said.contains("1 file of 11 B that no entry of the log names") && said.contains(stray), "{said}");
}

#[test]
fn arguments_that_mean_nothing_are_refused() {
    let home = Home::new();
    for wrong in [
        &["check", "--read-data", "--fast"][..],
        &["check", "--read-data", "--read-data-subset", "5%"],
        &["check", "--read-data-subset", "8/7"],
        &["check", "--max-age", "30d"],
        &["check", "--seed", "1"],
        &["check", "--read-data", "--max-age", "soon"],
    ] {
        assert_eq!(home.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let output = home.command(FAST).env("WARP_REPOSITORY", home.path("nowhere")).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", news(&output));
}

#[test]
fn a_report_in_words_names_file_fault_paths_and_what_to_do() {
    let home = Home::new();
    let source = home.path("source");
    fs::create_dir_all(&source).unwrap();
    // Each file is a chunk, and all are in one block, if one thread makes it.
    for number in 0..40 {
        fs::write(source.join(format!("file-{number:02}")), Rng::new(number).bytes(40_000)).unwrap();
    }
    home.done(&["--threads", "1", "commit", "-m", "first", source.to_str().unwrap()]);
    let packs: Vec<String> = files(&home).into_iter().filter(|file| file.starts_with("packs")).collect();
    let largest = packs.iter().max_by_key(|file| fs::metadata(home.repo.join(file)).unwrap().len()).unwrap();
    change(&home, largest, |bytes| {
        let (from, to) = (bytes.len() / 2, bytes.len() * 5 / 8);
        bytes[from..to].fill(1);
    });
    let output = home.run(DATA);
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with(&format!("error: {largest}: damaged\n  block 0 with 40 objects: ")), "{said}");
    assert!(said.contains("/file-00\n") && said.contains("… and 20 more (--json lists all)\n"), "{said}");
    assert!(said.ends_with("1 error found\n"), "{said}");
    assert!(news(&output).contains("hint: bring the files named above back"), "{}", news(&output));
    let all = lines(&json(&home, DATA));
    assert_eq!(all[0]["paths"].as_array().map(Vec::len), Some(40), "{}", all[0]);
    assert_eq!(all[1]["broken_packs"], serde_json::json!([largest]));
}
