# SPDX-License-Identifier: MIT
"""Each peer: how it publishes three roots, what a device of it looks like before a case,
and the script that is timed.  All mount and unmount the slot inside the timed script, so
that everybody begins with a cold file system and ends with a durable one."""
import json
import os
import shutil
import sys

from measure import Disk, run, shell

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.dirname(HERE)
TAR = "tar --numeric-owner --xattrs --xattrs-include='*' --acls"
SLOT_SIZE, DATA_SIZE = 3 << 30, 4 << 30
NOTES = """\
Same for all: the slot is mounted, changed, synced and unmounted inside the timing.
osupdate        verifies a signature and every byte it writes, and switches the boot loader;
                osupdate-trust is `read-back = no`, the other reads the slot back from disk;
                osupdate-stream and -s-trust are the same devices, following release streams
ostree          fix: pulls into a repository on the slot and checks out hard links beside it,
                so files are shared and a local change changes all; install copies; no /dev
rsync           from a local directory: nothing is fetched, signed or checked
git             no owners, modes, devices, times: not a root file system, only its contents
casync          extracts beside what is there, seeding from it (over it, it fails: ESTALE)
tar, zstd-tar   always all of it, into an empty file system, fetched with curl"""


def tars(scratch, small):
    """Three root file systems: small ones, made each time, or Debian's, kept in build/cache."""
    if small:
        run(os.path.join(BENCH, "small-roots"), scratch.dir)
        return [scratch.path("small-%d.tar" % n) for n in (1, 2, 3)]
    run(os.path.join(BENCH, "roots"))
    cache = os.path.join(os.path.dirname(os.path.dirname(BENCH)), "build", "cache")
    return [os.path.join(cache, "bench-%d.tar" % n) for n in (1, 2, 3)]


class Peer:
    cases = ()
    data_size = None

    def __init__(self, scratch, server, tars, trees):
        self.scratch, self.server, self.tars, self.trees = scratch, server, tars, trees
        self.slot = Disk(scratch, self.name + "-slot", SLOT_SIZE)
        self.disks = [self.slot]
        if self.data_size:
            self.data = Disk(scratch, self.name + "-data", self.data_size)
            self.disks.append(self.data)

    # Where the server finds what `publish` makes; what takes long is made once for all runs.
    srv = property(lambda self: self.scratch.path("srv"))
    keeps = False

    def publish(self):
        """What the builder's side does, once."""

    def published(self):
        """Publish, unless a run before has."""
        mark = os.path.join(self.srv, self.name + ".published")
        if not self.keeps or not os.path.exists(mark):
            self.publish()
            if self.keeps:
                with open(mark, "w", encoding="ascii"):
                    pass

    def make(self, version):
        """Bring an empty device to `version`, the data disk mounted."""

    def prepare(self, cases):
        """Images of a device at each version a case begins with."""
        for version in sorted({self.begins(c) for c in cases if c in self.cases}):
            for d in self.disks:
                d.make()
            if self.data_size:
                self.data.mount()
            self.make(version)
            if self.data_size:
                self.data.umount()
            for i, d in enumerate(self.disks):
                d.save("%s-%s-%d" % (self.name, version, i))

    def begins(self, case):
        return {"install": 0, "install-wire": 0, "upgrade": 1, "upgrade-wire": 1}.get(case, 2)

    def ready(self, case):
        for i, d in enumerate(self.disks):
            d.restore("%s-%s-%d" % (self.name, self.begins(case), i))
        if self.data_size:
            self.data.mount()
        self.before(case)

    def before(self, case):
        """Untimed: e.g. fetch what a case has already."""

    def after(self, case):
        if self.data_size:
            self.data.umount()

    def mounted(self, script):
        return "mount -o noatime %s %s\n%s\numount %s" % (self.slot.device, self.slot.dir, script, self.slot.dir)

    def to(self, case):
        return {"install": 1, "install-wire": 1, "upgrade": 2, "upgrade-wire": 2, "nothing": 2}.get(case, 3)


