#!/usr/bin/env python3
"""What keeping a repository costs: the figures of docs/benchmarks.md, "Keeping a repository".

  benches/keep.py parity TREE               first commits with --parity 3% and none, in turn
  benches/keep.py deltas TREE               first commits with deltas and with --no-delta, in turn
  benches/keep.py restore OLD NEW           restores of the latest of two versions, of repositories with and without deltas
  benches/keep.py nightly COMMITS           many small commits, a gc after every seventh: files, opening, an unchanged commit
  benches/keep.py versions TREE TREE...     commits of versions, checks, and a gc after the oldest was forgotten
  benches/keep.py rewrite COMMITS           a file dropped from each of 200 directories of 20,000 files, in so many commits, and a gc
  benches/keep.py chunks SYNTH COUNT...     commands on repositories of so many chunks; SYNTH is the built example `synth`; then log and
                                            index are deleted and made anew

Options: --warp PROGRAM (target/release/warp), --runs N (medians of so many), --dir DIR (where to work: /dev/shm).
"""
import argparse, os, random, shutil, statistics, subprocess, tempfile, time


class Bench:
    def __init__(self, args):
        self.args, self.dir = args, tempfile.mkdtemp(prefix="warp-keep-", dir=args.dir)
        self.env = {**os.environ, "HOME": self.dir, "WARP_PASSWORD": "bench"}
        self.program = os.path.abspath(args.warp)

    def path(self, name):
        return os.path.join(self.dir, name)

    def warp(self, repo, *args):
        """Runs a command; returns its wall seconds, its processor seconds and its peak memory in MB."""
        begun = time.monotonic()
        child = subprocess.Popen([self.program, "-r", self.path(repo), *args], env=self.env,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"warp {' '.join(args)}: exit code {child.returncode}")
        return time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000

    def again(self, *names):
        for name in names:
            shutil.rmtree(self.path(name), ignore_errors=True)

    def bytes(self, repo):
        return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(self.path(repo)) for name in names)


def in_turn(bench, ways, once):
    """Calls `once` for every way, in turn, the order reversed each time; prints medians and the ratio to the last way."""
    found = {way: [] for way in ways}
    for run in range(bench.args.runs):
        for way in list(ways)[:: 1 if run % 2 == 0 else -1]:
            found[way].append(once(way))
    medians = {way: [statistics.median(value) for value in zip(*found[way])] for way in ways}
    base = medians[list(ways)[-1]]
    for way, (wall, cpu) in medians.items():
        print(f"{way}: {wall:.2f} s, processor {cpu:.2f} s; ratios {wall / base[0]:.3f}, {cpu / base[1]:.3f}")


def first_commits(bench, tree, ways):
    def once(way):
        bench.again("repo")
        init, commit = ways[way]
        bench.warp("repo", "init", "--bare", *init)
        measured = bench.warp("repo", "commit", "-m", "first", *commit, os.path.abspath(tree))[:2]
        sizes[way] = bench.bytes("repo")
        return measured

    sizes = {}
    in_turn(bench, ways, once)
    print("; ".join(f"{way}: {size} bytes" for way, size in sizes.items()))


def restores(bench, old, new):
    for way, args in (("deltas", []), ("full", ["--no-delta"])):
        bench.warp(way, "init", "--bare")
        for version in (old, new):
            bench.again("live")
            shutil.copytree(version, bench.path("live"), symlinks=True)
            bench.warp(way, "commit", "-m", "version", *args, bench.path("live"))

    def once(way):
        measured = bench.warp(way, "restore", "--source", "latest", "--target", bench.path("out"))[:2]
        bench.again("out")
        return measured

    in_turn(bench, ["deltas", "full"], once)


def versions(bench, trees):
    bench.warp("repo", "init", "--bare")
    for tree in trees:
        bench.again("live")
        shutil.copytree(tree, bench.path("live"), symlinks=True)
        bench.warp("repo", "commit", "-m", "version", bench.path("live"))
    steps = [["check"], ["check", "--read-data"], ["check", "--fast"], ["forget", "--keep-last", str(len(trees) - 1)],
             ["gc", "--grace", "0"], ["gc", "--grace", "0", "--aggressive"]]
    for step in steps:
        before = bench.bytes("repo")
        runs = bench.args.runs if step[0] == "check" else 1
        wall, _, peak = (statistics.median(value) for value in zip(*(bench.warp("repo", *step) for _ in range(runs))))
        print(f"{' '.join(step)}: {wall:.2f} s, {peak:.0f} MB; {before} bytes before, {bench.bytes('repo')} after", flush=True)


