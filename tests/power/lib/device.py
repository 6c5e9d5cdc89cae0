# SPDX-License-Identifier: MIT
"""A device of files: two slots on loop devices, a grubenv, a state directory.  Its whole state
can be remembered and brought back in milliseconds, so that every point starts from the same."""
import ctypes
import fcntl
import mmap
import os
import re
import shutil
import stat
import subprocess
import uuid

BLKFLSBUF = 0x1261
CLONE_NEWNS = 0x20000
BOOT_ID = "/proc/sys/kernel/random/boot_id"
CHUNK = 1 << 16
ENV_HEADER = b"# GRUB Environment Block\n"


class Bad(Exception):
    """Something that must never be."""


class Snapshot:
    pass


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write_in_place(path, data):
    with open(path, "r+b") as f:
        f.write(data)


def tree_read(top):
    """Every entry below `top`, parents first."""
    found = []
    for directory, names, files in os.walk(top):
        for name in names + files:
            path = os.path.join(directory, name)
            st = os.lstat(path)
            data = read(path) if stat.S_ISREG(st.st_mode) else None
            found.append((os.path.relpath(path, top), st, data))
    return found


def tree_write(top, entries):
    for name in os.listdir(top):
        path = os.path.join(top, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    for name, st, data in entries:
        path = os.path.join(top, name)
        if data is None:
            os.mkdir(path)
        else:
            with open(path, "wb") as f:
                f.write(data)
        os.chown(path, st.st_uid, st.st_gid)
        os.chmod(path, stat.S_IMODE(st.st_mode))
    for name, st, _ in reversed(entries):
        os.utime(os.path.join(top, name), ns=(st.st_atime_ns, st.st_mtime_ns))


class Image:
    """The file below a slot's loop device, mapped: it is looked at thousands of times, and
    copying it costs more than all else that is done with it."""
    libc = ctypes.CDLL(None)
    libc.memcmp.argtypes = libc.memcpy.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

    def __init__(self, path):
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)
        self.size = len(self.map)
        self.at = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.proved = ctypes.create_string_buffer(self.size)

    def copy(self):
        return bytes(self.map)

    def keep(self):
        self.libc.memcpy(self.proved, self.at, self.size)

    def differs(self, copy, start=0, size=None):
        at = ctypes.cast(copy, ctypes.c_void_p).value + start
        return self.libc.memcmp(self.at + start, at, size or self.size) != 0

    def put(self, copy):
        """Only what is different."""
        for start in range(0, self.size, CHUNK):
            size = min(CHUNK, self.size - start)
            if self.differs(copy, start, size):
                self.map[start:start + size] = copy[start:start + size]


