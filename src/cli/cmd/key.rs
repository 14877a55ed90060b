use std::path::PathBuf;

use serde::Serialize;
use warp::format::config::SlotKind;
use warp::repo::{Credentials, Repository, SlotInfo};

use crate::cli::context::{self, Context};
use crate::cli::error::{CliError, Exit};
use crate::cli::password::Source;
use crate::cli::ui::Ui;
use crate::cli::{escape, time};

/// Manage the passwords and key files that open the repository
///
/// Any of them opens all of it. A password that is removed opens the repository no more; but who had it, and a copy of
/// the repository, can still read that copy.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "\
Examples:
  warp key list
  warp key add --label backup-server --new-key-file /root/warp.key
  warp key passwd                         change the password that you use
  warp key remove 2
  warp key export > recovery-sheet.txt    print it, and lock it away",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Add a password or a key file
    Add {
        /// A name for people
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        #[command(flatten)]
        new: NewArgs,
    },
    /// List passwords and key files; * marks the one in use
    List,
    /// Remove a password or key file; the last one stays
    Remove {
        /// Its number, as `warp key list` shows it
        #[arg(value_name = "ID")]
        id: u32,
    },
    /// Change the password or key file in use
    Passwd {
        #[command(flatten)]
        new: NewArgs,
    },
    /// Print a recovery sheet, which opens the repository without any password
    ///
    /// Whoever has the sheet can read everything. It helps when every password is forgotten, and when the repository's
    /// configuration is destroyed.
    Export,
}

/// Where a new password comes from; without any it is asked for
#[derive(clap::Args, Debug)]
struct NewArgs {
    /// Read the new password from a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["new_password_command", "new_key_file"])]
    new_password_file: Option<PathBuf>,

    /// Run a command that prints the new password
    #[arg(long, value_name = "CMD", conflicts_with = "new_key_file")]
    new_password_command: Option<String>,

    /// Take a file's bytes as a new key
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,
}

impl NewArgs {
    fn read(&self) -> Result<Credentials, CliError> {
        let source = match (&self.new_key_file, &self.new_password_file, &self.new_password_command) {
            (Some(path), ..) => Source::KeyFile(path.clone()),
            (_, Some(path), _) => Source::File(path.clone()),
            (.., Some(command)) => Source::Command(command.clone()),
            _ => Source::Prompt,
        };
        source.read("New password: ", true)
    }
}

#[derive(Serialize)]
struct Slot {
    message_type: &'static str,
    current: bool,
    id: u32,
    kind: &'static str,
    label: String,
    created: String,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = ctx.open(ui)?.repo;
    match &args.action {
        Action::List => list(ui, &repo)?,
        Action::Export => export(ui, &repo)?,
        Action::Remove { id } => {
            repo.key_remove(*id)?;
            ui.status(format_args!("Removed key {id}"));
        }
        Action::Add { label, new } => {
            let label = label.clone().unwrap_or_else(|| ctx.who());
            let id = repo.key_add(&new.read()?, &label, context::kdf())?;
            report(ui, "key_added", "Added", id)?;
        }
        Action::Passwd { new } => {
            let id = repo.key_change(&new.read()?, context::kdf())?;
            report(ui, "key_changed", "Changed to", id)?;
        }
    }
    Ok(Exit::Done)
}

fn report(ui: &mut Ui, message_type: &'static str, verb: &str, id: u32) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Line {
        message_type: &'static str,
        id: u32,
    }
    if ui.is_json() {
        return Ok(ui.json(&Line { message_type, id })?);
    }
    ui.status(format_args!("{verb} key {id}"));
    Ok(())
}

fn kind(slot: &SlotInfo) -> &'static str {
    match slot.kind {
        SlotKind::Password => "password",
        SlotKind::KeyFile => "key-file",
    }
}

fn list(ui: &mut Ui, repo: &Repository) -> Result<(), CliError> {
    for slot in repo.key_slots() {
        let created = warp::format::dirtree::Timestamp { secs: slot.created, nanos: 0 };
        let (current, id, kind) = (slot.current, slot.id, kind(&slot));
        if ui.is_json() {
            let (label, created) = (slot.label, time::rfc3339(created));
            ui.json(&Slot { message_type: "key", current, id, kind, label, created })?;
            continue;
        }
        let mark = if current { '*' } else { ' ' };
        writeln!(ui.out(), "{mark}{id:>3} {kind:<9} {} {}", time::short(created), escape::line(&slot.label))?;
    }
    Ok(())
}

fn export(ui: &mut Ui, repo: &Repository) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Sheet<'a> {
        message_type: &'static str,
        text: &'a str,
    }
    let text = repo.key_export()?;
    if ui.is_json() {
        ui.json(&Sheet { message_type: "recovery_sheet", text: &text })?;
    } else {
        ui.out().write_all(text.as_bytes())?;
    }
    ui.status(format_args!("Whoever has this sheet can read the repository: print it and lock it away."));
    ui.status(format_args!(
        "No command of this version reads a sheet back yet; its format is kept for those that will."
    ));
    Ok(())
}