def nightly(bench, commits):
    draw, source = random.Random(1), bench.path("source")
    os.makedirs(source)
    bench.warp("repo", "init", "--bare", "--no-encryption")
    files = [os.path.join(source, f"file-{number}") for number in range(200)]
    for path in files:
        with open(path, "wb") as file:
            file.write(bytes(draw.choices(b"abcdefgh \n", k=20_000)))
    for number in range(1, commits + 1):
        for path in draw.sample(files, 5):
            with open(path, "r+b") as file:
                file.seek(draw.randrange(20_000))
                file.write(bytes([draw.randrange(256)]))
        bench.warp("repo", "commit", "-m", str(number), source)
        if number % 7 == 0:
            bench.warp("repo", "gc", "--grace", "0")
        if number in (1, 10, 100, 500, commits):
            opened = statistics.median(bench.warp("repo", "log", "-n", "1")[0] for _ in range(5))
            unchanged = bench.warp("repo", "commit", source)[0]
            counts = ", ".join(f"{len(os.listdir(bench.path('repo/' + folder)))} {folder}" for folder in ("packs", "index", "log"))
            print(f"{number} commits: {counts}, {bench.bytes('repo') // 1024} KiB; "
                  f"log -n1 {1000 * opened:.1f} ms, unchanged commit {1000 * unchanged:.0f} ms", flush=True)


def rewrite(bench, commits):
    draw, source = random.Random(1), bench.path("source")
    files = [os.path.join(source, f"dir-{number % 200}", f"file-{number}") for number in range(20_000)]
    for number in range(200):
        os.makedirs(os.path.join(source, f"dir-{number}"))
    for path in files + [os.path.join(source, f"dir-{number}", "large.iso") for number in range(200)]:
        with open(path, "w") as file:
            file.write(path)
    bench.warp("repo", "init", "--bare", "--no-encryption")
    for number in range(commits):
        for path in draw.sample(files, 20):
            with open(path, "a") as file:
                file.write(f" {number}")
        bench.warp("repo", "commit", "-m", str(number), source)
    before = bench.bytes("repo")
    wall, _, peak = bench.warp("repo", "rewrite", "--exclude", "*.iso")
    bench.warp("repo", "gc", "--aggressive", "--grace", "0")
    print(f"rewrite of {commits} commits: {wall:.2f} s, {peak:.0f} MB; repository {before / 1e6:.1f} MB, "
          f"{bench.bytes('repo') / 1e6:.1f} MB after gc --aggressive", flush=True)


def chunks(bench, synth, counts):
    source = bench.path("source")
    os.makedirs(source)
    with open(os.path.join(source, "noise"), "wb") as file:
        file.write(os.urandom(3_000_000))
    commands = [["log", "-n1"], ["commit", source], ["stats"], ["gc", "-n"], ["gc", "--grace", "0"], ["check"]]
    for count in counts:
        bench.again("repo", "repo.state")
        subprocess.run([synth, bench.path("repo"), str(count)], check=True, env=bench.env, stdout=subprocess.DEVNULL)
        for command in commands:
            wall, _, peak = bench.warp("repo", *command)
            print(f"{count} chunks, {' '.join(command[:1] if command[0] == 'commit' else command)}: "
                  f"{wall:.2f} s, {peak:.0f} MB", flush=True)
        for folder in ("log", "index", "checkpoint"):
            bench.again(f"repo/{folder}")
        for command in [["recover", "-n"], ["recover"]]:
            wall, _, peak = bench.warp("repo", *command)
            print(f"{count} chunks, {' '.join(command)}: {wall:.2f} s, {peak:.0f} MB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warp", default="target/release/warp")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--dir", default="/dev/shm")
    parser.add_argument("what", choices=["parity", "deltas", "restore", "versions", "nightly", "rewrite", "chunks"])
    parser.add_argument("of", nargs="+")
    args = parser.parse_args()
    bench = Bench(args)
    try:
        if args.what == "parity":
            first_commits(bench, args.of[0], {"3%": (["--parity", "3%"], []), "none": (["--parity", "none"], [])})
        elif args.what == "deltas":
            plain = ["--no-encryption"]
            first_commits(bench, args.of[0], {"deltas": (plain, []), "full": (plain, ["--no-delta"])})
        elif args.what == "restore":
            restores(bench, *args.of)
        elif args.what == "versions":
            versions(bench, args.of)
        elif args.what == "nightly":
            nightly(bench, int(args.of[0]))
        elif args.what == "rewrite":
            rewrite(bench, int(args.of[0]))
        else:
            chunks(bench, args.of[0], [int(count) for count in args.of[1:]])
    finally:
        shutil.rmtree(bench.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
