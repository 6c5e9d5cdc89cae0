#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""share.py STREAM HAS: of what STREAM carries and HAS, another stream from nothing, does not:
the bytes before STREAM's contents, the bytes of the frames those contents stand in, and
the contents' own part of them (by their length), each a number.
share.py --common STREAM HAS: where in HAS frames begin that STREAM has, too."""
import struct
import subprocess
import sys


def index(path):
    """Where the contents of a stream begin, and of each frame of contents: stored, length, {digest: size}."""
    with open(path, "rb") as f:
        head, _, stored, _ = struct.unpack("<IIII", f.read(96)[64:80])
        f.seek(96 + head)
        raw = subprocess.run(["zstd", "-qdc"], input=f.read(stored), stdout=subprocess.PIPE, check=True).stdout
    slices = struct.unpack_from("<I", raw)[0]
    begin = 96 + head + stored + sum(struct.unpack_from("<I", raw, 4 + 24 * i)[0] for i in range(slices))
    frames, at = [], 4 + 24 * slices
    while at < len(raw):
        stored, length, contents, bases = struct.unpack_from("<IIII", raw, at)
        at += 16
        frames.append((stored, length, dict(struct.unpack_from("<32sI", raw, at + 36 * i) for i in range(contents))))
        at += 36 * (contents + bases)
    return begin, frames


if sys.argv[1] == "--common":
    frames = {tuple(contents) for _, _, contents in index(sys.argv[2])[1]}
    at, has = index(sys.argv[3])
    for stored, _, contents in has:
        if tuple(contents) in frames:
            print(at)
        at += stored
    sys.exit()
begins, target = index(sys.argv[1])
has = set().union(*(contents for _, _, contents in index(sys.argv[2])[1]))
whole = part = 0
for stored, length, contents in target:
    lacked = sum(size for digest, size in contents.items() if digest not in has)
    whole += stored if lacked else 0
    part += stored * lacked / length
print(begins, whole, round(part))
