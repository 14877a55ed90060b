//! What a key may write into the log, and take away.

use crate::format::log::{EntryPublic, RefChange};
use crate::format::wire::{FailCode, Failure, Rights};
use crate::id::{NamespaceId, PackId, SegmentId};
use crate::repo::PublicLog;

use super::names::Kind;
use super::{Grant, denied, refused};

/// Whether the key may append this entry, which keeps all rules that hold for everybody.
pub(super) fn check_entry(log: &PublicLog, grant: &Grant, public: &EntryPublic) -> Result<(), Failure> {
    let need = |right: Rights, what: &str| match grant.rights().has(right) {
        true => Ok(()),
        false => Err(denied(right, what)),
    };
    need(Rights::APPEND, "append to the log")?;
    let takes = !public.packs_condemned.is_empty()
        || !public.packs_removed.is_empty()
        || !public.segments_removed.is_empty();
    if takes {
        need(Rights::GC, "take packs or index segments away")?;
    }
    if !public.forgotten.is_empty() {
        // A parent that was forgotten elsewhere becomes known here only to be forgotten: that takes nothing away.
        let is_new = |id| !log.state.parents.contains_key(id);
        if !public.forgotten.iter().all(is_new) {
            need(Rights::GC, "forget commits")?;
        }
    }
    for record in &public.devices {
        let is_itself = record.device == public.device && record.roles != 0;
        if !is_itself || log.state.devices.contains_key(&record.device) {
            need(Rights::ADMIN, "enrol or revoke other devices")?;
        }
    }
    public.refs.iter().try_for_each(|change| check_ref(log, grant, public, change))
}

fn check_ref(
    log: &PublicLog,
    grant: &Grant,
    public: &EntryPublic,
    change: &RefChange,
) -> Result<(), Failure> {
    let forward = match (change.old, change.new) {
        (None, Some(_)) => true,
        (Some(old), Some(new)) => log.is_forward(old, new, &public.commits),
        _ => false,
    };
    if forward && grant.covers(Rights::APPEND, &change.namespace) {
        return Ok(());
    }
    if grant.covers(Rights::REF_FORCE, &change.namespace) {
        return Ok(());
    }
    let (right, what) = match forward {
        true => (Rights::APPEND, "move this ref"),
        false => (Rights::REF_FORCE, "delete this ref or move it to where it does not go forward"),
    };
    Err(match grant.rights().has(right) {
        true => elsewhere(right, what, &change.namespace),
        false => denied(right, what),
    })
}

/// The key has the right with refs of other namespaces.
fn elsewhere(right: Rights, what: &str, namespace: &NamespaceId) -> Failure {
    let text = format!(
        "this key may not {what}: it has the right {right} only in other namespaces than that of this ref, {namespace} \
         (`warp branch --namespaces` shows which branches that means)"
    );
    Failure::new(FailCode::Denied, right.bits().into(), text)
}

/// Whether a blob may be deleted: only what the log says is gone.
pub(super) fn check_delete(log: &PublicLog, grant: &Grant, kind: Kind, name: &str) -> Result<(), Failure> {
    let rights = grant.rights();
    let stays = || Err(refused(format!("{name} stays: the log does not say that it is removed")));
    match kind {
        Kind::Pack(pack) | Kind::Shard(pack, _) => {
            need(rights, Rights::GC, name)?;
            if log.state.removed_packs.contains(&pack) { Ok(()) } else { stays() }
        }
        Kind::Segment => {
            need(rights, Rights::GC, name)?;
            match segment_of(name) {
                Some(segment) if log.state.removed_segments.contains(&segment) => Ok(()),
                Some(_) => stays(),
                None => Ok(()),
            }
        }
        Kind::Checkpoint(_) => need(rights, Rights::GC, name),
        // An old generation, or what a recovery puts aside.
        Kind::Config | Kind::Log(_) | Kind::Lost => need(rights, Rights::ADMIN, name),
    }
}

fn need(rights: Rights, right: Rights, name: &str) -> Result<(), Failure> {
    if rights.has(right) { Ok(()) } else { Err(denied(right, &format!("delete {name}"))) }
}

fn segment_of(name: &str) -> Option<SegmentId> {
    name.strip_prefix("index/")?.parse().ok()
}

/// Whether a blob may be stored under this name at all.
pub(super) fn check_put(grant: &Grant, kind: Kind, name: &str, replace: bool) -> Result<(), Failure> {
    let right = match kind {
        _ if replace => Rights::GC,
        Kind::Pack(_) | Kind::Shard(..) | Kind::Segment | Kind::Log(_) => Rights::APPEND,
        // Who reads begins with a checkpoint: a false one could hide history.
        Kind::Checkpoint(_) => Rights::GC,
        Kind::Config | Kind::Lost => Rights::ADMIN,
    };
    match grant.rights().has(right) {
        true => Ok(()),
        false => Err(denied(right, &format!("store {name}"))),
    }
}

/// Whether a pack may come to be stored under this name.
pub(super) fn check_pack_name(log: &PublicLog, pack: &PackId) -> Result<(), Failure> {
    match log.state.removed_packs.contains(pack) {
        true => Err(refused(format!("the name of pack {pack} was used by one that is removed"))),
        false => Ok(()),
    }
}
