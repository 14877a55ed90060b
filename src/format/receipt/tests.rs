use super::*;
use crate::format::testkit::{assert_damage_is_found, assert_golden};

fn receipt() -> Receipt {
    Receipt {
        number: 7,
        hash: EntryHash::new([1; 32]),
        time: Timestamp { secs: -5, nanos: 9 },
        key: [2; 32],
        rights: Rights::READ.and(Rights::APPEND),
        commits: vec![CommitId::new([3; 32]), CommitId::new([4; 32])],
    }
}

#[test]
fn a_receipt_has_the_published_bytes_and_no_damage_passes() {
    let bytes = receipt().encode();
    assert_eq!(Receipt::decode(&bytes), Ok(receipt()));
    assert_eq!(Receipt { commits: Vec::new(), ..receipt() }.encode().len() as u64, Receipt::EMPTY_LEN);
    assert_golden(&bytes, "receipt.hex");
    assert_damage_is_found(&bytes, |bytes| Receipt::decode(bytes).map(|receipt| receipt.encode()));
}
