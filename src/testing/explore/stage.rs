//! One run: actors that wait for their turn, and the stores through which they are held.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::mutants::{self, Mutant};
use crate::store::{BlobInfo, BlobName, MemoryStore, Put, StorageBackend, StoreError};

use super::schedule::{Choice, Policy, Situation, Step};
use super::{Actor, Grain};

/// Names of blobs that were there before and that some actor has deleted in some run: when they are read matters.
#[derive(Debug, Default)]
pub(super) struct Doomed(Mutex<BTreeSet<String>>);

impl Doomed {
    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    fn contains(&self, name: &str) -> bool {
        lock(&self.0).contains(name)
    }

    fn add(&self, name: &str) {
        lock(&self.0).insert(name.to_owned());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Put,
    Read,
    Len,
    List,
    Delete,
}

#[derive(Debug, Clone)]
struct Call {
    verb: Verb,
    name: String,
}

impl Call {
    fn is_append(&self) -> bool {
        self.verb == Verb::Put && self.name.starts_with("log/")
    }
}

/// What an actor's call is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Go,
    LoseReply,
    RepeatRequest,
}

#[derive(Debug, Default)]
struct Player {
    /// Calls that wait, with their tickets; the first is the next.
    waiting: VecDeque<(u64, Call)>,
    /// The call that has the turn.
    turn: Option<(u64, Turn)>,
    killed: bool,
    done: bool,
}

impl Player {
    /// Whether the actor does nothing until it has the turn.
    fn is_still(&self) -> bool {
        self.done || (self.turn.is_none() && !self.waiting.is_empty())
    }
}

#[derive(Debug, Default)]
struct Players {
    all: Vec<Player>,
    tickets: u64,
    /// Who has written which blob in this run.
    makers: HashMap<String, usize>,
}

/// The store and those who share it.
#[derive(Debug)]
pub(super) struct Stage {
    store: Arc<MemoryStore>,
    names: Vec<&'static str>,
    grain: Grain,
    doomed: Arc<Doomed>,
    players: Mutex<Players>,
    changed: Condvar,
}

impl Stage {
    pub(super) fn new(
        store: MemoryStore,
        names: &[&'static str],
        grain: Grain,
        doomed: Arc<Doomed>,
    ) -> Arc<Self> {
        let all = names.iter().map(|_| Player::default()).collect();
        let players = Mutex::new(Players { all, ..Players::default() });
        let (store, names) = (Arc::new(store), names.to_vec());
        Arc::new(Self { store, names, grain, doomed, players, changed: Condvar::new() })
    }

    pub(super) fn store(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.store)
    }

