# SPDX-License-Identifier: MIT
"""U-Boot's environment on the disk itself, where the first partition keeps room for it."""
import os

from lab import TOP, run, write
from toolbox import Arm64

OFFSETS = 0x100000, 0x110000
SIZE = 0x4000


def fw_env_config(device):
    """Two copies: libubootenv and U-Boot write the older one, and then it is the newer."""
    return "".join("%s %#x %#x\n" % (device, offset, SIZE) for offset in OFFSETS)


class Environment:
    """The hook on two copies of the environment; qemu starts the kernels."""
    hook = "uboot"
    programs = ("/usr/bin/fw_printenv", "/usr/bin/fw_setenv")
    mounts = ["mount -t ext4 /dev/nvme0n1p5 /data", "cp /data/fw_env.config /run/fw_env.config"]
    keys = {"fw-env-config": "/run/fw_env.config"}

    def host_keys(self, lab, boot):
        return {"fw-env-config": lab.path("fw_env.config")}

    def prepare(self, lab, image, boot, offsets):
        write(lab.path("fw_env.config"), fw_env_config(image))
        write(lab.path("data/fw_env.config"), fw_env_config("/dev/nvme0n1"))
        run("fw_setenv", "-c", lab.path("fw_env.config"), "-f", "/dev/null", "machine", "test")

    def finish(self, lab, image, offsets):
        pass

    def direct(self, lab, slot):
        return ["-kernel", os.path.realpath(lab.path("root/vmlinuz")), "-append",
                "root=PARTLABEL=root-%s ro osupdate.slot=%s panic=1 loglevel=5 "
                "console=ttyS0,115200 net.ifnames=0 rootwait" % (slot.lower(), slot)]


class UBoot(Environment):
    """U-Boot itself, on arm64, with the boot script that osupdate ships.  Its saveenv does not
    work on qemu's flash (it has one copy on the disk instead, see uboot.cmd)."""
    machine = {"arch": "aarch64", "extra": ["-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin"]}
    direct = None

    def tools(self):
        return Arm64()

    def prepare(self, lab, image, boot, offsets):
        one = "%s %#x %#x\n"
        write(lab.path("fw_env.config"), one % (image, OFFSETS[0], SIZE))
        write(lab.path("data/fw_env.config"), one % ("/dev/nvme0n1", OFFSETS[0], SIZE))
        run("fw_setenv", "-c", lab.path("fw_env.config"), "-f", "/dev/null", "machine", "test")
        with open(TOP + "/bootloader-hooks/uboot.cmd") as f:
            script = f.read()
        script = script.replace("panic=10", "panic=1").replace("sleep 10", "sleep 1")
        write(lab.path("uboot.cmd"),
              "setenv osupdate_env_block 800\n"
              "setenv osupdate_bootargs 'console=ttyAMA0 loglevel=5 net.ifnames=0 rootwait'\n"
              + script)
        run("mkimage", "-T", "script", "-C", "none", "-A", "arm64", "-d", lab.path("uboot.cmd"),
            boot + "/boot.scr")
