# SPDX-License-Identifier: MIT
"""Where a run can be hit and with what: every recorded system call of every process, times the
ways in which it can go wrong."""
import errno

KILLS = {  # by what it means for the machine
    "kill": "SIGKILL of the updater, which is then run again",
    "reset": "SIGKILL of the updater, then a reboot",
    "alone": "SIGKILL of the one process",
}
ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EINTR")
KINDS = tuple(KILLS) + ERRORS + ("short",)
SCENARIOS = ("provision", "first", "update", "repack", "lost", "confirm", "rollback", "disarm", "abandon")
ROLES = ("root", "store", "tool", "fork")

WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range"}
READS = {"read", "pread64", "readv", "preadv", "preadv2"}
SYNCS = {"fsync", "fdatasync", "syncfs", "sync_file_range"}
OPENS = {"open", "openat", "openat2", "creat"}
NEW_NAMES = {"mkdir", "mkdirat", "symlink", "symlinkat", "link", "linkat", "mknod", "mknodat",
             "rename", "renameat", "renameat2"}
GROWS = {"fallocate", "ftruncate", "truncate", "setxattr", "lsetxattr", "fsetxattr"}
LOOKS = {"stat", "lstat", "fstat", "newfstatat", "statx", "getdents64", "readlink", "readlinkat",
         "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr", "statfs",
         "fstatfs", "access", "faccessat", "faccessat2"}
CHANGES = {"unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat", "chown", "lchown",
           "fchown", "fchownat", "utimensat", "removexattr", "lremovexattr", "fremovexattr",
           "ioctl", "fsconfig", "fsmount", "open_tree", "mount_setattr"}
TALKS = {"sendto", "sendmsg", "recvfrom", "recvmsg"}
WAITS = {"poll", "ppoll", "select", "pselect6", "wait4", "waitid", "flock", "connect"}

FAILS = {
    "ENOSPC": WRITES | SYNCS | NEW_NAMES | GROWS,
    "EDQUOT": WRITES | SYNCS | NEW_NAMES | GROWS,
    "EIO": WRITES | READS | SYNCS | OPENS | NEW_NAMES | GROWS | LOOKS | CHANGES,
    "EINTR": WRITES | READS | OPENS | TALKS | WAITS,
    "short": WRITES | TALKS,
}


class Call:
    """One line of what inject --record writes.  It is call n of its role, and there the nth of
    its name."""
    nth = 0

    def __init__(self, line):
        role, n, name, size, creates, target = line.rstrip("\n").split("\t", 5)
        self.role, self.n, self.name, self.target = role, int(n), name, target
        self.size, self.creates = int(size), creates == "1"

    def takes(self, kind):
        """Can it go wrong that way?"""
        if kind in ("kill", "reset"):
            return True
        if kind == "alone":
            return self.role != "root"
        channel = self.target.startswith(("socket:", "pipe:"))
        if kind == "short":
            # What comes through a channel may come in pieces; a file has no reason to.
            return self.size > 1 and (self.name in FAILS[kind] or channel and self.name in READS)
        if kind in ("ENOSPC", "EDQUOT"):
            return not channel and (self.name in FAILS[kind] or self.creates)
        return self.name in FAILS[kind]


def recorded(lines):
    """The calls of a recording."""
    calls, seen = [Call(line) for line in lines], {}
    for call in calls:
        seen[call.role, call.name] = call.nth = seen.get((call.role, call.name), 0) + 1
    return calls


class Point:
    def __init__(self, scenario, call, kind):
        self.scenario, self.call, self.kind = scenario, call, kind
        self.role, self.n = call.role, call.n

    def __str__(self):
        return "%s:%s:%d:%s" % (self.scenario, self.role, self.n, self.kind)

    def group(self):
        return self.scenario, self.role, self.kind

    def arguments(self):
        """For inject."""
        action = self.kind
        if action == "reset":
            action = "kill"
        elif action in ERRORS:
            action = "error=%d" % getattr(errno, self.kind)
        return ["--at", "%s:%s:%d" % (self.role, self.call.name, self.call.nth), "--do", action]


def every(recordings):
    """All points of {scenario: [Call]}, in an order in which neighbours are alike.  Of "repack"
    those of the store: for the others it is an update."""
    found = []
    for scenario in SCENARIOS:
        for kind in KINDS:
            calls = sorted(recordings.get(scenario, ()), key=lambda c: (ROLES.index(c.role), c.n))
            found += [Point(scenario, call, kind) for call in calls
                      if call.takes(kind) and (scenario != "repack" or call.role == "store")]
    return found


def sample(points, count):
    """`count` of them, evenly."""
    if count >= len(points):
        return points
    return [points[i * len(points) // count] for i in range(count)]


def named(points, name):
    """The point of that name, or all whose names begin with it ("update:store")."""
    found = [p for p in points if str(p) == name or str(p).startswith(name + ":")]
    if not found:
        raise SystemExit("calls: no point %s in this recording; --list prints all" % name)
    return found
