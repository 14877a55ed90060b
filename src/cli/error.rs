//! How a command ends: errors, hints, exit codes. The only place that knows which failure is which code.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use warp::net::NetError;
use warp::ops::OpsError;
use warp::repo::{ErrorKind, RepoError};
use warp::store::StoreError;

use super::escape;

/// Exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All of it was done.
    Done = 0,
    /// It failed; or, with `diff --exit-code`, there are differences.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Done, but for some paths.
    Partial = 3,
    /// There is no repository.
    NoRepository = 10,
    /// The password is wrong, or there is none.
    WrongPassword = 12,
    /// Stopped by a signal.
    Interrupted = 130,
}

impl Exit {
    /// [`Exit::Partial`] if paths failed.
    pub(crate) fn for_problems(problems: u64) -> Self {
        if problems == 0 { Self::Done } else { Self::Partial }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What went wrong with a command, how it exits, and what may help.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    pub(crate) hint: Option<String>,
    /// Paths that the error speaks of, as bytes of the file system.
    pub(crate) paths: Vec<Vec<u8>>,
    error: Box<dyn Error + Send + Sync>,
}

/// Most paths that an error lists.
const LISTED_MAX: usize = 20;

impl CliError {
    /// A failure in the command line's own words.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, hint: None, paths: Vec::new(), error: message.into().into() }
    }

    /// [`Exit::Failed`].
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// [`Exit::Usage`].
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// [`Exit::Usage`], in a text of several lines, none of which anybody else chose.
    pub(crate) fn usage_lines(message: impl Into<String>) -> Self {
        Self { error: Box::new(Lines(message.into())), ..Self::usage("") }
    }

    /// A file of the user that could not be read or written: `cannot {action} {path}`.
    pub(crate) fn file(action: &str, path: &Path, source: std::io::Error) -> Self {
        let message = format!("cannot {action} {}", escape::path(path));
        Self { error: Box::new(Caused { message, source: Box::new(source) }), ..Self::failed("") }
    }

    /// A failure with a cause: `message`, then the chain of `source`.
    pub(crate) fn caused(
        exit: Exit,
        message: impl Into<String>,
        source: impl Error + Send + Sync + 'static,
    ) -> Self {
        let error = Caused { message: message.into(), source: Box::new(source) };
        Self { error: Box::new(error), ..Self::new(exit, "") }
    }

    /// The same where the user wanted it to stop: then a failure is no news.
    pub(crate) fn interrupted(self) -> Self {
        let exit = if matches!(self.exit, Exit::Failed) { Exit::Interrupted } else { self.exit };
        Self { exit, ..self }
    }

    /// Adds a hint: what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same of a command that has no --force.
    pub(crate) fn unforced(self) -> Self {
        match self.hint.as_deref() {
            Some(OVERWRITE_HINT) => self.hint(OVERWRITE_UNFORCED_HINT),
            _ => self,
        }
    }

    fn of_kind(kind: ErrorKind, error: Box<dyn Error + Send + Sync>) -> Self {
        Self { exit: exit_of(kind), hint: hint_for(kind).map(str::to_owned), paths: Vec::new(), error }
    }

    /// The error in one line, with its causes.
    pub(crate) fn message(&self) -> String {
        one_line(self.error.as_ref())
    }

    /// What a person reads: the error, its causes, the paths, the hint.
    pub(crate) fn report(&self) -> String {
        let mut lines = causes(self.error.as_ref());
        let mut out = format!("error: {}\n", lines.remove(0));
        out.extend(lines.iter().map(|cause| format!("  caused by: {cause}\n")));
        out.extend(self.paths.iter().take(LISTED_MAX).map(|path| format!("  {}\n", escape::name(path))));
        if let Some(more) = self.paths.len().checked_sub(LISTED_MAX).filter(|more| *more > 0) {
            out.push_str(&format!("  and {more} more\n"));
        }
        out.extend(self.hint.iter().map(|hint| format!("hint: {}\n", escape::line(hint))));
        out
    }
}

fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::NoRepository => Exit::NoRepository,
        ErrorKind::WrongPassword | ErrorKind::NoPassword => Exit::WrongPassword,
        ErrorKind::Cancelled => Exit::Interrupted,
        ErrorKind::Usage => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn hint_for(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NoRepository => NO_REPOSITORY_HINT,
        ErrorKind::NoPassword => NO_PASSWORD_HINT,
        ErrorKind::WrongPassword => {
            "is it the right repository? If all passwords are forgotten, a recovery sheet opens it: `warp key recover`"
        }
        ErrorKind::NewerFormat => "install a newer warp; this one leaves the repository alone",
        ErrorKind::Rollback => {
            "if the repository was brought back from a copy on purpose, say --accept-rollback once"
        }
        ErrorKind::Damaged => "nothing was changed; copy the repository to a sound disk before anything else",
        _ => return None,
    })
}

/// How a repository is found.
pub(crate) const NO_REPOSITORY_HINT: &str =
    "make one here with `warp init`, or name one with -r DIR or WARP_REPOSITORY";
/// What helps without a configuration.
const CONFIG_LOST_HINT: &str =
    "its recovery sheet, or a copy of its folder `config`, brings it back: see `warp key recover --help`";
