//! Items: what the layers arrange. An item is a chunk of some layer, known by weight, content hash and place.

use super::digest::{Digest, Digester};

/// A chunk of some layer: a unit and how often it stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Where it starts, counted in symbols (bytes, or the items of an abstract sequence).
    pub(super) pos: u64,
    /// Weight of one unit.
    pub(super) unit: u64,
    /// Symbols of one unit.
    pub(super) symbols: u64,
    /// Units in a row.
    pub(super) repeat: u64,
    /// Of the symbols of all units.
    pub(super) digest: Digest,
    /// The digest and the weight, mixed: what differs between two items is looked for here first.
    pub(super) value: u64,
}

impl Item {
    /// Weight of all units.
    pub(super) fn weight(&self) -> u64 {
        self.unit.saturating_mul(self.repeat)
    }

    /// Symbols of all units.
    pub(super) fn span(&self) -> u64 {
        self.symbols.saturating_mul(self.repeat)
    }

    /// Whether one chunk of at most `limit` can hold this item and `next`.
    pub(super) fn fits(&self, next: &Self, limit: u64) -> bool {
        self.weight().saturating_add(next.weight()) <= limit
    }
}

/// Access to what the items stand for, for the moment when hashes do not decide.
pub(super) trait Content {
    /// The lowest bit at which the contents of `a` and `b`, of equal weight, differ; `None` if they are equal.
    fn difference(&self, a: &Item, b: &Item) -> Option<Difference>;
}

/// A place where two contents differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// Index of the lowest bit that differs.
    pub(super) bit: u64,
    /// Whether the left content has a 1 there.
    pub(super) left_is_one: bool,
}

impl Difference {
    /// The lowest bit in which two numbers differ.
    pub(super) fn of(a: u64, b: u64) -> Option<Self> {
        let bit = (a ^ b).trailing_zeros();
        (bit < 64).then(|| Self { bit: u64::from(bit), left_is_one: (a >> bit) & 1 == 1 })
    }

    /// The same difference, counted in a longer encoding that has `bits` bits before.
    pub(super) fn after(self, bits: u64) -> Self {
        Self { bit: self.bit + bits, ..self }
    }

    /// Order 0 of the diffbit: the bit's index times two, plus the left content's bit.
    pub(super) fn order(self) -> u64 {
        2 * self.bit + u64::from(self.left_is_one)
    }
}

/// The keyed rules by which items are made and told apart.
#[derive(Clone)]
pub(super) struct Hasher {
    digester: Digester,
    weight_key: u64,
    value_key: u64,
    /// Bits of a value that tests leave, so that values collide.
    #[cfg(test)]
    pub(super) value_mask: u64,
}

impl Hasher {
    /// Takes its keys from `draws`.
    pub(super) fn new(mut draws: impl FnMut() -> u64) -> Self {
        Self {
            weight_key: draws() | 1,
            value_key: draws(),
            digester: Digester::new(draws),
            #[cfg(test)]
            value_mask: u64::MAX,
        }
    }

    fn item(&self, pos: u64, unit: u64, symbols: u64, digest: Digest) -> Item {
        Item { pos, unit, symbols, repeat: 1, digest, value: self.value(digest.hash, unit) }
    }

    /// A bijection of `hash` for every weight, so that differing hashes of one weight give differing values.
    pub(super) fn value(&self, hash: u64, weight: u64) -> u64 {
        let mut x = hash.wrapping_add(weight.wrapping_mul(self.weight_key)) ^ self.value_key;
        x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        x ^= x >> 32;
        #[cfg(test)]
        let x = x & self.value_mask;
        x
    }

    /// The item of `bytes` at `pos`, as one symbol.
    pub(super) fn leaf(&self, pos: u64, bytes: &[u8]) -> Item {
        let len = bytes.len() as u64;
        self.item(pos, len, len, self.digester.symbol(bytes))
    }

    /// One symbol of an abstract sequence.
    pub(super) fn symbol(&self, pos: u64, weight: u64, hash: u64) -> Item {
        self.item(pos, weight, 1, self.digester.opaque(hash))
    }

    /// `left` and the item behind it as one.
    pub(super) fn merge(&self, left: &Item, right: &Item) -> Item {
        let digest = self.digester.join(left.digest, right.digest);
        self.item(left.pos, left.weight() + right.weight(), left.span() + right.span(), digest)
    }

    /// `copies` items of the content of `first` in a row, as one caterpillar of its unit.
    pub(super) fn repeat(&self, first: &Item, copies: u64) -> Item {
        if copies == 1 {
            return *first;
        }
        let repeat = first.repeat.saturating_mul(copies);
        let digest = self.digester.repeat(first.digest, copies);
        let value = self.value(digest.hash, first.unit.saturating_mul(repeat));
        Item { repeat, digest, value, ..*first }
    }

    /// Whether two items have the same content. Equal hashes are not taken for it: the content is compared.
    pub(super) fn same<C: Content>(&self, a: &Item, b: &Item, content: &C) -> bool {
        a.value == b.value
            && a.weight() == b.weight()
            && a.span() == b.span()
            && content.difference(a, b).is_none()
    }

    /// The lowest bit in which two items differ, in the encoding (value, weight, symbols, content); `None` if
    /// the contents are equal.
    pub(super) fn difference<C: Content>(&self, a: &Item, b: &Item, content: &C) -> Option<Difference> {
        Difference::of(a.value, b.value)
            .or_else(|| Difference::of(a.weight(), b.weight()).map(|d| d.after(64)))
            .or_else(|| Difference::of(a.span(), b.span()).map(|d| d.after(128)))
            .or_else(|| content.difference(a, b).map(|d| d.after(192)))
    }
}
