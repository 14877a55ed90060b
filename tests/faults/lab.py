"""A place for cases: what is counted, what a repository must hold, and the judgement of it."""
import collections, os, random, re, shutil, sys, tempfile

import programs, trees

INVARIANTS = {"I1": "no acknowledged snapshot is lost", "I2": "a list is old or new", "I3": "wrong bytes never come with exit code 0",
              "I4": "the next command works, with no manual step", "I5": "other snapshots come back bit by bit",
              "I6": "a fault gives an exit code and names its path", "I7": "no panic, hang or unbounded memory",
              "I8": "the next gc takes left-overs away", "I9": "nothing is written outside the target"}


class Skipped(Exception):
    """Why a row cannot be run here."""


class Tally:
    """Counts of cases and violations; the first case of each violation is kept with what was seen."""

    def __init__(self, title):
        self.title, self.counts, self.first, self.broken = title, collections.Counter(), {}, collections.Counter()
        self.case, self.shown, self.heard = None, 0, collections.Counter()

    def count(self, what, by=1):
        self.counts[what] += by

    def breaks(self, invariant, seen):
        """The current case breaks an invariant; a case counts once for each."""
        if (invariant, self.case) not in self.first:
            self.broken[invariant] += 1
            self.first[invariant, self.case] = seen
            if self.broken[invariant] <= 5:
                print(f"  {self.title} case {self.case}: {invariant} ({INVARIANTS[invariant]}): {seen}", file=sys.stderr, flush=True)

    def hear(self, verb, ran):
        """Keeps what a command said, without what differs from case to case."""
        self.heard[f"{verb}: " + re.sub(r"/\S+|\b[0-9a-f]{8,}\b|\d+", "..", ran.says())] += 1

    def alarmed(self, ran):
        reason = ran.alarm()
        if reason:
            self.breaks("I7", f"{reason}: {ran.says()}")

    def shows(self, args):
        """After every so many cases a line of what was counted so far."""
        self.shown += 1
        if args.every and self.shown % args.every == 0:
            print(self.line(), file=sys.stderr, flush=True)

    def line(self):
        counts = ", ".join(f"{count} {what}" for what, count in self.counts.items())
        broken = " ".join(f"{name} {self.broken[name]}" for name in INVARIANTS)
        cases = {name: case for name, case in reversed(self.first)}
        first = "; first at " + ", ".join(f"{name}: {case}" for name, case in sorted(cases.items())) if cases else ""
        said = "".join(f"\n  said {count} times: {text}" for text, count in self.heard.most_common(8))
        return f"{self.title}: {counts}; violations {broken}{first}{said}"


