//! The program as a process: own home, own state, no terminal.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A home for warp, with a password and a repository's place in it.
pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) repo: PathBuf,
}

impl Home {
    /// A home whose repository is made.
    pub(crate) fn new() -> Self {
        let home = Self::bare();
        home.done(&["init", "--bare", home.repo.to_str().unwrap()]);
        home
    }

    /// A home without a repository.
    pub(crate) fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path().join("repo");
        Self { dir, repo }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// warp on the repository, with its password.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warp"));
        command.args(args).env_clear().current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("HOME", self.dir.path()).env("TZ", "UTC").env("WARP_HOST", "host");
        command
            .env("WARP_TESTING_KDF", "1")
            .env("WARP_PASSWORD", "secret")
            .env("WARP_REPOSITORY", &self.repo);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command and kills it when `percent` of `whole` has passed; tells whether it died of it. `whole` is about how long
    /// the command takes, and is kept right while the machine's load changes, so that kills fall within it.
    pub(crate) fn is_killed(&self, args: &[&str], whole: &mut Duration, percent: u32) -> bool {
        let mut child = self.command(args).spawn().unwrap();
        std::thread::sleep(*whole * percent / 100);
        child.kill().unwrap();
        let died = !child.wait().unwrap().success();
        *whole = if died { *whole + *whole / 8 } else { *whole * 3 / 4 };
        died
    }

    /// Runs what must succeed; returns what it printed.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "warp {args:?}: {}", news(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Restores `source` as it was committed last and compares.
    pub(crate) fn restored_is(&self, revision: &str, source: &Path, expected: &Path) {
        let target = tempfile::tempdir_in(self.dir.path()).unwrap();
        let root = target.path().join("out");
        self.done(&["restore", "--source", revision, "--target", root.to_str().unwrap(), "--verify"]);
        warp::testing::assert_same_tree(expected, &root.join(source.strip_prefix("/").unwrap()));
    }
}

/// What a run wrote to standard error.
pub(crate) fn news(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// How often something is done at random: in an ordinary run, and with `WARP_LONG=1`.
pub(crate) fn rounds(ordinary: usize, long: usize) -> usize {
    if std::env::var_os("WARP_LONG").is_some() { long } else { ordinary }
}

/// Whether a long run has had its time: `WARP_SECONDS` for each suite, where that is set.
pub(crate) fn is_over(begun: std::time::Instant) -> bool {
    let seconds = std::env::var("WARP_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    seconds.is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds))
}
