#!/usr/bin/env python3
"""Measures chains of releases: what each further version of a project adds to a repository, and how fast each comes back.

    benches/chain.py fetch django DIR/django            once: the releases in CHAINS become DIR/django/v01, v02 ...
    benches/chain.py run DIR/django [DIR/tokio ...] --warp target/release/warp [--json chain.json] > chain.md

`fetch` asks pip, cargo or npm for the releases, and skips those that are there. Any folder will do for `run` that holds
the versions of something as v01, v02 and so on.

`run` gives each tool a new repository and one live folder, which goes from version to version in place: only what differs
is written, and what stays keeps its times. Every version is committed. At the end each version is restored into an empty
folder and compared with its source, names and bytes. git is the measure of what can be had, not a backup tool: it is
counted after `git gc --aggressive`, and its first version is what a repository of that alone comes to.

Sizes are sums of file sizes (for git, of its objects); MB = 10^6 bytes. They do not depend on the machine, but differ a
little from run to run where a key decides where files are cut. Times are those of whole processes with a warm cache, and
count only beside the others of the same run, on a quiet machine. Tools that are not on the PATH are left out (add a folder
to it for those elsewhere); `--scratch-dir` says where to work.

Exit status: 1 if warp failed, or if a version that it restored differs from its source. Python 3.11 or newer.
"""
import argparse
import json
import os
import shlex
import shutil
import stat
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

# Consecutive releases: who fetches them, the package, the versions.
CHAINS = {
    "django": ("pip", "django", [f"5.2.{patch}" for patch in range(3, 15)]),
    "tokio": ("cargo", "tokio", "1.41.0 1.41.1 1.42.0 1.43.0 1.44.0 1.44.1 1.44.2 1.45.0 1.45.1 1.46.0 1.46.1 1.47.0".split()),
    "typescript": ("npm", "typescript", "5.4.5 5.5.2 5.5.3 5.5.4 5.6.2 5.6.3 5.7.2 5.7.3 5.8.2 5.8.3 5.9.2 5.9.3".split()),
}

PASSWORD = "correct horse battery staple"

