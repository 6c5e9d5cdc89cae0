# SPDX-License-Identifier: MIT
"""What boot loaders and partition tables hold."""
import struct

from common import seed


def grub():
    head = "# GRUB Environment Block\n"
    ours = head + "ORDER=B A\nB_OK=1\nB_TRY=0\nA_OK=0\nA_TRY=3\n"
    seed("ours", ours)
    seed("empty", head)
    seed("arguments", ours + "#" * 300 + "\nA_ARGS=quiet \\\\ x\nB_ARGS=y\n")
    seed("others", ours + "saved_entry=0\n# by hand\nnext=a\\\nb\n" + "x=" + "y" * 300 + "\nz=1\n")
    seed("damaged", ours + "no equals sign\n")
    seed("odd", head + "ORDER=\nA_OK=x\nA_TRY=9\nB_OK=\n")
    seed("not", "# something else\n")
    seed("many", head + "ORDER=" + " ".join(f"S{i}" for i in range(20)) + "\n")
    seed("bad-order", head + "ORDER=A 1x\n")
    seed("long", head + "ORDER=" + " ".join(c * 31 for c in "ABCDEFGH") + "\n")
    seed("full", ours + "x=" + "y" * 930)
    seed("none", "\0quiet")
    seed("larger", ours + "x=" + "y" * 1000)
    seed("exchanged", ours + "A_ARGS=a\nB_ARGS=b\n\0quiet \\ x")
    seed("reserved", ours + "\0root=/dev/sda1")
    seed("too-much", ours + "x=" + "y" * 500 + "\n\0" + "z" * 600)


def uboot():
    ours = "arch=arm\nBOOT_ORDER=B A\nBOOT_B_OK=1\nBOOT_B_LEFT=0\nBOOT_A_OK=0\nBOOT_A_LEFT=3\n"
    seed("ours", "\0" + ours)
    seed("arguments", "\0" + ours + "BOOT_A_ARGS=quiet\nbootcmd=run x; reset\n\0# for all\nquiet\n  x=1 \n")
    seed("arguments-bad", "\0" + ours + "\0x=\u00e9")
    seed("arguments-reserved", "\0" + ours + "\0quiet\nroot=/dev/sda1")
    seed("arguments-odd", "\0" + ours + "\0x=$y")
    seed("arguments-long", "\0" + ours + "\0" + "x" * 1000)
    seed("none", "\0bootdelay=2\n")
    seed("no-configuration", "\3" + ours)
    seed("twice", "\0" + ours + "BOOT_ORDER=A\n")
    seed("odd", "\0BOOT_ORDER=\nBOOT_A_OK=12\nBOOT_B_LEFT=x")
    seed("bad-order", "\0BOOT_ORDER=A b-c\n")
    seed("many", "\0BOOT_ORDER=" + " ".join(f"S{i}" for i in range(20)) + "\n")
    seed("nul", "\2" + ours + "\0")
    seed("fails", "\1Cannot read environment\nx")


def systemd_boot():
    for i, names in enumerate((
            "osupdate-A-1000001+3\nosupdate-B-1000000", "osupdate-A-1000001+2-1\nosupdate-A-1000000\nosupdate-B-999999",
            "osupdate-A-5+0-3\nosupdate-B-7+0", "osupdate-B-3", "osupdate-A-9223372036854775807", "", "osupdate-A-0\nosupdate-B-1",
            "osupdate-A-\nosupdate--3\nosupdate-A\nosupdate-A-1+\nosupdate-A-1+1-\nosupdate-A-01",
            "osupdate-" + "A" * 40 + "-3\nosupdate-A-3+" + "0" * 80)):
        seed(f"names-{i}", "".join(n + ".conf\n" for n in names.split("\n")) + "debian.conf\nosupdate-\n")


def efi():
    def variable(which, value):
        value = b"\7\0\0\0" + value
        return bytes([which, len(value)]) + value

    def option(which, name, id_="0123456789abcdef"):
        return variable(which, b"\1\0\0\0\4\0" + f"osupdate {name} {id_}".encode("utf-16-le") + b"\0\0path")

    number = lambda *n: struct.pack(f"<{len(n)}H", *n)
    a, b, debian = option(3, "A"), option(4, "B"), variable(5, b"\1\0\0\0\4\0d\0e\0\x20\x20\0\0")
    seed("both", variable(0, number(1, 0, 26)) + a + b + debian)
    seed("trial", variable(0, number(1, 26)) + variable(1, number(0)) + a + b + debian)
    seed("tried", variable(0, number(26, 1)) + variable(2, number(0)) + a + b)
    seed("none", variable(0, number(26)) + debian)
    seed("empty", b"")
    seed("odd", variable(0, b"\1") + variable(1, b"\0") + option(3, "A", "short") + bytes([4, 2, 1, 1]) +
         option(6, "N" * 40) + option(7, "B"))
    seed("twice", variable(0, number(0, 0, 1, 3, 0)) + a + option(5, "A") + option(6, "B"))
    seed("full", variable(0, number(*range(120))) + a + b)
    seed("no-disk", variable(0x80, number(26)) + debian)


def gpt():
    def entry(kind, name, attributes, n):
        return kind * 16 + bytes([n]) * 16 + struct.pack("<QQQ", 6, 6, attributes) + \
            name.encode("utf-16-le").ljust(72, b"\0")

    def header(me, other, at, count=8, size=128):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, me, other, 5, 10,
                           b"G" * 16, at, count, size, 0).ljust(512, b"\0")

    def disk(entries, primary=None, backup=None, backup_entries=None):
        raw = b"".join(entries).ljust(1024, b"\0")
        return (bytes(512) + (primary or header(1, 15, 2)) + raw + bytes(512 * 9) + bytes(1024) +
                (backup_entries or raw) + (backup or header(15, 1, 13)))[:512 * 2] + raw + \
            bytes(512 * 9) + (backup_entries or raw) + (backup or header(15, 1, 13))

    good = [entry(b"E", "esp", 0, 1), entry(b"R", "root-a", 2 << 48 | 3 << 52, 2),
            entry(b"R", "root-b", 1 << 48 | 1 << 56, 3)]
    raw = disk(good)
    assert len(raw) == 8192
    for how in (0, 1, 2, 3, 0x23, 0x2b, 0x33, 0x3b):
        seed(f"right-{how}", bytes([how]) + raw)
    seed("blank", b"\3" + bytes(8192))
    seed("no-disk", b"\x43" + raw)
    seed("no-names", b"\3" + disk(good[:1]))
    seed("twice", b"\3" + disk(good + [entry(b"R", "root-a", 0, 4)]))
    seed("other", b"\3" + disk(good + [entry(b"R", "data", 1 << 48, 4)]))
    seed("none-bootable", b"\3" + disk([entry(b"R", "root-a", 0, 2), entry(b"R", "root-b", 0, 3)]))
    seed("moved-backup", b"\3" + disk(good, primary=header(1, 14, 2)))
    seed("entries-differ", b"\3" + disk(good, backup_entries=bytes(1024)))
    seed("counts-differ", b"\3" + disk(good, backup=header(15, 1, 13, count=4)))
    seed("large-entries", b"\3" + disk(good, primary=header(1, 15, 2, count=4, size=256)))
    seed("cut", b"\4" + raw[:1024])
