use super::*;
use crate::format::testkit::{assert_canonical, assert_damage_is_found, assert_golden};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

fn header() -> SegmentHeader {
    SegmentHeader {
        cipher: Cipher::XChaCha20Poly1305,
        family: FamilyId::new([0x33; 16]),
        uid: SegmentId::new([0x44; 16]),
        epoch: 7,
        key: WrappedKey { wrap: 0, nonce: [0x11; 24], sealed: [0x22; 48] },
        rows: 1000,
        pages: 2,
        footer_len: 5000,
        deltas_len: 600,
        features_len: 700,
    }
}

fn row(locator: u8, kind: ObjectKind, pack: u16) -> IndexRow {
    IndexRow { locator: Locator::new([locator; 16]), kind, pack, block: 0x0203, slot: 0x0405, flags: 0 }
}

fn rows() -> Vec<IndexRow> {
    vec![
        row(1, ObjectKind::Chunk, 3),
        row(1, ObjectKind::Chunk, 4),
        row(1, ObjectKind::State, 2),
        IndexRow { flags: 1, ..row(7, ObjectKind::DirNode, 0xabcd) },
    ]
}

fn footer() -> SegmentFooter {
    SegmentFooter {
        packs: vec![PackId::new([9; 16]), PackId::new([3; 16])],
        fences: vec![Locator::new([1; 16]), Locator::new([1; 16]), Locator::new([5; 16])],
        filter: b"bits".to_vec(),
    }
}

fn deltas() -> Vec<IndexDelta> {
    let bases = |bases: &[u8]| {
        Bases::new(&bases.iter().map(|&base| Locator::new([base; 16])).collect::<Vec<_>>()).unwrap()
    };
    vec![IndexDelta { row: 0, bases: bases(&[6]) }, IndexDelta { row: 500, bases: bases(&[7, 6]) }]
}

fn features() -> Vec<IndexFeature> {
    let feature = |(feature, row)| IndexFeature { feature, row };
    [(0, 3), (70_000, 2), (70_000, 999), (u32::MAX, 0)].map(feature).to_vec()
}

fn with_bytes(place: usize, bytes: &[u8]) -> Result<SegmentHeader, DecodeError> {
    let mut all = header().encode();
    all[place..place + bytes.len()].copy_from_slice(bytes);
    let sum = blake3::hash(&all[..160]);
    all[160..].copy_from_slice(sum.as_bytes());
    SegmentHeader::decode(&all)
}

#[test]
fn a_header_has_its_golden_bytes_and_no_damage_goes_unseen() {
    let bytes = header().encode();
    assert_golden(&bytes, "index_header.hex");
    assert_damage_is_found(&bytes, |bytes| {
        SegmentHeader::decode(bytes).map(|header| header.encode().to_vec())
    });
}

#[test]
fn a_page_has_its_golden_bytes_and_one_encoding() {
    let bytes = encode_page(&rows());
    assert_golden(&bytes, "index_page.hex");
    assert_canonical(&bytes, |bytes| Ok(encode_page(&decode_page(bytes)?)));
}

#[test]
fn a_footer_has_its_golden_bytes_and_one_encoding() {
    let bytes = footer().encode().unwrap();
    assert_golden(&bytes, "index_footer.hex");
    assert_canonical(&bytes, |bytes| SegmentFooter::decode(bytes)?.encode());
    let empty = SegmentFooter::default();
    assert_eq!(SegmentFooter::decode(&empty.encode().unwrap()), Ok(empty));
}

#[test]
fn tables_have_their_golden_bytes_and_one_encoding() {
    let bytes = encode_deltas(&deltas()).unwrap();
    assert_golden(&bytes, "index_deltas.hex");
    assert_canonical(&bytes, |bytes| encode_deltas(&decode_deltas(bytes, 1000)?));
    let bytes = encode_features(&features()).unwrap();
    assert_golden(&bytes, "index_features.hex");
    assert_canonical(&bytes, |bytes| encode_features(&decode_features(bytes, 1000)?));
}

