//! The program against servers: pushes, pulls, clones and audits over QUIC on this machine, and what a key may not do.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "serve/world.rs"]
mod world;

#[path = "serve/relay.rs"]
mod relay;

mod common;

use std::fs;
use std::time::Duration;

use common::program::{news, rounds};
use world::World;

#[test]
fn a_repository_is_pushed_cloned_pulled_and_audited() {
    let world = World::new();
    let (ann, bob) = (world.client("ann"), world.client("bob"));
    ann.write("tree/large", 3_000_000, 1);
    ann.init();
    let first = ann.commit();
    ann.done(&["remote", "add", "--create", "origin", &world.server.url("team/thesis")]);
    ann.done(&["push", "origin", "main"]);
    let again = ann.done(&["push", "origin", "main", "--json", "--no-progress"]);
    assert!(again.contains("\"bytes\":0"), "{again}");

    bob.clone_from(&world.server.url("team/thesis"));
    assert_eq!(bob.head(), first);
    warp::testing::assert_same_tree(&ann.path("work/tree"), &bob.path("work/tree"));
    bob.write("tree/other", 200_000, 2);
    let second = bob.commit();
    bob.done(&["push"]);
    ann.write("tree/mine", 10_000, 3);
    ann.commit();
    let refused = ann.fails(&["push", "origin", "main"]);
    assert!(refused.contains("warp pull"), "{refused}");
    let diverged = ann.fails(&["pull", "origin", "main"]);
    println!("{diverged}");
    ann.done(&["branch", "mine"]);
    ann.done(&["push", "origin", "mine"]);
    assert!(ann.done(&["log", "origin/main", "--json"]).contains(&second));

    for args in [&["audit", "origin"][..], &["audit", "origin", "--possession", "--samples", "50"]] {
        let report = ann.done(args);
        println!("{report}");
    }
    let url = world.server.url("team/thesis");
    assert!(ann.at(&url, &["check", "--read-data"]).contains("no errors found"));
    for mode in ["none", "final", "per-chunk", "sampling 20%"] {
        let to = ann.path(&format!("clone-{}", mode.replace(' ', "-")));
        ann.done(&["clone", "--bare", "--verify", mode, &url, to.to_str().unwrap()]);
    }
}

#[test]
fn a_backup_goes_straight_to_a_server_and_comes_back() {
    let world = World::new();
    let ann = world.client("ann");
    ann.write("tree/a", 2_500_000, 1);
    let url = world.server.url("backups/ann");
    ann.done(&["init", "--bare", &url]);
    let tree = ann.path("work/tree");
    ann.at(&url, &["commit", "-m", "first", tree.to_str().unwrap()]);
    ann.write("tree/a", 2_500_000, 2);
    ann.at(&url, &["commit", "-m", "second", tree.to_str().unwrap()]);
    let out = ann.path("out");
    ann.at(&url, &["restore", "--source", "latest", "--target", out.to_str().unwrap(), "--verify"]);
    warp::testing::assert_same_tree(&tree, &out.join(tree.strip_prefix("/").unwrap()));
    assert!(ann.at(&url, &["check", "--read-data"]).contains("no errors found"));
    ann.at(&url, &["forget", "--keep-last", "1"]);
    ann.at(&url, &["gc", "--grace", "0", "--max-unused", "0"]);
    assert!(ann.at(&url, &["check", "--read-data"]).contains("no errors found"));
}

#[test]
fn what_is_kept_of_a_servers_index_may_be_spoilt_or_lost() {
    let world = World::new();
    let ann = world.client("ann");
    let url = world.server.url("r");
    let kept = || -> Vec<_> {
        let folders = fs::read_dir(ann.path(".cache/warp")).into_iter().flatten();
        folders
            .flat_map(|of| fs::read_dir(of.unwrap().path()).unwrap())
            .map(|file| file.unwrap().path())
            .collect()
    };
    ann.init();
    ann.done(&["remote", "add", "--create", "origin", &url]);
    for number in 0..300 {
        ann.write(&format!("dir/{number}"), 20_000, number);
    }
    ann.commit();
    assert!(kept().is_empty(), "a repository at hand needs none");
    ann.done(&["push", "-q"]);
    assert!(kept().len() >= 2, "{:?}", kept());
    for round in 0..2 {
        for path in kept() {
            match round {
                0 => fs::write(path, [0x5a; 500]).unwrap(),
                _ => fs::remove_file(path).unwrap(),
            }
        }
        ann.write("dir/7", 30_000, 1000 + round);
        ann.commit();
        ann.done(&["push", "-q"]);
    }
    assert!(ann.at(&url, &["check", "--read-data"]).contains("no errors found"));
    // Another home knows nothing of it.
    let bob = world.client("bob");
    bob.done(&["clone", &url, "r"]);
    warp::testing::assert_same_tree(&ann.path("work/dir"), &bob.path("work/r/dir"));
}

