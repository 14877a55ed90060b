use serde::Serialize;
use warp::compress::Level;
use warp::format::pack::Parity;

use crate::cli::args::GlobalArgs;
use crate::cli::context::{self, Context};
use crate::cli::error::{CliError, Exit};
use crate::cli::settings::{KEYS, Key, key};
use crate::cli::ui::Ui;
use crate::cli::{config as file, escape};

/// Read and change lasting settings
///
/// A user's settings lie in ~/.config/warp/config.toml. A table [profile.NAME] in it holds others, which --profile NAME
/// puts above the rest. Every key is also a variable: WARP_EXCLUDE_CACHES=true sets `exclude-caches`. What the command
/// line says counts most, then the environment, the profile, the rest of the file.
///
/// With --repository, settings that lie in the repository and hold for everybody: `compression`; `delta`: on, off, or how
/// many differences may lie one above the other, 1 to 4 (on means 1). Without deltas everything that changed is stored in full;
/// and `parity`: what share of each new pack may be damaged and is healed all the same, 1% to 50% (3% unless set), or none;
/// `warp parity` changes it for what is stored already, too.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "\
Examples:
  warp config set repository /mnt/backup
  warp config set exclude '*.o' node_modules/
  warp --profile nas config set repository /mnt/nas
  warp config list
  warp config set --repository compression 9",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Print the value of a key; exit code 1 if it has none
    Get {
        /// The key, one of those that `warp config list --keys` prints
        key: String,
        /// Of the repository, not of the user
        #[arg(long)]
        repository: bool,
    },
    /// Give a key a value; comments in the file stay
    Set {
        /// The key, one of those that `warp config list --keys` prints
        key: String,
        /// Its value; for lists: all of them
        #[arg(required = true, allow_hyphen_values = true)]
        value: Vec<String>,
        /// In the repository, for everybody
        #[arg(long)]
        repository: bool,
    },
    /// Take a key's value away
    Unset {
        /// The key, one of those that `warp config list --keys` prints
        key: String,
        /// In the repository, for everybody
        #[arg(long)]
        repository: bool,
    },
    /// Print all values, and where each comes from
    List {
        /// Of the repository, not of the user
        #[arg(long)]
        repository: bool,
        /// Print all keys and what they mean
        #[arg(long, conflicts_with = "repository")]
        keys: bool,
    },
}

#[derive(Serialize)]
struct Setting<'a> {
    message_type: &'static str,
    key: &'a str,
    value: toml::Value,
    origin: &'a str,
}

/// Runs what must work even if the file is broken or does not have the profile yet; `None` for the rest.
pub(crate) fn run_on_file(ui: &mut Ui, globals: &GlobalArgs, args: &Args) -> Option<Result<Exit, CliError>> {
    match &args.action {
        Action::Set { key, value, repository: false } => Some(edit(globals, key, Some(value))),
        Action::Unset { key, repository: false } => Some(edit(globals, key, None)),
        Action::List { keys: true, .. } => Some(list_keys(ui)),
        _ => None,
    }
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    match &args.action {
        Action::Get { key, repository: false } => get(ui, ctx, known(key)?),
        Action::List { repository: false, keys: false } => list(ui, ctx),
        Action::Set { key, repository: false, value } => edit(&ctx.globals, key, Some(value)),
        Action::Unset { key, repository: false } => edit(&ctx.globals, key, None),
        Action::List { keys: true, .. } => list_keys(ui),
        in_repository => run_in_repository(ui, ctx, in_repository),
    }
}

fn known(name: &str) -> Result<&'static Key, CliError> {
    key(name).ok_or_else(|| {
        let error = CliError::usage(format!("there is no setting {}", escape::name(name.as_bytes())));
        error.hint("`warp config list --keys` shows every key")
    })
}

fn edit(globals: &GlobalArgs, name: &str, words: Option<&Vec<String>>) -> Result<Exit, CliError> {
    let key = known(name)?;
    let value = words.map(|words| file::editable(key, words)).transpose().map_err(CliError::usage)?;
    let path = file::path(file::home().as_deref())?;
    file::edit(&path, context::profile(globals).as_deref(), key, value)?;
    Ok(Exit::Done)
}

