//! One connection: what it asks, and what it may.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::format::wire::{Blob, FailCode, Failure, Reply, Request, Rights};
use crate::limits::{FRAME_BODY_LEN_MAX, PIECE_LEN};
use crate::store::{BlobName, StorageBackend};
use crate::sync::{Peer, Session};

use super::hosted::{Hosted, logged};
use super::uploads::{AHEAD, Arrived, Beginning, Checked};
use super::{Grant, Host, denied, locked, names, receipts, rules};

/// A connection to a host.
#[derive(Debug)]
pub(super) struct HostSession {
    host: Arc<Host>,
    peer: Peer,
    about: Mutex<Option<(String, Arc<Hosted>)>>,
}

impl HostSession {
    pub(super) fn new(host: Arc<Host>, peer: Peer) -> Self {
        Self { host, peer, about: Mutex::default() }
    }

    fn answer_or_fail(&self, request: Request) -> Result<Reply, Failure> {
        if let Request::Hello { repository, create } = &request {
            return self.hello(repository, *create);
        }
        let about = locked(&self.about).clone();
        let (path, hosted) =
            about.ok_or_else(|| Failure::new(FailCode::Malformed, 0, "a connection begins with hello"))?;
        let grant = self.host.rights(&self.peer.key, &path);
        match request {
            Request::Put { .. } | Request::Begin { .. } | Request::Piece { .. } | Request::End { .. } => {
                self.write(&hosted, &grant, request)
            }
            Request::Delete { name } => {
                let (name, kind) = names::blob(&name)?;
                hosted.delete(&name, kind, &grant)
            }
            request => read(&hosted, &grant, request),
        }
    }

    fn hello(&self, repository: &str, create: bool) -> Result<Reply, Failure> {
        names::check_repository(repository)?;
        let rights = self.host.rights(&self.peer.key, repository).rights();
        if rights == Rights::NONE {
            // Whoever may do nothing here does not learn what there is.
            let why = format!(
                "key {} may do nothing with {repository}: its owner grants rights in the server's file of access",
                self.peer.key
            );
            return Err(Failure::new(FailCode::Denied, Rights::READ.bits().into(), why));
        }
        if create && !rights.has(Rights::ADMIN) && self.host.hosted(repository, false)?.is_none() {
            return Err(denied(Rights::ADMIN, "make a repository"));
        }
        let missing = || {
            let why = format!("there is no repository {repository} at this server");
            Failure::new(FailCode::NoRepository, 0, why)
        };
        let hosted = self.host.hosted(repository, create)?.ok_or_else(missing)?;
        let (exists, room) = (hosted.exists(), hosted.room());
        *locked(&self.about) = Some((repository.to_owned(), hosted));
        Ok(Reply::Welcome { rights, exists, room, ahead: AHEAD })
    }

    fn write(&self, hosted: &Hosted, grant: &Grant, request: Request) -> Result<Reply, Failure> {
        let key = &self.peer.key;
        match request {
            Request::Put { name, replace, bytes } => {
                let (name, kind) = names::blob(&name)?;
                rules::check_put(grant, kind, name.as_str(), replace)?;
                hosted.check_room(bytes.len() as u64)?;
                self.check_pack(hosted, kind)?;
                hosted.put((&name, kind), replace, &bytes, (grant, key))
            }
            Request::Begin { name, replace, len, root } => {
                let (name, kind) = names::blob(&name)?;
                rules::check_put(grant, kind, name.as_str(), replace)?;
                self.check_pack(hosted, kind)?;
                let of = Beginning { name, kind, replace, len, root };
                of.check()?;
                if !replace && hosted.store.len(&of.name).map_err(|error| logged(&error))?.is_some() {
                    return Ok(Reply::Exists);
                }
                hosted.check_room(len)?;
                hosted.uploads.begin(&*hosted.store, of, key)
            }
            Request::Piece { upload, number, path, bytes } => {
                hosted.uploads.piece((upload, key), number, path, bytes)
            }
            Request::End { upload } => {
                let (of, arrived) = hosted.uploads.end(upload, key)?;
                rules::check_put(grant, of.kind, of.name.as_str(), of.replace)?;
                match arrived {
                    Arrived::Whole(bytes) => {
                        hosted.put((&of.name, of.kind), of.replace, &bytes, (grant, key))
                    }
                    Arrived::Written(writer, Some(Checked::Pack(header))) => {
                        hosted.pack_stored(header, of.len, writer.publish())
                    }
                    Arrived::Written(writer, Some(Checked::Shard(header))) => {
                        hosted.shard_stored(&header, of.len, writer.publish())
                    }
                    Arrived::Written(writer, None) => hosted.stored(of.len, writer.publish()),
                }
            }
            _ => unreachable!("only requests that write come here"),
        }
    }

