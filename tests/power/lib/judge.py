# SPDX-License-Identifier: MIT
"""After a power cut: would the machine boot, and into something that was signed?"""
import hashlib
import subprocess

from lab import run, write
from report import not_ok, ok
from vm import Failed


class Judge:
    """`choose(image)` is the boot loader's own way of choosing: a slot and the bytes of the
    kernel that it would load, both read without replaying any journal."""

    def __init__(self, lab, loader, choose):
        self.lab, self.loader, self.choose = lab, loader, choose
        self.repaired = 0
        with open(lab.path("root/vmlinuz"), "rb") as f:
            self.kernel = hashlib.sha256(f.read()).hexdigest()

    def prove_itself(self, image, path, marks):
        """A judge that never says no is none: damage each of these, and it must."""
        for name, (offset, size), mark in marks:
            run("cp", "--sparse=always", image, path)
            with open(path, "r+b") as f:
                f.seek(offset)
                data = f.read(size)
                assert mark in data, "no %r on the disk" % mark
                f.seek(offset)
                f.write(data.replace(mark, b"X" + mark[1:]))
            try:
                self.boots(path)
                not_ok("the judge finds damage: " + name)
            except Failed:
                ok("the judge finds damage: " + name)

    def boots(self, image):
        """The slot it boots; raises Failed when it does not, or not into a sealed release."""
        slot, kernel = self.choose(image)
        if slot is None:
            raise Failed("the boot loader finds nothing to boot")
        if hashlib.sha256(kernel).hexdigest() != self.kernel:
            raise Failed("slot %s: the kernel is damaged or not there" % slot)
        self.verify(image, slot)
        return slot

    def fsck(self, label, device):
        """As at boot (fsck -p).  The kernel writes a superblock when it mounts, and ext4 does
        not survive half of one by itself: for the machine's own partitions, never for a slot,
        that is mended as fsck.repair=yes does it."""
        commands = [["e2fsck", "-p", device]]
        if not label.startswith("root-"):
            commands.append(["e2fsck", "-fy", device])
        for command in commands:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  universal_newlines=True)
            if done.returncode in (0, 1):
                self.repaired += command[1] != "-p"
                return
        raise Failed("%s: fsck: %s" % (label, done.stdout))

    def verify(self, image, slot):
        """As at boot: fsck -p of each file system, then every byte against the proof."""
        lab = self.lab
        devices = {label: lab.loop(image, *lab.offsets[label])
                   for label in ("boot", "root-a", "root-b", "data")}
        mounts = []
        try:
            for label in ("boot", "data", "root-" + slot.lower()):
                self.fsck(label, devices[label])
            for label in ("boot", "data"):
                mounts.append(lab.mount(devices[label], "crash-" + label))
            boot, data = mounts
            write(lab.path("crash.conf"),
                  lab.config(self.loader, data + "/osupdate", lab.path("allowed_signers"),
                             "http://127.0.0.1:%d/git/os.git" % lab.server.port,
                             {"A": devices["root-a"], "B": devices["root-b"]},
                             self.loader.host_keys(lab, boot)))
            run("osupdate", "--config", lab.path("crash.conf"), "--booted", slot,
                "--progress=none", "verify", "--slot", slot)
        finally:
            for directory in reversed(mounts):
                lab.umount(directory)
            for device in devices.values():
                lab.unloop(device)
