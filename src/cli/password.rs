//! Where a password comes from. Nothing here waits for a terminal that is not there.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use warp::repo::Credentials;
use zeroize::Zeroizing;

use super::error::{CliError, Exit, NO_PASSWORD_HINT};
use super::settings::Settings;

/// Most bytes of a password or key file: what is longer is some other file, named by mistake.
const SECRET_LEN_MAX: u64 = 1 << 20;

/// A secret's bytes, wiped when dropped.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// Where a password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    KeyFile(PathBuf),
    File(PathBuf),
    Command(String),
    /// An environment variable.
    Variable(&'static str),
    /// A terminal, if there is one.
    Prompt,
}

impl Source {
    /// The source that a layer of settings names: a key file first, then a file, then a command.
    pub(crate) fn of(layer: &Settings) -> Option<Self> {
        let key_file = layer.key_file.clone().map(Self::KeyFile);
        let file = || layer.password_file.clone().map(Self::File);
        key_file.or_else(file).or_else(|| layer.password_command.clone().map(Self::Command))
    }

    /// Reads it. A prompt at a terminal says `question`, and asks twice for a `new` password.
    pub(crate) fn read(&self, question: &str, new: bool) -> Result<Credentials, CliError> {
        let password = match self {
            Self::KeyFile(path) => return Ok(Credentials::KeyFile(read_secret(path)?)),
            Self::File(path) => without_newline(read_secret(path)?),
            Self::Command(command) => without_newline(run(command)?),
            Self::Variable(name) => Zeroizing::new(std::env::var_os(name).unwrap_or_default().into_vec()),
            Self::Prompt => ask(question, new)?,
        };
        match password.is_empty() {
            true => Err(CliError::new(
                Exit::WrongPassword,
                format!("the password from {} is empty", self.describe()),
            )),
            false => Ok(Credentials::Password(password)),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::KeyFile(path) | Self::File(path) => super::escape::path(path).into_owned(),
            Self::Command(command) => format!("`{}`", super::escape::line(command)),
            Self::Variable(name) => (*name).to_owned(),
            Self::Prompt => "the terminal".to_owned(),
        }
    }
}

fn read_secret(path: &Path) -> Result<Secret, CliError> {
    let failed = |error| CliError::file("read the password or key from", path, error);
    let file = File::open(path).map_err(failed)?;
    let mut secret = Zeroizing::new(Vec::with_capacity(4096));
    file.take(SECRET_LEN_MAX + 1).read_to_end(&mut secret).map_err(failed)?;
    match secret.len() as u64 > SECRET_LEN_MAX {
        true => Err(CliError::failed(format!(
            "{} is over 1 MiB: not a password or key",
            super::escape::path(path)
        ))),
        false => Ok(secret),
    }
}

/// A password file ends with the newline that editors write; it is no part of the password.
fn without_newline(mut secret: Secret) -> Secret {
    for end in [b'\n', b'\r'] {
        if secret.last() == Some(&end) {
            secret.pop();
        }
    }
    secret
}

/// Runs a command without a shell and takes what it prints.
fn run(command: &str) -> Result<Secret, CliError> {
    let wrong = || CliError::usage(format!("{command:?} is not a command")).hint("quote it as for a shell");
    let words = shlex::split(command).filter(|words| !words.is_empty()).ok_or_else(wrong)?;
    let shown = super::escape::line(command);
    let failed =
        |error| CliError::caused(Exit::Failed, format!("cannot run the password command `{shown}`"), error);
    let mut child =
        Command::new(&words[0]).args(&words[1..]).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut secret = Zeroizing::new(Vec::with_capacity(4096));
    if let Some(stdout) = child.stdout.take() {
        stdout.take(SECRET_LEN_MAX).read_to_end(&mut secret).map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    match status.success() {
        true => Ok(secret),
        false => Err(CliError::failed(format!("the password command `{shown}` failed: {status}"))),
    }
}

/// Whether somebody sits at a terminal.
pub(crate) fn has_terminal() -> bool {
    let attached = io::stdin().is_terminal() || io::stderr().is_terminal();
    attached && fs::OpenOptions::new().read(true).write(true).open("/dev/tty").is_ok()
}

fn ask(question: &str, new: bool) -> Result<Secret, CliError> {
    if !has_terminal() {
        let error =
            CliError::new(Exit::WrongPassword, "a password is needed, and there is no terminal to ask at");
        return Err(error.hint(NO_PASSWORD_HINT));
    }
    let password = prompt(question)?;
    if new && !password.is_empty() && *password != *prompt("The same password again: ")? {
        return Err(CliError::failed("the two passwords differ"));
    }
    Ok(password)
}

fn prompt(question: &str) -> Result<Secret, CliError> {
    let answer = rpassword::prompt_password(question).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => CliError::new(Exit::Interrupted, "interrupted"),
        _ => CliError::caused(Exit::WrongPassword, "cannot read a password from the terminal", error),
    })?;
    Ok(Zeroizing::new(answer.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(source: &Source) -> Result<Vec<u8>, CliError> {
        source.read("", false).map(|credentials| match credentials {
            Credentials::Password(bytes) | Credentials::KeyFile(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        })
    }

    #[test]
    fn one_newline_at_the_end_of_a_password_is_dropped_but_a_key_file_is_exact() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        for (bytes, wanted) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("a", "a")] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(password(&Source::File(path.clone())).unwrap(), wanted.as_bytes(), "{bytes:?}");
            assert_eq!(password(&Source::KeyFile(path.clone())).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn a_password_command_runs_without_a_shell() {
        assert_eq!(password(&Source::Command("echo 'a  b' $HOME".into())).unwrap(), b"a  b $HOME");
        for wrong in ["false", "'open", "", "/nonexistent/command", "true"] {
            assert!(password(&Source::Command(wrong.into())).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_password_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        fs::write(&path, "\n").unwrap();
        assert_eq!(password(&Source::File(path)).unwrap_err().exit, Exit::WrongPassword);
    }
}
