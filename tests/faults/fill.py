"""A disk that is full, for real: a small tmpfs with the repository on it, or under the target of a restore."""
import os, shutil, subprocess

from lab import Lab, Skipped, Tally, cases
import trees

PLENTY = 2 << 30  # bytes: nothing is taken before it is written


class Disk:
    """A tmpfs whose size changes."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={PLENTY},mode=700", "tmpfs", path], check=True)

    def leave(self, free):
        """Room for so many bytes more, rounded up to pages."""
        self._resize(self.used() + free)

    def used(self):
        told = os.statvfs(self.path)
        return (told.f_blocks - told.f_bfree) * told.f_bsize

    def widen(self):
        self._resize(PLENTY)

    def _resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={max(size, 4096)}", self.path], check=True)

    def clear(self):
        self.widen()
        for name in os.listdir(self.path):
            shutil.rmtree(os.path.join(self.path, name))

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=True)


def bases(lab, seed):
    """Two repositories to copy: one to back up into, and one with something to collect."""
    lab.prepare(seed, 2)
    keep(lab, "for-backup")
    old = dict(lab.sure)
    for number in range(2):
        trees.edit(lab.path("live"), f"{seed} more {number}", changes=20)
        lab.backup()
    lab.listed()
    for label in list(lab.sure)[:2] if lab.program.forget else []:
        lab.must(lab.program.forget(lab.repo, lab.ids[label]))
        del lab.sure[label]
    keep(lab, "for-gc")
    return {"for-backup": old, "for-gc": dict(lab.sure)}


def keep(lab, base):
    """Copies the repository, and the home as it is with it."""
    shutil.copytree(lab.repo, lab.path(base), symlinks=True)
    shutil.copytree(lab.path("home"), lab.path(f"home.{base}"), symlinks=True)


def begin(lab, disk, base, held, copies=True):
    disk.clear()
    if copies:
        shutil.copytree(lab.path(base), lab.repo, symlinks=True)
    shutil.rmtree(lab.path("home"))
    shutil.copytree(lab.path(f"home.{base}"), lab.path("home"), symlinks=True)
    lab.sure, lab.maybe = dict(held[base]), {}


def growth(lab, disk, held):
    """How many bytes the backup needs where there is room."""
    begin(lab, disk, "for-backup", held)
    before = disk.used()
    lab.must(lab.program.backup(lab.repo, lab.path("live"), "measured"))
    return disk.used() - before


def named(lab, ran, what, *names):
    """I6: a failure that tells of the full disk and names a path on it."""
    lab.tally.alarmed(ran)
    if ran.done:
        return
    if not any(name in ran.err + ran.out for name in names):
        lab.tally.breaks("I6", f"{what}: {ran.says()}")


def read_while_full(lab):
    """Whether what is there can be listed and restored while there is no room."""
    ran = lab.program.run(lab.program.list(lab.repo))
    lab.tally.alarmed(ran)
    if ran.done:
        label = list(lab.program.labels(ran))[0]
        lab.ids = lab.program.labels(ran)
        ran = lab.program.run(lab.program.restore(lab.repo, lab.ids[label], lab.path("live"), lab.path("out")))
        shutil.rmtree(lab.path("out"), ignore_errors=True)
    lab.tally.count("readable while full" if ran.done else "not readable while full")


def afterwards(lab, disk, draw):
    """There is room again: nothing is lost, and everything goes on."""
    disk.widen()
    if not lab.judge_list():
        return
    lab.backup("backup with room again")
    lab.listed()
    for label in {list(lab.sure)[0], draw.choice(list(lab.sure)), list(lab.sure)[-1]}:
        lab.judge_restore(label)
    lab.judge_gc()


def backup(lab, disk, held, draw):
    begin(lab, disk, "for-backup", held)
    disk.leave(draw.randrange(0, int(lab.growth * 1.2)))
    label, live = lab.label(), lab.digest(lab.path("live"))
    ran = lab.program.run(lab.program.backup(lab.repo, lab.path("live"), label))
    (lab.sure if ran.done else lab.maybe)[label] = live
    lab.tally.count("backups done" if ran.done else "backups failed")
    named(lab, ran, "backup", lab.repo)
    if not ran.done:
        read_while_full(lab)
    afterwards(lab, disk, draw)


def gc(lab, disk, held, draw):
    begin(lab, disk, "for-gc", held)
    disk.leave(draw.choice([0, 4096, draw.randrange(0, lab.need)]))
    ran = lab.program.run(lab.program.gc(lab.repo))
    lab.tally.count("gcs done" if ran.done else "gcs failed")
    named(lab, ran, "gc", lab.repo)
    if not ran.done:
        read_while_full(lab)
    afterwards(lab, disk, draw)


def restore(lab, disk, held, draw):
    """Onto the full disk; then again, with room, into what the first one has left."""
    begin(lab, disk, "for-gc", held, copies=False)
    label = list(held["for-gc"])[-1]
    target, live = os.path.join(disk.path, "out"), lab.path("live")
    disk.leave(draw.randrange(0, int(lab.need * 1.1)))
    argv = lab.program.restore(lab.path("for-gc"), lab.restore_id, live, target)
    for attempt in ("full", "with room again"):
        ran = lab.program.run(argv)
        lab.tally.count(f"restores {'done' if ran.done else 'failed'} {attempt}")
        named(lab, ran, "restore", target, lab.program.restored("", live))
        if ran.done:
            found = lab.digest(lab.program.restored(target, live))
            if found != held["for-gc"][label]:
                lab.tally.breaks("I3", f"restore {attempt}: {trees.difference(held['for-gc'][label], found)}")
            return
        disk.widen()
    lab.tally.breaks("I4", f"restore with room again: {ran.says()}")


def workdir(lab, seed):
    """A working directory with two commits, to be copied onto the disk and brought back to the first."""
    folder = lab.path("workdir")
    shutil.copytree(lab.path("live"), folder, symlinks=True)
    lab.must(lab.program.workdir(folder))
    for label in ("first", "second"):
        lab.must(lab.program.workdir(folder, label))
        if label == "first":
            lab.checked_out = live_of(lab, folder)
            trees.edit(folder, f"{seed} workdir", changes=30)
    shutil.copytree(lab.path("home"), lab.path("home.workdir"), symlinks=True)


def live_of(lab, folder):
    return {path: entry for path, entry in lab.digest(folder).items() if not path.startswith(".warp")}


def contents(digest):
    return {path: entry[-1] for path, entry in digest.items() if entry[0] != "folder"}


def checkout(lab, disk, held, draw):
    """In a working directory on the full disk; then again, with room."""
    if not lab.program.checkout:
        return lab.tally.count("checkouts not tried")
    begin(lab, disk, "workdir", {"workdir": {}}, copies=False)
    folder = os.path.join(disk.path, "workdir")
    shutil.copytree(lab.path("workdir"), folder, symlinks=True)
    disk.leave(draw.choice([0, 4096, draw.randrange(0, lab.need // 4)]))
    argv = lab.program.checkout(folder, "HEAD~1")
    ran = lab.program.run(argv)
    lab.tally.count(f"checkouts {'done' if ran.done else 'failed'} full")
    named(lab, ran, "checkout", folder)
    if not ran.done:
        disk.widen()
        head = lab.must(lab.program.list(folder))
        ran = lab.works(lab.program.checkout(folder, sorted(lab.program.labels(head).items())[0][1]), "checkout with room again")
    if ran and contents(live_of(lab, folder)) != contents(lab.checked_out):
        lab.tally.breaks("I3", f"checkout: {trees.difference(lab.checked_out, live_of(lab, folder))}")


def run(args):
    tally = Tally(f"{args.program} fill")
    if os.geteuid():
        raise Skipped("it takes root to mount a tmpfs")
    lab, disk = Lab(args, tally), None
    try:
        held = bases(lab, args.seed)
        labels = lab.listed()
        lab.restore_id = lab.ids[list(lab.sure)[-1]]
        lab.need = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(lab.path("live")) for name in names
                       if not os.path.islink(os.path.join(at, name)))
        disk = Disk(lab.path("disk"))
        lab.repo = os.path.join(disk.path, "repo")
        lab.growth = growth(lab, disk, held)
        if lab.program.checkout:
            workdir(lab, args.seed)
        for number, draw in cases(args, tally):
            tally.count("cases")
            [backup, restore, gc, checkout][number % 4](lab, disk, held, draw)
    finally:
        if disk:
            disk.close()
        lab.close()
    return tally
