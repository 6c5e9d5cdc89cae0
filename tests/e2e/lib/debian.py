# SPDX-License-Identifier: MIT
"""A complete Debian with systemd as the root of a test, as a package would set it up."""
import glob
import os
import shutil

from grub import Grub
from lab import HOST, Lab
from toolbox import CACHE, TOP, Native, cache_locked, key_of, run, write

PACKAGES = ("systemd systemd-sysv udev dbus login kmod e2fsprogs iproute2 libgit2-1.5 libjansson4 "
            "libinih1 libcurl4 libdeflate0 libext2fs2 libzstd1 libsmartcols1 libsodium23 libmount1 libblkid1 libsystemd0 libfdisk1").split()
SYSTEM = "/etc/systemd/system"


class DebianGrub(Grub):
    sizes = {"root-a": 450, "root-b": 450, "data": 400}
    state = "/lib/osupdate"  # the data partition is /var
    keys = {"grubenv": "/boot/grub/grubenv"}


class DebianLab(Lab):
    read_back = "yes"

    def root(self, loader):
        root = self.path("root")
        os.mkdir(root)
        run("tar", "-C", root, "-xpf", self.tar())
        self.add_kernel(root)
        self.add_osupdate(root)
        self.configure(root, loader)
        return root

    def tar(self):
        tar = os.path.join(CACHE, "debian-systemd-%s.tar" % key_of(PACKAGES))
        with cache_locked():
            if not os.path.exists(tar):
                with open("/etc/os-release") as f:
                    codename = [line.split("=")[1].strip() for line in f
                                if line.startswith("VERSION_CODENAME")][0]
                run("mmdebstrap", "--quiet", "--variant=minbase", "--mode=root",
                    *["--dpkgopt=path-exclude=/usr/share/%s/*" % d
                      for d in ("doc", "man", "info", "locale", "zoneinfo")],
                    "--include=" + ",".join(PACKAGES), codename, tar + ".new.tar")
                os.rename(tar + ".new.tar", tar)
        return tar

    def add_kernel(self, root):
        kernel = Native().kernel()
        version = os.listdir(kernel + "/lib/modules")[0]
        shutil.copy2("%s/boot/vmlinuz-%s" % (kernel, version), root + "/boot/")
        os.symlink("boot/vmlinuz-" + version, root + "/vmlinuz")
        for name in ("virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover "
                     "net_failover virtio_net softdog autofs4").split():
            for f in glob.glob("%s/lib/modules/%s/**/%s.ko" % (kernel, version, name), recursive=True):
                target = root + "/usr" + f[len(kernel):]
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy2(f, target)
        for f in glob.glob("%s/lib/modules/%s/modules.*" % (kernel, version)):
            shutil.copy2(f, root + "/usr/lib/modules/" + version)
        run("depmod", "-b", root, version)
        write(root + "/etc/modules-load.d/network.conf", "virtio_net\n")

    def add_osupdate(self, root):
        """Built with --prefix=/usr, and its system user."""
        build = os.path.join(TOP, "build", "usr")
        if not os.path.isdir(build):
            run("meson", "setup", build, "--prefix=/usr", "-Dwerror=true", cwd=TOP)
        run("meson", "compile", "-C", build)
        run("meson", "install", "-C", build, "--quiet", "--destdir", root)
        run("chroot", root, "systemd-sysusers", "/usr/lib/sysusers.d/osupdate.conf")

    def configure(self, root, loader):
        with open(self.path("key.pub")) as f:
            write(root + "/etc/osupdate/allowed_signers",
                  'builder@example.org namespaces="git" ' + f.read())
        write(root + "/etc/osupdate/osupdate.conf",
              self.config(loader, "/var/lib/osupdate", "/etc/osupdate/allowed_signers",
                          "http://%s:%d/git/os.git" % (HOST, self.server.wire.port),
                          {"A": "/dev/disk/by-partlabel/root-a", "B": "/dev/disk/by-partlabel/root-b"},
                          loader.keys))
        write(root + "/etc/fstab", "PARTLABEL=data /var ext4 defaults 0 2\n"
              "PARTLABEL=boot /boot ext4 defaults 0 2\ntmpfs /tmp tmpfs defaults 0 0\n")
        write(root + "/etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0o444)
        write(root + "/etc/hostname", "device\n")
        write(root + "/etc/systemd/journald.conf.d/test.conf",
              "[Journal]\nStorage=persistent\nForwardToConsole=yes\nTTYPath=/dev/ttyS0\n"
              "MaxLevelConsole=info\nRateLimitBurst=0\n")
        write(root + "/etc/systemd/network/any.network", "[Match]\nName=e*\n[Network]\nDHCP=yes\n")
        write(root + SYSTEM + "/serial-getty@ttyS0.service.d/autologin.conf",
              "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 - dumb\n")
        write(root + SYSTEM + "/osupdated.service.d/reboot.conf",
              "[Service]\nExecStart=\nExecStart=/usr/sbin/osupdated --reboot\n")
        write(root + SYSTEM + "/osupdate-update.service.d/reboot.conf",
              "[Service]\nExecStart=\nExecStart=/usr/bin/osupdate --progress=none update --reboot\n")
        write(root + SYSTEM + "/osupdate-update.timer.d/often.conf",
              "[Timer]\nOnBootSec=\nOnUnitActiveSec=\nOnBootSec=5s\nOnUnitInactiveSec=5s\n"
              "RandomizedDelaySec=0\nAccuracySec=1s\n")
        write(root + SYSTEM + "/fit.service",
              "[Unit]\nDescription=Is this release fit\nBefore=boot-complete.target\n"
              "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/grep -qx yes /etc/fit\n")
        for unit, target in (("fit.service", "boot-complete.target.requires"),
                             ("systemd-networkd.service", "multi-user.target.wants"),
                             ("osupdate-confirm.service", "multi-user.target.wants"),
                             ("osupdate-trial.service", "sysinit.target.wants")):
            self.enable(root, unit, target)
        for unit in ("systemd-timesyncd.service", "apt-daily.timer", "apt-daily-upgrade.timer",
                     "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer"):
            self.link(root, "/dev/null", SYSTEM + "/" + unit)

    def link(self, root, target, path):
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        if os.path.lexists(root + path):
            os.unlink(root + path)
        os.symlink(target, root + path)

    def enable(self, root, unit, target, on=True):
        path = "%s/%s/%s" % (SYSTEM, target, unit)
        if on:
            self.link(root, "/usr/lib/systemd/system/" + unit if not os.path.exists(
                root + SYSTEM + "/" + unit) else SYSTEM + "/" + unit, path)
        elif os.path.lexists(root + path):
            os.unlink(root + path)

    def debian_release(self, root, version, kind="good", timer=False):
        """kind: good; unfit: a unit that boot-complete.target requires fails; dead: no init."""
        write(root + "/etc/fit", "no\n" if kind == "unfit" else "yes\n")
        self.enable(root, "osupdated.service", "multi-user.target.wants", not timer)
        self.enable(root, "osupdate-update.timer", "timers.target.wants", timer)
        os.unlink(root + "/usr/sbin/init")
        if kind == "dead":
            write(root + "/usr/sbin/init", "#!/bin/sh\nexit 1\n", 0o755)
        else:
            os.symlink("/lib/systemd/systemd", root + "/usr/sbin/init")
        return self.release(root, version, behaviour=kind)
