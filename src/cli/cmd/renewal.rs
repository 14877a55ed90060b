//! What `parity` and `repack --old-keys` tell of packs that were written anew.

use serde::Serialize;
use warp::ops::RenewOutcome;

use crate::cli::error::{CliError, Exit};
use crate::cli::size::{count, human};
use crate::cli::ui::Ui;

/// How it is told.
pub(super) struct Renewal {
    pub(super) message_type: &'static str,
    /// What was done with packs.
    pub(super) done: &'static str,
    /// Why there was nothing to do.
    pub(super) nothing: &'static str,
    /// What the others are.
    pub(super) left: &'static str,
}

#[derive(Serialize)]
struct Line {
    message_type: &'static str,
    dry_run: bool,
    stopped: bool,
    packs_due: u64,
    bytes_due: u64,
    packs_renewed: u64,
    bytes_renewed: u64,
    packs_written: u64,
    bytes_written: u64,
    packs_left: u64,
    bytes_left: u64,
}

pub(super) fn report(ui: &mut Ui, done: &RenewOutcome, how: &Renewal) -> Result<Exit, CliError> {
    if ui.is_json() {
        ui.json(&as_json(done, how))?;
    } else if !ui.is_quiet() {
        for line in lines(done, how) {
            writeln!(ui.out(), "{line}")?;
        }
    }
    Ok(if done.stopped { Exit::Interrupted } else { Exit::Done })
}

fn as_json(done: &RenewOutcome, how: &Renewal) -> Line {
    Line {
        message_type: how.message_type,
        dry_run: done.dry_run,
        stopped: done.stopped,
        packs_due: done.packs_due,
        bytes_due: done.bytes_due,
        packs_renewed: done.packs_renewed,
        bytes_renewed: done.bytes_renewed,
        packs_written: done.packs_written,
        bytes_written: done.bytes_written,
        packs_left: done.packs_left,
        bytes_left: done.bytes_left,
    }
}

fn lines(done: &RenewOutcome, how: &Renewal) -> Vec<String> {
    if done.packs_due == 0 {
        return vec![how.nothing.to_owned()];
    }
    let mut lines = Vec::new();
    let packs = format!("{} of {}", count(done.packs_renewed, "pack", "packs"), human(done.bytes_renewed));
    lines.push(match done.dry_run {
        true => format!("{packs} would be {}", how.done),
        false => {
            let (after, bytes) = (done.packs_written, human(done.bytes_written));
            format!("{packs} {}, as {after} of {bytes}", how.done)
        }
    });
    if done.packs_left > 0 {
        let packs = count(done.packs_left, "pack is", "packs are");
        let bytes = human(done.bytes_left);
        lines.push(format!(" {packs} {}, {bytes}: run it again to go on", how.left));
    }
    lines
}
