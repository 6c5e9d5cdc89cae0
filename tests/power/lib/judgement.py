# SPDX-License-Identifier: MIT
"""One point after the other: bring the device back, let it happen, look at what is left."""
import json
import os
import re
import time

from device import Bad
from points import every, recorded
from scenarios import PACK_DIR, PACKS_MAX, SCENARIOS, prepare, record_is_whole, status

DOCUMENTED = (0, 1, 2, 3, 4, 5)
SIGKILL = 9
FURTHER = 4  # every so many-th call of a recording the machine is followed on into its next boot
# Releases that are held besides the channel's: two slots' and the one on its way; which of
# them are others depends on when a run was ended.
HELD = {"store/git/refs/osupdate/held/ID": 3}
OBJECTS = r"git/objects/(..|../[0-9a-f]{38}|pack/pack-[0-9a-f]{40}\.(pack|idx))$"


class Verdict:
    """reached, tolerated (the run succeeded all the same) and why it is bad, or None."""

    def __init__(self, point):
        self.point, self.reached, self.tolerated, self.bad = str(point), "", False, None
        self.log, self.call, self.group = [], point.call.name, point.group()


def mounts():
    with open("/proc/self/mounts") as f:
        return f.read()


def loops(directory):
    """Backing files below the directory, of all loop devices."""
    found = []
    for name in os.listdir("/sys/block"):
        try:
            with open("/sys/block/%s/loop/backing_file" % name) as f:
                if f.read().startswith(directory):
                    found.append(name)
        except OSError:
            continue  # no loop device, or a free one
    return sorted(found)


class Judge:
    def __init__(self, device):
        self.device = device
        self.starts = prepare(device)
        self.mounts, self.loops = mounts(), loops(device.dir)
        self.usual = {}  # what a run that nothing happened to leaves below state/

    # --- what there is to hit ------------------------------------------------------------

    def points(self, scenarios):
        return every({name: self._record(name) for name in scenarios})

    def _record(self, name):
        d, scenario = self.device, SCENARIOS[name]
        d.restore(self.starts[name])
        got = self._run(scenario, ["--record", d.path("record")])
        want = (got["exit"], got["signal"], got["hung"])
        if want != (0, 0, False):
            raise Bad("%s: recording: %r\n%s" % (name, got, "\n".join(d.log)))
        found = status(d)
        scenario.done(d, found)
        scenario.finish(d, found)
        self.usual[name] = self._listing()
        with open(d.path("record"), encoding="utf8", errors="replace") as f:
            return recorded(f)

    def _run(self, scenario, arguments):
        d = self.device
        d.osu(*scenario.command, wrap=[d.inject, *arguments, "--report", d.path("report")])
        with open(d.path("report")) as f:
            return json.load(f)

    # --- one point -----------------------------------------------------------------------

    def judge(self, point):
        d = self.device
        v = Verdict(point)
        d.restore(self.starts[point.scenario])
        self.had_record = record_is_whole(d)
        started = time.monotonic()
        try:
            got = self._run(SCENARIOS[point.scenario], point.arguments())
            v.reached = got["reached"]
            if v.reached:
                self._look(point, got)
                v.tolerated = got["exit"] == 0
        except Bad as e:
            v.bad = str(e)
        except Exception as e:  # a judge that stumbles has not said yes
            v.bad = "%s: %s" % (type(e).__name__, e)
        v.log = d.log if v.bad else []
        v.seconds = time.monotonic() - started
        return v

    def _look(self, point, got):
        d, scenario = self.device, SCENARIOS[point.scenario]
        self._ended_well(point, got)
        self._boots(point, got)
        if self.had_record and not record_is_whole(d):
            raise Bad("the state record is not whole")
        further = point.n % FURTHER == 0
        found = status(d) if got["exit"] == 0 or scenario.asks or further else None
        if got["exit"] == 0:
            scenario.done(d, found)
        if point.kind == "reset" and d.choice():
            d.boot()
            found = status(d)
        scenario.finish(d, found, further)
        self._nothing_left(point)

    def _ended_well(self, point, got):
        if got["hung"]:
            raise Bad("it hung")
        if got["crashed"]:
            raise Bad("it crashed: " + got["crashed"])
        if point.kind in ("kill", "reset") or (point.kind == "alone" and point.role == "root"):
            if got["signal"] != SIGKILL:
                raise Bad("killed, but it ended: %r" % got)
        elif got["signal"] or got["exit"] not in DOCUMENTED:
            raise Bad("exit %(exit)d, signal %(signal)d" % got)
        elif got["exit"] == 2:
            raise Bad("exit 2: there was something to do")

    def _boots(self, point, got):
        """The slot the loader would boot proves itself."""
        d = self.device
        choice = d.choice()
        if choice:
            d.verify(choice)
        elif point.scenario != "provision" or got["exit"] == 0:
            raise Bad("the loader has nothing to boot")

    # --- leaks ---------------------------------------------------------------------------

    def _listing(self):
        """Names below state/, ids left out: how many of each.  Objects and packs are what the
        store is for, and may have come in another way."""
        top = self.device.path("state")
        found = {}
        for directory, names, files in os.walk(top):
            for name in names + files:
                path = os.path.relpath(os.path.join(directory, name), top)
                if re.search(OBJECTS, path):
                    continue
                path = re.sub(r"[0-9a-f]{38,64}", "ID", path)
                found[path] = found.get(path, 0) + 1
        return found

    def _nothing_left(self, point):
        d = self.device
        if mounts() != self.mounts:
            raise Bad("mounts are left")
        if loops(d.dir) != self.loops:
            raise Bad("loop devices are left: %s" % loops(d.dir))
        for device in d.slots.values():
            os.close(os.open(device, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC))
        if os.listdir(d.path("tmp")):
            raise Bad("temporary files are left: %s" % os.listdir(d.path("tmp")))
        usual = self.usual[point.scenario]
        more = {p: n for p, n in self._listing().items() if n > max(usual.get(p, 0), HELD.get(p, 0))}
        if more:
            raise Bad("more in the state directory than usual: %s" % more)
        names = os.listdir(d.path(PACK_DIR))
        alone = [n for n in names if re.sub("idx$|pack$", "", n) + "pack" not in names or
                 re.sub("idx$|pack$", "", n) + "idx" not in names]
        if alone or len(names) > 2 * PACKS_MAX:
            raise Bad("%d files of packs, not in pairs: %s" % (len(names), alone))
