use super::*;
use crate::limits::{BLOCK_LEN_MAX, MIB};
use proptest::prelude::*;

/// Bytes without any pattern, the same for the same seed.
fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

fn text(len: usize) -> Vec<u8> {
    (0u32..)
        .flat_map(|line| format!("{line} of a text that compresses well\n").into_bytes())
        .take(len)
        .collect()
}

fn compressed(level: Level, src: &[u8]) -> (Codec, Vec<u8>) {
    let mut out = Vec::new();
    let codec = Compressor::new(level).unwrap().compress(src, &mut out).unwrap();
    (codec, out)
}

fn decompressed(src: &[u8], len: usize) -> Result<Vec<u8>, CompressError> {
    let mut out = Vec::new();
    Decompressor::new()?.decompress(src, len, &mut out)?;
    Ok(out)
}

#[test]
fn text_shrinks_and_comes_back_at_every_kind_of_level() {
    let src = text(MIB);
    for level in [Level::Auto, Level::Zstd(-7), Level::Zstd(0), Level::Zstd(1), Level::Zstd(19)] {
        let (codec, out) = compressed(level, &src);
        assert_eq!(codec, Codec::Zstd, "{level}");
        assert!(out.len() < src.len() / 2, "{level}: {}", out.len());
        assert_eq!(decompressed(&out, src.len()).unwrap(), src, "{level}");
    }
}

#[test]
fn off_and_noise_are_stored_as_they_are() {
    for (level, src) in [
        (Level::Off, text(MIB)),
        (Level::Auto, noise(1, MIB)),
        (Level::Zstd(19), noise(2, 100_000)),
        (Level::Auto, noise(3, 100)),
        (Level::Auto, Vec::new()),
        (Level::Auto, b"a".to_vec()),
    ] {
        assert_eq!(compressed(level, &src), (Codec::Stored, src.clone()), "{level} {}", src.len());
    }
}

#[test]
fn text_between_noise_is_found() {
    let mut src = noise(4, MIB);
    src[500_000..600_000].copy_from_slice(&text(100_000));
    let (codec, out) = compressed(Level::Auto, &src);
    assert_eq!(codec, Codec::Zstd);
    assert!(out.len() < src.len() - 70_000, "{}", out.len());
    assert_eq!(decompressed(&out, src.len()).unwrap(), src);
}

#[test]
fn a_gain_below_one_percent_is_not_taken() {
    let mut src = noise(5, 7000);
    src[..60].fill(0);
    assert_eq!(compressed(Level::Auto, &src).0, Codec::Stored);
    src[..200].fill(0);
    assert_eq!(compressed(Level::Auto, &src).0, Codec::Zstd);
}

#[test]
fn output_is_appended_and_contexts_are_reused() {
    let mut compressor = Compressor::new(Level::Auto).unwrap();
    let mut decompressor = Decompressor::new().unwrap();
    let mut out = b"before".to_vec();
    for src in [text(5000), noise(6, 50_000), text(200_000)] {
        let start = out.len();
        let codec = compressor.compress(&src, &mut out).unwrap();
        let mut back = b"kept".to_vec();
        match codec {
            Codec::Stored => back.extend_from_slice(&out[start..]),
            Codec::Zstd => decompressor.decompress(&out[start..], src.len(), &mut back).unwrap(),
        }
        assert_eq!((&back[..4], &back[4..]), (&b"kept"[..], &src[..]));
    }
    assert_eq!(&out[..6], b"before");
}

#[test]
fn the_same_block_gives_the_same_frame_whatever_was_compressed_before() {
    let mut compressor = Compressor::new(Level::Auto).unwrap();
    compressor.compress(&text(MIB), &mut Vec::new()).unwrap();
    let (src, mut again) = (text(70_000), Vec::new());
    compressor.compress(&src, &mut again).unwrap();
    assert_eq!(compressed(Level::Auto, &src).1, again);
}

