# SPDX-License-Identifier: MIT
"""What every scenario starts from: roots, signed releases on a git server, disks.

The roots are small (busybox, Debian's cloud kernel, osupdate as it is installed); the disks
are provisioned by `osupdate install` itself."""
import atexit
import glob
import os
import shutil
import subprocess
import tempfile

from server import Server
from toolbox import CACHE, PREFIX, TOP, Native, run, write

PRODUCT = "kiosk-amd64"
HOST = "10.0.2.2"  # the host's loopback, as qemu's user network shows it

MODULES = ("virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover "
           "net_failover virtio_net crc-ccitt fat vfat nls_cp437 nls_ascii nls_iso8859-1 "
           "efivarfs softdog").split()

# Partitions: number, name, MiB, GPT type.
LAYOUT = (
    (1, "bios", 1, "21686148-6449-6E6F-744E-656564454649"),
    (2, "boot", 16, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    (3, "root-a", 128, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    (4, "root-b", 128, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    (5, "data", 160, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
    (6, "esp", 64, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"),
)

INIT = r"""#!/bin/sh
# The first process of a test release; etc/behaviour says how it fails, if it does.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t pstore pstore /sys/fs/pstore 2>/dev/null
exec </dev/console >/dev/console 2>&1
export HOME=/run PATH=/usr/sbin:/usr/bin:/sbin:/bin
slot=$(sed 's/.*osupdate\.slot=\([A-Za-z0-9]*\).*/\1/' /proc/cmdline)
behaviour=$(cat /etc/behaviour)
echo "OSU-INIT slot=$slot version=$(cat /etc/version) behaviour=$behaviour"
case $behaviour in
exit) exit 1 ;;
hang) while :; do sleep 1000; done ;;
esac
for m in $(cat /etc/modules); do insmod /lib/modules/$m.ko 2>/dev/null; done
i=0
while [ ! -d /sys/class/net/eth0 ] && [ $i -lt 100 ]; do usleep 50000; i=$((i + 1)); done
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
/etc/mounts
stty -echo
echo "OSU-BOOT slot=$slot version=$(cat /etc/version)"
[ ! -e /data/unattended ] || osupdated --reboot &
export PS1=
while :; do setsid cttyhack sh; done
"""

REBOOT = r"""#!/bin/sh
sync
umount -a -r 2>/dev/null
exec busybox reboot -f
"""


class Lab:
    """A scratch directory, a signing key, a repository and its server."""

    def __init__(self):
        self.scratch = tempfile.mkdtemp(prefix="osupdate-test.",
                                        dir=os.environ.get("OSUPDATE_TMP", "/var/tmp"))
        os.chmod(self.scratch, 0o755)
        self.loops = []
        self.mounts = []
        self.server = None
        atexit.register(self.close)
        os.makedirs(CACHE, exist_ok=True)
        os.environ["HOME"] = self.path("home")
        os.environ["PATH"] = "%s/bin:%s/sbin:%s" % (PREFIX, PREFIX, os.environ["PATH"])
        os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
        for who in "AUTHOR", "COMMITTER":
            os.environ["GIT_%s_NAME" % who] = "A Builder"
            os.environ["GIT_%s_EMAIL" % who] = "builder@example.org"
        os.mkdir(self.path("home"))
        run("git", "config", "--global", "safe.directory", "*")
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path("key"))
        os.mkdir(self.path("srv"))
        self.repository = self.path("srv/os.git")
        run("git", "osupdate", "init", "--bare", self.repository)
        self.server = Server(self.path("srv"), self.scratch)
        self.serial = 0

    def path(self, *parts):
        return os.path.join(self.scratch, *parts)

    def close(self):
        if self.server:
            self.server.stop()
        for mount in reversed(self.mounts):
            subprocess.run(["umount", mount], stderr=subprocess.DEVNULL)
        for loop in self.loops:
            subprocess.run(["losetup", "-d", loop], stderr=subprocess.DEVNULL)
        if not os.environ.get("OSUPDATE_KEEP"):
            shutil.rmtree(self.scratch, ignore_errors=True)

    # --- roots and releases -----------------------------------------------------------

    def root(self, loader):
        """The tree all releases of a scenario share."""
        root = self.path("root")
        tools = loader.tools() if hasattr(loader, "tools") else Native()
        k = tools.kernel()
        version = os.listdir(k + "/lib/modules")[0]
        for d in ("bin sbin etc proc sys dev run tmp data boot root usr/bin usr/sbin usr/lib "
                  "lib/modules lib64 var").split():
            os.makedirs(os.path.join(root, d), exist_ok=True)
        shutil.copy2(tools.busybox, root + "/bin/busybox")
        # The native one lists its applets; another architecture's has the same.
        for applet in run("busybox", "--list").split():
            if applet not in ("busybox", "reboot"):
                os.symlink("/bin/busybox", root + "/bin/" + applet)
        for source, target in tools.osupdate():
            tools.copy(root, source, target)
        for program in ("/usr/sbin/mke2fs", "/usr/sbin/e2fsck") + tools.loaded + loader.programs:
            tools.copy(root, program)
        os.symlink("mke2fs", root + "/usr/sbin/mkfs.ext4")
        modules = []
        for name in MODULES:
            for f in glob.glob("%s/lib/modules/%s/**/%s.ko" % (k, version, name), recursive=True):
                shutil.copy2(f, root + "/lib/modules/")
                modules.append(name)
        shutil.copy2("%s/boot/vmlinuz-%s" % (k, version), root + "/boot/")
        os.symlink("boot/vmlinuz-" + version, root + "/vmlinuz")
        write(root + "/etc/modules", "\n".join(modules) + "\n")
        write(root + "/etc/mounts", "#!/bin/sh\n" + "\n".join(loader.mounts) + "\n", 0o755)
        write(root + "/sbin/init", INIT, 0o755)
        write(root + "/sbin/reboot", REBOOT, 0o755)
        uid = run("id", "-u", "osupdate").strip()
        write(root + "/etc/passwd", "root:x:0:0::/root:/bin/sh\n"
              "osupdate:x:%s:%s::/:/bin/false\n" % (uid, uid))
        write(root + "/etc/group", "root:x:0:\nosupdate:x:%s:\n" % uid)
        with open(self.path("key.pub")) as f:
            write(root + "/etc/osupdate/allowed_signers",
                  'builder@example.org namespaces="git" ' + f.read())
        write(root + "/etc/osupdate/osupdate.conf",
              self.config(loader, "/data/osupdate", "/etc/osupdate/allowed_signers",
                          "http://%s:%d/git/os.git" % (HOST, self.server.wire.port),
                          {"A": "/dev/nvme0n1p3", "B": "/dev/nvme0n1p4"}, loader.keys))
        return root

    # Hashing costs a virtual machine half its update; the complete Debian keeps it.
    read_back = "no"

    def config(self, loader, state, signers, url, devices, keys):
        lines = ["[update]", "url = " + url, "product = " + PRODUCT, "interval = 2",
                 "read-back = " + self.read_back, "check-timeout = 5", "[paths]", "state = " + state, "signers = " + signers,
                 "[boot]", "hook = " + loader.hook]
        lines += ["%s = %s" % pair for pair in keys.items()]
        for name, device in devices.items():
            lines += ["[slot %s]" % name, "device = " + device]
        return "\n".join(lines) + "\n"

    def release(self, root, version, behaviour="good", arguments=None, checks=None, branch="stable"):
        """Commit the root as a new release: its serial."""
        write(root + "/etc/version", version + "\n")
        write(root + "/etc/behaviour", behaviour + "\n")
        own = root + "/usr/lib/osupdate"
        shutil.rmtree(own + "/health", ignore_errors=True)
        if os.path.exists(own + "/kernel-arguments"):
            os.unlink(own + "/kernel-arguments")
        if arguments:
            write(own + "/kernel-arguments", arguments)
        for name, script in (checks or {}).items():
            write("%s/health/%s" % (own, name), "#!/bin/sh\n" + script + "\n", 0o755)
        run("git", "--git-dir", self.repository, "osupdate", "commit", "--branch", branch,
            "--product", PRODUCT, "--version", version, "--key", self.path("key"),
            "-m", "release " + version, root)
        self.serial += 1
        return self.serial

    def rewind(self):
        """Offer release 1 again; the next one is committed on top of it."""
        first = run("git", "--git-dir", self.repository, "rev-list", "--reverse", "stable").split()[0]
        run("git", "--git-dir", self.repository, "update-ref", "refs/heads/stable", first)
        self.serial = 1

    # --- disks ------------------------------------------------------------------------

    def loop(self, image, offset, size):
        device = run("losetup", "-f", "--show", "-o", offset, "--sizelimit", size, image).strip()
        self.loops.append(device)
        return device

    def unloop(self, device):
        run("losetup", "-d", device)
        self.loops.remove(device)

    def mount(self, device, name):
        directory = self.path(name)
        os.makedirs(directory, exist_ok=True)
        run("mount", device, directory)
        self.mounts.append(directory)
        return directory

    def umount(self, directory):
        run("umount", directory)
        self.mounts.remove(directory)

    def disk(self, name, loader, slots="A"):
        """A disk with the newest release in `slots`, installed by osupdate: its path.  The
        last of them boots; one that has it already is updated sooner than an empty one."""
        image = self.path(name)
        start = 1
        script = "label: gpt\n"
        offsets = {}
        for number, label, size, kind in LAYOUT:
            size = getattr(loader, "sizes", {}).get(label, size)
            # The flag is for U-Boot, which looks for its script on bootable partitions.
            script += "%d: start=%dMiB, size=%dMiB, type=%s, name=%s%s\n" % (
                number, start, size, kind, label,
                ', attrs="LegacyBIOSBootable"' if label == "boot" else "")
            offsets[label] = (start << 20, size << 20)
            start += size
        with open(image, "wb") as f:
            f.truncate((start + 1) << 20)
        run("sfdisk", "-q", image, input=script)
        self.offsets = offsets
        devices = {label: self.loop(image, *offsets[label])
                   for label in ("boot", "root-a", "root-b", "data")}
        for label, device in devices.items():
            run("mkfs.ext4", "-q", "-L", label, device)
        boot = self.mount(devices["boot"], "boot")
        data = self.mount(devices["data"], "data")
        loader.prepare(self, image, boot, offsets)
        state = data + getattr(loader, "state", "/osupdate")
        os.makedirs(state)
        write(self.path("allowed_signers"), open(self.path("root/etc/osupdate/allowed_signers"))
              .read())
        write(self.path("osupdate.conf"),
              self.config(loader, state, self.path("allowed_signers"),
                          "http://127.0.0.1:%d/git/os.git" % self.server.port,
                          {"A": devices["root-a"], "B": devices["root-b"]},
                          loader.host_keys(self, boot)))
        osupdate = ("osupdate", "--config", self.path("osupdate.conf"), "--booted", "none",
                    "--progress=none")
        run(*osupdate, "fetch")
        for slot in slots:
            run(*osupdate, "install", "--slot", slot, str(self.serial))
        self.umount(boot)
        self.umount(data)
        for device in devices.values():
            self.unloop(device)
        loader.finish(self, image, offsets)
        return image

    def ovmf(self, name):
        """UEFI firmware with variables of its own: (code, variables)."""
        variables = self.path(name + "-vars.fd")
        shutil.copy("/usr/share/OVMF/OVMF_VARS.fd", variables)
        return "/usr/share/OVMF/OVMF_CODE.fd", variables

    def copy(self, image, name):
        """A fresh disk for a scenario."""
        target = self.path(name)
        run("cp", "--sparse=always", "--reflink=auto", image, target)
        return target
