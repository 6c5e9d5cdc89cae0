#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""oddities.py DIR KIND: add to a root file system what is odd, and right.  oddities.py list."""
import os
import stat
import struct
import sys

KINDS = {}
TOP = None


def kind(function):
    KINDS[function.__name__.replace("_", " ")] = function
    return function


def put(name, data=b"odd\n", mode=0o644):
    path = os.path.join(TOP, os.fsencode(name))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    return path


@kind
def three_thousand_small_files():
    for i in range(3000):
        put("many/%d/%d" % (i % 17, i), b"%d\n" % i)


@kind
def names_of_any_byte():
    for byte in set(range(1, 256)) - {0x2f, 0x2e}:
        put(b"names/" + bytes([byte]))
        put(b"names/x" + bytes([byte, byte]) + b"y")
    for name in (b"-rf", b"--", b"\\040", b"\\", b"a\nb", b"\x1b[31mred", b"\xc0\xaf", b"\xff" * 255,
                 b"n" * 255, b"...", b" ", b"*", b"$(reboot)", b"`reboot`", b"%s%n"):
        put(b"names/" + name)


@kind
def names_that_git_takes_for_its_own():
    for name in (b".git", b".GIT", b".git ", b".git.", b"git~1", b".g\xe2\x80\x8cit", b".gitmodules",
                 b".gitattributes", b".gitignore", b".mailmap", b"GI7EBA~1"):
        put(b"own/" + name + b"/HEAD" if name[:4].lower() == b".git" and len(name) < 6 else b"own/" + name)
    put("../.gitattributes", b"* text eol=crlf ident filter=evil\n")
    put("../.gitmodules", b'[submodule "x"]\n\tpath = ../..\n\turl = ext::sh -c x\n')
    os.symlink(b".git/config", put(b"own/linked/x")[:-1] + b".gitmodules")


@kind
def names_that_osupdate_takes_for_its_own():
    for name in (".osupdate.0123456789abcdef.1", ".osupdate-part.0", ".osupdate-part.", ".osupdate.", "manifest",
                 "release", "usr/lib/osupdate/manifest", "blobs"):
        put("own/" + name)


@kind
def a_path_of_4095_bytes():
    at = os.open(TOP, os.O_RDONLY | os.O_DIRECTORY)
    left = 4095 - len("opt/odd/")
    while left > 255 + 1:
        name = b"d" * min(255, left - 2)
        os.mkdir(name, dir_fd=at)
        at, old = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at), at
        os.close(old)
        left -= len(name) + 1
    with os.fdopen(os.open(b"f" * left, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=at), "wb") as f:
        f.write(b"at the bottom")
    os.close(at)


@kind
def groups_of_hard_links():
    for i in range(40):
        first = put("linked/%d/first" % i, b"%d" % i, 0o4755)
        for k in range(i):
            put("linked/other-%d/x" % k)
            os.link(first, os.path.join(TOP, b"linked/other-%d/%d" % (k, i)))
    os.symlink("nowhere", os.path.join(TOP, b"linked/link"))
    os.link(os.path.join(TOP, b"linked/link"), os.path.join(TOP, b"linked/link-too"), follow_symlinks=False)
    os.mkfifo(os.path.join(TOP, b"linked/fifo"))
    os.link(os.path.join(TOP, b"linked/fifo"), os.path.join(TOP, b"linked/fifo-too"))


@kind
def all_kinds_of_attributes():
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *x) for x in (
        (1, 6, 0xffffffff), (2, 4, 1000), (4, 4, 0xffffffff), (16, 6, 0xffffffff), (32, 0, 0xffffffff)))
    f = put("attributes/file", mode=0o660)
    for name, value in (("user.empty", b""), ("user.binary", bytes(range(256))), ("user.a b\n", b"x"),
                        ("trusted.thing", b"t"), ("security.selinux", b"system_u:object_r:bin_t:s0\0"),
                        ("system.posix_acl_access", acl)):
        os.setxattr(f, name, value)
    os.setxattr(put("attributes/capable", mode=0o755), "security.capability",
                struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))
    os.setxattr(os.path.dirname(f), "system.posix_acl_default", acl)
    os.setxattr(os.path.dirname(f), "user.of-a-directory", b"d")
    put("attributes/after", b"inherits, but is listed with nothing")
    many = put("attributes/many")
    for i in range(100):
        os.setxattr(many, "user.%02d" % i, b"%d" % i)


@kind
def modes_and_owners():
    for mode in (0o4755, 0o2755, 0o6711, 0, 0o7777, 0o1644, 0o222):
        put("modes/%o" % mode, mode=mode)
        os.mkdir(os.path.join(TOP, b"modes/d%o" % mode))
        os.chmod(os.path.join(TOP, b"modes/d%o" % mode), mode)
    for uid, gid in ((1, 1), (65534, 65534), (4294967294, 4294967294)):
        path = put("owners/%d" % uid)
        os.chown(path, uid, gid)
        os.chmod(path, 0o6755)


@kind
def devices_and_fifos():
    os.makedirs(os.path.join(TOP, b"nodes"))
    for name, mode, number in ((b"null", stat.S_IFCHR, (1, 3)), (b"high", stat.S_IFBLK, (259, 1048575)),
                               (b"zero", stat.S_IFCHR, (0, 0)), (b"mem", stat.S_IFCHR, (1, 1))):
        os.mknod(os.path.join(TOP, b"nodes", name), mode | 0o600, os.makedev(*number))
    os.mkfifo(os.path.join(TOP, b"nodes/fifo"), 0o622)


@kind
def times_from_1905_to_2400():
    for i, ns in enumerate((-2051222400 * 10**9, -1, 0, 1, -10**9 + 1, 7258118400 * 10**9 + 999999999,
                            13569465600 * 10**9)):
        os.utime(put("times/%d" % i), ns=(ns, ns))
    os.utime(os.path.join(TOP, b"times"), ns=(-123456789, -123456789))


@kind
def files_of_osupdate_s_that_are_empty():
    for name in ("kernel-arguments", "local"):
        put("../../usr/lib/osupdate/" + name, b"")
    put("empty")
    os.makedirs(os.path.join(TOP, b"directories/of/nothing"))


@kind
def links_to_anything():
    os.makedirs(os.path.join(TOP, b"links"))
    for i, target in enumerate((b"/", b"..", b"../../../../../../../etc/shadow", b"-", b"4", b"t" * 4095, b"\xff\n",
                                b"/proc/self/root", b"")):
        if target:
            os.symlink(b"%d" % i if target == b"4" else target, os.path.join(TOP, b"links/%d" % i))


@kind
def a_file_of_300_MB():
    path = put("large")
    with open(path, "r+b") as f:
        f.truncate(300 << 20)
        for at in (0, 100 << 20, (200 << 20) + 1, (300 << 20) - 70000):
            f.seek(at)
            f.write(os.urandom(70000))
    put("exactly-16-MiB", bytes(16 << 20))
    put("a-byte-more", bytes((16 << 20) + 1))


def main():
    global TOP
    if sys.argv[1] == "list":
        print("\n".join(KINDS))
        return
    TOP = os.path.join(os.fsencode(sys.argv[1]), b"opt/odd")
    os.makedirs(TOP)
    KINDS[sys.argv[2]]()


main()
