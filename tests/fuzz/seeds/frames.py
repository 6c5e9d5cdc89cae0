# SPDX-License-Identifier: MIT
"""What the device and the store process tell each other."""
import os
import struct

from common import directory, run, seed

TIP, COMMIT, TAG, DATA, CONTENT, MISSING, PROGRESS, NEED_BASE, DONE, ERROR, ROOM, FORECAST = range(64, 76)
NUMBERS = struct.pack("<QQQ", 1, 2, 3)


def frame_(kind, payload=b""):
    return struct.pack("<IB", len(payload), kind) + payload


def frame():
    want = struct.pack("<IB32sQ", 7, 1, b"d" * 32, 300)
    frames = frame_(7, want + b"usr/bin/x") + frame_(8, b"c" * 20) + frame_(DONE) + frame_(DATA, b"x" * 900)
    for step in (0, 3, 100, 255):
        seed(f"step-{step}", bytes([step]) + frames)
    seed("cut", b"\5" + frames[:-1])
    seed("large", b"\xff" + frame_(DATA, b"y" * 5000) + struct.pack("<IB", 1 << 30, DATA))


def client():
    done, tip = frame_(DONE), frame_(TIP, b"t" * 20)
    progress = frame_(PROGRESS, NUMBERS)
    for n in range(3):
        seed(f"tip-{n}", bytes([n]) + progress + progress + tip + done)
        seed(f"none-{n}", bytes([n]) + done)
    seed("option-release", bytes([8 | 3]) + done + frame_(COMMIT, b"c" * 300) + frame_(TAG, b"t" * 90) +
         frame_(TAG, b"u") + done)
    seed("log", bytes([4]) + frame_(COMMIT, b"c") * 2 + done)
    seed("log-enough", bytes([4]) + frame_(COMMIT, b"c") * 4 + done)
    seed("manifest", bytes([5]) + frame_(DATA, b"osupdate-manifest") + frame_(DATA, b" 1\n") + done)
    seed("manifest-other", bytes([5]) + frame_(DATA, b"osupdate-manifest 2\n") + done)
    seed("manifest-longer", bytes([5]) + frame_(DATA, b"osupdate-manifest 1\n\n") + done)
    seed("manifest-shorter", bytes([5]) + frame_(DATA, b"osupdate") + done)
    seed("manifest-tip", bytes([5]) + tip)
    for n in range(7):
        seed(f"silent-{n}", bytes([128 | n]) + progress)
    seed("release-odd", bytes([3]) + frame_(COMMIT) + done)
    seed("release-two", bytes([3]) + frame_(COMMIT, b"c") * 2)
    seed("log-tip", bytes([4]) + tip)
    seed("progress-short", bytes([1]) + frame_(PROGRESS, NUMBERS[:-1]))
    seed("closed", bytes([16]) + tip)
    sizes = (0, 1, 5, 300, 2, 40000)
    content = [frame_(CONTENT, struct.pack("<IQ", i * 3, n)) +
               b"".join(frame_(DATA, b"z" * min(25000, n - at)) for at in range(0, n, 25000))
               for i, n in enumerate(sizes)]
    room = lambda n, paths: frame_(ROOM, struct.pack("<IB", n, paths)) + done
    need = frame_(NEED_BASE, struct.pack("<I", 50) + b"\2" * 32 + struct.pack("<I", 100) + b"\4" * 32 + struct.pack("<I", 9))
    seed("contents", bytes([6]) + room(256, 1) + b"".join(reversed(content)) + done)
    seed("contents-batches", bytes([6]) + room(2, 0) + need + done.join(
        content[i] + progress + content[i + 1] for i in (0, 2, 4)) + done)
    seed("contents-no-base", bytes([6]) + room(3, 0) + frame_(NEED_BASE, bytes(4) + b"\1" * 32 + bytes(4)) + content[0])
    seed("contents-bad-base", bytes([6]) + room(3, 0) + frame_(NEED_BASE, bytes(4) + b"\xff" * 32 + bytes(4)))
    seed("contents-bases-many", bytes([6]) + room(256, 0) + need * 40 + b"".join(content) + done)
    for name, base in (("", b"\2"), ("-none", b"\1"), ("-bad", b"\xff")):
        seed("contents-slow" + name, bytes([32 | 6]) + room(256, 0) +
             frame_(NEED_BASE, bytes(4) + base * 32 + struct.pack("<I", 9)) + b"".join(content) + done)
    seed("contents-bases-large", bytes([6]) + room(3, 0) + frame_(NEED_BASE, b"\2" * 36))
    seed("missing-long", bytes([6]) + room(6, 0) +
         frame_(MISSING, struct.pack("<I", 15) + b"why" * 100))
    seed("missing", bytes([6]) + room(6, 0) + content[0] +
         frame_(MISSING, struct.pack("<I", 3) + b"no such \x1b[31mblob"))
    seed("other-size", bytes([6]) + room(6, 1) + frame_(CONTENT, struct.pack("<IQ", 3, 2)))
    seed("forecast", bytes([7]) + room(6, 0) + frame_(FORECAST, struct.pack("<Q", 77)) + done)
    seed("forecast-none", bytes([7]) + room(6, 1) + done)
    for fault in range(1, 7):
        seed(f"error-{fault}", bytes([16 | fault]) + frame_(ERROR, bytes([fault]) + b"it says no") + tip + done)
    seed("error-long", bytes([0]) + frame_(ERROR, b"\1" + b"no " * 300))
    seed("error-empty", bytes([0]) + frame_(ERROR))
    seed("error-silent", bytes([8]) + frame_(ERROR, b"\1"))


