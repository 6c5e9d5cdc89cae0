# SPDX-License-Identifier: MIT
"""The campaign over every system call (tests/power/calls): shards side by side, each with its
own device; one result per scenario, role and kind.  How many points: CALLS in the environment (3000, or all)."""
import argparse
import json
import os
import sys
import time
import traceback

from device import Device
from judgement import Judge
from points import KILLS, SCENARIOS, named, sample

ENOUGH = 0.9  # of the points must have been reached
SHOWN = 5     # bad points of a group that are told in full


def shard(options, directory, index, out):
    """Writes a line of JSON for each point of its share."""
    judge = Judge(Device(directory, options.inject))
    wanted = {name.split(":")[0] for name in options.point} or SCENARIOS
    points = judge.points([s for s in SCENARIOS if s in wanted])
    print(json.dumps({"total": len(points)}), file=out)
    if options.list:
        print(json.dumps({"list": ["%-28s %-14s %s" % (p, p.call.name, p.call.target)
                                   for p in points]}), file=out)
        return
    if options.point:
        points = [p for name in options.point for p in named(points, name)]
    elif options.points != "all":
        points = sample(points, int(options.points))
    for point in points[index::len(options.directories)]:
        print(json.dumps(vars(judge.judge(point))), file=out, flush=True)


def fork(options, directory, index):
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        with open(os.path.join(directory, "verdicts"), "w") as out:
            shard(options, directory, index, out)
        status = 0
    except BaseException:  # SystemExit too: the parent must be told
        traceback.print_exc()
    finally:
        os._exit(status)


def collect(directories):
    verdicts, total = [], 0
    for directory in directories:
        with open(os.path.join(directory, "verdicts")) as f:
            for line in f:
                found = json.loads(line)
                if "list" in found:
                    print("\n".join(found["list"]))
                elif "total" in found:
                    total = max(total, found["total"])
                else:
                    verdicts.append(found)
    return verdicts, total


def title(group):
    scenario, role, kind = group
    what = KILLS[kind] if kind in KILLS else \
        "only half of it done" if kind == "short" else "%s returned" % kind
    return "%s: %s at system calls of %s" % (scenario, what, role)


def tell(group, verdicts):
    reached = [v for v in verdicts if v["reached"] or v["bad"]]
    bad = [v for v in reached if v["bad"]]
    name = "%s: %d" % (title(group), len(reached))
    if not reached:
        print("# %s of %d" % (name, len(verdicts)))
    elif not bad:
        print("ok - " + name)
    else:
        print("not ok - %s, %d bad" % (name, len(bad)))
    for v in bad[:SHOWN]:
        print("#   %s (%s): %s" % (v["point"], v["call"], v["bad"]))
        print("\n".join("#     " + line for line in v["log"][:40]))
    for v in bad[SHOWN:]:
        print("#   %s (%s): %s" % (v["point"], v["call"], v["bad"].splitlines()[0]))


def report(options, verdicts, total, seconds):
    groups = {}
    for v in verdicts:
        groups.setdefault(tuple(v["group"]), []).append(v)
    for group, found in groups.items():
        tell(group, found)
    bad = sum(1 for v in verdicts if v["bad"])
    missed = sum(1 for v in verdicts if not v["reached"] and not v["bad"])
    kills = sum(1 for v in verdicts if v["group"][2] in KILLS)
    print("# %d points (%d kills, %d errors) of %d: %d bad, %d not reached, %d tolerated; %d s"
          % (len(verdicts), kills, len(verdicts) - kills, total, bad, missed,
             sum(1 for v in verdicts if v["tolerated"]), seconds))
    if not verdicts or len(verdicts) - missed < ENOUGH * len(verdicts):
        print("not ok - nine of ten points are reached: %d of %d were not"
              % (missed, len(verdicts)))
        return False
    return bad == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--inject", required=True)
    parser.add_argument("--points", default="3000")
    parser.add_argument("--point", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("directories", nargs="+")
    options = parser.parse_args()
    started = time.monotonic()
    pids = [fork(options, d, i) for i, d in enumerate(options.directories)]
    failed = [os.waitpid(pid, 0)[1] for pid in pids]
    verdicts, total = collect(options.directories)
    if options.list:
        sys.exit(any(failed))
    fine = report(options, verdicts, total, time.monotonic() - started)
    if any(failed):
        print("not ok - every shard comes to its end")
    sys.exit(0 if fine and not any(failed) else 1)


main()
