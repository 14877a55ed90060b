//! Which commits of other families a repository has, and as what: kept by the client outside the repository, and told by the
//! commits themselves.
//!
//! One file for each repository and family, in the client's folder: magic (8 bytes), then for each commit its id there (32) and its
//! id here (32), then BLAKE3 of all before (32). Where it is lost, the commits of the repository are read.

use std::collections::HashMap;

use crate::id::{CommitId, FamilyId};

use super::{RepoError, Repository, read_version};

const MAGIC: &[u8; 8] = b"WARPIMP1";
const ROW_LEN: usize = 2 * CommitId::LEN;
const CHECK_LEN: usize = 32;
/// Most bytes of the file: some four million commits.
const LEN_MAX: u64 = 256 << 20;

/// Ids of commits where they come from, and of those that were made of them.
pub(crate) type Imports = HashMap<CommitId, CommitId>;

impl Repository {
    /// The commits of a family that were imported: as this client remembers or, where it does not, as they say themselves.
    ///
    /// # Errors
    /// When a commit cannot be read.
    pub(crate) fn imports(&self, from: FamilyId) -> Result<Imports, RepoError> {
        let kept = self.client().kept(&self.imports_name(from), LEN_MAX);
        match kept.and_then(|bytes| decode(&bytes)) {
            Some(imports) => Ok(imports),
            None => self.read_imports(from),
        }
    }

    fn read_imports(&self, from: FamilyId) -> Result<Imports, RepoError> {
        let mut imports = Imports::new();
        for id in &self.state().commits {
            let imported = read_version(self.chunks(), *id)?.commit.imported;
            imports.extend(imported.filter(|of| of.family == from).map(|of| (of.id, *id)));
        }
        Ok(imports)
    }

    /// Remembers which commits of a family were imported.
    ///
    /// # Errors
    /// When the client's folder cannot be written.
    pub(crate) fn remember_imports(&self, from: FamilyId, imports: &Imports) -> Result<(), RepoError> {
        self.client().keep(&self.imports_name(from), &encode(imports))
    }

    fn imports_name(&self, from: FamilyId) -> String {
        format!("imported-{from}-{}", self.instance())
    }
}

fn encode(imports: &Imports) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + ROW_LEN * imports.len() + CHECK_LEN);
    bytes.extend_from_slice(MAGIC);
    let mut rows: Vec<_> = imports.iter().collect();
    rows.sort_unstable();
    for (there, here) in rows {
        bytes.extend_from_slice(there.as_bytes());
        bytes.extend_from_slice(here.as_bytes());
    }
    let check = blake3::hash(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Imports> {
    let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK_LEN)?)?;
    if blake3::hash(body).as_bytes() != check {
        return None;
    }
    let (rows, []) = body.strip_prefix(MAGIC)?.as_chunks::<ROW_LEN>() else { return None };
    let id = |bytes: &[u8]| Some(CommitId::new(bytes.try_into().ok()?));
    let row = |row: &[u8; ROW_LEN]| Some((id(&row[..CommitId::LEN])?, id(&row[CommitId::LEN..])?));
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_imported_comes_back_and_any_flipped_byte_makes_it_unknown() {
        let id = |byte| CommitId::new([byte; 32]);
        let imports: Imports = [(id(1), id(7)), (id(2), id(8))].into();
        let bytes = encode(&imports);
        assert_eq!(decode(&bytes), Some(imports));
        assert_eq!(decode(&encode(&Imports::new())), Some(Imports::new()));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert_eq!(decode(&damaged), None, "at {place}");
            assert_eq!(decode(&bytes[..place]), None, "cut at {place}");
        }
    }
}
