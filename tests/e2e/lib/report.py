# SPDX-License-Identifier: MIT
"""TAP-like results, as tests/run counts them."""
import sys
import time
import traceback

from vm import Failed

_start = time.monotonic()
_failed = False


def ok(name):
    print("ok - %s" % name, flush=True)


def not_ok(name, why=""):
    global _failed
    _failed = True
    print("not ok - %s%s" % (name, ": " + str(why).splitlines()[0] if why else ""), flush=True)
    for line in str(why).splitlines()[1:]:
        print("#   " + line, flush=True)


def same(name, found, wanted):
    if found == wanted:
        ok(name)
    else:
        not_ok(name, "%r is not %r" % (found, wanted))


def has(name, text, part):
    if part in text:
        ok(name)
    else:
        not_ok(name, "no %r in it\n%s" % (part, text))


def note(text):
    print("# %6.1f s  %s" % (time.monotonic() - _start, text), flush=True)


def scenario(name, function, *args):
    """One scenario; a wait that is in vain fails it, not the others."""
    note("--- " + name)
    try:
        function(*args)
    except Failed as e:
        not_ok(name, e)
    except Exception:
        not_ok(name, traceback.format_exc())


def end():
    note("done")
    sys.exit(1 if _failed else 0)
