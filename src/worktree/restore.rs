//! Giving metadata back: what is wanted, what is allowed, what could not be done.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chmod, chownat, fchmod, fchown,
    fremovexattr, fsetxattr, futimens, removexattr, setxattr, utimensat,
};
use rustix::io::{Errno, Result};

use super::entry::{FileType, Timestamp, Xattr};
use super::error::{WorktreeError, io_error, is_refusal};
use super::owner::OwnerIds;
use super::{sys, xattr};

const ACL_ACCESS: &[u8] = b"system.posix_acl_access";
const ACL_DEFAULT: &[u8] = b"system.posix_acl_default";
const ACL_PREFIX: &[u8] = b"system.posix_acl_";

/// Metadata that an entry is to get.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestoreMeta {
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owning user on the source.
    pub uid: u32,
    /// Owning group on the source.
    pub gid: u32,
    /// Name of the owning user on the source; empty if it had none.
    pub user: Vec<u8>,
    /// Name of the owning group on the source; empty if it had none.
    pub group: Vec<u8>,
    /// Time of the last change of its content.
    pub mtime: Timestamp,
    /// Extended attributes, POSIX ACLs among them.
    pub xattrs: Vec<Xattr>,
}

/// Which extended attributes are given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XattrPolicy {
    /// `user.*`.
    pub user: bool,
    /// `system.posix_acl_*`.
    pub acl: bool,
    /// `security.*`: capabilities and labels.
    pub security: bool,
    /// `trusted.*` and everything else.
    pub trusted: bool,
}

/// What metadata is given back. Whatever it withholds counts as [`Degraded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaPolicy {
    /// Owners.
    pub owner: bool,
    /// Owners by number even where this machine knows their names.
    pub numeric_ids: bool,
    /// setuid and setgid bits also where the owner could not be given back.
    pub setuid: bool,
    /// Device nodes.
    pub devices: bool,
    /// Extended attributes.
    pub xattrs: XattrPolicy,
}

impl MetaPolicy {
    /// What the process may give back without being asked: a privileged one (root) owners, hence setuid bits, and
    /// `security.*`; any other only what is its own. Nobody gets devices or `trusted.*` unasked.
    pub fn safe() -> Self {
        let privileged = rustix::process::geteuid().is_root();
        Self {
            owner: privileged,
            numeric_ids: false,
            setuid: false,
            devices: false,
            xattrs: XattrPolicy { user: true, acl: true, security: privileged, trusted: false },
        }
    }
}

/// How often something could not be given back, and where first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lost {
    /// How often.
    pub count: u64,
    /// The first path, relative to the target.
    pub first: Option<PathBuf>,
}

impl Lost {
    pub(super) fn add(&mut self, path: &Path) {
        self.count += 1;
        self.first.get_or_insert_with(|| path.to_owned());
    }
}

/// What could not be given back for want of privilege or of support in the file system, or was withheld by the policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Degraded {
    /// Entries with another owner than wanted.
    pub owner: Lost,
    /// Entries without their permission bits.
    pub mode: Lost,
    /// Entries without their setuid or setgid bit.
    pub setuid: Lost,
    /// ACLs left out. Where that is an access ACL, the group's permissions are cut to what the ACL gave the group.
    pub acls: Lost,
    /// Other extended attributes left out.
    pub xattrs: Lost,
    /// Entries without their time.
    pub times: Lost,
    /// Devices, and other special files, not created.
    pub devices: Lost,
}

impl Degraded {
    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        let Self { owner, mode, setuid, acls, xattrs, times, devices } = self;
        [owner, mode, setuid, acls, xattrs, times, devices].iter().all(|lost| lost.count == 0)
    }

    fn acls_mut(&mut self) -> &mut Lost {
        &mut self.acls
    }

    fn xattrs_mut(&mut self) -> &mut Lost {
        &mut self.xattrs
    }
}

/// An inode to give metadata to: by its open file only.
#[derive(Clone, Copy)]
pub(super) struct Inode<'a> {
    fd: BorrowedFd<'a>,
    /// Opened as a mere place (`O_PATH`), as what is neither file nor directory must be.
    is_place: bool,
    file_type: FileType,
}

impl<'a> Inode<'a> {
    /// A file or directory that is really open.
    pub(super) fn open(fd: &'a impl AsFd, file_type: FileType) -> Self {
        Self { fd: fd.as_fd(), is_place: false, file_type }
    }

    /// Anything opened with `O_PATH`.
    pub(super) fn place(fd: &'a impl AsFd, file_type: FileType) -> Self {
        Self { fd: fd.as_fd(), is_place: true, file_type }
    }

