# SPDX-License-Identifier: MIT
"""A virtual machine (qemu, TCG) driven over its serial console, and ended on every path."""
import atexit
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

BOOT_TIMEOUT = 180  # seconds; TCG on a busy machine is slow
LIVE = []


def _end_all():
    for vm in list(LIVE):
        vm.power_cut()


atexit.register(_end_all)
for _sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(_sig, lambda *_: sys.exit(130))


class Failed(Exception):
    pass


class VM:
    """disk: an image; firmware: None for BIOS, or (code, variables) of OVMF."""

    def __init__(self, disk, scratch, arch="x86_64", firmware=None, erst=None, extra=(),
                 write_log=None, memory=512, log=None):
        self.text = ""
        self.position = 0
        self.changed = threading.Condition()
        self.log = open(log, "ab") if log else None
        self.control = os.path.join(scratch, "qmp-%d" % id(self))
        command = ["qemu-system-" + arch, "-accel", "tcg,thread=multi", "-m", str(memory),
                   "-nodefaults", "-display", "none", "-serial", "stdio",
                   "-qmp", "unix:%s,server=on,wait=off" % self.control]
        if arch == "x86_64":
            command += ["-machine", "q35", "-cpu", "max"]
        else:
            command += ["-machine", "virt", "-cpu", "cortex-a57"]
        drive = "if=none,id=disk,format=raw,cache=writeback,file=%s" % disk
        if write_log:
            append = os.path.exists(write_log)
            open(write_log, "ab").close()
            drive = ("if=none,id=disk,driver=blklogwrites,file.driver=file,file.filename=%s,"
                     "log.driver=file,log.filename=%s,log-append=%s"
                     % (disk, write_log, "on" if append else "off"))
        command += ["-drive", drive,
                    "-device", "nvme,drive=disk,serial=osupdate,bootindex=1",
                    "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="]
        for index, path in enumerate(firmware or ()):
            command += ["-drive", "if=pflash,format=raw,unit=%d,%sfile=%s" % (
                index, "readonly=on," if index == 0 else "", path)]
        if erst and arch == "x86_64":
            command += ["-object", "memory-backend-file,id=erst,mem-path=%s,size=0x10000,share=on"
                        % erst, "-device", "acpi-erst,memdev=erst"]
        self.process = subprocess.Popen(command + list(extra), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, start_new_session=True)
        LIVE.append(self)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            data = os.read(self.process.stdout.fileno(), 65536)
            with self.changed:
                if self.log and data:
                    self.log.write(data)
                    self.log.flush()
                self.text += data.decode("latin1").replace("\r", "") if data else "\n<EOF>\n"
                self.changed.notify_all()
                if not data:
                    return

    def expect(self, pattern, timeout=BOOT_TIMEOUT):
        """Wait for a regular expression in what comes; returns the match."""
        end = time.monotonic() + timeout
        compiled = re.compile(pattern)
        with self.changed:
            while True:
                match = compiled.search(self.text, self.position)
                if match:
                    self.position = match.end()
                    return match
                left = end - time.monotonic()
                if left <= 0 or self.text.endswith("<EOF>\n"):
                    raise Failed("no %r on the console; it ends in:\n%s"
                                 % (pattern, self.text[-2500:]))
                self.changed.wait(min(left, 1))

    def send(self, line):
        self.process.stdin.write((line + "\n").encode())
        self.process.stdin.flush()

    def sh(self, command, status=0, timeout=BOOT_TIMEOUT):
        """Run a command in the console's shell; its output.  status None: any will do."""
        mark = "%x" % time.monotonic_ns()
        # Marks are printed in two parts, so that an echo of the command is no answer.
        self.send("echo BEGIN''%s; { %s\n} 2>&1; echo END''%s:$?:" % (mark, command, mark))
        self.expect(r"BEGIN%s\n" % mark, timeout)
        start = self.position
        match = self.expect(r"END%s:(\d+):\n" % mark, timeout)
        output = self.text[start:match.start()]
        if status is not None and int(match[1]) != status:
            raise Failed("`%s` ended with %s, not %d:\n%s" % (command, match[1], status, output))
        return output

    def _qmp(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.control)
            f = s.makefile("rw")
            f.readline()
            for one in ("qmp_capabilities", command):
                f.write(json.dumps({"execute": one}) + "\n")
                f.flush()
                f.readline()

    def reset(self):
        """The reset button, or a watchdog: memory is kept, nothing is told."""
        self._qmp("system_reset")

    def power_cut(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self in LIVE:
            LIVE.remove(self)

    def power_off(self):
        """Ask the guest's shell to; then it has written everything."""
        self.send("poweroff -f")
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            raise Failed("the machine did not power off")
        self.power_cut()
