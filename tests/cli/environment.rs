//! A place where nothing of the machine shows: empty environment, own home, fixed clock, normalised paths.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A temporary home with a work folder in it, which is the current directory.
pub(crate) struct TestEnvironment {
    folder: tempfile::TempDir,
    vars: Vec<(String, String)>,
}

impl TestEnvironment {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment = Self { folder, vars: Vec::new() };
        std::fs::create_dir(environment.work()).unwrap();
        environment
    }

    /// With a variable more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.home().join("work")
    }

    /// What a command that must succeed prints.
    pub(crate) fn out(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Exit code and news of what must fail.
    pub(crate) fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        let code = output.status.code().unwrap();
        assert_ne!(code, 0, "{args:?} succeeded");
        (code, String::from_utf8(output.stderr).unwrap())
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.home().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.home().join(path)).unwrap()
    }

    /// warp with these arguments, without a terminal.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        // Away from any terminal of whoever runs the tests.
        let mut command = Command::new("setsid");
        command.args(["--wait", env!("CARGO_BIN_EXE_warp")]).args(args);
        command.env_clear().current_dir(self.work()).stdin(Stdio::null());
        command
            .envs([("HOME", self.home().as_os_str())])
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TZ", "UTC").env("WARP_HOST", "host");
        command.env("WARP_TESTING_TIME", "1795352338").env("WARP_TESTING_KDF", "1");
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs what must succeed.
    #[cfg(feature = "testing")]
    pub(crate) fn done(&self, args: &[&str]) {
        let output = self.run(args);
        let news = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "warp {args:?}: {news}");
    }

    /// Everything that a run shows, for a snapshot.
    pub(crate) fn transcript(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let mut text = format!("$ warp {}\n", args.join(" "));
        text += &String::from_utf8_lossy(&output.stdout);
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            text += &format!("! {line}\n");
        }
        text += &format!("[exit {}]\n", output.status.code().map_or(-1, |code| code));
        normalise(&text, &self.home())
    }
}

/// Users, ids and durations differ from run to run.
fn normalise(text: &str, home: &Path) -> String {
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = format!("{}@host", String::from_utf8(user).unwrap().trim());
    let text = text.replace(home.to_str().unwrap(), "$HOME").replace(&user, "USER@host");
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let line = match line.split_once(", in ") {
            Some((before, _)) if before.contains(" stored") => format!("{before}, in TIME\n"),
            _ => line.to_owned(),
        };
        out += &without_ids(&line);
    }
    out
}

/// Words of 8 or 64 hex digits become `ID`.
fn without_ids(line: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(is_word) {
        let (before, tail) = rest.split_at(start);
        let (word, tail) = tail.split_at(tail.find(|c| !is_word(c)).unwrap_or(tail.len()));
        let is_id = [8, 64].contains(&word.len())
            && word.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        out += before;
        out += if is_id { "ID" } else { word };
        rest = tail;
    }
    out + rest
}
