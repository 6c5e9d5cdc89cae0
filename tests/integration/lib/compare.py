#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""compare.py REFERENCE SLOT: every difference between two trees, or none and exit 0.

Types, modes, owners, sizes, contents, link targets, device numbers, groups of hard
links, extended attributes (ACLs and capabilities are among them), times of change.
Not compared: lost+found at the root and usr/lib/osupdate, which belong to the slot.
"""
import hashlib
import os
import stat
import sys

SKIP = (b"lost+found", b"usr/lib/osupdate")


def digest(path):
    h = hashlib.blake2b(digest_size=32)
    with open(path, "rb") as f:
        while chunk := f.read(1 << 20):
            h.update(chunk)
    return h.hexdigest()


def look(top):
    seen, links = {}, {}
    stack = [b"."]
    while stack:
        rel = stack.pop()
        path = os.path.join(top, rel)
        st = os.lstat(path)
        m = st.st_mode
        rec = {
            "type": stat.S_IFMT(m), "mode": stat.S_IMODE(m), "uid": st.st_uid, "gid": st.st_gid,
            "mtime": st.st_mtime_ns,
            "xattrs": {n: os.getxattr(path, n, follow_symlinks=False)
                       for n in os.listxattr(path, follow_symlinks=False) if n != "security.selinux"},
        }
        if stat.S_ISREG(m):
            rec["size"], rec["contents"] = st.st_size, (path, st.st_size)
        elif stat.S_ISLNK(m):
            rec["target"] = os.readlink(path)
            del rec["mode"]
        elif stat.S_ISCHR(m) or stat.S_ISBLK(m):
            rec["device"] = (os.major(st.st_rdev), os.minor(st.st_rdev))
        elif stat.S_ISDIR(m):
            for name in os.listdir(path):
                child = name if rel == b"." else rel + b"/" + name
                if child not in SKIP:
                    stack.append(child)
        if not stat.S_ISDIR(m) and st.st_nlink > 1:
            links.setdefault(st.st_ino, []).append(rel)
        rec["nlink"] = st.st_nlink if not stat.S_ISDIR(m) else 0
        seen[rel] = rec
    for group in links.values():
        for rel in group:
            seen[rel]["group"] = sorted(group)
    return seen


def main():
    reference, slot = (look(os.fsencode(a)) for a in sys.argv[1:3])
    differences = 0

    def tell(rel, text):
        nonlocal differences
        differences += 1
        if differences <= 30:
            print("%r: %s" % (rel, text))

    for rel in sorted(set(reference) | set(slot)):
        if rel not in slot:
            tell(rel, "missing")
        elif rel not in reference:
            tell(rel, "too much")
        else:
            a, b = reference[rel], slot[rel]
            for key in sorted(set(a) | set(b)):
                x, y = a.get(key), b.get(key)
                if key == "contents" and x and y:
                    x, y = (digest(x[0]), digest(y[0])) if x[1] == y[1] else (x[1], y[1])
                if x != y:
                    tell(rel, "%s: %r is not %r" % (key, y, x))
    print("%d entries, %d differences" % (len(reference), differences))
    return 1 if differences else 0


sys.exit(main())
