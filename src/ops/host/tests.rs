use super::*;
use crate::format::wire::{Reply, Request};
use crate::limits::PIECE_LEN;
use crate::sync::Session;
use crate::testing::SimDisk;

fn noon() -> Timestamp {
    Timestamp { secs: 1_800_000_000, nanos: 0 }
}

fn host(shelf: Box<dyn Shelf>) -> HostHandler {
    let options =
        HostOptions { access: AccessSource::Fixed(Access::open_to_all()), quota: Some(64 << 20), now: noon };
    HostHandler(Host::new(shelf, options).unwrap())
}

fn session(handler: &HostHandler, repository: &str, create: bool) -> (Box<dyn Session>, Reply) {
    let session = handler.connect(Peer { key: PeerKey::new([1; 32]), address: "here".to_owned() });
    let reply = session.answer(Request::Hello { repository: repository.to_owned(), create });
    (session, reply)
}

fn code(reply: Reply) -> Option<FailCode> {
    match reply {
        Reply::Failed(failure) => Some(failure.code),
        _ => None,
    }
}

#[test]
fn no_repository_is_made_within_another_or_beside_the_root() {
    let handler = host(Box::new(FolderShelf::new("/srv", Arc::new(SimDisk::new()))));
    assert!(matches!(session(&handler, "a", true).1, Reply::Welcome { exists: false, .. }));
    assert_eq!(code(session(&handler, "a/packs", true).1), Some(FailCode::Refused));
    assert_eq!(code(session(&handler, "a/b/c", true).1), Some(FailCode::Refused));
    assert_eq!(code(session(&handler, "b", false).1), Some(FailCode::NoRepository));
    for bad in ["../x", "/x", "a/../../x", ""] {
        assert_eq!(code(session(&handler, bad, true).1), Some(FailCode::Malformed), "{bad:?}");
    }
    assert!(matches!(session(&handler, "c/d", true).1, Reply::Welcome { .. }));
}

#[test]
fn nothing_is_answered_before_hello() {
    let handler = host(Box::new(MemoryShelf::default()));
    let session = handler.connect(Peer { key: PeerKey::new([1; 32]), address: "here".to_owned() });
    assert_eq!(code(session.answer(Request::Entries { from: 1 })), Some(FailCode::Malformed));
}

#[test]
fn an_upload_outlives_its_connection_but_not_the_interest_of_its_key() {
    let handler = host(Box::new(MemoryShelf::default()));
    let (first, _) = session(&handler, "r", true);
    let name = "index/00112233445566778899aabbccddeeff".to_owned();
    let len = 3 * PIECE_LEN as u64;
    let begin = || Request::Begin { name: name.clone(), replace: false, len, root: None };
    let Reply::Upload { upload, there } = first.answer(begin()) else { panic!("no upload") };
    assert_eq!(there, [0]);
    let piece = |upload, number| Request::Piece {
        upload,
        number,
        path: Vec::new(),
        bytes: vec![7; PIECE_LEN].into(),
    };
    // Out of order, and twice.
    for number in [2, 0, 0, 2] {
        assert_eq!(first.answer(piece(upload, number)), Reply::Done);
    }
    assert_eq!(code(first.answer(Request::End { upload })), Some(FailCode::Refused));
    assert_eq!(code(first.answer(piece(upload, 3))), Some(FailCode::Malformed));
    drop(first);
    let (second, _) = session(&handler, "r", false);
    let Reply::Upload { upload, there } = second.answer(begin()) else { panic!("no upload") };
    assert_eq!(there, [0b101]);
    assert_eq!(second.answer(piece(upload, 1)), Reply::Done);
    assert_eq!(second.answer(Request::End { upload }), Reply::Created { root: None });
    assert_eq!(second.answer(begin()), Reply::Exists);
    assert_eq!(code(second.answer(piece(upload, 1))), Some(FailCode::NoUpload));
    let other = Request::Begin {
        name: "index/ff112233445566778899aabbccddeeff".to_owned(),
        replace: false,
        len,
        root: None,
    };
    assert!(matches!(second.answer(other), Reply::Upload { .. }));
}

#[test]
fn pieces_too_far_ahead_wait_and_too_many_uploads_are_refused() {
    let handler = host(Box::new(MemoryShelf::default()));
    let (session, _) = session(&handler, "r", true);
    let begin = |n: u8| Request::Begin {
        name: format!("index/{}", crate::id::SegmentId::new([n; 16])),
        replace: false,
        len: 20 * PIECE_LEN as u64 / 10,
        root: None,
    };
    for n in 0..16 {
        assert!(matches!(session.answer(begin(n)), Reply::Upload { .. }), "{n}");
    }
    assert_eq!(code(session.answer(begin(16))), Some(FailCode::Busy));
    let huge = Request::Begin { name: "log/0000000001".to_owned(), replace: false, len: 1 << 40, root: None };
    assert_eq!(code(session.answer(huge)), Some(FailCode::TooLarge));
    let over = Request::Begin {
        name: "index/aa112233445566778899aabbccddeeff".to_owned(),
        replace: false,
        len: 60 << 20,
        root: None,
    };
    assert_eq!(code(session.answer(over)), Some(FailCode::Quota));
}
