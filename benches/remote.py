#!/usr/bin/env python3
"""What a repository at a server costs, beside others, all over loopback: the figures of docs/benchmarks.md, "Repositories at a server".

  benches/remote.py push OLD NEW      push of a first and of a next version, one without news, and a clone; restic copies between repositories over
                                      SFTP and over `rclone serve restic`, git pushes the same trees over ssh
  benches/remote.py backup OLD NEW    a backup straight to the server, of both versions, and a restore: restic over SFTP, borg over ssh, rsync over ssh
  benches/remote.py small TREE        bytes on the wire of a push after one small file was edited, beside the bytes of the new packs
  benches/remote.py veth TREE         the same over a pair of network interfaces with an MTU of 1,500, for files of 1 to 121 kB; takes root and ip(8)
  benches/remote.py bases OLD NEW     a backup of the next version straight to the server, contents in full and as differences: seconds, and what went over
  benches/remote.py modes TREE        a push and a clone in each mode of verification
  benches/remote.py spread TREE       a push to a group of six servers of which any four bring it back, and clones from it, also with two of them dead;
                                      beside a push to one server and a clone from it

Options: --warp PROGRAM (target/release/warp), --runs N (medians of so many rounds, the tools in turn), --dir DIR (where to work: /dev/shm), --tools A,B
(those to measure), --sparse (restic, borg and rsync look for holes when they write). sshd, rclone, restic, borg, rsync and git are used where they are installed. Everything has encryption on, where the tool has it.
"""
import argparse, json, os, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

SSH_PORT, REST_PORT, WARP_PORT, GROUP_PORT = 22822, 22823, 22824, 22830


class Bench:
    def __init__(self, args):
        self.args, self.dir = args, tempfile.mkdtemp(prefix="warp-remote-", dir=args.dir)
        self.program = os.path.abspath(args.warp)
        self.home = self.path("home")
        os.makedirs(os.path.join(self.home, ".ssh"), mode=0o700)
        self.env = {**os.environ, "HOME": self.home, "WARP_PASSWORD": "bench", "RESTIC_PASSWORD": "bench", "BORG_PASSPHRASE": "bench",
                    "RESTIC_CACHE_DIR": self.path("restic-cache"), "BORG_BASE_DIR": self.path("borg-base"),
                    "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes", "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
                    "GIT_AUTHOR_NAME": "b", "GIT_AUTHOR_EMAIL": "b@b", "GIT_COMMITTER_NAME": "b", "GIT_COMMITTER_EMAIL": "b@b"}
        self.servers = []

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def run(self, command, cwd=None, quiet=True):
        """Runs a command; returns its wall seconds and its processor seconds (those of a server are not counted)."""
        begun = time.monotonic()
        out = subprocess.DEVNULL if quiet else None
        child = subprocess.Popen(command, env=self.env, cwd=cwd or self.dir, stdout=out, stderr=subprocess.PIPE)
        error = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{' '.join(command)}: exit code {child.returncode}\n{error.decode(errors='replace')[-2000:]}")
        return time.monotonic() - begun, used.ru_utime + used.ru_stime

    def again(self, *names):
        for name in names:
            shutil.rmtree(self.path(name), ignore_errors=True)

    def serve(self, command, port):
        server = subprocess.Popen(command, env=self.env, cwd=self.dir, stdout=subprocess.DEVNULL, stderr=open(self.path(f"server-{port}.log"), "w"))
        self.servers.append(server)
        time.sleep(0.5)
        if server.poll() is not None:
            raise SystemExit(f"{command[0]} did not start: {open(self.path(f'server-{port}.log')).read()[-1000:]}")
        return server

    def sshd(self):
        """An ssh server for this user, with a key of its own."""
        keys = self.path("ssh")
        os.makedirs(keys)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{keys}/{name}"], check=True)
        shutil.copy(f"{keys}/user.pub", f"{keys}/authorized")
        with open(f"{keys}/config", "w") as file:
            file.write(f"Port {SSH_PORT}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/authorized\nStrictModes no\n"
                       "UsePAM no\nPermitRootLogin yes\nPidFile none\nSubsystem sftp internal-sftp\nMaxStartups 100\n")
        os.makedirs("/run/sshd", exist_ok=True)
        self.serve(["/usr/sbin/sshd", "-D", "-e", "-f", f"{keys}/config"], SSH_PORT)
        self.ssh = f"ssh -F none -p {SSH_PORT} -i {keys}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        self.env.update(GIT_SSH_COMMAND=self.ssh, BORG_RSH=self.ssh)
        self.user = os.environ.get("USER") or "root"

    def warp_server(self):
        os.makedirs(self.path("served"))
        with open(self.path("access"), "w") as file:
            file.write("* * all\n")
        self.serve([self.program, "serve", "--listen", f"127.0.0.1:{WARP_PORT}", "--root", self.path("served"), "--access", self.path("access")], WARP_PORT)
        self.env["WARP_ACCEPT_NEW_HOST_KEYS"] = "1"

    def group(self):
        """Six servers, each with a folder of its own; returns them and the place of the group."""
        started, places = [], []
        for number in range(6):
            port, root = GROUP_PORT + number, self.path(f"member-{number}")
            os.makedirs(root)
            started.append(self.serve([self.program, "serve", "--listen", f"127.0.0.1:{port}", "--root", root, "--access", self.path("access"),
                                       "--host-key", self.path(f"member-{number}.key")], port))
            places.append(f"warp://127.0.0.1:{port}")
        return started, places

    def rclone_server(self):
        os.makedirs(self.path("rest"))
        self.serve(["rclone", "serve", "restic", "--addr", f"127.0.0.1:{REST_PORT}", self.path("rest")], REST_PORT)

    def end(self):
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
        for server in self.servers:
            server.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def sftp(self, name):
        return ["-r", f"sftp:{self.user}@127.0.0.1:{self.path(name)}", "-o", f"sftp.command={self.ssh} {self.user}@127.0.0.1 -s sftp"]

    def url(self, name):
        return f"warp://127.0.0.1:{WARP_PORT}/{name}"


