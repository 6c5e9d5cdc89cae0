#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""packages.py DIRECTORY RELEASE: a root of 150 packages as they lie in a distribution's
root: programs and libraries of very different sizes, and small files that stand among
those of all others.  Each release has four packages made anew."""
import os
import random
import sys

PACKAGES, ANEW = 150, 4
top, release = sys.argv[1], int(sys.argv[2])


def text(size, *seed):
    """Words, so that it shrinks by about as much as programs do."""
    r = random.Random(repr(seed))
    words = [r.randbytes(r.randrange(3, 12)) for _ in range(300)]
    return b"".join(r.choices(words, k=size // 7))


def size_of(n, kind, low, high):
    return min(int(random.Random(repr((n, kind))).paretovariate(0.8) * low), high)


def write(path, data):
    path = os.path.join(top, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def package(n, version):
    name = "package%d" % (n * 7919 % 1000)
    write("usr/bin/" + name, text(size_of(n, "program", 15000, 2000000), n, version, "program"))
    write("usr/lib/lib%s.so.1" % name, text(size_of(n, "library", 30000, 3000000), n, version, "library"))
    write("usr/share/man/man1/%s.1.gz" % name, text(3000, n, version, "manual"))
    write("usr/share/doc/%s/changelog.Debian.gz" % name, text(2000, n, version, "changelog"))
    write("usr/share/doc/%s/copyright" % name, text(5000, n, "copyright"))
    write("var/lib/dpkg/info/%s.md5sums" % name, text(700, n, version, "sums"))
    write("var/lib/dpkg/info/%s.list" % name, text(900, n, "list"))


version = [1] * PACKAGES
for r in range(2, release + 1):
    for n in random.Random(r).sample(range(PACKAGES), ANEW):
        version[n] = r
for number in range(PACKAGES):
    if release == 1 or version[number] == release:
        package(number, version[number])
write("etc/os-release", b"ID=packages\nVERSION_ID=%d\n" % release)
write("var/lib/dpkg/status", b"".join(b"Package: %d\nVersion: %d\n\n" % nv for nv in enumerate(version)) * 20)
