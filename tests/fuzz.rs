//! Replays every fuzz target on stable Rust, from fixed seeds.
#![cfg(feature = "testing")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use warp::testing::Rng;
use warp::testing::fuzz::{TARGETS, Target, mutate};

/// Mutated inputs of each target in a test run. `cargo fuzz` is for more.
const MUTATIONS: usize = 4000;

#[test]
fn no_target_panics_on_its_seeds_their_mutations_or_random_bytes() {
    for target in TARGETS {
        let mut inputs = (target.seeds)();
        assert!(!inputs.is_empty(), "{} has no seeds", target.name);
        inputs.push(Vec::new());
        for input in &inputs {
            run(target, input);
        }
        let mut rng = Rng::new(0x7761_7270);
        for _ in 0..MUTATIONS {
            let input = mutate(&rng.pick(&inputs).clone(), &mut rng);
            run(target, &input);
            let len = rng.below(300);
            run(target, &rng.bytes(len));
        }
    }
}

#[test]
fn no_target_panics_on_what_was_found_before() {
    for (target, folder) in
        TARGETS.iter().flat_map(|target| ["corpus", "artifacts"].map(|folder| (target, folder)))
    {
        let folder = root().join("fuzz").join(folder).join(target.name);
        for file in fs::read_dir(folder).into_iter().flatten() {
            let path = file.expect("a folder that can be read").path();
            run(target, &fs::read(&path).expect("a file that can be read"));
        }
    }
}

#[test]
fn every_target_has_its_file_and_every_file_its_target() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let files = fs::read_dir(root().join("fuzz/fuzz_targets")).expect("the folder of targets");
    let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let files: BTreeSet<_> = files.map(|file| stem(file.expect("readable").path())).collect();
    assert_eq!(targets, files);
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("the manifest");
    for name in &targets {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name} is not in fuzz/Cargo.toml"
        );
        let text =
            fs::read_to_string(root().join(format!("fuzz/fuzz_targets/{name}.rs"))).expect("the target");
        assert!(
            text.contains(&format!("run(\"{name}\", data)")),
            "fuzz/fuzz_targets/{name}.rs runs another target"
        );
    }
}

/// Runs a target; if it panics, the input is printed with the panic.
fn run(target: &Target, input: &[u8]) {
    let outcome = std::panic::catch_unwind(|| (target.run)(input));
    assert!(outcome.is_ok(), "{} fails on {:?}", target.name, input.escape_ascii().to_string());
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
