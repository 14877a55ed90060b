//! Reading packs: the first k shards that come and are right.

use std::collections::HashMap;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::cas::pack_name;
use crate::erasure::{ErasureDecoder, Shard};
use crate::format::shard::ShardedPack;
use crate::id::PackId;
use crate::store::StoreError;

use super::member::{Fault, Member};
use super::shards::Measure;
use super::{SpreadStore, locked};

/// How many packs stay in memory. More do while they are being read.
const PACKS_MAX: usize = 2;
/// After so many deadlines nobody is waited for any more.
const PATIENCE_MAX: u32 = 30;

/// A pack that is read by one thread, while others wait for it.
pub(super) type Slot = Arc<Mutex<Option<Arc<Vec<u8>>>>>;

type Answer = (usize, Result<(ShardedPack, Shard), Fault>);

impl SpreadStore {
    /// A whole pack.
    pub(super) fn pack(&self, uid: &PackId) -> Result<Arc<Vec<u8>>, StoreError> {
        let slot = self.slot(uid);
        let mut slot = locked(&slot);
        if let Some(pack) = &*slot {
            return Ok(Arc::clone(pack));
        }
        let pack = Arc::new(self.gather(uid)?);
        locked(&self.lens).insert(*uid, pack.len() as u64);
        *slot = Some(Arc::clone(&pack));
        Ok(pack)
    }

    fn slot(&self, uid: &PackId) -> Slot {
        let mut packs = locked(&self.packs);
        let slot = match packs.iter().position(|(found, _)| found == uid).and_then(|at| packs.remove(at)) {
            Some((_, slot)) => slot,
            None => Slot::default(),
        };
        while packs.len() >= PACKS_MAX {
            let Some(idle) = packs.iter().position(|(_, slot)| Arc::strong_count(slot) == 1) else { break };
            packs.remove(idle);
        }
        packs.push_back((*uid, Arc::clone(&slot)));
        slot
    }

    pub(super) fn forget(&self, uid: &PackId) {
        locked(&self.packs).retain(|(found, _)| found != uid);
        locked(&self.lens).remove(uid);
    }

    /// Asks for shards until there are enough, and decodes them.
    fn gather(&self, uid: &PackId) -> Result<Vec<u8>, StoreError> {
        let mut round = Round::new(self, uid);
        let won = round.run();
        for (number, fault) in &round.faults {
            self.tell_of_shard(&self.members[*number], uid, fault);
        }
        match won {
            Some((pack, shards)) => {
                let decoded = ErasureDecoder::new(self.config()).decode(&shards, pack.len as usize);
                decoded
                    .map_err(|error| self.too_few("read", &pack_name(uid), error.to_string(), &round.faults))
            }
            None => Err(round.lost()),
        }
    }
}

/// The shards of one pack, as they come.
struct Round<'s> {
    store: &'s SpreadStore,
    uid: PackId,
    measure: Measure,
    /// Who has not been asked, the best last.
    waiting: Vec<Arc<Member>>,
    /// Who was asked and has not answered.
    open: Vec<usize>,
    /// What came, by what it says of the pack: without a key nobody knows who is right, but k that agree.
    came: HashMap<ShardedPack, Vec<Shard>>,
    faults: Vec<(usize, Fault)>,
    answers: (Sender<Answer>, mpsc::Receiver<Answer>),
}

impl<'s> Round<'s> {
    fn new(store: &'s SpreadStore, uid: &PackId) -> Self {
        let (there, gone): (Vec<_>, Vec<_>) =
            store.members.iter().cloned().partition(|member| member.is_reachable());
        let mut waiting = there;
        waiting.sort_by_key(|member| std::cmp::Reverse(member.rank()));
        let faults = gone.iter().filter_map(|member| Some((member.number, member.store().err()?))).collect();
        let (open, came, answers) = (Vec::new(), HashMap::new(), mpsc::channel());
        Self { store, uid: *uid, measure: store.measure(), waiting, open, came, faults, answers }
    }

    /// How many shards are still wanted of what most have sent.
    fn wanted(&self) -> usize {
        let best = self.came.values().map(Vec::len).max().unwrap_or(0);
        self.store.config().data() - best
    }

    fn run(&mut self) -> Option<(ShardedPack, Vec<Shard>)> {
        let mut deadlines = 0;
        while self.wanted() > 0 {
            while self.open.len() < self.wanted() {
                let Some(member) = self.waiting.pop() else { break };
                self.ask(member);
            }
            if self.open.is_empty() {
                return None;
            }
            match self.answers.1.recv_timeout(self.store.options.patience) {
                Ok((number, answer)) => self.answered(number, answer),
                Err(RecvTimeoutError::Timeout) if deadlines < PATIENCE_MAX => {
                    deadlines += 1;
                    self.late();
                }
                Err(_) => return None,
            }
        }
        let won = self.came.iter().position(|(_, shards)| shards.len() >= self.store.config().data())?;
        std::mem::take(&mut self.came).into_iter().nth(won)
    }

    /// Asks a member on a thread of its own, which nobody waits for: it may never answer.
    fn ask(&mut self, member: Arc<Member>) {
        let (uid, measure, send) = (self.uid, self.measure.clone(), self.answers.0.clone());
        let number = member.number;
        member.begins();
        let fetch = move || {
            let begun = Instant::now();
            let answer = measure.fetch(&member, &uid);
            member.ends(answer.is_ok(), begun.elapsed());
            // Whoever asked may have had enough.
            drop(send.send((member.number, answer)));
        };
        match std::thread::Builder::new().name(format!("shard {number}")).spawn(fetch) {
            Ok(_) => self.open.push(number),
            Err(error) => self.faults.push((number, Fault::Failed(error.to_string()))),
        }
    }

    fn answered(&mut self, number: usize, answer: Result<(ShardedPack, Shard), Fault>) {
        self.open.retain(|open| *open != number);
        // Who was late and comes after all is no fault any more.
        self.faults.retain(|(late, fault)| *late != number || !matches!(fault, Fault::Slow(_)));
        match answer {
            Ok((pack, shard)) => self.came.entry(pack).or_default().push(shard),
            Err(fault) => self.faults.push((number, fault)),
        }
    }

    /// Asks all others: those that were asked take too long.
    fn late(&mut self) {
        let patience = self.store.options.patience;
        for number in &self.open {
            if !self.faults.iter().any(|(late, _)| late == number) {
                self.store.members[*number].blame();
                self.faults.push((*number, Fault::Slow(patience)));
            }
        }
        while let Some(member) = self.waiting.pop() {
            self.ask(member);
        }
    }

    /// Why there are too few.
    fn lost(&self) -> StoreError {
        let (store, name) = (self.store, pack_name(&self.uid));
        if self.faults.len() == store.members.len()
            && self.faults.iter().all(|(_, fault)| *fault == Fault::Missing)
        {
            return StoreError::NotFound { name: name.to_string(), location: store.describe() };
        }
        let right = self.came.values().map(Vec::len).max().unwrap_or(0);
        let why = match self.came.len() {
            0 | 1 => format!("{} shards are needed, and {right} are right", store.config().data()),
            _ => "its shards contradict each other, and without the keys nobody knows which are right"
                .to_owned(),
        };
        store.too_few("read", &name, why, &self.faults)
    }
}
