//! A host that lies.

use std::sync::Arc;

use bytes::Bytes;
use warp::repo::Repository;
use warp::store::{StorageBackend, StoreError};
use warp::sync::{Reply, Request};
use warp::testing::SimNetConfig;

use crate::common::password;
use crate::world::{OWNER, World, impatient};

/// What a client meets that restores over a host which changes its replies.
fn met(
    world: &World,
    tamper: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static,
) -> Result<(), String> {
    let net = Arc::new(world.net(OWNER, SimNetConfig::default()).tampered(tamper));
    let told = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text += &format!(": {error}");
            source = error.source();
        }
        text
    };
    let store = world.remote_over(&net, impatient()).map_err(|error| told(&error))?;
    let repo =
        Repository::open(Arc::new(store), &password(), world.client()).map_err(|error| told(&error))?;
    let commit = *repo.timeline().commits().last().expect("a commit");
    let target = tempfile::tempdir().unwrap();
    let request = warp::ops::RestoreRequest::new(commit, target.path().join("out"));
    let observer = warp::testing::RecordingObserver::new();
    let done = warp::ops::restore(&repo, request, &observer).map_err(|error| told(&error))?;
    match (done.problems, observer.problems().first()) {
        (0, _) => Ok(()),
        (_, problem) => Err(format!("{problem:?}")),
    }
}

#[test]
fn wrong_bytes_of_anything_are_found_and_named() {
    let world = World::new();
    world.commit(&world.create(), &world.tree(1, 3_000_000)).unwrap();
    assert_eq!(met(&world, |_, reply| reply), Ok(()));
    for folder in ["packs/", "index/", "log/", "config/"] {
        let flip = move |request: &Request, reply: Reply| {
            let name = match request {
                Request::Get { name, .. } | Request::Read { name, .. } => name.as_str(),
                Request::Entries { .. } => "log/",
                _ => "",
            };
            let flip = |bytes: Bytes| Bytes::from(bytes.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>());
            match reply {
                Reply::Blob { len, bytes } if name.starts_with(folder) => {
                    Reply::Blob { len, bytes: flip(bytes) }
                }
                Reply::Entries { lens, bytes } if name == folder => {
                    Reply::Entries { lens, bytes: flip(bytes) }
                }
                reply => reply,
            }
        };
        match (met(&world, flip), folder) {
            // What the index says packs say as well.
            (Ok(()), "index/") => {}
            (outcome, folder) => println!("{folder}: {}", outcome.expect_err(folder)),
        }
    }
}

#[test]
fn what_the_host_withholds_is_named() {
    let world = World::new();
    world.commit(&world.create(), &world.tree(1, 3_000_000)).unwrap();
    let withhold = |request: &Request, reply: Reply| match request {
        Request::Get { name, .. } | Request::Read { name, .. } if name.starts_with("packs/") => {
            Reply::Failed(warp::sync::Failure::new(warp::sync::FailCode::NotFound, 0, "gone"))
        }
        _ => reply,
    };
    let error = met(&world, withhold).unwrap_err();
    assert!(error.contains("packs/"), "{error}");
}

#[test]
fn an_old_head_is_refused_by_a_client_that_has_seen_a_later_one() {
    let world = World::new();
    let repo = world.create();
    world.commit(&repo, &world.tree(1, 30_000)).unwrap();
    let old = Arc::new(world.store().fork());
    let client = world.client();
    let net = Arc::new(world.net(OWNER, SimNetConfig::default()));
    let store = || Arc::new(world.remote_over(&net, impatient()).unwrap());
    let repo = Repository::open(store(), &password(), client.clone()).unwrap();
    world.commit(&repo, &world.tree(2, 30_000)).unwrap();
    world.shelf.put(crate::world::REPOSITORY, old);
    let behind = Repository::open(world.store(), &password(), client).unwrap_err();
    assert_eq!(behind.kind(), warp::repo::ErrorKind::Rollback, "{behind}");
}

#[test]
fn a_host_that_says_it_stored_another_pack_is_not_believed() {
    let world = World::new();
    world.create();
    let lie = |_: &Request, reply: Reply| match reply {
        Reply::Created { root: Some(_) } => Reply::Created { root: Some(warp::id::Root::new([7; 32])) },
        reply => reply,
    };
    let net = Arc::new(world.net(OWNER, SimNetConfig::default()).tampered(lie));
    let store = world.remote_over(&net, impatient()).unwrap();
    let repo = Repository::open(Arc::new(store), &password(), world.client()).unwrap();
    let error = world.commit(&repo, &world.tree(1, 30_000)).unwrap_err();
    let text = format!("{error} {:?}", std::error::Error::source(&error));
    assert!(text.contains("lies") || text.contains("Lie"), "{text}");
    assert!(world.behind().timeline().commits().is_empty());
}

#[test]
fn a_listing_that_goes_in_circles_ends() {
    let world = World::new();
    world.create();
    let circle = |request: &Request, reply: Reply| match (request, reply) {
        (Request::List { .. }, Reply::Listing { .. }) => {
            let blobs = vec![warp::sync::Blob { name: "log/0000000001".to_owned(), len: 1 }];
            Reply::Listing { blobs, more: true }
        }
        (_, reply) => reply,
    };
    let net = Arc::new(world.net(OWNER, SimNetConfig::default()).tampered(circle));
    let store = world.remote_over(&net, impatient()).unwrap();
    assert!(matches!(store.list("log/"), Err(StoreError::Io { .. })));
}