#[test]
fn a_frame_of_another_length_is_refused_and_leaves_the_output_alone() {
    let (_, frame) = compressed(Level::Auto, &text(10_000));
    let mut decompressor = Decompressor::new().unwrap();
    for wrong in [0, 9_999, 10_001, BLOCK_LEN_MAX] {
        let mut out = b"kept".to_vec();
        let error = decompressor.decompress(&frame, wrong, &mut out).unwrap_err();
        assert!(matches!(error, CompressError::Length { expected } if expected == wrong), "{error}");
        assert_eq!(out, b"kept");
    }
}

#[test]
fn a_bomb_takes_no_memory() {
    let bomb = zstd::bulk::compress(&vec![0; 64 * MIB], 3).unwrap();
    for (len, over) in [(64 * MIB, true), (usize::MAX, true), (MIB, false)] {
        let mut out = Vec::new();
        let error = Decompressor::new().unwrap().decompress(&bomb, len, &mut out).unwrap_err();
        assert_eq!(matches!(error, CompressError::TooLong { .. }), over, "{error}");
        assert_eq!(out.capacity(), 0);
    }
}

#[test]
fn a_frame_without_its_length_is_refused() {
    let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
    compressor.set_parameter(zstd::zstd_safe::CParameter::ContentSizeFlag(false)).unwrap();
    let frame = compressor.compress(&text(5000)).unwrap();
    assert!(matches!(decompressed(&frame, 5000), Err(CompressError::Length { .. })));
}

#[test]
fn anything_behind_the_frame_is_refused() {
    let (_, frame) = compressed(Level::Auto, &text(5000));
    let empty = zstd::bulk::compress(b"", 3).unwrap();
    for extra in [&b"x"[..], &frame, &empty] {
        let long = [&frame[..], extra].concat();
        assert!(matches!(decompressed(&long, 5000), Err(CompressError::Trailing { .. })));
    }
}

#[test]
fn every_truncation_is_refused() {
    let (_, frame) = compressed(Level::Auto, &text(3000));
    for len in 0..frame.len() {
        assert!(decompressed(&frame[..len], 3000).is_err(), "{len}");
    }
}

#[test]
fn levels_read_back_from_their_text_and_others_are_refused() {
    let levels = (Level::ZSTD_MIN..=Level::ZSTD_MAX).map(Level::Zstd).chain([Level::Auto, Level::Off]);
    for level in levels {
        assert_eq!(level.to_string().parse::<Level>().unwrap(), level);
        Compressor::new(level).unwrap();
    }
    for wrong in ["", "-8", "23", "fast", "3.5", "99999999999"] {
        assert!(matches!(wrong.parse::<Level>(), Err(CompressError::Level { .. })), "{wrong}");
    }
    for wrong in [-8, 23, i32::MIN, i32::MAX] {
        assert!(matches!(Compressor::new(Level::Zstd(wrong)), Err(CompressError::Level { .. })));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_block_comes_back(
        runs in prop::collection::vec((any::<u8>(), any::<bool>(), 0usize..20_000), 0..8),
        level in prop::sample::select(vec![Level::Auto, Level::Off, Level::Zstd(1), Level::Zstd(10)]),
    ) {
        let src: Vec<u8> = runs
            .into_iter()
            .flat_map(|(byte, random, len)| if random { noise(byte, len) } else { vec![byte; len] })
            .collect();
        let (codec, out) = compressed(level, &src);
        prop_assert!(out.len() <= src.len());
        match codec {
            Codec::Stored => prop_assert_eq!(out, src),
            Codec::Zstd => prop_assert_eq!(decompressed(&out, src.len()).unwrap(), src),
        }
    }

    #[test]
    fn hostile_frames_never_panic_and_never_give_another_length(
        mut frame in Just(compressed(Level::Auto, &text(3000)).1),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        len in prop_oneof![Just(3000usize), 0..BLOCK_LEN_MAX],
    ) {
        for (at, byte) in changes {
            *at.get_mut(&mut frame) = byte;
        }
        if let Ok(out) = decompressed(&frame, len) {
            prop_assert_eq!(out.len(), len);
        }
    }
}