class Lab:
    """A folder with a live tree, a repository, and the snapshots that it must or may hold."""

    def __init__(self, args, tally, repo=None):
        self.args, self.tally = args, tally
        self.dir = tempfile.mkdtemp(prefix=f"faults-{args.program}-", dir=args.dir)
        self.program = programs.program(args.program, self.path("home"), args.binary)
        self.repo = repo or self.path("repo")
        self.sure, self.maybe, self.ids = {}, {}, {}  # digests by label; ids by label, as the last list had them
        self.trees, self.labels = {}, 0  # which folder a label is of, where it is not `live`

    def path(self, name):
        return os.path.join(self.dir, name)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def label(self):
        self.labels += 1
        return f"s{self.labels}"

    def must(self, argv):
        """Runs what no fault touches: a failure of it is one of this script."""
        ran = self.program.run(argv)
        if not ran.done:
            raise SystemExit(f"{' '.join(argv)}: exit code {ran.code}\n{ran.err}")
        return ran

    def prepare(self, seed, snapshots, live="live", **shape):
        """A live tree and a repository with some snapshots of it."""
        trees.make(self.path(live), seed, **shape)
        self.must(self.program.init(self.repo))
        for number in range(snapshots):
            if number:
                trees.edit(self.path(live), f"{seed} {number}")
            label = self.label()
            self.must(self.program.backup(self.repo, self.path(live), label))
            self.sure[label] = self.digest(self.path(live))
        self.listed()

    def digest(self, root):
        return trees.digest(root, self.program.plain)

    def works(self, argv, what):
        """Runs a command that must succeed as it is (I4); where it does not, takes the manual steps until it does."""
        ran = self.program.run(argv)
        self.tally.alarmed(ran)
        if ran.done:
            return ran
        self.tally.breaks("I4", f"{what}: {ran.says()}")
        for number, step in enumerate(self.program.steps, 1):
            self.program.aid(self.repo, step)
            ran = self.program.run(argv)
            if ran.done:
                self.tally.count(f"healed by manual step {number}")
                return ran
        self.tally.count(f"{what} works no more")
        return None

    def listed(self):
        """Labels of the repository; the ids are kept. None if it can no longer be listed."""
        ran = self.works(self.program.list(self.repo), "list")
        if ran is None:
            return None
        self.ids = self.program.labels(ran)
        return list(self.ids)

    def judge_list(self):
        """I1 and I2: settles what a stopped command has done. False if there is no list."""
        labels = self.listed()
        if labels is None:
            self.tally.breaks("I1", "no snapshot can be listed")
            return False
        lost = [label for label in self.sure if label not in labels]
        if lost:
            self.tally.breaks("I1", f"{', '.join(lost)} lost")
        strange = [label for label in labels if label not in self.sure and label not in self.maybe]
        if strange:
            self.tally.breaks("I2", f"{', '.join(strange)} not expected")
        known = {**self.sure, **self.maybe}
        self.sure = {label: known[label] for label in labels if label in known}
        self.maybe = {}
        return True

    def judge_restore(self, label, where="out"):
        """I3, I5 and I9: a snapshot comes back as it was."""
        target, live = self.path(where), self.path(self.trees.get(label, "live"))
        shutil.rmtree(target, ignore_errors=True)
        ran = self.works(self.program.restore(self.repo, self.ids[label], live, target), "restore")
        if ran is None:
            self.tally.breaks("I5", f"{label} cannot be restored")
            return
        found = self.digest(self.program.restored(target, live))
        if found != self.sure[label]:
            seen = f"{label}: {trees.difference(self.sure[label], found)}"
            self.tally.breaks("I3", seen)
        shutil.rmtree(target, ignore_errors=True)

    def judge_all(self):
        for label in list(self.sure):
            self.judge_restore(label)

    def judge_gc(self):
        """I4 and I8: a collection works, and leaves nothing that nobody needs; then the program's own check passes."""
        self.works(self.program.gc(self.repo), "gc")
        ran = self.works(self.program.check(self.repo), "check after gc")
        if ran and self.program.left_over(ran):
            self.tally.breaks("I8", f"{self.program.left_over(ran)} files left over after gc")

    def backup(self, what="backup"):
        """A further snapshot of the live tree must work; returns its label."""
        label = self.label()
        if self.works(self.program.backup(self.repo, self.path("live"), label), what):
            self.sure[label] = self.digest(self.path("live"))
        else:
            self.maybe[label] = self.digest(self.path("live"))
        return label

    def bytes(self):
        return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(self.repo) for name in names)


def through(args, tally, fresh, one, noun):
    """Runs all cases on one repository after another: `fresh` makes one, and `one` says whether the next case may go on with it."""
    lab = None
    try:
        for number, draw in cases(args, tally):
            if lab is None:
                lab = fresh(args, tally, number)
            tally.count(noun)
            if not one(lab, draw, number):
                lab.close()
                lab = None
        if lab:
            lab.judge_all()
            lab.judge_gc()
    finally:
        if lab:
            lab.close()
    return tally


def cases(args, tally):
    """Numbers the cases and gives each its own random source."""
    first = args.first
    for number in range(first, first + args.count):
        tally.case = number
        yield number, random.Random(f"{args.seed} {number}")
        tally.shows(args)
