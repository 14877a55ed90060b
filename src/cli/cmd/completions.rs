use clap_complete::Shell;

use crate::cli::error::{CliError, Exit};
use crate::cli::ui::Ui;

/// Print what a shell needs to complete warp's arguments
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp completions bash > ~/.local/share/bash-completion/completions/warp
  warp completions zsh > ~/.zfunc/_warp
  warp completions fish > ~/.config/fish/completions/warp.fish")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Name,
}

/// A shell.
#[derive(clap::ValueEnum, Debug, Clone, Copy)]
enum Name {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(ui: &mut Ui, args: &Args) -> Result<Exit, CliError> {
    let shell = match args.shell {
        Name::Bash => Shell::Bash,
        Name::Zsh => Shell::Zsh,
        Name::Fish => Shell::Fish,
    };
    ui.out().write_all(&script(shell))?;
    Ok(Exit::Done)
}

/// The script for a shell.
pub(crate) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::definition(), "warp", &mut script);
    script
}
