#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""seeds.py TARGET DIRECTORY: inputs to begin with, each of a shape its parser takes."""
import base64
import os
import struct
import subprocess
import sys
import tempfile
import zlib

target, directory = sys.argv[1:]


def seed(name, data):
    with open(os.path.join(directory, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def string(s):
    """A string of SSH's wire format."""
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack(">I", len(s)) + s


def public_key(byte, application=None):
    kind = "sk-ssh-ed25519@openssh.com" if application else "ssh-ed25519"
    wire = string(kind) + string(byte * 32) + (string(application) if application else b"")
    return kind + " " + base64.b64encode(wire).decode()


def run(*argv, cwd, stdin=None):
    env = {"PATH": "/usr/bin:/bin", "HOME": cwd, "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_AUTHOR_DATE": "1700000000 +0100", "GIT_COMMITTER_DATE": "1700000000 +0100"}
    return subprocess.run(argv, cwd=cwd, env=env, input=stdin, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def stream():
    content = lambda n, size: bytes([n]) * 32 + struct.pack("<I", size)
    slice_ = struct.pack("<IIIIQ", 100, 500, 400, 0, 7)
    frames = (struct.pack("<IIII", 200, 1000, 2, 0) + content(1, 400) + content(2, 600) +
              struct.pack("<IIII", 300, 2000, 1, 2) + content(3, 2000) + content(4, 1500) + content(5, 1))
    index = struct.pack("<I", 1) + slice_ + frames
    prologue = (b"osupdate-stream\n" + struct.pack("<II", 1, 0) + b"t" * 20 + b"s" * 20 +
                struct.pack("<IIIIQQ", 10, 20, 30, len(index), 600, 3000))
    seed("index", b"\0" + prologue + index)
    item = lambda kind, raw: kind + struct.pack("<I", len(raw)) + raw
    seed("head", b"\1" + item(b"c", b"commit") + item(b"t", b"tag") + item(b"c", b""))
    seed("catalog", b"\2osupdate-streams 1\nfull 500 90\nfrom " + b"1" * 40 + b" 100 30\n")


DIGEST = "00112233445566778899aabbccddeeff" * 2
MESSAGE = f"""Release 1.2

What is new.

Signed-off-by: A <a@example.org>
Osupdate-Product: kiosk-amd64
Osupdate-Version: 1.2 (\u00e9t\u00e9)
Osupdate-Serial: 12
Osupdate-Manifest: blake2b-256:{DIGEST} 1234
Osupdate-Channel: stable beta/x
Osupdate-Opt-Note: anything
"""


def release():
    payload = ("tree " + "1" * 40 + "\nparent " + "2" * 40 + "\nparent " + "3" * 40 +
               "\nauthor A B <a@example.org> 1700000000 +0100\n"
               "committer C <> 1700000001 -0230\n\n")
    seed("payload", "\1" + payload + MESSAGE)
    until = MESSAGE + "Osupdate-Valid-Until: 2027-06-01T00:00:00Z\n"
    seed("payload-until", "\1" + payload + until)
    # Made by the stock tools, as on a builder's machine.
    with tempfile.TemporaryDirectory() as d:
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", d + "/key", cwd=d)
        run("git", "init", "-q", cwd=d)
        for key, value in (("user.name", "B"), ("user.email", "b@example.org"),
                           ("gpg.format", "ssh"), ("user.signingkey", d + "/key")):
            run("git", "config", key, value, cwd=d)
        for n in (1, 2):
            run("git", "commit", "-q", "-S", "--allow-empty", "-F", "-", cwd=d,
                stdin=MESSAGE.encode())
        commit = run("git", "cat-file", "commit", "HEAD", cwd=d)
        run("git", "tag", "-s", "-m", MESSAGE, "v1", cwd=d)
        tag = run("git", "cat-file", "tag", "v1", cwd=d)
        armor = run("ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", "key", cwd=d,
                    stdin=b"message\n")
        with open(d + "/key.pub", "rb") as f:
            signers = b'b namespaces="git" ' + f.read()
    seed("commit", b"\0" + signers + b"\0" + commit)
    seed("armor", b"\2" + armor)
    blob = base64.b64decode(b"".join(armor.splitlines()[1:-1]))
    seed("blob", b"\3" + blob)
    kind = "sk-ssh-ed25519@openssh.com"
    inner = string(kind) + string(b"s" * 64) + b"\1\0\0\0\7"
    head = b"SSHSIG\0\0\0\1" + string(string(kind) + string(b"1" * 32) + string("ssh:"))
    for hash_ in ("sha256", "sha512"):
        seed("blob-sk-" + hash_, b"\3" + head + string("git") + string("") + string(hash_) + string(inner))
    for i, blob in enumerate((
            head + string("git") + string("x") + string("sha512") + string(inner),
            head + string("git") + string("") + string("sha512") + string(inner[:-1]),
            head + string("git") + string("") + string("sha512") + string(inner + b"x"),
            head + string("git") + string("") + string("sha512") + string(string(kind) + string(b"s" * 63)),
            head + string("git") + string("") + string("sha512") + string(inner.replace(b"\1\0\0\0\7", b"\0\0\0\0\7")),
            head + string("git") + string("") + string("md5") + string(inner),
            head + string("file") + string("") + string("sha512") + string(inner))):
        seed(f"blob-bad-{i}", b"\3" + blob)
    seed("armor-long", b"\3" + blob + b"x" * 4000)
    seed("commit-threshold", b"\0# osupdate: threshold 2\n" + signers + b"\0" + commit)
    seed("commit-early", b"\0" + signers.replace(b"namespaces", b'valid-before="20200101",namespaces') + b"\0" + commit)
    seed("commit-empty-line", b"\0" + signers + b"\0" + commit.replace(b"\n -----END", b"\n \n -----END"))
    for i, message in enumerate((
            "\n" + MESSAGE, MESSAGE.replace("Release", "R" * 300 + "\u00e9" * 20),
            MESSAGE.replace("kiosk-amd64", "a..b"), MESSAGE.replace("kiosk-amd64", "a/./b"),
            MESSAGE.replace("beta/x", "stable"), MESSAGE.replace("1.2 (", "1\u0085("),
            MESSAGE.replace("kiosk-amd64", "k!"), MESSAGE.replace("kiosk-amd64", "x" * 129),
            MESSAGE.replace("1.2 (", "1\x01("))):
        seed(f"message-{i}", "\1" + payload + message)
    part = lambda kind, raw: kind + b" " + str(len(raw)).encode() + b"\n" + raw + b"\n"
    proof = b"osupdate-release 1\n" + part(b"commit", commit)
    seed("proof", b"\4" + proof)
    seed("proof-many", b"\4" + proof + part(b"tag", b"t") * 65)
    about = "object " + "11" * 20 + "\ntype commit\ntag osupdate/12/me\ntagger M <m> 1700000000 +0000\n\n"
    same = ("I have seen it\n\nOsupdate-Product: kiosk\nOsupdate-Version: 1.2\nOsupdate-Serial: 12\n"
            "Osupdate-Manifest: blake2b-256:" + "0123456789abcdef" * 4 + " 1\n")
    seed("tag-signed", "\5" + about + same)
    for i, other in enumerate((about.replace("/12/", "/13/") + same, about.replace("commit", "tree") + same,
                               about.replace("me\n", "\n") + same, about + same.replace("1.2", "1.3"),
                               about + same + "Osupdate-Channel: a\n", about + "none\n")):
        seed(f"tag-signed-{i}", "\5" + other)
    seed("tag", b"\6" + tag)
    seed("threshold", "\7" + about[48:] + same + "\0" + about[48:] + same)
    seed("threshold-shared", "\x0f" + about[48:] + same + "\0" + about[48:] + same)
    seed("threshold-one", "\7" + about[48:] + same + "\0" + about[48:])
    seed("proof-tags", b"\4" + proof + part(b"tag", tag) + part(b"tag", b""))


def signers():
    one, two, sk = public_key(b"1"), public_key(b"2"), public_key(b"1", "ssh:")
    text = (f'# people\n# osupdate: threshold 2\nanna,bert@example.org {one} a comment\n\n'
            f'"c d" namespaces="git,file",valid-after="20230101",valid-before="203001011200Z" {two}\n'
            f'*@x.org valid-after="20200229120000Z" {sk}\n')
    seed("all", text + "\0# gone\n" + two + "\n\0g?t,!file*,*")
    seed("revoked", f"a {one}\n\0{one} lost\nssh-rsa AAAA\n\0*,!git")
    seed("early", f'a valid-before="20200101" {one}\na namespaces="file" {two}\n\0\0git')
    for i, text in enumerate((f"a cert-authority {one}\n", "a ssh-rsa AAAA\n", f"{one}\n",
                              f'a verify-time="1" {one}\n', f"# osupdate: threshold 65\na {one}\n",
                              f'a namespaces="x",namespaces="y" {one}\n',
                              f'a valid-after="20200101",valid-after="20200101" {one}\n',
                              f'a valid-after="2020010a" {one}\n',
                              f"a sk-ssh-ed25519@openssh.com {one.split()[1]}\n",
                              f"a {one}\n" * 1025, f"a {one}\r\n")):
        seed(f"bad-{i}", text)
    seed("krl", f"a {one}\n\0SSHKRL\n\0x")


def manifest():
    own = "".join(f"d 0755 0 0 0.000000000 - - {p}\n" for p in ("usr", "usr/lib", "usr/lib/osupdate"))
    head = "osupdate-manifest 1\nd 0755 0 0 0.000000000 - - .\n"
    every = (head + "d 0755 0 0 1700000000.000000000 - - dev\n"
             "c 0666 0 0 -1.500000000 - 1:3 dev/null\n"
             "p 0600 1 2 9007199254740992.999999999 - - dev/pipe\\040\\012\n"
             "b 0660 0 6 0.000000000 - 4095:1048575 dev/sda\n"
             f"f 4755 4294967294 4294967294 1700000000.123456789 3 {DIGEST} file\n"
             "= security.capability AQAAAgAgAAAAAAAAAAAAAAAAAAA=\n= user.empty -\n= user.na\\040me Zg==\n"
             "h - - - - - file file2\n"
             f"f 0644 0 0 0.000000000 16777217 {DIGEST} large\n+ 16777216 {DIGEST}\n+ 1 {DIGEST}\n"
             "= user.x Zg==\nl 0777 0 0 0.000000000 - ../a\\040b link\n"
             "h - - - - - link link2\n" + own)
    small = head + own
    seed("every", every)
    seed("small", small)
    seed("two", every + "\0" + small)
    seed("changed", every + "\0" + every.replace("4755", "0755").replace("1:3", "1:5")
         .replace("../a", "../b").replace("Zg==", "Zw==").replace("file2", "file3"))
    file = lambda name: f"f 0644 0 0 0.000000000 3 {DIGEST} {name}\n"
    many = "".join(f"= user.{i:04} -\n" for i in range(129))
    seed("many-attributes", head + file("a") + many)
    seed("long-attribute", head + file("a") + "= user." + "x" * 250 + " -\n")
    seed("large-attributes", head + file("a") + "".join(
        f"= user.{i} {'QUJD' * 7000}\n" for i in (1, 2)))
    seed("bad-type", head + f"x 0644 0 0 0.000000000 - - a\n")
    seed("no-target", head + f"l 0777 0 0 0.000000000 -  a\n")
    seed("reserved", small.replace("\0", "") + file("usr/lib/osupdate/manifest"))
    seed("long-path", head + file("x/" * 2100 + "y"))
    seed("types", small + "\0" + small.replace("d 0755 0 0 0.000000000 - - usr/lib/osupdate", "p 0755 0 0 0.000000000 - - usr/lib/osupdate"))
    seed("attributes", head + file("a") + "= user.a Zg==\n" + own + "\0" + head + file("a") + "= user.b Zg==\n" + own)
    for i, bad in enumerate((
            "h 0644 - - - - file b\n", "h - - - - - file b\n= user.a -\n", "h - - - - - later b\n",
            "l 0644 0 0 0.000000000 - a b\n", "l 0777 0 0 0.000000000 - a\\09 b\n",
            f"l 0777 0 0 0.000000000 - {'a' * 4096} b\n", "fx 0644 0 0 0.000000000 - - b\n",
            f"f 0644 0 0 0.000000000 16777217 {DIGEST} b\n+ 16777216 {DIGEST}\n+ 2 {DIGEST}\n",
            f"f 0644 0 0 0.000000000 16777217 {DIGEST} b\n+ x {DIGEST}\n",
            f"f 0644 0 0 0.000000000 16777217 {DIGEST} b\n+ 16777216 {DIGEST}x\n",
            f"f 0644 0 0 0.000000000 16777217 {DIGEST} b\n+ 16777216 {DIGEST}\n")):
        seed(f"bad-entry-{i}", head + file("a") + bad + own)
    seed("paths-ignored", "a/.g\u206ait\0.\ufeffgit")
    seed("paths", "usr/lib/osupdate/blobs/x\0.git")
    seed("paths-odd", "a/.GIT~1/b\0.gi\u200ctmodules")


def frame_(kind, payload=b""):
    return struct.pack("<IB", len(payload), kind) + payload


TIP, COMMIT, TAG, DATA, CONTENT, MISSING, PROGRESS, NEED_BASE, DONE, ERROR, ROOM, FORECAST = range(64, 76)
NUMBERS = struct.pack("<QQQ", 1, 2, 3)


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
    git, web = frame_(OPTION, b"url=x"), frame_(OPTION, b"stream=x")
    want = lambda i, size, path, piece=0: frame_(WANT, struct.pack("<IB", i, piece) + b"d" * 32 +
                                                 struct.pack("<Q", size) + path)
    for name, start in ("git", git), ("streams", web), ("both", git + web), ("nothing", b""):
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
    seed("late-option", git + frame_(LIST, b"stable") + git)
    seed("odd", frame_(99) + frame_(FETCH, b"a\0b") + frame_(LOG, b"x") + frame_(MANIFEST, b"short") +
         frame_(WANT, b"short") + frame_(BASE, b"\1") + frame_(RELEASE, b"what:ever") + frame_(BRING, b"no-blank"))
    seed("option-twice", git + git)
    seed("log-short", git + frame_(LOG, b"x"))
    seed("fetch-late", git + frame_(WANTS, tip) + frame_(FETCH, b"stable"))
    seed("want-many", web + frame_(WANTS, tip) + want(0, 1 << 40, b"x"))
    seed("cut", git + frame_(LIST, b"stable")[:-2])
    seed("huge", struct.pack("<IB", 0x7fffffff, LIST))


def pktline():
    lines = b"000eversion 2\n0015agent=git/2.39.2\n0001000bERR no\n0000" + b"0004" + b"0002"
    for step in (0, 2, 255):
        seed(f"step-{step}", bytes([step]) + lines)
    seed("large", b"\xfffff0" + b"x" * 65516 + b"0000")
    seed("upper", b"\7000Bhello\n\n0003")


def git_v2():
    def line(text):
        text = text if isinstance(text, bytes) else text.encode() + b"\n"
        return b"%04x" % (len(text) + 4) + text
    one, two, other = "1" * 40, "2" * 40, "3" * 40
    can = (line("# service=git-upload-pack") + b"0000" + line("version 2") + line("agent=git/2.39") +
           line("ls-refs=unborn") + line("fetch=shallow wait-for-done filter") +
           line("object-format=sha1") + b"0000")
    both = lambda how, rest, first=can: bytes([how]) + struct.pack("<H", len(first)) + first + rest
    refs = (line(f"{one} refs/heads/stable") + line(f"{two} refs/tags/v1 peeled:{one}") +
            line("unborn HEAD symref-target:refs/heads/main") + line(one + " refs/heads/" + "x" * 300) + b"0000")
    seed("list", both(0, refs))
    seed("list-more", both(0, refs + b"0000"))
    seed("list-bad", both(0, line(f"{one}refs/heads/x") + b"0000"))
    seed("list-bad-peeled", both(0, line(f"{two} refs/tags/v1 peeled:x") + b"0001"))
    seed("list-error", both(0, line("ERR no such repository")))
    seed("html", both(8, refs))
    pack = b"PACK\0\0\0\2\0\0\0\3" + b"x" * 120
    bands = (line(b"\2counting\n") + line(b"\1" + pack[:5]) + line(b"\1" + pack[5:]) + line(b"\1") +
             line(b"\1" + b"y" * 200) + line(b"\1" + b"z" * 200) + line(b"\1" + b"sum") + b"0000")
    shallow = line("shallow-info") + line("shallow " + one) + line("unshallow " + two) + b"0001"
    seed("fetch", both(1, line("packfile") + bands))
    seed("fetch-shallow", both(1, shallow + line("packfile") + bands))
    seed("fetch-deep", both(7, shallow.replace(one.encode(), other.encode()) + line("packfile") + bands))
    seed("fetch-cut-elsewhere", both(1, shallow.replace(one.encode(), other.encode()) + line("packfile")))
    seed("fetch-error", both(1, line("packfile") + line(b"\3it broke\n")))
    seed("fetch-band", both(1, line("packfile") + line(b"\4what")))
    seed("fetch-empty", both(1, line("packfile") + b"0004"))
    seed("fetch-none", both(1, line("packfile") + b"0000"))
    seed("fetch-ends", both(1, line("packfile")))
    seed("fetch-flush", both(1, line("packfile") + b"0001"))
    seed("fetch-many", both(1, line("packfile") + line(b"\1PACK\0\0\0\2\xff\0\0\3")))
    seed("fetch-refused", both(1, line("packfile") + line(b"\1\xff")))
    seed("fetch-unfinished", both(1, line("packfile") + line(b"\1" + pack) + b"0000"))
    seed("fetch-noise", both(1, line("packfile") + line(b"\2" + b"n" * 60000) * 1 + line(b"\2\n") * 9))
    seed("older", both(0, b"", line("version 1") + b"0000"))
    seed("unable", both(0, b"", line("version 2") + line("fetch=filter") + b"0000"))
    seed("sha256", both(0, b"", line("version 2") + line("object-format=sha256") + b"0000"))
    seed("delim", both(0, b"", line("version 2") + b"0001"))
    seed("only-delim", both(0, b"", b"0001"))


def packs():
    # Versions of one text, in chains of deltas, with offsets and with names of bases.
    with tempfile.TemporaryDirectory() as d:
        run("git", "init", "-q", "--bare", cwd=d)
        lines = [f"line {i} {i * i}\n" for i in range(60)]
        ids = []
        for i in range(5):
            lines[i * 7] = f"changed {i}\n"
            ids.append(run("git", "hash-object", "-w", "--stdin", cwd=d, stdin="".join(lines).encode()).strip())
        ids.append(run("git", "hash-object", "-w", "--stdin", cwd=d, stdin=b"20 bytes, no deltas\n").strip())
        for name, option in (("ofs", "--delta-base-offset"), ("ref", "--no-reuse-delta")):
            run("git", "pack-objects", "-q", "--window=9", option, "p-" + name, cwd=d,
                stdin=b"\n".join(ids) + b"\n")
            files = {f.rsplit(".", 1)[1]: open(os.path.join(d, f), "rb").read()
                     for f in os.listdir(d) if f.startswith("p-" + name)}
            seed(name, b"\0" + struct.pack("<I", len(files["idx"])) + files["idx"] + files["pack"])
    # Offsets in the table of large ones.
    pack = b"PACK\0\0\0\2\0\0\0\1" + b"\xb4\1" + zlib.compress(b"20 bytes, no deltas\n")
    idx = (b"\xfftOc\0\0\0\2" + struct.pack(">I", 1) * 256 + bytes(20) + bytes(4) +
           struct.pack(">IQ", 1 << 31, 12) + bytes(40))
    seed("large", b"\0" + struct.pack("<I", len(idx)) + idx + pack + bytes(20))
    base = b"the base of a delta " * 20
    copy = b"\x91\4\x0a"  # 10 bytes from 4
    whole = b"\xb0" + struct.pack("<H", len(base))
    number = lambda n: bytes([n & 0x7f | 0x80, n >> 7])
    seed("delta", b"\1" + base + b"\0" + number(len(base)) + number(14 + len(base)) + copy + b"\4abcd" + whole)
    seed("delta-small", b"\1base\0\4\6\x90\4\2xy")
    seed("delta-far", b"\1" + bytes(1 + i * i % 251 for i in range(300)) + b"\0" + number(300) + b"\4\4wxyz")


def state():
    ref = f"{DIGEST} {'1' * 40} 12 -5 1.2\\040x"
    lines = ("osupdate-state 1\nphase armed\nboot-id 0f6c7a4e-0000-4000-8000-00000000abcd\ntarget B\n"
             f"release {ref}\nretries 2\narm-calls 1\nfloor 18446744073709551615\nfloor-time -1\n"
             f"candidate {ref}\ndenied {ref} it hung\\012for ever\ndenied {ref} \n"
             "error 1793786400 fetch no \\033[31mroute\nfuture key\n")
    seed("lines", "\2" + lines)
    seed("signed", "\2" + lines + f"floor-signed-by 18446744073709551615 SHA256:a\nvalid-until 5\nsigned-by {DIGEST} SHA256:b\n")
    seed("idle", "\2osupdate-state 1\nphase idle\nboot-id x\narm-calls 0\nfloor 0\nfloor-time 0\n")
    seed("full", "\2" + lines + f"denied {ref} {'r' * 190}\n" * 30)
    seed("fuller", "\2" + lines + f"denied {ref} {'r' * 190}\n" * 30 + "x " + "u" * 15000 + "\n")
    for phase in ("writing", "sealed", "trial", "confirming"):
        seed(phase, "\2" + lines.replace("armed", phase))
    seed("text", "\1no route\nto \x1b[31mhost \\033 " + "\u00e9" * 120)
    seed("whole", "\0" + lines + "digest " + "0" * 64 + "\n\n")


def cmdline():
    for i, line in enumerate((
            "BOOT_IMAGE=/vmlinuz root=/dev/sda3 ro osupdate.slot=A quiet", "rauc.slot=system.1\n", "quiet",
            "osupdate.slot=A rauc.slot=A", "osupdate.slot=A osupdate.slot=system.1", "\tosupdate.slot=C ro",
            "osupdate.slot= osupdate.slots=A xosupdate.slot=A rauc.slot")):
        seed("line-%d" % i, line)


def http():
    ok = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"
    body = b"0123456789" * 30

    def part(at, n, total, more=b""):
        return (b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\nContent-Range: bytes %d-%d/%d\r\n%s\r\n" %
                (n, at, at + n - 1, total, more)) + (body * 20)[:n]

    seed("answer", b"\x05\0\0" + ok + b"Content-Length: 300\r\n\r\n" + body)
    seed("chunked", b"\x05\0\0" + ok + b"Transfer-Encoding: chunked\r\n\r\n12c\r\n" + body + b"\r\n0\r\n\r\n")
    seed("cut", b"\x05\0\0" + ok + b"Content-Length: 3000\r\n\r\n" + body)
    for status in 204, 301, 400, 401, 404, 500:
        seed("status-%d" % status, b"\x05\0\0HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    for i, to in enumerate((b"/b/info/refs?x", b"http://127.0.0.2:1/b/info/refs?x", b"http://u@[::1]:8/b/info/refs?x",
                            b"/elsewhere", b"ftp://127.0.0.1/info/refs?x")):
        redirect = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % to
        for first in b"\x05\x40\x06":
            seed("redirect-%d-%d" % (i, first), bytes([first]) + b"\0\0" + redirect + b"\0\0" + ok +
                 b"Content-Length: 300\r\n\r\n" + body)
    seed("login", b"\x40\0\0HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n\0\0" +
         ok + b"Content-Length: 300\r\n\r\n" + body)
    seed("post", b"\x06\0\0" + ok + b"Content-Length: 300\r\n\r\n" + body)
    seed("small", b"\x02\0\0" + ok + b"ETag: \"new\"\r\nContent-Length: 300\r\n\r\n" + body)
    seed("small-weak", b"\x02\0\0" + ok + b"ETag: W/\"new\"\r\nContent-Length: 300\r\n\r\n" + body)
    seed("small-known", b"\x02\0\0HTTP/1.1 304 Not Modified\r\nETag: \"old\"\r\n\r\n")
    seed("small-too-large", b"\x03\0\0" + ok + b"\r\n" + body * 20)
    seed("small-elsewhere", b"\x83\0\0HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n\0\0" + ok +
         b"Content-Length: 300\r\n\r\n" + body)
    seed("body", b"\x04\0\x1e" + part(0, 300, 5000, b"ETag: \"e\"\r\n"))
    seed("body-again", b"\x04\0\x64" + part(0, 300, 5000, b"ETag: \"e\"\r\n") + b"\0\0" + part(300, 700, 5000))
    seed("body-other", b"\x84\0\x64" + part(0, 300, 5000) + b"\0\0" + part(300, 700, 5001) + b"\0\0" + part(300, 700, 5000))
    seed("body-no-ranges", b"\x84\x05\x1e" + ok + b"Content-Length: 300\r\n\r\n" + body)
    seed("body-open", b"\x04\x07\0" + part(7, 3000, 3007))
    www = os.path.join(os.path.dirname(os.path.abspath(directory)), "state/www")
    for name in "release/full", "channel/stable", "info/refs":
        os.makedirs(os.path.join(www, os.path.dirname(name)), exist_ok=True)
        with open(os.path.join(www, name), "wb") as f:
            f.write(body * 20)
    for first in range(5):
        seed("local-%d" % first, bytes([0x20 | first]) + b"\7\x64" + part(0, 300, 5000))
        seed("options-%d" % first, bytes([0x18 | first]) + b"\0\x64" + part(0, 300, 5000))
    seed("local-beyond", b"\xa4\xff\xff" + part(255, 300, 6000))
    seed("body-silent", b"\x04\0\x64HTTP/1.1 206 X\r\nContent-Range: bytes 0-9/x\r\n\r\n")
    seed("body-nowhere", b"\x04\x07\0HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
    seed("body-absent", b"\x84\x07\0HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n\0\0" + part(7, 3000, 3007))


def config():
    seed("all", "# a comment\n[update]\nurl = https://me:x@git.example.org/os.git ; git\n"
         "stream = https://a.org/s\tfile:///mnt\nchannel = beta\nproduct = kiosk-amd64\n"
         "ssh-key = /etc/key\nknown-hosts = /h\nca = /ca.pem\nusername = device\n"
         "password-file = /p\nproxy = http://proxy:3128\nnetrc = /n\nclient-certificate = /c\n"
         "client-key = /k\nrate-limit = 500k\nstall-timeout = 5\ninterval = 6h\nread-back = no\n"
         "trial-timeout = 15min\ncheck-timeout = 600\n[paths]\nstate = /data\nsigners = /s\n"
         "[boot]\nhook = grub\ntimeout = 7\ngrubenv = /boot/grub/grubenv\n[slot A]\n"
         "device = /dev/a\n[slot B]\ndevice = /dev/b\nbootname = system1\n")
    small = ("[update]\nurl = /srv/os.git\nproduct = p\n[boot]\nhook = /x/hook\n"
             "[slot A]\ndevice = /dev/a\n[slot B]\ndevice = /dev/b\n")
    seed("small", small)
    for i, (old, new) in enumerate((
            ("product", "prodct"), ("hook", "device"), ("/dev/b", "/dev/a"), ("slot B", "slot A"),
            ("[slot B]\ndevice = /dev/b\n", ""), ("[slot B]\n", ""), ("[boot]", "[bot]"),
            ("product = p\n", ""), ("url = /srv/os.git\n", ""), ("/x/hook", "a/b"),
            ("[slot B]", "[slot -]"), ("device = /dev/b", "bootname = A\ndevice = /dev/b"),
            ("[boot]", "[update]"), ("product = p", "product = p\nproduct = q"),
            ("product = p", "product: p"), ("[update]\n", ""), ("[boot]", "[boot"),
            ("product = p", "product ="), ("hook", "key = 1\nkey = 2\nhook"), ("[slot B]", "[slot C]\n[slot B]"),
            ("product = p", "rate-limit = 2M\nread-back = true\ninterval = 90s\nproduct = p"),
            ("product = p", "read-back = maybe"), ("product = p", "rate-limit = 0"),
            ("product = p", "interval = 367d"), ("product = p", "stall-timeout = 3601"),
            ("product = p", "check-timeout = 0"), ("product = p", "ca = relative"),
            ("product = p", "stream = ftp://x"), ("product = p", "product = a..b"),
            ("/srv/os.git", "/srv/o s"), ("[slot B]\ndevice", "[slot B]\nbootname = ../x\ndevice"),
            ("product = p", "product = " + "p" * 300), ("product = p", "product = \x01"),
            ("device = /dev/b\n", ""), ("[boot]", "Key = x\n[boot]"), ("hook", "Bad_Key = 1\nhook"))):
        seed(f"other-{i}", small.replace(old, new))
    seed("nul", small + "\0")
    for i, url in enumerate(("ssh://git@host:22/x", "git@host:x", "https://u:p%40@[::1]/x?y#z", "http://a@b@c/",
                             "file:///srv/a%20b", "file://localhost/x%2", "file://host/x", "file:///%00", "x://y",
                             "git://h/x", "what")):
        seed(f"url-{i}", small.replace("/srv/os.git", url))


def hook():
    for verb, answer in enumerate(("A\n", "system-1", "good\n", "", "")):
        seed(f"verb-{verb}", bytes([verb, 0]) + answer.encode())
        seed(f"fails-{verb}", bytes([verb, 0x81]) + b"out\0no \x1b environment\nmore")
    seed("bad", b"\2\0bad\n")
    seed("neither", b"\2\0fine\nbad\n")
    seed("silent", b"\1\x81\0")
    seed("late", b"\0\xff")
    seed("nul", b"\0\0A\0B\n")
    seed("much", b"\0\0" + b"A" * 257)
    seed("long-reason", b"\3\x90\0" + b"r" * 400)
    seed("key", b"\5grubenv")
    seed("name", b"\5grubenv\0none")
    seed("name-no-file", b"\5grubenv\0etc")
    seed("name-path", b"\5x\0/usr/bin/true")
    seed("name-no-path", b"\5x\0/none")
    seed("name-strange", b"\5x\0../x")
    seed("name-below", b"\5x\0/etc/passwd/x")
    seed("name-other", b"\5x\0/tmp/x/../../usr/bin/true")
    seed("key-dash", b"\5fw-env-config")
    seed("key-ours", b"\5kernel-arguments")


def grub():
    head = "# GRUB Environment Block\n"
    ours = head + "ORDER=B A\nB_OK=1\nB_TRY=0\nA_OK=0\nA_TRY=3\n"
    seed("ours", ours)
    seed("empty", head)
    seed("arguments", ours + "#" * 300 + "\nA_ARGS=quiet \\\\ x\nB_ARGS=y\n")
    seed("others", ours + "saved_entry=0\n# by hand\nnext=a\\\nb\n" + "x=" + "y" * 300 + "\nz=1\n")
    seed("damaged", ours + "no equals sign\n")
    seed("odd", head + "ORDER=\nA_OK=x\nA_TRY=9\nB_OK=\n")
    seed("not", "# something else\n")
    seed("many", head + "ORDER=" + " ".join(f"S{i}" for i in range(20)) + "\n")
    seed("bad-order", head + "ORDER=A 1x\n")
    seed("long", head + "ORDER=" + " ".join(c * 31 for c in "ABCDEFGH") + "\n")
    seed("full", ours + "x=" + "y" * 930)
    seed("none", "\0quiet")
    seed("larger", ours + "x=" + "y" * 1000)
    seed("exchanged", ours + "A_ARGS=a\nB_ARGS=b\n\0quiet \\ x")
    seed("too-much", ours + "x=" + "y" * 500 + "\n\0" + "z" * 600)


def uboot():
    ours = "arch=arm\nBOOT_ORDER=B A\nBOOT_B_OK=1\nBOOT_B_LEFT=0\nBOOT_A_OK=0\nBOOT_A_LEFT=3\n"
    seed("ours", "\0" + ours)
    seed("arguments", "\0" + ours + "BOOT_A_ARGS=quiet\nbootcmd=run x; reset\n\0# for all\nquiet\n  x=1 \n")
    seed("arguments-bad", "\0" + ours + "\0x=\u00e9")
    seed("arguments-odd", "\0" + ours + "\0x=$y")
    seed("arguments-long", "\0" + ours + "\0" + "x" * 1000)
    seed("none", "\0bootdelay=2\n")
    seed("no-configuration", "\3" + ours)
    seed("twice", "\0" + ours + "BOOT_ORDER=A\n")
    seed("odd", "\0BOOT_ORDER=\nBOOT_A_OK=12\nBOOT_B_LEFT=x")
    seed("bad-order", "\0BOOT_ORDER=A b-c\n")
    seed("many", "\0BOOT_ORDER=" + " ".join(f"S{i}" for i in range(20)) + "\n")
    seed("nul", "\2" + ours + "\0")
    seed("fails", "\1Cannot read environment\nx")


def systemd_boot():
    for i, names in enumerate((
            "osupdate-A-1000001+3\nosupdate-B-1000000", "osupdate-A-1000001+2-1\nosupdate-A-1000000\nosupdate-B-999999",
            "osupdate-A-5+0-3\nosupdate-B-7+0", "osupdate-B-3", "osupdate-A-9223372036854775807", "", "osupdate-A-0\nosupdate-B-1",
            "osupdate-A-\nosupdate--3\nosupdate-A\nosupdate-A-1+\nosupdate-A-1+1-\nosupdate-A-01",
            "osupdate-" + "A" * 40 + "-3\nosupdate-A-3+" + "0" * 80)):
        seed(f"names-{i}", "".join(n + ".conf\n" for n in names.split("\n")) + "debian.conf\nosupdate-\n")


def efi():
    def variable(which, value):
        value = b"\7\0\0\0" + value
        return bytes([which, len(value)]) + value

    def option(which, name, id_="0123456789abcdef"):
        return variable(which, b"\1\0\0\0\4\0" + f"osupdate {name} {id_}".encode("utf-16-le") + b"\0\0path")

    number = lambda *n: struct.pack(f"<{len(n)}H", *n)
    a, b, debian = option(3, "A"), option(4, "B"), variable(5, b"\1\0\0\0\4\0d\0e\0\x20\x20\0\0")
    seed("both", variable(0, number(1, 0, 26)) + a + b + debian)
    seed("trial", variable(0, number(1, 26)) + variable(1, number(0)) + a + b + debian)
    seed("tried", variable(0, number(26, 1)) + variable(2, number(0)) + a + b)
    seed("none", variable(0, number(26)) + debian)
    seed("empty", b"")
    seed("odd", variable(0, b"\1") + variable(1, b"\0") + option(3, "A", "short") + bytes([4, 2, 1, 1]) +
         option(6, "N" * 40) + option(7, "B"))
    seed("twice", variable(0, number(0, 0, 1, 3, 0)) + a + option(5, "A") + option(6, "B"))
    seed("full", variable(0, number(*range(120))) + a + b)
    seed("no-disk", variable(0x80, number(26)) + debian)


def gpt():
    def entry(kind, name, attributes, n):
        return kind * 16 + bytes([n]) * 16 + struct.pack("<QQQ", 6, 6, attributes) + \
            name.encode("utf-16-le").ljust(72, b"\0")

    def header(me, other, at, count=8, size=128):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, me, other, 5, 10,
                           b"G" * 16, at, count, size, 0).ljust(512, b"\0")

    def disk(entries, primary=None, backup=None, backup_entries=None):
        raw = b"".join(entries).ljust(1024, b"\0")
        return (bytes(512) + (primary or header(1, 15, 2)) + raw + bytes(512 * 9) + bytes(1024) +
                (backup_entries or raw) + (backup or header(15, 1, 13)))[:512 * 2] + raw + \
            bytes(512 * 9) + (backup_entries or raw) + (backup or header(15, 1, 13))

    good = [entry(b"E", "esp", 0, 1), entry(b"R", "root-a", 2 << 48 | 3 << 52, 2),
            entry(b"R", "root-b", 1 << 48 | 1 << 56, 3)]
    raw = disk(good)
    assert len(raw) == 8192
    for how in (0, 1, 2, 3, 0x23, 0x2b, 0x33, 0x3b):
        seed(f"right-{how}", bytes([how]) + raw)
    seed("blank", b"\3" + bytes(8192))
    seed("no-disk", b"\x43" + raw)
    seed("no-names", b"\3" + disk(good[:1]))
    seed("twice", b"\3" + disk(good + [entry(b"R", "root-a", 0, 4)]))
    seed("other", b"\3" + disk(good + [entry(b"R", "data", 1 << 48, 4)]))
    seed("none-bootable", b"\3" + disk([entry(b"R", "root-a", 0, 2), entry(b"R", "root-b", 0, 3)]))
    seed("moved-backup", b"\3" + disk(good, primary=header(1, 14, 2)))
    seed("entries-differ", b"\3" + disk(good, backup_entries=bytes(1024)))
    seed("counts-differ", b"\3" + disk(good, backup=header(15, 1, 13, count=4)))
    seed("large-entries", b"\3" + disk(good, primary=header(1, 15, 2, count=4, size=256)))
    seed("cut", b"\4" + raw[:1024])


globals()[target.replace("-", "_")]()
