"""Writers, collections, forgets and readers at once on one repository, some killed at random; then everything must be there."""
import shutil, time

from kill import Pace
from lab import Lab, Tally, through
import trees

SOURCES = ["live", "other"]
KILLED = 0.35  # share of processes that are killed
KEEP = 8
LIFE = 50  # rounds of one repository


class Job:
    """One process of a round: its verb, command line, label, and when it begins and is killed."""

    def __init__(self, verb, argv, label, begins, dies):
        self.verb, self.argv, self.label, self.begins, self.dies = verb, argv, label, begins, dies
        self.running = self.ran = self.digest = self.target = None

    def settle(self, lab):
        """What the repository must and may hold after it."""
        if self.verb == "backup":
            (lab.sure if self.ran.done else lab.maybe)[self.label] = self.digest
        elif self.verb == "forget":
            digest = lab.sure.pop(self.label)
            if not self.ran.done:
                lab.maybe[self.label] = digest
        elif self.verb == "restore" and self.ran.done:
            live = lab.path(lab.trees.get(self.label, "live"))
            found = lab.digest(lab.program.restored(self.target, live))
            if found != self.digest:
                lab.tally.breaks("I3", f"{self.label} read beside others: {trees.difference(self.digest, found)}")


def job(lab, draw, pace, verb, argv, label=None):
    begins = draw.uniform(0, pace.whole.get("backup", 0))
    until = pace.until(verb, draw)
    dies = begins + until if until is not None and draw.random() < KILLED else None
    return Job(verb, argv, label, begins, dies)


def writers(lab, draw, pace):
    for source in draw.choices(SOURCES, k=draw.choice([1, 2, 2, 3])):
        label = lab.label()
        lab.trees[label] = source
        writer = job(lab, draw, pace, "backup", lab.program.backup(lab.repo, lab.path(source), label), label)
        writer.digest = lab.digest(lab.path(source))
        yield writer


def readers(lab, draw, pace, labels):
    for number, label in enumerate(labels):
        target = lab.path(f"read{number}")
        shutil.rmtree(target, ignore_errors=True)
        source = lab.path(lab.trees.get(label, "live"))
        reader = job(lab, draw, pace, "restore", lab.program.restore(lab.repo, lab.ids[label], source, target), label)
        reader.digest, reader.target = lab.sure[label], target
        yield reader


def drawn(lab, draw, pace):
    """The processes of a round. What is forgotten is not read, nor one of the latest of its source: a branch may stand on it."""
    jobs = list(writers(lab, draw, pace))
    of = {source: [label for label in lab.sure if lab.trees.get(label, "live") == source] for source in SOURCES}
    old = [label for labels in of.values() for label in labels[:-3]] if len(lab.sure) > KEEP else []
    forgotten = draw.sample(old, draw.choice([1, 2, 3]) if len(old) >= 3 else 1) if old and lab.program.forget and draw.random() < 0.8 else []
    for label in forgotten:
        jobs.append(job(lab, draw, pace, "forget", lab.program.forget(lab.repo, lab.ids[label]), label))
    for _ in range(draw.choice([0, 1, 1, 2])):
        jobs.append(job(lab, draw, pace, "gc", lab.program.gc(lab.repo)))
    read = [label for label in lab.sure if label not in forgotten]
    jobs += readers(lab, draw, pace, draw.sample(read, min(len(read), draw.choice([0, 1, 2]))))
    return jobs


def together(lab, jobs):
    """Starts and kills the processes as they were drawn, and waits for all."""
    events = [(one.begins, 0, one) for one in jobs] + [(one.dies, 1, one) for one in jobs if one.dies is not None]
    begun = time.monotonic()
    for when, kills, one in sorted(events, key=lambda event: event[:2]):
        time.sleep(max(0, begun + when - time.monotonic()))
        if kills:
            one.running.kill()
        else:
            one.running = lab.program.start(one.argv)
    for one in jobs:
        one.ran = one.running.wait()


def round_of(lab, draw, pace, number):
    for source in SOURCES:
        if draw.random() < 0.5:
            trees.edit(lab.path(source), f"{lab.args.seed} {source} {number}")
    jobs = drawn(lab, draw, pace)
    together(lab, jobs)
    for one in jobs:
        lab.tally.count("processes")
        if one.dies is None:
            pace.saw(one.verb, one.ran)
        if one.ran.code == -9:
            lab.tally.count("killed")
        elif not one.ran.done:
            lab.tally.alarmed(one.ran)
            lab.tally.count(f"{one.verb} refused beside others")
            lab.tally.hear(one.verb, one.ran)
        one.settle(lab)
    if not lab.judge_list():
        return False
    for label in draw.sample(list(lab.sure), min(len(lab.sure), 2)):
        lab.judge_restore(label)
    if number % 10 == 9:
        lab.judge_gc()
    if number % LIFE == LIFE - 1:
        lab.judge_all()
    return number % LIFE < LIFE - 1


def fresh(args, tally, number):
    lab = Lab(args, tally)
    trees.make(lab.path("other"), f"{args.seed} other {number}", files=20)
    lab.prepare(f"{args.seed} {number}", 2, files=20)
    return lab


def run(args):
    pace = Pace()
    return through(args, Tally(f"{args.program} race"), fresh, lambda lab, draw, number: round_of(lab, draw, pace, number), "rounds")
