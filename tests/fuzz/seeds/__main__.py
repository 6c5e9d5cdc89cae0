# SPDX-License-Identifier: MIT
"""seeds TARGET DIRECTORY: inputs to begin with, each of a shape its parser takes."""
import content
import device
import frames
import loaders
import server
import trust
from common import target

for module in content, device, frames, loaders, server, trust:
    if make := getattr(module, target.replace("-", "_"), None):
        make()
        break
else:
    raise SystemExit(f"no seeds for {target}")
