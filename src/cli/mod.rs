//! The command line: arguments in, exit code out. Everything that it does, the library does.

mod args;
mod cmd;
mod config;
mod context;
mod error;
mod escape;
mod graph;
mod history;
mod json;
mod list;
mod password;
mod patch;
mod progress;
mod ref_lines;
mod remote;
mod server;
mod settings;
mod signals;
mod size;
mod time;
mod ui;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, ValueEnum};
use warp::isa::Isa;

use args::GlobalArgs;
use context::Context;
use error::{CliError, Exit};
use settings::Settings;
use ui::{ColorChoice, Ui};

/// Back up directories as git keeps sources: deduplicated, compressed, encrypted versions
///
/// A repository holds commits of whole directory trees. It lies in a `.warp` folder inside the directory that it backs
/// up, as with git, or on its own (`warp init --bare`), as with other backup tools.
#[derive(Parser, Debug)]
#[command(name = "warp", version, max_term_width = 100, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    globals: GlobalArgs,
    #[command(subcommand)]
    command: cmd::Command,
}

const EXAMPLES: &str = "\
Examples:
  Keep versions of one directory, next to it:
    cd ~/thesis
    warp init
    warp commit -m 'first draft'
    warp log
    warp checkout HEAD~1 -- chapter1.tex

  Back up a home directory to another disk:
    warp init --bare /mnt/disk/backup
    export WARP_REPOSITORY=/mnt/disk/backup
    warp commit --exclude-caches ~
    warp ls -R latest
    warp restore --source latest --target /tmp/restored

Revisions (REV) name a commit:
  main, v1           a branch, a tag
  origin/main        where the branch of a remote stood at the last fetch or push
  1f3a               an id, or its first digits, at least four: `warp log --oneline` prints them
  HEAD               where the working directory stands: its last commit
  latest             the newest commit; --host, --path and --tag say of what
  HEAD~2, main~2     two commits before
  main@{2 days ago}  where the branch stood then; also @{2026-11-22}, and @{1}: before it moved last
  REV:PATH           a file or directory of that commit

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done, but some paths failed; 10 no repository;
12 wrong or no password; 130 interrupted.";

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    signals::receive();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(harmless(error)).into(),
    };
    let mut ui = Ui::new(cli.globals.verbosity(), cli.globals.color.unwrap_or_default());
    let result = run(&mut ui, cli);
    // Whatever failed because it was to stop.
    let result = result.map_err(|error| if signals::cancelled() { error.interrupted() } else { error });
    ui.finish(result).into()
}

fn run(ui: &mut Ui, cli: Cli) -> Result<Exit, CliError> {
    choose_isa()?;
    if let Some(result) = cmd::run_alone(ui, &cli) {
        return result;
    }
    let ctx = Context::new(cli.globals)?;
    apply(ui, &ctx.globals, &ctx.settings)?;
    cmd::run(ui, &ctx, &cli.command)
}

/// Lets `WARP_ISA` choose the instruction set of the kernels, for measurements and to rule one out.
fn choose_isa() -> Result<(), CliError> {
    let Some(name) = std::env::var_os("WARP_ISA").filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    let chosen = name.to_string_lossy().parse::<Isa>().and_then(Isa::choose);
    chosen.map_err(|error| CliError::usage(format!("WARP_ISA: {error}")))
}

/// Lets the settings say what the command line did not.
fn apply(ui: &mut Ui, globals: &GlobalArgs, settings: &Settings) -> Result<(), CliError> {
    if let (None, Some(color)) = (globals.color, settings.color.as_deref()) {
        let choice = ColorChoice::from_str(color, true);
        ui.set_color(
            choice.map_err(|_| CliError::usage(format!("color is {color:?}: auto, always or never")))?,
        );
    }
    if settings.progress == Some(false) {
        ui.hide_progress();
    }
    Ok(())
}

/// Prints help, the version, or what is wrong with the arguments.
fn refuse(error: clap::Error) -> Exit {
    let wanted = !error.use_stderr();
    let as_json = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
    if as_json && !wanted {
        let level = ui::Verbosity { json: true, ..ui::Verbosity::default() };
        let message = error.to_string().trim_start_matches("error: ").trim_end().to_owned();
        return Ui::new(level, ColorChoice::Never).finish(Err(CliError::usage_lines(message)));
    }
    // A closed pipe is no reason to fail.
    let _ = error.print();
    if wanted { Exit::Done } else { Exit::Usage }
}

/// The same error with the arguments that it repeats made harmless to a terminal.
fn harmless(mut error: clap::Error) -> clap::Error {
    let args_are_harmless = std::env::args_os().all(|arg| escape::is_harmless(&arg.to_string_lossy()));
    if args_are_harmless {
        return error;
    }
    let context: Vec<(ContextKind, ContextValue)> =
        error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in context {
        let line = |text: String| escape::line(&text);
        match value {
            ContextValue::String(text) => drop(error.insert(kind, ContextValue::String(line(text)))),
            ContextValue::Strings(texts) => {
                let texts = texts.into_iter().map(line).collect();
                error.insert(kind, ContextValue::Strings(texts));
            }
            // They repeat the argument between colours.
            ContextValue::StyledStrs(_) if kind == ContextKind::Suggested => drop(error.remove(kind)),
            _ => {}
        }
    }
    error
}

/// The definition of the command line, for man pages and completions.
fn definition() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        super::definition().debug_assert();
    }
}
