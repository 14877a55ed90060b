//! Associated data: what and where a sealed part is. A part that was sealed for one place opens at no other.

use crate::id::FamilyId;

/// What a sealed part is and where it belongs.
///
/// Fields that a part has no use for are zero. `format` and `kind` are numbers of the format that the part lies in; the
/// constants here name the formats, and each format's specification names its kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aad {
    /// Number of the format: [`Aad::PACK`] and so on.
    pub format: u16,
    /// The keys' family.
    pub family: FamilyId,
    /// What the part is within its format.
    pub kind: u8,
    /// Epoch of the data key.
    pub epoch: u32,
    /// Name of the file that holds the part.
    pub uid: [u8; 16],
    /// Number of the part in the file.
    pub number: u64,
}

impl Aad {
    /// Format of packs.
    pub const PACK: u16 = 1;
    /// Format of index segments.
    pub const SEGMENT: u16 = 2;
    /// Format of log entries.
    pub const ENTRY: u16 = 3;
    /// Format of the configuration: key slots and the keyring.
    pub const CONFIG: u16 = 4;
    /// Format of checkpoints.
    pub const CHECKPOINT: u16 = 5;
    /// Format of a client's caches.
    pub const CACHE: u16 = 6;
    /// Format of bundles.
    pub const BUNDLE: u16 = 7;

    /// Length in bytes of [`Aad::to_bytes`].
    pub const LEN: usize = 4 + 2 + 16 + 1 + 4 + 16 + 8;

    /// The bytes that are authenticated: `warp`, then the fields in order, numbers little-endian. No two values share them.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(b"warp");
        bytes[4..6].copy_from_slice(&self.format.to_le_bytes());
        bytes[6..22].copy_from_slice(self.family.as_bytes());
        bytes[22] = self.kind;
        bytes[23..27].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[27..43].copy_from_slice(&self.uid);
        bytes[43..].copy_from_slice(&self.number.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_associated_data_are_frozen() {
        let aad = Aad {
            format: Aad::SEGMENT,
            family: FamilyId::new([0x11; 16]),
            kind: 3,
            epoch: 0x0403_0201,
            uid: [0x22; 16],
            number: 0x0807_0605_0403_0201,
        };
        let hex = data_encoding::HEXLOWER.encode(&aad.to_bytes());
        let want = concat!(
            "77617270",
            "0200",
            "11111111111111111111111111111111",
            "03",
            "01020304",
            "22222222222222222222222222222222",
            "0102030405060708"
        );
        assert_eq!(hex, want);
    }

    #[test]
    fn every_field_changes_the_bytes() {
        let base = Aad {
            format: Aad::PACK,
            family: FamilyId::new([0; 16]),
            kind: 0,
            epoch: 0,
            uid: [0; 16],
            number: 0,
        };
        let others = [
            Aad { format: Aad::CONFIG, ..base },
            Aad { family: FamilyId::new([1; 16]), ..base },
            Aad { kind: 1, ..base },
            Aad { epoch: 1, ..base },
            Aad { uid: [1; 16], ..base },
            Aad { number: 1, ..base },
        ];
        let mut all: Vec<_> = others.iter().chain([&base]).map(Aad::to_bytes).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 7);
    }
}
