#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""steps.py FILE: when each step of `osupdate --progress=json` (standard input) began, in
seconds since this program did, and the end of it all."""
import json
import sys
import time

begun = time.monotonic()
first = {}
for line in sys.stdin:
    try:
        first.setdefault(json.loads(line)["step"], time.monotonic() - begun)
    except ValueError:
        pass  # words for a person
first["end"] = time.monotonic() - begun
with open(sys.argv[1], "w", encoding="ascii") as f:
    json.dump(first, f)
