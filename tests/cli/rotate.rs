//! New keys for an old repository, and another share of parity: the real program, from one end to the other.

use std::fs;

use warp::testing::{Rng, assert_same_tree};

use crate::environment::TestEnvironment;

const OLD: [&str; 2] = ["--password-file", "../mine"];

/// A repository with a commit, that `mine` opens and `theirs` too, and its recovery sheet.
fn shared() -> TestEnvironment {
    let env = TestEnvironment::new();
    env.write("mine", "known to me\n");
    env.write("theirs", "known to somebody who left\n");
    env.write("work/notes.txt", "kept\n");
    fs::write(env.work().join("noise"), Rng::new(3).bytes(1_500_000)).unwrap();
    env.done(&[&["init"], &OLD[..]].concat());
    let add = ["key", "add", "--label", "server", "--new-password-file", "../theirs"];
    env.done(&[&add, &OLD[..]].concat());
    env.done(&[&["commit", "-m", "first"], &OLD[..]].concat());
    let sheet = env.run(&[&["key", "export"], &OLD[..]].concat());
    env.write("sheet", std::str::from_utf8(&sheet.stdout).unwrap());
    env
}

/// Runs warp; returns its exit code, output and news.
fn run(env: &TestEnvironment, args: &[&str]) -> (i32, String, String) {
    let output = env.run(args);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &OLD[..]].concat()
}

#[test]
fn a_rotation_shuts_out_who_knew_another_password_and_says_what_to_do_next() {
    let env = shared();
    let (code, _, news) = run(&env, &with(&["key", "rotate"]));
    assert_eq!(code, 1);
    assert_eq!(
        news,
        "error: key 2 (server) cannot be made anew, since its password or key file is not known\n\
         hint: nothing was changed; --remove-others gives them up, and `warp key add` adds them again afterwards\n"
    );
    env.done(&["log", "--password-file", "../theirs"]);
    let (code, _, news) = run(&env, &with(&["key", "rotate", "--remove-others"]));
    assert_eq!(code, 0, "{news}");
    let lines: Vec<&str> = news.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "Data key 2 seals what is written from now on",
            "Key 3, with the password or key file in use, opens the repository",
            "Key 2 (server) opens it no more: add it again with `warp key add`",
            "Recovery sheets from before help no more: print a new one with `warp key export`",
        ]
    );
    assert!(
        lines[4].starts_with("2 packs stay under older keys, 1.6 MiB: `warp gc` seals them anew"),
        "{news}"
    );
    assert_eq!(run(&env, &["log", "--password-file", "../theirs"]).0, 12);
    let (_, listed, _) = run(&env, &with(&["key", "list"]));
    assert_eq!(listed.lines().count(), 1);
    assert!(listed.starts_with("*  3 password "), "{listed}");
    let (_, stats, _) = run(&env, &with(&["stats"]));
    assert!(stats.contains("Under older keys:      1.6 MiB in 2, for gc or `repack --old-keys`"), "{stats}");

    // What is new is sealed under the new key, and what is old under the old one until it is sealed anew.
    env.write("work/notes.txt", "changed\n");
    env.done(&with(&["commit", "-m", "second"]));
    let (_, plan, _) = run(&env, &with(&["repack", "--old-keys", "-n"]));
    assert_eq!(plan, "2 packs of 1.6 MiB would be sealed anew under the newest key\n");
    let (_, line, _) = run(&env, &with(&["gc", "-n", "--json"]));
    assert!(line.contains("\"packs_resealed\":2,") && line.contains("\"packs_old_key\":0,"), "{line}");
    let (_, done, _) = run(&env, &with(&["repack", "--old-keys", "--max-repack-size", "100K"]));
    assert!(done.contains(" still under older keys, 1.6 MiB: run it again to go on\n"), "{done}");
    let (_, done, _) = run(&env, &with(&["gc"]));
    assert!(done.contains(" sealed anew under the newest key\n"), "{done}");
    let (_, done, _) = run(&env, &with(&["repack", "--old-keys"]));
    assert_eq!(done, "everything is sealed under the newest key\n");
    let (_, stats, _) = run(&env, &with(&["stats", "--json"]));
    assert!(stats.contains("\"packs_old_key\":0,"), "{stats}");
    env.done(&with(&["check", "--read-data"]));
    assert_eq!(run(&env, &with(&["cat", "HEAD~1:notes.txt"])).1, "kept\n");
}