def restic_copy(bench, remote_of):
    """Steps of restic: a repository here, copied to one there, which has another name in each round."""
    local, round = ["-r", bench.path("restic-local"), "--quiet"], [0]
    remote = lambda: ["restic", *remote_of(f"repo{round[0]}"), "--quiet"]

    def prepare(old):
        bench.again("restic-local", f"restic-there/repo{round[0]}", f"rest/repo{round[0]}", "restic-cache")
        round[0] += 1
        os.makedirs(bench.path("restic-there"), exist_ok=True)
        bench.run(["restic", *local, "init"])
        bench.run([*remote(), "init", "--from-repo", bench.path("restic-local"), "--copy-chunker-params"])
        bench.run(["restic", *local, "backup", old])

    copy = lambda: bench.run([*remote(), "copy", "--from-repo", bench.path("restic-local")])
    bench.env["RESTIC_FROM_PASSWORD"] = "bench"
    return {
        "prepare": prepare,
        "first": copy,
        "commit": lambda new: bench.run(["restic", *local, "backup", new]),
        "next": copy,
        "no news": copy,
    }


def warp_push(bench):
    repo = ["-r", bench.path("warp-local")]

    def prepare(old):
        bench.again("warp-local", "warp-clone")
        prepare.count += 1
        bench.run([bench.program, *repo, "init", "--bare"])
        bench.run([bench.program, *repo, "commit", "-m", "first", "--branch", "main", old])
        bench.run([bench.program, *repo, "remote", "add", "--create", "origin", bench.url(f"pushed-{prepare.count}")])

    prepare.count = 0
    push = [bench.program, *repo, "push", "origin", "--all"]

    def clone():
        bench.again("warp-clone")
        return bench.run([bench.program, "clone", "--bare", bench.url(f"pushed-{prepare.count}"), bench.path("warp-clone")])

    return {
        "prepare": prepare,
        "first": lambda: bench.run(push),
        "commit": lambda new: bench.run([bench.program, *repo, "commit", "-m", "next", "--branch", "main", new]),
        "next": lambda: bench.run(push),
        "no news": lambda: bench.run(push),
        "clone": clone,
    }


