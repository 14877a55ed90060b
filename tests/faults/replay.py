"""Power cuts on a real file system: a repository's life is recorded write by write, and states of its disk are mounted and judged."""
import os, random, shutil, subprocess, threading

import blklog, trees
from lab import Lab, Skipped, Tally

class Step:
    """A command of the recording: what it was, and how long the log was when it had succeeded."""

    def __init__(self, verb, label):
        self.verb, self.label, self.ends = verb, label, None


class Recording:
    """A repository on a logged device: init, backups, a forget, collections. In half of them the new repository is synced by
    hand, as if it were an hour old: programs may not sync what they make once."""

    def __init__(self, lab, draw, number):
        self.lab, self.number, self.steps, self.digests = lab, number, [], {}
        self.folder = lab.path(f"recording{number}")
        self.writeback, self.settled = draw.random() < 0.5, draw.random() < 0.5
        for name in ("live", "home"):
            shutil.rmtree(lab.path(name), ignore_errors=True)
        trees.make(lab.path("live"), f"{lab.args.seed} {number}", files=20, large=100_000)
        os.makedirs(lab.path("home"))
        self.device = blklog.Device(self.folder, lab.args.fs, lab.path("disk"), lab.program.room)
        stop = threading.Event()
        syncer = threading.Thread(target=self._sync, args=(stop, random.Random(number)))
        syncer.start()
        try:
            self._live()
        finally:
            stop.set()
            syncer.join()
            self.device.close()

    def _sync(self, stop, draw):
        """In half of the recordings the kernel writes back at odd moments, too, as it does when memory is short."""
        while self.writeback and not stop.wait(draw.uniform(0.005, 0.06)):
            subprocess.run(["sync", "-f", self.lab.path("disk")], check=False)

    def _live(self):
        program, repo, live = self.lab.program, self.lab.repo, self.lab.path("live")
        self._do("init", program.init(repo))
        if self.settled:
            subprocess.run(["sync", "-f", repo], check=True)
        for name in ("s1", "s2", "s3"):
            self._backup(name)
        if program.forget:
            ids = program.labels(self.lab.must(program.list(repo)))
            self._do("forget", program.forget(repo, ids["s1"]), "s1")
        self._do("gc", program.gc(repo))
        self._backup("s4")
        self._do("gc", program.gc(repo))

    def _backup(self, label):
        live = self.lab.path("live")
        trees.edit(live, f"{self.lab.args.seed} {self.number} {label}", large=100_000)
        self.digests[label] = self.lab.digest(live)
        self._do("backup", self.lab.program.backup(self.lab.repo, live, label), label)

    def _do(self, verb, argv, label=None):
        shutil.copytree(self.lab.path("home"), self.home(len(self.steps)), symlinks=True)
        self.lab.must(argv)
        self.steps.append(Step(verb, label))
        self.steps[-1].ends = self.device.log.read_on()

    def home(self, number):
        return os.path.join(self.folder, f"home{number}")

    def begins(self):
        """The file system is made before the log begins; the cuts are those since its first write."""
        return 1

    def held(self, cut):
        """What the repository must and may hold at a cut, and how many steps were acknowledged."""
        sure, maybe, done = {}, {}, 0
        for step in self.steps:
            acknowledged = step.ends <= cut
            if step.verb == "backup":
                (sure if acknowledged else maybe)[step.label] = self.digests[step.label]
            elif step.verb == "forget":
                digest = sure.pop(step.label, None)
                if not acknowledged and digest:
                    maybe[step.label] = digest
            if not acknowledged:
                break
            done += 1
        return sure, maybe, done

    def close(self):
        shutil.rmtree(self.folder)


def mounted(lab, image):
    ran = subprocess.run(["mount", "-o", "loop", image, lab.path("disk")], capture_output=True, text=True)
    if ran.returncode:
        lab.tally.count("not mounted by the kernel")
        lab.tally.hear("mount", lab.program.run(["sh", "-c", 'echo "$1" >&2; exit 1', "sh", ran.stderr]))
    return not ran.returncode


def begun(lab, done):
    """Before init was acknowledged there may be nothing yet: then init works, again where it must."""
    if done or lab.program.run(lab.program.list(lab.repo)).done:
        return
    ran = lab.program.run(lab.program.init(lab.repo))
    lab.tally.alarmed(ran)
    if not ran.done:
        lab.tally.breaks("I4", f"init after a cut in init: {ran.says()}")
        shutil.rmtree(lab.repo, ignore_errors=True)
        lab.must(lab.program.init(lab.repo))


def judge(lab, recording, cut, draw):
    lab.sure, lab.maybe, done = recording.held(cut)
    step = recording.steps[done].verb if done < len(recording.steps) else "the end"
    lab.tally.count(f"in {step}")
    shutil.rmtree(lab.path("home"))
    shutil.copytree(recording.home(min(done, len(recording.steps) - 1)), lab.path("home"), symlinks=True)
    begun(lab, done)
    if not lab.judge_list():
        return
    lab.judge_all()
    label = lab.backup("the next backup")
    if lab.listed() is not None and label in lab.sure:
        lab.judge_restore(label)
    if draw.random() < 0.25:
        lab.judge_gc()
        lab.judge_all()


def states(lab, recording, number, count):
    """Mounts and judges so many states of a recording, in the order of their cuts."""
    entries = len(recording.device.log.entries)
    draws = [random.Random(f"{lab.args.seed} {number + which}") for which in range(count)]
    cuts = sorted((draw.randrange(recording.begins(), entries + 1), which) for which, draw in enumerate(draws))
    maker, image = blklog.States(recording.device, lab.args.lies), lab.path("state")
    for cut, which in cuts:
        lab.tally.case, lab.labels = number + which, 100
        maker.make(cut, draws[which], image)
        lab.tally.count("states")
        lab.tally.shows(lab.args)
        if lab.args.keep:
            blklog.copy(image, lab.path("kept"))
        if mounted(lab, image):
            try:
                judge(lab, recording, cut, draws[which])
            finally:
                subprocess.run(["umount", lab.path("disk")], check=True)
        if ("I1", lab.tally.case) in lab.tally.first:
            age = "synced after init" if recording.settled else "not synced since init"
            lab.tally.count(f"losses in repositories {age}")
        if lab.args.keep and any(case == number + which for _, case in lab.tally.first):
            os.makedirs(lab.args.keep, exist_ok=True)
            blklog.copy(lab.path("kept"), os.path.join(lab.args.keep, f"{lab.args.fs}-{lab.args.seed}-{number + which}"))


def run(args):
    tally = Tally(f"{args.program} replay {args.fs}")
    reason = blklog.missing(args.fs)
    if reason:
        raise Skipped(reason)
    lab = Lab(args, tally)
    lab.repo = lab.path("disk/repo")
    try:
        for number in range(args.first, args.first + args.count, args.each):
            recording = Recording(lab, random.Random(f"{args.seed} {number}"), number)
            tally.count("recordings")
            tally.count("log entries", len(recording.device.log.entries))
            states(lab, recording, number, min(args.each, args.first + args.count - number))
            recording.close()
    finally:
        lab.close()
    return tally
