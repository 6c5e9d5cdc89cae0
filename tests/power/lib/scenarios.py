# SPDX-License-Identifier: MIT
"""The runs that are hit: where each starts, what it must have done when it says so, and how
whoever is in charge goes on after it was interrupted."""
import hashlib
import json
import os
import re
import subprocess

from device import Bad

DONE, NOTHING, REFUSED = 0, 2, 3
PACK_DIR = "state/store/git/objects/pack"
MANY_PACKS = 12
PACKS_MAX = 9  # one more than are left alone
RECORD = re.compile(rb"(osupdate-state 1\nphase ([a-z]+)\n.*\n)digest ([0-9a-f]{64})\n+", re.DOTALL)
PHASES = ("idle", "applying", "arming", "armed", "trial", "confirming")


def status(device):
    device.must("status", "--json")
    try:
        found = json.loads(device.out)
    except ValueError as e:
        raise Bad("status --json: %s" % e)
    if found["phase"] not in PHASES:
        raise Bad("status --json: phase %r" % found["phase"])
    return found


def record_is_whole(device):
    """The state record on the disk (formats.md), or its twin, as osupdate reads it."""
    for name in ("state/state", "state/state.new"):
        try:
            with open(device.path(name), "rb") as f:
                found = RECORD.fullmatch(f.read())
        except FileNotFoundError:
            continue
        if found and hashlib.blake2b(found[1], digest_size=32).hexdigest() == found[3].decode():
            return found[2].decode() in PHASES
    return False


def want(what, found, wanted):
    if found != wanted:
        raise Bad("%s: %r, not %r" % (what, found, wanted))


def denied(found, release):
    return any(d["version"] == str(release) for d in found["denied"])


def confirm(device, release):
    device.must("confirm")
    if not re.search(r"release %d is (confirmed|good already)" % release, device.out):
        raise Bad("confirm of release %d: %s" % (release, device.out))


def complete(device, release, found=None, further=True, newer_allowed=False):
    """Until the release is ready, or (further) booted and confirmed.  found: a status nothing
    has run since.  newer_allowed: it may have been denied, by design; then the next one must
    be taken."""
    if found and found["phase"] in ("trial", "confirming"):
        device.must("confirm")
    got = device.osu("update")
    if got == REFUSED and newer_allowed and denied(status(device), release):
        release += 1
        device.publish(release)
        got = device.osu("update")
    if got not in (DONE, NOTHING):
        raise Bad("the next update: exit %d" % got)
    if further:
        device.boot()
        confirm(device, release)
    want("the release to boot", device.version(device.choice()), str(release))
    for slot in device.slots:
        if device.version(slot):
            device.verify(slot)


class Scenario:
    command = ("update",)
    release = 3
    # Must whoever goes on look at the status first?  A timer does not: it updates, and that
    # has to find its way from whatever is left.
    asks = False

    def done(self, device, found):
        """It exited 0: did it do its work?"""

    def finish(self, device, found, further=True):
        complete(device, self.release, found, further)


class Update(Scenario):
    def done(self, device, found):
        want("phase", found["phase"], "armed")
        target = next(s for s in found["slots"] if not s["booted"])
        want("the loader's choice", device.choice(), target["name"])
        want("its version", target["version"], str(self.release))
        want("its contents", target["contents"], "sealed")


class Repack(Update):
    """With so many packs in the store that a fetch gathers them: this one, or the next."""

    def finish(self, device, found, further=True):
        super().finish(device, found, further)
        want("a fetch", device.osu("fetch"), NOTHING)
        packs = [n for n in os.listdir(device.path(PACK_DIR)) if n.endswith(".idx")]
        want("few packs", len(packs) < PACKS_MAX, True)


class First(Update):
    """Onto a slot without a file system."""
    release = 2


class Lost(Update):
    """The state record is gone, the slots are not."""

    def finish(self, device, found, further=True):
        # Killed between the seal and the boot loader's word: a slot that it calls bad.
        complete(device, self.release, found, further, newer_allowed=True)


