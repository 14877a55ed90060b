//! The oracle: the algorithm as it is told, on whole contents, without a thought for speed.

use super::item::{Content, Difference, Hasher, Item};
use super::minima::Minima;

/// A chunk of some layer with its bytes: a unit, which is a sequence of symbols, and how often it stands in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) symbols: Vec<Vec<u8>>,
    pub(super) repeat: usize,
}

impl Piece {
    fn once(bytes: &[u8]) -> Self {
        Self { symbols: vec![bytes.to_vec()], repeat: 1 }
    }

    /// The symbols of all units.
    fn content(&self) -> Vec<Vec<u8>> {
        std::iter::repeat_n(&self.symbols, self.repeat).flatten().cloned().collect()
    }

    /// Bytes of one unit.
    pub(super) fn unit(&self) -> usize {
        self.symbols.iter().map(Vec::len).sum()
    }

    pub(super) fn weight(&self) -> usize {
        self.unit() * self.repeat
    }
}

/// The bytes of a content one by one.
pub(super) fn single_bytes(data: &[u8]) -> Vec<Piece> {
    data.iter().map(|&byte| Piece::once(&[byte])).collect()
}

/// The chunks after the layers of unit `from`, twice `from`, ... up to `to`.
pub(super) fn layers(mut pieces: Vec<Piece>, from: usize, to: usize, hasher: &Hasher) -> Vec<Piece> {
    let mut unit = from;
    while unit <= to {
        pieces = balance(pieces, unit, hasher);
        pieces = caterpillars(pieces);
        pieces = toss(pieces, unit, hasher);
        unit *= 2;
    }
    pieces
}

fn fits(a: &Piece, b: &Piece, unit: usize) -> bool {
    a.weight() + b.weight() <= unit
}

/// The bits by which contents are told apart: the value, the weight twice, the bytes.
fn encoding(piece: &Piece, hasher: &Hasher) -> Vec<u8> {
    let content = piece.content();
    let hash = content.iter().rev().fold(0_u64, |behind, symbol| {
        let digest = hasher.leaf(0, symbol).digest;
        digest.hash.wrapping_add(digest.factor.wrapping_mul(behind))
    });
    let weight = piece.weight() as u64;
    let mut bytes = hasher.value(hash, weight).to_le_bytes().to_vec();
    bytes.extend(weight.to_le_bytes());
    bytes.extend(weight.to_le_bytes());
    bytes.extend(content.concat());
    bytes
}

/// Order 0 of the diffbit of two neighbours; `None` if they are equal.
fn diffbit(a: &Piece, b: &Piece, hasher: &Hasher) -> Option<u64> {
    let (a, b) = (encoding(a, hasher), encoding(b, hasher));
    let bit = |bytes: &[u8], i: usize| u64::from(bytes[i / 8] >> (i % 8) & 1);
    (0..8 * a.len().min(b.len())).find(|&i| bit(&a, i) != bit(&b, i)).map(|i| 2 * i as u64 + bit(&a, i))
}

/// Whether the first of two neighbours is the lighter, in this order or the other.
fn is_lighter(left: &Piece, right: &Piece, want_left: bool, hasher: &Hasher) -> bool {
    if left.weight() != right.weight() {
        return (left.weight() < right.weight()) == want_left;
    }
    diffbit(left, right, hasher).is_some_and(|order| (order & 1 == 0) == want_left)
}

fn balance(pieces: Vec<Piece>, unit: usize, hasher: &Hasher) -> Vec<Piece> {
    let n = pieces.len();
    let mut marks = vec![None; n];
    let is_minimum = |i: usize| {
        (i == 0 || is_lighter(&pieces[i - 1], &pieces[i], false, hasher))
            && (i + 1 == n || is_lighter(&pieces[i], &pieces[i + 1], true, hasher))
    };
    for i in (0..n).filter(|&i| is_minimum(i)) {
        if i + 1 < n && fits(&pieces[i], &pieces[i + 1], unit) {
            marks[i] = Some(0);
        }
        if i > 0 && fits(&pieces[i - 1], &pieces[i], unit) && marks[i - 1].is_none() {
            marks[i - 1] = Some(1);
        }
    }
    merge(pieces, marks, 2, unit)
}

