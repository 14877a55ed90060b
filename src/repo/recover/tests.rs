use super::*;
use crate::repo::testkit::{KDF, Place, password};
use crate::store::BlobName;

impl Place {
    fn opens(&self, text: &str) -> bool {
        Repository::open(self.store.clone(), &password(text), self.client()).is_ok()
    }

    fn lose_config(&self) {
        for blob in self.store.list("config/").unwrap() {
            self.store.delete(&blob.name).unwrap();
        }
    }

    /// Leaves a copy of nonsense behind, as a bad disk does.
    fn damage_config(&self) {
        let names: Vec<BlobName> =
            self.store.list("config/").unwrap().into_iter().map(|blob| blob.name).collect();
        for name in names {
            self.store.delete(&name).unwrap();
            self.store.put_new(&name, &[b"nonsense"]).unwrap();
        }
    }
}

/// The sheet as it was before sheets held the master key.
fn without_master(sheet: &str) -> Zeroizing<String> {
    let bytes = recovery::decode(sheet).unwrap();
    assert_eq!(bytes[0], WITH_MASTER | Cipher::XChaCha20Poly1305 as u8);
    recovery::encode(&[&[bytes[0] & !WITH_MASTER], &bytes[33..]].concat()).unwrap()
}

#[test]
fn a_sheet_adds_a_key_and_leaves_the_others() {
    let place = Place::new();
    let repo = place.create(password("old"));
    let sheet = repo.key_export().unwrap();
    repo.key_change(&password("newer"), KDF).unwrap();
    let recovery = place.recover(&sheet).unwrap();
    assert!(recovery.is_encrypted() && !recovery.is_config_lost() && recovery.lost_keys().is_empty());
    assert_eq!(recovery.finish(&password("recovered"), "label", KDF).unwrap(), Some(3));
    assert!(place.opens("newer") && place.opens("recovered") && !place.opens("old"));
    let slots = place.recover(&sheet).unwrap().repo.key_slots();
    assert_eq!(
        slots.iter().map(|slot| (slot.id, &*slot.label)).collect::<Vec<_>>(),
        [(2, "first"), (3, "label")]
    );
}

#[test]
fn a_sheet_without_the_master_key_replaces_the_keys_and_says_which() {
    let place = Place::new();
    let repo = place.create(password("old"));
    repo.key_add(&password("other"), "other", KDF).unwrap();
    let (sheet, old) = (repo.key_export().unwrap(), without_master(&repo.key_export().unwrap()));
    let recovery = place.recover(&old).unwrap();
    assert_eq!(recovery.lost_keys().iter().map(|slot| slot.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(recovery.finish(&password("recovered"), "label", KDF).unwrap(), Some(3));
    assert!(place.opens("recovered") && !place.opens("old") && !place.opens("other"));
    // The other sheet's master key is not that of the configuration any more, but its keyring still is.
    let recovery = place.recover(&sheet).unwrap();
    assert_eq!(recovery.lost_keys().len(), 1);
    assert_eq!(recovery.finish(&password("again"), "label", KDF).unwrap(), Some(4));
    assert!(place.opens("again") && !place.opens("recovered"));
}

#[test]
fn a_lost_or_damaged_configuration_is_written_anew() {
    type Harm = fn(&Place);
    for harm in [Place::lose_config as Harm, Place::damage_config as Harm] {
        let place = Place::new();
        let repo = place.create(password("old"));
        let sheet = repo.key_export().unwrap();
        let (instance, family) = (repo.instance(), repo.family());
        harm(&place);
        assert!(!place.opens("old"));
        let recovery = place.recover(&sheet).unwrap();
        assert!(recovery.is_config_lost() && recovery.is_encrypted());
        assert!(!place.opens("old"), "opening changes nothing");
        assert_eq!(recovery.finish(&password("new"), "label", KDF).unwrap(), Some(1));
        let repo = Repository::open(place.store.clone(), &password("new"), place.client()).unwrap();
        assert_eq!((repo.instance(), repo.family()), (instance, family));
        assert_eq!(repo.setting("compression").as_deref(), Some("7"));
        repo.set_setting("compression", None).unwrap();
        assert!(place.recover(&sheet).unwrap().lost_keys().len() == 1, "it has a new master key");
    }
}

#[test]
fn an_unencrypted_repository_needs_its_sheet_only_when_its_configuration_is_lost() {
    let place = Place::new();
    let sheet = place.create(Credentials::None).key_export().unwrap();
    assert!(matches!(place.recover(&sheet), Err(RepoError::NotEncrypted { .. })));
    place.lose_config();
    let recovery = place.recover(&sheet).unwrap();
    assert!(!recovery.is_encrypted());
    assert_eq!(recovery.finish(&Credentials::None, "", KDF).unwrap(), None);
    Repository::open(place.store.clone(), &Credentials::None, place.client()).unwrap();
}

#[test]
fn a_sheet_of_another_repository_is_refused_whatever_is_left_of_this_one() {
    let (place, other) = (Place::new(), Place::new());
    place.create(password("mine"));
    let foreign = other.create(password("theirs")).key_export().unwrap();
    assert!(matches!(place.recover(&foreign), Err(RepoError::OtherSheet { .. })));
    place.lose_config();
    assert!(matches!(place.recover(&foreign), Err(RepoError::OtherSheet { .. })));
    let empty = Place::new();
    assert!(matches!(empty.recover(&foreign), Err(RepoError::NoRepository { .. })));
}

#[test]
fn what_a_sheet_says_is_checked_even_if_its_checksums_are_right() {
    let place = Place::new();
    let sheet = place.create(password("old")).key_export().unwrap();
    let good = recovery::decode(&sheet).unwrap();
    let mut bad: Vec<Vec<u8>> = (0..4).map(|_| good.to_vec()).collect();
    bad[0][0] = WITH_MASTER | 9;
    bad[1].truncate(20);
    bad[2].clear();
    bad[3][60] ^= 1;
    for bytes in bad {
        let text = recovery::encode(&bytes).unwrap();
        assert!(RecoverySheet::read(&text).is_err(), "{bytes:?}");
    }
    // A wrong master key opens nothing, and cannot pass for another.
    let mut wrong = good.to_vec();
    wrong[5] ^= 1;
    let recovery = place.recover(&recovery::encode(&wrong).unwrap()).unwrap();
    assert_eq!(recovery.lost_keys().len(), 1);
}
