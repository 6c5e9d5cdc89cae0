# SPDX-License-Identifier: MIT
"""GRUB on a disk image, on BIOS and EFI, with the grub.cfg that osupdate ships."""
import os
import shutil
import struct

from lab import TOP, run, write

MODULES = "part_gpt ext2 normal loadenv test echo linux reboot serial terminal search sleep " \
          "regexp eval configfile".split()


class Grub:
    hook = "grub"
    programs = ("/usr/bin/grub-editenv",)
    mounts = ["mount -t ext4 /dev/nvme0n1p2 /boot", "mount -t ext4 /dev/nvme0n1p5 /data"]
    keys = {"grubenv": "/boot/grub/grubenv"}

    def host_keys(self, lab, boot):
        return {"grubenv": boot + "/grub/grubenv"}

    def config(self):
        """The shipped one, for a serial console and with less patience."""
        with open(TOP + "/bootloader-hooks/grub.cfg") as f:
            text = f.read()
        text = text.replace("panic=10", "panic=1 loglevel=5 console=ttyS0,115200 net.ifnames=0 rootwait")
        return ("serial --unit=0 --speed=115200\nterminal_output serial\n" + text).replace(
            "sleep 10", "sleep 1")

    def prepare(self, lab, image, boot, offsets):
        os.mkdir(boot + "/grub")
        write(boot + "/grub/grub.cfg", self.config())
        run("grub-editenv", boot + "/grub/grubenv", "create")

    def finish(self, lab, image, offsets):
        """As grub-install does it, without asking the kernel for partitions."""
        core = lab.path("core.img")
        run("grub-mkimage", "-O", "i386-pc", "-o", core, "-p", "(hd0,gpt2)/grub", "biosdisk",
            *MODULES)
        with open("/usr/lib/grub/i386-pc/boot.img", "rb") as f:
            boot = bytearray(f.read())
        with open(core, "rb") as f:
            code = bytearray(f.read())
        code += bytes(-len(code) % 512)
        sector = offsets["bios"][0] // 512
        # boot.img: kernel_sector, and no jump over the boot drive's number; diskboot.img:
        # its block list (GRUB's i386/pc/boot.h).
        struct.pack_into("<Q", boot, 0x5C, sector)
        boot[0x66:0x68] = b"\x90\x90"
        struct.pack_into("<QHH", code, 0x1F4, sector + 1, len(code) // 512 - 1, 0x820)
        with open(image, "r+b") as f:
            table = f.read(512)
            f.seek(0)
            f.write(bytes(boot[:440]) + table[440:512])
            f.seek(offsets["bios"][0])
            f.write(code)

    def finish_efi(self, lab, image, offsets):
        efi = lab.path("grubx64.efi")
        run("grub-mkimage", "-O", "x86_64-efi", "-o", efi, "-p", "(hd0,gpt2)/grub", *MODULES)
        esp = lab.path("esp.img")
        if os.path.exists(esp):
            os.unlink(esp)
        with open(esp, "wb") as f:
            f.truncate(offsets["esp"][1])
        run("mkfs.vfat", "-F", "32", "-n", "ESP", esp)
        run("mmd", "-i", esp, "::EFI", "::EFI/BOOT")
        run("mcopy", "-i", esp, efi, "::EFI/BOOT/BOOTX64.EFI")
        run("dd", "if=" + esp, "of=" + image, "bs=1M", "seek=%d" % (offsets["esp"][0] >> 20),
            "conv=notrunc,sparse", "status=none")
