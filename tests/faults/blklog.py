"""A block device that logs every write and flush, and the states that its disk may have had at a power cut.

qemu-storage-daemon exports an image through its `blklogwrites` filter as a file (FUSE), and a loop device lies on that file. The log
is that of the device mapper's log-writes target: a superblock, then entries of a sector each, every one followed by its data.
"""
import os, shutil, struct, subprocess, time

MAGIC, SECTOR = 0x6A736677736872, 512
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
LOG_ROOM = 4 << 30  # bytes, sparse
SIZES = {"ext4": 64 << 20, "xfs": 320 << 20, "btrfs": 160 << 20}
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"], "btrfs": ["mkfs.btrfs", "-q", "-f"]}
TOOLS = ["qemu-storage-daemon", "losetup", "mount", "umount"]


def missing(fs):
    """Why states of this file system cannot be made here, or None."""
    if os.geteuid():
        return "it takes root to mount a file system"
    absent = [tool for tool in TOOLS + MAKE[fs][:1] if not shutil.which(tool)]
    absent += [path for path in ("/dev/fuse", "/dev/loop-control") if not os.path.exists(path)]
    return f"there is no {', '.join(absent)}" if absent else None


def image(path, fs, room):
    with open(path, "wb") as file:
        file.truncate(max(SIZES[fs], room))
    subprocess.run([*MAKE[fs], path], check=True, stdout=subprocess.DEVNULL)


class Entry:
    """A write, flush or discard. `data` is where its bytes lie in the log."""

    def __init__(self, sector, sectors, flags, data):
        self.sector, self.sectors, self.flags, self.data = sector, sectors, flags, data

    @property
    def flushes(self):
        return self.flags & FLUSH

    @property
    def writes(self):
        return self.sectors and not self.flags & (FLUSH | DISCARD | MARK)


class Log:
    """Reads the log as far as it goes; what was not written yet is zeros."""

    def __init__(self, path):
        self.file, self.entries, self.at = open(path, "rb", buffering=0), [], SECTOR

    def read_on(self):
        """Reads further entries; returns how many there are now."""
        while True:
            self.file.seek(self.at)
            head = self.file.read(SECTOR)
            if len(head) < SECTOR:
                break
            sector, sectors, flags, length = struct.unpack("<QQQQ", head[:32])
            if not (sector or sectors or flags):
                break
            self.entries.append(Entry(sector, sectors, flags, self.at + SECTOR))
            self.at += SECTOR + (0 if flags & DISCARD else sectors * SECTOR) + (length + SECTOR - 1) // SECTOR * SECTOR * bool(flags & MARK)
        return len(self.entries)

    def close(self):
        """Compares with the superblock, which says how many there were in the end."""
        self.file.seek(0)
        magic, version, count, size = struct.unpack("<QQQI", self.file.read(28))
        if (magic, version, size) != (MAGIC, 1, SECTOR) or count > self.read_on():
            raise SystemExit(f"the log has magic {magic:x}, version {version}, {count} entries; read were {len(self.entries)}")

    def apply(self, target, entry, sectors=None):
        """Writes an entry into an image; with `sectors` only that many of it: a torn write."""
        self.file.seek(entry.data)
        target.seek(entry.sector * SECTOR)
        target.write(self.file.read((entry.sectors if sectors is None else sectors) * SECTOR))


class Device:
    """The logged device, mounted at `point` until it is closed."""

    def __init__(self, folder, fs, point, room=0):
        self.folder, self.point = folder, point
        os.makedirs(folder)
        os.makedirs(point, exist_ok=True)
        image(self.path("disk"), fs, room)
        copy(self.path("disk"), self.path("start"))
        for name, room in (("log", LOG_ROOM), ("export", 0)):
            with open(self.path(name), "wb") as file:
                file.truncate(room)
        self._serve()
        self.loop = subprocess.run(["losetup", "-f", "--show", self.path("export")], check=True, capture_output=True,
                                   text=True).stdout.strip()
        subprocess.run(["mount", self.loop, point], check=True)
        self.log = Log(self.path("log"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def _serve(self):
        nodes = [f"driver=file,filename={self.path('disk')},node-name=f1", "driver=raw,file=f1,node-name=disk",
                 f"driver=file,filename={self.path('log')},node-name=f2", "driver=raw,file=f2,node-name=log",
                 f"driver=blklogwrites,file=disk,log=log,log-sector-size={SECTOR},node-name=top"]
        argv = ["qemu-storage-daemon"] + [word for node in nodes for word in ("--blockdev", node)]
        argv += ["--export", f"type=fuse,id=e,node-name=top,mountpoint={self.path('export')},writable=on"]
        self.daemon = subprocess.Popen(argv)
        for _ in range(600):
            if os.path.getsize(self.path("export")):
                return
            time.sleep(0.05)
        raise SystemExit("qemu-storage-daemon does not export the disk")

    def close(self):
        subprocess.run(["umount", self.point], check=True)
        subprocess.run(["losetup", "-d", self.loop], check=True)
        self.daemon.terminate()
        self.daemon.wait()
        self.log.close()


def copy(source, target):
    """Copies an image without its holes."""
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


class States:
    """Images of the disk at a power cut. Asked for in rising order of cuts. `lies`: so many flushes the disk only promised."""

    def __init__(self, device, lies=0):
        self.device, self.log, self.applied, self.lies = device, device.log, 0, lies
        copy(device.path("start"), device.path("durable"))

    def make(self, cut, draw, target):
        """The disk when the first `cut` entries had been sent: all up to the last flush, and of the rest all, or any."""
        entries = self.log.entries
        flushes = [number + 1 for number in range(cut) if entries[number].flushes]
        flushed = ([0] * (self.lies + 1) + flushes)[-1 - self.lies]
        with open(self.device.path("durable"), "r+b") as durable:
            for entry in entries[self.applied:flushed]:
                if entry.writes:
                    self.log.apply(durable, entry)
        self.applied = flushed
        copy(self.device.path("durable"), target)
        share = draw.choice([0.0, 0.1, 0.5, 0.9, 1.0, 1.0])
        with open(target, "r+b") as file:
            rest = [entry for entry in entries[flushed:cut] if entry.writes]
            for entry in rest:
                if draw.random() < share:
                    torn = draw.random() < 0.1
                    self.log.apply(file, entry, draw.randrange(entry.sectors + 1) if torn else None)
        return len(rest)
