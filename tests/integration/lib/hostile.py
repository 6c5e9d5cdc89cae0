#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""hostile.py STREAM DIRECTORY OTHER: streams as no publisher would make them, each a file in
DIRECTORY.  OTHER is a stream to another release."""
import os
import random
import struct
import subprocess
import sys

stream, directory, other = sys.argv[1:]
with open(stream, "rb") as f:
    data = f.read()
with open(other, "rb") as f:
    foreign = f.read()
FIELDS = ("head_stored", "head_length", "index_stored", "index_length", "frames_stored", "contents_length")
numbers = dict(zip(FIELDS, struct.unpack("<IIIIQQ", data[64:96])))
head_at = 96
index_at = head_at + numbers["head_stored"]
frames_at = index_at + numbers["index_stored"]


def zstd(how, text):
    return subprocess.run(["zstd", "-q", "-c", *how], input=text, stdout=subprocess.PIPE, check=True).stdout


head = zstd(["-d"], data[head_at:index_at])
index = zstd(["-d"], data[index_at:frames_at])
frames = data[frames_at:]
assert len(index) == numbers["index_length"]


def write(name, text):
    with open(os.path.join(directory, name), "wb") as f:
        f.write(text)


def whole(new_head=head, new_index=index, new_frames=frames, prologue=data[:64], **other_numbers):
    """A stream around those parts, its numbers right but for other_numbers."""
    head_z, index_z = zstd(["-3"], new_head), zstd(["-3"], new_index)
    n = dict(numbers, head_stored=len(head_z), head_length=len(new_head), index_stored=len(index_z),
             index_length=len(new_index))
    n.update(other_numbers)
    return prologue + struct.pack("<IIIIQQ", *(n[k] for k in FIELDS)) + head_z + index_z + new_frames


def put32(text, at, value):
    return text[:at] + struct.pack("<I", value) + text[at + 4:]


# The prologue: every field.
write("magic", b"X" + data[1:])
write("version", put32(data, 16, 2))
write("reserved", put32(data, 20, 1))
write("target", data[:24] + b"x" * 20 + data[44:])
write("source", data[:44] + b"x" * 20 + data[64:])
for name in FIELDS:
    for what, value in (("zero", 0), ("one-more", numbers[name] + 1), ("huge", 0xffffffff)):
        write("%s-%s" % (name, what), whole(**{name: value}))
# The head.
write("head-empty", whole(new_head=b""))
write("head-cut", whole(new_head=head[:-1]))
write("head-kind", whole(new_head=b"x" + head[1:]))
write("head-size", whole(new_head=put32(head, 1, 0xffffffff)))
write("head-other-commit", whole(new_head=b"c" + struct.pack("<I", 4) + b"junk"))
write("head-bomb", data[:64] + struct.pack("<IIIIQQ", len(zstd(["-19"], bytes(200 << 20))), 100,
                                           *(numbers[k] for k in FIELDS[2:])) +
      zstd(["-19"], bytes(200 << 20)) + data[index_at:])
# The index: each number of the slice and of the first frames.
n_slices, = struct.unpack("<I", index[:4])
first = 4 + 24 * n_slices
for at in list(range(0, first, 4)) + list(range(first, first + 16, 4)):
    for what, value in (("zero", 0), ("huge", 0xffffffff), ("more", 1 + struct.unpack("<I", index[at:at + 4])[0])):
        write("index-%d-%s" % (at, what), whole(new_index=put32(index, at, value)))
write("index-cut", whole(new_index=index[:-5]))
write("index-longer", whole(new_index=index + bytes(16)))
# Another manifest, where it does not stand upon another one's.
stored, _, base_length = struct.unpack("<III", index[4:16])
if base_length == 0:
    manifest = zstd(["-d"], frames[:stored])
    other_manifest = zstd(["-3"], manifest[:-9] + bytes([manifest[-9] ^ 1]) + manifest[-8:])
    write("manifest-other", whole(new_index=put32(index, 4, len(other_manifest)),
                                  new_frames=other_manifest + frames[stored:],
                                  frames_stored=numbers["frames_stored"] - stored + len(other_manifest)))
# More of a manifest than any release has.
zeros = zstd(["-3"], bytes(16 << 20))
rest = numbers["frames_stored"] - sum(struct.unpack("<I", index[at:at + 4])[0] for at in range(4, first, 24))
write("manifest-endless", whole(
    new_index=struct.pack("<I", 80) + struct.pack("<IIIIQ", len(zeros), 16 << 20, 0, 0, 0) * 80 + index[first:],
    new_frames=zeros * 80 + frames[len(frames) - rest:], frames_stored=80 * len(zeros) + rest))
# What contents are said to be: another digest, another base.
write("digest", whole(new_index=index[:first + 16] + b"?" * 32 + index[first + 48:]))
positions, at = [], first
while at < len(index):
    stored, length, contents, bases = struct.unpack("<IIII", index[at:at + 16])
    positions.append((at, contents, bases))
    at += 16 + 36 * (contents + bases)
based = [p for p in positions if p[2]]
if len(based) > 1:
    (a, na, ba), (b, nb, bb) = based[0], based[-1]
    x, y = a + 16 + 36 * na, b + 16 + 36 * nb
    size = index[x + 32:x + 36]
    write("base-unknown", whole(new_index=index[:x] + b"?" * 32 + index[x + 32:]))
    # The base of another content, as large as it is said to be.
    write("base-other", whole(new_index=index[:x] + index[y:y + 32] + size + index[x + 36:]))
# Frames: other bytes, moved, cut, another release's, what inflates to too much.
chance = random.Random(1)
for n in range(20):
    at = chance.randrange(len(frames))
    write("frames-bit-%d" % n, data[:frames_at + at] + bytes([frames[at] ^ 1 << n % 8]) + frames[at + 1:])
write("frames-turned", data[:frames_at] + frames[1000:] + frames[:1000])
write("frames-zero", data[:frames_at] + bytes(len(frames)))
write("frames-foreign", data[:frames_at] + (foreign[-len(frames):] + bytes(len(frames)))[:len(frames)])
bomb = zstd(["-19"], bytes(64 << 20))
write("frames-bomb", data[:frames_at] + (bomb + frames)[:len(frames)])
for n in (0, 1, 95, 96, index_at + 3, frames_at, frames_at + 10, len(data) - 1):
    write("cut-%d" % n, data[:n])
write("longer", data + bytes(1 << 20))
write("foreign", foreign)
write("foreign-named", foreign[:24] + data[24:64] + foreign[64:])
