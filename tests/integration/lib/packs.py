# SPDX-License-Identifier: MIT
"""What git-hostile.py and forge-pack.py know of packs (gitformat-pack(5))."""


def head(kind, size):
    """What an object of a pack begins with."""
    out = bytearray([kind << 4 | size & 15])
    size >>= 4
    while size:
        out[-1] |= 0x80
        out.append(size & 0x7f)
        size >>= 7
    return bytes(out)
