//! Groups: several stores that hold one repository together, so that any k of its k + m members bring it back.
//!
//! A [`SpreadStore`] is a store like any other. Packs lie in it as [shards](crate::format::shard), one at each member; everything else, small and of many
//! reads, lies whole at each. The first member leads: an entry of the log counts when it stands there, and is then copied to the others. What a member
//! returns is believed only as far as it proves itself: a shard by its header, which the repository's keys have authenticated, an entry by its
//! chain and signature. So who lies is found, named and done without.
//!
//! Members share whatever they share: two folders of one disk are lost together, and so are two servers in one room. Nothing here can see that.

mod backend;
mod lead;
mod member;
mod mend;
mod read;
mod shards;
mod write;

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use crate::crypto::Secret32;
use crate::erasure::ErasureConfig;
use crate::id::PackId;
use crate::limits::GROUP_MEMBERS_MAX;
use crate::observe::{Observer, Silent};
use crate::store::{BlobName, GroupError, StoreError};
use crate::sync::TransferConfig;

pub use member::Seat;
pub use mend::{GroupReport, MemberReport, MendRequest, mend};
pub(in crate::ops) use shards::{parse_shard_name, shard_name};

use lead::Lead;
use member::{Fault, Member};
use read::Slot;
use shards::Measure;

/// How a group is used.
#[derive(Clone)]
pub struct SpreadOptions {
    /// How many members bring back what is stored, and how many more there are.
    pub config: ErasureConfig,
    /// How many members may miss what is written: at most as many as may be lost. What they miss `mend` brings them.
    pub allow_missing: usize,
    /// How long a member has to send a shard before others are asked as well.
    pub patience: Duration,
    /// Who is told, once for each member, that it failed or lied, and how.
    pub observer: Arc<dyn Observer>,
}

impl SpreadOptions {
    /// For a group that transfers of this kind go to; `None`: they go to one end.
    pub fn of(transfer: &TransferConfig) -> Option<Self> {
        let observer = Arc::clone(&transfer.observer);
        transfer.erasure.map(|config| Self { observer, ..Self::new(config) })
    }

    /// For a group of this code: nothing that is written may be missing anywhere.
    pub fn new(config: ErasureConfig) -> Self {
        let patience = Duration::from_secs(2);
        Self { config, allow_missing: 0, patience, observer: Arc::new(Silent) }
    }
}

impl fmt::Debug for SpreadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpreadOptions")
            .field("config", &self.config)
            .field("allow_missing", &self.allow_missing)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// Stores that hold one repository together.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use warp::erasure::ErasureConfig;
/// use warp::ops::spread::{Seat, SpreadOptions, SpreadStore};
/// use warp::store::{BlobName, MemoryStore, StorageBackend};
///
/// let members: Vec<_> = (0..6).map(|_| Arc::new(MemoryStore::new())).collect();
/// let seat = |store: &Arc<MemoryStore>| Seat { place: "memory".to_owned(), store: Ok(store.clone()) };
/// let group = SpreadStore::open(members.iter().map(seat).collect(), SpreadOptions::new(ErasureConfig::RS_4_2))?;
///
/// // The key of a repository, which opening one tells its store.
/// group.keyed(&[7; 32]);
/// let pack = BlobName::new("packs/0123456789abcdef0123456789abcdef.warp")?;
/// group.put_new(&pack, &[b"any four of six bring this back"])?;
/// for lost in &members[1..3] {
///     assert!(lost.delete(&lost.names("shards/")?[0])?);
/// }
/// assert_eq!(group.read_at(&pack, 4, 4)?, b"four");
/// # Ok::<(), warp::store::StoreError>(())
/// ```
pub struct SpreadStore {
    members: Vec<Arc<Member>>,
    options: SpreadOptions,
    key: OnceLock<Secret32>,
    lead: RwLock<Lead>,
    /// Packs that were read last.
    packs: Mutex<VecDeque<(PackId, Slot)>>,
    /// Lengths of packs, which never change.
    lens: Mutex<HashMap<PackId, u64>>,
    /// Which members were told of, and for what.
    told: Mutex<HashSet<(usize, &'static str)>>,
    /// Whose copy of a blob was read last, and whose are wrong.
    served: Mutex<HashMap<BlobName, Served>>,
}

#[derive(Debug, Default)]
struct Served {
    by: usize,
    wrong: HashSet<usize>,
}

impl fmt::Debug for SpreadStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpreadStore")
            .field("members", &self.members)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl SpreadStore {
    /// Opens a group, whose members stand in their order: the first one leads. Those that lack entries of the log are brought up to it.
    ///
    /// # Errors
    /// [`StoreError::Group`] if there are not as many members as the code has shards, more are to be missing than may be lost, or fewer can be
    /// reached than it takes to read anything.
    pub fn open(seats: Vec<Seat>, options: SpreadOptions) -> Result<Self, StoreError> {
        check(&seats, &options)?;
        let members = seats.into_iter().enumerate().map(|(number, seat)| Arc::new(Member::new(number, seat)));
        let store = Self {
            members: members.collect(),
            options,
            key: OnceLock::new(),
            lead: RwLock::new(Lead::First),
            packs: Mutex::default(),
            lens: Mutex::default(),
            told: Mutex::default(),
            served: Mutex::default(),
        };
        store.align()?;
        Ok(store)
    }

    /// The code.
    pub fn config(&self) -> ErasureConfig {
        self.options.config
    }

    /// Where its members lie, in their order.
    pub fn places(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.place.as_str()).collect()
    }