/// The value of a key in the strongest layer that has one, and the layer's name.
fn effective(ctx: &Context, key: &Key) -> Option<(toml::Value, &'static str)> {
    ctx.layers().into_iter().find_map(|(origin, layer)| Some((layer.values().remove(key.name)?, origin)))
}

fn get(ui: &mut Ui, ctx: &Context, key: &Key) -> Result<Exit, CliError> {
    let Some((value, origin)) = effective(ctx, key) else { return Ok(Exit::Failed) };
    if ui.is_json() {
        ui.json(&Setting { message_type: "setting", key: key.name, value, origin })?;
        return Ok(Exit::Done);
    }
    for line in shown(&value) {
        writeln!(ui.out(), "{line}")?;
    }
    Ok(Exit::Done)
}

/// A value as lines: one, or one for each of a list.
fn shown(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::Array(values) => values.iter().flat_map(shown).collect(),
        toml::Value::String(text) => vec![escape::line(text)],
        other => vec![other.to_string()],
    }
}

fn list(ui: &mut Ui, ctx: &Context) -> Result<Exit, CliError> {
    for key in KEYS {
        let Some((value, origin)) = effective(ctx, key) else { continue };
        if ui.is_json() {
            ui.json(&Setting { message_type: "setting", key: key.name, value, origin })?;
            continue;
        }
        for line in shown(&value) {
            writeln!(ui.out(), "{origin:<12} {} = {line}", key.name)?;
        }
    }
    Ok(Exit::Done)
}

fn list_keys(ui: &mut Ui) -> Result<Exit, CliError> {
    for key in KEYS {
        writeln!(ui.out(), "{:<20} {:<25} {}", key.name, key.env(), key.about)?;
    }
    Ok(Exit::Done)
}

fn run_in_repository(ui: &mut Ui, ctx: &Context, action: &Action) -> Result<Exit, CliError> {
    let repo = ctx.open(ui)?.repo;
    match action {
        Action::Get { key, .. } => match repo.setting(key) {
            Some(value) => writeln!(ui.out(), "{}", escape::line(&value))?,
            None => return Ok(Exit::Failed),
        },
        Action::Set { key, value, .. } => repo.set_setting(key, Some(&repository_value(key, value)?))?,
        Action::Unset { key, .. } => repo.set_setting(key, None)?,
        Action::List { .. } => {
            for (name, value) in repo.settings() {
                match ui.is_json() {
                    true => ui.json(&Setting {
                        message_type: "setting",
                        key: &name,
                        value: value.into(),
                        origin: "repository",
                    })?,
                    false => writeln!(ui.out(), "{} = {}", escape::line(&name), escape::line(&value))?,
                }
            }
        }
    }
    Ok(Exit::Done)
}

fn repository_value(key: &str, words: &[String]) -> Result<String, CliError> {
    match (key, words) {
        ("compression", [level]) => match level.parse::<Level>() {
            Ok(level) => Ok(level.to_string()),
            Err(why) => Err(CliError::caused(Exit::Usage, "compression is wrong", why)),
        },
        ("compression", _) => Err(CliError::usage("compression takes one value")),
        ("delta", [value]) if ["on", "off", "1", "2", "3", "4"].contains(&value.as_str()) => {
            Ok(value.clone())
        }
        ("delta", _) => Err(CliError::usage("delta is on, off, or a depth from 1 to 4")),
        ("parity", [share]) => match share.parse::<Parity>() {
            Ok(parity) => Ok(parity.to_string()),
            Err(why) => Err(CliError::caused(Exit::Usage, "parity is wrong", why)),
        },
        ("parity", _) => Err(CliError::usage("parity takes one value")),
        _ => Err(CliError::usage(format!("a repository has no setting {}", escape::name(key.as_bytes())))
            .hint("it has `compression`, `delta` and `parity`")),
    }
}