class Device:
    def __init__(self, directory, inject):
        self.dir, self.inject = directory, inject
        self.conf = self.path("etc/osupdate.conf")
        self.slots = dict(re.findall(r"\[slot (\w)\]\ndevice = (\S+)", read(self.conf).decode()))
        self.booted = "none"
        self.proved = {}  # slot: its record when it was verified; its bytes are in the image
        self.log = []
        self.images = {name: Image(self.path("slot-%s.img" % name.lower())) for name in self.slots}
        os.makedirs(self.path("tmp"), exist_ok=True)
        self._private_boot_id()

    def path(self, name):
        return os.path.join(self.dir, name)

    def _private_boot_id(self):
        """A boot of the device is a new boot id, for this process and its children only."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS) < 0:
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        with open(self.path("boot-id"), "w") as f:
            f.write("%s\n" % uuid.uuid4())
        subprocess.run(["mount", "--bind", self.path("boot-id"), BOOT_ID], check=True)

    # --- running -------------------------------------------------------------------------

    def osu(self, *words, wrap=()):
        """Exit code of osupdate; what it printed goes to self.log and self.out."""
        done = subprocess.run(
            [*wrap, os.environ["OSUPDATE"], "--config", self.conf, "--booted", self.booted,
             "--progress=none", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(os.environ, TMPDIR=self.path("tmp")))
        self.out = done.stdout.decode("utf8", "replace")
        self.log.append("$ osupdate %s: exit %d" % (" ".join(words), done.returncode))
        printed = done.stderr.decode("utf8", "replace")
        if words[0] != "status":
            printed = self.out + printed
        self.log += ["  " + line for line in printed.splitlines()]
        return done.returncode

    def must(self, *words):
        got = self.osu(*words)
        if got != 0:
            raise Bad("%s: exit %d" % (" ".join(words), got))

    def verify(self, slot):
        """It proves itself, unless not one byte of it or of its record has changed since it
        did so."""
        record = self.path("state/slots/" + slot)
        self._flush(slot)
        text = read(record) if os.path.exists(record) else b""
        image = self.images[slot]
        if self.proved.get(slot) == text and not image.differs(image.proved):
            return
        self.proved.pop(slot, None)
        image.keep()
        self.must("verify", "--slot", slot)
        self.proved[slot] = text

    def version(self, slot):
        """Of the release that is sealed there by the slot's record, or None."""
        try:
            text = read(self.path("state/slots/" + slot)).decode()
        except FileNotFoundError:
            return None
        sealed = "\ncontents sealed\n" in text
        return re.search(r"^version (.*)$", text, re.MULTILINE)[1] if sealed else None

    def publish(self, release):
        with open(self.path("os.git/refs/releases/%d" % release)) as f:
            commit = f.read()
        with open(self.path("os.git/refs/heads/stable"), "w") as f:
            f.write(commit)

    # --- the boot loader -----------------------------------------------------------------

    def grubenv(self):
        env = read(self.path("boot/grubenv"))
        if len(env) != 1024 or not env.startswith(ENV_HEADER):
            raise Bad("grubenv is damaged (%d bytes)" % len(env))
        return dict(line.split("=", 1) for line in env.decode("latin1").split("\n")
                    if "=" in line and not line.startswith("#"))

    def choice(self):
        """What GRUB would boot now, as loader_choice in tests/lib.sh."""
        env = self.grubenv()
        for name in env["ORDER"].split():
            if env[name + "_OK"] == "1" or int(env[name + "_TRY"]) > 0:
                return name
        return None

    def boot(self):
        """As GRUB does it: an attempt is counted."""
        name = self.choice()
        if name is None:
            raise Bad("the loader has nothing to boot")
        env = self.grubenv()
        if env[name + "_OK"] != "1":
            was = "%s_TRY=%s\n" % (name, env[name + "_TRY"])
            now = "%s_TRY=%d\n" % (name, int(env[name + "_TRY"]) - 1)
            block = read(self.path("boot/grubenv")).replace(was.encode(), now.encode())
            write_in_place(self.path("boot/grubenv"), block.ljust(1024, b"#")[:1024])
        self.booted = name
        write_in_place(self.path("boot-id"), b"%s\n" % str(uuid.uuid4()).encode())
        self.log.append("# booted " + name)

    # --- remembering ---------------------------------------------------------------------

    def _flush(self, name):
        fd = os.open(self.slots[name], os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, BLKFLSBUF)
        finally:
            os.close(fd)

    def remember(self):
        s = Snapshot()
        s.images = {}
        for name in self.slots:
            self._flush(name)
            s.images[name] = self.images[name].copy()
        s.state = tree_read(self.path("state"))
        s.files = {n: read(self.path(n))
                   for n in ("boot/grubenv", "boot-id", "os.git/refs/heads/stable")}
        s.booted = self.booted
        return s

    def restore(self, s):
        for name, image in s.images.items():
            self._flush(name)
            self.images[name].put(image)  # below the loop device, whose cache is empty now
            self._flush(name)
        tree_write(self.path("state"), s.state)
        for name, data in s.files.items():
            write_in_place(self.path(name), data)
        shutil.rmtree(self.path("tmp"))
        os.mkdir(self.path("tmp"))
        self.booted = s.booted
        self.log = []