fn caterpillars(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut runs: Vec<(Piece, usize)> = Vec::new();
    for piece in pieces {
        match runs.last_mut() {
            Some((first, copies)) if first.content() == piece.content() => *copies += 1,
            _ => runs.push((piece, 1)),
        }
    }
    let long = |(first, copies): (Piece, usize)| Piece { repeat: first.repeat * copies, ..first };
    runs.into_iter().map(long).collect()
}

fn toss(pieces: Vec<Piece>, unit: usize, hasher: &Hasher) -> Vec<Piece> {
    let mut orders: Vec<Option<u64>> = pieces
        .windows(2)
        .map(|pair| fits(&pair[0], &pair[1], unit).then(|| diffbit(&pair[0], &pair[1], hasher)).flatten())
        .chain([None])
        .collect();
    for _ in 0..4 {
        for i in 0..orders.len() {
            let next = orders.get(i + 1).copied().flatten();
            orders[i] = orders[i].map(|order| match next {
                None => order & 1,
                Some(next) => {
                    let bit = (0..64).find(|&k| (order ^ next) >> k & 1 == 1).expect("neighbours differ");
                    2 * bit + (order >> bit & 1)
                }
            });
        }
    }
    assert!(orders.iter().flatten().all(|&order| order <= 5), "{orders:?}");
    merge(pieces, orders, 6, unit)
}

/// Merges by priority. Pairs of one priority are settled from right to left.
fn merge(mut pieces: Vec<Piece>, mut marks: Vec<Option<u64>>, priorities: u64, unit: usize) -> Vec<Piece> {
    for priority in 0..priorities {
        let marked: Vec<bool> = marks.iter().map(|&mark| mark == Some(priority)).collect();
        for i in (0..pieces.len()).rev() {
            let is_free = i + 1 < pieces.len() && marked[i] && !marked[i + 1];
            if is_free && fits(&pieces[i], &pieces[i + 1], unit) {
                let right = pieces.remove(i + 1);
                pieces[i] = Piece { symbols: [pieces[i].content(), right.content()].concat(), repeat: 1 };
                marks[i] = marks.remove(i + 1).filter(|&mark| mark > priority);
            }
        }
    }
    pieces
}

/// The proto-chunks of a content, by one finder of minima a level.
pub(super) fn proto_chunks(data: &[u8], levels: &mut [(Minima, usize)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    split(data, 0, data.len(), levels, &mut pieces);
    caterpillars(pieces)
}

fn split(data: &[u8], start: usize, end: usize, levels: &mut [(Minima, usize)], pieces: &mut Vec<Piece>) {
    let Some(((minima, longest), finer)) = levels.split_first_mut() else {
        let runs = data[start..end].chunk_by(|a, b| a == b);
        return pieces.extend(runs.map(|run| Piece { symbols: vec![vec![run[0]]], repeat: run.len() }));
    };
    let mut cuts = minima.all(data);
    cuts.retain(|&cut| start < cut && cut < end);
    cuts.push(end);
    let mut from = start;
    for cut in cuts {
        if cut - from <= *longest {
            pieces.extend((from < cut).then(|| Piece::once(&data[from..cut])));
        } else {
            split(data, from, cut, finer, pieces);
        }
        from = cut;
    }
}

/// A whole content in memory, as the layers ask for it.
pub(super) struct Whole<'a>(pub(super) &'a [u8]);

impl Content for Whole<'_> {
    fn difference(&self, a: &Item, b: &Item) -> Option<Difference> {
        let bytes = |item: &Item| &self.0[item.pos as usize..][..item.weight() as usize];
        let pairs = bytes(a).iter().zip(bytes(b)).enumerate();
        pairs
            .filter(|(_, (x, y))| x != y)
            .map(|(i, (&x, &y))| (8 * i as u64, u64::from(x), u64::from(y)))
            .next()
            .and_then(|(bits, x, y)| Difference::of(x, y).map(|difference| difference.after(bits)))
    }
}
