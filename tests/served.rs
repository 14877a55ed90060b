//! `warp serve` as a process: what it prints, whom it lets in, and how it stops.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::program::{Home, news};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use warp::format::wire::{FailCode, Rights};
use warp::net::{ConnectOptions, HostKeyPolicy, Identity, KnownHosts, NetError, QuicTransport, ServerUrl};
use warp::store::OsVfs;

struct Served {
    home: Home,
    child: Child,
    out: BufReader<ChildStdout>,
    /// What it said first.
    told: Value,
}

/// A server on a free port, whose access file holds these lines.
fn serve(access: &str, more: &[&str]) -> Served {
    let home = Home::bare();
    std::fs::create_dir(home.path("repos")).unwrap();
    std::fs::write(home.path("access"), access).unwrap();
    let args = ["serve", "--json", "--root", "repos", "--access", "access", "--listen", "127.0.0.1:0"];
    let mut child = home.command(&[&args[..], &["--log-format", "json"], more].concat()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let told = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?} is no JSON"));
    Served { home, child, out, told }
}

impl Served {
    fn url(&self) -> ServerUrl {
        let text = |name: &str| self.told[name].as_str().unwrap();
        format!("warp://{}/team/laptop#{}", text("address"), text("key")).parse().unwrap()
    }

    fn connect(&self, identity: &Identity) -> Result<QuicTransport, NetError> {
        let known_hosts = KnownHosts::new(Arc::new(OsVfs::new()), self.home.path("known_hosts"));
        let options = ConnectOptions::new(known_hosts, HostKeyPolicy::Strict);
        QuicTransport::connect(&self.url(), identity, ConnectOptions { create: true, ..options })
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Asks it to stop; returns its log.
    fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(status.code(), Some(0), "{log}");
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "standard output is for what is said first");
        log
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn identity_of(home: &Path) -> Identity {
    Identity::load_or_create(&OsVfs::new(), &home.join(".local/state/warp/transport.key")).unwrap()
}

/// What Prometheus would read.
fn figures(at: &str) -> String {
    let mut stream = std::net::TcpStream::connect(at).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut figures = String::new();
    stream.read_to_string(&mut figures).unwrap();
    figures
}

#[test]
fn a_client_gets_the_rights_of_its_line_and_the_log_says_who_came() {
    let client = Home::bare();
    let key = client.done(&["key", "transport"]);
    let me = identity_of(client.dir.path());
    assert_eq!(key.trim(), me.key().to_string(), "the key that is printed is the one that is shown");

    let server = serve(&format!("{} team/* read,append,admin\n", key.trim()), &["--metrics", "127.0.0.1:0"]);
    let transport = server.connect(&me).unwrap();
    assert_eq!(transport.welcome().rights, Rights::READ.and(Rights::APPEND).and(Rights::ADMIN));
    let stranger = Identity::generate().unwrap();
    let refused = server.connect(&stranger).unwrap_err();
    assert!(
        matches!(&refused, NetError::Refused { failure, .. } if failure.code == FailCode::Denied),
        "{refused}"
    );

    let at = server.told["metrics"].as_str().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while !figures(at).contains("\nwarp_connections 1\n") {
        assert!(Instant::now() < end, "{}", figures(at));
    }
    drop(transport);

    let log = server.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let says = |message: &str, peer: &Identity| {
        lines.iter().any(|line| line["message"] == message && line["peer"] == peer.key().to_string())
    };
    assert!(says("connected", &me) && says("disconnected", &me), "{log}");
    assert!(says("request failed", &stranger) && !says("connected", &stranger), "{log}");
}

#[test]
fn a_hangup_reads_the_access_file_anew_and_a_bad_line_shuts_nobody_out() {
    let me = Identity::generate().unwrap();
    let server = serve("", &[]);
    assert!(server.connect(&me).is_err());
    let access = server.home.path("access");
    std::fs::write(&access, format!("{} * read,append,admin\n", me.key())).unwrap();
    server.signal(Signal::HUP);
    let end = Instant::now() + Duration::from_secs(10);
    while server.connect(&me).is_err() {
        assert!(Instant::now() < end, "the file was not read");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::write(&access, format!("nonsense\n{} * read,append\n", me.key())).unwrap();
    server.signal(Signal::HUP);
    std::thread::sleep(Duration::from_millis(200));
    server.connect(&me).unwrap();
    std::fs::write(&access, "nonsense\n").unwrap();
    server.signal(Signal::HUP);
    std::thread::sleep(Duration::from_millis(200));
    assert!(server.connect(&me).is_err());
    let log = server.stop();
    assert!(log.contains("what is wrong in the access file grants nothing"), "{log}");
}

#[test]
fn the_key_of_a_server_stays_and_metrics_for_others_are_refused() {
    let home = Home::bare();
    let root = home.dir.path().to_str().unwrap();
    let output = home.run(&["serve", "--root", root, "--listen", "127.0.0.1:0", "--metrics", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(news(&output).contains("not a loopback address"), "{output:?}");
    let path = home.path(".local/state/warp/host.key");
    let made = Identity::load(&OsVfs::new(), &path).unwrap().expect("made on first use");
    let mut child = home.command(&["serve", "--root", root, "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("listening at 127.0.0.1:"));
    assert_eq!(lines.next().unwrap().unwrap(), format!("host key {}", made.key()));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_root_that_is_not_there_is_an_error_that_says_so() {
    let home = Home::bare();
    let output = home.run(&["serve", "--root", "nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(news(&output).contains("is not a directory"), "{output:?}");
}
