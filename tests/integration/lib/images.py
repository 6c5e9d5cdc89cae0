#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""images.py GIT_DIR BRANCH KEY HOW: move BRANCH to a release whose *signed* manifest says what
none may, or whose commit, signature or tree is none.  images.py list: a line each,
"owner|code|text|name": who has to be owned for it, the exit code, words of the error.
images.py fine: what is odd, and nothing is wrong with it."""
import base64
import hashlib
import re
import sys

from releases import blob, git, move, payload, sign, split, trailer, tree_with, use

EMPTY = hashlib.blake2b(b"", digest_size=32).hexdigest()
ROOT = b"1700000000.000000000"
WAYS = {}


def way(owner, code, text):
    def add(function):
        WAYS[function.__name__.rstrip("_").replace("_", "-")] = (owner, code, text, function)
        return function
    return add


# --- manifests that a trusted key signed ---------------------------------------------

def unescape(text):
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), text)


def order(line):
    path = unescape(line.split(b" ", 7)[7])
    return b"" if path == b"." else path.replace(b"/", b"\0")


def groups(text):
    """Entries with their + and = lines, by the order of their paths."""
    out = []
    for line in text.split(b"\n")[1:-1]:
        if line[1:2] == b" " and line[:1] in b"+=":
            out[-1].append(line)
        else:
            out.append([line])
    return out


def whole(entries):
    return b"osupdate-manifest 1\n" + b"".join(line + b"\n" for e in entries for line in e)


def adding(*lines):
    """A manifest with one more entry, where it belongs."""
    def change(text):
        entries = groups(text) + [[x if isinstance(x, bytes) else x.encode("latin-1") for x in lines]]
        return whole(sorted(entries, key=lambda e: order(e[0])))
    return change


def file(path, size="0", digest=EMPTY, mode="0644", uid="0", mtime="1700000000.000000000"):
    return "f %s %s 0 %s %s %s %s" % (mode, uid, mtime, size, digest, path)


def hard(path, target):
    return "h - - - - - %s %s" % (target, path)


def link(path, target, mode="0777"):
    return "l %s 0 0 1700000000.000000000 - %s %s" % (mode, target, path)


def device(path, number):
    return "c 0600 0 0 1700000000.000000000 - %s %s" % (number, path)


def put(after, *lines):
    """These lines behind the entry of a path, whatever the order."""
    def change(text):
        out = []
        for e in groups(text):
            out.append(e)
            if e[0].endswith(b" " + after.encode()):
                out.append([x.encode("latin-1") for x in lines])
        return whole(out)
    return change


def without(*paths):
    return lambda text: whole([e for e in groups(text) if e[0].split(b" ", 7)[7].decode() not in paths])


def replaced(a, b):
    def change(text):
        assert a in text, a
        return text.replace(a, b, 1)
    return change


def last(extra):
    return lambda text: text + extra


D = hashlib.blake2b(b"?", digest_size=32).hexdigest()
BIG, PIECE = (16 << 20) + 1, 16 << 20
MANIFESTS = {
    "path ..": ("component . or ..", put("etc", file("etc/../evil"))),
    "path .": ("component . or ..", put("etc", file("etc/./evil"))),
    "absolute path": ("absolute", put(".", file("/etc/evil"))),
    "empty component": ("empty component", put("etc", file("etc//evil"))),
    "slash at the end": ("empty component", put("etc", file("etc/evil/"))),
    "the same path twice": ("out of order, or twice", put("etc/hostname", file("etc/hostname"))),
    "out of order": ("out of order, or twice", put("usr", file("bin/zz"))),
    "file beneath a file": ("its directory is not listed", put("etc/hostname", file("etc/hostname/evil"))),
    "file beneath a link": ("its directory is not listed",
                            put("etc/hostname", link("etc/hoyle", "/tmp"), file("etc/hoyle/evil"))),
    "file without its directory": ("its directory is not listed", adding(file("evil/evil"))),
    "hard link to a later path": ("names a later path", put("etc/hostname", hard("etc/i", "usr/share/text"))),
    "hard link to nothing": ("no first of a group", put("etc/hostname", hard("etc/i", "etc/a"))),
    "hard link to the outside": ("no first of a group", put("etc/hostname", hard("etc/i", "../../etc/shadow"))),
    "hard link to an absolute path": ("no first of a group", put("etc/hostname", hard("etc/i", "/etc/shadow"))),
    "hard link to a directory": ("no first of a group", put("etc/hostname", hard("etc/i", "etc"))),
    "hard link to a hard link": ("no first of a group", put("bin/dash", hard("bin/e", "bin/bash"), hard("bin/f", "bin/e"))),
    "hard link with an attribute": ("no attributes of its own",
                                    put("bin/dash", hard("bin/e", "bin/bash"), "= user.x -")),
    "device of too high a major": ("bad device number", put("etc/hostname", device("etc/i", "4096:0"))),
    "device of no number": ("bad device number", put("etc/hostname", device("etc/i", "8:-1"))),
    "name of 256 bytes": ("component too long", adding(file("n" * 256))),
    "path of 4096 bytes": ("path too long", adding(file("/".join(["p" * 240] * 17)[:4096]))),
    "a manifest listed": ("reserved", put("usr/lib/osupdate", file("usr/lib/osupdate/manifest"))),
    "a proof listed": ("reserved", put("usr/lib/osupdate", file("usr/lib/osupdate/release"))),
    "blobs listed": ("reserved", put("usr/lib/osupdate", "d 0755 0 0 1700000000.000000000 - - usr/lib/osupdate/blobs")),
    "attribute of another kind": ("not part of a release", put("etc/hostname", file("etc/i"), "= security.evm eA==")),
    "attribute of the system": ("not part of a release", put("etc/hostname", file("etc/i"), "= system.sockprotoname eA==")),
    "attributes out of order": ("not sorted", put("etc/hostname", file("etc/i"), "= user.b -", "= user.a -")),
    "129 attributes": ("too many attributes",
                       put("etc/hostname", file("etc/i"), *["= user.%03d -" % i for i in range(129)])),
    "attribute in another base64": ("bad value", put("etc/hostname", file("etc/i"), "= user.a eB==")),
    "attribute over 64 KiB": ("bad value", put("etc/hostname", file("etc/i"), "= user.a " +
                                               base64.b64encode(bytes(65537)).decode())),
    "pieces of a small file": ("only a file over 16 MiB has pieces",
                               put("etc/hostname", file("etc/i", "5", D), "+ 5 " + D)),
    "a large file without pieces": ("do not add up", put("etc/hostname", file("etc/i", str(BIG), D))),
    "a piece over 16 MiB": ("bad size of a piece", put("etc/hostname", file("etc/i", str(BIG), D), "+ %d %s" % (BIG, D))),
    "pieces of more than the file": ("bad size of a piece",
                                     put("etc/hostname", file("etc/i", str(BIG), D), *["+ %d %s" % (PIECE, D)] * 2)),
    "pieces of less than the file": ("do not add up",
                                     put("etc/hostname", file("etc/i", str(BIG), D), "+ %d %s" % (PIECE, D))),
    "a piece of nothing": ("bad size of a piece", put("etc/hostname", file("etc/i", str(BIG), D), "+ 0 " + D)),
    "a file of 2^63 bytes": ("bad size", put("etc/hostname", file("etc/i", str(1 << 63), D))),
    "a size below zero": ("bad size", put("etc/hostname", file("etc/i", "-1", D))),
    "a size with a zero before it": ("bad size", put("etc/hostname", file("etc/i", "05", D))),
    "a digest that is short": ("bad digest", put("etc/hostname", file("etc/i", "5", D[:-2]))),
    "a digest in capitals": ("bad digest", put("etc/hostname", file("etc/i", "5", D.upper()))),
    "the owner -1": ("bad uid or gid", put("etc/hostname", file("etc/i", uid="4294967295"))),
    "a mode of five digits": ("not four octal digits", put("etc/hostname", file("etc/i", mode="04755"))),
    "a mode beyond 7": ("not four octal digits", put("etc/hostname", file("etc/i", mode="4785"))),
    "a time without its zeros": ("bad mtime", put("etc/hostname", file("etc/i", mtime="1700000000.0"))),
    "a time that is minus nothing": ("bad mtime", put("etc/hostname", file("etc/i", mtime="-0.000000000"))),
    "a link with a mode": ("not 0777", put("etc/hostname", link("etc/i", "x", "0644"))),
    "a link to 4096 bytes": ("length of the target", put("etc/hostname", link("etc/i", "t" * 4096))),
    "a link to nowhere": ("too few fields", put("etc/hostname", link("etc/i", ""))),
    "a socket": ("unknown type", put("etc/hostname", "s 0644 0 0 1700000000.000000000 - - etc/i")),
    "a byte that is not escaped": ("bad escape", put("etc/hostname", file("etc/i\x7f"))),
    "a NUL": ("bad escape", put("etc/hostname", file("etc/i\0x"))),
    "an escaped NUL": ("bad escape", put("etc/hostname", file("etc/i\\000"))),
    "an escaped slash": ("bad escape", put("etc/hostname", file("etc/i\\057x"))),
    "an escape without need": ("bad escape", put("etc/hostname", file("etc/\\151"))),
    "a carriage return": ("bad escape", replaced(b" etc/hostname\n", b" etc/hostname\r\n")),
    "two spaces": ("too few fields", replaced(b"f 0644 0 0 ", b"f 0644  0 0 ")),
    "no newline at the end": ("without its newline", lambda text: text[:-1]),
    "a line of 200,000 bytes": ("line too long", put("etc/hostname", "x" * 200000)),
    "garbage at the end": ("too few fields", last(b"evil\n")),
    "an empty line": ("too few fields", last(b"\n")),
    "version 2": ("not \"osupdate-manifest 1\"", replaced(b"manifest 1", b"manifest 2")),
    "nothing at all": ("not \"osupdate-manifest 1\"", lambda text: b""),
    "only its head": ("no entries", lambda text: b"osupdate-manifest 1\n"),
    "no root": ("not the root directory", without(".")),
    "a root that is a link": ("not the root directory", lambda text: whole(
        [[link(".", "/").encode()]] + groups(text)[1:])),
    "no usr/lib/osupdate": ("no directory usr/lib/osupdate", without("usr/lib/osupdate")),
}


def manifest(how, lines, message, tree, branch):
    old = git("cat-file", "blob", branch + ":usr/lib/osupdate/manifest")
    new = MANIFESTS[how][1](old)
    assert new != old, how
    message = trailer(message, "Manifest", "blake2b-256:%s %d" % (
        hashlib.blake2b(new, digest_size=32).hexdigest(), len(new)))
    lines[0] = b"tree " + tree_with(tree, {b"usr/lib/osupdate/manifest": ("100644", blob(new))})
    return move(branch, lines, message, sign(payload(lines, message)))


# --- commits and signatures ----------------------------------------------------------

def signed(lines, message, branch):
    return move(branch, lines, message, sign(payload(lines, message)))


@way("wire", 3, "signature does not match")
def a_bit_of_the_signature(lines, message, armor, branch, **_):
    raw = bytearray(base64.b64decode(b"".join(armor[1:-1])))
    raw[-1] ^= 1
    text = base64.b64encode(bytes(raw))
    move(branch, lines, message, [armor[0]] + [text[i:i + 70] for i in range(0, len(text), 70)] + [armor[-1]])


@way("wire", 3, "another type than its key")
def an_ed25519_signature_called_a_token_s(lines, message, armor, branch, **_):
    """The inner type alone is turned into a hardware key's."""
    raw = base64.b64decode(b"".join(armor[1:-1]))
    at = raw.rindex(b"\0\0\0\x0bssh-ed25519")
    inner = b"\0\0\0\x1ask-ssh-ed25519@openssh.com" + raw[at + 15:] + bytes(5)
    raw = raw[:at - 4] + len(inner).to_bytes(4, "big") + inner
    text = base64.b64encode(raw)
    move(branch, lines, message, [armor[0]] + [text[i:i + 70] for i in range(0, len(text), 70)] + [armor[-1]])