#[test]
fn tables_out_of_order_or_of_rows_that_are_not_there_are_refused() {
    let (one, other) = (deltas()[0], deltas()[1]);
    for wrong in [[other, one], [one, one], [one, IndexDelta { row: u32::MAX, ..other }]] {
        assert!(encode_deltas(&wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(decode_deltas(&encode_deltas(&deltas()).unwrap(), 501), Ok(deltas()));
    assert!(decode_deltas(&encode_deltas(&deltas()).unwrap(), 500).is_err());
    let (one, other) = (features()[0], features()[1]);
    for wrong in [[other, one], [one, one], [one, IndexFeature { row: u32::MAX, ..other }]] {
        assert!(encode_features(&wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(decode_features(&encode_features(&features()).unwrap(), 1000), Ok(features()));
    assert!(decode_features(&encode_features(&features()).unwrap(), 999).is_err());
}

#[test]
fn a_header_with_a_right_checksum_and_hostile_geometry_is_refused() {
    assert_eq!(with_bytes(0, b"W"), Ok(header()));
    for (place, value) in [
        (132, 683 * 2),
        (132, 0),
        (136, 1),
        (136, 3),
        (140, 0),
        (140, 1_u32 << 28),
        (144, 1 << 28),
        (148, 1 << 28),
    ] {
        assert!(with_bytes(place, &value.to_le_bytes()).is_err(), "{place} {value}");
    }
    for place in [10, 11, 48, 49, 131, 152, 159] {
        assert!(with_bytes(place, &[2]).is_err(), "{place}");
    }
    assert_eq!(with_bytes(8, &[9]), Err(DecodeError::Version { what: WHAT, found: 9, max: 1 }));
}

#[test]
fn pages_are_full_but_for_the_last() {
    let header = header();
    assert_eq!([0, 1, 2, u32::MAX].map(|page| header.rows_in_page(page)), [682, 318, 0, 0]);
    assert_eq!([0, 1, 682, 683].map(SegmentHeader::pages_for), [0, 1, 1, 2]);
}

#[test]
fn pages_out_of_order_with_twins_or_without_rows_are_refused() {
    let (a, b) = (rows()[0], rows()[1]);
    let page = |rows: &[IndexRow]| rows.iter().flat_map(|row| encode_page(&[*row])).collect::<Vec<u8>>();
    assert_eq!(decode_page(&page(&[a, b])), Ok(vec![a, b]));
    for rows in [&[b, a][..], &[a, a], &[]] {
        assert!(decode_page(&page(rows)).is_err());
        assert!(PageView::check(&page(rows)).is_err());
    }
    let many: Vec<_> = (0..=ROWS_PER_PAGE as u16).map(|pack| row(1, ObjectKind::Chunk, pack)).collect();
    assert!(decode_page(&page(&many[1..])).is_ok());
    assert!(decode_page(&page(&many)).is_err());
}

#[test]
fn a_footer_is_checked_against_its_header() {
    let header = SegmentHeader { rows: 683 * 3 - 100, pages: 3, ..header() };
    assert_eq!(footer().check(&header), Ok(()));
    assert!(footer().check(&SegmentHeader { pages: 2, ..header.clone() }).is_err());
    assert!(SegmentFooter { filter: vec![0; 20_000], ..footer() }.check(&header).is_err());
}

#[test]
fn footers_with_twins_or_out_of_order_are_neither_written_nor_read() {
    let refuse = |change: fn(&mut SegmentFooter)| {
        let mut footer = footer();
        change(&mut footer);
        assert!(footer.encode().is_err(), "{footer:?}");
    };
    refuse(|f| f.packs[1] = f.packs[0]);
    refuse(|f| f.fences.reverse());
}

fn any_row() -> impl Strategy<Value = IndexRow> {
    (0..4_u8, 1..=5_u8, 0..3_u16, 0..3_u16, any::<u16>(), 0..=4_u8).prop_map(
        |(locator, kind, pack, block, slot, flags)| IndexRow {
            locator: Locator::new([locator; 16]),
            kind: ObjectKind::from_u8(kind).unwrap(),
            pack,
            block,
            slot,
            flags,
        },
    )
}

proptest! {
    #[test]
    fn a_page_finds_what_a_scan_of_its_rows_finds(rows in btree_set(any_row(), 1..200), locator in 0..5_u8, kind in 1..=5_u8) {
        let rows: Vec<_> = rows.into_iter().collect();
        let bytes = encode_page(&rows);
        prop_assert_eq!(decode_page(&bytes), Ok(rows.clone()));
        let view = PageView::check(&bytes).unwrap();
        let (locator, kind) = (Locator::new([locator; 16]), ObjectKind::from_u8(kind).unwrap());
        let wanted = |row: &&IndexRow| row.locator == locator && row.kind == kind;
        prop_assert!(view.find(locator, kind).eq(rows.iter().filter(wanted).copied()));
        prop_assert!(view.find_numbered(locator, kind).all(|(number, row)| rows[number] == row));
    }

    #[test]
    fn a_view_of_arbitrary_bytes_never_panics(bytes in vec(any::<u8>(), 0..200), locator: u8) {
        let view = PageView::of_checked(&bytes);
        let wanted = Locator::new([locator; 16]);
        prop_assert!(view.find(wanted, ObjectKind::Chunk).all(|row| row.locator == wanted));
    }

    #[test]
    fn footers_round_trip(packs in btree_set(any::<[u8; 16]>(), 0..9), mut fences: Vec<[u8; 16]>, filter: Vec<u8>) {
        fences.sort_unstable();
        let footer = SegmentFooter {
            packs: packs.into_iter().rev().map(PackId::new).collect(),
            fences: fences.into_iter().map(Locator::new).collect(),
            filter,
        };
        prop_assert_eq!(SegmentFooter::decode(&footer.encode().unwrap()), Ok(footer));
    }

    #[test]
    fn tables_round_trip(deltas in btree_map(0..1000_u32, vec(any::<[u8; 16]>(), 1..=4), 0..9), features in btree_set((any::<u32>(), 0..1000_u32), 0..30)) {
        let bases = |bases: Vec<[u8; 16]>| Bases::new(&bases.into_iter().map(Locator::new).collect::<Vec<_>>()).unwrap();
        let deltas: Vec<_> = deltas.into_iter().map(|(row, locators)| IndexDelta { row, bases: bases(locators) }).collect();
        prop_assert_eq!(decode_deltas(&encode_deltas(&deltas).unwrap(), 1000), Ok(deltas));
        let features: Vec<_> = features.into_iter().map(|(feature, row)| IndexFeature { feature, row }).collect();
        prop_assert_eq!(decode_features(&encode_features(&features).unwrap(), 1000), Ok(features));
    }
}
