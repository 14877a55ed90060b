//! Streams that `warp commit` reads in place of files.

use std::ffi::OsString;
use std::io::{self, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::cli::error::{CliError, Exit};
use crate::cli::escape;

/// What a command prints. At its end the command must have succeeded, or the stream ends with an error: then no commit is made.
pub(crate) struct CommandOutput {
    child: Child,
    stdout: ChildStdout,
    shown: String,
}

impl CommandOutput {
    /// Starts the command.
    pub(crate) fn start(words: &[OsString]) -> Result<Self, CliError> {
        let [program, args @ ..] = words else {
            let error = CliError::usage("--stdin-from-command needs a command");
            return Err(
                error.hint("write it behind --, as in `warp commit --stdin-from-command -- pg_dump db`")
            );
        };
        let shown = escape::path(program.as_ref()).into_owned();
        let failed = |error| CliError::caused(Exit::Failed, format!("cannot run {shown}"), error);
        let mut child = Command::new(program).args(args).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let stdout = child.stdout.take().expect("its standard output was asked for as a pipe");
        Ok(Self { child, stdout, shown })
    }
}

impl Read for CommandOutput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stdout.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        let status = self.child.wait()?;
        match status.success() {
            true => Ok(0),
            false => Err(io::Error::other(format!("the command {} failed: {status}", self.shown))),
        }
    }
}

impl Drop for CommandOutput {
    /// A command that nobody reads any more is ended.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(script: &str) -> io::Result<String> {
        let words = ["sh", "-c", script].map(OsString::from);
        io::read_to_string(CommandOutput::start(&words).unwrap())
    }

    #[test]
    fn a_command_that_succeeds_is_a_stream() {
        assert_eq!(output("echo one; echo two").unwrap(), "one\ntwo\n");
        assert_eq!(output("true").unwrap(), "");
    }

    #[test]
    fn a_command_that_fails_ends_the_stream_with_an_error() {
        for script in ["echo one; exit 3", "kill -9 $$", "false"] {
            assert!(output(script).unwrap_err().to_string().contains("sh failed"), "{script}");
        }
    }

    #[test]
    fn a_command_that_is_not_there_is_refused_at_once() {
        assert!(CommandOutput::start(&["/nonexistent".into()]).is_err());
        assert_eq!(CommandOutput::start(&[]).err().map(|error| error.exit), Some(Exit::Usage));
    }
}
