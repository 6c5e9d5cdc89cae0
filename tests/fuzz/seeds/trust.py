# SPDX-License-Identifier: MIT
"""Releases and signers."""
import base64
import struct
import tempfile

from common import DIGEST, run, seed

MESSAGE = f"""Release 1.2

What is new.

Signed-off-by: A <a@example.org>
Osupdate-Product: kiosk-amd64
Osupdate-Version: 1.2 (\u00e9t\u00e9)
Osupdate-Serial: 12
Osupdate-Manifest: blake2b-256:{DIGEST} 1234
Osupdate-Channel: stable beta/x
Osupdate-Opt-Note: anything
"""


def string(s):
    """A string of SSH's wire format."""
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack(">I", len(s)) + s


def public_key(byte, application=None):
    kind = "sk-ssh-ed25519@openssh.com" if application else "ssh-ed25519"
    wire = string(kind) + string(byte * 32) + (string(application) if application else b"")
    return kind + " " + base64.b64encode(wire).decode()


def refused_payloads(payload):
    """What is wrong in one place each: in the commit's text, its headers, its message."""
    whole = payload + MESSAGE
    for i, (old, new) in enumerate((
            ("What", "Wh\0t"), ("What", "Wh\rt"), ("tree", " tree"), ("\nauthor", "\nencoding x\nauthor"),
            ("author A B <a@example.org> 1700000000 +0100", "author"),
            ("author A B <a@example.org> 1700000000 +0100\n", ""), ("\nparent", "\ntree x\nparent"),
            ("committer C <> 1700000001 -0230\n", "parent " + "4" * 40 + "\n"),
            ("committer C <> 1700000001 -0230\n", ""), ("committer C", "gpgsig a\n b\ncommitter C"),
            ("\n\nRelease", "\ngpgsig a\n b\n\nRelease"), ("\n\nRelease", "\ngpgsig a\n b"),
            ("1" * 40, "1" * 39), ("3" * 40, "x" * 40), ("A B <", "A B"), ("A B <", "<"), ("> 17", ">17"),
            (" +0100", ""), ("+0100", "0100"), ("+0100", "+01a0"), ("+0100", "+2460"), ("C <>", "C <> >"),
            ("17000000", "1e"), ("Osupdate-Serial: 12\n", ""), ("Serial: 12", "Serial: 12\nOsupdate-Serial: 12"),
            ("Serial: 12", "Serial:12"), ("Opt-Note", "Note"), ("Signed-off-by: ", "Signed off"),
            ("What", "osupdate-serial: 3\nWhat"), ("note: anything\n", "note: anything"),
            ("anything\n", "anything"), ("anything\n", "anything\n\n"), ("Osupdate-Serial", "osupdate-serial"),
            ("stable beta/x", " ".join(f"c{n}" for n in range(40))), ("blake2b-256", "sha256"),
            (whole, "tree x"), (whole, ""), (MESSAGE, "x"), (MESSAGE, "x\n"))):
        seed(f"refused-{i}", "\1" + whole.replace(old, new, 1))
    seed("refused-utf8", b"\1" + whole.encode().replace(b"What", b"Wh\xfft"))
    for i, text in enumerate(("2027-06-01", "2027-06-0xT00:00:00Z", "2027-06-01 00:00:00Z", "2027-02-31T00:00:00Z")):
        seed(f"until-{i}", "\1" + whole + f"Osupdate-Valid-Until: {text}\n")


