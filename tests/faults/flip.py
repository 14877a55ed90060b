"""One byte of a repository's files changed: does a restore give wrong bytes, does a check notice, does a repair heal?"""
import os, shutil

from lab import Lab, Tally, cases
import trees

REPAIRED = "after its repair"


def files(root):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(root) for name in names)


def flip(repo, draw):
    """Changes a byte: of a file drawn by its size, or of any file. Returns which, and which kind of file it is."""
    found = [path for path in files(repo) if os.path.getsize(path)]
    weights = [os.path.getsize(path) for path in found] if draw.random() < 0.5 else None
    path = draw.choices(found, weights)[0]
    with open(path, "r+b") as file:
        offset = draw.randrange(os.path.getsize(path))
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ draw.randrange(1, 256)]))
    return f"{os.path.relpath(path, repo)}, byte {offset}"


def less(expected, found):
    """Whether nothing is wrong but that paths are missing."""
    same = all(expected.get(path) == entry for path, entry in found.items() if entry[0] != "folder")
    return same and len(found) < len(expected)


def restores(lab, when):
    """How many snapshots come back as they were. Wrong bytes with exit code 0 break I3; so do missing files, unless a repair has
    taken them out of the snapshot."""
    whole = 0
    for label, digest in lab.sure.items():
        target = lab.path("out")
        shutil.rmtree(target, ignore_errors=True)
        ran = lab.program.run(lab.program.restore(lab.repo, lab.ids.get(label, label), lab.path("live"), target))
        lab.tally.alarmed(ran)
        place = lab.program.restored(target, lab.path("live"))
        found = lab.digest(place) if os.path.isdir(place) else {}
        whole += ran.done and found == digest
        if not ran.done:
            lab.tally.count(f"snapshots refused {when}")
        elif when == REPAIRED and less(digest, found):
            lab.tally.count("snapshots without the lost files, with exit code 0, after its repair")
        elif found != digest:
            lab.tally.count(f"snapshots wrong with exit code 0 {when}")
            lab.tally.breaks("I3", f"{lab.flipped}: {label} {when}: {trees.difference(digest, found)}")
    return whole


def repair(lab):
    """Runs the program's own repair. Tells whether all is whole again, with a check that finds nothing."""
    commands = lab.program.repair(lab.repo)
    if not commands:
        return
    for argv in commands:
        lab.tally.alarmed(lab.program.run(argv))
    checked, listed = (lab.program.run(verb(lab.repo)) for verb in (lab.program.check, lab.program.list))
    if listed.done:
        lab.ids = lab.program.labels(listed)  # a repair may give a snapshot another id
    lab.tally.alarmed(checked)
    after = "" if checked.done else ", and check still fails"
    whole = restores(lab, REPAIRED)
    lab.tally.count(f"healed{after}" if whole == len(lab.sure) else f"not healed ({lab.place}){after}")


def again(lab):
    """The repository and the home as they were before the first case."""
    for name in ("repo", "home"):
        shutil.rmtree(lab.path(name), ignore_errors=True)
        shutil.copytree(lab.path(f"{name}.whole"), lab.path(name), symlinks=True)


def one(lab, draw):
    again(lab)
    lab.ids = dict(lab.whole_ids)
    lab.flipped = flip(lab.repo, draw)
    lab.place = lab.flipped.split(",")[0].split("/")[0]
    whole = restores(lab, "at once")
    lab.tally.count("restored all" if whole == len(lab.sure) else "restored some" if whole else "restored none")
    checked = lab.program.run(lab.program.check(lab.repo))
    lab.tally.alarmed(checked)
    if not checked.done:
        lab.tally.count("noticed by check")
    elif whole < len(lab.sure):
        lab.tally.count("not noticed by check, and not restored")
    else:
        lab.tally.count("not noticed by check, and harmless")
        return
    repair(lab)


def run(args):
    tally = Tally(f"{args.program} flip")
    lab = Lab(args, tally)
    try:
        lab.prepare(args.seed, 4)
        lab.whole_ids = dict(lab.ids)
        for name in ("repo", "home"):
            shutil.copytree(lab.path(name), lab.path(f"{name}.whole"), symlinks=True)
        for _, draw in cases(args, tally):
            tally.count("cases")
            one(lab, draw)
    finally:
        lab.close()
    return tally
