//! A server as a process, and clients with homes and keys of their own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use warp::testing::Rng;

use crate::common::program::news;

/// How long a server may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) struct World {
    pub(crate) server: Server,
    dir: tempfile::TempDir,
    inside: Option<String>,
}

/// `warp serve`.
pub(crate) struct Server {
    child: Option<Child>,
    pub(crate) root: PathBuf,
    home: PathBuf,
    address: String,
    key: String,
    inside: Option<String>,
    log: PathBuf,
}

/// Somebody with a working directory.
pub(crate) struct Client {
    pub(crate) name: String,
    home: PathBuf,
    inside: Option<String>,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repos");
        Self::made(dir, &root, None)
    }

    /// With repositories in a folder elsewhere.
    pub(crate) fn with_root(root: &Path) -> Self {
        Self::made(tempfile::tempdir().unwrap(), root, None)
    }

    /// With server and clients in hosts of their own.
    pub(crate) fn in_namespace(hosts: &Namespaces) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repos");
        Self::made(dir, &root, Some(hosts))
    }

    fn made(dir: tempfile::TempDir, root: &Path, hosts: Option<&Namespaces>) -> Self {
        fs::create_dir_all(root).unwrap();
        let home = dir.path().join("server");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("access"), "* * all\n").unwrap();
        let address = if hosts.is_some() { "10.77.0.1:0" } else { "127.0.0.1:0" };
        let mut server = Server {
            child: None,
            root: root.to_owned(),
            log: home.join("log"),
            home,
            address: address.to_owned(),
            key: String::new(),
            inside: hosts.map(|hosts| hosts.server.clone()),
        };
        server.start();
        Self { server, dir, inside: hosts.map(|hosts| hosts.client.clone()) }
    }

    /// A client of this name, with an empty working directory.
    pub(crate) fn client(&self, name: &str) -> Client {
        let home = self.dir.path().join(name);
        fs::create_dir_all(home.join("work")).unwrap();
        Client { name: name.to_owned(), home, inside: self.inside.clone() }
    }
}

