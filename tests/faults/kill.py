"""kill -9 at random moments of backups, collections, forgets and restores, of one repository that lives through all of them."""
import os, shutil, time

from lab import Lab, Tally, through
import trees

KEEP = 6  # snapshots above which forgetting is drawn more often


class Pace:
    """About how long each verb takes, kept right while the machine's load changes, so that kills fall within it."""

    def __init__(self):
        self.whole = {}

    def until(self, verb, draw):
        """After how many seconds to kill; the first run of a verb is measured."""
        return self.whole[verb] * draw.uniform(0, 1.1) if verb in self.whole else None

    def saw(self, verb, ran):
        """Moves towards what a run took; one that was killed took at least as long."""
        known = self.whole.setdefault(verb, ran.seconds)
        self.whole[verb] = max(known, ran.seconds) * 1.05 if ran.code == -9 else (known + ran.seconds) / 2


def drawn(lab, draw):
    """The verb to be killed, its command line, and the label that it is about."""
    others = list(lab.sure)[:-1]
    forgets = 0 if not lab.program.forget or not others else 30 if len(others) >= KEEP else 10
    verb = draw.choices(["backup", "gc", "forget", "restore"], [45, 25, forgets, 15 if lab.sure else 0])[0]
    if verb == "backup":
        label = lab.label()
        return verb, lab.program.backup(lab.repo, lab.path("live"), label), label
    if verb == "gc":
        return verb, lab.program.gc(lab.repo), None
    label = draw.choice(others if verb == "forget" else list(lab.sure))
    if verb == "forget":
        return verb, lab.program.forget(lab.repo, lab.ids[label]), label
    shutil.rmtree(lab.path("cut"), ignore_errors=True)
    return verb, lab.program.restore(lab.repo, lab.ids[label], lab.path("live"), lab.path("cut")), label


def settle(lab, verb, label, ran, live):
    """What the repository must and may hold now."""
    if verb == "backup":
        (lab.sure if ran.done else lab.maybe)[label] = live
    elif verb == "forget":
        digest = lab.sure.pop(label)
        if not ran.done:
            lab.maybe[label] = digest


def killed(lab, argv, seconds):
    """Runs a command, and kills it after so many seconds."""
    running = lab.program.start(argv)
    if seconds is not None:
        time.sleep(seconds)
        running.kill()
    return running.wait()


def one(lab, draw, pace, number):
    if draw.random() < 0.7:
        trees.edit(lab.path("live"), f"{lab.args.seed} {number}")
    live = lab.digest(lab.path("live"))
    verb, argv, label = drawn(lab, draw)
    ran = killed(lab, argv, pace.until(verb, draw))
    pace.saw(verb, ran)
    lab.tally.count(f"{verb} {'killed' if ran.code == -9 else 'ended'}")
    if not ran.done and ran.code != -9:
        lab.tally.alarmed(ran)
        ran = lab.works(argv, f"{verb}, not killed,") or ran
    settle(lab, verb, label, ran, live)
    if not lab.judge_list():
        return False
    after = draw.choice(["backup", "gc", "restore"])
    if after == "backup" or not lab.sure:
        lab.backup()
    elif after == "gc":
        lab.works(lab.program.gc(lab.repo), "gc")
    lab.listed()
    shown = [label for label in lab.sure if label in lab.ids]
    for label in {shown[-1], draw.choice(shown)} if shown else ():
        lab.judge_restore(label)
    if number % 20 == 19:
        lab.judge_gc()
    stays = {"home", "repo", "live", "out", "cut"}
    if set(os.listdir(lab.dir)) - stays:
        lab.tally.breaks("I9", f"{set(os.listdir(lab.dir)) - stays} appeared")
    return True


def fresh(args, tally, number):
    lab = Lab(args, tally)
    lab.prepare(f"{args.seed} {number}", 2)
    return lab


def run(args):
    pace = Pace()
    return through(args, Tally(f"{args.program} kill"), fresh, lambda lab, draw, number: one(lab, draw, pace, number), "cases")
