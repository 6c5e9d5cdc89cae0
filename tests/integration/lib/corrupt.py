#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""corrupt.py DIR N SEED: damage N things of the tree in N different ways and print what a
perfect check would say, "what path" a line.  Whatever is not meant to be damaged keeps its
times, those of directories in which names come and go among them."""
import os
import random
import stat
import sys

top, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)
OWN = ("usr/lib/osupdate", "lost+found")


def survey():
    files, links, dirs, nodes = [], [], [], []
    for where, below, names in os.walk(top):
        rel = os.path.relpath(where, top)
        below[:] = sorted(d for d in below if os.path.normpath(os.path.join(rel, d)) not in OWN)
        for name in sorted(below + names):
            path = os.path.normpath(os.path.join(rel, name))
            st = os.lstat(os.path.join(top, path))
            if not path.isprintable() or " " in path or "\\" in path:
                continue
            if stat.S_ISDIR(st.st_mode):
                dirs.append(path)
            elif st.st_nlink > 1:
                continue
            elif stat.S_ISREG(st.st_mode):
                files.append(path)
            elif stat.S_ISLNK(st.st_mode):
                links.append(path)
            elif not stat.S_ISFIFO(st.st_mode):
                nodes.append(path)
    return files, links, dirs, nodes


def at(path):
    return os.path.join(top, path)


def keep_times(path, st):
    os.utime(at(path), ns=(st.st_atime_ns, st.st_mtime_ns), follow_symlinks=False)


def flip(path):
    st = os.lstat(at(path))
    with open(at(path), "r+b") as f:
        f.seek(rng.randrange(st.st_size))
        byte = f.read(1)[0]
        f.seek(-1, 1)
        f.write(bytes([byte ^ (1 << rng.randrange(8))]))
    keep_times(path, st)
    return "content"


def cut(path):
    st = os.lstat(at(path))
    os.truncate(at(path), rng.randrange(st.st_size))
    keep_times(path, st)
    return "size"


def grow(path):
    st = os.lstat(at(path))
    with open(at(path), "ab") as f:
        f.write(b"more")
    keep_times(path, st)
    return "size"


def remove(path):
    os.unlink(at(path))
    return "missing"


def mode(path):
    st = os.lstat(at(path))
    os.chmod(at(path), stat.S_IMODE(st.st_mode) ^ (1 << rng.randrange(9)))
    return "mode"


def owner(path):
    st = os.lstat(at(path))
    os.chown(at(path), st.st_uid + 1, st.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(st.st_mode):
        os.chmod(at(path), stat.S_IMODE(st.st_mode))  # chown clears setuid
    return "owner"


def attribute(path):
    os.setxattr(at(path), "user.damage", b"1")
    return "xattr"


def time(path):
    st = os.lstat(at(path))
    os.utime(at(path), ns=(st.st_atime_ns, st.st_mtime_ns + 1), follow_symlinks=False)
    return "mtime"


def kind(path):
    os.unlink(at(path))
    os.symlink("elsewhere", at(path))
    return "type"


def target(path):
    st = os.lstat(at(path))
    was = os.readlink(at(path))
    os.unlink(at(path))
    os.symlink(was + "x", at(path))
    os.chown(at(path), st.st_uid, st.st_gid, follow_symlinks=False)
    keep_times(path, st)
    return "target"


def device(path):
    st = os.lstat(at(path))
    os.unlink(at(path))
    os.mknod(at(path), st.st_mode, os.makedev(os.major(st.st_rdev), os.minor(st.st_rdev) + 1))
    os.chown(at(path), st.st_uid, st.st_gid)
    os.chmod(at(path), stat.S_IMODE(st.st_mode))
    keep_times(path, st)
    return "device"


def extra(directory):
    path = os.path.join(directory, "extra-%d" % rng.randrange(1 << 30))
    if rng.random() < 0.3:
        os.mkdir(at(path))
        with open(at(path) + "/inside", "w", encoding="ascii") as f:
            f.write("one line for the directory is enough")
    else:
        with open(at(path), "w", encoding="ascii") as f:
            f.write("extra")
    return path


files, links, dirs, nodes = survey()
rng.shuffle(files)
rng.shuffle(links)
rng.shuffle(nodes)
full = [f for f in files if os.lstat(at(f)).st_size > 0]
used = set()


def pick(pool):
    while True:
        path = pool.pop()
        if path not in used:
            used.add(path)
            return path


WAYS = [(flip, full), (cut, full), (grow, full), (remove, files), (mode, files), (owner, files),
        (attribute, files), (time, files), (kind, files), (target, links), (owner, links),
        (time, links), (remove, links), (device, nodes), (mode, "dirs"), (owner, "dirs"),
        (attribute, "dirs"), (extra, "dirs")]
for i in range(count):
    way, pool = WAYS[i % len(WAYS)]
    if not pool:
        way, pool = flip, full
    path = rng.choice(dirs) if pool == "dirs" else pick(pool)
    while pool == "dirs" and way is not extra and path in used:
        path = rng.choice(dirs)
    used.add(path)
    above = path if way is extra else os.path.dirname(path) or "."
    before = os.lstat(at(above))
    if way is extra:
        print("extra", way(path))
    else:
        found = way(path)
        print(found, path)
        if found == "type":  # all else of another kind is another thing, too
            pass
    keep_times(above, before)
