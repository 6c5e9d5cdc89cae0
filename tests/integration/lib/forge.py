#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""forge.py GIT_DIR BRANCH KEY HOW [ARGUMENT]: move BRANCH to a release made wrong.

Takes the commit BRANCH points to, changes it as HOW says, signs it again with KEY where
the signature is not what is wrong, and moves BRANCH there (what a hostile or broken
server, or a careless builder, could offer).  Prints the new commit.
"""
import os
import re
import subprocess
import sys

git_dir, branch, key, how = sys.argv[1:5]
argument = sys.argv[5] if len(sys.argv) > 5 else None


def git(*args, data=None, env=None):
    return subprocess.run(["git", "--git-dir=" + git_dir, *args], input=data, check=True,
                          stdout=subprocess.PIPE, env={**os.environ, **(env or {})}).stdout


def split(raw):
    """A raw commit into headers (without the signature) and message."""
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


def sign(payload, namespace="git"):
    out = subprocess.run(["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", key], input=payload,
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
    """`tree` with {path: (mode, blob) or None to remove}."""
    index = os.path.join(git_dir, "forge-index")
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
    new, n = re.subn(rb"(?m)^Osupdate-" + name.encode() + rb": .*$",
                     b"Osupdate-" + name.encode() + b": " + value.encode(), message)
    assert n == 1, name
    return new


raw = git("cat-file", "commit", branch)
lines, message, armor = split(raw)
tree = lines[0].split()[1].decode()
resign = True

if how == "unsigned":
    armor, resign = [], False
elif how == "resign":
    pass  # with another key
elif how == "other-bytes":
    armor, resign = sign(payload(lines, message + b"more\n")), False
elif how == "namespace":
    armor, resign = sign(payload(lines, message), "file"), False
elif how == "junk-after":
    armor, resign = sign(payload(lines, message)) + [b"junk"], False
elif how == "doubled-header":
    lines.append(lines[-1])
elif how == "unknown-header":
    lines.append(b"encoding UTF-8")
elif how == "second-signature":
    armor = sign(payload(lines, message))
    armor, resign = armor + [], False
    lines.append(b"gpgsig-sha256 x")
elif how == "unknown-trailer":
    message += b"Osupdate-Surprise: yes\n"
elif how == "doubled-trailer":
    message += re.search(rb"Osupdate-Version: .*\n", message).group(0)
elif how == "misplaced-trailer":
    message = b"Osupdate-Version: 9\n\n" + message
elif how == "missing-trailer":
    message = re.sub(rb"Osupdate-Serial: .*\n", b"", message)
elif how == "valid-until":
    message += b"Osupdate-Valid-Until: " + argument.encode() + b"\n"
elif how in ("product", "serial", "channel"):
    if how == "channel":
        message += b"Osupdate-Channel: " + argument.encode() + b"\n"
    else:
        message = trailer(message, how.capitalize(), argument)
elif how == "manifest":
    # Another manifest than the one that was signed for.
    old = git("cat-file", "blob", "%s:usr/lib/osupdate/manifest" % branch)
    new = old.replace(b" 0755 ", b" 0777 ", 1)
    lines[0] = b"tree " + tree_with(tree, {b"usr/lib/osupdate/manifest": ("100644", blob(new))})
elif how == "contents":
    lines[0] = b"tree " + tree_with(tree, {argument.encode(): ("100644", blob(b"evil\n"))})
elif how == "missing-path":
    lines[0] = b"tree " + tree_with(tree, {argument.encode(): None})
elif how == "tree":
    lines[0] = b"tree " + git("rev-parse", argument + "^{tree}").strip()
else:
    sys.exit("forge.py: no such way: " + how)

if resign:
    armor = sign(payload(lines, message))
commit = git("hash-object", "-t", "commit", "-w", "--stdin", "--literally",
             data=join(lines, message, armor)).strip().decode()
git("update-ref", "refs/heads/" + branch, commit)
print(commit)
