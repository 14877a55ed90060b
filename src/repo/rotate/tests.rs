use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::cas::{open_envelope, seal_envelope};
use crate::crypto::recovery;
use crate::format::log::{LogEntry, entry_hash, signing_bytes};
use crate::id::AttemptId;
use crate::repo::testkit::{KDF, Place, password};
use crate::repo::{ErrorKind, PublicLog, Recovery};
use crate::store::{BlobInfo, BlobName, MemoryStore, Put, StorageBackend, StoreError};

impl Place {
    fn entry(&self, number: u64) -> Vec<u8> {
        let file = self.store.get(&BlobName::new(&format!("log/{number:010}")).unwrap(), 1 << 20).unwrap();
        open_envelope(&file).unwrap().content.into_owned()
    }

    fn configs(&self) -> Vec<(BlobName, Vec<u8>)> {
        let listed = self.store.list("config/").unwrap();
        listed
            .into_iter()
            .map(|blob| (blob.name.clone(), self.store.get(&blob.name, 1 << 20).unwrap()))
            .collect()
    }

    fn put_configs_back(&self, configs: &[(BlobName, Vec<u8>)]) {
        self.configs().iter().for_each(|(name, _)| assert!(self.store.delete(name).unwrap()));
        configs
            .iter()
            .for_each(|(name, bytes)| assert_eq!(self.store.put_new(name, &[bytes]).unwrap(), Put::Created));
    }
}

fn write(repo: &Repository) -> Result<u64, RepoError> {
    repo.append(&mut |_| Ok(Draft { message: "written".to_owned(), ..Draft::default() }))
        .map(|state| state.number)
}

#[test]
fn the_same_password_opens_a_new_master_key_and_the_log_has_an_entry_under_the_new_data_key() {
    let place = Place::new();
    let old = place.create(password("mine"));
    let (repo, rotation) = old.key_rotate(&password("mine"), false).unwrap();
    assert_eq!(rotation, Rotation { epoch: 2, key: 2, removed: Vec::new() });
    assert_ne!(repo.master().unwrap().as_bytes(), old.master().unwrap().as_bytes());
    let slots: Vec<_> =
        repo.key_slots().into_iter().map(|slot| (slot.id, slot.label, slot.current)).collect();
    assert_eq!(slots, [(2, "first".to_owned(), true)]);
    assert_eq!(LogEntry::decode(&place.entry(2)).unwrap().0.public.epoch, 2);
    write(&repo).unwrap();
    let opened = place.open("mine").unwrap();
    assert_eq!((opened.state().epoch, opened.state().number), (2, 3));
    assert_eq!(
        opened.chunks().vault().keyring().parts().0.as_bytes(),
        old.chunks().vault().keyring().parts().0.as_bytes()
    );
    let (_, again) = opened.key_rotate(&password("mine"), false).unwrap();
    assert_eq!((again.epoch, again.key), (3, 3));
    assert!(PublicLog::read(&*place.store).unwrap().faults.is_empty());
}

