use super::*;
use crate::testing::Rng;
use proptest::prelude::*;

/// Parity as the crate gives it for whole shards.
fn oracle(config: ErasureConfig, data: &[u8], shard_len: usize) -> Vec<u8> {
    let mut data = data.to_vec();
    data.resize(config.data() * shard_len, 0);
    let shards = data.chunks_exact(shard_len);
    reed_solomon_simd::encode(config.data(), config.parity(), shards).unwrap().concat()
}

/// All shards after `lost` ones were overwritten with rubbish and restored.
fn restored(
    config: ErasureConfig,
    whole: &[u8],
    shard_len: usize,
    lost: &[usize],
) -> Result<Vec<u8>, ErasureError> {
    let mut shards = whole.to_vec();
    let mut present = vec![true; config.shards()];
    for &index in lost {
        present[index] = false;
        shards[index * shard_len..][..shard_len].fill(0xa5);
    }
    ErasureDecoder::new(config).restore(&mut shards, &present, shard_len).map(|count| {
        assert_eq!(count, lost.len());
        shards
    })
}

#[test]
fn every_choice_of_m_lost_shards_of_every_preset_heals_and_of_one_more_is_refused() {
    for config in ErasureConfig::PRESETS {
        let data = Rng::new(1).bytes(config.data() * 64 - 5);
        let shards = ErasureEncoder::new(config).encode(&data).unwrap();
        let mut decoder = ErasureDecoder::new(config);
        let (count, parity) = (config.shards(), config.parity());
        // Of the larger codes a part of the choices, all of which would take seconds.
        let sets = (0..1_u32 << count).filter(|set| count < 10 || set % 11 == 0);
        let mut seen = [0; 2];
        for set in sets {
            let missing = set.count_ones() as usize;
            if ![parity, parity + 1].contains(&missing) {
                continue;
            }
            let kept: Vec<_> = shards.iter().filter(|shard| set >> shard.index & 1 == 0).cloned().collect();
            let wanted = match missing == parity {
                true => Ok(data.clone()),
                false => Err(ErasureError::TooFew { missing, count, parity }),
            };
            assert_eq!(decoder.decode(&kept, data.len()), wanted, "{config} without {set:b}");
            seen[missing - parity] += 1;
        }
        assert!(seen.iter().all(|seen| *seen >= 15), "{config}: {seen:?}");
    }
}