@way("wire", 3, "not wrapped")
def a_signature_wrapped_otherwise(lines, message, armor, branch, **_):
    move(branch, lines, message, [armor[0], b"".join(armor[1:-1]), armor[-1]])


@way("server", 1, "more than 65536")
def a_commit_over_64_KiB(lines, message, branch, **_):
    signed(lines, b"x" * 70000 + b"\n\n" + message, branch)


@way("one of the keys", 3, "carriage return")
def a_carriage_return_in_the_message(lines, message, branch, **_):
    signed(lines, b"evil\rgood\n\n" + message, branch)


@way("one of the keys", 3, "not UTF-8")
def a_message_that_is_not_UTF_8(lines, message, branch, **_):
    signed(lines, b"\xff\xfe\n\n" + message, branch)


@way("one of the keys", 3, "object id")
def a_tree_in_capitals(lines, message, branch, **_):
    signed([lines[0][:5] + lines[0][5:].upper()] + lines[1:], message, branch)


@way("one of the keys", 3, "Osupdate-Serial")
def a_serial_with_a_zero_before_it(lines, message, branch, **_):
    signed(lines, trailer(message, "Serial", "03"), branch)


@way("one of the keys", 3, "Osupdate-Serial")
def a_serial_of_2_to_the_64(lines, message, branch, **_):
    signed(lines, trailer(message, "Serial", str(1 << 64)), branch)