    fn chown(self, uid: u32, gid: u32) -> Result<()> {
        if uid == u32::MAX || gid == u32::MAX {
            return Err(Errno::INVAL); // To the system this number means "leave it".
        }
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        if self.is_place {
            chownat(self.fd, c"", uid, gid, AtFlags::EMPTY_PATH)
        } else {
            fchown(self.fd, uid, gid)
        }
    }

    pub(super) fn chmod(self, mode: u32) -> Result<()> {
        let mode = Mode::from_raw_mode(mode);
        if self.is_place { chmod(sys::proc_path(self.fd), mode) } else { fchmod(self.fd, mode) }
    }

    fn set_xattr(self, xattr: &Xattr) -> Result<()> {
        let (name, value) = (xattr.name.as_slice(), xattr.value.as_slice());
        if self.is_place {
            setxattr(sys::proc_path(self.fd), name, value, XattrFlags::empty())
        } else {
            fsetxattr(self.fd, name, value, XattrFlags::empty())
        }
    }

    fn remove_xattr(self, name: &[u8]) -> Result<()> {
        if self.is_place { removexattr(sys::proc_path(self.fd), name) } else { fremovexattr(self.fd, name) }
    }

    fn xattrs(self) -> Result<Vec<Xattr>> {
        if self.is_place { xattr::read_place_xattrs(self.fd) } else { xattr::read_fd_xattrs(self.fd) }
    }

    fn set_mtime(self, mtime: Timestamp) -> Result<()> {
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec {
                tv_sec: mtime.secs,
                // A hostile repository's number must not mean "now" or "omit".
                tv_nsec: mtime.nanos.min(999_999_999).into(),
            },
        };
        if self.is_place {
            utimensat(self.fd, c"", &times, AtFlags::EMPTY_PATH)
        } else {
            futimens(self.fd, &times)
        }
    }
}

/// Gives metadata to entries of one target as its policy says, and counts what is lost.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) policy: MetaPolicy,
    ids: OwnerIds,
    own: (u32, u32),
    lost: std::sync::Mutex<Degraded>,
}

impl Metadata {
    pub(super) fn new(policy: MetaPolicy) -> Self {
        let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { policy, ids: OwnerIds::new(), own, lost: std::sync::Mutex::default() }
    }

    /// What was lost so far.
    pub(super) fn lost(&self) -> Degraded {
        self.lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(super) fn count(&self, path: &Path, which: impl FnOnce(&mut Degraded) -> &mut Lost) {
        which(&mut self.lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner)).add(path);
    }

    /// Gives `meta` to a new inode, whose mode must so far let nobody else in. The owner comes first, since a change of
    /// owner clears setuid; ACLs come after the mode, which they refine, and those that the directory handed down go;
    /// the time last.
    pub(super) fn apply(
        &self,
        inode: Inode<'_>,
        meta: &RestoreMeta,
        path: &Path,
    ) -> std::result::Result<(), WorktreeError> {
        let owned = self.apply_owner(inode, meta, path)?;
        for xattr in meta.xattrs.iter().filter(|xattr| !is_acl(xattr)) {
            self.apply_xattr(inode, xattr, path)?;
        }
        if inode.file_type != FileType::Symlink {
            self.apply_mode(inode, meta, owned, path)?;
        }
        self.settle(inode.set_mtime(meta.mtime), "set the time of", path, |lost| &mut lost.times).map(drop)
    }

    /// Gives `meta` to an inode that was there before: extended attributes that `meta` lacks go, but for labels that
    /// the system gave it.
    pub(super) fn reapply(
        &self,
        inode: Inode<'_>,
        meta: &RestoreMeta,
        path: &Path,
    ) -> std::result::Result<(), WorktreeError> {
        let present = match inode.xattrs() {
            Err(errno) if is_refusal(errno) => Vec::new(),
            other => other.map_err(io_error("read the extended attributes of", path))?,
        };
        let unwanted = |name: &[u8]| {
            self.allows(name) && is_removable(name) && meta.xattrs.iter().all(|wanted| wanted.name != name)
        };
        for Xattr { name, .. } in present.iter().filter(|xattr| unwanted(&xattr.name)) {
            match inode.remove_xattr(name) {
                Ok(()) | Err(Errno::NODATA) => {}
                Err(errno) => {
                    self.settle(Err(errno), "remove an extended attribute of", path, |lost| {
                        &mut lost.xattrs
                    })?;
                }
            }
        }
        self.apply(inode, meta, path)
    }