# What each tool runs, as lines of shell.
#   {bin} the program   {repo} (does not exist at init) {live} {dst} {cache} folders   {tag} c1, c2 ...: names of commits
#   {id} what restores a version: from the listing `ids`, oldest first, where there is one, else the tag
# All compress with zstd at level 3 or so, and encrypt; git does neither.
TOOLS = {
    "warp": dict(
        env=dict(WARP_PASSWORD=PASSWORD),
        init="{bin} init --bare {repo}",
        commit="{bin} -r {repo} commit --quiet {live}",
        ids="{bin} -r {repo} log --json",
        restore="{bin} -r {repo} restore --source {id} --target {dst}"),
    "restic": dict(
        env=dict(RESTIC_PASSWORD=PASSWORD, RESTIC_REPOSITORY="{repo}", RESTIC_CACHE_DIR="{cache}"),
        init="{bin} init",
        commit="{bin} backup --quiet --compression auto {live}",
        ids="{bin} snapshots --json",
        restore="{bin} restore {id} --sparse --target {dst}"),
    "rustic": dict(
        env=dict(RUSTIC_PASSWORD=PASSWORD, RUSTIC_REPOSITORY="{repo}", RUSTIC_CACHE_DIR="{cache}", RUSTIC_NO_PROGRESS="true"),
        init="{bin} init",
        commit="{bin} backup {live}",
        ids="{bin} snapshots --json",
        restore="{bin} restore --sparse by-content {id} {dst}"),
    "borg": dict(
        env=dict(BORG_PASSPHRASE=PASSWORD, BORG_BASE_DIR="{cache}"),
        init="{bin} init -e repokey {repo}",
        commit="{bin} create -C zstd,3 {repo}::{tag} {live}",
        restore="cd {dst} && {bin} extract --sparse {repo}::{id}"),
    "bupstash": dict(
        env=dict(BUPSTASH_REPOSITORY="{repo}", BUPSTASH_KEY="{cache}/key", BUPSTASH_SEND_LOG="{cache}/log",
                 BUPSTASH_QUERY_CACHE="{cache}/query"),
        init="{bin} init && {bin} new-key -o {cache}/key",
        commit="{bin} put -q --xattrs tag={tag} {live}",
        restore="{bin} restore -q --ownership --xattrs --into {dst} tag={id}"),
    "git": dict(
        env=dict(GIT_DIR="{repo}", GIT_CONFIG_NOSYSTEM="1", GIT_INDEX_FILE="{cache}/index",
                 **{f"GIT_{who}_{what}": "chain@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}),
        init="{bin} init -q --bare {repo} && {bin} config gc.auto 0 && mkdir -p {repo}/info && "
             "echo '* -text -filter -ident' > {repo}/info/attributes",
        commit="cd {live} && {bin} --work-tree . add -A -f . && {bin} --work-tree . commit -q -m {tag}",
        ids="{bin} rev-list --reverse HEAD",
        pack="{bin} gc --quiet --aggressive --prune=now",
        restore="cd {dst} && rm -f {cache}/index && {bin} --work-tree . checkout -q -f {id} -- .",
        counted="objects"),
}
PEERS = ["restic", "rustic", "borg", "bupstash"]
MB = 1e6


# ---- fetching releases ----

def fetch(name, folder):
    """Makes `folder`/v01, v02 ... of the releases of the chain `name`."""
    client, package, versions = CHAINS[name]
    os.makedirs(folder, exist_ok=True)
    for number, version in enumerate(versions, 1):
        place = os.path.join(folder, f"v{number:02}")
        if not os.path.isdir(place):
            note(f"{package} {version}")
            with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as work:
                os.rename(CLIENTS[client](package, version, work), place)


def fetch_pip(package, version, work):
    pip = [sys.executable, "-m", "pip", "download", "-q"]
    client(work, *pip, "--no-deps", "--no-binary", package, "-d", ".", f"{package}=={version}")
    return unpack(work)


def fetch_npm(package, version, work):
    client(work, "npm", "pack", "--silent", f"{package}@{version}")
    return unpack(work)


def fetch_cargo(package, version, work):
    """A project that depends on the release alone, and has its sources laid beside it."""
    Path(work, "lib.rs").touch()
    Path(work, "Cargo.toml").write_text(
        '[package]\nname = "chain"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[workspace]\n'
        f'[dependencies]\n{package} = {{ version = "={version}", default-features = false }}\n')
    client(work, "cargo", "vendor", "--quiet", "vendor")
    found = os.path.join(work, "vendor", package)
    os.remove(os.path.join(found, ".cargo-checksum.json"))
    return found


CLIENTS = dict(pip=fetch_pip, npm=fetch_npm, cargo=fetch_cargo)


def client(work, *command):
    subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)


def unpack(work):
    """Unpacks the only archive in `work` and returns the only folder that it holds."""
    [archive] = os.listdir(work)
    inside = os.path.join(work, "unpacked")
    with tarfile.open(os.path.join(work, archive)) as tar:
        tar.extractall(inside, filter="data")
    [top] = os.listdir(inside)
    return os.path.join(inside, top)


# ---- trees ----

def tree(root):
    """Returns {relative path: lstat} of everything below `root`, folders before what they hold."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = os.lstat(path)
    return found


def same(left, right, a, b):
    """Whether two entries are of one kind and hold the same; folders always do."""
    if stat.S_IFMT(a.st_mode) != stat.S_IFMT(b.st_mode):
        return False
    if stat.S_ISLNK(a.st_mode):
        return os.readlink(left) == os.readlink(right)
    return stat.S_ISDIR(a.st_mode) or a.st_size == b.st_size and Path(left).read_bytes() == Path(right).read_bytes()


def bring_to(source, live):
    """Makes `live` equal to `source`; writes only what differs, as rsync does. Only a new `live` gets the times of the source."""
    first = not os.path.isdir(live)
    os.makedirs(live, exist_ok=True)
    old, new = tree(live), tree(source)
    gone = [p for p in old if p not in new or stat.S_IFMT(old[p].st_mode) != stat.S_IFMT(new[p].st_mode)]
    for path in reversed(gone):  # what a folder holds before the folder
        (os.rmdir if stat.S_ISDIR(old.pop(path).st_mode) else os.remove)(os.path.join(live, path))
    for path, info in new.items():
        src, dst = os.path.join(source, path), os.path.join(live, path)
        if path in old:
            if stat.S_ISDIR(info.st_mode) or same(src, dst, info, old[path]) and info.st_mode == old[path].st_mode:
                continue
            os.remove(dst)
        if stat.S_ISDIR(info.st_mode):
            os.mkdir(dst)
        else:
            (shutil.copy2 if first else shutil.copy)(src, dst, follow_symlinks=False)


def differences(source, restored):
    """Returns the paths that are missing, too many or not the same."""
    mine, theirs = tree(source), tree(restored)
    both = mine.keys() & theirs.keys()
    changed = [p for p in both if not same(os.path.join(source, p), os.path.join(restored, p), mine[p], theirs[p])]
    return sorted(mine.keys() ^ theirs.keys()) + changed


def sizes(root):
    """Returns {name: bytes} of the files in or below each entry of `root`."""
    parts = {}
    for path, info in tree(root).items():
        if stat.S_ISREG(info.st_mode):
            top = path.split(os.sep)[0]
            parts[top] = parts.get(top, 0) + info.st_size
    return parts


# ---- running the tools ----

class Failed(Exception):
    pass


class Tool:
    """One tool with its repository, cache and live tree in a folder `place` of its own."""

    def __init__(self, name, program, place, chain):
        self.name, self.spec = name, TOOLS[name]
        self.paths = dict(repo=os.path.join(place, "repo"), live=os.path.join(place, "live", f"{chain}-live"),
                          dst=os.path.join(place, "restored"), cache=os.path.join(place, "cache"))
        self.words = {k: shlex.quote(v) for k, v in self.paths.items()} | dict(bin=shlex.quote(program))
        prefixes = ("WARP_", "RESTIC_", "RUSTIC_", "BORG_", "BUPSTASH_", "GIT_", "XDG_")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(prefixes)}
        self.env |= {k: v.format(**self.paths) for k, v in self.spec["env"].items()}
        self.env |= dict(HOME=self.paths["cache"], LC_ALL="C.UTF-8")
        os.makedirs(self.paths["cache"])

    def run(self, step, **words):
        """Runs a step with everything flushed before it; returns its wall time and what it printed."""
        line = self.spec[step].format(**self.words, **words)
        os.sync()
        start = time.monotonic()
        done = subprocess.run(["sh", "-c", line], env=self.env | words.get("env", {}),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        wall = time.monotonic() - start
        if done.returncode:
            raise Failed(f"{step} ({done.returncode}): {done.stderr.strip()[-400:]}")
        return wall, done.stdout

    def size(self, repo=None):
        """What counts of the repository, in bytes, by the folders at its top."""
        return sizes(os.path.join(repo or self.paths["repo"], self.spec.get("counted", "")))

    def ids(self, count):
        """What names each of `count` commits, oldest first."""
        if "ids" not in self.spec:
            return [f"c{number}" for number in range(1, count + 1)]
        _, out = self.run("ids")
        listed = sorted(snapshots(json.loads(out)), key=lambda s: s["time"]) if out[:1] in "[{" else out.split()
        found = [s["id"] if isinstance(s, dict) else s for s in listed]
        if len(found) != count:
            raise Failed(f"{count} commits were made, {len(found)} are listed")
        return found

    def packed_alone(self):
        """What the repository comes to when it is packed as it is now, which happens in a copy."""
        copy = self.paths["repo"] + "-copy"
        shutil.copytree(self.paths["repo"], copy)
        self.run("pack", env=dict(GIT_DIR=copy))
        total = sum(self.size(copy).values())
        shutil.rmtree(copy)
        return total

    def restored(self):
        """Where a restored tree lies: at its absolute path below the target, by its name, or directly there."""
        dst, live = self.paths["dst"], self.paths["live"]
        return next(p for p in (dst + live, os.path.join(dst, os.path.basename(live)), dst) if os.path.isdir(p))


def snapshots(value):
    """All objects with an id and a time in a JSON value; tools group them in various ways."""
    if isinstance(value, dict) and "id" in value and "time" in value:
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [s for item in items for s in snapshots(item)]


def measure(tool, versions):
    """Takes one tool through a chain; returns its record, with `error` in it if a command failed."""
    record = dict(tool=tool.name, added=[], parts=[], commit=[], restore=[], different=[])
    dst = tool.paths["dst"]
    try:
        tool.run("init")
        before = 0
        for number, source in enumerate(versions, 1):
            bring_to(source, tool.paths["live"])
            record["commit"].append(tool.run("commit", tag=f"c{number}")[0])
            record["parts"].append(tool.size())
            whole = sum(record["parts"][-1].values())
            record["added"].append(whole - before)
            before = whole
            if number == 1 and "pack" in tool.spec:
                record["first"] = tool.packed_alone()
        if "pack" in tool.spec:
            record["pack"], _ = tool.run("pack")
        record["whole"] = sum(tool.size().values())
        record.setdefault("first", record["added"][0])
        record["rest"] = record["whole"] - record["first"]
        for source, name in zip(versions, tool.ids(len(versions))):
            os.mkdir(dst)
            record["restore"].append(tool.run("restore", id=name)[0])
            record["different"].append(differences(source, tool.restored()))
            shutil.rmtree(dst)
    except Failed as failure:
        record["error"] = str(failure)
        note(f"{tool.name} failed: {failure}")
    return record


# ---- the tables ----

def report(chain, versions, records):
    """Returns markdown: the tools side by side, warp's ratios, and warp version by version."""
    files = [i.st_size for i in tree(versions[0]).values() if stat.S_ISREG(i.st_mode)]
    lines = [f"### {chain}: {len(versions)} versions, the first of {sum(files) / MB:.1f} MB in {len(files)} files", "",
             "| tool | first MB | further MB | whole MB | first commit s | further commits s "
             "| restore s: first | median | last | restored |",
             "|---|" + "---:|" * 8 + "---|"]
    lines += [row(record) for record in records.values()]
    lines += [""] + ratios(records) + [f"- {r['tool']} failed: {r['error']}" for r in records.values() if "error" in r]
    if git := whole(records, "git"):
        lines.append(f"- git before it packs: {sum(git['added']) / MB:.2f} MB; packing took {git['pack']:.1f} s.")
    if warp := whole(records, "warp"):
        first, last = warp["parts"][0], warp["parts"][-1]
        grown = ", ".join(f"{part} {(size - first.get(part, 0)) / MB:.3f}" for part, size in sorted(last.items()))
        lines.append(f"- warp's further MB by folder: {grown}.")
        lines += ["", "| warp | " + " | ".join(os.path.basename(v) for v in versions) + " |", "|---|" + "---:|" * len(versions)]
        for title, key, unit in (("added MB", "added", MB), ("commit s", "commit", 1), ("restore s", "restore", 1)):
            lines.append(f"| {title} | " + " | ".join(f"{value / unit:.3f}" for value in warp[key]) + " |")
    return "\n".join(lines)


def row(record):
    if "error" in record:
        return f"| {record['tool']} | failed |" + " |" * 8
    restore, bad = record["restore"], sum(map(len, record["different"]))
    numbers = [f"{record[key] / MB:.2f}" for key in ("first", "rest", "whole")]
    times = record["commit"][0], sum(record["commit"][1:]), restore[0], statistics.median(restore), restore[-1]
    numbers += [f"{seconds:.2f}" for seconds in times]
    return f"| {record['tool']} | " + " | ".join(numbers) + f" | {f'{bad} paths differ' if bad else 'the same'} |"


def ratios(records):
    warp, git = whole(records, "warp"), whole(records, "git")
    lines = []
    peers = [r for r in (whole(records, name) for name in PEERS) if r]
    if warp and peers:
        best = min(peers, key=lambda r: r["rest"])
        lines.append(f"- warp's further versions / those of the best backup tool, {best['tool']}: "
                     f"{warp['rest'] / best['rest']:.3f} (at most 0.2 is wanted)")
    if warp and git:
        lines.append(f"- warp's whole repository / git's after gc: {warp['whole'] / git['whole']:.3f} (at most 1.5 is wanted); "
                     f"further versions alone: {warp['rest'] / git['rest']:.3f}")
    return lines


def whole(records, name):
    """The record of a tool that went through the chain."""
    return records[name] if name in records and "error" not in records[name] else None


# ---- the command line ----

def note(text):
    print(time.strftime("%T"), text, file=sys.stderr, flush=True)


def run(args):
    programs = {name: shutil.which(args.warp if name == "warp" else name) for name in args.tools.split(",")}
    missing = [name for name, program in programs.items() if not program]
    if missing:
        print(f"Not installed, left out: {', '.join(missing)}.\n", flush=True)
    done, broken = {}, False
    for folder in args.folder:
        chain = os.path.basename(os.path.abspath(folder))
        versions = sorted(e.path for e in os.scandir(folder) if e.is_dir() and e.name[0] == "v" and e.name[1:].isdigit())
        records = done[chain] = {}
        for name, program in programs.items():
            if program:
                with tempfile.TemporaryDirectory(dir=args.scratch_dir, prefix="chain-") as place:
                    note(f"{chain}: {name}")
                    records[name] = measure(Tool(name, os.path.abspath(program), place, chain), versions)
        print(report(chain, versions, records) + "\n", flush=True)
        if args.json:
            Path(args.json).write_text(json.dumps(done, indent=1))
        broken |= "warp" in records and ("error" in records["warp"] or any(records["warp"]["different"]))
    return int(broken)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    verbs = parser.add_subparsers(required=True, dest="verb")
    p = verbs.add_parser("fetch", help="download the releases of a chain")
    p.add_argument("name", choices=CHAINS)
    p.add_argument("folder", metavar="DIR")
    p = verbs.add_parser("run", help="measure the tools on chains")
    p.add_argument("folder", metavar="DIR", nargs="+", help="a folder with the versions v01, v02 ...")
    p.add_argument("--warp", metavar="PATH", default="warp", help="the warp to measure (default: warp on the PATH)")
    p.add_argument("--tools", default=",".join(TOOLS), help="default: %(default)s")
    p.add_argument("--scratch-dir", metavar="D", help="where repositories and trees are made (default: the temporary folder)")
    p.add_argument("--json", metavar="F", help="write every figure there")
    args = parser.parse_args()
    if args.verb == "run":
        unknown = [name for name in args.tools.split(",") if name not in TOOLS]
        if unknown:
            parser.error(f"no tool {', '.join(unknown)}")
        return run(args)
    return fetch(args.name, args.folder)


if __name__ == "__main__":
    sys.exit(main())
