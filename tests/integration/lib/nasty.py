#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""nasty.py DIR 1|2: add to DIR everything a root file system may hold that breaks tools.

Variant 2 is what a later release could make of variant 1: types swapped, hard links
broken up and joined, attributes dropped and added, big files changed in the middle.
"""
import os
import stat
import struct
import subprocess
import sys

top, variant = os.fsencode(sys.argv[1]), int(sys.argv[2])
base = os.path.join(top, b"opt/nasty")
two = variant == 2


def p(*parts):
    return os.path.join(base, *[x if isinstance(x, bytes) else x.encode() for x in parts])


def write(path, data=b"", mode=0o644, uid=0, gid=0):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    os.chown(path, uid, gid)
    os.chmod(path, mode)
    return path


def noise(size, seed):
    """Bytes that do not compress, the same every time."""
    key = "%032x" % seed
    r = subprocess.run(
        "head -c %d /dev/zero | openssl enc -aes-128-ctr -nosalt -K %s -iv %s" % (size, key, "0" * 32),
        shell=True, stdout=subprocess.PIPE, check=True)
    return r.stdout


def acl(*entries):
    """A posix_acl xattr (version 2) from (tag, perm, id)."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER, NONE = 1, 2, 4, 8, 16, 32, 0xFFFFFFFF

os.makedirs(base, exist_ok=True)

# modes and owners
for name, mode in (("setuid", 0o4755), ("setgid", 0o2755), ("both", 0o6711), ("none", 0),
                   ("sticky", 0o1644), ("all", 0o7777), ("write-only", 0o222)):
    write(p("modes", name), name.encode(), mode if not two or name != "both" else 0o755)
for name, mode in (("tmp", 0o1777), ("setgid-dir", 0o2775), ("closed", 0), ("all-dir", 0o7777)):
    os.makedirs(p("modes", name), exist_ok=True)
    write(p("modes", name, "inside"), b"x")
    os.chmod(p("modes", name), mode)
for uid, gid in ((1, 1), (65534, 65534), (4294967294, 4294967294), (2147483648, 0), (0, 2097152)):
    write(p("owners", "%d-%d" % (uid, gid)), b"o", 0o600, uid, gid)

# attributes
f = write(p("attributes", "capability"), b"#!/bin/true\n", 0o755)
if not two:
    os.setxattr(f, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))
f = write(p("attributes", "user"), b"u")
os.setxattr(f, "user.empty", b"")
os.setxattr(f, "user.binary", bytes(range(256)))
os.setxattr(f, "user.name with space\n", b"v2" if two else b"v1")
if two:
    os.setxattr(f, "user.new", b"new")
else:
    os.setxattr(f, "user.old", b"old")
f = write(p("attributes", "acl"), b"a", 0o640)
if not two:
    os.setxattr(f, "system.posix_acl_access", acl(
        (USER_OBJ, 6, NONE), (USER, 4, 1000), (USER, 6, 4294967294), (GROUP_OBJ, 4, NONE),
        (GROUP, 0, 12345), (MASK, 6, NONE), (OTHER, 0, NONE)))
d = p("attributes", "default-acl")
os.makedirs(d, exist_ok=True)
write(p("attributes", "default-acl", "no-inherited-acl"), b"n")
os.makedirs(p("attributes", "default-acl", "plain-dir"), exist_ok=True)
os.mkfifo(p("attributes", "default-acl", "plain-fifo"))
os.setxattr(d, "system.posix_acl_default", acl(
    (USER_OBJ, 7, NONE), (USER, 7 if two else 5, 1000), (GROUP_OBJ, 5, NONE), (MASK, 7, NONE),
    (OTHER, 5, NONE)))
os.makedirs(p("attributes", "user-dir"), exist_ok=True)
os.setxattr(p("attributes", "user-dir"), "user.on.directory", b"2" if two else b"1")
os.setxattr(write(p("attributes", "trusted"), b"t"), "trusted.thing", b"t")

# hard links
a = write(p("links", "a", "first"), b"linked")
os.makedirs(p("links", "b", "deep"), exist_ok=True)
if two:
    write(p("links", "b", "second"), b"linked")  # broken up: equal but its own
    write(p("links", "b", "deep", "third"), b"other")
    g = write(p("links", "joined-1"), b"joined")
    os.link(g, p("links", "joined-2"))
    os.link(g, p("links", "a", "joined-3"))
else:
    os.link(a, p("links", "b", "second"))
    os.link(a, p("links", "b", "deep", "third"))
    write(p("links", "joined-1"), b"joined")
    write(p("links", "joined-2"), b"joined")
os.symlink(b"../anywhere", p("links", "symlink"))
os.link(p("links", "symlink"), p("links", "b", "symlink-too"), follow_symlinks=False)
os.mkfifo(p("links", "fifo"))
os.link(p("links", "fifo"), p("links", "b", "fifo-too"))
f = write(p("links", "with-attribute"), b"x")
os.setxattr(f, "user.shared", b"1")
os.link(f, p("links", "z-with-attribute"))

# devices, fifos, directories
os.makedirs(p("special"), exist_ok=True)
os.mknod(p("special", "char"), stat.S_IFCHR | 0o620, os.makedev(5, 2 if two else 1))
os.mknod(p("special", "block"), stat.S_IFBLK | 0o660, os.makedev(259, 1048575))
os.chown(p("special", "block"), 0, 6)
os.mkfifo(p("special", "fifo"), 0o600)
os.makedirs(p("empty", "nested", "more"), exist_ok=True)
for i in range(4000):
    write(p("many", "%s%04d" % ("x" * (i % 7), i)), b"%d" % i if i % 50 or not two else b"changed")

