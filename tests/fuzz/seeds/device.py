# SPDX-License-Identifier: MIT
"""What stands on the device."""
from common import DIGEST, seed


def state():
    ref = f"{DIGEST} {'1' * 40} 12 -5 1.2\\040x"
    lines = ("osupdate-state 1\nphase armed\nboot-id 0f6c7a4e-0000-4000-8000-00000000abcd\ntarget B\n"
             f"release {ref}\nretries 2\narm-calls 1\nfloor 18446744073709551615\nfloor-time -1\n"
             f"candidate {ref}\ndenied {ref} it hung\\012for ever\ndenied {ref} \n"
             "error 1793786400 fetch no \\033[31mroute\nfuture key\n")
    seed("lines", "\2" + lines)
    seed("signed", "\2" + lines + f"floor-signed-by 18446744073709551615 SHA256:a\nvalid-until 5\nsigned-by {DIGEST} SHA256:b\n")
    seed("idle", "\2osupdate-state 1\nphase idle\nboot-id x\narm-calls 0\nfloor 0\nfloor-time 0\n")
    seed("full", "\2" + lines + f"denied {ref} {'r' * 190}\n" * 30)
    seed("fuller", "\2" + lines + f"denied {ref} {'r' * 190}\n" * 30 + "x " + "u" * 15000 + "\n")
    for phase in ("writing", "sealed", "trial", "confirming"):
        seed(phase, "\2" + lines.replace("armed", phase))
    idle = "\2osupdate-state 1\nphase idle\n"
    short = ref.rsplit(" ", 1)[0]
    for i, line in enumerate((
            "phase idle", "phase what", "boot-id \x01", "boot-id " + "x" * 100, "target a b", f"release {ref} x",
            f"release {short.replace(' 12 ', ' 0 ')} v", f"release {DIGEST} x", "release x", f"release {short} \\9",
            f"release {short} \\000", f"release {short} \\141", f"release {short} \\12",
            f"release {short.replace(' 12 ', ' x ')} v",
            f"release {short} {'v' * 200}", "arm-calls 1001", "arm-calls x", "arm-calls 1 2", "retries 3 4", "floor x",
            "floor 1 2", "floor-time -", "floor-time 1 2", "floor-signed-by x y", "floor-signed-by 1 " + "s" * 99,
            f"signed-by {DIGEST} " + "s" * 99, "signed-by x y", "valid-until 1 2", f"candidate {ref} x", f"denied {ref} \x7f",
            f"denied {ref} " + "r" * 300, "denied x", "error 0 fetch x", "error x fetch x", "error 1 " + "s" * 90 + " x",
            "error 1 fetch " + "x" * 400, "", "future \0key", f"denied {ref} a\n" * 65)):
        seed(f"refused-{i}", idle + line + "\n")
    seed("unsettled", "\2osupdate-state 1\nphase trial\n")
    seed("unknown-much", idle + "".join(f"future-{n} {'u' * 1000}\n" for n in range(20)) + f"denied {ref} a\n" * 60)
    seed("headless", "\2osupdate-state 2\nphase idle\n")
    seed("headless-short", "\2x")
    seed("text-cut", "\1" + "x" * 199 + "\\033" + "y" * 100)
    seed("text-cut-utf8", "\1" + "x" * 199 + "\u20ac" * 100)
    seed("text", "\1no route\nto \x1b[31mhost \\033 " + "\u00e9" * 120)
    seed("whole", "\0" + lines + "digest " + "0" * 64 + "\n\n")


def cmdline():
    for i, line in enumerate((
            "BOOT_IMAGE=/vmlinuz root=/dev/sda3 ro osupdate.slot=A quiet", "rauc.slot=system.1\n", "quiet",
            "osupdate.slot=A rauc.slot=A", "osupdate.slot=A osupdate.slot=system.1", "\tosupdate.slot=C ro",
            "osupdate.slot= osupdate.slots=A xosupdate.slot=A rauc.slot")):
        seed("line-%d" % i, line)


