use std::fs;
use std::path::{Path, PathBuf};

use clap_complete::Shell;

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
    clap_mangen::generate_to(crate::cli::definition(), dir)
        .map_err(|error| CliError::file("write man pages to", dir, error))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    fs::write(path, bytes).map_err(|error| CliError::file("write", path, error))
}
