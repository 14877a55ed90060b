//! A commit is the same, bit for bit, whatever machine makes it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use warp::isa::Isa;

use crate::environment::TestEnvironment;

/// A home with a repository, in a folder of its own.
struct Home(PathBuf);

impl Home {
    /// All of it once more: the same repository, the same keys, the same files with their times.
    fn copy(&self, name: &str) -> Self {
        let to = self.0.with_file_name(name);
        let copied = Command::new("cp").arg("-a").arg(&self.0).arg(&to).status().unwrap();
        assert!(copied.success());
        Self(to)
    }

    fn run(&self, env: &TestEnvironment, isa: &str, args: &[&str]) -> String {
        let mut command = env.command(args);
        command.current_dir(self.0.join("work")).env("HOME", &self.0).stdin(Stdio::null());
        let output = command.env("WARP_ISA", isa).output().unwrap();
        let news = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "warp {args:?} with {isa}: {news}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Commits the files, and returns the id of the tree: of names, metadata, and the ids of all chunks.
    fn commit(&self, env: &TestEnvironment, isa: &str, threads: &str) -> String {
        self.run(env, isa, &["--threads", threads, "commit", "-m", "all"]);
        let log = self.run(env, isa, &["log", "--json"]);
        let (_, tree) = log.split_once(r#""tree":""#).expect("the commit names its tree");
        tree[..64].to_owned()
    }
}

fn random(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Files below and above the length from which they are read in parts, of all the kinds that chunkers treat apart.
fn make_files(work: &Path) {
    let write = |name: &str, bytes: &[u8]| std::fs::write(work.join(name), bytes).unwrap();
    write("large", &random(1, 5 << 20));
    write("zeros in the middle", &[random(2, 1 << 20), vec![0; 6 << 20], random(3, 1 << 20)].concat());
    write("period", &random(4, 5000).repeat(900));
    write("run", &[vec![7; 300_000], random(5, 100_000)].concat());
    let sparse = std::fs::File::create(work.join("sparse")).unwrap();
    sparse.set_len(3 << 30).unwrap();
    for (n, len) in (0..60_u64).zip([0, 1, 100, 65_536, 65_537, 200_000].into_iter().cycle()) {
        write(&format!("file {n}"), &random(100 + n, len));
    }
}

#[test]
fn a_commit_has_the_same_tree_and_chunks_with_every_instruction_set_and_number_of_threads() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret").with("WARP_AUTHOR", "Ann");
    let first = Home(env.home().join("first"));
    std::fs::create_dir_all(first.0.join("work")).unwrap();
    first.run(&env, "scalar", &["init"]);
    make_files(&first.0.join("work"));
    let expected = first.copy("expected").commit(&env, "scalar", "1");
    let mut homes = 0;
    for isa in Isa::ALL {
        if !isa.is_available() {
            println!("SKIPPED: this processor has no {isa}");
            continue;
        }
        for threads in ["1", "2", "7"] {
            homes += 1;
            let home = first.copy(&format!("home-{homes}"));
            assert_eq!(home.commit(&env, &isa.to_string(), threads), expected, "{isa}, {threads} threads");
            std::fs::remove_dir_all(home.0).unwrap();
        }
    }
    let other = first.copy("other");
    std::fs::write(other.0.join("work/run"), "something else").unwrap();
    assert_ne!(other.commit(&env, "scalar", "1"), expected, "the id tells contents apart");
}