    fn players(&self) -> MutexGuard<'_, Players> {
        lock(&self.players)
    }

    /// Runs the actors to their ends; returns what they came to, or which of them panicked, and the steps.
    pub(super) fn play<T: Send>(
        self: &Arc<Self>,
        actors: &[Actor<'_, T>],
        mutant: Option<Mutant>,
        policy: &mut dyn Policy,
    ) -> (Result<Vec<T>, String>, Vec<Step>) {
        thread::scope(|scope| {
            let start = |(number, actor)| {
                let handle = Arc::new(Handle { stage: Arc::clone(self), actor: number });
                scope.spawn(move || self.act(number, actor, handle, mutant))
            };
            let running: Vec<_> = actors.iter().enumerate().map(start).collect();
            let steps = self.direct(policy);
            let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().expect("panics are caught");
            (running.into_iter().map(join).collect(), steps)
        })
    }

    fn act<T>(
        &self,
        number: usize,
        actor: &Actor<'_, T>,
        handle: Arc<Handle>,
        mutant: Option<Mutant>,
    ) -> Result<T, String> {
        let acted = catch_unwind(AssertUnwindSafe(|| mutants::with(mutant, || (actor.act)(handle))));
        self.players().all[number].done = true;
        self.changed.notify_all();
        acted.map_err(|_| format!("{} panicked", actor.name))
    }

    /// Lets one actor after the other take a step, until all are done.
    fn direct(&self, policy: &mut dyn Policy) -> Vec<Step> {
        let (mut steps, mut last) = (Vec::new(), None);
        let mut players = self.players();
        loop {
            while !players.all.iter().all(Player::is_still) {
                players = self.changed.wait(players).unwrap_or_else(PoisonError::into_inner);
            }
            let situation = situation(&players, last);
            if situation.waiting.is_empty() {
                return steps;
            }
            let choice = policy.choose(&situation);
            last = Some(choice.actor());
            let call = give_turn(&mut players.all[choice.actor()], choice);
            let name = self.names[choice.actor()];
            steps.push(Step { choice, call, name, situation });
            self.changed.notify_all();
        }
    }

    /// Waits until the call has the turn. `None`: it needs none. The actor holds the turn until [`ended`](Self::ended).
    fn wait_for_turn(&self, actor: usize, call: Call) -> Result<Option<Turn>, StoreError> {
        let mut players = self.players();
        let dead = |call: &Call| StoreError::Io {
            action: "reach",
            path: call.name.clone(),
            source: std::io::Error::other("this process was killed"),
        };
        if players.all[actor].killed {
            return Err(dead(&call));
        }
        if !self.is_step(&players, actor, &call) {
            return Ok(None);
        }
        players.tickets += 1;
        let ticket = players.tickets;
        players.all[actor].waiting.push_back((ticket, call.clone()));
        self.changed.notify_all();
        loop {
            let player = &players.all[actor];
            match player.turn {
                _ if player.killed => return Err(dead(&call)),
                Some((turn, what)) if turn == ticket => return Ok(Some(what)),
                _ => players = self.changed.wait(players).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn ended(&self, actor: usize) {
        self.players().all[actor].turn = None;
        self.changed.notify_all();
    }

    fn is_step(&self, players: &Players, actor: usize, call: &Call) -> bool {
        let folder = call.name.split('/').next();
        match call.verb {
            // A configuration that no actor changes, and checkpoints, which say nothing that entries do not.
            _ if matches!(folder, Some("config" | "checkpoint")) => false,
            Verb::Put | Verb::List | Verb::Delete => true,
            _ if self.grain == Grain::Every => true,
            // Entries stay as they are. One that is not there yet may come.
            Verb::Read | Verb::Len if folder == Some("log") => !self.has(&call.name),
            Verb::Read | Verb::Len => {
                let is_others = players.makers.get(&call.name).is_some_and(|maker| *maker != actor);
                is_others || self.doomed.contains(&call.name)
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        BlobName::new(name).is_ok_and(|name| matches!(self.store.len(&name), Ok(Some(_))))
    }
}

fn situation(players: &Players, last: Option<usize>) -> Situation {
    let next = |(number, player): (usize, &Player)| Some((number, player.waiting.front()?.1.is_append()));
    let next: Vec<(usize, bool)> = players.all.iter().enumerate().filter_map(next).collect();
    Situation {
        waiting: next.iter().map(|(number, _)| *number).collect(),
        appending: next.iter().filter(|(_, appends)| *appends).map(|(number, _)| *number).collect(),
        last,
    }
}

/// Gives the turn to the actor's next call, or kills it; returns the call in words.
fn give_turn(player: &mut Player, choice: Choice) -> String {
    let (ticket, call) = player.waiting.pop_front().expect("only who waits is chosen");
    match choice {
        Choice::Kill(_) => {
            player.killed = true;
            player.waiting.clear();
        }
        Choice::Go(_) => player.turn = Some((ticket, Turn::Go)),
        Choice::LoseReply(_) => player.turn = Some((ticket, Turn::LoseReply)),
        Choice::RepeatRequest(_) => player.turn = Some((ticket, Turn::RepeatRequest)),
    }
    format!("{:?} {}", call.verb, call.name)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The store as one actor sees it.
#[derive(Debug)]
pub struct Handle {
    stage: Arc<Stage>,
    actor: usize,
}

impl Handle {
    /// Makes a call when it is its turn.
    fn call<T>(
        &self,
        verb: Verb,
        name: &str,
        make: impl FnOnce(&MemoryStore, Turn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let call = Call { verb, name: name.to_owned() };
        let Some(turn) = self.stage.wait_for_turn(self.actor, call)? else {
            return make(&self.stage.store, Turn::Go);
        };
        let made = make(&self.stage.store, turn);
        self.stage.ended(self.actor);
        made
    }
}

impl StorageBackend for Handle {
    fn location(&self) -> String {
        self.stage.store.location()
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        self.call(Verb::Put, name.as_str(), |store, turn| {
            let put = store.put_new(name, parts)?;
            if put == Put::Created {
                self.stage.players().makers.insert(name.to_string(), self.actor);
            }
            match turn {
                Turn::Go => Ok(put),
                Turn::RepeatRequest => Ok(Put::Exists),
                Turn::LoseReply => Err(StoreError::Unsettled {
                    name: name.to_string(),
                    location: store.location(),
                    source: std::io::Error::other("the reply was lost"),
                }),
            }
        })
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.call(Verb::Put, name.as_str(), |store, _| store.replace(name, bytes))
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        self.call(Verb::Read, name.as_str(), |store, _| store.get(name, max))
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.call(Verb::Read, name.as_str(), |store, _| store.read_at(name, offset, len))
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        self.call(Verb::Len, name.as_str(), |store, _| store.len(name))
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        self.call(Verb::List, prefix, |store, _| store.list(prefix))
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        self.call(Verb::Delete, name.as_str(), |store, _| {
            let is_of_this_run = self.stage.players().makers.contains_key(name.as_str());
            let deleted = store.delete(name)?;
            if deleted && !is_of_this_run {
                self.stage.doomed.add(name.as_str());
            }
            Ok(deleted)
        })
    }
}
