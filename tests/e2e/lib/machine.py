# SPDX-License-Identifier: MIT
"""A device in a virtual machine, as its operator sees it."""
import json
import os

from report import note
from vm import VM, Failed


class Machine:
    def __init__(self, lab, disk, name, **options):
        self.lab = lab
        self.name = name
        self.disk = disk
        erst = lab.path(name + ".erst")  # where the firmware keeps a kernel's last words
        with open(erst, "wb") as f:
            f.truncate(0x10000)
        self.options = dict(erst=erst, log=lab.path(name + ".log"), **options)
        self.vm = None
        self.power_on()

    def power_on(self):
        self.vm = VM(self.disk, self.lab.scratch, **self.options)
        self.expect, self.send, self.sh = self.vm.expect, self.vm.send, self.vm.sh

    def power_cycle(self):
        self.vm.power_cut()
        self.power_on()

    def off(self):
        self.vm.power_off()

    def boots(self, slot, version):
        """Wait for a shell in this slot and release; anything else is a failure."""
        match = self.expect(r"OSU-BOOT slot=(\w*) version=(\S*)\n")
        if (match[1], match[2]) != (slot, version):
            raise Failed("booted slot %s with release %s, not slot %s with %s"
                         % (match[1], match[2], slot, version))
        note("%s: booted %s, release %s" % (self.name, slot, version))

    def reboot(self, slot, version):
        self.send("/sbin/reboot")  # not busybox's own, which asks init
        self.boots(slot, version)

    def update(self):
        self.sh("osupdate --progress=none update")

    def status(self, write=False):
        """status --json; `write`: let osupdate record what it finds first."""
        if write:
            self.sh("osupdate --progress=none confirm --await & sleep 1; kill $! 2>/dev/null; wait", None)
        return json.loads(self.sh("osupdate status --json"))

    def slots(self):
        return ", ".join("%s %s %s" % (s["name"], s["boot"], s["contents"])
                         for s in self.status()["slots"])