fn program(inside: Option<&String>, home: &Path) -> Command {
    let warp = env!("CARGO_BIN_EXE_warp");
    let mut command = match inside {
        None => Command::new(warp),
        Some(namespace) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", namespace, warp]);
            command
        }
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", home).env("TZ", "UTC");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts it, at the address that it had before.
    pub(crate) fn start(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = program(self.inside.as_ref(), &self.home);
        let args = ["serve", "--json", "--listen", &self.address, "--root", self.root.to_str().unwrap()];
        command.args(args).arg("--access").arg(self.home.join("access"));
        command.arg("--host-key").arg(self.home.join("host.key")).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{line:?}: {error}; {}", fs::read_to_string(&self.log).unwrap()));
        self.address = said["address"].as_str().unwrap().to_owned();
        self.key = said["key"].as_str().unwrap().to_owned();
        self.child = Some(child);
    }

    pub(crate) fn url(&self, repository: &str) -> String {
        format!("warp://{}/{repository}", self.address)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Replaces the file of access.
    pub(crate) fn allow(&self, text: &str) {
        fs::write(self.home.join("access"), text).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn restart_with_another_key(&mut self) {
        self.kill();
        fs::remove_file(self.home.join("host.key")).unwrap();
        self.start();
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(self.child.as_ref().unwrap());
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Whether it ends by itself, as it should.
    pub(crate) fn ended_well(&self) -> bool {
        let pid = self.child.as_ref().unwrap().id();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Client {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// warp in the working directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = program(self.inside.as_ref(), &self.home);
        command.args(args).current_dir(self.path("work"));
        command.env("WARP_HOST", &self.name).env("WARP_TESTING_KDF", "1").env("WARP_PASSWORD", "secret");
        command.env("WARP_ACCEPT_NEW_HOST_KEYS", "1");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub(crate) fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{}: warp {args:?}: {}", self.name, news(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// All that a command says which must fail.
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "{}: warp {args:?} was done", self.name);
        assert_ne!(output.status.code(), Some(101), "{}: warp {args:?}: {}", self.name, news(&output));
        String::from_utf8_lossy(&output.stdout).into_owned() + &news(&output)
    }

    /// A command on a repository at a server.
    pub(crate) fn at(&self, url: &str, args: &[&str]) -> String {
        self.done(&[&["-r", url], args].concat())
    }

    pub(crate) fn fails_at(&self, url: &str, args: &[&str]) -> String {
        self.fails(&[&["-r", url], args].concat())
    }

    pub(crate) fn write(&self, file: &str, len: usize, seed: u64) {
        let path = self.path("work").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, Rng::new(seed).bytes(len)).unwrap();
    }

    pub(crate) fn init(&self) {
        self.done(&["init"]);
    }

    /// Commits the working directory; returns the id.
    pub(crate) fn commit(&self) -> String {
        self.done(&["commit", "-q", "-m", &format!("by {}", self.name)]);
        self.head()
    }

    pub(crate) fn head(&self) -> String {
        let log: Value = serde_json::from_str(&self.done(&["--json", "log", "-n", "1"])).unwrap();
        log[0]["id"].as_str().unwrap().to_owned()
    }

    /// Clones into the working directory, which is empty.
    pub(crate) fn clone_from(&self, url: &str) {
        fs::remove_dir(self.path("work")).unwrap();
        let to = self.path("work");
        let mut command = program(self.inside.as_ref(), &self.home);
        command.args(["clone", url, to.to_str().unwrap()]).current_dir(&self.home);
        command.env("WARP_HOST", &self.name).env("WARP_TESTING_KDF", "1").env("WARP_PASSWORD", "secret");
        let output = command.env("WARP_ACCEPT_NEW_HOST_KEYS", "1").output().unwrap();
        assert!(output.status.success(), "{}: clone: {}", self.name, news(&output));
    }

    /// The key that this client shows to servers.
    pub(crate) fn key(&self) -> String {
        self.done(&["key", "transport"]).trim().to_owned()
    }
}

/// A file system of so many MiB, where one can be made.
pub(crate) fn small_disk(mib: u32) -> Option<SmallDisk> {
    let dir = tempfile::tempdir().unwrap();
    let size = format!("size={mib}m");
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", &size, "warp-test"]).arg(dir.path()).output();
    mounted.is_ok_and(|output| output.status.success()).then_some(SmallDisk(dir))
}

pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

/// Two hosts with a bad line between them.
pub(crate) struct Namespaces {
    server: String,
    client: String,
}

impl Namespaces {
    pub(crate) fn new() -> Option<Self> {
        let id = std::process::id();
        let [server, client] = ["s", "c"].map(|end| format!("warp{id}{end}"));
        let hosts = Self { server, client };
        let (s, c) = (&hosts.server, &hosts.client);
        let inside = |host: &str, rest: &str| format!("ip netns exec {host} {rest}");
        let netem = "netem delay 15ms 3ms loss 2% rate 60mbit";
        let steps = [
            format!("ip netns add {s}"),
            format!("ip netns add {c}"),
            format!("ip link add veth0 netns {s} type veth peer name veth0 netns {c}"),
            inside(s, "ip addr add 10.77.0.1/24 dev veth0"),
            inside(c, "ip addr add 10.77.0.2/24 dev veth0"),
            inside(s, "ip link set veth0 up"),
            inside(c, "ip link set veth0 up"),
            inside(s, &format!("tc qdisc add dev veth0 root {netem}")),
            inside(c, &format!("tc qdisc add dev veth0 root {netem}")),
        ];
        let run = |step: &String| {
            let mut words = step.split(' ');
            let output = Command::new(words.next().unwrap()).args(words).output();
            output.is_ok_and(|output| output.status.success())
        };
        steps.iter().all(run).then_some(hosts)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for host in [&self.server, &self.client] {
            let _ = Command::new("ip").args(["netns", "del", host]).output();
        }
    }
}