def git_push(bench):
    work, there = bench.path("git-work"), bench.path("git-there")

    def replace(tree):
        for name in os.listdir(work):
            if name != ".git":
                path = os.path.join(work, name)
                shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
        subprocess.run(["cp", "-a", f"{tree}/.", work], check=True)
        bench.run(["git", "add", "-A", "-f"], cwd=work)
        bench.run(["git", "commit", "-q", "-m", "version"], cwd=work)

    def prepare(old):
        bench.again("git-work", "git-there", "git-clone")
        bench.run(["git", "init", "-q", "-b", "main", work])
        bench.run(["git", "init", "-q", "--bare", there])
        bench.run(["git", "remote", "add", "origin", f"ssh://{bench.user}@127.0.0.1:{SSH_PORT}{there}"], cwd=work)
        replace(old)

    def clone():
        bench.again("git-clone")
        return bench.run(["git", "clone", "-q", "--bare", f"ssh://{bench.user}@127.0.0.1:{SSH_PORT}{there}", bench.path("git-clone")])

    push = lambda: bench.run(["git", "push", "-q", "origin", "main"], cwd=work)
    return {"prepare": prepare, "first": push, "commit": replace, "next": push, "no news": push, "clone": clone}


def live(bench, tree):
    bench.again("live")
    subprocess.run(["cp", "-a", tree, bench.path("live")], check=True)


def warp_backup(bench):
    def prepare():
        bench.again("warp-out", "home/.cache/warp")
        prepare.count += 1
        bench.run([bench.program, "-r", bench.url(f"backup-{prepare.count}"), "init", "--bare"])

    prepare.count = 0
    repo = lambda: ["-r", bench.url(f"backup-{prepare.count}")]
    backup = lambda: bench.run([bench.program, *repo(), "commit", "-m", "version", bench.path("live")])
    restore = lambda: bench.run([bench.program, *repo(), "restore", "--source", "latest", "--target", bench.path("warp-out")])
    return prepare, backup, restore


def restic_backup(bench, remote):
    def prepare():
        bench.again("restic-sftp", "restic-out", "restic-cache")
        bench.run(["restic", *remote, "--quiet", "init"])

    backup = lambda: bench.run(["restic", *remote, "--quiet", "backup", bench.path("live")])
    sparse = ["--sparse"] if bench.args.sparse else []
    restore = lambda: bench.run(["restic", *remote, "--quiet", "restore", *sparse, "latest", "--target", bench.path("restic-out")])
    return prepare, backup, restore


def borg_backup(bench):
    there, count = f"ssh://{bench.user}@127.0.0.1:{SSH_PORT}{bench.path('borg-there')}", [0]

    def prepare():
        bench.again("borg-there", "borg-out", "borg-base")
        bench.run(["borg", "init", "-e", "repokey-blake2", there])

    def backup():
        count[0] += 1
        return bench.run(["borg", "create", f"{there}::v{count[0]}", bench.path("live")])

    def restore():
        bench.again("borg-out")
        os.makedirs(bench.path("borg-out"))
        sparse = ["--sparse"] if bench.args.sparse else []
        return bench.run(["borg", "extract", *sparse, f"{there}::v{count[0]}"], cwd=bench.path("borg-out"))

    return prepare, backup, restore


