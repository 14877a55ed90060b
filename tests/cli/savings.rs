//! What differences save, as `stats` says it, and the shapes of `--json`.

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
