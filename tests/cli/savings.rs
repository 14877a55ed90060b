//! What differences save, as `stats` and `diff --stat` say it, and the shapes of `--json`.

use serde_json::Value;

use crate::environment::TestEnvironment;

/// Lines that compress to half of what they are, other ones for another seed.
fn text(seed: u64, lines: u64) -> String {
    let line = |number: u64| {
        let hash = blake3::hash(&[seed.to_le_bytes(), number.to_le_bytes()].concat());
        format!("line {number}: {}\n", &hash.to_hex()[..30])
    };
    (0..lines).map(line).collect()
}

/// A file of one chunk, then the same with a line more, and another file.
fn two_versions() -> TestEnvironment {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    env.write("work/text", &text(1, 1000));
    env.done(&["init"]);
    env.done(&["commit", "-m", "first"]);
    env.write("work/text", &text(1, 1001));
    env.write("work/other", "other\n");
    env.done(&["commit", "-m", "second"]);
    env
}

fn output(env: &TestEnvironment, args: &[&str]) -> String {
    let output = env.run(args);
    let news = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "warp {args:?}: {news}");
    String::from_utf8(output.stdout).unwrap()
}

fn last_line(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn a_comparison_of_two_commits_says_what_the_second_costs() {
    let env = two_versions();
    insta::assert_snapshot!(env.transcript(&["diff", "--stat", "HEAD~1", "HEAD"]), @r"
    $ warp diff --stat HEAD~1 HEAD
     other | 6 B new
     text | 40.0 KiB new, 39.9 KiB removed
     1 changed, 1 added, 0 removed; 40.0 KiB new, 39.9 KiB removed
     40.0 KiB of new chunks take 103 B: 1 of 2 stored as differences (40.0 KiB as 57 B)
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["diff", "--stat", "HEAD~1", "HEAD", "--", "other"]), @r"
    $ warp diff --stat HEAD~1 HEAD -- other
     other | 6 B new
     0 changed, 1 added, 0 removed; 6 B new
     6 B of new chunks take 46 B: none of 1 stored as a difference
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["diff", "--stat", "HEAD", "HEAD~1"]), @r"
    $ warp diff --stat HEAD HEAD~1
     other | 6 B removed
     text | 39.9 KiB new, 40.0 KiB removed
     1 changed, 0 added, 1 removed; 39.9 KiB new, 40.0 KiB removed
     39.9 KiB of new chunks take 19.2 KiB: none of 1 stored as a difference
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["diff", "--stat", "HEAD", "HEAD"]), @r"
    $ warp diff --stat HEAD HEAD
    [exit 0]
    ");
    let live = output(&env, &["diff", "--stat", "HEAD~1"]);
    assert!(live.contains(" | ") && !live.contains("chunks"), "{live}");
    assert!(!output(&env, &["diff", "--name-only", "HEAD~1", "HEAD"]).contains("chunks"));
    let costs = &last_line(&output(&env, &["diff", "--json", "HEAD~1", "HEAD"]))["new_chunks"];
    assert_eq!((&costs["count"], &costs["delta_objects"]), (&2.into(), &1.into()), "{costs}");
    assert_eq!((&costs["missing"], &costs["one_in"]), (&0.into(), &1.into()), "{costs}");
    let number = |name: &str| costs[name].as_u64().unwrap();
    assert!(number("delta_bytes_packed") < 100 && number("delta_bytes") > 40_000, "{costs}");
    assert_eq!(number("bytes"), number("delta_bytes") + 6, "{costs}");
    assert!(number("bytes_packed") < 200, "{costs}");
    assert_eq!(last_line(&output(&env, &["diff", "--json", "HEAD~1"])).get("new_chunks"), None);
}

#[test]
fn statistics_say_what_differences_save() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    env.write("work/text", &text(1, 1000));
    env.done(&["init"]);
    env.done(&["commit", "-m", "first"]);
    let stats = output(&env, &["stats"]);
    assert!(stats.contains("\nStored as differences: none\n"), "{stats}");
    for lines in 1001..1003 {
        env.write("work/text", &text(1, lines));
        env.done(&["commit", "-m", "another", "--delta-depth", "2"]);
    }
    let stats = output(&env, &["stats"]);
    let json: Value = serde_json::from_str(&output(&env, &["stats", "--json"])).unwrap();
    let number = |name: &str| json[name].as_u64().unwrap();
    let depths: Vec<u64> =
        json["delta_depths"].as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).collect();
    assert!(number("delta_objects") >= 2, "{json}");
    assert_eq!(depths.iter().sum::<u64>(), number("delta_objects"), "{json}");
    assert!(depths.len() == 4 && depths[1] > 0, "{json}");
    assert_eq!(number("delta_bytes_saved"), number("delta_bytes_in_full") - number("delta_bytes_packed"));
    assert!(number("delta_bytes_in_full") < number("delta_bytes"), "{json}");
    for line in [
        "\nDistinct bytes:        ".to_owned(),
        ", before compression and differences\n".to_owned(),
        format!("\nStored as differences: {} objects, ", number("delta_objects")),
        "\nDifferences save:      about ".to_owned(),
        ": in full they would take an estimated ".to_owned(),
        format!("\nDepths of differences: {} of depth 1, {} of depth 2\n", depths[0], depths[1]),
    ] {
        assert!(stats.contains(&line), "{line:?} is missing in {stats}");
    }
}

#[test]
fn json_is_one_object_a_line_and_one_array_of_log() {
    let env = two_versions();
    let log: Value = serde_json::from_str(&output(&env, &["log", "--json"])).unwrap();
    assert_eq!(log.as_array().unwrap().len(), 2);
    for args in [
        "status",
        "log --reflog",
        "show",
        "diff HEAD~1 HEAD",
        "diff",
        "ls",
        "find *",
        "stats",
        "branch",
        "key list",
        "config list",
        "restore --target ../copy",
        "commit --allow-empty -m third",
        "undo",
    ] {
        let args: Vec<&str> = args.split(' ').chain(["--json"]).collect();
        for line in output(&env, &args).lines() {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{args:?}: {line}"));
            assert!(value.is_object() && value["message_type"].is_string(), "{args:?}: {line}");
        }
    }
}