/// What helps without entries of the log.
pub(crate) const LOG_LOST_HINT: &str = "copy the repository to a sound disk before anything else; if no other copy of it has the entries that are lost, `warp recover` makes the log anew from the packs";
/// What helps without the last entries of the log.
const LAST_LOST_HINT: &str = "if the repository was brought back from a copy on purpose, say --accept-rollback once; if the last entries of its log were lost, `warp recover` makes the log anew from the packs";
/// What helps if the configuration is from before a rotation of the keys.
const CONFIG_OLD_HINT: &str = "its folder `config` was put back from an older copy: bring the newer one back, or use a recovery sheet that was printed after `warp key rotate`";
/// What helps where files would be lost.
const OVERWRITE_HINT: &str = "commit them first, or say --force to lose what they hold now";
/// The same of a command without --force.
const OVERWRITE_UNFORCED_HINT: &str = "commit them first, or put them elsewhere, and run it again";
/// How a password is given.
pub(crate) const NO_PASSWORD_HINT: &str = "give the password with WARP_PASSWORD, --password-file FILE, --password-command CMD, or run warp in a terminal";

impl From<RepoError> for CliError {
    fn from(error: RepoError) -> Self {
        let hint = match &error {
            RepoError::ConfigLost { .. } => Some(CONFIG_LOST_HINT),
            RepoError::OldConfig { .. } => Some(CONFIG_OLD_HINT),
            RepoError::Rollback { .. } if error.is_of_log() => Some(LAST_LOST_HINT),
            error if error.is_of_log() => Some(LOG_LOST_HINT),
            _ => None,
        };
        let error = Self::of_kind(error.kind(), Box::new(error));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<OpsError> for CliError {
    fn from(error: OpsError) -> Self {
        match error {
            OpsError::WouldOverwrite { ref paths } => {
                let paths = paths.clone();
                Self { paths, ..Self::of_kind(ErrorKind::Refused, Box::new(error)) }.hint(OVERWRITE_HINT)
            }
            OpsError::NoPaths { ref paths, .. } => {
                Self { paths: paths.clone(), ..Self::of_kind(ErrorKind::NotFound, Box::new(error)) }
            }
            error => Self::of_kind(error.kind(), Box::new(error)),
        }
    }
}

impl From<NetError> for CliError {
    fn from(error: NetError) -> Self {
        Self::of_kind(ErrorKind::Store, Box::new(error))
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotAStore { location } => {
                let message = format!("there is no repository in {}", escape::line(&location));
                Self::new(Exit::NoRepository, message).hint(NO_REPOSITORY_HINT)
            }
            StoreError::AlreadyAStore { .. } => Self::of_kind(ErrorKind::AlreadyExists, Box::new(error)),
            _ => Self::of_kind(ErrorKind::Store, Box::new(error)),
        }
    }
}

/// Only writing to standard output fails with a bare error of the system: everything else names its file.
impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::caused(Exit::Failed, "cannot write to standard output", error)
    }
}

#[derive(Debug)]
struct Caused {
    message: String,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for Caused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Caused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

/// A text that is several lines by its own will.
#[derive(Debug)]
struct Lines(String);

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Lines {}

/// What an error says, harmless to a terminal. It is one line, whatever names are in it, but for the few that show a piece of
/// a text.
fn shown(error: &(dyn Error + 'static)) -> String {
    let has_lines =
        error.is::<Lines>() || error.is::<toml::de::Error>() || error.is::<toml_edit::TomlError>();
    let text = error.to_string();
    if has_lines { escape::text(&text).into_owned() } else { escape::line(&text) }
}

/// An error and its causes, outermost first, each harmless to a terminal; a cause that only repeats is left out.
fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let line = shown(error);
        if lines.last() != Some(&line) {
            lines.push(line);
        }
        next = error.source();
    }
    lines
}

/// An error and its causes in one line.
pub(crate) fn one_line(error: &(dyn Error + 'static)) -> String {
    causes(error).join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_the_chain_the_paths_and_the_hint() {
        let io = std::io::Error::from(std::io::ErrorKind::NotFound);
        let mut error = CliError::file("read", Path::new("a\x1b"), io).hint("look elsewhere");
        error.paths = (0..22).map(|n| format!("p{n}").into_bytes()).collect();
        let report = error.report();
        assert!(report.starts_with("error: cannot read \"a\\x1b\"\n  caused by: entity not found\n  p0\n"));
        assert!(report.ends_with("  p19\n  and 2 more\nhint: look elsewhere\n"));
    }

    #[test]
    fn whatever_names_an_error_has_every_part_of_it_is_one_line_without_controls() {
        let cause = std::io::Error::other("x\r\nerror: y\u{202e}\u{9b}");
        let error = CliError::caused(Exit::Failed, "a\nb\x1b[2J", cause).hint("c\td");
        let wanted =
            "error: a\\nb\\x1b[2J\n  caused by: x\\x0d\\nerror: y\\xe2\\x80\\xae\\xc2\\x9b\nhint: c\\td\n";
        assert_eq!(error.report(), wanted);
        assert_eq!(CliError::usage_lines("two\n  lines\x1b").report(), "error: two\n  lines\\x1b\n");
    }

    #[test]
    fn every_documented_failure_has_its_exit_code() {
        let cases = [
            (ErrorKind::NoRepository, 10),
            (ErrorKind::WrongPassword, 12),
            (ErrorKind::NoPassword, 12),
            (ErrorKind::Cancelled, 130),
            (ErrorKind::Usage, 2),
            (ErrorKind::Damaged, 1),
            (ErrorKind::Refused, 1),
        ];
        for (kind, code) in cases {
            assert_eq!(exit_of(kind) as u8, code, "{kind:?}");
        }
    }
}
