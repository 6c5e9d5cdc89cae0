#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""forge.py GIT_DIR BRANCH KEY HOW [ARGUMENT]: move BRANCH to a release made wrong.

Takes the commit BRANCH points to, changes it as HOW says, signs it again with KEY where
the signature is not what is wrong, and moves BRANCH there (what a hostile or broken
server, or a careless builder, could offer).  Prints the new commit.
"""
import re
import sys

from releases import blob, git, move, payload, sign, split, trailer, tree_with, use

git_dir, branch, key, how = sys.argv[1:5]
argument = sys.argv[5] if len(sys.argv) > 5 else None
use(git_dir, key)
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
print(move(branch, lines, message, armor))