@way("one of the keys", 3, "Osupdate-Manifest")
def a_manifest_by_sha256(lines, message, branch, **_):
    signed(lines, message.replace(b"blake2b-256:", b"sha256:"), branch)


@way("one of the keys", 3, "Osupdate-Version")
def a_version_with_escapes(lines, message, branch, **_):
    signed(lines, trailer(message, "Version", "\x1b[2J3"), branch)


@way("one of the keys", 3, "osupdate-serial")
def a_trailer_in_small_letters(lines, message, branch, **_):
    signed(lines, message + b"osupdate-serial: 99\n", branch)


@way("one of the keys", 3, "no trailer")
def a_trailer_that_is_folded(lines, message, branch, **_):
    signed(lines, message + b" Osupdate-Serial: 99\n", branch)


@way("one of the keys", 3, "before the confirmed one")
def a_commit_of_long_ago(lines, message, branch, **_):
    signed([re.sub(rb" \d+ \+0000$", b" 1000000000 +0000", line) for line in lines], message, branch)


@way("one of the keys", 1, "manifest")
def a_manifest_said_to_be_shorter(lines, message, branch, **_):
    signed(lines, re.sub(rb"(Osupdate-Manifest: \S+) \d+", rb"\1 100", message), branch)


@way("one of the keys", 1, "manifest")
def a_manifest_said_to_be_huge(lines, message, branch, **_):
    signed(lines, re.sub(rb"(Osupdate-Manifest: \S+) \d+", rb"\1 18446744073709551615", message), branch)


