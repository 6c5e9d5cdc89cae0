#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""forge-pack.py GIT_DIR ID FILE [ID FILE]…: put the bytes of FILE in place of those of object
ID, under its id, as somebody with a second preimage of SHA-1 could.

No such preimages are known, and git's own tools would tell them apart: so all objects of the
repository are written into one pack here, whose index names objects as it is told.
"""
import glob
import hashlib
import os
import struct
import subprocess
import sys
import zlib

from packs import head

git_dir = sys.argv[1]
forged = {sys.argv[i]: open(sys.argv[i + 1], "rb").read() for i in range(2, len(sys.argv), 2)}
TYPES = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}


def objects():
    out = subprocess.run(["git", "--git-dir", git_dir, "cat-file", "--batch-all-objects", "--batch"],
                         stdout=subprocess.PIPE, check=True).stdout
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        name, kind, size = out[at:end].split()
        data = out[end + 1:end + 1 + int(size)]
        yield name.decode(), TYPES[kind], forged.pop(name.decode(), data)
        at = end + 1 + int(size) + 1


places, body = {}, b""
for name, kind, data in objects():
    entry = head(kind, len(data)) + zlib.compress(data)
    places[name] = (12 + len(body), zlib.crc32(entry))
    body += entry
assert not forged, "no such object: %s" % list(forged)
pack = b"PACK" + struct.pack(">II", 2, len(places)) + body
pack += hashlib.sha1(pack).digest()
names = sorted(places)
fan = [sum(int(n[:2], 16) <= i for n in names) for i in range(256)]
index = b"\377tOc" + struct.pack(">I256I", 2, *fan) + b"".join(map(bytes.fromhex, names))
index += b"".join(struct.pack(">I", places[n][1]) for n in names)
index += b"".join(struct.pack(">I", places[n][0]) for n in names) + pack[-20:]
index += hashlib.sha1(index).digest()

directory = os.path.join(git_dir, "objects")
owner = os.stat(directory)
for path in glob.glob(directory + "/pack/*") + glob.glob(directory + "/??/*"):
    os.unlink(path)
base = os.path.join(directory, "pack/pack-" + pack[-20:].hex())
for suffix, data in ((".pack", pack), (".idx", index)):
    with open(base + suffix, "wb") as f:
        f.write(data)
    os.chmod(base + suffix, 0o444)
    os.chown(base + suffix, owner.st_uid, owner.st_gid)