def release():
    payload = ("tree " + "1" * 40 + "\nparent " + "2" * 40 + "\nparent " + "3" * 40 +
               "\nauthor A B <a@example.org> 1700000000 +0100\n"
               "committer C <> 1700000001 -0230\n\n")
    seed("payload", "\1" + payload + MESSAGE)
    until = MESSAGE + "Osupdate-Valid-Until: 2027-06-01T00:00:00Z\n"
    seed("payload-until", "\1" + payload + until)
    refused_payloads(payload)
    # Made by the stock tools, as on a builder's machine.
    with tempfile.TemporaryDirectory() as d:
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", d + "/key", cwd=d)
        run("git", "init", "-q", cwd=d)
        for key, value in (("user.name", "B"), ("user.email", "b@example.org"),
                           ("gpg.format", "ssh"), ("user.signingkey", d + "/key")):
            run("git", "config", key, value, cwd=d)
        for n in (1, 2):
            run("git", "commit", "-q", "-S", "--allow-empty", "-F", "-", cwd=d,
                stdin=MESSAGE.encode())
        commit = run("git", "cat-file", "commit", "HEAD", cwd=d)
        run("git", "tag", "-s", "-m", MESSAGE, "v1", cwd=d)
        tag = run("git", "cat-file", "tag", "v1", cwd=d)
        armor = run("ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", "key", cwd=d,
                    stdin=b"message\n")
        with open(d + "/key.pub", "rb") as f:
            signers = b'b namespaces="git" ' + f.read()
    seed("commit", b"\0" + signers + b"\0" + commit)
    seed("armor", b"\2" + armor)
    blob = base64.b64decode(b"".join(armor.splitlines()[1:-1]))
    seed("blob", b"\3" + blob)
    kind = "sk-ssh-ed25519@openssh.com"
    inner = string(kind) + string(b"s" * 64) + b"\1\0\0\0\7"
    head = b"SSHSIG\0\0\0\1" + string(string(kind) + string(b"1" * 32) + string("ssh:"))
    for hash_ in ("sha256", "sha512"):
        seed("blob-sk-" + hash_, b"\3" + head + string("git") + string("") + string(hash_) + string(inner))
    for i, blob in enumerate((
            head + string("git") + string("x") + string("sha512") + string(inner),
            head + string("git") + string("") + string("sha512") + string(inner[:-1]),
            head + string("git") + string("") + string("sha512") + string(inner + b"x"),
            head + string("git") + string("") + string("sha512") + string(string(kind) + string(b"s" * 63)),
            head + string("git") + string("") + string("sha512") + string(inner.replace(b"\1\0\0\0\7", b"\0\0\0\0\7")),
            head + string("git") + string("") + string("md5") + string(inner),
            head + string("file") + string("") + string("sha512") + string(inner))):
        seed(f"blob-bad-{i}", b"\3" + blob)
    seed("armor-long", b"\3" + blob + b"x" * 4000)
    key = string(kind) + string(b"1" * 32) + string("ssh:")
    after = string("git") + string("") + string("sha512") + string(inner)
    for i, wire in enumerate((
            key[:3], string("ssh-rsa") + string(b"1" * 32), string(kind) + string(b"1" * 31),
            string(kind) + string(b"1" * 32), string(kind) + string(b"1" * 32) + string("s h:"),
            string(kind) + string(b"1" * 32) + string(""), key + b"x")):
        seed(f"key-bad-{i}", b"\3SSHSIG\0\0\0\1" + string(wire) + after)
    for i, blob in enumerate((b"SSH", b"SSHSIG\0\0", b"SSHSIG\0\0\0\2" + string(key) + after,
                              b"SSHSIG\0\0\0\1" + string(key), head + after + b"x",
                              head + string("git") + string("") + string("sha512") + string(string(kind)),
                              head + string("git") + string("") + string("sha512") +
                              string(inner.replace(b"sk-ssh", b"sk-xyz")))):
        seed(f"blob-refused-{i}", b"\3" + blob)
    for i, (old, new) in enumerate(((b"BEGIN", b"BEGUN"), (b"END", b"FIN"), (b"U1NIU0lH", b"U1NIU0l!"),
                                    (b"U1NIU0lH", b"U1NI\nU0lH"), (b"\n", b"\n" * 4100))):
        seed(f"armor-refused-{i}", b"\2" + armor.replace(old, new, 1))
    signature = commit[commit.index(b"\ngpgsig"):commit.index(b"\n\nRelease")]
    for i, (old, new) in enumerate(((b"\ngpgsig", b"\nxpgsig"), (signature, b""),
                                    (b"\n -----END SSH SIGNATURE-----\n\n", b"\n -----END"),
                                    (b"SIGNATURE-----\n\n", b"SIGNATURE-----\ngpgsig x\n\n"))):
        seed(f"commit-refused-{i}", b"\0" + signers + b"\0" + commit.replace(old, new, 1))
    seed("commit-threshold", b"\0# osupdate: threshold 2\n" + signers + b"\0" + commit)
    seed("commit-early", b"\0" + signers.replace(b"namespaces", b'valid-before="20200101",namespaces') + b"\0" + commit)
    seed("commit-empty-line", b"\0" + signers + b"\0" + commit.replace(b"\n -----END", b"\n \n -----END"))
    for i, message in enumerate((
            "\n" + MESSAGE, MESSAGE.replace("Release", "R" * 300 + "\u00e9" * 20),
            MESSAGE.replace("kiosk-amd64", "a..b"), MESSAGE.replace("kiosk-amd64", "a/./b"),
            MESSAGE.replace("beta/x", "stable"), MESSAGE.replace("1.2 (", "1\u0085("),
            MESSAGE.replace("kiosk-amd64", "k!"), MESSAGE.replace("kiosk-amd64", "x" * 129),
            MESSAGE.replace("1.2 (", "1\x01("))):
        seed(f"message-{i}", "\1" + payload + message)
    part = lambda kind, raw: kind + b" " + str(len(raw)).encode() + b"\n" + raw + b"\n"
    proof = b"osupdate-release 1\n" + part(b"commit", commit)
    seed("proof", b"\4" + proof)
    seed("proof-many", b"\4" + proof + part(b"tag", b"t") * 65)
    for i, other in enumerate((proof.replace(b" 1", b" 2", 1), proof[:40], proof.replace(b"commit ", b"commit x", 1),
                               proof[:-1], proof + b"tag 9\nx", proof + b"tag 1\nxx", proof + b"gat 1\nx\n")):
        seed(f"proof-refused-{i}", b"\4" + other)
    about = "object " + "11" * 20 + "\ntype commit\ntag osupdate/12/me\ntagger M <m> 1700000000 +0000\n\n"
    same = ("I have seen it\n\nOsupdate-Product: kiosk\nOsupdate-Version: 1.2\nOsupdate-Serial: 12\n"
            "Osupdate-Manifest: blake2b-256:" + "0123456789abcdef" * 4 + " 1\n")
    seed("tag-signed", "\5" + about + same)
    for i, other in enumerate((about.replace("/12/", "/13/") + same, about.replace("commit", "tree") + same,
                               about.replace("me\n", "\n") + same, about + same.replace("1.2", "1.3"),
                               about + same + "Osupdate-Channel: a\n", about + "none\n",
                               about.replace("tagger ", "tagged ") + same, about.replace("+0000\n", "+0000\nx y\n") + same,
                               about + same + "Osupdate-Channel: stable beta/y\n")):
        seed(f"tag-signed-{i}", "\5" + other)
    seed("tag", b"\6" + tag)
    seed("tag-twice", b"\6" + tag + tag[tag.index(b"-----BEGIN"):])
    seed("tag-unsigned", b"\6" + tag[:tag.index(b"-----BEGIN")])
    seed("tag-open", b"\6" + tag[:-1])
    seed("threshold", "\7" + about[48:] + same + "\0" + about[48:] + same)
    seed("threshold-shared", "\x0f" + about[48:] + same + "\0" + about[48:] + same)
    seed("threshold-one", "\7" + about[48:] + same + "\0" + about[48:])
    seed("proof-tags", b"\4" + proof + part(b"tag", tag) + part(b"tag", b""))


