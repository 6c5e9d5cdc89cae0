# SPDX-License-Identifier: MIT
"""tests/demo --boot: the story of a device in a virtual machine, to be read on a terminal."""
import time

from grub import Grub
from lab import Lab
from machine import Machine
from vm import Failed


def say(text):
    print("\n\033[1m# %s\033[0m" % text, flush=True)


class Shown(Machine):
    """Shows each command and what it answers."""

    def run(self, command, status=0):
        print("\033[32m$ %s\033[0m" % command, flush=True)
        answer = self.sh(command.replace("osupdate ", "osupdate --progress=none ", 1), status)
        print(answer.rstrip(), flush=True)
        if status:
            print("(exit %d)" % status)

    def restart(self, slot, version, attempts=0):
        print("\033[32m$ reboot\033[0m", flush=True)
        self.send("/sbin/reboot")
        for attempt in range(attempts):
            m = self.expect(r"OSU-INIT slot=(\w+) version=(\S+) ")
            p = self.expect(r"Kernel panic[^\n]*")
            print("  GRUB boots slot %s, release %s: %s" % (m[1], m[2], p[0]), flush=True)
        self.boots(slot, version)

    def boots(self, slot, version):
        m = self.expect(r"OSU-BOOT slot=(\w+) version=(\S+)\n")
        print("  GRUB boots slot %s: release %s is up" % (m[1], m[2]), flush=True)
        if (m[1], m[2]) != (slot, version):
            raise Failed("that is not slot %s with release %s" % (slot, version))


def main():
    began = time.monotonic()
    lab = Lab()
    loader = Grub()
    say("A root file system becomes release 1, signed; a disk with GRUB gets it into slot A")
    root = lab.root(loader)
    lab.release(root, "1")
    disk = lab.disk("demo.img", loader)
    say("Power on")
    m = Shown(lab, disk, "demo")
    m.boots("A", "1")
    m.run("osupdate status")
    say("The builder pushes release 2; the device takes it into slot B")
    lab.release(root, "2", checks={"required.d/network": "ip route | grep -q default"})
    m.run("osupdate update")
    m.restart("B", "2")
    say("It is on trial: its health checks decide")
    m.run("osupdate confirm --check")
    say("Release 3 is broken: its first process ends at once")
    lab.release(root, "3", behaviour="exit")
    m.run("osupdate update")
    m.restart("B", "2", attempts=3)
    say("After three attempts GRUB went back by itself.  Why, is told:")
    m.run("osupdate confirm --check")
    m.run("osupdate status")
    m.run("osupdate update", 3)
    say("Release 4 is good")
    lab.release(root, "4")
    m.run("osupdate update")
    m.restart("A", "4")
    m.run("osupdate confirm --check")
    say("Second thoughts: back to the release before, without the network")
    m.run("osupdate rollback")
    m.restart("B", "2")
    m.run("osupdate log --device")
    m.run("osupdate verify")
    m.off()
    say("Done in %d seconds" % (time.monotonic() - began))


main()
