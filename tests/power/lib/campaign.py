# SPDX-License-Identifier: MIT
"""The campaign of power cuts that all boot loaders share: an update in a virtual machine, its
writes logged, replayed to moments of a power cut, each judged.

Environment: POINTS moments (100), SEED (1)."""
import os
import random

from judge import Judge
from lab import Lab
from machine import Machine
from report import end, note, not_ok, same
from vm import Failed
from writelog import WriteLog


def campaign(loader, choose, damages, centres, uefi=False):
    """choose(lab, image): the slot that the boot loader takes and the kernel it loads.
    damages: (name, partition, bytes) that the judge must notice.
    centres(lab, writes): indexes of the writes that decide."""
    rng = random.Random(int(os.environ.get("SEED", "1")))
    lab = Lab()
    root = lab.root(loader)
    lab.release(root, "1")
    base = lab.disk("base.img", loader)
    log = lab.path("writes")
    disk = lab.copy(base, "logged.img")
    options = dict(write_log=log, firmware=lab.ovmf("power") if uefi else None)
    direct = getattr(loader, "direct", None)  # qemu starts the kernel, as the loader would
    m = Machine(lab, disk, "logged", extra=direct(lab, "A") if direct else (), **options)
    lab.release(root, "2", arguments="osupdate.test=two")
    m.boots("A", "1")
    m.update()
    if direct:
        m.off()
        m = Machine(lab, disk, "logged", extra=direct(lab, "B"), **options)
        m.boots("B", "2")
    else:
        m.reboot("B", "2")
    m.sh("osupdate confirm")
    m.off()
    writes = WriteLog(log)
    deciding = centres(lab, writes)
    note("%d writes, %d of them decide" % (len(writes.entries), len(deciding)))
    if len(deciding) < 3:
        not_ok("the log holds the switch", "%d writes" % len(deciding))
    judge = Judge(lab, loader, lambda image: choose(lab, image))
    judge.prove_itself(disk, lab.path("crash.img"),
                       [(name, lab.offsets[partition], mark) for name, partition, mark in damages])
    points = writes.points(int(os.environ.get("POINTS", "100")), deciding, rng)
    booted = {}
    bad = 0
    for point, image in writes.crashes(base, lab.path("crash.img"), points, rng):
        try:
            slot = judge.boots(image)
            booted[slot] = booted.get(slot, 0) + 1
        except Failed as e:
            bad += 1
            not_ok("power cut before write %d" % point, e)
    note("%d moments: %s; half a superblock of /boot or /var mended %d times"
         % (len(points), booted, judge.repaired))
    same("every power cut leaves a machine that boots a sealed release", bad, 0)
    same("both before and after the switch were met", sorted(booted), ["A", "B"])
    end()