#[test]
fn a_sheet_from_before_a_rotation_is_refused_and_a_new_one_helps() {
    let env = shared();
    env.write("new", "set with a sheet\n");
    let old_config = env.home().join("config-before");
    fs::create_dir(&old_config).unwrap();
    let config = env.work().join(".warp/config");
    let copy_all = |from: &std::path::Path, to: &std::path::Path| {
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    };
    copy_all(&config, &old_config);
    env.done(&with(&["key", "rotate", "--remove-others"]));
    let recover = ["key", "recover", "--sheet", "../sheet", "--new-password-file", "../new"];
    let place = env.work().join(".warp");
    let refused = format!(
        "error: the recovery sheet is older than the last rotation of the keys of {}: it lacks the data key that seals what is \
         written since\nhint: nothing was changed; use a sheet that was printed since, or open it with a password and print one: \
         `warp key export`\n",
        place.display()
    );
    assert_eq!(run(&env, &recover), (1, String::new(), refused.clone()));
    // Nor does it where the configuration is lost or of before.
    let newer = env.run(&with(&["key", "export"]));
    fs::remove_dir_all(&config).unwrap();
    assert_eq!(run(&env, &recover), (1, String::new(), refused.clone()));
    fs::create_dir_all(&config).unwrap();
    copy_all(&old_config, &config);
    let (code, _, news) = run(&env, &with(&["log"]));
    assert!(
        code == 1 && news.contains("is older than its log") && news.contains("hint: its folder `config`"),
        "{news}"
    );
    assert_eq!(run(&env, &recover), (1, String::new(), refused));
    env.write("sheet", std::str::from_utf8(&newer.stdout).unwrap());
    env.done(&recover);
    assert_eq!(run(&env, &["cat", "HEAD:notes.txt", "--password-file", "../new"]).1, "kept\n");
}

#[test]
fn a_repository_without_encryption_has_no_keys_to_rotate() {
    let env = TestEnvironment::new();
    env.done(&["init", "--no-encryption"]);
    let (code, _, news) = run(&env, &["key", "rotate"]);
    assert!(code == 1 && news.starts_with("error: key slots need encryption"), "{news}");
    assert_eq!(run(&env, &["repack", "--old-keys"]).1, "everything is sealed under the newest key\n");
}

#[test]
fn parity_is_shown_and_changed_for_what_is_stored_already() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    fs::write(env.work().join("noise"), Rng::new(4).bytes(3_000_000)).unwrap();
    env.done(&["init"]);
    env.done(&["commit", "-m", "first"]);
    env.write("work/notes.txt", "a few words\n");
    env.done(&["commit", "-m", "second"]);
    let packs = |env: &TestEnvironment| {
        let files = fs::read_dir(env.work().join(".warp/packs")).unwrap();
        files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect::<Vec<_>>()
    };
    let (before, bytes) = (packs(&env).len(), |packs: &[Vec<u8>]| packs.iter().map(Vec::len).sum::<usize>());
    let (_, shown, news) = run(&env, &["parity"]);
    let mut lines = shown.lines();
    assert_eq!((lines.next(), news), (Some("new packs: 3%"), String::new()));
    assert!(
        lines.next().unwrap().starts_with(&format!(" {before} packs of ")) && lines.next().is_none(),
        "{shown}"
    );

    let (_, plan, _) = run(&env, &["parity", "none", "-n"]);
    assert!(
        plan.starts_with(&format!("{before} packs of ")) && plan.contains(" would be written anew"),
        "{plan}"
    );
    let three = bytes(&packs(&env));
    env.done(&["parity", "none"]);
    let none = packs(&env);
    // Number of parity shards, and their root.
    assert!(none.iter().all(|pack| pack[156..158] == [0; 2] && pack[192..224] == [0; 32]));
    assert!(bytes(&none) < three);
    assert_eq!(run(&env, &["config", "get", "--repository", "parity"]).1, "none\n");
    let (code, _, _) = run(&env, &["parity", "60%"]);
    assert_eq!(code, 2);

    let (_, line, _) = run(&env, &["parity", "20%", "--json", "--max-repack-size", "1M"]);
    assert!(
        line.contains("\"message_type\":\"parity_changed\"") && line.contains("\"packs_left\":1,"),
        "{line}"
    );
    let (_, shown, news) = run(&env, &["parity"]);
    assert!(shown.starts_with("new packs: 20%\n 1 pack of ") && shown.contains(": none\n"), "{shown}");
    assert_eq!(news, "`warp parity 20%` writes anew what has more or less than that\n");
    env.done(&["parity", "20%"]);
    assert_eq!(run(&env, &["parity", "20%"]).1, "all packs have that parity\n");
    let (_, json, _) = run(&env, &["parity", "--json"]);
    assert!(
        json.starts_with("{\"message_type\":\"parity\",\"parity\":\"20%\",\"is_set\":true,\"packs\":"),
        "{json}"
    );
    assert_eq!(json.lines().count(), 1);
    env.done(&["check", "--read-data"]);

    // Twenty parts of 96 of each pack may be lost now.
    for file in fs::read_dir(env.work().join(".warp/packs")).unwrap() {
        let path = file.unwrap().path();
        let mut pack = fs::read(&path).unwrap();
        let (start, run) = (pack.len() / 3, pack.len() * 20 / 96);
        pack[start..start + run].fill(0x5a);
        let mut writable = fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut writable, 0o600);
        fs::set_permissions(&path, writable).unwrap();
        fs::write(&path, pack).unwrap();
    }
    let target = env.home().join("back");
    env.done(&["-q", "restore", "--source", "latest", "--target", target.to_str().unwrap()]);
    fs::remove_dir_all(env.work().join(".warp")).unwrap();
    let inside = target.join(env.work().strip_prefix("/").unwrap());
    assert_same_tree(&env.work(), if inside.exists() { &inside } else { &target });
}
