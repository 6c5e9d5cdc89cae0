#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""seeds.py TARGET DIRECTORY: inputs to begin with, each of a shape its parser takes."""
import os
import struct
import sys

target, directory = sys.argv[1:]


def seed(name, data):
    with open(os.path.join(directory, name), "wb") as f:
        f.write(data)


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


{"stream": stream}[target]()