# --- trees: what a server can put below a signed commit would have another id, so that
# these, too, need a key; their manifest is right -------------------------------------

def planted(lines, message, tree, branch, changes):
    lines[0] = b"tree " + tree_with(tree, changes)
    signed(lines, message, branch)


def blob_of(branch, path):
    return git("rev-parse", branch + ":" + path).decode().strip()


@way("one of the keys", 1, "etc/os-release")
def contents_that_are_short(lines, message, tree, branch, **_):
    planted(lines, message, tree, branch, {b"etc/os-release": ("100644", blob(b"version\n"))})


@way("one of the keys", 1, "etc/os-release")
def contents_that_are_long(lines, message, tree, branch, **_):
    planted(lines, message, tree, branch, {b"etc/os-release": ("100644", blob(b"version 2\nmore\n"))})


@way("one of the keys", 1, "os-release")
def contents_of_another_path(lines, message, tree, branch, **_):
    planted(lines, message, tree, branch, {b"etc/os-release": ("100644", blob_of(branch, "usr/share/text"))})


@way("one of the keys", 1, "os-release")
def a_directory_for_a_file(lines, message, tree, branch, **_):
    planted(lines, message, tree, branch, {
        b"etc/os-release": None, b"etc/os-release/inside": ("100644", blob(b"version 2\n"))})


