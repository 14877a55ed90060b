//! Recovery sheets: printed, kept, typed in again.

use std::process::Stdio;

use crate::environment::TestEnvironment;

const RECOVER: [&str; 6] = ["key", "recover", "--sheet", "../sheet", "--new-password-file", "../new"];

/// A working directory with a commit, its recovery sheet in `sheet` and a new password in `new`; the old password is
/// known to nobody.
fn forgotten() -> TestEnvironment {
    let env = TestEnvironment::new();
    env.write("old", "never written down\n");
    env.write("new", "written down\n");
    env.write("work/notes.txt", "kept\n");
    env.done(&["init", "--password-file", "../old"]);
    env.done(&["commit", "-m", "first", "--password-file", "../old"]);
    let sheet = env.run(&["key", "export", "--password-file", "../old"]);
    assert_eq!(sheet.status.code(), Some(0));
    env.write("sheet", std::str::from_utf8(&sheet.stdout).unwrap());
    env
}

fn reads_the_commit(env: &TestEnvironment) {
    let found = env.run(&["cat", "HEAD:notes.txt", "--password-file", "../new"]);
    assert_eq!(String::from_utf8_lossy(&found.stderr), "");
    assert_eq!(found.stdout, b"kept\n");
}

#[test]
fn a_sheet_sets_a_new_password_and_keeps_the_others() {
    let env = forgotten();
    let sheet = env.read("sheet");
    let heading: Vec<&str> = sheet.lines().take(4).collect();
    let home = env.home().display().to_string();
    assert_eq!(
        heading,
        [
            format!("# Of the warp repository {home}/work/.warp, printed 2026-11-22 12:58."),
            "# Whoever has this sheet can read that repository. To use it, have its lines in a file, and run"
                .to_owned(),
            "#   warp -r REPOSITORY key recover --sheet FILE".to_owned(),
            "warp recovery sheet 1".to_owned(),
        ]
    );
    insta::assert_snapshot!(env.transcript(&RECOVER), @r"
    $ warp key recover --sheet ../sheet --new-password-file ../new
    ! The sheet is that of $HOME/work/.warp, and opens it.
    ! Added key 2: it opens the repository from now on
    [exit 0]
    ");
    reads_the_commit(&env);
    insta::assert_snapshot!(env.transcript(&["key", "list", "--password-file", "../new"]), @r"
    $ warp key list --password-file ../new
       1 password  2026-11-22 12:58 USER@host
    *  2 password  2026-11-22 12:58 USER@host
    [exit 0]
    ");
    env.done(&["key", "list", "--password-file", "../old"]);
    env.write("key.bin", "bytes of a key file");
    let json = ["key", "recover", "--json", "--sheet", "../sheet", "--new-key-file", "../key.bin"];
    insta::assert_snapshot!(env.transcript(&json), @r#"
    $ warp key recover --json --sheet ../sheet --new-key-file ../key.bin
    {"message_type":"key_recovered","id":3,"configuration_rebuilt":false,"keys_lost":0}
    [exit 0]
    "#);
    env.done(&["log", "--key-file", "../key.bin"]);
}

/// The numbered lines of a sheet, each changed.
fn retyped(sheet: &str, change: impl Fn(&str) -> String) -> String {
    let lines = sheet.lines().filter(|line| !line.starts_with('#'));
    lines
        .enumerate()
        .map(|(at, line)| if at == 0 { line.to_uppercase() + "\n" } else { change(line) })
        .collect()
}

#[test]
fn a_sheet_may_be_typed_in_again_as_people_do() {
    let env = forgotten();
    let sheet = env.read("sheet");
    let wrapped = |line: &str| {
        let (begin, end) = line.split_at(line.len() / 2);
        format!("{begin}\n{end}   \n\n")
    };
    let typed = [
        retyped(&sheet, |line| line.to_uppercase().replace('O', "0").replace('I', "1") + "   \r\n"),
        retyped(&sheet, |line| line.split_whitespace().collect::<Vec<_>>().join("  ") + "\t\n"),
        retyped(&sheet, wrapped),
        format!("\u{feff}{sheet}\n\n"),
    ];
    for (number, text) in (2..).zip(typed) {
        env.write("sheet", &text);
        let output = env.run(&RECOVER);
        let news = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{news}{text}");
        assert!(
            news.ends_with(&format!("Added key {number}: it opens the repository from now on\n")),
            "{news}"
        );
    }
    let mut piped = env.command(&["key", "recover", "--sheet", "-", "--new-password-file", "../new"]);
    let file = std::fs::File::open(env.home().join("sheet")).unwrap();
    assert_eq!(piped.stdin(file).stderr(Stdio::piped()).output().unwrap().status.code(), Some(0));
    reads_the_commit(&env);
}

#[test]
fn a_sheet_that_is_wrong_says_where_and_changes_nothing() {
    let env = forgotten();
    let sheet = env.read("sheet");
    let lines: Vec<&str> = sheet.lines().collect();
    // Three lines of comments and the title come first.
    let (before, line, behind) = (lines[..6].join("\n"), lines[6], lines[7..].join("\n"));
    let other = if &line[5..6] == "a" { "b" } else { "a" };
    env.write("sheet", &format!("{before}\n{}{other}{}\n{behind}", &line[..5], &line[6..]));
    insta::assert_snapshot!(env.transcript(&RECOVER), @r"
    $ warp key recover --sheet ../sheet --new-password-file ../new
    ! error: recovery sheet, line 3: its checksum does not match: look for a typing error
    ! hint: nothing was changed; correct that in the file and try again
    [exit 1]
    ");
    let news = |text: &str| {
        env.write("sheet", text);
        let output = env.run(&RECOVER);
        assert_eq!(output.status.code(), Some(1), "{text}");
        String::from_utf8(output.stderr).unwrap().lines().next().unwrap().to_owned()
    };
    let whole = |line: &str| format!("{before}\n{line}\n{behind}\n");
    for (text, wanted) in [
        (whole(&line[..line.len() - 1]), "line 3: it has too few characters"),
        (whole(&format!("{line}a")), "line 3: it has too many characters"),
        (
            whole(&format!("{}ü{}", &line[..5], &line[6..])),
            "line 3: it has a character that is in no sheet: only a to z and 2 to 7 are",
        ),
        (whole(""), "line 4: it is not the next line: one is missing or out of place"),
        (
            format!("{before}\n{line}\n"),
            "lines are missing at its end, or it is put together from two sheets",
        ),
        ("a shopping list\n".to_owned(), "its first line is not 'warp recovery sheet 1'"),
        (String::new(), "its first line is not 'warp recovery sheet 1'"),
    ] {
        let found = news(&text);
        assert!(found.starts_with("error: recovery sheet") && found.ends_with(wanted), "{found}\n{text}");
    }
    std::fs::write(env.home().join("sheet"), b"\xff\xfe\0w\0a").unwrap();
    assert_eq!(env.run(&RECOVER).status.code(), Some(1));
    insta::assert_snapshot!(env.transcript(&["key", "recover", "--sheet", "../gone"]), @r"
    $ warp key recover --sheet ../gone
    ! error: cannot read the recovery sheet from ../gone
    !   caused by: No such file or directory (os error 2)
    [exit 1]
    ");
    assert_eq!(env.run(&["key", "recover"]).status.code(), Some(2));
    env.done(&["key", "list", "--password-file", "../old"]);
    assert_eq!(env.run(&["log", "--password-file", "../new"]).status.code(), Some(12));
}

#[test]
fn a_sheet_of_another_repository_is_refused() {
    let (env, other) = (forgotten(), forgotten());
    env.write("sheet", &other.read("sheet"));
    insta::assert_snapshot!(env.transcript(&RECOVER), @r"
    $ warp key recover --sheet ../sheet --new-password-file ../new
    ! error: the recovery sheet is that of another repository, not of $HOME/work/.warp
    ! hint: nothing was changed; name the sheet's repository with -r DIR
    [exit 12]
    ");
    std::fs::remove_dir_all(env.work().join(".warp/config")).unwrap();
    assert_eq!(env.run(&RECOVER).status.code(), Some(12));
    insta::assert_snapshot!(env.transcript(&[&["-r", ".."], &RECOVER[..]].concat()), @r"
    $ warp -r .. key recover --sheet ../sheet --new-password-file ../new
    ! error: there is no repository in $HOME
    ! hint: make one here with `warp init`, or name one with -r DIR or WARP_REPOSITORY
    [exit 10]
    ");
}

#[test]
fn a_sheet_brings_back_a_lost_configuration() {
    let harms: [fn(&TestEnvironment); 3] = [
        |env| std::fs::remove_dir_all(env.work().join(".warp/config")).unwrap(),
        |env| files(env).iter().for_each(|file| std::fs::remove_file(file).unwrap()),
        |env| {
            files(env).iter().for_each(|file| {
                std::fs::remove_file(file).unwrap();
                std::fs::write(file, "nonsense").unwrap();
            })
        },
    ];
    for harm in harms {
        let env = forgotten();
        harm(&env);
        for args in [&["log", "--password-file", "../old"][..], &["init", "--password-file", "../new"]] {
            assert_ne!(env.run(args).status.code(), Some(0), "{args:?}");
        }
        insta::allow_duplicates! { insta::assert_snapshot!(env.transcript(&RECOVER), @r"
        $ warp key recover --sheet ../sheet --new-password-file ../new
        ! The sheet is that of $HOME/work/.warp, and opens it.
        ! The configuration is lost; that of the sheet will take its place.
        ! Added key 1: it opens the repository from now on
        ! Other passwords were in the lost configuration: add them with `warp key add`, and print a new sheet with `warp key export`.
        [exit 0]
        ") };
        reads_the_commit(&env);
        env.write("work/notes.txt", "kept, and more\n");
        env.done(&["commit", "-m", "after", "--password-file", "../new"]);
        assert_eq!(files(&env).len(), 2);
    }
}

fn files(env: &TestEnvironment) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(env.work().join(".warp/config")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn without_its_configuration_a_repository_is_still_known_for_one() {
    let env = forgotten();
    for verb in ["log", "init", "status"] {
        match verb {
            "status" => std::fs::remove_dir(env.work().join(".warp/config")).unwrap(),
            _ => files(&env).iter().for_each(|file| std::fs::remove_file(file).unwrap()),
        }
        let transcript = env.transcript(&[verb]);
        let news = transcript.split_once('\n').unwrap().1;
        insta::allow_duplicates! { insta::assert_snapshot!(news, @r"
        ! error: the configuration of $HOME/work/.warp is missing or damaged, and so is its copy
        ! hint: its recovery sheet, or a copy of its folder `config`, brings it back: see `warp key recover --help`
        [exit 1]
        ") };
    }
}

#[test]
fn a_new_password_that_cannot_be_asked_for_is_missed_after_the_sheet_is_checked() {
    let env = forgotten();
    insta::assert_snapshot!(env.transcript(&RECOVER[..4]), @r"
    $ warp key recover --sheet ../sheet
    ! The sheet is that of $HOME/work/.warp, and opens it.
    ! error: a new password is needed, and there is no terminal to ask at
    ! hint: give it with --new-password-file FILE or --new-password-command CMD, name a key file with --new-key-file FILE, or run warp in a terminal
    [exit 12]
    ");
}

#[test]
fn a_repository_without_encryption_has_nothing_to_recover_but_its_configuration() {
    let env = TestEnvironment::new();
    env.done(&["init", "--no-encryption"]);
    let sheet = env.run(&["key", "export"]).stdout;
    env.write("sheet", std::str::from_utf8(&sheet).unwrap());
    insta::assert_snapshot!(env.transcript(&RECOVER[..4]), @r"
    $ warp key recover --sheet ../sheet
    ! error: key slots need encryption, and the repository $HOME/work/.warp was made without it
    ! hint: it opens without a password, and its configuration is not lost: there is nothing to recover
    [exit 1]
    ");
    std::fs::remove_dir_all(env.work().join(".warp/config")).unwrap();
    insta::assert_snapshot!(env.transcript(&RECOVER[..4]), @r"
    $ warp key recover --sheet ../sheet
    ! The sheet is that of $HOME/work/.warp, and opens it.
    ! The configuration is lost; that of the sheet will take its place.
    ! Wrote the configuration anew
    [exit 0]
    ");
    env.done(&["log"]);
}