def rsync_backup(bench):
    there = f"{bench.user}@127.0.0.1:{bench.path('rsync-there')}"
    copy = ["rsync", "-aS" if bench.args.sparse else "-a", "--delete", "-e", bench.ssh]
    prepare = lambda: bench.again("rsync-there", "rsync-out")
    backup = lambda: bench.run([*copy, bench.path("live") + "/", there])
    restore = lambda: bench.run([*copy, there + "/", bench.path("rsync-out")])
    return prepare, backup, restore


def table(title, steps, found):
    print(f"\n{title}\n\n| tool | {' | '.join(steps)} |\n|---|{'---:|' * len(steps)}")
    for tool, rounds in found.items():
        cells = []
        for step in steps:
            values = [measured[step] for measured in rounds if step in measured]
            wall, cpu = (statistics.median(column) for column in zip(*values)) if values else (None, None)
            cells.append(f"{wall:.2f} ({cpu:.2f})" if values else "")
        print(f"| {tool} | {' | '.join(cells)} |")
    sys.stdout.flush()


def pushes(bench, old, new, tools):
    ways = {}
    if "warp" in tools:
        ways["warp"] = warp_push(bench)
    if "restic" in tools and shutil.which("restic"):
        ways["restic copy, SFTP"] = restic_copy(bench, lambda name: bench.sftp(f"restic-there/{name}"))
        if shutil.which("rclone"):
            ways["restic copy, rclone serve"] = restic_copy(bench, lambda name: ["-r", f"rest:http://127.0.0.1:{REST_PORT}/{name}"])
    if "git" in tools and shutil.which("git"):
        ways["git push, ssh"] = git_push(bench)
    found = {way: [] for way in ways}
    for run in range(bench.args.runs):
        for way in list(ways)[:: 1 if run % 2 == 0 else -1]:
            steps, measured = ways[way], {}
            steps["prepare"](old)
            measured["first"] = steps["first"]()
            steps["commit"](new)
            measured["next"] = steps["next"]()
            measured["no news"] = steps["no news"]()
            if "clone" in steps:
                measured["clone"] = steps["clone"]()
            found[way].append(measured)
            print(f"round {run + 1}, {way}: " + ", ".join(f"{step} {wall:.2f}" for step, (wall, _) in measured.items()), file=sys.stderr, flush=True)
    table("Seconds, and those of the processor at the client's end:", ["first", "next", "no news", "clone"], found)


def backups(bench, old, new, tools):
    ways = {}
    if "warp" in tools:
        ways["warp"] = warp_backup(bench)
    if "restic" in tools and shutil.which("restic"):
        ways["restic, SFTP"] = restic_backup(bench, bench.sftp("restic-sftp"))
    if "borg" in tools and shutil.which("borg"):
        ways["borg, ssh"] = borg_backup(bench)
    if "rsync" in tools and shutil.which("rsync"):
        ways["rsync, ssh"] = rsync_backup(bench)
    found = {way: [] for way in ways}
    for run in range(bench.args.runs):
        for way in list(ways)[:: 1 if run % 2 == 0 else -1]:
            prepare, backup, restore = ways[way]
            measured = {}
            prepare()
            live(bench, old)
            measured["first"] = backup()
            live(bench, new)
            measured["next"] = backup()
            measured["no news"] = backup()
            measured["restore"] = restore()
            bench.again("warp-out", "restic-out", "borg-out", "rsync-out")
            found[way].append(measured)
            print(f"round {run + 1}, {way}: " + ", ".join(f"{step} {wall:.2f}" for step, (wall, _) in measured.items()), file=sys.stderr, flush=True)
    table("Seconds, and those of the processor at the client's end:", ["first", "next", "no news", "restore"], found)


def lo_bytes():
    with open("/proc/net/dev") as file:
        return next(int(line.split(":")[1].split()[8]) for line in file if line.strip().startswith("lo:"))