# names
for name in (b"with space", b"new\nline", b"back\\slash", b"tab\t", b"caf\xe9", b"\xff\xfe",
             b"\xe2\x80\x8d", b"n" * 255, b"-dash", b"--", b"a b c", b"\x01\x7f", b"*?[x]", b"'\"",
             b"$(x)", b"...", b" ", b"CON", b"nul.txt", b"trailing.", b"\\octal\\040"):
    write(p("names", name), name)
write(p("names", b"d\xff", b"inner\n"), b"in")
deep = p("names")
for i in range(12):
    deep = os.path.join(deep, b"p" * 200)
os.makedirs(deep, exist_ok=True)
write(os.path.join(deep, b"bottom"), b"deep")
# what sorts around a directory's contents
for name in ("sort", "sort!", "sort-", "sort.d", "sort0"):
    write(p("order", name, "x"), b"x")

# symbolic links
os.makedirs(p("symlinks"), exist_ok=True)
for name, target in (("dangling", "nowhere"), ("absolute", "/etc/passwd"), ("loop", "loop"),
                     ("up", "../../../../../../../.."), ("long", "t" * 4095), ("sixty", "s" * 60),
                     ("newline", "a\nb"), ("changing", "two" if two else "one")):
    os.symlink(target, p("symlinks", name))
os.lchown(p("symlinks", "dangling"), 1000, 1000)

# git's own names, with contents that would do harm
write(p("git", ".git", "config"), b"[core]\n\tfsmonitor = touch /tmp/pwned\n")
write(p("git", ".git", "hooks", "post-checkout"), b"#!/bin/sh\ntouch /tmp/pwned\n", 0o755)
write(p("git", ".GIT", "HEAD"), b"ref: refs/heads/evil\n")
write(p("git", "git~1", "x"), b"short name")
write(p("git", ".git ", "x"), b"ntfs")
write(p("git", ".g\u200cit", "x"), b"hfs")
write(p("git", ".gitmodules"), b'[submodule "x"]\n\tpath = ../../evil\n\turl = --upload-pack=x\n')
write(p("git", ".gitattributes"), b"* text eol=crlf filter=evil ident export-ignore\n")
write(p("git", ".gitignore"), b"*\n")
write(p("git", ".mailmap"), b"Evil <e@x> <b@x>\n")
write(p("git", "ident"), b"$Id$ $Format:%H$\n")
write(p("git", "sub", ".git"), b"gitdir: /etc\n")
write(p("git", ".git.d", "normal"), b"n")
os.makedirs(p("git", "linked"), exist_ok=True)
os.symlink(b".git/config", p("git", "linked", ".gitmodules"))
os.symlink(b"../x", p("git", "linked", ".gitattributes"))
write(os.path.join(top, b".gitattributes"), b"* -text\n*.c filter=evil\n")
write(os.path.join(top, b".gitmodules"), b'[submodule "y"]\n\tpath = etc\n\turl = ext::sh -c x\n')

# contents
write(p("contents", "crlf"), b"a\r\nb\r\n")
write(p("contents", "empty"))
write(p("contents", "one"), b"1")
write(p("contents", "zeros"), b"\0" * 1000000)
write(p("contents", "exactly-16m"), noise(16 << 20, 3))
write(p("contents", "over-16m"), noise((16 << 20) + 1, 4))
big = noise(300 << 20, 5)
if two:
    big = big[: 100 << 20] + b"inserted in the middle" + big[100 << 20:]
write(p("contents", "300m"), big)
del big
f = write(p("contents", "sparse"))
with open(f, "r+b") as s:
    s.truncate(200 << 20)
    s.seek(100 << 20)
    s.write(b"in the middle" + bytes([variant]))
f = write(p("contents", "sparse-end"))
with open(f, "r+b") as s:
    s.write(b"start")
    s.truncate(3 << 20)

# swapped types
SWAPS = ("file", "dir", "symlink", "fifo", "char")


def swap(path, kind):
    if kind == "file":
        write(path, b"I am a file")
    elif kind == "dir":
        write(os.path.join(path, b"child", b"leaf"), b"leaf")
    elif kind == "symlink":
        os.symlink(b"../contents", path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 7))


os.makedirs(p("swapped"), exist_ok=True)
for one in SWAPS:
    for other in SWAPS:
        swap(p("swapped", "%s-%s" % (one, other)), other if two else one)
write(p("only-in-%d" % variant, "x", "y"), b"gone or new")

# times, last of all: parents after children
os.makedirs(p("times"), exist_ok=True)
stamps = {"nano": 1234567890123456789, "negative": -1500000000, "before-1970": -86400 * 10**9 - 1,
          "tiny-negative": -1, "zero": 0, "future": 4102444800 * 10**9 + 7,
          "first-second": -10**9 + 1}
for name, ns in stamps.items():
    os.utime(write(p("times", name), b"t"), ns=(ns, ns))
os.makedirs(p("times", "dir"), exist_ok=True)
os.utime(p("times", "dir"), ns=(-123456789, -123456789))
changed = write(p("times", "only-time-changes"), b"same")
os.utime(changed, ns=(variant, variant * 10**9))
for root, dirs, files in os.walk(base, topdown=False):
    for name in files + dirs:
        path = os.path.join(root, name)
        if b"/times/" in path or path.endswith(b"/times"):
            continue
        # Of the variant only where something is meant to differ: a rebuild keeps times.
        os.utime(path, ns=(10**18, 10**18 + len(name)), follow_symlinks=False)
os.utime(base, ns=(10**18, 10**18 + variant))