class Provision(Scenario):
    """The first release of all."""
    command = ("install", "--slot", "A", "1")
    release = 1

    def done(self, device, found):
        want("the loader's choice", device.choice(), "A")
        want("floor", found["floor"], 1)

    def finish(self, device, found, further=True):
        if device.booted == "none":
            device.must(*self.command)
            if not further:
                want("the release to boot", device.version(device.choice()), "1")
                device.verify("A")
                # The next fetch sweeps what one that broke off has left.
                device.publish(2)
                want("a fetch", device.osu("fetch"), DONE)
                return
            device.boot()
            found = status(device)
        device.publish(2)
        complete(device, 2, found, further)


class Confirm(Scenario):
    command = ("confirm",)
    asks = True

    def done(self, device, found):
        want("phase", found["phase"], "idle")
        want("floor", found["floor"], self.release)
        want("A_OK", device.grubenv()["A_OK"], "1")


class Back(Scenario):
    """Back to slot B and release 2, by a person who asks again until it is so."""
    command = ("rollback",)
    asks = True

    def done(self, device, found):
        want("the loader's choice", device.choice(), "B")
        want("phase", found["phase"], "idle")
        if not denied(found, 3):
            raise Bad("release 3 is not denied")

    def finish(self, device, found, further=True):
        found = found or status(device)
        if device.booted == "B" and found["phase"] in ("trial", "confirming"):
            device.must("confirm")  # it was on its way when the power went
        elif device.booted != "B" or device.choice() != "B" or found["phase"] != "idle":
            device.must("rollback")
        device.boot()
        want("booted", device.booted, "B")
        want("an update to what was rolled back", device.osu("update") in (NOTHING, REFUSED), True)
        device.publish(4)
        complete(device, 4)


SCENARIOS = {"provision": Provision(), "first": First(), "update": Update(), "repack": Repack(),
             "lost": Lost(), "confirm": Confirm(), "rollback": Back(), "disarm": Back(), "abandon": Back()}


def split_packs(device):
    """The store as many fetches leave it: MANY_PACKS packs of the objects it has."""
    top = device.path(PACK_DIR)
    old = [os.path.join(top, name) for name in os.listdir(top)]
    owner = os.stat(top)
    repository = os.path.dirname(os.path.dirname(top))
    env = dict(os.environ, GIT_DIR=repository, GIT_CONFIG_COUNT="1",
               GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")

    def git(*words, text=""):
        return subprocess.run(["git", *words], input=text, env=env, check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    ids = git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    for n in range(MANY_PACKS):
        git("pack-objects", "-q", os.path.join(top, "pack"), text="\n".join(ids[n::MANY_PACKS]) + "\n")
    for name in os.listdir(top):
        path = os.path.join(top, name)
        os.unlink(path) if path in old else os.chown(path, owner.st_uid, owner.st_gid)
    want("packs", len([n for n in os.listdir(top) if n.endswith(".idx")]), MANY_PACKS)


def prepare(device):
    """Live through it all once; {scenario: Snapshot}."""
    starts = {}
    device.publish(1)
    starts["provision"] = device.remember()
    device.must("install", "--slot", "A", "1")
    device.boot()
    device.publish(2)
    starts["first"] = device.remember()
    device.must("update")
    device.boot()
    device.must("confirm")
    device.publish(3)
    starts["update"] = device.remember()
    starts["lost"] = device.remember()
    starts["lost"].state = [e for e in starts["lost"].state if e[0] not in ("state", "state.new")]
    split_packs(device)
    starts["repack"] = device.remember()
    device.restore(starts["update"])
    device.must("update")
    starts["disarm"] = device.remember()
    device.boot()
    device.must("status")
    starts["confirm"] = starts["abandon"] = device.remember()
    device.must("confirm")
    starts["rollback"] = device.remember()
    want("a whole record", record_is_whole(device), True)
    return starts
