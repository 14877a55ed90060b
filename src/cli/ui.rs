//! All output: standard output carries data, standard error carries news.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use warp::observe::Observer;

use super::error::{CliError, Exit};
use super::escape;
use super::json;
use super::progress::{self, Progress, Show};
use super::signals;

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always, also into files and pipes
    Always,
    /// Never
    Never,
}

/// The colours that warp uses, as SGR codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Bold = 1,
    Red = 31,
    Green = 32,
    Yellow = 33,
    Blue = 34,
    Cyan = 36,
}

/// Prints what the library says beside an operation, also with `-q`.
#[derive(Debug)]
struct Warner(Verbosity);

impl Observer for Warner {
    fn notice(&self, text: &str) {
        let mut err = io::stderr().lock();
        // What a progress bar has drawn is in the way; nobody can be told if standard error is gone.
        let clear = if err.is_terminal() { "\r\x1b[2K" } else { "" };
        let _ = match self.0.json {
            true => writeln!(err, "{}", json::line(&json::Warning::new(escape::text(text).into_owned()))),
            false => writeln!(err, "{clear}warning: {}", escape::line(text)),
        };
    }
}

/// Who is told of a connection: what it has carried, and when it is lost.
#[derive(Debug)]
struct Link(Warner);

impl Observer for Link {
    fn notice(&self, text: &str) {
        self.0.notice(text);
    }

    fn advance(&self, _: u64, bytes: u64) {
        progress::carried(bytes);
    }

    fn cancelled(&self) -> bool {
        signals::cancelled()
    }
}

/// Who is told of connections to servers.
pub(crate) fn link_observer(level: Verbosity) -> Arc<dyn Observer> {
    Arc::new(Link(Warner(level)))
}

/// Who takes warnings that can come at any time, from any thread.
pub(crate) fn warner(level: Verbosity) -> Arc<dyn Observer> {
    Arc::new(Warner(level))
}

/// How much is said.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Verbosity {
    /// Nothing but data, warnings and errors.
    pub(crate) quiet: bool,
    /// How often `-v` was given.
    pub(crate) verbose: u8,
    /// JSON in place of text: one object a line, but for the array of `log`.
    pub(crate) json: bool,
    /// No progress display.
    pub(crate) no_progress: bool,
}

/// Standard output and standard error.
pub(crate) struct Ui {
    out: Out<BufWriter<io::Stdout>>,
    color: bool,
    out_is_terminal: bool,
    level: Verbosity,
}

impl Ui {
    pub(crate) fn new(level: Verbosity, color: ColorChoice) -> Self {
        let out = Out { inner: BufWriter::with_capacity(64 << 10, io::stdout()), broken: false };
        let out_is_terminal = io::stdout().is_terminal();
        let mut ui = Self { out, color: false, out_is_terminal, level };
        ui.set_color(color);
        ui
    }

    pub(crate) fn set_color(&mut self, choice: ColorChoice) {
        let unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        self.color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => self.out_is_terminal && !unwanted(),
        };
    }

    pub(crate) fn hide_progress(&mut self) {
        self.level.no_progress = true;
    }

    /// Where data goes. Buffered; a closed pipe is noted and ends the command without a word.
    pub(crate) fn out(&mut self) -> &mut (dyn Write + Send) {
        &mut self.out
    }

    /// Whether data goes to a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Whether data is in colours.
    pub(crate) fn has_color(&self) -> bool {
        self.color
    }

    pub(crate) fn is_json(&self) -> bool {
        self.level.json
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.level.quiet
    }

    pub(crate) fn verbose(&self) -> u8 {
        self.level.verbose
    }

    /// One line of news on standard error, whatever names are in it; not with `-q` or `--json`.
    pub(crate) fn status(&mut self, line: fmt::Arguments<'_>) {
        if !self.level.quiet && !self.level.json {
            self.err(format_args!("{}", escape::line(&line.to_string())));
        }
    }

    /// One line on standard error that `-q` does not silence.
    pub(crate) fn warn(&mut self, line: fmt::Arguments<'_>) {
        if self.level.json {
            self.err(format_args!("{}", json::line(&json::Warning::new(line.to_string()))));
        } else {
            self.err(format_args!("warning: {}", escape::line(&line.to_string())));
        }
    }

    /// One JSON object on standard output.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        writeln!(self.out, "{}", json::line(value))
    }

    /// `text` in a colour, if standard output has colours.
    pub(crate) fn paint<'a>(&self, paint: Paint, text: &'a str) -> Cow<'a, str> {
        match self.color {
            true => Cow::Owned(format!("\x1b[{}m{text}\x1b[m", paint as u8)),
            false => Cow::Borrowed(text),
        }
    }

    /// An observer that draws a progress bar, if there is a terminal to draw on, and reports problems as they come.
    pub(crate) fn progress(&mut self) -> Progress {
        self.watch(!self.level.no_progress && !self.level.quiet)
    }

    /// An observer for commands that print while they work: problems and signals, no bar.
    pub(crate) fn observer(&mut self) -> Progress {
        self.watch(false)
    }

    /// A line that tells what happens now and goes when it is over, if there is a terminal to draw on.
    pub(crate) fn passing_line(&self) -> ProgressBar {
        let hidden = self.level.no_progress || self.level.quiet || self.level.json;
        // Where standard error is no terminal, nothing is drawn either.
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template("{msg}").expect("a template without fields of its own");
        ProgressBar::with_draw_target(None, target).with_style(style)
    }

    /// Who takes warnings that can come at any time, from any thread.
    pub(crate) fn warner(&self) -> Arc<dyn Observer> {
        warner(self.level)
    }

    fn watch(&mut self, shown: bool) -> Progress {
        let _ = self.out.flush();
        let show = match (shown, self.level.json) {
            (false, _) => Show::Nothing,
            (true, true) => Show::Json,
            (true, false) if io::stderr().is_terminal() => Show::Bar,
            (true, false) => Show::Nothing,
        };
        Progress::start(show, self.level)
    }

    /// Prints an error.
    pub(crate) fn error(&mut self, error: &CliError) {
        if self.level.json {
            let line =
                json::line(&json::ExitError::new(error.exit as u8, error.message(), error.hint.as_deref()));
            self.err(format_args!("{line}"));
        } else {
            self.err(format_args!("{}", error.report().trim_end()));
        }
    }

    /// Flushes, prints what went wrong, and says how the process ends. A reader that went away is no failure.
    pub(crate) fn finish(mut self, result: Result<Exit, CliError>) -> Exit {
        let flushed = self.out.flush();
        match (result, flushed) {
            (Ok(exit), Err(_)) if self.out.broken => exit,
            (Err(_), _) if self.out.broken => Exit::Done,
            (Ok(exit), Ok(())) => exit,
            (Ok(_), Err(error)) => self.fail(&error.into()),
            (Err(error), _) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &CliError) -> Exit {
        self.error(error);
        error.exit
    }

    /// Whoever reads standard error may have gone; that is no reason to stop.
    fn err(&mut self, line: fmt::Arguments<'_>) {
        let _ = self.out.flush();
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

/// A writer that remembers that its reader went away.
struct Out<W> {
    inner: W,
    broken: bool,
}

impl<W> Out<W> {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.broken |= matches!(&result, Err(error) if error.kind() == io::ErrorKind::BrokenPipe);
        result
    }
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.note(result)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let result = self.inner.write_all(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.note(result)
    }
}
