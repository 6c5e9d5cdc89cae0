# SPDX-License-Identifier: MIT
"""Manifests and release streams."""
import struct

from common import DIGEST, seed


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
    directory = "0755 0 0 0.000000000 - - usr/lib/osupdate"
    seed("types", small + "\0" + small.replace("d " + directory, "p " + directory))
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


def stream():
    content = lambda n, size: bytes([n]) * 32 + struct.pack("<I", size)
    slice_ = struct.pack("<IIIIQ", 100, 500, 400, 0, 7)
    frames = (struct.pack("<IIII", 200, 1000, 2, 0) + content(1, 400) + content(2, 600) +
              struct.pack("<IIII", 300, 2000, 1, 2) + content(3, 2000) + content(4, 1500) + content(5, 1))
    index = struct.pack("<I", 1) + slice_ + frames
    prologue = (b"osupdate-stream\n" + struct.pack("<II", 1, 0) + b"t" * 20 + b"s" * 20 +
                struct.pack("<IIIIQQ", 10, 20, 30, len(index), 600, 3000))
    seed("index", b"\0" + prologue + index)
    # Wrong in one place each; of a size that fits where nothing else is wrong.
    u32 = lambda *n: struct.pack(f"<{len(n)}I", *n)
    slices, frame = index[:28], struct.pack("<IIII", 200, 1000, 2, 0)
    for i, text in enumerate((
            b"", u32(0), u32(1), u32(2) + slice_, u32(1) + u32(0, 500, 400, 0, 0, 0), u32(1) + u32(1, 0, 0, 0, 0, 0),
            u32(1) + u32(1, 1 << 30, 0, 0, 0, 0), u32(1) + u32(1, 5, 1 << 30, 0, 0, 0), u32(1) + u32(1, 5, 0, 1, 0, 0),
            u32(1) + u32(1, 5, 0, 0, 0, 1 << 31), slices + frame[:9], slices + u32(0, 1000, 1, 0) + content(1, 1000),
            slices + u32(200, 1000, 0, 0), slices + u32(200, 1000, 1, 5000) + content(1, 1000),
            slices + u32(200, 1000, 1 << 24, 0), slices + frame + content(1, 400), slices + frame + content(1, 0) * 2,
            slices + frame + content(1, 400) * 2, slices + frame + content(1, 1 << 30) * 2,
            slices + u32(200, 1000, 1, 1) + content(1, 1000) + content(2, 1 << 30), index + frame + content(1, 500) * 2)):
        seed(f"index-bad-{i}", b"\0" + prologue[:72] + u32(30, len(text)) + prologue[80:] + text)
    for i, (at, raw) in enumerate(((0, b"x"), (16, u32(2)), (20, u32(1)), (64, u32(1 << 31)), (72, u32(1 << 31)),
                                   (80, b"\xff" * 8), (88, u32(1)))):
        seed(f"prologue-bad-{i}", b"\0" + prologue[:at] + raw + prologue[at + len(raw):] + index)
    item = lambda kind, raw: kind + struct.pack("<I", len(raw)) + raw
    seed("head", b"\1" + item(b"c", b"commit") + item(b"t", b"tag") + item(b"c", b""))
    commit = item(b"c", b"commit")
    for i, head in enumerate((b"", b"c\1", item(b"t", b"tag"), commit + item(b"x", b""), commit[:-1], commit + b"t\0")):
        seed(f"head-bad-{i}", b"\1" + head)
    full, header = b"full 500 90\n", b"\2osupdate-streams 1\n"
    from_ = lambda digit: b"from " + digit * 40 + b" 100 30\n"
    seed("catalog-many", header + full + b"".join(from_(b"%d" % n) for n in range(1, 8)))
    for i, text in enumerate((b"", full[:-1], b"full 90 500\n", b"full x 90\n", b"full  90\n", full + full,
                              full + from_(b"0"), full + from_(b"x"), full + from_(b"2") + from_(b"1"), from_(b"1"))):
        seed(f"catalog-bad-{i}", header + text)
    seed("catalog-not", b"\2osupdate-stream 1\n" + full)
    seed("catalog", b"\2osupdate-streams 1\nfull 500 90\nfrom " + b"1" * 40 + b" 100 30\n")