def signers():
    one, two, sk = public_key(b"1"), public_key(b"2"), public_key(b"1", "ssh:")
    text = (f'# people\n# osupdate: threshold 2\nanna,bert@example.org {one} a comment\n\n'
            f'"c d" namespaces="git,file",valid-after="20230101",valid-before="203001011200Z" {two}\n'
            f'*@x.org valid-after="20200229120000Z" {sk}\n')
    seed("all", text + "\0# gone\n" + two + "\n\0g?t,!file*,*")
    seed("revoked", f"a {one}\n\0{one} lost\nssh-rsa AAAA\n\0*,!git")
    seed("early", f'a valid-before="20200101" {one}\na namespaces="file" {two}\n\0\0git')
    for i, text in enumerate((f"a cert-authority {one}\n", "a ssh-rsa AAAA\n", f"{one}\n",
                              f'a verify-time="1" {one}\n', f"# osupdate: threshold 65\na {one}\n",
                              f'a namespaces="x",namespaces="y" {one}\n',
                              f'a valid-after="20200101",valid-after="20200101" {one}\n',
                              f'a valid-after="2020010a" {one}\n',
                              f"a sk-ssh-ed25519@openssh.com {one.split()[1]}\n",
                              f"a {one}\n" * 1025, f"a {one}\r\n",
                              f"a namespaces=git {one}\n", f"a valid-after=20200101 {one}\n",
                              f'a valid-after="20200101 {one}\n', f'a valid-after="" {one}\n',
                              f'a valid-after="202001" {one}\n', f'a valid-after="20201301" {one}\n',
                              f'a valid-after="20200231" {one}\n', f'a valid-after="19700101" {one}\n',
                              f'a valid-after="202001012460" {one}\n', f'a namespaces="git"x {one}\n',
                              f'a namespaces="git", {one}\n',
                              f'a valid-after="20300101",valid-before="20200101" {one}\n',
                              "a\n", "a ssh-ed25519\n", f'"" {one}\n', f'"a"b" {one}\n', f"{'a' * 1100} {one}\n",
                              f"# osupdate: threshold 2\n# osupdate: threshold 2\na {one}\n",
                              "# osupdate: threshold x\n", "# osupdate: quorum 2\n",
                              f"a {one[:-9]}\n", f"a {one}!\n", f"a \x01{one}\n")):
        seed(f"bad-{i}", text)
    seed("krl", f"a {one}\n\0SSHKRL\n\0x")