#[test]
fn other_keys_are_given_up_only_when_that_is_said() {
    let place = Place::new();
    let repo = place.create(password("mine"));
    repo.key_add(&password("theirs"), "server", KDF).unwrap();
    let before = place.configs();
    match repo.key_rotate(&password("mine"), false) {
        Err(RepoError::OtherKeys { keys }) => {
            assert_eq!(keys.iter().map(|key| (key.id, &*key.label)).collect::<Vec<_>>(), [(2, "server")]);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(repo.key_rotate(&password("wrong"), true), Err(RepoError::WrongPassword { .. })));
    assert!(matches!(repo.key_rotate(&password("theirs"), true), Err(RepoError::WrongPassword { .. })));
    assert_eq!(place.configs(), before);
    // Whoever was not named is not removed.
    place.open("mine").unwrap().key_add(&password("third"), "third", KDF).unwrap();
    assert!(matches!(repo.key_rotate(&password("mine"), true), Err(RepoError::Slots { .. })));
    let repo = place.open("mine").unwrap();
    let (_, rotation) = repo.key_rotate(&password("mine"), true).unwrap();
    assert_eq!(rotation.removed.iter().map(|key| key.id).collect::<Vec<_>>(), [2, 3]);
    assert!(place.open("mine").is_ok());
    for gone in ["theirs", "third"] {
        assert!(matches!(place.open(gone), Err(RepoError::WrongPassword { .. })));
    }
    let plain = Place::new();
    let refused = plain.create(Credentials::None).key_rotate(&Credentials::None, true);
    assert!(matches!(refused, Err(RepoError::NotEncrypted { .. })));
}

#[test]
fn whoever_has_the_repository_open_is_told_and_makes_no_key_that_opens_nothing() {
    let place = Place::new();
    let old = place.create(password("mine"));
    let also_old = place.open("mine").unwrap();
    old.key_rotate(&password("mine"), false).unwrap();
    let told = |done: Result<u64, RepoError>| match done {
        Err(error @ RepoError::Rotated { .. }) => assert_eq!(error.kind(), ErrorKind::Refused),
        other => panic!("{other:?}"),
    };
    let slots = place.configs();
    told(write(&old));
    told(write(&also_old));
    told(old.refresh().map(|state| state.number));
    told(old.key_add(&password("new"), "new", KDF).map(u64::from));
    told(old.key_change(&password("new"), KDF).map(u64::from));
    told(old.key_rotate(&password("mine"), true).map(|_| 0));
    assert!(matches!(old.chunks().index().refresh(), Err(crate::cas::CasError::Rotated)));
    assert_eq!(place.configs(), slots);
    also_old.set_setting("parity", Some("5%")).unwrap();
    assert_eq!(write(&place.open("mine").unwrap()).unwrap(), 3);
}

/// A store in which another process rotates the keys right after an entry was stored.
#[derive(Debug)]
struct Meanwhile {
    store: Arc<MemoryStore>,
    place: Arc<Place>,
    is_done: AtomicBool,
}

impl StorageBackend for Meanwhile {
    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        let put = self.store.put_new(name, parts)?;
        if name.as_str() == "log/0000000002" && !self.is_done.swap(true, Ordering::Relaxed) {
            self.place.open("mine").unwrap().key_rotate(&password("mine"), false).unwrap();
        }
        Ok(put)
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        self.store.get(name, max)
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.store.read_at(name, offset, len)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        self.store.len(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        self.store.list(prefix)
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.replace(name, bytes)
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        self.store.delete(name)
    }

    fn location(&self) -> String {
        self.store.location()
    }
}

#[test]
fn an_entry_that_stands_before_the_rotation_counts_for_its_writer_and_the_next_one_does_not() {
    let place = Arc::new(Place::new());
    place.create(password("mine"));
    let store =
        Meanwhile { store: place.store.clone(), place: place.clone(), is_done: AtomicBool::new(false) };
    let repo = Repository::open(Arc::new(store), &password("mine"), place.client()).unwrap();
    assert_eq!(write(&repo).unwrap(), 2);
    assert!(matches!(write(&repo), Err(RepoError::Rotated { .. })));
    assert_eq!(place.open("mine").unwrap().state().number, 3);
}

#[test]
fn nobody_who_knows_the_older_key_alone_can_add_to_the_log() {
    let place = Place::new();
    let old = place.create(password("mine"));
    let (repo, _) = old.key_rotate(&password("mine"), false).unwrap();
    let mut public = LogEntry::decode(&place.entry(1)).unwrap().0.public;
    public.number = 3;
    public.previous = entry_hash(&place.entry(2));
    public.attempt = AttemptId::new([7; 16]);
    let signed = public.encode().unwrap();
    let signature = old.client().device().unwrap().sign(&signing_bytes(&signed));
    let entry = seal_envelope(&LogEntry::assemble(&signed, &signature).unwrap()).unwrap();
    place.store.put_new(&BlobName::new("log/0000000003").unwrap(), &[&entry]).unwrap();
    let refused = |error: RepoError| match error {
        RepoError::Log { number: 3, why } => assert!(why.contains("older data key"), "{why}"),
        other => panic!("{other:?}"),
    };
    refused(repo.refresh().unwrap_err());
    let mut faults = PublicLog::read(&*place.store).unwrap().faults;
    refused(faults.pop().unwrap().1);
    assert!(faults.is_empty());
}

#[test]
fn a_configuration_from_before_the_rotation_is_told_from_a_rotation_under_way() {
    let place = Place::new();
    let old = place.create(password("mine"));
    let before = place.configs();
    old.key_rotate(&password("mine"), false).unwrap();
    let after = place.configs();
    place.put_configs_back(&before);
    let refused = place.open("mine").unwrap_err();
    assert!(matches!(refused, RepoError::OldConfig { .. }) && refused.kind() == ErrorKind::Damaged);
    place.put_configs_back(&after);
    place.open("mine").unwrap();
}

#[test]
fn a_sheet_from_before_a_rotation_changes_nothing_and_says_why() {
    let place = Place::new();
    let old = place.create(password("mine"));
    let sheet = old.key_export().unwrap();
    let bytes = recovery::decode(&sheet).unwrap();
    let without_master = recovery::encode(&[&[bytes[0] & !0x80], &bytes[33..]].concat()).unwrap();
    // A recovery with the old sheet that was begun before the rotation must not end after it.
    let begun = place.recover(&without_master).unwrap();
    let (repo, _) = old.key_rotate(&password("mine"), false).unwrap();
    let newer = repo.key_export().unwrap();
    let is_old = |done: Result<Recovery, RepoError>| match done {
        Err(error @ RepoError::OldSheet { .. }) => assert_eq!(error.kind(), ErrorKind::Refused),
        other => panic!("{other:?}"),
    };
    let after = place.configs();
    assert!(matches!(begun.finish(&password("x"), "", KDF), Err(RepoError::OldSheet { .. })));
    for sheet in [&sheet, &without_master] {
        is_old(place.recover(sheet));
    }
    assert_eq!(place.configs(), after);
    place.put_configs_back(&[]);
    for sheet in [&sheet, &without_master] {
        is_old(place.recover(sheet));
    }
    place.recover(&newer).unwrap().finish(&password("new"), "new", KDF).unwrap();
    assert_eq!(place.open("new").unwrap().state().epoch, 2);
}

#[test]
fn a_sheet_from_before_a_rotation_is_told_even_if_the_log_has_no_entry_of_it() {
    let place = Place::new();
    let old = place.create(password("mine"));
    let sheet = old.key_export().unwrap();
    // As if the rotation had died after it wrote the configuration.
    let (repo, _) = old.key_rotate(&password("mine"), false).unwrap();
    drop(repo);
    place.store.delete(&BlobName::new("log/0000000002").unwrap()).unwrap();
    std::fs::remove_dir_all(place.state.path()).unwrap();
    assert!(matches!(place.recover(&sheet), Err(RepoError::OldSheet { .. })));
    let repo = place.open("mine").unwrap();
    assert_eq!((repo.state().epoch, write(&repo).unwrap()), (1, 2));
    assert_eq!(repo.state().epoch, 2);
}
