# SPDX-License-Identifier: MIT
"""UEFI without GRUB: systemd-boot, or the firmware alone; kernels on the ESP.

While osupdate provisions a disk on the host the ESP is a directory: the host's kernel may know
no FAT."""
import os
import shutil

from lab import run, write

class Uefi:
    mounts = ["mkdir -p /run/esp", "mount -t vfat -o umask=077 /dev/nvme0n1p6 /run/esp",
              "mount -t efivarfs efivarfs /sys/firmware/efi/efivars 2>/dev/null",
              "mount -t ext4 /dev/nvme0n1p5 /data"]
    arguments = "panic=1 loglevel=5 console=ttyS0,115200 net.ifnames=0 rootwait"

    def prepare(self, lab, image, boot, offsets):
        self.esp = lab.path("esp")
        os.mkdir(self.esp)

    def esp_image(self, lab, image, offsets):
        """The ESP's directory as a FAT file system on the disk."""
        fat = lab.path("esp.img")
        with open(fat, "wb") as f:
            f.truncate(offsets["esp"][1])
        run("mkfs.vfat", "-F", "32", "-n", "ESP", fat)
        for name in os.listdir(self.esp):
            run("mcopy", "-s", "-i", fat, os.path.join(self.esp, name), "::")
        run("dd", "if=" + fat, "of=" + image, "bs=1M", "seek=%d" % (offsets["esp"][0] >> 20),
            "conv=notrunc,sparse", "status=none")

    def partition(self, lab, image, name):
        """PARTUUID of a partition."""
        number = {"root-a": 3, "root-b": 4}[name]
        return run("sfdisk", "--part-uuid", image, number).strip().lower()


class SystemdBoot(Uefi):
    hook = "systemd-boot"
    programs = ()
    keys = {"esp": "/run/esp", "arguments": Uefi.arguments}

    def host_keys(self, lab, boot):
        return {"esp": self.esp, "arguments": Uefi.arguments}

    def finish(self, lab, image, offsets):
        os.makedirs(self.esp + "/EFI/BOOT")
        shutil.copy("/usr/lib/systemd/boot/efi/systemd-bootx64.efi",
                    self.esp + "/EFI/BOOT/BOOTX64.EFI")
        shutil.copy(os.path.join(os.path.dirname(__file__), "../../../bootloader-hooks/loader.conf"),
                    self.esp + "/loader/loader.conf")
        # The host's loop devices are the guest's partitions.
        entries = self.esp + "/loader/entries/"
        for name in os.listdir(entries):
            with open(entries + name) as f:
                text = f.read()
            words = ["root=PARTUUID=" + self.partition(lab, image, "root-a")
                     if word.startswith("root=") else word for word in text.split(" ")]
            write(entries + name, " ".join(words))
        self.esp_image(lab, image, offsets)


class Efi(Uefi):
    hook = "efi"
    programs = ("/usr/bin/efibootmgr",)
    keys = {"esp": "/run/esp", "arguments": Uefi.arguments}

    def host_keys(self, lab, boot):
        self.variables = lab.path("efivars")
        os.makedirs(self.variables, exist_ok=True)
        return {"esp": self.esp, "arguments": Uefi.arguments, "efivars": self.variables,
                "disk": self.disk, "partition": "6"}

    def prepare(self, lab, image, boot, offsets):
        super().prepare(lab, image, boot, offsets)
        self.disk = lab.loop(image, 0, os.path.getsize(image))

    def finish(self, lab, image, offsets):
        lab.unloop(self.disk)
        self.esp_image(lab, image, offsets)
