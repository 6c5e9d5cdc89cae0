# SPDX-License-Identifier: MIT
"""What forge.py and images.py share: taking a release apart and putting one together that
no `git osupdate commit` would make.  Call use() first."""
import os
import re
import subprocess

GIT_DIR = KEY = None


def use(git_dir, key):
    global GIT_DIR, KEY
    GIT_DIR, KEY = git_dir, key


def git(*args, data=None, env=None):
    return subprocess.run(["git", "--git-dir=" + GIT_DIR, *args], input=data, check=True,
                          stdout=subprocess.PIPE, env={**os.environ, **(env or {})}).stdout


def split(raw):
    """A raw commit into headers (without the signature), message and signature."""
    head, message = raw.split(b"\n\n", 1)
    lines, armor = [], []
    inside = False
    for line in head.split(b"\n"):
        if line.startswith(b"gpgsig "):
            inside = True
            armor.append(line[7:])
        elif inside and line.startswith(b" "):
            armor.append(line[1:])
        else:
            inside = False
            lines.append(line)
    return lines, message, armor


def sign(text, namespace="git", key=None):
    out = subprocess.run(["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", key or KEY], input=text,
                         check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return out.rstrip(b"\n").split(b"\n")


def join(lines, message, armor):
    head = b"\n".join(lines)
    if armor:
        head += b"\ngpgsig " + b"\n ".join(armor)
    return head + b"\n\n" + message


def payload(lines, message):
    return b"\n".join(lines) + b"\n\n" + message


def blob(data):
    return git("hash-object", "-w", "--stdin", data=data).strip().decode()


def tree_with(tree, changes):
    """`tree` with {path: (mode, object) or None to remove}."""
    index = os.path.join(GIT_DIR, "forge-index")
    if os.path.exists(index):
        os.unlink(index)
    env = {"GIT_INDEX_FILE": index}
    git("read-tree", tree, env=env)
    text = b""
    for path, what in changes.items():
        if what is None:
            text += b"0 " + b"0" * 40 + b"\t" + path + b"\0"
        else:
            text += ("%s %s\t" % what).encode() + path + b"\0"
    git("update-index", "-z", "--index-info", data=text, env=env)
    return git("write-tree", env=env).strip()


def trailer(message, name, value):
    """`message` with another value of one of the Osupdate- trailers."""
    new, n = re.subn(rb"(?m)^Osupdate-" + name.encode() + rb": .*$",
                     lambda _: b"Osupdate-" + name.encode() + b": " + value.encode(), message)
    assert n == 1, name
    return new


def move(branch, lines, message, armor):
    """Move `branch` to a commit put together like this; gives its id."""
    commit = git("hash-object", "-t", "commit", "-w", "--stdin", "--literally",
                 data=join(lines, message, armor)).strip().decode()
    git("update-ref", "refs/heads/" + branch, commit)
    return commit