def small(bench, tree):
    steps = warp_push(bench)
    live(bench, tree)
    steps["prepare"](bench.path("live"))
    steps["first"]()
    held = lambda: sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(bench.path("served")) for name in names)
    for name in ("edited", "another"):
        with open(bench.path("live", name), "w") as file:
            file.write(f"a small file: {name}\n" * 50)
        steps["commit"](bench.path("live"))
        before, stored = lo_bytes(), held()
        steps["next"]()
        wire, stored = lo_bytes() - before, held() - stored
        print(f"{name}: {wire} bytes on the wire, {stored} bytes stored: {wire / stored:.2f}")


def veth(bench, tree):
    """Bytes at an interface, both ways, of pushes of a new file of random bytes; the server listens in a network namespace of its own."""
    here, there = f"warp{os.getpid()}c", f"warp{os.getpid()}s"
    inside = lambda namespace, *command: ["ip", "netns", "exec", namespace, *command]
    count = lambda: sum(int(part) for part in subprocess.check_output(
        inside(here, "cat", "/sys/class/net/v/statistics/rx_bytes", "/sys/class/net/v/statistics/tx_bytes")).split())
    repo = ["-r", bench.path("warp-local")]
    try:
        for step in (["netns", "add", here], ["netns", "add", there], ["link", "add", "v", "netns", here, "type", "veth", "peer", "name", "v", "netns", there],
                     ["-n", here, "addr", "add", "10.99.0.2/24", "dev", "v"], ["-n", there, "addr", "add", "10.99.0.1/24", "dev", "v"],
                     ["-n", here, "link", "set", "v", "up"], ["-n", there, "link", "set", "v", "up"]):
            subprocess.run(["ip", *step], check=True)
        bench.serve(inside(there, bench.program, "serve", "--listen", f"10.99.0.1:{GROUP_PORT}", "--root", bench.path("served"),
                           "--access", bench.path("access"), "--host-key", bench.path("veth.key")), GROUP_PORT)
        live(bench, tree)
        held = lambda: sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(bench.path("served", "r", "packs")) for name in names)
        bench.run([bench.program, *repo, "init", "--bare"])
        bench.run([bench.program, *repo, "commit", "-m", "first", "--branch", "main", bench.path("live")])
        bench.run(inside(here, bench.program, *repo, "remote", "add", "--create", "origin", f"warp://10.99.0.1:{GROUP_PORT}/r"))
        push = inside(here, bench.program, *repo, "push", "origin", "--all")
        bench.run(push)
        for size in (1000, 61000, 121000):
            with open(bench.path("live", "new"), "wb") as file:
                file.write(os.urandom(size))
            bench.run([bench.program, *repo, "commit", "-m", "next", "--branch", "main", bench.path("live")])
            before, stored = count(), held()
            bench.run(push)
            wire, stored = count() - before, held() - stored
            print(f"a file of {size} bytes: {wire} bytes at the interface, {stored} bytes of packs: {wire / stored:.2f}")
    finally:
        for namespace in (here, there):
            subprocess.run(["ip", "netns", "del", namespace], stderr=subprocess.DEVNULL)


def bases(bench, old, new):
    """The next version, with and without differences: those of contents have to fetch what they build on."""
    for name, options in (("contents in full", []), ("contents as differences", ["--delta-depth", "1"])):
        url = bench.url(name.split()[1] + name.split()[-1])
        live(bench, old)
        bench.run([bench.program, "-r", url, "init", "--bare"])
        bench.run([bench.program, "-r", url, "commit", "-m", "first", bench.path("live")])
        live(bench, new)
        wall, cpu = bench.run([bench.program, "-r", url, "commit", *options, "-m", "next", bench.path("live")])
        time.sleep(0.5)
        last = open(bench.path(f"server-{WARP_PORT}.log")).read().rsplit("requests=", 1)[1]
        amounts = dict(part.split("=") for part in last.split()[1:3])
        print(f"{name}: {wall:.2f} s ({cpu:.2f} of the processor), {amounts['received']} bytes to the server, {amounts['sent']} bytes from it", flush=True)


