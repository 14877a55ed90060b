mod recover;
mod rotate;

use std::path::PathBuf;

use serde::Serialize;
use warp::format::config::SlotKind;
use warp::repo::{Credentials, Repository, SlotInfo};
use zeroize::Zeroizing;

use crate::cli::context::{self, Context};
use crate::cli::error::{CliError, Exit};
use crate::cli::password::{self, Source};
use crate::cli::ui::Ui;
use crate::cli::{escape, time};

/// Manage the passwords and key files that open the repository
///
/// Any of them opens all of it. A password that is removed opens the repository no more; but who had it, and a copy of
/// the repository or of its keys, can still read that copy, and with the keys what is written later: `warp key rotate` makes
/// new ones.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "\
Examples:
  warp key list
  warp key add --label backup-server --new-key-file /etc/warp/server.key
  warp key passwd                         change the password that you use
  warp key remove 2
  warp key rotate --remove-others         new keys: who knew the old ones reads nothing new
  warp key export > recovery-sheet.txt    print it, and lock it away
  warp key recover --sheet typed.txt      every password is forgotten: set a new one
  warp key transport                      who this client is to servers",
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
    ///
    /// Asks for a password that opens the repository now, then twice for the new one. The old one stays.
    Add {
        /// A name for people, to tell it from others in `warp key list`; without it user@host
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
    ///
    /// Asks for the present password, then twice for the new one, which takes its place. Others stay.
    Passwd {
        #[command(flatten)]
        new: NewArgs,
    },
    /// Make new keys, which seal all that is written from now on
    ///
    /// For when somebody who could open the repository shall read nothing new: behind a password that is removed the keys stay as
    /// they are. The password or key file in use stays the same, and opens the new keys. Others cannot be carried over, since they
    /// are not known here: --remove-others gives them up, and `warp key add` adds them again. Recovery sheets from before help no
    /// more: print a new one with `warp key export`. What runs meanwhile is told that the keys are others, and has to be run again.
    ///
    /// What is stored stays under the older key until it is written anew: `warp gc` does that bit by bit, `warp repack --old-keys`
    /// at once, and `warp stats` tells how much is left. Whoever knew the older keys can read whatever they have or had a copy of,
    /// and entries of the log from before. How files are cut and their pieces named does not change, nor does the key that vouches
    /// for devices: who knew these, and can write to the repository, can still enrol a device. Against that only a new repository helps.
    Rotate(rotate::RotateArgs),
    /// Print a recovery sheet, which opens the repository without any password
    ///
    /// Whoever has the sheet can read everything. It helps when every password is forgotten, and when the repository's
    /// configuration is destroyed: `warp key recover` reads it.
    Export,
    /// Open the repository with a recovery sheet, and set a new password
    ///
    /// For when every password is forgotten, or the repository's configuration is destroyed. The sheet is the text that
    /// `warp key export` printed, kept as a file or typed in again. Upper or lower case, spaces and where lines end do not
    /// matter, and an error in typing is found in its line.
    ///
    /// Asks for a new password and adds it; other passwords stay. A destroyed configuration is written anew as it was when
    /// the sheet was printed, and the new password is then the only one.
    #[command(visible_alias = "import")]
    Recover(recover::RecoverArgs),
    /// Print the public key by which servers know this client
    ///
    /// Its owner puts the line into the access file of `warp serve`, with what the client may do. It opens no repository and is made
    /// on first use; its secret half stays in `transport.key` in $XDG_STATE_HOME/warp, else in ~/.local/state/warp. No repository is needed.
    Transport,
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

const NO_NEW_PASSWORD_HINT: &str = "give it with --new-password-file FILE or --new-password-command CMD, name a key file with --new-key-file FILE, or run warp in a terminal";

impl NewArgs {
    fn read(&self) -> Result<Credentials, CliError> {
        let source = match (&self.new_key_file, &self.new_password_file, &self.new_password_command) {
            (Some(path), ..) => Source::KeyFile(path.clone()),
            (_, Some(path), _) => Source::File(path.clone()),
            (.., Some(command)) => Source::Command(command.clone()),
            _ if password::has_terminal() => Source::Prompt,
            _ => {
                let missing = "a new password is needed, and there is no terminal to ask at";
                return Err(CliError::new(Exit::WrongPassword, missing).hint(NO_NEW_PASSWORD_HINT));
            }
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
    match &args.action {
        Action::List => list(ui, ctx)?,
        Action::Export => export(ui, ctx)?,
        Action::Remove { id } => {
            ctx.open(ui)?.repo.key_remove(*id)?;
            ui.status(format_args!("Removed key {id}"));
        }
        Action::Add { label, new } => {
            let repo = ctx.open(ui)?.repo;
            let label = label.clone().unwrap_or_else(|| ctx.who());
            let id = repo.key_add(&new.read()?, &label, context::kdf())?;
            report(ui, "key_added", "Added", id)?;
        }
        Action::Passwd { new } => {
            let repo = ctx.open(ui)?.repo;
            let id = repo.key_change(&new.read()?, context::kdf())?;
            report(ui, "key_changed", "Changed to", id)?;
        }
        Action::Rotate(args) => rotate::run(ui, ctx, args)?,
        Action::Recover(args) => recover::run(ui, ctx, args)?,
        Action::Transport => transport(ui, ctx)?,
    }
    Ok(Exit::Done)
}

fn transport(ui: &mut Ui, ctx: &Context) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Line {
        message_type: &'static str,
        key: String,
    }
    let key = ctx.transport_identity()?.key().to_string();
    if ui.is_json() {
        return Ok(ui.json(&Line { message_type: "transport_key", key })?);
    }
    writeln!(ui.out(), "{key}")?;
    Ok(())
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

fn list(ui: &mut Ui, ctx: &Context) -> Result<(), CliError> {
    for slot in ctx.open(ui)?.repo.key_slots() {
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

fn export(ui: &mut Ui, ctx: &Context) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Sheet<'a> {
        message_type: &'static str,
        text: &'a str,
    }
    let repo = ctx.open(ui)?.repo;
    let text = Zeroizing::new(format!("{}{}", sheet_heading(&repo), *repo.key_export()?));
    if ui.is_json() {
        ui.json(&Sheet { message_type: "recovery_sheet", text: &text })?;
    } else {
        ui.out().write_all(text.as_bytes())?;
    }
    ui.status(format_args!("Whoever has this sheet can read the repository: print it and lock it away."));
    ui.status(format_args!("`warp key recover` reads it when every password is forgotten."));
    Ok(())
}

/// Comments that tell whoever finds the sheet what it is. Nothing in them is secret.
fn sheet_heading(repo: &Repository) -> String {
    let location = repo.location();
    let (location, now) = (escape::line(&location), time::short(time::now()));
    format!(
        "# Of the warp repository {location}, printed {now}.\n\
         # Whoever has this sheet can read that repository. To use it, have its lines in a file, and run\n\
         #   warp -r REPOSITORY key recover --sheet FILE\n"
    )
}