class Osupdate(Peer):
    name, read_back = "osupdate", "yes"
    cases = ("install", "upgrade", "fix", "fix-local", "nothing")
    data_size = DATA_SIZE
    done = False

    def __init__(self, *a):
        super().__init__(*a)
        self.applied = []
        self.booted = Disk(self.scratch, self.name + "-booted", SLOT_SIZE)
        self.disks = [self.slot, self.data, self.booted]
        self.git = os.path.join(self.srv, "os.git")
        self.key = self.scratch.path("key")
        self.conf = self.scratch.path(self.name + ".conf")

    def publish(self):
        if Osupdate.done:
            return
        Osupdate.done = True
        shutil.rmtree(self.git, ignore_errors=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
        run("git", "osupdate", "init", "--bare", self.git)
        for n, tar in enumerate(self.tars, 1):
            run("git", "--git-dir=" + self.git, "osupdate", "commit", "--branch", "stable", "--product", "bench",
                "--version", n, "--key", self.key, tar)
            run("git", "--git-dir=" + self.git, "update-ref", "refs/releases/%d" % n, "refs/heads/stable")
        run("chmod", "-R", "a+rX", self.srv)

    def offer(self, n):
        run("git", "--git-dir=" + self.git, "update-ref", "refs/heads/stable", "refs/releases/%d" % n)
        run("chmod", "-R", "a+rX", self.git)

    def osu(self, booted, *args):
        return "osupdate --config %s --booted %s --progress=none %s" % (self.conf, booted, " ".join(map(str, args)))

    def configure(self):
        with open(self.key + ".pub", encoding="ascii") as f:
            public = " ".join(f.read().split()[:2])
        signers = self.scratch.path("allowed_signers")
        with open(signers, "w", encoding="ascii") as f:
            f.write('builder@example.org namespaces="git" %s\n' % public)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write("""[update]
%s
channel = stable
product = bench
read-back = %s
[paths]
state = %s/state
signers = %s
[boot]
hook = grub
grubenv = %s/grubenv
[slot A]
device = %s
[slot B]
device = %s
""" % (self.source(), self.read_back, self.data.dir, signers, self.data.dir, self.booted.device, self.slot.device))
        for p in (signers, self.conf):
            os.chmod(p, 0o644)

    def source(self):
        return "url = %s/git/os.git" % self.server.url

    def make(self, version):
        self.configure()
        os.chmod(self.data.dir, 0o755)
        run("grub-editenv", self.data.dir + "/grubenv", "create")
        run("grub-editenv", self.data.dir + "/grubenv", "set", "ORDER=A B", "A_OK=0", "A_TRY=0", "B_OK=0", "B_TRY=0")
        self.offer(max(version, 1))
        shell(self.osu("none", "fetch"))
        if version:
            shell(self.osu("none", "install --slot A", version))
            shell(self.osu("none", "install --slot B", version))

    def before(self, case):
        self.configure()
        self.offer(self.to(case))
        if case != "fix":
            shell("%s || [ $? = 2 ]" % self.osu("A" if self.begins(case) else "none", "fetch"))

    def script(self, case):
        if case == "install":
            return self.osu("none", "install --slot B", 1)
        if case == "fix":
            # This very interpreter: another `python3` may be a script that finds one.
            return "%s | %s %s %s" % (self.osu("A", "update").replace("--progress=none", "--progress=json"),
                                      sys.executable, os.path.join(HERE, "steps.py"), self.scratch.path("steps"))
        return self.osu("A", "install --slot B", self.to(case))

    def after(self, case):
        super().after(case)
        if case == "fix":
            with open(self.scratch.path("steps"), encoding="ascii") as f:
                steps = json.load(f)
            self.applied.append(steps["arm"] - steps["plan"])  # plan, apply and seal


class OsupdateTrust(Osupdate):
    name, read_back = "osupdate-trust", "no"


class OsupdateStream(Osupdate):
    """The same device, following release streams: static files, no git repository."""
    name = "osupdate-stream"
    cases = ("install-wire", "upgrade-wire", "fix")
    streamed = False

    @property
    def www(self):
        return os.path.join(self.srv, "os-streams")

    def publish(self):
        super().publish()
        if OsupdateStream.streamed:
            return
        OsupdateStream.streamed = True
        shutil.rmtree(self.www, ignore_errors=True)
        for n in 1, 2, 3:
            before = os.times()
            run("git", "osupdate", "publish", "--repo", self.git, "--to", self.www, "--channel", "stable",
                "--last", 1, "refs/releases/%d" % n)
            used = os.times()
            print("# streams to release %d, from nothing and from the one before, in %.0f s of CPU" % (
                n, used.children_user + used.children_system - before.children_user - before.children_system),
                flush=True)

    def commit(self, n):
        return run("git", "--git-dir=" + self.git, "rev-parse", "refs/releases/%d" % n).strip()

    def offer(self, n):
        with open(os.path.join(self.www, "channel", "stable"), "w", encoding="utf-8") as f:
            f.write(run("git", "--git-dir=" + self.git, "cat-file", "commit", self.commit(n)))

    def source(self):
        return "stream = %s/os-streams" % self.server.url

    def before(self, case):
        self.configure()
        self.offer(self.to(case))

    def make(self, version):
        super().make(version)
        shell("rm -rf %s/state/store/%s" % (self.data.dir, "streams/ahead" if version else "streams"))

    def script(self, case):
        if case == "install-wire":
            return self.osu("none", "install --slot B", self.commit(1))
        return super().script("fix") if case == "fix" else self.osu("A", "update")


class OsupdateStreamTrust(OsupdateStream):
    name, read_back = "osupdate-s-trust", "no"


class Ostree(Peer):
    name, deltas = "ostree", "--disable-static-deltas"
    cases = ("install", "upgrade", "fix", "fix-local")
    data_size = DATA_SIZE
    keeps = True

    @property
    def repo(self):
        return os.path.join(self.srv, "ostree")

    def publish(self):
        shutil.rmtree(self.repo, ignore_errors=True)
        run("ostree", "--repo=" + self.repo, "init", "--mode=archive")
        for n, tree in enumerate(self.trees, 1):
            copy = self.scratch.path("ostree-tree")
            run("cp", "-al", tree, copy)  # it knows no devices
            shell("find %s ! -type f ! -type d ! -type l -delete" % copy)
            run("ostree", "--repo=" + self.repo, "commit", "--branch=v%d" % n, "--tree=dir=" + copy)
            shutil.rmtree(copy)
        run("ostree", "--repo=" + self.repo, "static-delta", "generate", "--from=v2", "--to=v3")
        before = os.times()
        run("ostree", "--repo=" + self.repo, "static-delta", "generate", "--from=v1", "--to=v2")
        used = os.times()
        print("# ostree made its delta from 1 to 2 in %.0f s of CPU" % (
            used.children_user + used.children_system - before.children_user - before.children_system), flush=True)
        run("ostree", "--repo=" + self.repo, "summary", "-u")

    def place(self, case):
        return self.data if case == "install" else self.slot

    def pull(self, repo, n):
        return "ostree --repo=%s pull %s origin v%d" % (repo, self.deltas, n)

    def make(self, version):
        where = self.slot if version else self.data
        if version:
            self.slot.mount()
        repo = where.dir + "/repo"
        run("ostree", "--repo=" + repo, "init", "--mode=bare")
        run("ostree", "--repo=" + repo, "remote", "add", "--no-gpg-verify", "--set=http2=false", "origin", self.server.url + "/ostree")
        shell(self.pull(repo, version or 1))
        if version:
            shell("ostree --repo=%s checkout origin:v%d %s/%d" % (repo, version, self.slot.dir, version))
            self.slot.umount()

    def before(self, case):
        if case in ("upgrade", "fix-local"):
            self.slot.mount()
            shell(self.pull(self.slot.dir + "/repo", self.to(case)))
            self.slot.umount()

    def script(self, case):
        n = self.to(case)
        repo = self.place(case).dir + "/repo"
        steps = [self.pull(repo, n)] if case in ("fix", "upgrade-wire") else []
        steps.append("ostree --repo=%s checkout %s origin:v%d %s/%d" % (
            repo, "--force-copy" if case == "install" else "", n, self.slot.dir, n))
        return self.mounted("\n".join(steps))


class OstreeDelta(Ostree):
    name, deltas, cases = "ostree-delta", "", ("upgrade-wire", "fix")

    def published(self):
        """By the other one, which comes first."""


class Rsync(Peer):
    name, cases = "rsync", ("install", "upgrade", "fix-local", "nothing")

    def copy(self, n):
        return "rsync -aHAX --numeric-ids --delete --exclude=/lost+found %s/ %s/" % (self.trees[n - 1], self.slot.dir)

    def make(self, version):
        if version:
            shell(self.mounted(self.copy(version)))

    def script(self, case):
        return self.mounted(self.copy(self.to(case)))


class Git(Peer):
    name, cases = "git", ("install", "upgrade", "fix", "fix-local")
    data_size = DATA_SIZE
    keeps = True

    def publish(self):
        git = os.path.join(self.srv, "plain.git")
        shutil.rmtree(git, ignore_errors=True)
        run("git", "init", "-q", "--bare", git)
        for n, tree in enumerate(self.trees, 1):
            shell("export GIT_DIR=%s GIT_WORK_TREE=%s; git add -A -f 2>/dev/null; git commit -qm %d; "
                  "git update-ref refs/releases/%d HEAD" % (git, tree, n, n))
        run("git", "--git-dir=" + git, "repack", "-adq")

    def on_device(self, command):
        return "git --git-dir=%s/repo.git --work-tree=%s %s" % (self.data.dir, self.slot.dir, command)

    def fetch(self, n):
        return self.on_device("fetch -q %s/git/plain.git +refs/releases/%d:refs/heads/v%d" % (self.server.url, n, n))

    def make(self, version):
        run("git", "init", "-q", "--bare", self.data.dir + "/repo.git")
        shell(self.fetch(version or 1))
        if version:
            shell(self.mounted(self.on_device("checkout -q -f v%d" % version)))

    def before(self, case):
        if case in ("upgrade", "fix-local"):
            shell(self.fetch(self.to(case)))

    def script(self, case):
        n = self.to(case)
        steps = [self.fetch(n)] if case == "fix" else []
        return self.mounted("\n".join(steps + [self.on_device("checkout -q -f v%d" % n)]))


class Casync(Peer):
    name, cases = "casync", ("install-wire", "upgrade-wire", "fix")
    keeps = True

    def publish(self):
        for n, tree in enumerate(self.trees, 1):
            shell("cd %s && casync make --store=store.castr v%d.caidx %s" % (self.srv, n, tree))

    def extract(self, n, seed=0):
        return "casync extract %s --seed-output=no --store=%s/store.castr %s/v%d.caidx %s/%d" % (
            "--seed=%s/%d" % (self.slot.dir, seed) if seed else "", self.server.url, self.server.url, n,
            self.slot.dir, n)

    def make(self, version):
        if version:
            shell(self.mounted(self.extract(version)))

    def script(self, case):
        return self.mounted(self.extract(self.to(case), self.begins(case)))


class Tar(Peer):
    name, cases, suffix, unpack = "tar", ("install", "upgrade", "fix"), "tar", "cat"
    WIRE = ("install-wire", "fix")

    def publish(self):
        for n, tar in enumerate(self.tars, 1):
            target = os.path.join(self.srv, "v%d.tar" % n)
            if not os.path.exists(target):
                shutil.copy(tar, target)

    def begins(self, case):
        return 0

    def script(self, case):
        n = self.to(case)
        file = os.path.join(self.srv, "v%d.%s" % (n, self.suffix))
        source = "curl -sS %s/v%d.%s |" % (self.server.url, n, self.suffix) if case in self.WIRE else ""
        if case not in self.WIRE and self.unpack == "cat":
            return self.mounted("%s -xpf %s -C %s" % (TAR, file, self.slot.dir))
        if case not in self.WIRE:
            return self.mounted("%s <%s | %s -xp -C %s" % (self.unpack, file, TAR, self.slot.dir))
        return self.mounted("%s %s | %s -xp -C %s" % (source, self.unpack, TAR, self.slot.dir))


class ZstdTar(Tar):
    name, suffix, unpack = "zstd-tar", "tar.zst", "zstd -dc"
    cases = ("install", "install-wire", "fix")
    keeps = True

    def publish(self):
        super().publish()
        for n in (1, 2, 3):
            run("zstd", "-q", "-T0", "-9", "-f", os.path.join(self.srv, "v%d.tar" % n))


def all_of(scratch, server, tars, trees, small, only):
    classes = [Osupdate, OsupdateTrust, OsupdateStream, Rsync, Tar]
    if not small:
        classes += [OsupdateStreamTrust, Ostree, OstreeDelta, Git, Casync, ZstdTar]
    return [c(scratch, server, tars, trees) for c in classes if not only or c.name in only]
