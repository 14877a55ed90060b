use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::completions;
use crate::cli::error::{CliError, Exit};

/// Generate files that the project keeps
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Write all man pages
    Man {
        /// Where to
        dir: PathBuf,
    },
    /// Write the completions of all shells
    Completions {
        /// Where to
        dir: PathBuf,
    },
}

pub(crate) fn run(args: &Args) -> Result<Exit, CliError> {
    match &args.action {
        Action::Man { dir } => man(dir),
        Action::Completions { dir } => {
            [("warp.bash", Shell::Bash), ("_warp", Shell::Zsh), ("warp.fish", Shell::Fish)]
                .into_iter()
                .try_for_each(|(name, shell)| write(&dir.join(name), &completions::script(shell)))
        }
    }?;
    Ok(Exit::Done)
}

/// One page for warp, one for each of its commands.
fn man(dir: &Path) -> Result<(), CliError> {
    let mut warp = crate::cli::definition().disable_help_subcommand(true);
    warp.build();
    pages(&warp, dir)
}

fn pages(command: &clap::Command, dir: &Path) -> Result<(), CliError> {
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| pages(below, dir))?;
    let man = Man::new(command.clone());
    let path = dir.join(man.get_filename());
    let page = page(&man, command).map_err(|error| CliError::file("write", &path, error))?;
    write(&path, &page)
}

/// A page with its examples as they are: the generator would fill their lines.
fn page(man: &Man, command: &clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(after) = command.get_after_help() {
        let after = after.to_string();
        let examples = after.trim_start_matches("Examples:\n");
        let mut section = Roff::new();
        section.control("SH", ["EXAMPLES"]).control("nf", []);
        section.text([roman(examples)]).control("fi", []);
        section.to_writer(&mut page)?;
    }
    Ok(page)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    fs::write(path, bytes).map_err(|error| CliError::file("write", path, error))
}
