# SPDX-License-Identifier: MIT
"""Where a test root's programs come from: this machine, or Debian's arm64 packages and a
cross build."""
import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess

from vm import Failed

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PREFIX = os.environ.get("OSUPDATE_PREFIX", os.path.join(TOP, "build", "root-main"))
CACHE = os.path.join(TOP, "build", "cache")


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, **options)
    if done.returncode != 0:
        raise Failed("%s: exit code %d\n%s" % (" ".join(map(str, command)), done.returncode,
                                               done.stdout))
    return done.stdout


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


@contextlib.contextmanager
def cache_locked():
    """Scripts run side by side: only one of them fills the cache."""
    os.makedirs(CACHE, exist_ok=True)
    with open(CACHE + "/lock", "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


class Native:
    """This machine's programs, and osupdate as it is installed in PREFIX."""
    busybox = "/bin/busybox"
    apt = {}
    loaded = ("/usr/lib/x86_64-linux-gnu/libcurl.so.4",)  # by osupdate-store, when it needs them

    def osupdate(self):
        """(file, path in the root); the library directory is compiled in."""
        yield PREFIX + "/bin/osupdate", "/usr/bin/osupdate"
        yield PREFIX + "/sbin/osupdated", "/usr/sbin/osupdated"
        for f in glob.glob(PREFIX + "/lib/osupdate/**", recursive=True):
            if os.path.isfile(f):
                yield f, f

    def source(self, path):
        return path

    def libraries(self, path):
        words = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               universal_newlines=True).stdout.split()
        return [(w, w) for w in words if w.startswith("/")]

    def copy(self, root, path, target=None):
        """A program with the shared libraries it needs."""
        for source, where in [(path, target or path)] + list(self.libraries(self.source(path))):
            if not os.path.exists(root + where):
                os.makedirs(os.path.dirname(root + where), exist_ok=True)
                shutil.copy2(os.path.realpath(self.source(source)), root + where)

    def kernel(self):
        """Debian's cloud kernel, unpacked in the cache: its directory."""
        environment = dict(os.environ, **self.apt)
        depends = run("apt-cache", "depends", self.kernel_package, env=environment)
        name = [line.split()[-1] for line in depends.splitlines()
                if "Depends: linux-image-6" in line][0]
        directory = os.path.join(CACHE, name)
        with cache_locked():
            if not os.path.isdir(directory):
                new = directory + ".new"
                shutil.rmtree(new, ignore_errors=True)
                os.makedirs(new)
                run("apt-get", "-q", "download", name, cwd=new, env=environment)
                run("dpkg-deb", "-x", glob.glob(new + "/*.deb")[0], new + "/out")
                os.rename(new + "/out", directory)
                shutil.rmtree(new)
        return directory

    kernel_package = "linux-image-cloud-amd64"


def key_of(packages):
    """What is cached is of one list of packages."""
    return hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]


class Arm64(Native):
    """arm64 without adding an architecture to this machine: apt with state of its own."""
    kernel_package = "linux-image-cloud-arm64"
    PACKAGES = ("libgit2-dev libarchive-dev libsodium-dev libmount-dev libblkid-dev libsmartcols-dev "
                "libjansson-dev libinih-dev zlib1g-dev libzstd-dev libdeflate-dev libcurl4-openssl-dev "
                "libext2fs-dev comerr-dev libsystemd-dev busybox-static e2fsprogs "
                "libseccomp-dev libubootenv-tool").split()
    LIBRARIES = ("/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu")
    loaded = ("/usr/lib/aarch64-linux-gnu/libcurl.so.4",)

    def __init__(self):
        self.base = os.path.join(CACHE, "arm64-" + key_of(self.PACKAGES))
        self.root = self.base + "/root"
        self.stage = os.path.join(TOP, "build", "arm64-stage")
        self.busybox = self.root + "/bin/busybox"
        self.apt = {"APT_CONFIG": self.base + "/apt.conf"}
        with cache_locked():
            if not os.path.isdir(self.root):
                self._fetch()
            self._build()

    def _fetch(self):
        for d in "state/lists/partial", "cache/archives/partial":
            os.makedirs(os.path.join(self.base, d), exist_ok=True)
        write(self.base + "/status", "")
        write(self.base + "/apt.conf", '''APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Dir::State "%(base)s/state";
Dir::State::status "%(base)s/status";
Dir::Cache "%(base)s/cache";
''' % {"base": self.base})
        environment = dict(os.environ, **self.apt)
        run("apt-get", "-q", "update", env=environment)
        run("apt-get", "-q", "-y", "--download-only", "install", *self.PACKAGES, env=environment)
        new = self.root + ".new"
        shutil.rmtree(new, ignore_errors=True)
        for deb in glob.glob(self.base + "/cache/archives/*.deb"):
            run("dpkg-deb", "-x", deb, new)
            os.unlink(deb)
        os.rename(new, self.root)

    def _build(self):
        """osupdate for arm64, with --prefix=/usr."""
        build = os.path.join(TOP, "build", os.path.basename(self.base))
        cross = self.base + "/cross.ini"
        write(cross, '''[binaries]
c = ['aarch64-linux-gnu-gcc', '--sysroot=%(root)s']
ar = 'aarch64-linux-gnu-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'pkg-config'
[properties]
sys_root = '%(root)s'
pkg_config_libdir = ['%(root)s/usr/lib/aarch64-linux-gnu/pkgconfig', '%(root)s/usr/share/pkgconfig']
[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
''' % {"root": self.root})
        if not os.path.isdir(build):
            run("meson", "setup", build, "--cross-file", cross, "--prefix=/usr", "-Dwerror=true",
                "--strip", cwd=TOP)
        run("meson", "compile", "-C", build)
        run("meson", "install", "-C", build, "--quiet", "--destdir", self.stage)

    def osupdate(self):
        for f in glob.glob(self.stage + "/usr/**", recursive=True):
            path = f[len(self.stage):]
            if os.path.isfile(f) and (path.startswith("/usr/lib/osupdate/") or
                                      path in ("/usr/bin/osupdate", "/usr/sbin/osupdated")):
                yield f, path

    def source(self, path):
        if path.startswith((self.root, self.stage)):
            return path
        # Packages unpacked side by side know no merged /usr.
        merged = self.root + path
        return merged if os.path.exists(merged) else self.root + path[len("/usr"):]

    def libraries(self, path):
        found, waiting = {}, [path]
        while waiting:
            text = subprocess.run(["aarch64-linux-gnu-readelf", "-d", os.path.realpath(waiting.pop())],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  universal_newlines=True).stdout
            for name in re.findall(r"NEEDED.*\[(.*)\]", text):
                for directory in self.LIBRARIES:
                    file = "%s%s/%s" % (self.root, directory, name)
                    if name not in found and os.path.exists(file):
                        found[name] = (file, directory + "/" + name)
                        waiting.append(file)
        loader = "/lib/ld-linux-aarch64.so.1"
        return list(found.values()) + [(self.root + loader, loader)]
