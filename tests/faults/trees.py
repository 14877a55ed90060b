"""Seeded directory trees, edits of them, and what they hold."""
import hashlib, os, random, stat

WORDS = [b"alpha", b"beta", b"gamma", b"delta", b"epsilon", b"zeta", b"eta", b"theta", b"iota", b"kappa", b"\n"]
NAMES = ["a", "notes.txt", "with space", "\u00fcber", "-dash", "quote'd", "a.b.c", "zeta", "UPPER", "x" * 100]


def _bytes(draw, length):
    """Text, noise or zeros."""
    kind = draw.random()
    if kind < 0.45:
        text = b" ".join(draw.choices(WORDS, k=length // 4 + 1))
        return text[:length]
    return draw.randbytes(length) if kind < 0.95 else bytes(length)


def _length(draw, large):
    return draw.choice([0, 1, 100, 1000, 4096, 20_000, draw.randrange(1, large)])


def _write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def make(root, seed, files=40, large=200_000):
    """Makes a tree of about `files` files of up to `large` bytes."""
    draw = random.Random(f"tree {seed}")
    folders = [root]
    os.makedirs(root)
    for number in range(files):
        if draw.random() < 0.2:
            folder = os.path.join(draw.choice(folders), f"{draw.choice(NAMES)}-{number}")
            os.mkdir(folder)
            folders.append(folder)
        path = os.path.join(draw.choice(folders), f"{draw.choice(NAMES)} {number}")
        if draw.random() < 0.05:
            os.symlink(draw.choice(["a", "nowhere", "../x", "/etc/hostname"]), path)
            continue
        _write(path, _bytes(draw, _length(draw, large)))
        os.chmod(path, draw.choice([0o644, 0o600, 0o755]))


def _files(root):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(root) for name in names)


def edit(root, seed, changes=6, large=200_000):
    """Changes, removes and adds some files."""
    draw = random.Random(f"edit {seed}")
    for number in range(changes):
        files, what = _files(root), draw.random()
        path = draw.choice(files) if files else None
        if path is None or what < 0.3:
            folder = os.path.dirname(path) if path else root
            _write(os.path.join(folder, f"new {seed} {number}"), _bytes(draw, _length(draw, large)))
        elif what < 0.45 and len(files) > 10:
            os.unlink(path)
        elif not os.path.islink(path):
            _change(path, draw)


def _change(path, draw):
    with open(path, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(draw.randrange(size + 1))
        file.write(draw.randbytes(draw.randrange(1, 3000)))


def _entry(path, plain):
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return "link", os.readlink(path)
    if stat.S_ISDIR(found.st_mode):
        return "folder", stat.S_IMODE(found.st_mode), found.st_mtime_ns
    with open(path, "rb") as file:
        content = hashlib.blake2b(file.read()).digest()
    if plain:
        return "file", bool(found.st_mode & 0o100), content
    return "file", stat.S_IMODE(found.st_mode), found.st_mtime_ns, content


def digest(root, plain=False):
    """What a tree holds, by path: kinds, modes, times, content; with `plain` only what git records."""
    found = {}
    for at, folders, names in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(at, name))]
        for name in names + links + ([] if plain else [name for name in folders if name not in links]):
            path = os.path.join(at, name)
            found[os.path.relpath(path, root)] = _entry(path, plain)
    return found


def difference(expected, found):
    """The first few paths in which two digests differ."""
    paths = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    return ", ".join(f"{path}: {expected.get(path, 'nothing')!s:.60} became {found.get(path, 'nothing')!s:.60}" for path in paths[:3])
