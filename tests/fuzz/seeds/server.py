# SPDX-License-Identifier: MIT
"""What a server sends."""
import os
import struct
import tempfile
import zlib

from common import directory, run, seed


def pktline():
    lines = b"000eversion 2\n0015agent=git/2.39.2\n0001000bERR no\n0000" + b"0004" + b"0002"
    for step in (0, 2, 255):
        seed(f"step-{step}", bytes([step]) + lines)
    seed("large", b"\xfffff0" + b"x" * 65516 + b"0000")
    seed("large-late", b"\xff" + b"000axxxxxx" + b"fff0" + b"x" * 65516)
    seed("cut", b"\3000axx")
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
            f.write(body * 5)
    for first in range(5):
        seed("local-%d" % first, bytes([0x20 | first]) + b"\7\x64" + part(0, 300, 5000))
        seed("options-%d" % first, bytes([0x18 | first]) + b"\0\x64" + part(0, 300, 5000))
    for first in range(5):
        for what in b"\xff\xfe\xfd":
            seed("nowhere-%d-%d" % (first, what), bytes([first, 0, what]) + ok + b"\r\n" + body)
        large = ok + b"\r\n" if first < 4 else part(0, 900000, 900000)
        seed("silent-%d" % first, bytes([first, 0, 0]) + large + body[:50] + b"\xff")
        seed("silent-at-once-%d" % first, bytes([first, 0, 0]) + b"\xff")
        seed("endless-%d" % first, bytes([first, 0, 0]) + large + body * 100 + b"\xfe")
    seed("local-beyond", b"\xa4\xff\xff" + part(255, 300, 6000))
    seed("body-silent", b"\x04\0\x64HTTP/1.1 206 X\r\nContent-Range: bytes 0-9/x\r\n\r\n")
    seed("body-nowhere", b"\x04\x07\0HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
    seed("body-absent", b"\x84\x07\0HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n\0\0" + part(7, 3000, 3007))