    fn describe(&self) -> String {
        let others = self.members.len() - 1;
        format!("the group {} of {} and {others} more", self.config(), self.members[0].place)
    }

    fn measure(&self) -> Measure {
        Measure { config: self.config(), key: self.key.get().cloned() }
    }

    /// Asks all members at once, and waits for all.
    fn each<T: Send>(&self, act: impl Fn(&Member) -> Result<T, Fault> + Sync) -> Vec<Result<T, Fault>> {
        let act = &act;
        std::thread::scope(|scope| {
            let asked: Vec<_> = self.members.iter().map(|member| scope.spawn(move || act(member))).collect();
            let answers = asked.into_iter().map(|thread| thread.join());
            answers.map(|answer| answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    }

    /// Tells what a member did, once for each kind of thing.
    fn tell(&self, member: &Member, fault: &Fault) {
        let kind = match fault {
            Fault::Failed(_) => "failed",
            Fault::Missing => "missing",
            Fault::Slow(_) => "slow",
            Fault::Lies(_) => "lies",
        };
        self.tell_once(member, kind, &fault.to_string());
    }

    /// The same of a shard, which is named where it is missing.
    fn tell_of_shard(&self, member: &Member, pack: &PackId, fault: &Fault) {
        match fault {
            Fault::Missing => {
                self.tell_once(member, "missing", &format!("does not have its shard of pack {pack}"));
            }
            fault => self.tell(member, fault),
        }
    }

    fn tell_once(&self, member: &Member, kind: &'static str, what: &str) {
        if locked(&self.told).insert((member.number, kind)) {
            self.options.observer.notice(&format!("{} {what}", member.place));
        }
    }

    /// The error of an action for which too many members failed.
    fn too_few(
        &self,
        action: &'static str,
        name: &BlobName,
        why: String,
        faults: &[(usize, Fault)],
    ) -> StoreError {
        let line = |(number, fault): &(usize, Fault)| format!("{} {fault}", self.members[*number].place);
        let mut faults: Vec<_> = faults.to_vec();
        faults.sort_by_key(|(number, _)| *number);
        let faults = faults.iter().map(line).collect();
        GroupError { action, name: name.to_string(), location: self.describe(), why, faults }.into()
    }
}

fn check(seats: &[Seat], options: &SpreadOptions) -> Result<(), StoreError> {
    let (config, found) = (options.config, seats.len());
    let refuse = |why| {
        let location = format!("a group {config}");
        let name = "the repository".to_owned();
        Err(GroupError { action: "open", name, location, why, faults: Vec::new() }.into())
    };
    if config.shards() > GROUP_MEMBERS_MAX {
        return refuse(format!("a group has at most {GROUP_MEMBERS_MAX} members"));
    }
    if found != config.shards() {
        return refuse(format!("it takes {} members, and {found} are named", config.shards()));
    }
    if options.allow_missing > config.parity() {
        return refuse(format!(
            "at most {} members may be missing, or nothing could be read",
            config.parity()
        ));
    }
    Ok(())
}

fn group_error(action: &'static str, name: &BlobName, why: String, faults: Vec<String>) -> StoreError {
    GroupError { action, name: name.to_string(), location: "the group".to_owned(), why, faults }.into()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