def modes(bench, tree):
    """Pushes and clones in each mode of verification, the modes in turn."""
    local, all_modes = ["-r", bench.path("warp-local")], ["none", "final", "sampling 10%", "per-chunk"]
    bench.run([bench.program, *local, "init", "--bare"])
    bench.run([bench.program, *local, "commit", "-m", "first", "--branch", "main", tree])
    found = {mode: [] for mode in all_modes}
    for run in range(bench.args.runs):
        for mode in all_modes[:: 1 if run % 2 == 0 else -1]:
            name = f"mode-{run}-{mode.split()[0]}"
            bench.run([bench.program, *local, "remote", "add", "--create", name, bench.url(name)])
            measured = {"push": bench.run([bench.program, *local, "push", "--verify", mode, name, "--all"])}
            bench.again("warp-clone")
            measured["clone"] = bench.run([bench.program, "clone", "--bare", "--verify", mode, bench.url(name), bench.path("warp-clone")])
            bench.again("warp-clone", f"served/{name}")
            found[mode].append(measured)
    table("Seconds, and those of the processor at the client's end:", ["push", "clone"], found)


def spread(bench, tree):
    """Pushes to one server and to a group of six, and clones from them."""
    local, found = ["-r", bench.path("warp-local")], {"one server": [], "4+2 over six": [], "4+2, two dead": []}
    bench.run([bench.program, *local, "init", "--bare"])
    bench.run([bench.program, *local, "commit", "-m", "first", "--branch", "main", tree])
    for run in range(bench.args.runs):
        bench.run([bench.program, *local, "remote", "add", "--create", f"one-{run}", bench.url(f"one-{run}")])
        push = bench.run([bench.program, *local, "push", f"one-{run}", "--all"])
        clone = lambda *places: bench.run([bench.program, "clone", "--bare", *places, bench.path("warp-clone")])
        found["one server"].append({"push": push, "clone": clone(bench.url(f"one-{run}"))})
        bench.again("warp-clone", f"served/one-{run}")
        servers, places = bench.group()
        places = [f"{place}/r" for place in places]
        bench.run([bench.program, *local, "remote", "add", "--create", "--spread", "4+2", f"group-{run}", *places])
        push = bench.run([bench.program, *local, "push", f"group-{run}", "--all"])
        found["4+2 over six"].append({"push": push, "clone": clone("--spread", "4+2", *places)})
        bench.again("warp-clone")
        for dead in (servers[1], servers[4]):
            dead.kill()
            dead.wait()
        found["4+2, two dead"].append({"clone": clone("--spread", "4+2", *places)})
        bench.again("warp-clone")
        for server in servers:
            server.terminate()
            server.wait()
            bench.servers.remove(server)
        bench.again(*(f"member-{number}" for number in range(6)))
    table("Seconds, and those of the processor at the client's end:", ["push", "clone"], found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["push", "backup", "small", "veth", "bases", "modes", "spread"])
    parser.add_argument("trees", nargs="+")
    parser.add_argument("--warp", default="target/release/warp")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dir", default="/dev/shm")
    parser.add_argument("--tools", default="warp,restic,borg,rsync,git")
    parser.add_argument("--sparse", action="store_true")
    args = parser.parse_args()
    bench = Bench(args)
    trees, tools = [os.path.abspath(tree) for tree in args.trees], args.tools.split(",")
    try:
        bench.warp_server()
        if args.what in ("push", "backup"):
            bench.sshd()
        if args.what == "push" and "restic" in tools and shutil.which("rclone"):
            bench.rclone_server()
        if args.what in ("push", "backup"):
            {"push": pushes, "backup": backups}[args.what](bench, *trees, tools)
        else:
            {"small": small, "veth": veth, "bases": bases, "modes": modes, "spread": spread}[args.what](bench, *trees)
    finally:
        bench.end()


main()
