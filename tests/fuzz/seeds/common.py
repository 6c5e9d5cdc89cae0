# SPDX-License-Identifier: MIT
"""What the seeds of several targets are made with."""
import os
import subprocess
import sys

target, directory = sys.argv[1:]
DIGEST = "00112233445566778899aabbccddeeff" * 2


def seed(name, data):
    with open(os.path.join(directory, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


def run(*argv, cwd, stdin=None):
    env = {"PATH": "/usr/bin:/bin", "HOME": cwd, "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_AUTHOR_DATE": "1700000000 +0100", "GIT_COMMITTER_DATE": "1700000000 +0100"}
    return subprocess.run(argv, cwd=cwd, env=env, input=stdin, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