    /// Whether the inode now belongs to whom it should.
    fn apply_owner(
        &self,
        inode: Inode<'_>,
        meta: &RestoreMeta,
        path: &Path,
    ) -> std::result::Result<bool, WorktreeError> {
        let (uid, gid) = self.ids_of(meta);
        if self.policy.owner {
            return self.settle(inode.chown(uid, gid), "set the owner of", path, |lost| &mut lost.owner);
        }
        if (uid, gid) != self.own {
            self.count(path, |lost| &mut lost.owner);
        }
        Ok(false)
    }

    fn ids_of(&self, meta: &RestoreMeta) -> (u32, u32) {
        if self.policy.numeric_ids {
            return (meta.uid, meta.gid);
        }
        let (user, group) = (self.ids.user(&meta.user), self.ids.group(&meta.group));
        (user.unwrap_or(meta.uid), group.unwrap_or(meta.gid))
    }

    fn apply_mode(
        &self,
        inode: Inode<'_>,
        meta: &RestoreMeta,
        owned: bool,
        path: &Path,
    ) -> std::result::Result<(), WorktreeError> {
        let mut mode = meta.mode & 0o7777;
        if mode & 0o6000 != 0 && !owned && !self.policy.setuid {
            mode &= 0o1777;
            self.count(path, |lost| &mut lost.setuid);
        }
        for name in [ACL_ACCESS, ACL_DEFAULT] {
            let is_wanted = meta.xattrs.iter().any(|xattr| xattr.name == name);
            if self.allows(name) && !is_wanted {
                // Where there is none, or there are none at all, there is nothing to lose.
                let _ = inode.remove_xattr(name);
            }
        }
        self.settle(inode.chmod(mode), "set the mode of", path, |lost| &mut lost.mode)?;
        for acl in meta.xattrs.iter().filter(|xattr| is_acl(xattr)) {
            let applied = self.apply_xattr(inode, acl, path)?;
            if !applied && acl.name == ACL_ACCESS {
                // The mode's group bits are the ACL's mask: without the ACL they would let the group do what the
                // mask lets named users do.
                let group = acl_group_bits(&acl.value).unwrap_or(0);
                let mode = mode & (0o7707 | (group << 3));
                self.settle(inode.chmod(mode), "set the mode of", path, |lost| &mut lost.mode)?;
            }
        }
        Ok(())
    }

    fn apply_xattr(
        &self,
        inode: Inode<'_>,
        xattr: &Xattr,
        path: &Path,
    ) -> std::result::Result<bool, WorktreeError> {
        let which = if is_acl(xattr) { Degraded::acls_mut } else { Degraded::xattrs_mut };
        if !self.allows(&xattr.name) || xattr.name.contains(&0) {
            self.count(path, which);
            return Ok(false);
        }
        self.settle(inode.set_xattr(xattr), "set an extended attribute of", path, which)
    }

    fn allows(&self, name: &[u8]) -> bool {
        let policy = self.policy.xattrs;
        match name {
            _ if name.starts_with(ACL_PREFIX) => policy.acl,
            _ if name.starts_with(b"user.") => policy.user,
            _ if name.starts_with(b"security.") => policy.security,
            _ => policy.trusted,
        }
    }

    /// Whether it was done. A refusal is counted as lost, any other failure is an error.
    fn settle(
        &self,
        done: Result<()>,
        action: &'static str,
        path: &Path,
        which: impl FnOnce(&mut Degraded) -> &mut Lost,
    ) -> std::result::Result<bool, WorktreeError> {
        match done {
            Ok(()) => Ok(true),
            Err(errno) if is_refusal(errno) => {
                self.count(path, which);
                Ok(false)
            }
            Err(errno) => Err(io_error(action, path)(errno)),
        }
    }
}

fn is_removable(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name.starts_with(ACL_PREFIX) || name == b"security.capability"
}

fn is_acl(xattr: &Xattr) -> bool {
    xattr.name.starts_with(ACL_PREFIX)
}

/// What an access ACL lets the owning group do, as permission bits.
///
/// Layout: version 2 as 32 bits, then entries of tag (16 bits), permissions (16) and id (32), little-endian. Source:
/// Linux, include/uapi/linux/posix_acl_xattr.h.
fn acl_group_bits(acl: &[u8]) -> Option<u32> {
    const GROUP_OBJ: [u8; 2] = 4_u16.to_le_bytes();
    let entries = acl.strip_prefix(&2_u32.to_le_bytes())?;
    let group = entries.chunks_exact(8).find(|entry| entry[..2] == GROUP_OBJ)?;
    Some(u32::from(group[2]) & 0o7)
}
