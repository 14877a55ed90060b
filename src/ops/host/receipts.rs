//! When an entry came, and who brought it: what the host knows, whatever the entry says of itself.

use std::collections::HashMap;

use crate::format::receipt::Receipt;
use crate::id::CommitId;
use crate::store::{BlobName, StorageBackend, StoreError};

/// Where they lie.
pub(super) const FOLDER: &str = "receipts/";

pub(super) fn name(number: u64) -> BlobName {
    BlobName::new(&format!("{FOLDER}{number:010}")).expect("digits make a legal name")
}

/// The receipts of a repository, by commit: the first one of each, that is. What is damaged is left out.
pub(in crate::ops) fn read_receipts(
    store: &dyn StorageBackend,
) -> Result<HashMap<CommitId, Receipt>, StoreError> {
    let mut receipts = HashMap::new();
    store.get_many(&store.names(FOLDER)?, Receipt::LEN_MAX, &mut |_, got| {
        let bytes = match got {
            Err(error) if error.is_not_found() => return Ok(()),
            bytes => bytes?,
        };
        let Ok(receipt) = Receipt::decode(&bytes) else { return Ok(()) };
        for commit in &receipt.commits {
            receipts.entry(*commit).or_insert_with(|| receipt.clone());
        }
        Ok(())
    })?;
    Ok(receipts)
}