    fn check_pack(&self, hosted: &Hosted, kind: names::Kind) -> Result<(), Failure> {
        match kind {
            names::Kind::Pack(pack) | names::Kind::Shard(pack, _) => {
                hosted.with_log(|log| rules::check_pack_name(log, &pack))?
            }
            _ => Ok(()),
        }
    }
}

impl Session for HostSession {
    fn answer(&self, request: Request) -> Reply {
        self.answer_or_fail(request).unwrap_or_else(Reply::Failed)
    }
}

fn read(hosted: &Hosted, grant: &Grant, request: Request) -> Result<Reply, Failure> {
    if !grant.rights().has(Rights::READ) {
        return Err(denied(Rights::READ, "read"));
    }
    match request {
        Request::Get { name, max } => get(&*hosted.store, &readable(&name)?, max),
        Request::Read { name, offset, len } => {
            let bytes = hosted.store.read_at(&readable(&name)?, offset, len as usize);
            let bytes = bytes.map_err(|error| logged(&error))?;
            Ok(Reply::Blob { len: bytes.len() as u64, bytes: Bytes::from(bytes) })
        }
        Request::Len { name } => {
            let len = hosted.store.len(&readable(&name)?).map_err(|error| logged(&error))?;
            Ok(Reply::Len { len })
        }
        Request::List { folder, after } => list(&*hosted.store, &folder, after.as_deref()),
        Request::Entries { from } => hosted.entries(from),
        Request::Prove { pack, first, count } => {
            let proofs = hosted.proofs(pack)?;
            proofs.prove(&*hosted.store, &crate::cas::pack_name(&pack), first, count).map(Reply::Shards)
        }
        Request::Possess { pack, challenge } => {
            hosted.possession(pack, &challenge).map(|hash| Reply::Possession { hash })
        }
        _ => Err(Failure::new(FailCode::Malformed, 0, "this cannot be asked")),
    }
}

/// The name of a blob that may be read: also of a receipt.
fn readable(name: &str) -> Result<BlobName, Failure> {
    if let Some(name) = receipts::parse_name(name) {
        return Ok(name);
    }
    names::blob(name).map(|(name, _)| name)
}

fn get(store: &dyn StorageBackend, name: &BlobName, max: u64) -> Result<Reply, Failure> {
    let len = store.len(name).map_err(|error| logged(&error))?;
    let len = len.ok_or_else(|| Failure::new(FailCode::NotFound, 0, format!("{name} is not there")))?;
    if len > max {
        return Err(Failure::new(FailCode::TooLarge, len, format!("{name} has {len} bytes")));
    }
    let first = len.min(PIECE_LEN as u64) as usize;
    let bytes = store.read_at(name, 0, first).map_err(|error| logged(&error))?;
    Ok(Reply::Blob { len, bytes: Bytes::from(bytes) })
}

fn list(store: &dyn StorageBackend, folder: &str, after: Option<&str>) -> Result<Reply, Failure> {
    let listed = store.list(folder).map_err(|error| logged(&error))?;
    let (mut blobs, mut room, mut more) = (Vec::new(), FRAME_BODY_LEN_MAX - 16, false);
    for blob in listed.into_iter().filter(|blob| after.is_none_or(|after| blob.name.as_str() > after)) {
        let row = Blob { name: blob.name.as_str().to_owned(), len: blob.len };
        let len = row.name.len() + 2 + 8;
        if len > room {
            more = true;
            break;
        }
        room -= len;
        blobs.push(row);
    }
    Ok(Reply::Listing { blobs, more })
}