@way("one of the keys", 1, "os-release")
def a_submodule_for_a_file(lines, message, tree, branch, **_):
    planted(lines, message, tree, branch, {
        b"etc/os-release": ("160000", lines[1].split()[1].decode()),
        b".gitmodules": ("100644", blob(b'[submodule "x"]\n\tpath = etc/os-release\n\turl = ext::sh -c evil\n'))})


@way("one of the keys", 1, "os-release")
def a_link_for_a_file(lines, message, tree, branch, **_):
    planted(lines, message, tree, branch, {b"etc/os-release": ("120000", blob(b"/etc/shadow"))})


@way("one of the keys", 1, "usr")
def a_submodule_for_a_directory(lines, message, tree, branch, **_):
    planted(lines, message, tree, branch, {b"usr/share/text": ("160000", lines[1].split()[1].decode())})


@way("one of the keys", 1, "manifest")
def a_manifest_that_is_a_directory(lines, message, tree, branch, **_):
    planted(lines, message, tree, branch, {
        b"usr/lib/osupdate/manifest": None, b"usr/lib/osupdate/manifest/x": ("100644", blob(b"x"))})


# --- odd, and right: nothing is wrong with these -----------------------------------------

FINE = {}


def fine(function):
    FINE[function.__name__.replace("_", " ")] = function
    return function


@fine
def a_commit_with_60_parents(lines, message):
    at = next(i for i, line in enumerate(lines) if line.startswith(b"author"))
    lines[at:at] = [b"parent %040x" % i for i in range(1, 61)]
    return lines, message


@fine
def an_author_of_2000_bytes(lines, message):
    return [line.replace(b"author Builder", b"author " + "Bäuerin ".encode() * 220 + b"B") for line in lines], message


@fine
def a_message_in_many_scripts(lines, message):
    return lines, "Ausgabe für Kiosk №42 — 発行 🚀\n\nОписание\n\n".encode() + message.split(b"\n\n", 1)[1]


@fine
def a_message_of_40_KB(lines, message):
    return lines, b"Long\n\n" + b"What changed, line by line.\n" * 1500 + b"\n" + message.split(b"\n\n")[-1]


@fine
def trailers_of_other_tools(lines, message):
    return lines, message + (b"Signed-off-by: Somebody <s@example.org>\nChange-Id: I0123\n"
                             b"Osupdate-Opt-Rollout: 10%\n")


@fine
def an_author_in_another_time_zone(lines, message):
    return [re.sub(rb"^(author .*> )\d+ \+0000$", rb"\g<1>1 -1130", line) for line in lines], message


def main():
    if sys.argv[1] == "fine":
        print("\n".join(FINE))
        return
    if sys.argv[1] == "list":
        for name, (owner, code, text, _) in WAYS.items():
            print(owner, code, text, name, sep="|")
        for name, (text, _) in MANIFESTS.items():
            print("one of the keys", 1, text, "manifest: " + name, sep="|")
        return
    git_dir, branch, key, how = sys.argv[1:5]
    use(git_dir, key)
    lines, message, armor = split(git("cat-file", "commit", branch))
    tree = lines[0].split()[1].decode()
    if how in FINE:
        lines, message = FINE[how](lines, message)
        signed(lines, message, branch)
    elif how.startswith("manifest: "):
        manifest(how[10:], lines, message, tree, branch)
    else:
        WAYS[how][3](lines=lines, message=message, armor=armor, tree=tree, branch=branch)


main()
