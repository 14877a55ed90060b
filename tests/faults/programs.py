"""The programs under test, with the same verbs: what is run, and how its answers are read."""
import json, os, re, shutil, signal, subprocess, threading, time

TIMEOUT = 300  # seconds until a command counts as hanging
PEAK_MAX = 2000  # megabytes above which a command counts as unbounded: the trees of these tests have a few


class Ran:
    """How a command ended. `code` is negative after a signal."""

    def __init__(self, code, out, err, seconds, peak, hung):
        self.code, self.out, self.err, self.seconds, self.peak, self.hung = code, out, err, seconds, peak, hung

    @property
    def done(self):
        return self.code == 0

    def alarm(self):
        """Why this command should never have ended so, whatever was done to it, or None."""
        if self.hung:
            return "hangs"
        if self.peak > PEAK_MAX:
            return f"takes {self.peak} MB"
        if self.code == 101 or self.code in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL):
            return f"dies with {self.code}"
        text = re.search(r"panicked at|^panic:|^goroutine \d+|Traceback \(most recent", self.err, re.MULTILINE)
        return f"says {text.group(0)!r}" if text else None

    def says(self):
        """The line that tells what went wrong, as short as it can be shown."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        told = [line for line in lines if re.search(r"error|fatal|unable|fail|cannot|lock", line, re.IGNORECASE)]
        return (told or lines or self.out.splitlines() or [f"exit code {self.code}"])[0][:400]


class Running:
    """A command that was started, in a process group of its own, so that it can be killed with all its children."""

    def __init__(self, argv, env):
        self.out, self.err = (os.memfd_create(name) for name in ("out", "err"))
        self.begun, self.hung = time.monotonic(), False
        self.child = subprocess.Popen(argv, env=env, cwd=env["HOME"], stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
                                      start_new_session=True)

    def kill(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _overdue(self):
        self.hung = True
        self.kill()

    def wait(self, timeout=TIMEOUT):
        timer = threading.Timer(timeout, self._overdue)
        timer.start()
        try:
            _, status, used = os.wait4(self.child.pid, 0)
        except BaseException:  # this script is to end: what it has started ends before what it has mounted
            self.kill()
            self.child.wait()
            raise
        finally:
            timer.cancel()
        self.child.returncode = code = os.waitstatus_to_exitcode(status)
        out, err = (self._read(fd) for fd in (self.out, self.err))
        return Ran(code, out, err, time.monotonic() - self.begun, used.ru_maxrss // 1000, self.hung)

    @staticmethod
    def _read(fd):
        os.lseek(fd, 0, os.SEEK_SET)
        with os.fdopen(fd, "rb") as file:
            return file.read().decode("utf-8", "replace")


class Program:
    """One backup program. Its verbs return command lines; `run` and `start` execute them with its environment."""

    checkout = None  # only warp's working directories are tried
    room = 0  # bytes of disk below which it does not work
    plain = False  # True where only content, links and the executable bit come back
    steps = []  # manual steps, in the order in which the manual advises them

    def __init__(self, binary, home):
        self.binary, self.home = binary, home
        os.makedirs(home, exist_ok=True)
        self.env = {"PATH": os.environ["PATH"], "HOME": home, "TZ": "UTC", "LC_ALL": "C.UTF-8", "GOMAXPROCS": "2"}

    def run(self, argv, timeout=TIMEOUT):
        return self.start(argv).wait(timeout)

    def start(self, argv):
        return Running(argv, self.env)

    def version(self):
        return self.run([self.binary, "--version"]).out.split("\n")[0].strip()

    def labels(self, ran):
        """What a listing shows: labels of snapshots, oldest first, each with its id."""
        raise NotImplementedError

    def restored(self, target, tree):
        """Where below `target` a restore has put `tree`."""
        return os.path.join(target, tree.lstrip("/"))

    def aid(self, repo, step):
        """Carries a manual step out."""
        return self.run(step(self, repo))

    def left_over(self, ran):
        """How much a check says that nothing needs, or None if it does not say."""
        return None


class Warp(Program):
    name = "warp"

    def __init__(self, binary, home):
        super().__init__(binary, home)
        self.env |= {"WARP_TESTING_KDF": "1", "WARP_PASSWORD": "secret", "WARP_HOST": "host"}

    steps = [lambda self, repo: self._on(repo, "check", "--repair")]

    def _on(self, repo, *args):
        return [self.binary, "-r", repo, *args]

    def init(self, repo):
        return [self.binary, "init", "--bare", repo]

    def backup(self, repo, tree, label):
        return self._on(repo, "commit", "--allow-empty", "-m", label, tree)

    def list(self, repo):
        return self._on(repo, "log", "--json")

    def labels(self, ran):
        return {commit["message"]: commit["id"] for commit in reversed(json.loads(ran.out or "[]"))}

    def restore(self, repo, id, tree, target):
        return self._on(repo, "restore", "--source", id, "--target", target)

    def forget(self, repo, id):
        return self._on(repo, "forget", "--force", id)

    def workdir(self, folder, label=None):
        """Makes a working directory of a folder, or commits it."""
        return self._on(folder, "commit", "-m", label) if label else [self.binary, "init", folder]

    def checkout(self, folder, revision):
        return self._on(folder, "checkout", "--force", revision)

    def gc(self, repo):
        return self._on(repo, "gc", "--grace", "0", "--aggressive")

    def check(self, repo):
        return self._on(repo, "check", "--read-data", "--json")

    def left_over(self, ran):
        told = json.loads(ran.out.splitlines()[-1])
        return len(told["orphans"]) + len(told["left_over"])

    def repair(self, repo):
        return [self._on(repo, "check", "--repair")]


class Restic(Program):
    name = "restic"
    steps = [lambda self, repo: self._on(repo, "unlock"), lambda self, repo: self._on(repo, *self.reindex())]

    def __init__(self, binary, home):
        super().__init__(binary, home)
        self.env |= {"RESTIC_PASSWORD": "secret", "RESTIC_PROGRESS_FPS": "0"}

    def version(self):
        return self.run([self.binary, "version"]).out.split(" compiled")[0].strip()

    def _on(self, repo, *args):
        return [self.binary, "-r", repo, "--no-cache", *args]

    def reindex(self):
        return ["rebuild-index"] if " 0.14" in self.version() else ["repair", "index"]

    def init(self, repo):
        return self._on(repo, "init")

    def backup(self, repo, tree, label):
        return self._on(repo, "backup", "-q", "--host", "host", "--tag", label, tree)

    def list(self, repo):
        return self._on(repo, "snapshots", "--json")

    def labels(self, ran):
        told = sorted(json.loads(ran.out or "[]") or [], key=lambda snapshot: snapshot["time"])
        return {snapshot["tags"][0]: snapshot["id"] for snapshot in told}

    def restore(self, repo, id, tree, target):
        return self._on(repo, "restore", "-q", id, "--target", target)

    def forget(self, repo, id):
        return self._on(repo, "forget", "-q", id)

    def gc(self, repo):
        return self._on(repo, "prune", "--max-unused", "0")

    def check(self, repo):
        return self._on(repo, "check", "--read-data")

    def repair(self, repo):
        """As `Troubleshooting` of its manual has it; `repair packs` needs the ids that check names."""
        if " 0.14" in self.version():
            return [self._on(repo, "rebuild-index", "--read-all-packs")]
        packs = re.findall(r"repair packs ((?:[0-9a-f]{64} ?)+)", self.told(self.run(self.check(repo))))
        first = [self._on(repo, "repair", "packs", *packs[0].split())] if packs else []
        return [self._on(repo, "repair", "index"), *first, self._on(repo, "repair", "snapshots", "--forget")]

    @staticmethod
    def told(ran):
        return ran.out + ran.err


class Borg(Program):
    name, room = "borg", 1 << 30  # it wants the room of a segment, 500 MB, before it writes
    steps = [lambda self, repo: [self.binary, "break-lock", repo],
             lambda self, repo: [self.binary, "check", "--repair", repo]]

    def __init__(self, binary, home):
        super().__init__(binary, home)
        yes = {name: "yes" for name in ("BORG_RELOCATED_REPO_ACCESS_IS_OK", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK")}
        sure = {name: "YES" for name in ("BORG_CHECK_I_KNOW_WHAT_I_AM_DOING", "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING")}
        self.env |= {"BORG_PASSPHRASE": "secret", "BORG_BASE_DIR": home, "BORG_HOST_ID": "host", **yes, **sure}

    def init(self, repo):
        return [self.binary, "init", "-e", "repokey-blake2", repo]

    def backup(self, repo, tree, label):
        return [self.binary, "create", "--lock-wait", "120", f"{repo}::{label}", tree]

    def list(self, repo):
        return [self.binary, "list", "--lock-wait", "120", "--json", repo]

    def labels(self, ran):
        return {archive["name"]: archive["name"] for archive in json.loads(ran.out)["archives"]}

    def restore(self, repo, id, tree, target):
        return ["sh", "-c", 'mkdir -p "$1" && cd "$1" && exec "$2" extract --lock-wait 120 "$3"', "sh", target, self.binary,
                f"{repo}::{id}"]

    def forget(self, repo, id):
        return [self.binary, "delete", "--lock-wait", "120", f"{repo}::{id}"]

    def gc(self, repo):
        return [self.binary, "compact", "--lock-wait", "120", "--threshold", "0", repo]

    def check(self, repo):
        return [self.binary, "check", "--verify-data", repo]

    def repair(self, repo):
        return [[self.binary, "check", "--repair", "--verify-data", repo]]


class Git(Program):
    name, plain = "git", True
    settings = []

    def __init__(self, binary, home):
        super().__init__(binary, home)
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in
               (("NAME", "tester"), ("EMAIL", "tester@localhost"))}
        self.env |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", **who}

    def _shell(self, script, *args):
        git = " ".join([self.binary, *self.settings])
        return ["bash", "-c", "set -e -o pipefail; " + script.replace("GIT", git), "bash", *args]

    def init(self, repo):
        return self._shell('GIT init -q "$1"', repo)

    def backup(self, repo, tree, label):
        return self._shell('GIT -C "$2" --git-dir="$1/.git" --work-tree="$2" add -A .; '
                           'GIT -C "$2" --git-dir="$1/.git" --work-tree="$2" commit -q --allow-empty -m "$3"', repo, tree, label)

    def list(self, repo):
        """Of a new repository HEAD names a branch that is not there yet; anything else that fails is told."""
        return self._shell('cd "$1"; GIT rev-parse --git-dir >/dev/null; head=$(GIT symbolic-ref HEAD); '
                           'if [ -e ".git/$head" ] || [ -e .git/packed-refs ]; then GIT log --reverse --format="%H %s"; fi', repo)

    def labels(self, ran):
        return {line.split(" ", 1)[1]: line.split(" ", 1)[0] for line in ran.out.splitlines()}

    def restore(self, repo, id, tree, target):
        return self._shell('mkdir -p "$2"; GIT --git-dir="$1/.git" archive "$3" | tar -x -C "$2"', repo, target, id)

    def restored(self, target, tree):
        return target

    forget = None  # a commit of a branch cannot be taken out of its history

    def gc(self, repo):
        return self._shell('GIT --git-dir="$1/.git" gc -q --prune=now', repo)

    def check(self, repo):
        return self._shell('GIT --git-dir="$1/.git" fsck --full', repo)

    def repair(self, repo):
        return []  # it has none

    def _locks(self, repo):
        return ["sh", "-c", 'cd "$1" && find .git -name "*.lock" -print -delete', "sh", repo]

    def _index(self, repo):
        return self._shell('cd "$1"; rm -f .git/index; GIT read-tree HEAD', repo)

    steps = [_locks, _index]


class GitFsync(Git):
    """git with every fsync that it knows, which is not its default."""

    name, settings = "git-fsync", ["-c", "core.fsync=all"]


PROGRAMS = {program.name: program for program in (Warp, Restic, Borg, Git, GitFsync)}


def found(name, binary=None):
    """The program's file, or None where it is not installed."""
    return shutil.which(binary or PROGRAMS[name].name.split("-")[0])


def program(name, home, binary=None):
    return PROGRAMS[name](os.path.abspath(found(name, binary)), home)
