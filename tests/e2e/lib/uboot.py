# SPDX-License-Identifier: MIT
"""U-Boot's environment on the disk itself, where the first partition keeps room for it."""
import os

from lab import run, write

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