#[test]
fn the_bytes_of_parity_are_frozen() {
    let data = Rng::new(7).bytes(100_000);
    let found = [(4, 2, 64 * 391), (200, 7, 512), (17, 18, 6400)].map(|(data_shards, parity, shard_len)| {
        let config = ErasureConfig::new(data_shards, parity).unwrap();
        let parity = ErasureEncoder::new(config).parity(&[&data], shard_len).unwrap();
        blake3::hash(&parity).to_hex()[..32].to_owned()
    });
    let wanted = [
        "7d7dc8c4a13f21ae36faa2952d5c56e2",
        "9d133f13ae56799b155c46f08388e756",
        "60e2cace33dde7d29548781195d9d2a5",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn one_data_shard_makes_parity_that_is_itself() {
    let config = ErasureConfig::new(1, 3).unwrap();
    let data = Rng::new(2).bytes(64);
    assert_eq!(ErasureEncoder::new(config).parity(&[&data], 64).unwrap(), data.repeat(3));
}

#[test]
fn the_parity_of_a_sum_is_the_sum_of_the_parities() {
    let xor = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a ^ b).collect::<Vec<_>>();
    let mut encoder = ErasureEncoder::new(ErasureConfig::new(9, 4).unwrap());
    let mut parity = |data: &[u8]| encoder.parity(&[data], 128).unwrap();
    let (a, b) = (Rng::new(3).bytes(9 * 128), Rng::new(4).bytes(9 * 128));
    assert_eq!(parity(&xor(&a, &b)), xor(&parity(&a), &parity(&b)));
    assert_eq!(parity(&vec![0; 9 * 128]), vec![0; 4 * 128]);
}

#[test]
fn both_ways_to_compute_give_the_same_parity() {
    let config = ErasureConfig::new(40, 3).unwrap();
    let mut encoder = ErasureEncoder::new(config);
    for shard_len in [512, 64 << 10] {
        let data = Rng::new(5).bytes(40 * shard_len - 1);
        assert_eq!(encoder.parity(&[&data], shard_len).unwrap(), oracle(config, &data, shard_len));
    }
}

#[test]
fn a_pack_sized_code_heals_any_run_of_m_shards() {
    let config = ErasureConfig::new(512, 18).unwrap();
    let shard_len = 4096;
    let mut whole = Rng::new(6).bytes(512 * shard_len);
    let parity = ErasureEncoder::new(config).parity(&[&whole], shard_len).unwrap();
    whole.extend_from_slice(&parity);
    for first in [0, 1, 200, 494, 500, 511, 512] {
        let lost: Vec<_> = (first..first + 18).collect();
        assert_eq!(restored(config, &whole, shard_len, &lost).as_ref(), Ok(&whole), "from {first}");
        let lost: Vec<_> =
            (first..(first + 19).min(530)).chain([0; 1].repeat(usize::from(first > 511))).collect();
        let refused = ErasureError::TooFew { missing: 19, count: 530, parity: 18 };
        assert_eq!(restored(config, &whole, shard_len, &lost), Err(refused), "from {first}");
    }
}

#[test]
fn shards_that_do_not_go_together_are_refused_by_name() {
    let config = ErasureConfig::RS_4_2;
    let shards = ErasureEncoder::new(config).encode(&[1; 300]).unwrap();
    let mut decoder = ErasureDecoder::new(config);
    let mut refuse = |change: &dyn Fn(&mut Vec<Shard>), wanted: ErasureError| {
        let mut wrong = shards.clone();
        change(&mut wrong);
        assert_eq!(decoder.decode(&wrong, 300), Err(wanted));
    };
    refuse(&|all| all[2].index = 6, ErasureError::Index { index: 6, count: 6 });
    refuse(&|all| all[2].index = usize::MAX, ErasureError::Index { index: usize::MAX, count: 6 });
    refuse(&|all| all[2].index = 1, ErasureError::Twice { index: 1 });
    refuse(&|all| all[3].bytes.truncate(64), ErasureError::Lengths { index: 3, found: 64, expected: 128 });
    refuse(&|all| all.clear(), ErasureError::TooFew { missing: 6, count: 6, parity: 2 });
    refuse(
        &|all| all.iter_mut().for_each(|shard| shard.bytes.clear()),
        ErasureError::TooLong { len: 300, max: 0 },
    );
    let odd = |all: &mut Vec<Shard>| all.iter_mut().for_each(|shard| shard.bytes.truncate(77));
    refuse(&odd, ErasureError::ShardLen { len: 77 });
    assert_eq!(decoder.decode(&shards, 513), Err(ErasureError::TooLong { len: 513, max: 512 }));
}

#[test]
fn buffers_that_are_not_of_the_code_are_refused() {
    let config = ErasureConfig::RS_4_2;
    let mut encoder = ErasureEncoder::new(config);
    assert_eq!(encoder.parity(&[&[0; 257]], 64), Err(ErasureError::TooLong { len: 257, max: 256 }));
    for len in [0, 1, 63] {
        assert_eq!(encoder.parity(&[], len), Err(ErasureError::ShardLen { len }));
    }
    let mut decoder = ErasureDecoder::new(config);
    for (bytes, present) in [(6 * 64 - 1, 6), (6 * 64, 5), (6 * 64, 7), (7 * 64, 7), (0, 0)] {
        let refused = decoder.restore(&mut vec![0; bytes], &vec![true; present], 64);
        assert!(matches!(refused, Err(ErasureError::Lengths { .. })), "{refused:?}");
    }
}

#[test]
fn codes_have_limits_and_one_text() {
    for (data, parity, fits) in [
        (1, 1, true),
        (32_768, 32_768, true),
        (65_534, 2, true),
        (65_535, 1, true),
        (61_440, 4096, true),
        (0, 1, false),
        (1, 0, false),
        (65_535, 2, false),
        (61_440, 4097, false),
        (usize::MAX, 1, false),
        (1, usize::MAX, false),
        (usize::MAX, usize::MAX, false),
    ] {
        let config = ErasureConfig::new(data, parity);
        assert_eq!(config.is_ok(), fits, "{data}+{parity}");
        match config {
            Ok(config) => assert_eq!(config.to_string().parse(), Ok(config)),
            Err(error) => assert!(error.to_string().starts_with(&format!("{data} data shards"))),
        }
    }
    for text in ["", "4", "+", "4+", "+2", "4+2+1", "4 + 2", "-4+2", "4++2", "99999999999999999999+1"] {
        let refused = text.parse::<ErasureConfig>();
        assert_eq!(refused, Err(ErasureError::ConfigText { found: text.to_owned() }));
    }
}

#[test]
fn a_refused_code_says_what_would_fit() {
    let text = |data, parity| ErasureConfig::new(data, parity).unwrap_err().to_string();
    assert_eq!(
        text(61_440, 4097),
        "61440 data shards with 4097 parity shards are out of limits: at least 1 of each, and at most 57344 of one beside up to 8192 of the other"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_m_lost_shards_heal_bit_identically_and_one_more_is_refused(
        data in 1_usize..40,
        parity in 1_usize..12,
        half_len in 1_usize..150,
        short in 0_usize..300,
        seed: u64,
    ) {
        let (config, shard_len) = (ErasureConfig::new(data, parity).unwrap(), 2 * half_len);
        let mut rng = Rng::new(seed);
        let bytes = rng.bytes(data * shard_len - short.min(data * shard_len));
        let made = ErasureEncoder::new(config).parity(&[&bytes], shard_len).unwrap();
        prop_assert_eq!(&made, &oracle(config, &bytes, shard_len));

        let mut whole = bytes;
        whole.resize(data * shard_len, 0);
        whole.extend_from_slice(&made);
        let mut order: Vec<_> = (0..config.shards()).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, rng.below(at + 1));
        }
        let lost = rng.below(parity + 1);
        for lost in [0, lost, parity] {
            let restored = restored(config, &whole, shard_len, &order[..lost]);
            prop_assert_eq!(restored.as_ref(), Ok(&whole));
        }
        let refused = restored(config, &whole, shard_len, &order[..parity + 1]);
        prop_assert_eq!(refused, Err(ErasureError::TooFew { missing: parity + 1, count: data + parity, parity }));
    }

    #[test]
    fn parity_does_not_depend_on_the_pieces_or_the_calls_before(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        len in 0_usize..9000,
        data in 1_usize..30,
        seed: u64,
    ) {
        let bytes = Rng::new(seed).bytes(len);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(len + 1)).collect();
        cuts.extend([0, len]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        let config = ErasureConfig::new(data, 3).unwrap();
        let mut encoder = ErasureEncoder::new(ErasureConfig::RS_16_4);
        encoder.parity(&[&[0xff; 1000]], 512).unwrap();
        encoder.set_config(config);
        let shard_len = config.shard_len(len);
        prop_assert_eq!(encoder.parity(&pieces, shard_len).unwrap(), oracle(config, &bytes, shard_len));
    }
}
