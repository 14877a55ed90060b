#!/usr/bin/env python3
"""Faults done to real programs on a real kernel, and what they leave.

  tests/faults/blackbox.py kill    kill -9 at random moments of backup, gc, forget and restore
  tests/faults/blackbox.py race    writers, collections, forgets and readers side by side on one repository, some of them killed
  tests/faults/blackbox.py fill    a full disk: backup and gc with the repository on it, restore onto it (root: mounts tmpfs)
  tests/faults/blackbox.py flip    one byte of the repository changed: noticed, restored, repaired?
  tests/faults/blackbox.py replay  power cuts: what a disk holds after any write, and any subset since its last flush (root)

Each prints a line of counts: cases, and violations of I1 to I9 with the first case that shows each. The exit code is 1 if there are any.
A case is drawn from --seed and its number: `--first NUMBER --count 1` draws it again (kill keeps one repository through all cases).
"""
import argparse, importlib, signal, sys

sys.dont_write_bytecode = True
import programs
from lab import Skipped


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", choices=["kill", "race", "fill", "flip", "replay"])
    parser.add_argument("--program", choices=programs.PROGRAMS, default="warp")
    parser.add_argument("--binary", help="the program's file; without it the one on the PATH, and target/release/warp")
    parser.add_argument("--count", type=int, default=50, help="cases")
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER", help="number of the first case")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--every", type=int, default=100, metavar="N", help="tell the counts after every N cases")
    parser.add_argument("--dir", default="/dev/shm", help="where to work")
    parser.add_argument("--fs", choices=["ext4", "xfs", "btrfs"], default="ext4", help="of replay")
    parser.add_argument("--each", type=int, default=100, metavar="N", help="replay: states of one recording")
    parser.add_argument("--lies", type=int, default=0, metavar="N", help="replay of a disk that only promised its last N flushes")
    parser.add_argument("--keep", metavar="DIR", help="replay: keep the images of states that show a violation")
    args = parser.parse_args()
    if args.program == "warp" and not args.binary:
        args.binary = "target/release/warp"
    return args


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and what is mounted is unmounted
    if args.binary and not programs.found(args.program, args.binary):
        sys.exit(f"there is no program {args.binary}: build it, or name another with --binary")
    if not programs.found(args.program, args.binary):
        print(f"SKIPPED: {args.program} is not installed")
        return 0
    try:
        tally = importlib.import_module(args.row).run(args)
    except Skipped as reason:
        print(f"SKIPPED: {args.program} {args.row}: {reason}")
        return 0
    print(tally.line(), flush=True)
    return 1 if tally.broken else 0


if __name__ == "__main__":
    sys.exit(main())