def config():
    seed("all", "# a comment\n[update]\nurl = https://me:x@git.example.org/os.git ; git\n"
         "stream = https://a.org/s\tfile:///mnt\nchannel = beta\nproduct = kiosk-amd64\n"
         "ssh-key = /etc/key\nknown-hosts = /h\nca = /ca.pem\nusername = device\n"
         "password-file = /p\nproxy = http://proxy:3128\nnetrc = /n\nclient-certificate = /c\n"
         "client-key = /k\nrate-limit = 500k\nstall-timeout = 5\ninterval = 6h\nread-back = no\n"
         "trial-timeout = 15min\ncheck-timeout = 600\n[paths]\nstate = /data\nsigners = /s\n"
         "[boot]\nhook = grub\ntimeout = 7\ngrubenv = /boot/grub/grubenv\n[slot A]\n"
         "device = /dev/a\n[slot B]\ndevice = /dev/b\nbootname = system1\n")
    small = ("[update]\nurl = /srv/os.git\nproduct = p\n[boot]\nhook = /x/hook\n"
             "[slot A]\ndevice = /dev/a\n[slot B]\ndevice = /dev/b\n")
    seed("small", small)
    for i, (old, new) in enumerate((
            ("product", "prodct"), ("hook", "device"), ("/dev/b", "/dev/a"), ("slot B", "slot A"),
            ("[slot B]\ndevice = /dev/b\n", ""), ("[slot B]\n", ""), ("[boot]", "[bot]"),
            ("product = p\n", ""), ("url = /srv/os.git\n", ""), ("/x/hook", "a/b"),
            ("[slot B]", "[slot -]"), ("device = /dev/b", "bootname = A\ndevice = /dev/b"),
            ("[boot]", "[update]"), ("product = p", "product = p\nproduct = q"),
            ("product = p", "product: p"), ("[update]\n", ""), ("[boot]", "[boot"),
            ("product = p", "product ="), ("hook", "key = 1\nkey = 2\nhook"), ("[slot B]", "[slot C]\n[slot B]"),
            ("product = p", "rate-limit = 2M\nread-back = true\ninterval = 90s\nproduct = p"),
            ("product = p", "read-back = maybe"), ("product = p", "rate-limit = 0"),
            ("product = p", "interval = 367d"), ("product = p", "stall-timeout = 3601"),
            ("product = p", "check-timeout = 0"), ("product = p", "ca = relative"),
            ("product = p", "stream = ftp://x"), ("product = p", "product = a..b"),
            ("/srv/os.git", "/srv/o s"), ("[slot B]\ndevice", "[slot B]\nbootname = ../x\ndevice"),
            ("product = p", "product = " + "p" * 300), ("product = p", "product = \x01"),
            ("device = /dev/b\n", ""), ("[boot]", "Key = x\n[boot]"), ("hook", "Bad_Key = 1\nhook"))):
        seed(f"other-{i}", small.replace(old, new))
    seed("nul", small + "\0")
    for i, url in enumerate(("ssh://git@host:22/x", "git@host:x", "https://u:p%40@[::1]/x?y#z", "http://a@b@c/",
                             "file:///srv/a%20b", "file://localhost/x%2", "file://host/x", "file:///%00", "x://y",
                             "git://h/x", "what")):
        seed(f"url-{i}", small.replace("/srv/os.git", url))


def hook():
    for verb, answer in enumerate(("A\n", "system-1", "good\n", "", "")):
        seed(f"verb-{verb}", bytes([verb, 0]) + answer.encode())
        seed(f"fails-{verb}", bytes([verb, 0x81]) + b"out\0no \x1b environment\nmore")
    seed("bad", b"\2\0bad\n")
    seed("neither", b"\2\0fine\nbad\n")
    seed("silent", b"\1\x81\0")
    seed("late", b"\0\xff")
    seed("nul", b"\0\0A\0B\n")
    seed("much", b"\0\0" + b"A" * 257)
    seed("long-reason", b"\3\x90\0" + b"r" * 400)
    seed("key", b"\5grubenv")
    seed("name", b"\5grubenv\0none")
    seed("name-no-file", b"\5grubenv\0etc")
    seed("name-path", b"\5x\0/usr/bin/true")
    seed("name-no-path", b"\5x\0/none")
    seed("name-strange", b"\5x\0../x")
    seed("name-below", b"\5x\0/etc/passwd/x")
    seed("name-other", b"\5x\0/tmp/x/../../usr/bin/true")
    seed("key-dash", b"\5fw-env-config")
    seed("key-ours", b"\5kernel-arguments")