def request():
    OPTION, LIST, FETCH, RELEASE, LOG, MANIFEST, WANT, END, BASE, WANTS, COUNT, BRING = range(1, 13)
    state = os.path.join(os.path.dirname(os.path.abspath(directory)), "state")
    repo = os.path.join(state, "os.git")
    if not os.path.exists(repo):
        os.makedirs(os.path.join(state, "www/channel"))
        run("git", "init", "-q", "--bare", "os.git", cwd=state)
        run("git", "--git-dir", repo, "fast-import", "--quiet", cwd=state, stdin=b"".join(
            b"commit refs/heads/stable\ncommitter C <c> 1700000000 +0000\ndata <<X\nRelease\n\n"
            b"Osupdate-Version: 1.%d\nOsupdate-Serial: %d\nX\nM 644 inline etc/motd\ndata 3\n%03d\n"
            b"M 644 inline usr/lib/osupdate/manifest\ndata 9\nmanifest\n\n" % (n, n, n) for n in range(1, 4)))
        with open(os.path.join(state, "www/channel/stable"), "wb") as f:
            f.write(run("git", "--git-dir", repo, "cat-file", "commit", "stable", cwd=state))
    tip = bytes.fromhex(run("git", "--git-dir", repo, "rev-parse", "stable", cwd=state).decode().strip())
    old = run("git", "--git-dir", repo, "rev-parse", "stable~1", cwd=state).decode().strip()
    damaged = os.path.join(state, "damaged.git")
    if not os.path.exists(damaged):
        run("cp", "-a", repo, damaged, cwd=state)
        run("find", damaged + "/objects", "-type", "f", "-exec", "truncate", "-s", "40", "{}", "+", cwd=state)
    git, web = frame_(OPTION, b"url=p"), frame_(OPTION, b"stream=p")
    want = lambda i, size, path, piece=0: frame_(WANT, struct.pack("<IB", i, piece) + b"d" * 32 +
                                                 struct.pack("<Q", size) + path)
    for name, start in (("git", git), ("streams", web), ("both", git + web), ("nothing", b""),
                        ("damaged", frame_(OPTION, b"url=q")), ("missing", frame_(OPTION, b"url=r")),
                        ("elsewhere", frame_(OPTION, b"stream=q")), ("stranger", frame_(OPTION, b"url=s"))):
        seed(name + "-list", start + frame_(LIST, b"stable") + frame_(LIST, b"none") + frame_(LIST, b"a b"))
        seed(name + "-fetch", start + frame_(FETCH, b"stable") + frame_(RELEASE, b"channel:stable") +
             frame_(LOG, struct.pack("<I", 10) + b"stable") + frame_(MANIFEST, tip) + frame_(WANTS, tip) +
             want(0, 3, b"etc/motd") + want(1, 9, b"etc/none") + want(2, 4, b"etc/motd", 1) + frame_(END, tip) +
             frame_(WANTS, tip) + want(0, 3, b"etc/motd") + frame_(COUNT, tip))
        seed(name + "-bring", start + frame_(FETCH, b"stable") + frame_(BRING, b"stable serial:2") +
             frame_(BRING, b"stable commit:" + old.encode()) + frame_(BRING, b"stable version:1.1") +
             frame_(RELEASE, b"serial:2") + frame_(RELEASE, b"version:1.1") + frame_(RELEASE, b"commit:" + old.encode()))
    seed("options", b"".join(frame_(OPTION, key + b"=1") for key in (
        b"proxy", b"ca", b"username", b"password", b"ssh-key", b"known-hosts", b"have", b"keep", b"ahead",
        b"rate-limit", b"netrc", b"client-certificate", b"client-key", b"none", b"")) + frame_(OPTION, b"no equals"))
    seed("keep", git + frame_(OPTION, b"keep=" + old.encode() + b" x " + tip.hex().encode()) + frame_(FETCH, b"stable"))
    seed("ahead", web + frame_(OPTION, b"have=" + old.encode()) + frame_(OPTION, b"ahead=1") + frame_(FETCH, b"stable"))
    seed("doubt", frame_(OPTION, b"doubt=streams") + git + frame_(FETCH, b"stable"))
    seed("doubt-all", frame_(OPTION, b"doubt=x") + web + git + frame_(FETCH, b"stable"))
    seed("late-option", git + frame_(LIST, b"stable") + git)
    seed("odd", frame_(99) + frame_(FETCH, b"a\0b") + frame_(LOG, b"x") + frame_(MANIFEST, b"short") +
         frame_(WANT, b"short") + frame_(BASE, b"\1") + frame_(RELEASE, b"what:ever") + frame_(BRING, b"no-blank"))
    seed("option-twice", git + git)
    seed("log-short", git + frame_(LOG, b"x"))
    seed("fetch-late", git + frame_(WANTS, tip) + frame_(FETCH, b"stable"))
    seed("want-many", web + frame_(WANTS, tip) + want(0, 1 << 40, b"x"))
    seed("cut", git + frame_(LIST, b"stable")[:-2])
    seed("huge", struct.pack("<IB", 0x7fffffff, LIST))
