#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cuts.py PORT UPSTREAM MODE NUMBER SEED -- COMMAND…: run COMMAND (an update) whose server is
reached through a proxy on PORT that cuts its connections.

  every BYTES    each connection after so many bytes of answers
  random COUNT   at so many random moments of the SIZE (environment) bytes that are expected
  reboot COUNT   the same, and each time COMMAND is killed with all it started, and run again
  torn COUNT     the same, and each time the part that was received (the file PARTIAL, environment)
                 is no longer what came

Prints the bytes of answers that were passed on, cuts, runs, and torn parts; exits as the last run did, and 0
where that found nothing to do because the one before was killed when all was done."""
import glob
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

port, upstream, mode, number, seed = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
command = sys.argv[sys.argv.index("--") + 1:]
lock = threading.Lock()
passed, cuts, runs, torn = 0, 0, 0, 0
dead = threading.Event()  # a cut after which the command is to be killed
if mode == "every":
    moments = None
else:
    chance = random.Random(seed)
    moments = sorted(chance.randrange(1, int(os.environ["SIZE"])) for _ in range(number))


def allowance(of_connection):
    """Bytes until the next cut; None: no more cuts."""
    if mode == "every":
        return number - of_connection
    while moments and moments[0] <= passed:
        moments.pop(0)
    return moments[0] - passed if moments else None


def pump_down(server, client):
    global passed, cuts
    mine, cut = 0, False
    try:
        while not cut:
            with lock:
                left = allowance(mine)
            data = server.recv(65536 if left is None else min(65536, left))
            if not data:
                break
            client.sendall(data)
            mine += len(data)
            with lock:
                passed += len(data)
                cut = left is not None and len(data) == left
                cuts += cut
                if cut and moments:
                    moments.pop(0)
    except OSError:
        pass
    for s in (server, client):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    if cut and mode in ("reboot", "torn"):
        dead.set()


def pump_up(client, server):
    try:
        while True:
            data = client.recv(65536)
            if not data:
                break
            server.sendall(data)
    except OSError:
        pass


def serve():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    while True:
        client, _ = listener.accept()
        if dead.is_set():
            client.close()
            continue
        server = socket.create_connection(("127.0.0.1", upstream))
        threading.Thread(target=pump_up, args=(client, server), daemon=True).start()
        threading.Thread(target=pump_down, args=(server, client), daemon=True).start()


def unread():
    """Bytes from us that COMMAND has not yet taken from its kernel (proc_net_tcp(5))."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        sockets = [line.split() for line in f][1:]
    return sum(int(s[4].split(":")[1], 16) for s in sockets if s[2].endswith(":%04X" % port))


def working(session):
    """Does any thread of `session` run, or wait for a disk (proc_pid_stat(5))?"""
    for task in glob.glob("/proc/[0-9]*/task/[0-9]*/stat"):
        try:
            with open(task, encoding="ascii", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended
        if int(fields[3]) == session and fields[0] in "RD":
            return True
    return False


def settle(session):
    """Until what has arrived is dealt with, however busy the machine is."""
    quiet = 0
    for _ in range(100):
        time.sleep(0.05)
        quiet = 0 if working(session) else quiet + 1
        if quiet == 4:
            return


def run():
    """Once; None: it was killed."""
    global runs
    runs += 1
    dead.clear()
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    while p.poll() is None:
        if dead.wait(0.02):
            # What was sent has arrived, as long before a power cut.
            for _ in range(500):
                if unread() == 0:
                    break
                time.sleep(0.01)
            settle(p.pid)
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
            return None
    return p.returncode


def tear():
    """One byte of what has come (updater/store/server/partial.h) is another."""
    global torn
    if not os.path.exists(os.environ["PARTIAL"]):
        return  # all has come
    with open(os.environ["PARTIAL"], "r+b") as f:
        f.seek(128 + 8)
        have = int.from_bytes(f.read(8), "little")
        if have == 0:
            return
        at = 128 + 20 + chance.randrange(have)
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 0x20]))
    torn += 1


threading.Thread(target=serve, daemon=True).start()
status, killed = None, False
while status is None and runs < 1000:
    status = run()
    killed = killed or status is None
    if status is None and mode == "torn":
        tear()
if killed and status == 2:
    status = 0  # nothing to do: the run before was killed after it had armed the slot
print("passed %d cuts %d runs %d torn %d" % (passed, cuts, runs, torn))
sys.exit(1 if status is None else status)
