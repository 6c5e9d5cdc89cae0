# SPDX-License-Identifier: MIT
"""The log of a disk's writes (dm-log-writes v1, as qemu's blklogwrites makes it), replayed to
moments of a power cut: what was flushed is there, of the rest any part may be."""
import random
import struct

FLUSH, FUA, DISCARD = 1, 2, 4
SECTOR = 512
MAGIC = 0x6A736677736872


class Entry:
    def __init__(self, index, offset, size, flags, position):
        self.index, self.offset, self.size = index, offset, size
        self.flags, self.position = flags, position


class WriteLog:
    def __init__(self, path):
        self.file = open(path, "rb")
        magic, version, _, sector = struct.unpack("<QQQI", self.file.read(28))
        assert magic == MAGIC and version == 1, "not a write log"
        self.entries = []
        position, end = sector, self.file.seek(0, 2)
        while position + sector <= end:
            self.file.seek(position)
            first, count, flags, _ = struct.unpack("<QQQQ", self.file.read(32))
            if not count and not flags:
                break
            position += sector
            self.entries.append(Entry(len(self.entries), first * sector, count * sector, flags,
                                      position))
            if not flags & DISCARD:
                position += count * sector

    def data(self, entry):
        if entry.flags & DISCARD:
            return bytes(entry.size)
        self.file.seek(entry.position)
        return self.file.read(entry.size)

    def apply(self, image, entry):
        if entry.size:
            image.seek(entry.offset)
            image.write(self.data(entry))

    def tear(self, image, entry, rng):
        """Only some of its sectors reach the disk."""
        data = self.data(entry)
        for at in range(0, entry.size, SECTOR):
            if rng.random() < 0.5:
                image.seek(entry.offset + at)
                image.write(data[at:at + SECTOR])

    def touching(self, offset, size, mark):
        """Indexes of writes into this range that hold `mark`."""
        return [e.index for e in self.entries
                if e.size and not e.flags & DISCARD and offset <= e.offset < offset + size
                and mark in self.data(e)]

    def points(self, count, centres, rng, width=60):
        """`count` moments: half of them around `centres`, the others anywhere."""
        last = len(self.entries)
        found = set()
        for index in centres:  # right before and right after each of these
            found.update(p for p in (index, index + 1) if p <= last)
        while len(found) < min(count, last):
            if centres and rng.random() < 0.5:
                point = int(rng.choice(centres) + rng.gauss(0, width / 2))
            else:
                point = rng.randrange(last + 1)
            if 0 <= point <= last:
                found.add(point)
        return sorted(found)

    def crashes(self, base, path, points, rng):
        """For each point: bring `path` to what a power cut there may leave; yields it."""
        flushes = [e.index for e in self.entries if e.flags & FLUSH]
        done = 0
        with open(base, "r+b") as durable:
            for point in points:
                settled = max((f for f in flushes if f < point), default=-1) + 1
                while done < settled:
                    self.apply(durable, self.entries[done])
                    done += 1
                durable.flush()
                yield point, self._crash(base, path, self.entries[done:point], rng)

    def _crash(self, base, path, open_entries, rng):
        import subprocess
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", base, path], check=True)
        with open(path, "r+b") as image:
            keep = rng.choice((0.0, 0.5, 0.9, 1.0))
            for entry in open_entries:
                if entry.flags & FUA or rng.random() < keep:
                    self.apply(image, entry)
                elif rng.random() < 0.3:
                    self.tear(image, entry, rng)
        return path
