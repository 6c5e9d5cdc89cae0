#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""git-hostile.py PORT REPOSITORY OLD NEW: a git server on loopback that offers NEW to a device
that has OLD, and answers as the first component of the path says: "good", as no git server
does (GET /modes lists all ways), or with what is in the way of an honest server later (GET
/leftovers)."""
import gzip
import hashlib
import http.server
import socketserver
import struct
import subprocess
import sys
import zlib

from packs import head

port, repository, old, new = sys.argv[1:]
port = int(port)
ADVERTISED = "application/x-git-upload-pack-advertisement"
RESULT = "application/x-git-upload-pack-result"


def git(*args, text=b""):
    return subprocess.run(("git", "--git-dir", repository) + args, input=text, stdout=subprocess.PIPE,
                          check=True).stdout


def objects(commit):
    return [line.split()[0] for line in git("rev-list", "--objects", "-1", commit).decode().splitlines()]


def pack(ids):
    return git("pack-objects", "-q", "--stdout", text="\n".join(ids).encode() + b"\n")


def sealed(body):
    return body + hashlib.sha1(body).digest()


def line(text):
    if isinstance(text, str):
        text = text.encode() + b"\n"
    return b"%04x" % (len(text) + 4) + text


def band(number, data):
    return b"".join(line(bytes([number]) + data[i:i + 60000]) for i in range(0, len(data), 60000))


FLUSH, DELIM = b"0000", b"0001"
NEW = objects(new)
OLD = objects(old)
WHOLE = pack(NEW)
TREE = git("rev-parse", new + "^{tree}").decode().strip()
BLOB = git("rev-parse", new + ":usr/share/only-in-2").decode().strip()
CAPS = ("version 2", "agent=git/2.39", "ls-refs", "fetch=shallow filter", "object-format=sha1")
SHALLOW = line("shallow-info") + line("shallow " + new) + DELIM
ODD = "1234567890" * 4


def caps(lines=CAPS, end=FLUSH):
    return b"".join(line(one) for one in lines) + end


def answer(data=WHOLE, before=SHALLOW, end=FLUSH):
    return before + line("packfile") + band(1, data) + end


def flipped(at):
    return WHOLE[:at] + bytes([WHOLE[at] ^ 0x55]) + WHOLE[at + 1:]


def endless(piece):
    while True:
        yield piece


def then(first, rest):
    yield first
    yield from rest


def entry(kind, data):
    """An object as it stands in a pack, and its id."""
    number = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}[kind]
    name = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data).hexdigest()
    return name, head(number, len(data)) + zlib.compress(data)


def raw(id_):
    kind = git("cat-file", "-t", id_).decode().strip()
    return entry(kind, git("cat-file", kind, id_))[1]


def made(entries):
    return sealed(b"PACK" + struct.pack(">II", 2, len(entries)) + b"".join(entries))


def names_in(tree):
    """Names and ids in a tree."""
    return [(one.split("\t")[1], one.split()[2]) for one in git("ls-tree", tree).decode().splitlines()]


def commit_of(entries):
    """A tree of files that are called so, whatever they are, and a commit of it."""
    text = b"".join(b"100644 %s\0" % name.encode() + bytes.fromhex(id_) for name, id_ in sorted(entries))
    tree, tree_entry = entry("tree", text)
    commit, commit_entry = entry("commit", f"tree {tree}\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nx\n".encode())
    return commit, [commit_entry, tree_entry]


def tags(refs):
    """Refs of one tag, and what is sent with it."""
    tag, tag_entry = entry("tag", f"object {new}\ntype commit\ntag x\ntagger a <a> 0 +0000\n\nx\n".encode())
    return (line(new + " refs/heads/stable") + b"".join(
        line(f"{tag} refs/tags/osupdate/{ref} peeled:{new}") for ref in refs) + FLUSH,
            answer(made([raw(i) for i in NEW] + [tag_entry])))


SMALL = entry("blob", b"hello")
DELTA = zlib.compress(b"\x05\x05\x05abcde")
# What replaces the answers to a GET, to ls-refs, to fetch.
FIRST = {
    "html": ("text/html", b"<html>please pay</html>"),
    "nothing": (ADVERTISED, b""),
    "no-pkt-lines": (ADVERTISED, b"HTTP/1.1 200 OK"),
    "length-3": (ADVERTISED, b"0003"),
    "no-hex": (ADVERTISED, b"00xyversion 2"),
    "capabilities-cut": (ADVERTISED, caps()[:40]),
    "capabilities-no-end": (ADVERTISED, caps(end=b"")),
    "capabilities-endless": (ADVERTISED, endless(line("version 2") + line("agent=x"))),
    "sha256": (ADVERTISED, caps(CAPS[:4] + ("object-format=sha256",))),
    "version-1": (ADVERTISED, line("# service=git-upload-pack") + FLUSH + line("version 1") + FLUSH),
    "no-shallow": (ADVERTISED, caps(("version 2", "ls-refs", "fetch"))),
    "err": (ADVERTISED, line("ERR go \x1b[31maway")),
    "delim": (ADVERTISED, DELIM),
}
REFS = {
    "refs-nothing": b"",
    "refs-cut": line(new + " refs/heads/stable")[:30],
    "refs-no-end": line(new + " refs/heads/stable"),
    "refs-no-id": line("xyz refs/heads/stable") + FLUSH,
    "refs-long-id": line(new + "00 refs/heads/stable") + FLUSH,
    "refs-no-name": line(new + " ") + FLUSH,
    "refs-nul": line(new.encode() + b" refs/heads/stable\0x\n") + FLUSH,
    "refs-peeled": line(new + " refs/heads/stable peeled:12") + FLUSH,
    "refs-delim": line(new + " refs/heads/stable") + DELIM,
    "refs-more": line(new + " refs/heads/stable") + FLUSH + line("more"),
    "refs-endless": endless(line(new + " refs/tags/osupdate/1/x") * 500),
    "refs-err": line("ERR not today"),
    "refs-absent-commit": line(ODD + " refs/heads/stable") + FLUSH,
    "refs-tag-of-blob": line(new + " refs/heads/stable") +
    line("%s refs/tags/osupdate/2/x peeled:%s" % (BLOB, new)) + FLUSH,
}
ANSWERS = {
    "fetch-nothing": b"",
    "fetch-flush": FLUSH,
    "fetch-err": line("ERR upload-pack: not our ref"),
    "fetch-html": b"<html>",
    "no-packfile": SHALLOW + FLUSH,
    "no-flush": answer(end=b""),
    "after-the-flush": answer() + line("more"),
    "delim-at-the-end": answer(end=DELIM),
    "no-pack": SHALLOW + line("packfile") + FLUSH,
    "pack-of-another-release": answer(pack(OLD)),
    "pack-lacks-tree": answer(pack([i for i in NEW if i != TREE])),
    "pack-lacks-blob": answer(pack([i for i in NEW if i != BLOB])),
    "pack-lacks-commit": answer(pack([i for i in NEW if i != new])),
    "pack-without-objects": answer(sealed(b"PACK" + struct.pack(">II", 2, 0))),
    "pack-counts-too-many": answer(sealed(b"PACK" + struct.pack(">II", 2, 0xffffffff) + WHOLE[12:-20])),
    "pack-counts-too-few": answer(sealed(b"PACK" + struct.pack(">II", 2, 1) + WHOLE[12:-20])),
    "pack-version-9": answer(sealed(b"PACK" + struct.pack(">II", 9, len(NEW)) + WHOLE[12:-20])),
    "pack-checksum": answer(WHOLE[:-20] + b"x" * 20),
    "pack-garbage": answer(bytes(range(256)) * 100),
    "pack-and-more": answer(WHOLE + b"more"),
    "pack-endless": then(SHALLOW + line("packfile") + band(1, WHOLE), endless(band(1, b"x" * 60000))),
    "pack-huge-object": answer(sealed(b"PACK" + struct.pack(">II", 2, 1) + head(3, 1 << 40) + zlib.compress(b"x"))),
    "pack-bomb": answer(sealed(b"PACK" + struct.pack(">II", 2, 1) + head(3, 5) + zlib.compress(b"x" * 50000000))),
    "delta-on-nothing": answer(sealed(b"PACK" + struct.pack(">II", 2, 1) + head(7, 8) + bytes.fromhex(ODD) + DELTA)),
    "delta-before-the-pack": answer(sealed(b"PACK" + struct.pack(">II", 2, 1) + head(6, 8) + b"\x7f" + DELTA)),
    "delta-on-itself": answer(sealed(b"PACK" + struct.pack(">II", 2, 1) + head(6, 8) + b"\x00" + DELTA)),
    "delta-is-its-base": answer(sealed(b"PACK" + struct.pack(">II", 2, 2) + SMALL[1] + head(7, 8) +
                                       bytes.fromhex(SMALL[0]) + zlib.compress(b"\5\5\5hello"))),
    "band-error": SHALLOW + line("packfile") + line(b"\x03the disk \x1b[31mis full"),
    "band-error-late": SHALLOW + line("packfile") + band(1, WHOLE[:500]) + line(b"\x03sorry") + FLUSH,
    "band-4": SHALLOW + line("packfile") + line(b"\x04x") + FLUSH,
    "band-none": SHALLOW + line("packfile") + b"0004" + FLUSH,
    "messages-endless": then(SHALLOW + line("packfile"), endless(line(b"\x02counting\r") * 100)),
    "life-signs-endless": then(SHALLOW + line("packfile"), endless(line(b"\x01") * 1000)),
    "shallow-twice": answer(before=SHALLOW + SHALLOW),
    "shallow-odd": answer(before=line("shallow-info") + line("shallow " + ODD) + DELIM),
    "shallow-old": answer(before=line("shallow-info") + line("shallow " + old) + DELIM),
    "unshallow-odd": answer(before=line("shallow-info") + line("unshallow " + ODD) + DELIM),
    "shallow-no-id": answer(before=line("shallow-info") + line("shallow x") + DELIM),
    "shallow-endless": then(line("shallow-info"), endless(line("shallow " + new) * 100)),
    "shallow-cut": line("shallow-info") + line("shallow " + new)[:20],
    "acknowledgments": answer(before=line("acknowledgments") + line("NAK") + DELIM),
    "unknown-section": answer(before=line("wanted-refs") + DELIM),
    "packfile-twice": SHALLOW + line("packfile") + line("packfile") + band(1, WHOLE) + FLUSH,
}
for i in range(1, 9):
    ANSWERS["cut-%d" % i] = answer()[:len(answer()) * i // 9]
    ANSWERS["pack-cut-%d" % i] = answer(WHOLE[:len(WHOLE) * i // 9])
    ANSWERS["flipped-%d" % i] = answer(flipped(len(WHOLE) * i // 9))
# Directories of NEW are files in this commit: all it names is there, and nothing below them.
TWIN, TWIN_ENTRIES = commit_of(names_in(TREE))
# A directory of OLD is a file in this one; it brings much that nobody needs.
FILE, FILE_ENTRIES = commit_of([("x", git("rev-parse", old + ":usr").decode().strip())])
NOISE = entry("blob", b"".join(hashlib.sha512(b"%d" % i).digest() for i in range(200000)))[1]
LEFTOVERS = {
    "twin": (line(TWIN + " refs/heads/stable") + FLUSH,
             answer(made(TWIN_ENTRIES + [raw(new), raw(TREE)] + [raw(i) for _, i in names_in(TREE)]), b"")),
    "file": (line(FILE + " refs/heads/stable") + FLUSH, answer(made(FILE_ENTRIES + [NOISE]), b"")),
    "tag-is-a-file": tags(["2"]),
    "tag-is-a-directory": tags(["2/alice/x"]),
    "tags-many": tags([f"2/{n}" for n in range(250)]),
}
REDIRECTS = {
    "redirect-loop": "/redirect-loop/os.git/info/refs?service=git-upload-pack",
    "redirect-file": "file:///etc/passwd",
    "redirect-away": "/good/other",
    "redirect-odd": "gopher://127.0.0.1/info/refs?service=git-upload-pack",
}
STATUS = {"status-500": 500, "status-204": 204, "status-404": 404, "status-401": 401}
# Below HTTP's own rules: bytes as they are sent.
BARE = {
    "headers-endless": then(b"HTTP/1.1 200 OK\r\n", endless(b"X: y\r\n" * 10000)),
    "header-endless": then(b"HTTP/1.1 200 OK\r\nX: ", endless(b"y" * 65536)),
    "continue-endless": endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "no-http": b"\x1b[2J evil\r\n\r\n",
    "chunk-endless": then(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: " + ADVERTISED.encode() +
                          b"\r\n\r\n", endless(b"f" * 65536)),
    "gzip-bomb": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: " + ADVERTISED.encode() +
    b"\r\n\r\n" + gzip.compress(bytes(64 << 20)),
}
MODES = sorted({*FIRST, *REFS, *ANSWERS, *REDIRECTS, *STATUS, *BARE, "redirect-post", "post-500", "post-html"})


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def send(self, kind, body, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for piece in [body] if isinstance(body, bytes) else body:
                self.wfile.write(piece)
        except OSError:
            pass

    def do_GET(self):
        mode = self.path.split("/")[1]
        if mode == "modes":
            self.send("text/plain", "\n".join(MODES).encode() + b"\n")
        elif mode == "leftovers":
            self.send("text/plain", "\n".join(LEFTOVERS).encode() + b"\n")
        elif mode in REDIRECTS:
            self.send("text/plain", b"", 302, Location=REDIRECTS[mode])
        elif mode in BARE:
            self.close_connection = True
            try:
                for piece in [BARE[mode]] if isinstance(BARE[mode], bytes) else BARE[mode]:
                    self.wfile.write(piece)
            except OSError:
                pass
        elif mode in STATUS:
            self.send("text/plain", b"", STATUS[mode])
        else:
            self.send(*FIRST.get(mode, (ADVERTISED, caps())))

    def do_POST(self):
        mode = self.path.split("/")[1]
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        if mode == "redirect-post":
            self.send(RESULT, b"", 302, Location="/good/os.git/git-upload-pack")
        elif mode == "post-500":
            self.send(RESULT, b"", 500)
        elif mode == "post-html":
            self.send("text/html", answer())
        elif mode in LEFTOVERS:
            self.send(RESULT, LEFTOVERS[mode][b"command=ls-refs" not in asked])
        elif b"command=ls-refs" in asked:
            self.send(RESULT, REFS.get(mode, line(new + " refs/heads/stable") + FLUSH))
        else:
            self.send(RESULT, ANSWERS.get(mode, answer()))


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


Server(("127.0.0.1", port), Handler).serve_forever()