#[test]
fn a_changed_key_of_a_server_is_refused_and_so_is_a_wrong_pin() {
    let mut world = World::new();
    let ann = world.client("ann");
    let url = world.server.url("r");
    ann.done(&["init", "--bare", &url]);
    let key = world.server.key();
    let pinned = format!("{url}#{key}");
    assert!(ann.at(&pinned, &["log"]).is_empty());
    world.server.restart_with_another_key();
    let told = ann.fails_at(&url, &["log"]);
    assert!(told.contains("has changed") && told.contains("known_hosts"), "{told}");
    let told = ann.fails_at(&pinned, &["log"]);
    assert!(told.contains("its URL says"), "{told}");
}

#[test]
fn who_is_refused_leaves_no_connection_behind() {
    let world = World::new();
    let ann = world.client("ann");
    let url = world.server.url("r");
    ann.done(&["init", "--bare", &url]);
    // More than a key may have at once.
    for _ in 0..20 {
        assert!(ann.fails_at(&world.server.url("nothing"), &["log"]).contains("no repository"));
    }
    ann.at(&url, &["log"]);
    let begun = std::time::Instant::now();
    world.server.terminate();
    assert!(world.server.ended_well());
    // It waits for nobody; with one connection left it would take 10 s.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn who_waits_for_a_server_that_is_gone_can_stop() {
    let mut world = World::new();
    let ann = world.client("ann");
    let url = world.server.url("r");
    ann.init();
    ann.done(&["remote", "add", "--create", "origin", &url]);
    ann.write("a", 4_000_000, 1);
    ann.commit();
    let mut push = ann.command(&["push", "--limit-upload", "500"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    world.server.kill();
    std::thread::sleep(Duration::from_millis(500));
    let pid = rustix::process::Pid::from_child(&push);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let asked = std::time::Instant::now();
    assert_eq!(push.wait().unwrap().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    world.server.start();
    ann.done(&["push"]);
}

#[test]
fn packs_that_a_running_server_has_lost_are_missed() {
    let world = World::new();
    let ann = world.client("ann");
    let url = world.server.url("r");
    ann.done(&["init", "--bare", &url]);
    ann.write("a", 3_000_000, 1);
    ann.at(&url, &["commit", "-q", "-m", "one", "."]);
    assert!(ann.at(&url, &["check", "--read-data"]).contains("no errors found"));
    ann.done(&["audit", &url, "-r", &url]);
    let packs = world.server.root.join("r/packs");
    for pack in fs::read_dir(packs).unwrap() {
        fs::remove_file(pack.unwrap().path()).unwrap();
    }
    let told = ann.fails(&["audit", &url, "-r", &url]);
    assert!(told.contains(".warp"), "{told}");
    let told = ann.fails_at(&url, &["check", "--read-data"]);
    assert!(told.contains("0 objects verified"), "{told}");
}

#[test]
fn a_key_that_was_revoked_is_refused_at_once() {
    let world = World::new();
    let ann = world.client("ann");
    let url = world.server.url("r");
    ann.done(&["init", "--bare", &url]);
    world.server.allow("# nobody\n");
    std::thread::sleep(Duration::from_millis(1200));
    let told = ann.fails_at(&url, &["log"]);
    assert!(told.contains("may do nothing") && told.contains("ed25519:"), "{told}");
}

#[test]
fn who_lacks_a_right_is_told_which_line_grants_it() {
    let world = World::new();
    let (owner, ann) = (world.client("owner"), world.client("ann"));
    world.server.allow(&format!("{} * all\n{} * read,append\n", owner.key(), ann.key()));
    std::thread::sleep(Duration::from_millis(1200));
    let url = world.server.url("team/new");
    let told = ann.fails(&["init", "--bare", &url]);
    assert!(told.contains(&format!("{} team/new admin", ann.key())), "{told}");
    let told = ann.fails_at(&url, &["log"]);
    assert!(
        told.contains("there is no repository at warp://") && !told.contains("refuses the key"),
        "{told}"
    );
    // A right that it has with other branches is not said to be lacking.
    owner.write("tree/a", 20_000, 1);
    owner.init();
    owner.commit();
    owner.done(&["remote", "add", "--create", "origin", &url]);
    owner.done(&["push", "origin", "main", "main:ann/main"]);
    let ids = owner.at(&url, &["branch", "--namespaces"]);
    let of = |name: &str| {
        ids.lines().find(|line| line.ends_with(name)).unwrap().split_whitespace().next().unwrap()
    };
    let line =
        format!("{} * all\n{} * read\n{} * append {}\n", owner.key(), ann.key(), ann.key(), of("heads/ann"));
    world.server.allow(&line);
    std::thread::sleep(Duration::from_millis(1200));
    ann.clone_from(&url);
    ann.write("tree/b", 20_000, 2);
    ann.commit();
    let told = ann.fails(&["push", "origin", "main"]);
    assert!(told.contains("only in other namespaces") && told.contains(of("heads")), "{told}");
    ann.done(&["push", "origin", "main:ann/main"]);
}

#[test]
fn a_server_that_is_not_there_is_named_and_so_is_a_repository() {
    let world = World::new();
    let ann = world.client("ann");
    let told = ann.fails_at(&world.server.url("nothing"), &["log"]);
    assert!(told.contains("no repository"), "{told}");
    let told = ann.fails_at("warp://127.0.0.1:9/x", &["log"]);
    assert!(told.contains("127.0.0.1:9"), "{told}");
    let told = ann.fails_at("warp://127.0.0.1:9/../x", &["log"]);
    assert!(told.contains("warp://"), "{told}");
}

#[test]
fn two_clients_that_push_to_one_branch_lose_nothing() {
    let world = World::new();
    let (ann, bob) = (world.client("ann"), world.client("bob"));
    ann.write("tree/base", 300_000, 1);
    ann.init();
    ann.commit();
    let url = world.server.url("shared");
    ann.done(&["remote", "add", "--create", "origin", &url]);
    ann.done(&["push", "origin", "main"]);
    bob.clone_from(&url);
    let mut pushed = Vec::new();
    for round in 0..rounds(3, 40) {
        for (client, seed) in [(&ann, 10), (&bob, 1000)] {
            client.write(&format!("tree/{seed}-{round}"), 150_000, seed + round as u64);
            client.commit();
        }
        let both = [&ann, &bob].map(|client| client.command(&["push", "origin", "main"]).spawn().unwrap());
        let done: Vec<bool> = both.map(|child| child.wait_with_output().unwrap().status.success()).to_vec();
        assert!(done.iter().any(|done| *done), "round {round}: one of two pushes wins");
        for (client, done) in [&ann, &bob].into_iter().zip(done) {
            if done {
                pushed.push(client.head());
            } else {
                // Who lost takes what the other has, and its own as another branch.
                client.done(&["branch", &format!("lost-{round}")]);
                client.done(&["push", "origin", &format!("lost-{round}:{}-{round}", client.name)]);
                pushed.push(client.head());
                client.done(&["fetch", "origin"]);
                client.done(&["checkout", "--force", "origin/main"]);
                client.done(&["branch", "--force", "main", "origin/main"]);
                client.done(&["switch", "main"]);
            }
        }
    }
    let log = ann.at(&url, &["log", "--all", "--json"]);
    for commit in pushed {
        assert!(log.contains(&commit), "{commit} is gone");
    }
    assert!(ann.at(&url, &["check", "--read-data"]).contains("no errors found"));
}

#[test]
fn a_stolen_append_key_destroys_nothing() {
    let world = World::new();
    let (owner, laptop) = (world.client("owner"), world.client("laptop"));
    owner.write("tree/a", 400_000, 1);
    owner.init();
    let first = owner.commit();
    let url = world.server.url("team/a");
    owner.done(&["remote", "add", "--create", "origin", &url]);
    owner.done(&["push", "origin", "main"]);
    laptop.clone_from(&url);
    let key = laptop.key();
    world.server.allow(&format!("{} * all\n{key} team/a read,append\n", owner.key()));
    std::thread::sleep(Duration::from_millis(1200));
    laptop.write("tree/b", 400_000, 2);
    let second = laptop.commit();
    laptop.done(&["push", "origin", "main"]);

    // What a policy would forget, it keeps: all came through a key that may only append, and lately.
    laptop.at(&url, &["forget", "--keep-last", "1", "--force"]);
    let attacks: [&[&str]; 7] = [
        &["forget", &first],
        &["branch", "-D", "main"],
        &["branch", "--force", "main", &first],
        &["key", "rotate", "--yes"],
        &["key", "passwd"],
        &["config", "set", "--repository", "parity", "none"],
        &["recover", "--yes"],
    ];
    for attack in attacks {
        laptop.fails_at(&url, attack);
    }
    laptop.fails(&["push", "origin", ":main"]);
    laptop.fails(&["push", "--force", "origin", &format!("{first}:main")]);
    laptop.at(&url, &["gc", "--grace", "0", "--max-unused", "0"]);
    for round in 0..5 {
        laptop.write("tree/b", 3_000, 100 + round);
        laptop.commit();
        laptop.done(&["push", "origin", "main"]);
    }
    owner.at(&url, &["forget", "--keep-last", "1", "--group-by", "host", "--force"]);
    owner.at(&url, &["gc", "--grace", "0", "--max-unused", "0"]);
    for (commit, client) in [(&first, &owner), (&second, &owner)] {
        let out = client.path(&format!("out-{commit}"));
        client.at(&url, &["restore", "--source", commit, "--target", out.to_str().unwrap(), "--verify"]);
        assert!(out.join("tree/a").is_file());
    }
    assert!(owner.at(&url, &["check", "--read-data"]).contains("no errors found"));
}

#[test]
fn pushes_whose_ends_are_killed_at_random_lose_nothing_and_go_on() {
    let mut world = World::new();
    let ann = world.client("ann");
    ann.write("tree/a", 8_000_000, 1);
    ann.init();
    ann.commit();
    let url = world.server.url("r");
    ann.done(&["remote", "add", "--create", "origin", &url]);
    let (mut killed, mut whole) = (0, Duration::from_millis(300));
    for round in 0..rounds(8, 500) {
        ann.write("tree/a", 4_000_000, 2 + round as u64);
        let commit = ann.commit();
        let mut push = ann.command(&["push", "origin", "main"]).spawn().unwrap();
        std::thread::sleep(whole * (round as u32 * 37 % 100) / 100);
        let server_dies = round % 2 == 1;
        if server_dies {
            world.server.kill();
        } else {
            push.kill().unwrap();
        }
        if server_dies {
            world.server.start();
        }
        let begun = std::time::Instant::now();
        let died = !push.wait().unwrap().success();
        println!(
            "{round}: {} {died} {:.1} s",
            if server_dies { "server" } else { "client" },
            begun.elapsed().as_secs_f64()
        );
        whole = if died { whole + whole / 8 } else { (whole * 3 / 4).max(Duration::from_millis(20)) };
        killed += usize::from(died);
        ann.done(&["push", "origin", "main"]);
        assert!(ann.at(&url, &["log", "main", "--json"]).contains(&commit), "round {round}");
        if round % 50 == 7 {
            assert!(ann.at(&url, &["check", "--read-data"]).contains("no errors found"), "round {round}");
        }
    }
    println!("{killed} pushes failed");
    assert!(ann.at(&url, &["check", "--read-data"]).contains("no errors found"));
}

#[test]
fn a_full_disk_at_the_server_is_told_and_what_was_there_is_whole() {
    let Some(disk) = world::small_disk(24) else {
        println!("SKIPPED: a file system of a given size takes root and mount(8)");
        return;
    };
    let world = World::with_root(&disk.path().join("repos"));
    let ann = world.client("ann");
    ann.write("tree/a", 2_000_000, 1);
    ann.init();
    let first = ann.commit();
    let url = world.server.url("r");
    ann.done(&["remote", "add", "--create", "origin", &url]);
    ann.done(&["push", "origin", "main"]);
    ann.write("tree/b", 40_000_000, 2);
    ann.commit();
    let told = ann.fails(&["push", "origin", "main"]);
    assert!(told.contains("disk is full"), "{told}");
    assert!(ann.at(&url, &["log", "--json"]).contains(&first));
    assert!(ann.at(&url, &["check", "--read-data"]).contains("no errors found"));
    drop(world);
    drop(disk);
}

/// A line as to a far place: 2 % loss, 30 ms there and back, 4 MB/s.
const FAR: relay::Line = relay::Line {
    delay: [Duration::from_millis(15), Duration::from_millis(3)],
    lost_one_in: 50,
    rate: 4_000_000,
};

#[test]
fn over_a_line_that_loses_and_reorders_datagrams_everything_arrives() {
    let world = World::new();
    let ann = world.client("ann");
    ann.write("tree/a", 5_000_000, 1);
    ann.init();
    ann.commit();
    let relay = relay::Relay::to(world.server.address(), FAR);
    let url = relay.url("r");
    ann.done(&["remote", "add", "--create", "origin", &url]);
    ann.done(&["push", "origin", "main"]);
    ann.write("tree/b", 1_000_000, 2);
    ann.commit();
    ann.done(&["push", "--verify", "per-chunk"]);
    let bob = world.client("bob");
    bob.clone_from(&url);
    warp::testing::assert_same_tree(&ann.path("work/tree"), &bob.path("work/tree"));
    let (carried, lost) = relay.counts();
    println!("{carried} bytes came through, {lost} datagrams were lost");
    // The content goes both ways.
    assert!(lost > 20 && (12_000_000..20_000_000).contains(&carried), "{carried}, {lost}");
}

#[test]
fn a_line_that_is_dead_for_a_while_is_told_of_and_waited_for() {
    let world = World::new();
    let ann = world.client("ann");
    ann.write("tree/a", 6_000_000, 1);
    ann.init();
    ann.commit();
    let relay = relay::Relay::to(world.server.address(), FAR);
    ann.done(&["remote", "add", "--create", "origin", &relay.url("r")]);
    let push = ann.command(&["push", "--limit-upload", "1500"]).spawn().unwrap();
    while relay.counts().0 < 2_000_000 {
        std::thread::sleep(Duration::from_millis(20));
    }
    // Longer than it takes to notice, and to try in vain.
    relay.die(true);
    std::thread::sleep(Duration::from_secs(28));
    relay.die(false);
    let output = push.wait_with_output().unwrap();
    let told = news(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("trying again") && told.contains("is back"), "{told}");
    // Of what had arrived not all goes again.
    let carried = relay.counts().0;
    println!("{carried} bytes came through");
    assert!(carried < 9_000_000, "{carried}");
    let bob = world.client("bob");
    bob.clone_from(&world.server.url("r"));
    warp::testing::assert_same_tree(&ann.path("work/tree"), &bob.path("work/tree"));
}

#[test]
fn a_line_that_loses_packets_and_is_slow_carries_everything() {
    let Some(hosts) = world::Namespaces::new() else {
        println!(
            "SKIPPED: hosts of their own take root, ip(8) with network namespaces, and tc(8) with the kernel's netem"
        );
        return;
    };
    let world = World::in_namespace(&hosts);
    let ann = world.client("ann");
    ann.write("tree/a", 6_000_000, 1);
    ann.init();
    let commit = ann.commit();
    let url = world.server.url("r");
    ann.done(&["remote", "add", "--create", "origin", &url]);
    ann.done(&["push", "origin", "main"]);
    assert!(ann.at(&url, &["log", "--json"]).contains(&commit));
    let bob = world.client("bob");
    bob.clone_from(&url);
    warp::testing::assert_same_tree(&ann.path("work/tree"), &bob.path("work/tree"));
}

#[test]
fn a_server_that_is_told_to_stop_finishes_what_is_under_way() {
    let mut world = World::new();
    let ann = world.client("ann");
    ann.write("tree/a", 20_000_000, 1);
    ann.init();
    ann.commit();
    ann.done(&["remote", "add", "--create", "origin", &world.server.url("r")]);
    let push = ann.command(&["push", "origin", "main"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(150));
    world.server.terminate();
    assert!(world.server.ended_well());
    // What was under way was finished; the rest waits until it is back.
    world.server.start();
    let output = push.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", news(&output));
    assert!(ann.at(&world.server.url("r"), &["check", "--read-data"]).contains("no errors found"));
}
