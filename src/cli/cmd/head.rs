use serde::Serialize;
use warp::repo::{LogHead, SeenBefore};

use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::ui::Ui;

/// Show the last entry of the log, to compare between machines
///
/// Every entry carries the hash of the one before, so two machines that show the same number and fingerprint see the same
/// history. warp refuses by itself a repository that was put back to an older state than this client has seen; whoever has
/// never seen it can only compare: with a machine that has, or with a note.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp head                     number and fingerprint
  warp head -v                  and the whole hash
  warp head --accept-rollback   after the repository was brought back from a copy")]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Head {
    message_type: &'static str,
    number: u64,
    fingerprint: String,
    hash: String,
    /// `never`, `same`, `older` or `put_back`.
    seen_before: &'static str,
    seen_number: Option<u64>,
}

impl Head {
    fn new(head: &LogHead, seen: SeenBefore) -> Self {
        let (seen_before, seen_number) = match seen {
            SeenBefore::Never => ("never", None),
            SeenBefore::Same => ("same", Some(head.number)),
            SeenBefore::Older { number } => ("older", Some(number)),
            SeenBefore::PutBack { number } => ("put_back", Some(number)),
        };
        let (fingerprint, hash) = (head.fingerprint(), head.hash.to_hex());
        Self { message_type: "head", number: head.number, fingerprint, hash, seen_before, seen_number }
    }
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, _: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let (head, seen) = (opened.repo.head()?, opened.repo.seen_before());
    if ui.is_json() {
        ui.json(&Head::new(&head, seen))?;
        return Ok(Exit::Done);
    }
    writeln!(ui.out(), "{} {}", head.number, head.fingerprint())?;
    if ui.verbose() > 0 {
        writeln!(ui.out(), "{}", head.hash)?;
    }
    let known = match seen {
        SeenBefore::Never => {
            "this client sees the repository for the first time: compare with another".to_owned()
        }
        SeenBefore::Same => "this client has seen the same head before".to_owned(),
        SeenBefore::Older { number } => format!("this client had seen entry {number}, which this continues"),
        SeenBefore::PutBack { number: 0 } => {
            "the repository was put back: it has the log again that this client had rebuilt".to_owned()
        }
        SeenBefore::PutBack { number } => {
            format!(
                "the repository was put back: this client had seen entry {number}, which is gone or another one now"
            )
        }
    };
    ui.status(format_args!("{known}"));
    Ok(Exit::Done)
}
