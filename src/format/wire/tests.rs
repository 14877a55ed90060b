use super::*;
use crate::format::testkit::{assert_canonical, assert_golden};
use crate::id::{PackId, Root};
use proptest::prelude::*;

fn requests() -> Vec<Request> {
    let name = || "packs/0f.warp".to_owned();
    vec![
        Request::Hello { repository: "team/a".to_owned(), create: true },
        Request::Get { name: name(), max: 1 << 40 },
        Request::Read { name: name(), offset: 7, len: 1 << 20 },
        Request::Len { name: name() },
        Request::List { folder: "log/".to_owned(), after: Some("log/0000000001".to_owned()) },
        Request::Entries { from: 3 },
        Request::Put { name: name(), replace: false, bytes: Bytes::from_static(b"payload") },
        Request::Begin { name: name(), replace: true, len: 3 << 20, root: Some(Root::new([5; 32])) },
        Request::Piece {
            upload: 9,
            number: 2,
            path: vec![[1; 32], [2; 32]],
            bytes: Bytes::from_static(b"x"),
        },
        Request::End { upload: 9 },
        Request::Delete { name: name() },
        Request::Prove { pack: PackId::new([3; 16]), first: 4, count: 5 },
        Request::Possess { pack: PackId::new([3; 16]), challenge: [8; 32] },
    ]
}

fn replies() -> Vec<Reply> {
    let blob = |name: &str| Blob { name: name.to_owned(), len: 300 };
    vec![
        Reply::Welcome { rights: Rights::READ.and(Rights::APPEND), exists: true, room: u64::MAX, ahead: 8 },
        Reply::Done,
        Reply::Created { root: Some(Root::new([4; 32])) },
        Reply::Exists,
        Reply::Blob { len: 4, bytes: Bytes::from_static(b"blob") },
        Reply::Len { len: Some(5) },
        Reply::Listing { blobs: vec![blob("a"), blob("b")], more: true },
        Reply::Entries { lens: vec![2, 3], bytes: Bytes::from_static(b"aabbb") },
        Reply::Upload { upload: 6, there: vec![0b101] },
        Reply::Deleted { existed: false },
        Reply::Shards(Shards {
            shard_len: 4,
            leaf_count: 9,
            paths: vec![vec![[1; 32]], vec![[2; 32], [3; 32]]],
            bytes: Bytes::from_static(b"shard s"),
        }),
        Reply::Possession { hash: [6; 32] },
        Reply::Failed(Failure::new(FailCode::Denied, 4, "no")),
    ]
}

fn bytes_of(frame: Frame) -> Vec<u8> {
    let len = frame.encoded_len();
    let bytes = frame.into_parts().unwrap().concat();
    assert_eq!(bytes.len(), len);
    bytes
}

fn recode_request(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let frame = Frame::decode(Bytes::copy_from_slice(bytes))?;
    Request::from_frame(frame).map(|request| bytes_of(request.into_frame()))
}

fn recode_reply(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let frame = Frame::decode(Bytes::copy_from_slice(bytes))?;
    Reply::from_frame(frame).map(|reply| bytes_of(reply.into_frame()))
}

#[test]
fn every_message_has_one_encoding_and_damage_is_refused_or_another_message() {
    for request in requests() {
        assert_canonical(&bytes_of(request.clone().into_frame()), recode_request);
        let frame = request.clone().into_frame();
        assert_eq!(Request::from_frame(frame), Ok(request));
    }
    for reply in replies() {
        assert_canonical(&bytes_of(reply.clone().into_frame()), recode_reply);
        assert_eq!(Reply::from_frame(reply.clone().into_frame()), Ok(reply));
    }
}

#[test]
fn messages_have_the_published_bytes() {
    let asked: Vec<u8> = requests().into_iter().flat_map(|request| bytes_of(request.into_frame())).collect();
    assert_golden(&asked, "wire_requests.hex");
    let answered: Vec<u8> = replies().into_iter().flat_map(|reply| bytes_of(reply.into_frame())).collect();
    assert_golden(&answered, "wire_replies.hex");
}

#[test]
fn what_is_over_a_limit_is_neither_sent_nor_taken() {
    let long = Bytes::from(vec![0; PIECE_LEN + 1]);
    let put = Request::Put { name: "a".to_owned(), replace: false, bytes: long };
    assert!(matches!(put.into_frame().into_parts(), Err(DecodeError::Limit { .. })));
    let trailer = FrameTrailer { payload_len: u32::MAX, body_len: 0, kind: 7 };
    assert!(matches!(FrameTrailer::decode(&trailer.encode()), Err(DecodeError::Limit { .. })));
    let trailer = FrameTrailer { payload_len: 0, body_len: FRAME_BODY_LEN_MAX as u32 + 1, kind: 7 };
    assert!(matches!(FrameTrailer::decode(&trailer.encode()), Err(DecodeError::Limit { .. })));
    let read = Request::Read { name: "a".to_owned(), offset: 0, len: PIECE_LEN as u32 + 1 };
    assert!(matches!(Request::from_frame(read.into_frame()), Err(DecodeError::Limit { .. })));
}

#[test]
fn a_long_text_of_a_failure_is_cut_between_characters() {
    let failure = Failure::new(FailCode::Store, 0, "é".repeat(5000));
    let reply = Reply::Failed(failure);
    assert_eq!(Reply::from_frame(reply.clone().into_frame()), Ok(reply));
}

#[test]
fn rights_have_names() {
    assert_eq!(Rights::ALL.to_string(), "read,append,ref-force,gc,admin");
    assert_eq!(Rights::NONE.to_string(), "none");
    for name in Rights::NAMES {
        assert_eq!(Rights::by_name(name).unwrap().to_string(), name);
    }
    assert_eq!((Rights::from_bits(32), Rights::by_name("write")), (None, None));
}

proptest! {
    #[test]
    fn parts_of_a_frame_share_its_memory(payload: Vec<u8>, body: Vec<u8>, kind: u8) {
        let frame = Frame { kind, body: body.into(), payload: payload.into() };
        let bytes = Bytes::from(bytes_of(frame.clone()));
        let back = Frame::decode(bytes.clone()).unwrap();
        prop_assert!(back.payload.is_empty() || back.payload.as_ptr() == bytes.as_ptr());
        prop_assert_eq!(back, frame);
    }
}
